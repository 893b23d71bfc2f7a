//! Uploads as C sees them: settings, and the engine's upload from the first run on.

use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine::handle::{ProgressFn, Upload};
use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::options::{UploadOptions, validate_biz_attr};
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::Reading;

use super::boundary::{Defect, Failures, Handle, borrow, caught, enter, into_handle, take_back, text};
use super::client::cos_slice_client;
use super::completion::{self, CompletionCallback, Results};
use super::error::cos_slice_error;
use super::numbers;
use super::progress::{ProgressCallback, cos_slice_progress, cos_slice_progress_fn};
use super::result::Told;
use super::source::{Content, Whole};
use super::strings;
use super::user_data::cos_slice_drop_fn;

/// One file, or other content, on its way to one object.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub struct cos_slice_upload {
    client: Option<Arc<cos_slice_client>>,
    bucket: String,
    path: String,
    state: Mutex<State>,
    /// Apart from the state, which holds what may call back: the completion callback has to tell it.
    results: Arc<Mutex<Results>>,
    defect: Defect,
}

struct State {
    /// Made when the upload is run for the first time; goes before the settings, whose callback it may still call.
    engine: Option<Arc<Upload>>,
    settings: Settings,
    failures: Failures,
    /// Cancelled before there was an engine to tell.
    cancelled: bool,
}

/// While it lives the upload is being begun, or run.
struct Beginning<'a>(&'a cos_slice_upload);

impl<'a> Beginning<'a> {
    /// What the last run told is gone from here on.
    fn new(upload: &'a cos_slice_upload) -> Self {
        let mut results = upload.results();
        results.beginning += 1;
        (results.told, results.warning) = (None, None);
        drop(results);
        Self(upload)
    }
}

impl Drop for Beginning<'_> {
    fn drop(&mut self) {
        self.0.results().beginning -= 1;
    }
}

#[derive(Default)]
pub(super) struct Settings {
    options: UploadOptions,
    /// The default is the client's affair.
    slice_size: Option<u64>,
    /// Where nothing was said, off for what can't be hashed before it is sent, else on.
    hash: Option<bool>,
    pub(super) content: Content,
    progress: Option<Arc<ProgressCallback>>,
    completion: Option<Arc<CompletionCallback>>,
    rate_limit: Option<u64>,
}

impl Handle for cos_slice_upload {
    const ARGUMENT: &'static str = "upload";

    fn defect(&self) -> &Defect {
        &self.defect
    }
}

