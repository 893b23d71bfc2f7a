//! The handle of one upload: its settings, its runs, and what is remembered between them.

mod content;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::protocol::location::Location;
use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::options::{UploadOptions, validate_rate_limit};
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::{JobId, Memory, Specification};

use super::callback::{LastCall, inside_callback, is_inside_callback};
use super::cancel::CancelToken;
use super::checkpoint::{Checkpoint, Destination, InUse, Version};
use super::client::{Client, name_of};
use super::limiter::Limiter;
use super::log::lines::Line;
use super::report::{Due, Listener, Pace, aborted, ending};
use super::shared::{Ended, Job, State};
use super::signing::Held;
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
    /// [`Upload::start`] on the client's callback thread, before [`Upload::wait`] tells it. `None` for nobody.
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

    /// Runs the upload and blocks until it is over. `progress` is called on this thread.
    ///
    /// # Errors
    /// Why it failed; [`Status::Busy`] where it is running already or this is a callback.
    pub fn run(&self, mut progress: Option<&mut dyn FnMut(&Progress) -> i32>) -> Result<Object, Error> {
        let active = self.begin(false, None)?;
        let unwinding = StopAndWait {
            upload: self,
            active: &active,
        };
        let shared = self.client.shared();
        let mut pace = Pace::new(active.first);
        let mut state = shared.lock();
        loop {
            state = shared.tell(state, Some(active.id));
            let (now, over) = (shared.now(), !state.jobs.contains_key(&active.id));
            if over && !state.ended.contains_key(&active.id) {
                // Another thread waited for it, and has taken and told how it ended; no call may follow that.
                break;
            }
            let snapshot = snapshot(&state, active.id);
            let due = match &progress {
                Some(_) => pace.due(&snapshot, over, now),
                None => Due::Nothing,
            };
            state = match (due, &mut progress) {
                (Due::Now(progress), Some(callback)) => {
                    drop(state);
                    let value = inside_callback(|| callback(&progress));
                    pace.told(progress, now);
                    if value != 0 && !over {
                        shared.stop(active.id, aborted(&self.name, value));
                    }
                    shared.lock()
                }
                _ if over => break,
                (Due::At(at), _) => shared.wait_for_change(state, active.id, &active.job, Some(at)),
                (Due::Nothing, Some(_)) => {
                    active.job.is_watched.store(true, Ordering::Relaxed);
                    shared.wait_for_change(state, active.id, &active.job, None)
                }
                _ => shared.wait_for_change(state, active.id, &active.job, None),
            };
        }
        let is_told = state.ended.contains_key(&active.id);
        drop(state);
        if let Some(completion) = active.completion.as_ref().filter(|_| is_told) {
            let ending = ending(shared, active.id, &active.job);
            inside_callback(|| completion(&ending));
        }
        std::mem::forget(unwinding);
        self.finish(&active)
    }

    /// Starts the upload and returns; [`Upload::wait`] tells how it ended. `progress` is called on the client's
    /// callback thread.
    ///
    /// # Errors
    /// Why it could not be started.
    pub fn start(&self, progress: Option<Box<ProgressFn>>) -> Result<(), Error> {
        self.begin(true, progress).map(drop)
    }

    /// Waits until a started upload is over and its last callback has returned; `None` waits without end. Once it
    /// has told the result it tells the same again until the next run.
    ///
    /// # Errors
    /// Why the upload failed; [`Status::StillRunning`] where the time was too short, [`Status::NotStarted`],
    /// [`Status::Busy`] inside a callback.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Object, Error> {
        if is_inside_callback() {
            return Err(self.busy("waiting inside a callback would never end"));
        }
        let active = {
            let inner = self.lock();
            match (&inner.active, &inner.last) {
                (Some(active), _) => active.clone(),
                (None, Some(last)) => return last.clone(),
                (None, None) => {
                    let text = format!("{}: there is nothing to wait for; start it first", self.name);
                    return Err(Error::new(Status::NotStarted, text));
                }
            }
        };
        if !self.wait_for_end(&active, timeout) {
            return Err(Error::new(
                Status::StillRunning,
                format!("{}: still running", self.name),
            ));
        }
        self.finish(&active)
    }

    /// Stops the present run, or the next one if none is running. Any thread, any time, any number of times.
    pub fn cancel(&self) {
        let inner = self.lock();
        inner.token.cancel();
        if let Some(active) = &inner.active {
            self.client.shared().stop(active.id, Error::cancelled(&self.name));
        }
    }

    /// Cancels what is running, and waits for it and its last callback; inside a callback it can't wait.
    pub fn end(&self) {
        self.cancel();
        let active = self.lock().active.clone();
        if let Some(active) = active.filter(|_| !is_inside_callback()) {
            self.wait_for_end(&active, None);
            self.take(&active);
        }
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

    fn begin(&self, started: bool, progress: Option<Box<ProgressFn>>) -> Result<Active, Error> {
        let begun = self.try_to_begin(started, progress);
        if let Err(error) = &begun {
            // Of a run that goes on nothing failed.
            if error.status != Status::Busy {
                self.client
                    .shared()
                    .log
                    .write(&self.location, &Line::error(error));
            }
        }
        begun
    }

    fn try_to_begin(&self, started: bool, progress: Option<Box<ProgressFn>>) -> Result<Active, Error> {
        if is_inside_callback() {
            return Err(self.busy("an upload can't be run inside a callback"));
        }
        self.take_what_ended();
        let (options, content, left) = {
            let mut inner = self.lock();
            if inner.running {
                return Err(self.busy("it is running already"));
            }
            let api = self.client.shared().api;
            inner.options.slice_sizes = self.client.shared().dialect.slice_sizes.clone();
            let checked = inner.content.check(&inner.options, api);
            checked
                .and_then(|()| inner.options.validate(api))
                .map_err(|text| Error::invalid(format!("{}: {text}", self.name)))?;
            (inner.running, inner.last, inner.warning) = (true, None, None);
            (inner.options.clone(), inner.content.clone(), inner.left.clone())
        };
        // Opening may block, so it happens without the lock; cancel must always get through.
        let begun = content.open(&self.name).and_then(|source| {
            let mut checkpoint = self.open_checkpoint()?;
            let others = checkpoint
                .as_mut()
                .filter(|checkpoint| checkpoint.version() != left);
            let others = others.and_then(|checkpoint| checkpoint.load(source.identity().as_ref()));
            self.begin_job(options, source, checkpoint, others, started, progress)
        });
        if let Err(error) = &begun {
            let mut inner = self.lock();
            (inner.running, inner.last) = (false, Some(Err(error.clone())));
            inner.token = CancelToken::new();
        }
        begun
    }

    /// Takes the checkpoint, where there are any, so that nobody else works on the object by it.
    fn open_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let Some(folder) = self.client.checkpoint_dir() else {
            return Ok(None);
        };
        let destination = Destination {
            endpoint: self.client.service(),
            app_id: self.location.app_id().to_owned(),
            bucket: self.location.bucket().to_owned(),
            path: self.location.path().to_owned(),
        };
        let checkpoint = Checkpoint::open(folder, destination).map_err(|InUse { file }| {
            let text = format!(
                "{}: another upload to it is running by the same checkpoint, {file:?}. \
                 Wait for its end, or give this one another folder for checkpoints",
                self.name
            );
            Error::new(Status::CheckpointBusy, text)
        })?;
        Ok(Some(checkpoint))
    }

    fn begin_job(
        &self,
        options: UploadOptions,
        source: Arc<dyn Source>,
        checkpoint: Option<Checkpoint>,
        others: Option<Memory>,
        started: bool,
        progress: Option<Box<ProgressFn>>,
    ) -> Result<Active, Error> {
        let mut inner = self.lock();
        if inner.token.is_cancelled() {
            return Err(Error::cancelled(&self.name));
        }
        let identity = source.identity();
        let is_same = match &identity {
            Some(_) => identity == inner.remembered,
            None => inner.content.is_as_before(&*source),
        };
        let own = match &inner.memory {
            Some(memory) if is_same => memory.clone(),
            Some(memory) => memory.for_other_content(),
            None => Memory::default(),
        };
        let memory = match others {
            // Who wrote it knows more of the upload, and may even have sent other content into ours. Digests stay true.
            Some(others) => Memory {
                digests: others.digests.or(own.digests),
                ..others
            },
            None => own,
        };
        let specification = Specification {
            name: self.name.clone(),
            size: source.size(),
            reading: source.reading(),
            blocks: source.may_block(),
            depth: self.location.depth(),
            options,
            memory,
            checkpoint: checkpoint.as_ref().is_some_and(Checkpoint::is_usable),
        };
        let (location, token) = (self.location.clone(), inner.token.clone());
        let job = Arc::new(Job {
            location,
            source,
            token,
            limiter: Arc::clone(&self.limiter),
            checkpoint: checkpoint.map(|checkpoint| Arc::new(Mutex::new(checkpoint))),
            held: Held::default(),
            begun: Instant::now(),
            changed: Condvar::new(),
            is_watched: AtomicBool::new(false),
        });
        let shared = self.client.shared();
        let (id, first) = shared.begin_upload(&job, specification)?;
        let completion = inner.completion.clone();
        let is_listened_to = started && (progress.is_some() || completion.is_some());
        let last_call = is_listened_to.then(|| Arc::new(LastCall::new()));
        let active = Active {
            id,
            job,
            first,
            started,
            completion: completion.clone(),
            last_call: last_call.clone(),
        };
        inner.active = Some(active.clone());
        if let Some(last_call) = last_call {
            let (name, job) = (self.name.clone(), active.job.clone());
            let listened = shared.listen(Listener {
                id,
                name,
                job,
                pace: Pace::new(first),
                progress,
                completion,
                last_call,
            });
            if let Err(error) = listened {
                inner.active = None;
                drop(inner);
                shared.abandon(id);
                shared.stop(id, error.clone());
                active.job.close_checkpoint(false);
                return Err(error);
            }
        }
        Ok(active)
    }

    /// Whether the upload was over, and its last callback back, before the time ran out.
    fn wait_for_end(&self, active: &Active, timeout: Option<Duration>) -> bool {
        let shared = self.client.shared();
        let until = timeout.and_then(|timeout| shared.now().checked_add(timeout));
        let mut state = shared.lock();
        loop {
            state = shared.tell(state, Some(active.id));
            if !state.jobs.contains_key(&active.id) {
                break;
            }
            if until.is_some_and(|until| shared.now() >= until) {
                return false;
            }
            state = shared.wait_for_change(state, active.id, &active.job, until);
        }
        drop(state);
        let left = until.map(|until| until.saturating_sub(shared.now()));
        active
            .last_call
            .as_ref()
            .is_none_or(|last_call| last_call.wait(left))
    }

    /// Takes what became of a run that is over. Of several threads that wait one takes it, the others are told.
    fn finish(&self, active: &Active) -> Result<Object, Error> {
        self.take(active);
        let inner = self.lock();
        inner
            .last
            .clone()
            .unwrap_or_else(|| Err(self.busy("another run has begun meanwhile")))
    }

    fn take(&self, active: &Active) {
        let shared = self.client.shared();
        let is_success = shared.lock().ended.get(&active.id).map(Ended::is_success);
        let Some(is_success) = is_success else {
            return;
        };
        // Before another run may begin, which would find it in use; and without the lock, since the disk may be slow.
        let closed = active.job.close_checkpoint(is_success);
        let mut inner = self.lock();
        let Some(ended) = shared.lock().ended.remove(&active.id) else {
            return;
        };
        (inner.running, inner.active, inner.token) = (false, None, CancelToken::new());
        inner.last_progress = ended.progress;
        inner.remembered = active.job.source.lasting_identity();
        inner.content.ran();
        (inner.warning, inner.left) = (closed.warning, closed.left);
        inner.last = Some(ended.upload_result());
        inner.memory = Some(ended.memory);
    }

    /// Takes what became of a started run that is over though nobody waited for it, so that another may follow.
    fn take_what_ended(&self) {
        let active = self.lock().active.clone();
        let Some(active) = active.filter(|active| active.started) else {
            return;
        };
        if active
            .last_call
            .as_ref()
            .is_none_or(|last_call| last_call.is_done())
        {
            self.take(&active);
        }
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

/// Ends a run whose caller unwinds out of its callback.
struct StopAndWait<'a> {
    upload: &'a Upload,
    active: &'a Active,
}

