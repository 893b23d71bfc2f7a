//! The requests that C makes one at a time.

use crate::engine::operation::Call;
use crate::upload::error::Error;

use super::answer::cos_slice_answer;
use super::boundary::enter;
use super::error::cos_slice_error;
use super::numbers;
use super::operation::cos_slice_operation;

/// Where an answer goes: NULL where it is not wanted.
struct AnswerOut(*mut *mut cos_slice_answer);

impl AnswerOut {
    /// With NULL in it until there is an answer. What it held before is not read.
    ///
    /// # Safety
    /// `out` is NULL or can be written for as long as this lives.
    unsafe fn new(out: *mut *mut cos_slice_answer) -> Self {
        let new = Self(out);
        new.write(std::ptr::null_mut());
        new
    }

    fn put(&self, answer: cos_slice_answer) {
        if !self.0.is_null() {
            self.write(answer.into_raw());
        }
    }

    fn write(&self, answer: *mut cos_slice_answer) {
        if !self.0.is_null() {
            // SAFETY: not NULL, so `new` was promised that it can be written.
            unsafe { self.0.write(answer) };
        }
    }
}

fn answered(
    operation: &cos_slice_operation,
    out: &AnswerOut,
    request: impl FnOnce(&Call) -> Result<cos_slice_answer, Error>,
) -> Result<(), Error> {
    out.put(request(&*operation.prepare()?)?);
    Ok(())
}

/// The body of a request: `verb!(operation, answer, error, |call| …)`.
macro_rules! verb {
    ($operation:expr, $answer:expr, $error:expr, $request:expr) => {{
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        let out = unsafe { AnswerOut::new($answer) };
        enter!($operation, $error).call(|operation| answered(operation, &out, $request))
    }};
}

/// Takes the SHA-1 of the source, and the running states of it that init sends along, one for each slice of the size that is set:
/// one reading of the source, on the calling thread, without a request. What follows on this handle has them; other handles and
/// processes need only the SHA-1 (cos_slice_operation_set_sha1). Answers COS_SLICE_ANSWER_HASHED.
///
/// For this and all requests here: answer, which may be NULL, receives an answer that the caller frees, or NULL where the call
/// failed; error is as of cos_slice_upload_run. Each returns when it is over, COS_SLICE_OK or why not:
/// COS_SLICE_ERR_INVALID_ARGUMENT for a setting or argument that is missing or not acceptable, before anything was sent;
/// COS_SLICE_ERR_BUSY inside a callback, and while another request of the handle is under way;
/// COS_SLICE_ERR_CANCELLED; else what the network or the server said to the last attempt. One thread at a time
/// for one handle; different handles don't disturb each other, those of one client, process or object included.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_hash(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call
        .hash()
        .map(|digests| cos_slice_answer::from(&*digests)))
}

/// Begins a slice upload of the size that is set or the source has, at least 1 byte ("upload_slice_init"; the control request of
/// "upload_slice" with files/v1). Answers COS_SLICE_ANSWER_SESSION, or COS_SLICE_ANSWER_COMPLETE where the service has this very
/// content there: then there is nothing to send.
///
/// With the SHA-1 (files/v1 demands it) the service verifies the object, and what it holds can be told from other content.
///
/// files/v2: COS_SLICE_ERR_OTHER_UPLOAD with server code -4019 where there is an unfinished upload, of this SHA-1 or of an unknown
/// one: list it, and go on with that session if it is the same object; -4020 where it is of another: delete removes it. After a
/// lost answer a repetition finds the upload that the first attempt began, so -4019 may mean one's own.
///
/// files/v1: with a session that is set it goes on with it; cos_slice_answer_offset tells where. The same request settles what
/// became of a slice whose answer was lost or refused.
///
/// COS_SLICE_ERR_OBJECT_EXISTS (-177) where there is an object of other content and overwriting is off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_init(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call.init().map(Into::into))
}

/// Sends length bytes of the source from offset on, both in bytes, as one slice of the session that is set ("upload_slice_data";
/// the data request of "upload_slice" with files/v1). An offset is a multiple of the slice size that was answered, a length that
/// size, or less for the last slice. Answers COS_SLICE_ANSWER_STORED; with files/v1 the slice that completes the object
/// answers COS_SLICE_ANSWER_COMPLETE.
///
/// files/v2: slices may go in any order and at once, from several handles, processes and machines, unless
/// cos_slice_answer_serial says otherwise. Sending one twice is harmless. COS_SLICE_ERR_REFUSED where the session is not, or no
/// longer, good (-290, -5983 and others), or where the server has the slice already (-4015): the list tells what there is.
///
/// files/v1: one after another, each at the offset that init told or the one before ended at. After any failure init, with
/// the session, tells where to go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_slice(
    operation: *mut cos_slice_operation,
    offset: i64,
    length: i64,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| {
        let offset = numbers::unsigned("offset", offset)?;
        let length = numbers::unsigned("length", length)?;
        call.slice(offset, length).map(Into::into)
    })
}

/// Asks what the service has of an unfinished upload ("upload_slice_list"): COS_SLICE_ANSWER_UNFINISHED with its session, which
/// may be another than before, and its parts; COS_SLICE_ANSWER_COMPLETE; or COS_SLICE_ANSWER_ABSENT. An invalid argument with
/// files/v1, which has init for it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_list(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call.list().map(Into::into))
}

/// Makes the object out of the slices of the session that is set ("upload_slice_finish"): COS_SLICE_ANSWER_COMPLETE. One of those
/// who sent slices does it, once all are there; where some are missing it is refused, and the list tells which. It has the
/// SHA-1 where init had one, and the service compares. After a lost answer a repetition may be refused though the object was
/// made: stat tells, by size and SHA-1. An invalid argument with files/v1, where the last slice makes the object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_finish(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call.finish().map(Into::into))
}

/// Sends the whole source in one request ("upload"), at most 20971520 bytes, and 0 bytes too: COS_SLICE_ANSWER_COMPLETE. With the
/// SHA-1 where one was taken or set. COS_SLICE_ERR_OBJECT_EXISTS as of cos_slice_operation_init; after a lost answer a repetition
/// may be refused so though it was the first attempt that made the object.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_upload(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call.upload().map(Into::into))
}

/// Asks for the object's size and SHA-1 ("stat"): COS_SLICE_ANSWER_STATUS, whose cos_slice_answer_received is less than the size
/// while the upload is unfinished, or COS_SLICE_ANSWER_ABSENT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_stat(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call.stat().map(Into::into))
}

/// Removes the object, or what there is of it with its session ("delete"): COS_SLICE_ANSWER_DELETED, also where there was nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_delete(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call.delete().map(Into::into))
}

/// Makes the directory that the handle's path names, without a slash at its end ("create"): COS_SLICE_ANSWER_CREATED, also where
/// it was there. The one above it must be there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_create_directory(
    operation: *mut cos_slice_operation,
    answer: *mut *mut cos_slice_answer,
    error: *mut *mut cos_slice_error,
) -> i32 {
    verb!(operation, answer, error, |call| call
        .create_directory()
        .map(Into::into))
}