impl cos_slice_upload {
    /// An upload of arguments that may be unacceptable, which its runs then report.
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
            settings: Settings::default(),
            failures,
            cancelled: false,
        };
        Self {
            client,
            bucket,
            path,
            state: Mutex::new(state),
            results: Arc::default(),
            defect: Defect::default(),
        }
    }

    /// Takes a setting, or notes why it is not acceptable, for the next run to report. `apply` returns what the setting
    /// was: dropping it may call back, which is not to happen under the lock.
    pub(super) fn set<V, Old>(
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
    pub(super) fn set_content(&self, whole: Result<Whole, Error>) -> Result<(), Error> {
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
    pub(super) fn set_completion(&self, callback: Option<Arc<CompletionCallback>>) -> Result<(), Error> {
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
    pub(super) fn set_rate_limit(&self, limit: Result<Option<u64>, Error>) -> Result<(), Error> {
        let mut state = self.lock();
        let limit = state.failures.note("rate_limit", limit)?;
        state.settings.rate_limit = limit;
        match &state.engine {
            Some(engine) => engine.set_rate_limit(limit),
            None => Ok(()),
        }
    }

    fn run(&self) -> Result<(), Error> {
        let _beginning = Beginning::new(self);
        let (engine, callback) = self.prepare()?;
        let result = match callback {
            Some(callback) => engine.run(Some(&mut |progress| callback.call(progress))),
            None => engine.run(None),
        };
        self.keep(result)
    }

    fn start(&self) -> Result<(), Error> {
        let _beginning = Beginning::new(self);
        let (engine, callback) = self.prepare()?;
        engine.start(
            callback.map(|callback| -> Box<ProgressFn> { Box::new(move |progress| callback.call(progress)) }),
        )
    }

    fn wait(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let engine = self.lock().engine.clone();
        let not_started = || {
            Error::new(
                Status::NotStarted,
                "upload: there is nothing to wait for; start it first",
            )
        };
        self.keep(engine.ok_or_else(not_started)?.wait(timeout))
    }

    /// The engine's upload with the settings of now, and what it is to call.
    fn prepare(&self) -> Result<(Arc<Upload>, Option<Arc<ProgressCallback>>), Error> {
        self.lock().failures.check()?;
        let engine = self.engine()?;
        let mut state = self.lock();
        let Settings {
            options,
            slice_size,
            hash,
            content,
            completion,
            ..
        } = &mut state.settings;
        // Where it runs already nothing is set, and the engine itself answers that it is busy.
        if engine.set_options(|_| ()).is_ok() {
            let reading = content.give(&engine)?;
            let completion = completion.as_ref();
            engine.set_completion(completion.map(|callback| callback.for_engine(&self.results)))?;
            engine.set_options(|current| {
                *current = UploadOptions {
                    slice_size: slice_size.unwrap_or(current.slice_size),
                    hash: hash.unwrap_or(reading != Reading::Once),
                    ..options.clone()
                }
            })?;
        }
        Ok((engine, state.settings.progress.clone()))
    }

    /// The upload of the engine; the first call makes it. The client's engine may have to be made for that, which reads
    /// certificates from the disk; the lock is not held meanwhile, so that a cancel never waits for it.
    fn engine(&self) -> Result<Arc<Upload>, Error> {
        if let Some(engine) = &self.lock().engine {
            return Ok(engine.clone());
        }
        let client = self
            .client
            .as_ref()
            .ok_or_else(|| Error::invalid("client: it is NULL"))?;
        let made = Arc::new(client.engine()?.upload(&self.bucket, &self.path)?);
        let mut state = self.lock();
        // Another thread may have been faster.
        let engine = state.engine.get_or_insert(made).clone();
        engine.set_rate_limit(state.settings.rate_limit)?;
        if std::mem::take(&mut state.cancelled) {
            engine.cancel();
        }
        Ok(engine)
    }

    /// Keeps what a run brought. What is there already stays: C may have borrowed its texts.
    fn keep(&self, result: Result<Object, Error>) -> Result<(), Error> {
        let object = result?;
        self.results().told.get_or_insert_with(|| Told::new(&object));
        Ok(())
    }

    fn cancel(&self) {
        let mut state = self.lock();
        match &state.engine {
            Some(engine) => engine.cancel(),
            None => state.cancelled = true,
        }
    }

    /// Ends what runs, and its calls: the handle is being freed, perhaps inside one of them. A call that is under way may use the
    /// handle until it has returned, so it is waited for while there still is one.
    fn end(&self) {
        let state = self.lock();
        if let Some(callback) = &state.settings.progress {
            callback.silence();
        }
        if let Some(callback) = &state.settings.completion {
            callback.silence();
        }
        drop(state);
        self.cancel();
        let engine = self.lock().engine.clone();
        if let Some(engine) = engine {
            engine.end();
        }
    }

    fn progress(&self) -> Progress {
        let engine = self.lock().engine.clone();
        engine.map(|engine| engine.progress()).unwrap_or_default()
    }

    /// What `body` says of the last run's result, or `neutral` where there is none.
    pub(super) fn told<R>(&self, neutral: R, body: impl FnOnce(&Told) -> R) -> R {
        self.results().told.as_ref().map_or(neutral, body)
    }

    fn warning(&self) -> *const c_char {
        let engine = self.lock().engine.clone();
        let mut results = self.results();
        if results.warning.is_none() && results.beginning == 0 {
            let warning = engine.and_then(|engine| engine.warning());
            results.warning = warning.as_deref().map(strings::c_string);
        }
        strings::pointer(results.warning.as_ref())
    }

    fn results(&self) -> MutexGuard<'_, Results> {
        completion::lock(&self.results)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A new upload to a path of a bucket, such as "videos" and "/2026/big.mp4"; the leading slash makes no difference. The texts
/// are copied. Owned by the caller: free it with cos_slice_upload_free, before or after the client. The client may be
/// used by several threads at once.
///
/// Arguments that are not acceptable, NULL among them, are reported by run and start: the bucket must not be empty; the path
/// must have 1 to 850 bytes, no empty, "." or ".." segment, no control character and no slash at its end. NULL only if
/// a defect of the library was caught, and every function takes NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_new(
    client: *const cos_slice_client,
    bucket: *const c_char,
    path: *const c_char,
) -> *mut cos_slice_upload {
    let new = || {
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        let client = unsafe { borrow(client) };
        into_handle(cos_slice_upload::new(
            client,
            text!("bucket", bucket),
            text!("path", path),
        ))
    };
    caught(new).unwrap_or(std::ptr::null_mut())
}

/// Frees an upload. One that runs is cancelled and waited for; what the server has of it stays there, and another upload of
/// the same content resumes it. Inside a callback it does not wait: the run ends by itself, without another call. Not
/// while another thread is inside cos_slice_upload_run or _wait for it. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_free(upload: *mut cos_slice_upload) {
    caught(|| {
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        if let Some(upload) = unsafe { take_back(upload) } {
            upload.end();
        }
    });
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
    let callback = Some(Arc::new(ProgressCallback::new(callback, user_data, drop)));
    enter!(upload).call(|upload| {
        upload.set("progress", Ok(callback), |settings, callback| {
            std::mem::replace(
                &mut settings.progress,
                callback.filter(|callback| callback.is_set()),
            )
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

/// Runs the upload and returns when it is over: COS_SLICE_OK, or why not, which is the first setting that was not acceptable
/// where there is one. An upload may be run again, after a failure too, and then goes on with what the server has.
///
/// error, which may be NULL, receives an error that the caller frees, or NULL with COS_SLICE_OK; what it held before is not
/// read. COS_SLICE_ERR_BUSY while it runs and inside a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_run(
    upload: *mut cos_slice_upload,
    error: *mut *mut cos_slice_error,
) -> i32 {
    enter!(upload, error).call(|upload| upload.run())
}

/// Begins to run the upload and returns; cos_slice_upload_wait tells how it ended. Errors and error as of
/// cos_slice_upload_run, for what can be known at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_start(
    upload: *mut cos_slice_upload,
    error: *mut *mut cos_slice_error,
) -> i32 {
    enter!(upload, error).call(|upload| upload.start())
}

/// Waits until a started upload is over, at most timeout_ms milliseconds; a negative number waits without end, 0 only asks.
/// Then it returns what cos_slice_upload_run would have, and the same again if called again, until the next run.
/// COS_SLICE_ERR_STILL_RUNNING where it is not over, COS_SLICE_ERR_NOT_STARTED, COS_SLICE_ERR_BUSY inside a callback.
/// error as of cos_slice_upload_run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_wait(
    upload: *mut cos_slice_upload,
    timeout_ms: i64,
    error: *mut *mut cos_slice_error,
) -> i32 {
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    enter!(upload, error).call(|upload| upload.wait(timeout))
}

/// Stops the present run, or the next one where none is running, which then ends with COS_SLICE_ERR_CANCELLED; what the
/// server has stays there, and a later run resumes. An object that was complete by then stays so: the run ends with
/// COS_SLICE_OK, only its record may be left unverified. Returns at once; the run that it ends returns once a read of the
/// source, a write of the checkpoint or a callback that is under way has returned. NULL is allowed. Any thread, at any time,
/// any number of times, inside callbacks too; not in a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_cancel(upload: *const cos_slice_upload) {
    enter!(upload).get((), cos_slice_upload::cancel)
}

/// How far the present run is, or the last one was. Set progress->struct_size to sizeof(cos_slice_progress) first; on return
/// it is the number of bytes filled in. COS_SLICE_ERR_INVALID_ARGUMENT, and nothing is written, where a pointer is NULL or
/// the size is too small. Any thread, at any time, inside callbacks too.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_progress(
    upload: *const cos_slice_upload,
    progress: *mut cos_slice_progress,
) -> i32 {
    enter!(upload).call(|upload| {
        let now = cos_slice_progress::from(&upload.progress());
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        unsafe { now.write(progress) }
    })
}

/// What was noticed in the last run and did not stop it, in one line for people: a checkpoint that could not be used or
/// written, say. NULL where there was nothing, and while the upload runs. Borrowed: valid until the upload is run, started
/// or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_warning(upload: *const cos_slice_upload) -> *const c_char {
    enter!(upload).get(std::ptr::null(), cos_slice_upload::warning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_of_the_run_before_is_not_told_while_another_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let no_folder = folder.path().join("file");
        std::fs::write(&no_folder, "").unwrap();
        let client = crate::ffi::client::tests::client_of_nobody(&no_folder);
        let upload = cos_slice_upload::new(Some(client), Ok("bucket"), Ok("path"));
        upload.lock().settings.content = Content::of_memory(vec![1]);
        assert_eq!(upload.run().unwrap_err().status, Status::Connect);
        assert!(!upload.warning().is_null(), "no checkpoint can be kept");

        let beginning = Beginning::new(&upload);
        upload.prepare().unwrap();
        assert!(upload.warning().is_null(), "of the run before");
        drop(beginning);
        assert_eq!(upload.run().unwrap_err().status, Status::Connect);
        assert!(!upload.warning().is_null(), "of this run");
    }
}
