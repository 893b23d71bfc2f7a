//! The log of a client, as C sees it.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;

use crate::engine::log::{Log, LogEntry, Logger};

use super::boundary::enter;
use super::client::cos_slice_client;
use super::numbers;
use super::strings::{c_string, pointer};
use super::user_data::{UserData, cos_slice_drop_fn};

/// One entry of a client's log. Texts are UTF-8 without control characters, and valid until the callback returns. None of them has
/// a secret, a signature, a session, or what a form field or a header of the store holds. Later versions may add fields at
/// the end, never change those that are there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cos_slice_log_entry {
    /// The size of this structure in bytes, as far as it is filled in.
    pub struct_size: u32,
    /// How important it is: COS_SLICE_LOG_*, not above the level that was set.
    pub level: i32,
    /// What happened, in one line that stands alone. Its words may change with each version. Never NULL.
    pub message: *const c_char,
    /// The bucket that it is about. Each text from here on is NULL where there is none.
    pub bucket: *const c_char,
    /// The path within the bucket, without a leading slash.
    pub path: *const c_char,
    /// The request's operation, as the service's documentation calls it, such as "upload_slice_data".
    pub operation: *const c_char,
    /// The offset in bytes of the slice that the request sends; -1 where it is not about a slice.
    pub offset: i64,
    /// Which attempt at the request it was, from 1; 0 where it is not about a request.
    pub attempt: u32,
    /// The HTTP status of the answer; 0 where there was none.
    pub http_status: i32,
    /// The service's code of the failure, such as -97; 0 where it gave none.
    pub server_code: i64,
    /// The service's identifier of the request.
    pub request_id: *const c_char,
}

/// Takes an entry, which is valid until it returns. It is called on threads of the library and on those that run an upload, make
/// a request or wait, on several of them at once, and what it does holds up the uploads. Inside, cancel and getters may be called; a
/// free is carried out when it has returned; run, start and wait of any upload, and requests of any operation, answer
/// COS_SLICE_ERR_BUSY. It must return, and must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_log_fn =
    Option<unsafe extern "C" fn(entry: *const cos_slice_log_entry, user_data: *mut c_void)>;

/// A log of C's.
struct LogCallback {
    function: unsafe extern "C" fn(*const cos_slice_log_entry, *mut c_void),
    user_data: UserData,
}

impl Log for LogCallback {
    fn log(&self, entry: &LogEntry<'_>) {
        let message = c_string(entry.message);
        let texts: [Option<CString>; 4] =
            [entry.bucket, entry.path, entry.operation, entry.request_id].map(|text| text.map(c_string));
        let [bucket, path, operation, request_id] = &texts;
        let entry = cos_slice_log_entry {
            struct_size: size_of::<cos_slice_log_entry>() as u32,
            level: entry.level.number(),
            message: message.as_ptr(),
            bucket: pointer(bucket.as_ref()),
            path: pointer(path.as_ref()),
            operation: pointer(operation.as_ref()),
            offset: entry
                .offset
                .and_then(|offset| i64::try_from(offset).ok())
                .unwrap_or(-1),
            attempt: entry.attempt,
            http_status: entry.http_status.map_or(0, i32::from),
            server_code: entry.server_code.unwrap_or(0),
            request_id: pointer(request_id.as_ref()),
        };
        // SAFETY: the caller of the setter promised that the function takes its data until it is dropped.
        unsafe { (self.function)(&entry, self.user_data.pointer) }
    }
}

/// Has a callback told what the client does while it does it: entries of this level, COS_SLICE_LOG_*, and of the more important
/// ones. There is no log unless this is called; NULL for log turns it off again, and without one nothing is put into words.
///
/// Of an upload no entry comes after its run, or the wait that told its end, has returned; of a request by itself none after it has
/// returned. Entries of one upload that are made by different threads may come in another order than what they tell of.
///
/// user_data is passed through. drop, which may be NULL, is called exactly once with it: when another log is set, when the
/// client and the last of its uploads have ended, or at once where this call fails or log is NULL; on any thread, after the last
/// call of log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_log(
    client: *mut cos_slice_client,
    level: i32,
    log: cos_slice_log_fn,
    user_data: *mut c_void,
    drop: cos_slice_drop_fn,
) -> i32 {
    // Made before anything can fail, so that the data is dropped in every case.
    let user_data = UserData::new(user_data, drop);
    enter!(client).call(|client| {
        let logger = numbers::log_level(level).map(|level| {
            let function = log?;
            let log = Arc::new(LogCallback { function, user_data });
            Some(Logger { level, log })
        });
        client.set("log", logger, |settings, logger| {
            std::mem::replace(&mut settings.log, logger)
        })
    })
}
