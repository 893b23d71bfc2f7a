//! How fast may be sent, as C says it.

use super::boundary::enter;
use super::client::cos_slice_client;
use super::numbers;
use super::upload::cos_slice_upload;

/// How many bytes a second the client's requests may send, all uploads and operations together: 1024 to 2^53, or 0 for no
/// limit, which is the default. It holds at once, also for requests under way. Counted is what is handed to the system of
/// requests, heads and repetitions included, and neither what TLS and TCP add nor answers. In any second it is at most 3 %
/// more, and as much where there is enough to send and the network takes it. Uploads share it by their connections. At a
/// rate at which a slice takes minutes fewer connections end each slice sooner, which servers with time limits of their own
/// may want. Waiting for the limit is no stall, and ends by a cancel and a deadline. What is refused leaves the limit as it
/// was. Any thread, at any time, inside callbacks too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_rate_limit(
    client: *const cos_slice_client,
    bytes_per_second: i64,
) -> i32 {
    enter!(client).call(|client| client.set_rate_limit(numbers::rate_limit(bytes_per_second)))
}

/// How many bytes a second the requests of this upload may send, beside the client's limit, which holds too: 1024 to 2^53, or
/// 0 for no limit, which is the default. It holds at once, also for a run under way, and for later runs; what counts is told
/// at cos_slice_client_set_rate_limit. Such an upload takes no more of the client's connections than its rate needs, two at
/// least, so that other uploads have the rest. What is refused leaves the limit as it was. Any thread, at any time, inside callbacks
/// too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_rate_limit(
    upload: *const cos_slice_upload,
    bytes_per_second: i64,
) -> i32 {
    enter!(upload).call(|upload| upload.set_rate_limit(numbers::rate_limit(bytes_per_second)))
}
