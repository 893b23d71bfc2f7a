//! The runs of an upload: beginning one, waiting for it, cancelling it, and what is told of it. What C is told of the object
//! that it made is in `result.rs`.

use std::ffi::c_char;
use std::sync::Arc;
use std::time::Duration;

use crate::engine::handle::{ProgressFn, Upload};
use crate::ffi::boundary::enter;
use crate::ffi::error::cos_slice_error;
use crate::ffi::progress::{ProgressCallback, cos_slice_progress};
use crate::ffi::result::Told;
use crate::ffi::strings;
use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::options::UploadOptions;
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::Reading;

use super::{Settings, cos_slice_upload};

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

impl cos_slice_upload {
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

    /// Keeps what a run brought. What is there already stays: C may have borrowed its texts.
    fn keep(&self, result: Result<Object, Error>) -> Result<(), Error> {
        let object = result?;
        self.results().told.get_or_insert_with(|| Told::new(&object));
        Ok(())
    }

    fn progress(&self) -> Progress {
        let engine = self.lock().engine.clone();
        engine.map(|engine| engine.progress()).unwrap_or_default()
    }

    /// What `body` says of the last run's result, or `neutral` where there is none.
    pub(in crate::ffi) fn told<R>(&self, neutral: R, body: impl FnOnce(&Told) -> R) -> R {
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
    use crate::ffi::source::Content;

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
