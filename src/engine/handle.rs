//! The handle of one upload: its settings, what is remembered between its runs, and what it tells.

mod begin;
mod content;
mod run;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::location::Location;
use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::options::{UploadOptions, validate_rate_limit};
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::{JobId, Memory};

use super::callback::LastCall;
use super::cancel::CancelToken;
use super::checkpoint::Version;
use super::client::{Client, name_of};
use super::job::Job;
use super::limiter::Limiter;
use super::shared::State;
#[cfg(doc)]
use super::source::most_kept_open;
use super::source::{Identity, OpenFile, Source};
use content::{Content, Whole};

pub use super::report::{CompletionFn, Ending, ProgressFn};

/// One upload. It may be run again after it failed or was cancelled, and then goes on with what the server has;
/// what was hashed is not hashed again while the file is the same. All methods may be called from any thread.
pub struct Upload {
    client: Client,
    location: Location,
    name: Arc<str>,
    limiter: Arc<Limiter>,
    inner: Mutex<Inner>,
}

struct Inner {
    options: UploadOptions,
    content: Content,
    completion: Option<Arc<CompletionFn>>,
    /// What the last run left. It is at least as new as the checkpoint, also where that could not be written, as long as
    /// nobody else has written there since.
    memory: Option<Memory>,
    /// The checkpoint that the last run left.
    left: Option<Version>,
    /// The content that the memory is of.
    remembered: Option<Identity>,
    /// The token of the present run, or of the next one.
    token: CancelToken,
    running: bool,
    active: Option<Active>,
    last: Option<Result<Object, Error>>,
    last_progress: Progress,
    warning: Option<String>,
}

#[derive(Clone)]
struct Active {
    id: JobId,
    job: Arc<Job>,
    /// Its progress when it began.
    first: Progress,
    /// Under `start`, as against `run`, whose caller takes the result.
    started: bool,
    /// Told how it ended.
    completion: Option<Arc<CompletionFn>>,
    /// Under `start` with a callback: over once the last call has returned.
    last_call: Option<Arc<LastCall>>,
}

impl Upload {
    pub(super) fn new(client: Client, location: Location) -> Self {
        let options = UploadOptions {
            slice_size: client.shared().dialect.slice_sizes.default_size(),
            ..UploadOptions::default()
        };
        let inner = Inner {
            options,
            content: Content::default(),
            completion: None,
            memory: None,
            left: None,
            remembered: None,
            token: CancelToken::new(),
            running: false,
            active: None,
            last: None,
            last_progress: Progress::default(),
            warning: None,
        };
        Self {
            name: name_of(&location),
            client,
            location,
            limiter: Arc::default(),
            inner: Mutex::new(inner),
        }
    }

    /// What error texts call the object: `cos://bucket/path`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Uploads a file; it is opened when the upload is run, and stays open unless [`most_kept_open`] others do: then it is opened
    /// again by its path, whenever something of it is sent.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn set_file(&self, path: impl Into<PathBuf>) -> Result<(), Error> {
        self.set(|inner| inner.content.replace(Some(Whole::Path(path.into()))))
    }

    /// Uploads a file that is open already; what it has when the upload is run counts.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn set_open_file(&self, file: OpenFile) -> Result<(), Error> {
        self.set(|inner| inner.content.replace(Some(Whole::Open(file))))
    }

    /// Uploads what the source gives.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn set_source(&self, source: Arc<dyn Source>) -> Result<(), Error> {
        self.set(|inner| inner.content.replace(Some(Whole::Source(source))))
    }

    /// Lets go of what was set to be uploaded, and gives it back: to drop it may call the program, so it is not to be dropped
    /// under a lock.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn forget_source(&self) -> Result<impl Sized + use<>, Error> {
        let mut forgotten = None;
        self.set(|inner| forgotten = inner.content.replace(None))?;
        Ok(forgotten)
    }

    /// Uploads only part of what was or will be set: the bytes from an offset on, so many of them or all that follow. `None`
    /// for all. Of streams no part can be chosen.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn set_range(&self, range: Option<(u64, Option<u64>)>) -> Result<(), Error> {
        self.set(|inner| inner.content.set_range(range))
    }

    /// How many bytes a second requests of this upload may send from now on, also while it runs; `None` for no limit but the
    /// client's, which holds beside this one.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] where it is not within [`MIN_RATE_LIMIT`](crate::upload::options::MIN_RATE_LIMIT) to
    /// [`MAX_RATE_LIMIT`](crate::upload::options::MAX_RATE_LIMIT); the limit stays what it was.
    pub fn set_rate_limit(&self, bytes_per_second: Option<u64>) -> Result<(), Error> {
        if let Some(rate) = bytes_per_second {
            validate_rate_limit(rate).map_err(|text| Error::invalid(format!("{}: {text}", self.name)))?;
        }
        self.limiter.set(bytes_per_second);
        // Either the run that begins sees the limit, or it is active by now.
        if let Some(active) = &self.lock().active {
            self.client
                .shared()
                .limit_rate(active.id, bytes_per_second.is_some());
        }
        Ok(())
    }

    /// Changes the options; they are checked when the upload is run.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn set_options(&self, change: impl FnOnce(&mut UploadOptions)) -> Result<(), Error> {
        self.set(|inner| change(&mut inner.options))
    }

    /// Has the end of each run told, after the last progress: under [`Upload::run`] on the calling thread, under
    /// [`Upload::start`] on the client's callback thread, before [`Upload::wait`] tells it. `None` for nobody. The end of a
    /// [`Upload::run`] that another thread waits for, and is told first, is not told again.
    ///
    /// # Errors
    /// [`Status::Busy`] while the upload runs.
    pub fn set_completion(&self, completion: Option<Arc<CompletionFn>>) -> Result<(), Error> {
        self.set(|inner| std::mem::replace(&mut inner.completion, completion))
    }

    /// `change` returns what it replaced, which is not to be dropped under the lock: that may call the program.
    fn set<Old>(&self, change: impl FnOnce(&mut Inner) -> Old) -> Result<(), Error> {
        self.take_what_ended();
        let mut inner = self.lock();
        if inner.running {
            return Err(self.busy("settings can't be changed while the upload runs"));
        }
        let old = change(&mut inner);
        drop(inner);
        drop(old);
        Ok(())
    }

    /// How far the present or last run is.
    pub fn progress(&self) -> Progress {
        let inner = self.lock();
        match &inner.active {
            Some(active) => snapshot(&self.client.shared().lock(), active.id),
            None => inner.last_progress,
        }
    }

    /// How the last run ended; `None` while running and before the first.
    pub fn result(&self) -> Option<Result<Object, Error>> {
        self.take_what_ended();
        self.lock().last.clone()
    }

    /// What was noticed in the last run and did not stop it, in one line; `None` while running and before the first.
    pub fn warning(&self) -> Option<String> {
        self.take_what_ended();
        self.lock().warning.clone()
    }

    fn busy(&self, why: &str) -> Error {
        Error::new(Status::Busy, format!("{}: {why}", self.name))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn snapshot(state: &State, id: JobId) -> Progress {
    let ended = state.ended.get(&id).map(|ended| ended.progress);
    ended
        .or_else(|| state.core.progress(id).copied())
        .unwrap_or_default()
}