impl Drop for StopAndWait<'_> {
    fn drop(&mut self) {
        self.upload.cancel();
        self.upload.wait_for_end(self.active, None);
        let _ = self.upload.finish(self.active);
    }
}

impl Drop for Upload {
    /// As [`Upload::end`]; but inside a callback it can't wait: then the run ends by itself, without another call.
    fn drop(&mut self) {
        self.end();
        let Some(active) = self.lock().active.take() else {
            return;
        };
        if let Some(last_call) = &active.last_call {
            last_call.abandon();
        }
        self.client.shared().abandon(active.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::engine::client::ClientConfig;
    use crate::engine::endpoint::Endpoint;
    use crate::engine::source::MemorySource;
    use crate::protocol::signature::SecretKey;
    use crate::upload::Next;

    const HANG_GUARD: Duration = Duration::from_secs(60);

    /// A client of a service that is not there.
    fn client() -> Client {
        let nobody_listens = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoint = Endpoint::parse(&format!("http://{nobody_listens}")).unwrap();
        let config = ClientConfig::new(endpoint, SecretKey::new("1", "id", "key").unwrap());
        Client::new(config).unwrap()
    }

    fn upload(client: &Client) -> Upload {
        let upload = client.upload("bucket", "path").unwrap();
        upload.set_source(Arc::new(MemorySource::new(vec![1]))).unwrap();
        upload
    }

    #[test]
    fn an_upload_that_is_over_may_be_started_again_though_nobody_waited() {
        let upload = upload(&client());
        for _ in 0..2 {
            upload.start(None).unwrap();
            assert_eq!(upload.set_options(|_| ()).unwrap_err().status, Status::Busy);
            let active = upload.lock().active.clone().unwrap();
            assert!(upload.wait_for_end(&active, None));
            upload.set_options(|_| ()).unwrap();
            assert_eq!(upload.result().unwrap().unwrap_err().status, Status::Connect);
        }
    }

    #[test]
    fn a_cancel_does_not_wait_for_a_worker_to_begin_what_was_drawn() {
        let client = client();
        let shared = client.shared();
        // As if all were at work for long.
        shared.lock().workers = u32::MAX;
        let upload = upload(&client);
        upload.start(None).unwrap();
        {
            let mut state = shared.lock();
            let Next::Task(task) = state.core.next(shared.now()) else {
                panic!("the upload has nothing to do");
            };
            state.drawn = Some(task);
        }
        upload.cancel();
        let status = upload.wait(Some(HANG_GUARD)).unwrap_err().status;
        // Whoever fails here must not wait for the upload's end.
        shared.collapse();
        assert_eq!(status, Status::Cancelled);
    }
}
