//! What is set on an upload. What C calls to set its content, its completion callback and its rate limit is in `source.rs`,
//! `completion.rs` and `rate_limit.rs`.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use crate::ffi::boundary::{enter, text};
use crate::ffi::completion::CompletionCallback;
use crate::ffi::numbers;
use crate::ffi::progress::{ProgressCallback, cos_slice_progress_fn};
use crate::ffi::source::Whole;
use crate::ffi::user_data::cos_slice_drop_fn;
use crate::upload::error::Error;
use crate::upload::options::{UploadOptions, validate_biz_attr};

use super::{Settings, cos_slice_upload};

impl cos_slice_upload {
    /// Takes a setting, or notes why it is not acceptable, for the next run to report. `apply` returns what the setting
    /// was: dropping it may call back, which is not to happen under the lock.
    pub(in crate::ffi) fn set<V, Old>(
        &self,
        setting: &'static str,
        value: Result<V, Error>,
        apply: impl FnOnce(&mut Settings, V) -> Old,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        if let Some(engine) = &state.engine {
            engine.set_options(|_| ())?;
        }
        let value = state.failures.note(setting, value)?;
        let old = apply(&mut state.settings, value);
        drop(state);
        drop(old);
        Ok(())
    }

    /// Takes what is to be uploaded. The engine lets go of what was, too, so that its data is dropped now, and never by a
    /// run, which gives the engine its source under the lock.
    pub(in crate::ffi) fn set_content(&self, whole: Result<Whole, Error>) -> Result<(), Error> {
        let mut state = self.lock();
        let forgotten = match &state.engine {
            Some(engine) => Some(engine.forget_source()?),
            None => None,
        };
        let noted = state.failures.note("source", whole);
        let result = noted.map(|whole| state.settings.content.replace(whole));
        drop(state);
        drop(forgotten);
        result.map(drop)
    }

    /// The engine lets go of what was set, too, so that its data is dropped now.
    pub(in crate::ffi) fn set_completion(
        &self,
        callback: Option<Arc<CompletionCallback>>,
    ) -> Result<(), Error> {
        let engine = self.lock().engine.clone();
        if let Some(engine) = engine {
            engine.set_completion(None)?;
        }
        self.set("completion", Ok(callback), |settings, callback| {
            std::mem::replace(&mut settings.completion, callback)
        })
    }

    fn set_option<V>(
        &self,
        setting: &'static str,
        value: Result<V, Error>,
        apply: impl FnOnce(&mut UploadOptions, V),
    ) -> Result<(), Error> {
        self.set(setting, value, |settings, value| {
            apply(&mut settings.options, value)
        })
    }

    /// Takes a limit, which may change at any time.
    pub(in crate::ffi) fn set_rate_limit(&self, limit: Result<Option<u64>, Error>) -> Result<(), Error> {
        let mut state = self.lock();
        let limit = state.failures.note("rate_limit", limit)?;
        state.settings.rate_limit = limit;
        match &state.engine {
            Some(engine) => engine.set_rate_limit(limit),
            None => Ok(()),
        }
    }
}

/// Sets what is told of the progress: how it begins, then at most ten times a second, and how it ends. Under
/// cos_slice_upload_run it is called on the thread that runs, under cos_slice_upload_start on the one callback thread
/// of the client; never two calls at once, and none after run or wait has told the end. NULL for callback: none.
///
/// user_data is passed through. drop, which may be NULL, is called exactly once with it: when the callback is replaced or the
/// upload freed, or at once where this call fails; on any thread, after the last call of callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_progress(
    upload: *mut cos_slice_upload,
    callback: cos_slice_progress_fn,
    user_data: *mut c_void,
    drop: cos_slice_drop_fn,
) -> i32 {
    // Made before anything can fail, so that the data is dropped in every case.
    let callback = ProgressCallback::new(callback, user_data, drop);
    // Data that nothing is to be called with is dropped here: not under the lock, since drop may ask the upload.
    let callback = Some(Arc::new(callback)).filter(|callback| callback.is_set());
    enter!(upload).call(|upload| {
        upload.set("progress", Ok(callback), |settings, callback| {
            std::mem::replace(&mut settings.progress, callback)
        })
    })
}

