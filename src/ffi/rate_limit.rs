//! How fast may be sent, as C says it.

use super::boundary::enter;
use super::client::cos_slice_client;
use super::numbers;
use super::upload::cos_slice_upload;

/// How many bytes a second the client's requests may send, all uploads together: 1024 to 2^53, or 0 for no limit, which is the
/// default. It holds for those under way from now on. What is refused leaves the limit as it was. Any thread, at any time,
/// inside callbacks too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_rate_limit(
    client: *const cos_slice_client,
    bytes_per_second: i64,
) -> i32 {
    enter!(client).call(|client| client.set_rate_limit(numbers::rate_limit(bytes_per_second)))
}

/// How many bytes a second the requests of this upload may send, beside the client's limit: 1024 to 2^53, or 0 for no limit,
/// which is the default. It holds for a run under way from now on, and for later ones. What is refused leaves the limit as it
/// was. Any thread, at any time, inside callbacks too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_rate_limit(
    upload: *const cos_slice_upload,
    bytes_per_second: i64,
) -> i32 {
    enter!(upload).call(|upload| upload.set_rate_limit(numbers::rate_limit(bytes_per_second)))
}
