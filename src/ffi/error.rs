//! Errors as C sees them.

use std::ffi::{CString, c_char};

use crate::upload::error::Error;
use crate::upload::status::Status;

use super::boundary::{caught, of};
use super::strings;

/// Why a call failed. Plain data: it stays valid whatever becomes of the upload and the client, until it is freed.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub struct cos_slice_error {
    error: Error,
    message: CString,
    request_id: Option<CString>,
    operation: Option<CString>,
}

impl cos_slice_error {
    pub(super) fn new(error: Error) -> Self {
        Self {
            message: strings::c_string(&error.message),
            request_id: error.request_id.as_deref().map(strings::c_string),
            operation: error
                .place
                .operation
                .map(|(api, kind)| strings::c_string(api.operation_name(kind))),
            error,
        }
    }

    /// Hands an error to C, which owns it.
    pub(super) fn into_raw(error: Error) -> *mut Self {
        Box::into_raw(Box::new(Self::new(error)))
    }

    #[cfg(test)]
    pub(super) fn error(&self) -> &Error {
        &self.error
    }
}

/// Frees an error. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_free(error: *mut cos_slice_error) {
    if !error.is_null() {
        // SAFETY: it was handed out by `into_raw`, and the caller frees it once.
        caught(|| drop(unsafe { Box::from_raw(error) }));
    }
}

/// The status that the failed call returned: COS_SLICE_ERR_*. COS_SLICE_OK for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_status(error: *const cos_slice_error) -> i32 {
    of!(error, Status::Ok.number(), |error| error.error.status.number())
}

/// What happened, where, what the server said and what to do next: one line of UTF-8 without control characters, and
/// without secrets. Never NULL; for NULL it is empty. Valid until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_message(error: *const cos_slice_error) -> *const c_char {
    of!(error, c"".as_ptr(), |error| error.message.as_ptr())
}

/// The service's own code of the failure, such as -97; 0 where it gave none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_server_code(error: *const cos_slice_error) -> i64 {
    of!(error, 0, |error| error.error.server_code.unwrap_or(0))
}

/// The HTTP status of the answer, such as 403; 0 where there was no answer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_http_status(error: *const cos_slice_error) -> i32 {
    of!(error, 0, |error| error.error.http_status.map_or(0, i32::from))
}

/// The service's identifier of the request, which its support asks for; NULL where there is none. Valid until the error
/// is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_request_id(error: *const cos_slice_error) -> *const c_char {
    of!(error, std::ptr::null(), |error| strings::pointer(
        error.request_id.as_ref()
    ))
}

/// The operating system's error number (errno), such as ENOENT; 0 where there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_os_errno(error: *const cos_slice_error) -> i32 {
    of!(error, 0, |error| error.error.os_errno.unwrap_or(0))
}

/// 1 if running the same upload again, unchanged, may well succeed: later, or once the network or the file is well again.
/// 0 if something must be changed first. An upload that is run again goes on with what the server has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_is_retryable(error: *const cos_slice_error) -> i32 {
    of!(error, 0, |error| i32::from(error.error.is_retryable()))
}

/// How often the request that failed was attempted; 0 where the failure was not a request's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_attempts(error: *const cos_slice_error) -> u32 {
    of!(error, 0, |error| error.error.place.attempts)
}

/// The offset in bytes of the slice whose request failed; -1 where it was not about a slice.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_slice_offset(error: *const cos_slice_error) -> i64 {
    let offset = |error: &cos_slice_error| i64::try_from(error.error.place.offset?).ok();
    of!(error, -1, |error| offset(error).unwrap_or(-1))
}

/// The name of the operation that failed, as the service's documentation calls it, such as "upload_slice_data"; NULL
/// where the failure was not a request's. Valid until the error is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_operation(error: *const cos_slice_error) -> *const c_char {
    of!(error, std::ptr::null(), |error| strings::pointer(
        error.operation.as_ref()
    ))
}

/// What the progress callback returned to stop the upload; 0 if it did not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_error_callback_value(error: *const cos_slice_error) -> i32 {
    of!(error, 0, |error| error.error.callback_value)
}
