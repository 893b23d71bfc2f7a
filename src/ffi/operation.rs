//! Single requests as C sees them: the handle and what is set on it. The requests are in `verbs.rs`.

use std::ffi::{c_char, c_void};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::operation::{Call, CallSettings, validate_session};
use crate::engine::source::{MemorySource, Source};
use crate::protocol::digest::Sha1Digest;
use crate::upload::error::Error;
use crate::upload::options::{validate_biz_attr, validate_size};

use super::boundary::{Defect, Failures, Handle, borrow, caught, enter, into_handle, take_back, text};
use super::client::cos_slice_client;
use super::numbers;
use super::source::{copy, file_of_bytes};

/// Requests to one object or directory, one at a time, for a program that has a flow of its own. It remembers what is set, and
/// the SHA-1 that it took, but no answer: a session goes from an answer to cos_slice_operation_set_session.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub struct cos_slice_operation {
    client: Option<Arc<cos_slice_client>>,
    bucket: String,
    path: String,
    state: Mutex<State>,
    defect: Defect,
}

struct State {
    /// Made by the first request.
    engine: Option<Arc<Call>>,
    settings: CallSettings,
    /// What was set since the engine was told.
    content: Option<Content>,
    failures: Failures,
    /// Cancelled before there was an engine to tell.
    cancelled: bool,
}

enum Content {
    File(PathBuf),
    Memory(Arc<dyn Source>),
}

impl Handle for cos_slice_operation {
    const ARGUMENT: &'static str = "operation";

    fn defect(&self) -> &Defect {
        &self.defect
    }
}

impl cos_slice_operation {
    /// An operation of arguments that may be unacceptable, which its requests then report.
    fn new(
        client: Option<Arc<cos_slice_client>>,
        bucket: Result<&str, Error>,
        path: Result<&str, Error>,
    ) -> Self {
        let mut failures = Failures::default();
        if client.is_none() {
            let _ = failures.note("client", Err::<(), _>(Error::invalid("client: it is NULL")));
        }
        let bucket = failures.note("bucket", bucket).unwrap_or_default().to_owned();
        let path = failures.note("path", path).unwrap_or_default().to_owned();
        let state = State {
            engine: None,
            settings: CallSettings::default(),
            content: None,
            failures,
            cancelled: false,
        };
        Self {
            client,
            bucket,
            path,
            state: Mutex::new(state),
            defect: Defect::default(),
        }
    }

    /// Takes a setting, or notes why it is not acceptable, for the next request to report. `apply` returns what the setting
    /// was: dropping it may take its time, or call back, and is not to happen under the lock.
    fn set<V, Old>(
        &self,
        setting: &'static str,
        value: Result<V, Error>,
        apply: impl FnOnce(&mut State, V) -> Old,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        if let Some(engine) = &state.engine {
            engine.set_settings(|_| ())?;
        }
        let value = state.failures.note(setting, value)?;
        let old = apply(&mut state, value);
        drop(state);
        drop(old);
        Ok(())
    }

    /// The engine's call with the settings of now.
    pub(super) fn prepare(&self) -> Result<Arc<Call>, Error> {
        self.lock().failures.check()?;
        let engine = self.engine()?;
        let mut state = self.lock();
        let settings = state.settings.clone();
        // Where a request is under way nothing is set, and the engine itself answers that it is busy.
        if engine.set_settings(|current| *current = settings).is_ok() {
            // Another thread's request may begin in between; what the engine did not take is kept for the next one.
            match &state.content {
                Some(Content::File(path)) => engine.set_file(path)?,
                Some(Content::Memory(source)) => engine.set_source(source.clone())?,
                None => {}
            }
            state.content = None;
        }
        Ok(engine)
    }

