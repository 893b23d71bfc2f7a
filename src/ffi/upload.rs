//! Uploads as C sees them: what the handle holds, from its making to its end. What is set on it is in `upload/settings.rs`;
//! its runs, and what is told of them, are in `upload/run.rs`.

mod run;
mod settings;

use std::ffi::c_char;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::handle::Upload;
use crate::upload::error::Error;
use crate::upload::options::UploadOptions;

use super::boundary::{Defect, Failures, Handle, borrow, caught, into_handle, take_back, text};
use super::client::cos_slice_client;
use super::completion::{self, CompletionCallback, Results};
use super::progress::ProgressCallback;
use super::source::Content;

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