/// The slice size to ask for, in bytes; the server may choose another. With hashing on, 524288 or 1048576; with hashing off
/// 2097152 and 3145728 too. Where the client has slice sizes of its own (cos_slice_client_set_slice_sizes, to be called
/// first), one of those.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_slice_size(upload: *mut cos_slice_upload, bytes: i64) -> i32 {
    enter!(upload).call(|upload| {
        let sizes = upload.client.as_ref().map(|client| client.slice_sizes());
        let size = numbers::slice_size(bytes, &sizes.unwrap_or_default());
        upload.set("slice_size", size, |settings, size| {
            settings.slice_size = Some(size)
        })
    })
}

/// Whether to take the source's SHA-1 before it is sent: anything but 0 is on. It buys the instant upload of content that the
/// server has already, the server's own verification, and the proof on resumption that its slices are of this very
/// content; it costs one reading of the source. A stream that is not spooled can't be hashed first: for it this is off unless
/// set, and to turn it on is an invalid argument.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_hash(upload: *mut cos_slice_upload, on: i32) -> i32 {
    enter!(upload).call(|upload| upload.set("hash", Ok(on != 0), |settings, on| settings.hash = Some(on)))
}

/// Whether an object of other content at the path is replaced: anything but 0 is on. Off, it is left alone, and the upload
/// fails with COS_SLICE_ERR_OBJECT_EXISTS.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_overwrite(upload: *mut cos_slice_upload, on: i32) -> i32 {
    enter!(upload)
        .call(|upload| upload.set_option("overwrite", Ok(on != 0), |options, on| options.overwrite = on))
}

/// Whether directories above the object are made where the service says that the path does not exist: anything but 0 is on. Off,
/// such an upload fails with COS_SLICE_ERR_NOT_FOUND.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_create_parents(upload: *mut cos_slice_upload, on: i32) -> i32 {
    enter!(upload).call(|upload| {
        upload.set_option("create_parents", Ok(on != 0), |options, on| {
            options.create_parents = on
        })
    })
}

/// Whether an unfinished upload at the path that is not of this content is thrown away: anything but 0 is on. Off, the
/// upload fails with COS_SLICE_ERR_OTHER_UPLOAD. Turn it on only where nobody else uploads to the path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_discard_unfinished(
    upload: *mut cos_slice_upload,
    on: i32,
) -> i32 {
    enter!(upload).call(|upload| {
        upload.set_option("discard_unfinished", Ok(on != 0), |options, on| {
            options.discard_unfinished = on
        })
    })
}

/// Whether the server's record of the object is compared with the source at the end: anything but 0 is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_verify(upload: *mut cos_slice_upload, on: i32) -> i32 {
    enter!(upload).call(|upload| upload.set_option("verify", Ok(on != 0), |options, on| options.verify = on))
}

/// An attribute that the service keeps with the object for the application: UTF-8 without control characters, at most 4096
/// bytes; copied. NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_biz_attr(
    upload: *mut cos_slice_upload,
    biz_attr: *const c_char,
) -> i32 {
    enter!(upload).call(|upload| {
        let take = || {
            if biz_attr.is_null() {
                return Ok(None);
            }
            let biz_attr = text!("biz_attr", biz_attr)?;
            validate_biz_attr(biz_attr).map_err(Error::invalid)?;
            Ok(Some(biz_attr.into()))
        };
        upload.set_option("biz_attr", take(), |options, biz_attr| {
            options.biz_attr = biz_attr
        })
    })
}

/// Sources up to this many bytes go in one request instead of slices, 0 to 20971520; such an upload can't be resumed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_single_request_limit(
    upload: *mut cos_slice_upload,
    bytes: i64,
) -> i32 {
    enter!(upload).call(|upload| {
        let limit = numbers::single_request_limit(bytes);
        upload.set_option("single_request_limit", limit, |options, limit| {
            options.single_request_limit = limit
        })
    })
}

/// The longest that the whole upload may take, in milliseconds, 1 to 31536000000 (a year); then it ends with
/// COS_SLICE_ERR_DEADLINE and can be run again. A read of the source, a write of the checkpoint or a callback that is under way
/// then is waited for. Without this call there is no such limit.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_deadline_ms(upload: *mut cos_slice_upload, ms: i64) -> i32 {
    enter!(upload).call(|upload| {
        upload.set_option("deadline_ms", numbers::deadline(ms), |options, limit| {
            options.deadline = Some(limit)
        })
    })
}