    /// The call of the engine; the first request makes it. The client's engine may have to be made for that, which reads
    /// certificates from the disk; the lock is not held meanwhile, so that a cancel never waits for it.
    fn engine(&self) -> Result<Arc<Call>, Error> {
        if let Some(engine) = &self.lock().engine {
            return Ok(engine.clone());
        }
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| Error::invalid("client: it is NULL"))?;
        let made = Arc::new(client.engine()?.call(&self.bucket, &self.path)?);
        let mut state = self.lock();
        // Another thread may have been faster.
        let engine = state.engine.get_or_insert(made).clone();
        if std::mem::take(&mut state.cancelled) {
            engine.cancel();
        }
        Ok(engine)
    }

    fn cancel(&self) {
        let mut state = self.lock();
        match &state.engine {
            Some(engine) => engine.cancel(),
            None => state.cancelled = true,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new handle for requests to a path of a bucket. Arguments, ownership and errors as of cos_slice_upload_new; what is not
/// acceptable is reported by the requests. Owned by the caller: free it with cos_slice_operation_free, before or after the
/// client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_new(
    client: *const cos_slice_client,
    bucket: *const c_char,
    path: *const c_char,
) -> *mut cos_slice_operation {
    let new = || {
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        let client = unsafe { borrow(client) };
        into_handle(cos_slice_operation::new(
            client,
            text!("bucket", bucket),
            text!("path", path),
        ))
    };
    caught(new).unwrap_or(std::ptr::null_mut())
}

/// Frees a handle; answers stay. Not while another thread is inside one of its requests. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_free(operation: *mut cos_slice_operation) {
    caught(|| {
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        if let Some(operation) = unsafe { take_back(operation) } {
            operation.cancel();
        }
    });
}

/// Ends the request that is under way, or the next one where none is, with COS_SLICE_ERR_CANCELLED; it may have had its effect.
/// Else as cos_slice_upload_cancel: any thread, at any time, inside callbacks too; not in a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_cancel(operation: *const cos_slice_operation) {
    enter!(operation).get((), cos_slice_operation::cancel)
}

/// The most attempts at one request: 1 for no repetition at all, not even where a connection that was kept open turns out to
/// be closed. 0, as without this call, and whatever is more: as many as an upload has (DEFAULTS).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_attempts(
    operation: *mut cos_slice_operation,
    attempts: i32,
) -> i32 {
    enter!(operation).call(|operation| {
        let attempts = u32::try_from(attempts)
            .map(|attempts| Some(attempts).filter(|attempts| *attempts > 0))
            .map_err(|_| Error::invalid(format!("attempts: {attempts} is negative")));
        operation.set("attempts", attempts, |state, attempts| {
            state.settings.attempts = attempts
        })
    })
}

/// The session that slices go into and finish ends, as an answer told it; with files/v1 also the one that init goes on with.
/// UTF-8 without control characters, 1 to 1024 bytes; copied. NULL: none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_session(
    operation: *mut cos_slice_operation,
    session: *const c_char,
) -> i32 {
    enter!(operation).call(|operation| {
        let take = || {
            if session.is_null() {
                return Ok(None);
            }
            let session = text!("session", session)?;
            validate_session(session).map_err(Error::invalid)?;
            Ok(Some(session.into()))
        };
        operation.set("session", take(), |state, session| {
            state.settings.session = session
        })
    })
}

/// The whole object's size in bytes, at most 68719476736 (64 GiB), for a handle without a source; with one it must be the
/// source's. -1, as without this call: the source's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_size(
    operation: *mut cos_slice_operation,
    bytes: i64,
) -> i32 {
    enter!(operation).call(|operation| {
        let take = || {
            if bytes == -1 {
                return Ok(None);
            }
            let size = numbers::unsigned("size", bytes)?;
            validate_size(size).map_err(|text| Error::invalid(format!("size: {text}")))?;
            Ok(Some(size))
        };
        operation.set("size", take(), |state, size| state.settings.size = size)
    })
}

/// The slice size that init asks for, in bytes; the server may choose another (cos_slice_answer_slice_size). With a SHA-1 524288
/// or 1048576, without one 2097152 and 3145728 too. Where the client has slice sizes of its own
/// (cos_slice_client_set_slice_sizes, to be called first), one of those.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_slice_size(
    operation: *mut cos_slice_operation,
    bytes: i64,
) -> i32 {
    enter!(operation).call(|operation| {
        let sizes = operation.client.as_ref().map(|client| client.slice_sizes());
        let size = numbers::slice_size(bytes, &sizes.unwrap_or_default());
        operation.set("slice_size", size, |state, size| {
            state.settings.slice_size = Some(size)
        })
    })
}

/// The whole object's SHA-1 in 40 hexadecimal digits, as cos_slice_operation_hash told it, here or elsewhere; copied. Where init
/// had it, every slice and finish must have it too. NULL: only what this handle took itself.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_sha1(
    operation: *mut cos_slice_operation,
    hexadecimal: *const c_char,
) -> i32 {
    enter!(operation).call(|operation| {
        let take = || {
            if hexadecimal.is_null() {
                return Ok(None);
            }
            let sha1 = text!("sha1", hexadecimal)?.parse::<Sha1Digest>();
            sha1.map(Some)
                .map_err(|error| Error::invalid(format!("sha1: {error}")))
        };
        operation.set("sha1", take(), |state, sha1| state.settings.sha1 = sha1)
    })
}

/// As cos_slice_upload_set_biz_attr, for init and upload.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_biz_attr(
    operation: *mut cos_slice_operation,
    biz_attr: *const c_char,
) -> i32 {
    enter!(operation).call(|operation| {
        let take = || {
            if biz_attr.is_null() {
                return Ok(None);
            }
            let biz_attr = text!("biz_attr", biz_attr)?;
            validate_biz_attr(biz_attr).map_err(Error::invalid)?;
            Ok(Some(biz_attr.into()))
        };
        operation.set("biz_attr", take(), |state, biz_attr| {
            state.settings.biz_attr = biz_attr
        })
    })
}

/// Whether init and upload may replace an object of other content: anything but 0 is on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_overwrite(
    operation: *mut cos_slice_operation,
    on: i32,
) -> i32 {
    enter!(operation).call(|operation| {
        operation.set("overwrite", Ok(on != 0), |state, on| {
            state.settings.overwrite = on
        })
    })
}

/// Has hash, slice and upload read the whole object from a regular file, as cos_slice_upload_set_file. It is opened by the first
/// of them and kept open: a change from then on is noticed and is COS_SLICE_ERR_SOURCE_CHANGED until the source is set again.
/// Any change of the source forgets the SHA-1 that was taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_file(
    operation: *mut cos_slice_operation,
    path: *const c_char,
) -> i32 {
    enter!(operation).call(|operation| {
        let path = text!("file", path).and_then(|path| match path {
            "" => Err(Error::invalid("file: the path is empty")),
            path => Ok(PathBuf::from(path)),
        });
        operation.set("source", path, |state, path| {
            state.content.replace(Content::File(path))
        })
    })
}

/// As cos_slice_operation_set_file, for a name that need not be UTF-8: length bytes, without a NUL among or, necessarily, after
/// them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_file_bytes(
    operation: *mut cos_slice_operation,
    path: *const c_void,
    length: usize,
) -> i32 {
    enter!(operation).call(|operation| {
        operation.set("source", file_of_bytes(path, length), |state, path| {
            state.content.replace(Content::File(path))
        })
    })
}

/// Has hash, slice and upload read the whole object from memory, as cos_slice_upload_set_memory. The copy is kept until another
/// source is set and used, or the handle is freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_operation_set_memory(
    operation: *mut cos_slice_operation,
    data: *const c_void,
    size: usize,
) -> i32 {
    enter!(operation).call(|operation| {
        let source = copy("memory", data, size).map(|bytes| Arc::new(MemorySource::new(bytes)));
        operation.set("source", source, |state, source| {
            state.content.replace(Content::Memory(source))
        })
    })
}
