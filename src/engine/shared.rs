//! What the workers, the callers and the callback thread of a client share: the state machine behind a lock, and what has
//! become of its jobs.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::protocol::dialect::Dialect;
use crate::protocol::location::Location;
use crate::protocol::{Answer, Api};
use crate::upload::error::Error;
use crate::upload::failure::TaskFailure;
use crate::upload::machine::Object;
use crate::upload::options::ClientOptions;
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::{JobId, Memory, Reading, Specification, Task};
use crate::upload::{Client as Core, Next};

use super::callback::is_inside_callback;
use super::cancel::{CancelToken, lock};
use super::checkpoint::{Checkpoint, Version};
use super::hash::AheadMemory;
use super::limiter::Limiter;
use super::log::Logging;
use super::log::backlog::Backlog;
use super::report::{Listener, Listeners};
use super::signing::{Held, Signing};
use super::source::Source;
use super::transport::SharedTransport;
use super::{report, sys, worker};

thread_local! {
    /// The client that a thread works or calls back for. (Asking the standard library for the current thread would leave a
    /// record of each thread of the program that ever frees a client.)
    static SERVES: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

/// What workers, callers and the callback thread share.
pub(super) struct Shared {
    pub(super) transport: Arc<SharedTransport>,
    pub(super) signing: Signing,
    pub(super) log: Logging,
    pub(super) dialect: Dialect,
    pub(super) api: Api,
    /// For all uploads together.
    pub(super) limiter: Arc<Limiter>,
    /// To read ahead with what is hashed.
    pub(super) ahead: AheadMemory,
    started: Instant,
    workers_wanted: u32,
    state: Mutex<State>,
    /// For idle workers: there may be a task.
    pub(super) work: Condvar,
    /// For the callback thread: there may be something to tell.
    pub(super) news: Condvar,
}

pub(super) struct State {
    pub(super) core: Core,
    pub(super) jobs: HashMap<JobId, Arc<Job>>,
    /// What another worker is on its way to do: so it is known that there is something before one is woken.
    pub(super) drawn: Option<Task>,
    /// What became of jobs that are over, until their handle takes it.
    pub(super) ended: HashMap<JobId, Ended>,
    /// What is still to be logged.
    pub(super) backlog: Backlog,
    /// What is left to do for jobs that are over.
    pub(super) closing: Vec<Closing>,
    /// Jobs whose handle is gone while something is in flight for them.
    abandoned: HashSet<JobId>,
    pub(super) listeners: Listeners,
    pub(super) shutdown: bool,
    /// Workers that wait.
    pub(super) idle: u32,
    /// The moment at which one of them wakes by itself.
    pub(super) watched_until: Option<Duration>,
    pub(super) workers: u32,
    callback_thread: Option<JoinHandle<()>>,
    threads: Vec<JoinHandle<()>>,
}

/// What the workers need to know of a job.
pub(super) struct Job {
    pub(super) location: Location,
    pub(super) source: Arc<dyn Source>,
    pub(super) token: CancelToken,
    /// How fast its requests may be sent, beside what the client's limiter says.
    pub(super) limiter: Arc<Limiter>,
    /// Where checkpoints are on; to be had by no other upload while this one has it.
    pub(super) checkpoint: Option<Arc<Mutex<Checkpoint>>>,
    /// The strings that were asked for to sign its requests.
    pub(super) held: Held,
    pub(super) begun: Instant,
    /// Whoever waits for this job: it is over, or there is something to be logged of it, or its progress changed and that is
    /// watched.
    pub(super) changed: Condvar,
    /// Whether somebody waits for the next change of its progress. Under the lock of the state.
    pub(super) is_watched: AtomicBool,
}

impl Job {
    /// Wakes who waits for the next change.
    pub(super) fn tell_watchers(&self) {
        if self.is_watched.swap(false, Ordering::Relaxed) {
            self.changed.notify_all();
        }
    }

    /// Lets go of what a stream keeps for another attempt and the server has for good.
    pub(super) fn release_what_is_stored(&self, id: JobId, core: &Core) {
        if self.source.reading() == Reading::Once {
            for range in self.source.buffered() {
                if core.is_stored(id, range.clone()) {
                    self.source.release(range);
                }
            }
        }
    }

    /// Lets others have the checkpoint, of which nothing is left after a success. A worker does this, and who takes the
    /// result: whoever comes first, the other waits for it and is told the same.
    pub(super) fn close_checkpoint(&self, success: bool) -> Closed {
        let close = |checkpoint: &Arc<_>| close(checkpoint, success);
        self.checkpoint.as_ref().map(close).unwrap_or_default()
    }
}

fn close(checkpoint: &Mutex<Checkpoint>, success: bool) -> Closed {
    let mut checkpoint = lock(checkpoint);
    if success {
        checkpoint.forget();
    }
    checkpoint.close();
    Closed {
        warning: checkpoint.warning(),
        left: checkpoint.left().cloned(),
    }
}

/// What is done for a job that is over by a worker, without the lock: it may take its time.
pub(super) struct Closing {
    checkpoint: Option<Arc<Mutex<Checkpoint>>>,
    success: bool,
    /// Where the handle is gone: letting go of the job is what drops the caller's source. Else the handle does.
    abandoned: Option<Arc<Job>>,
}

/// What is to be told of a checkpoint that is done with.
#[derive(Default)]
pub(super) struct Closed {
    /// What went wrong with it.
    pub(super) warning: Option<String>,
    /// What is left of it.
    pub(super) left: Option<Version>,
}

/// What became of a job.
pub(super) struct Ended {
    pub(super) result: JobResult,
    pub(super) progress: Progress,
    pub(super) memory: Memory,
}

impl Ended {
    pub(super) fn is_success(&self) -> bool {
        matches!(self.result, JobResult::Upload(Ok(_)))
    }

    /// How the upload that it was ended.
    pub(super) fn upload_result(&self) -> Result<Object, Error> {
        match &self.result {
            JobResult::Upload(result) => result.clone(),
            JobResult::Call(_) => Err(Error::new(Status::Panic, "an upload ended as a call")),
        }
    }
}

pub(super) enum JobResult {
    Upload(Result<Object, Error>),
    Call(Result<Answer, Error>),
}

pub(super) fn collapsed() -> Error {
    Error::new(
        Status::Panic,
        "a defect of this library stopped the client; free it and make another",
    )
}

impl State {
    fn new(core: Core) -> Self {
        Self {
            core,
            jobs: HashMap::new(),
            drawn: None,
            ended: HashMap::new(),
            backlog: Backlog::default(),
            closing: Vec::new(),
            abandoned: HashSet::new(),
            listeners: Listeners::default(),
            shutdown: false,
            idle: 0,
            watched_until: None,
            workers: 0,
            callback_thread: None,
            threads: Vec::new(),
        }
    }
}

impl Shared {
    pub(super) fn new(
        transport: SharedTransport,
        signing: Signing,
        log: Logging,
        dialect: Dialect,
        options: ClientOptions,
        limiter: Limiter,
        seed: u64,
    ) -> Arc<Self> {
        Arc::new(Self {
            transport: Arc::new(transport),
            signing,
            log,
            dialect,
            api: options.api,
            limiter: Arc::new(limiter),
            ahead: AheadMemory::default(),
            started: Instant::now(),
            workers_wanted: options.connections.most(),
            state: Mutex::new(State::new(Core::new(options, seed))),
            work: Condvar::new(),
            news: Condvar::new(),
        })
    }

    /// The time that the core goes by.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// The state. A worker that panicked has reported its task as failed, so a poisoned lock guards sound data.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn begin_upload(
        self: &Arc<Self>,
        job: &Arc<Job>,
        specification: Specification,
    ) -> Result<(JobId, Progress), Error> {
        let mut first = Progress::default();
        let id = self.begin(job, |core, now| {
            let id = core.begin(specification, now);
            core.limit_rate(id, job.limiter.is_limited());
            first = core.progress(id).copied().unwrap_or_default();
            if let Some(deadline) = core.deadline_at(id) {
                job.token.expire_at(self.started + deadline);
            }
            id
        })?;
        Ok((id, first))
    }

    pub(super) fn begin(
        self: &Arc<Self>,
        job: &Arc<Job>,
        begin: impl FnOnce(&mut Core, Duration) -> JobId,
    ) -> Result<JobId, Error> {
        let mut state = self.lock();
        if state.shutdown {
            return Err(collapsed());
        }
        self.provide_worker(&mut state)?;
        let id = begin(&mut state.core, self.now());
        state.jobs.insert(id, job.clone());
        Ok(id)
    }

    /// An upload has a rate limit of its own from now on, or none.
    pub(super) fn limit_rate(self: &Arc<Self>, id: JobId, is_limited: bool) {
        let mut state = self.lock();
        state.core.limit_rate(id, is_limited);
        // It may take more places than before. Without another worker those that are there come to it.
        let _ = self.provide_worker(&mut state);
    }

    /// Looks for what another worker could do, and has one do it; else that one watches the clock where that needs it. Called by
    /// each worker that begins a task, so that all are at work where there is enough to do, and none is woken for nothing.
    pub(super) fn draw_another(self: &Arc<Self>, state: &mut State) {
        let has_another = state.idle > 0 || state.workers < self.workers_wanted;
        if state.drawn.is_some() || state.shutdown || !has_another {
            return;
        }
        let wants_another = match state.core.next(self.now()) {
            Next::Task(task) => {
                state.drawn = Some(task);
                true
            }
            Next::WakeAt(at) => state.watched_until.is_none_or(|watched| at < watched),
            Next::Idle => false,
        };
        if wants_another {
            // Without another worker this one goes on, and finds what was drawn.
            let _ = self.provide_worker(state);
        }
    }

    /// Sees to it that somebody asks for the next task: an idle worker, or a new one while there may be more.
    fn provide_worker(self: &Arc<Self>, state: &mut State) -> Result<(), Error> {
        if state.idle > 0 {
            self.work.notify_one();
            return Ok(());
        }
        if state.workers >= self.workers_wanted || state.shutdown {
            return Ok(());
        }
        let shared = self.clone();
        let spawned = sys::spawn("cos-slice work", move || worker::work(&shared));
        match spawned {
            Ok(thread) => {
                state.workers += 1;
                state.threads.push(thread);
                Ok(())
            }
            // With one worker alive everything still gets done.
            Err(_) if state.workers > 0 => Ok(()),
            Err(error) => Err(Error::new(
                Status::Resources,
                format!("the system gives no thread to upload with: {error}"),
            )),
        }
    }

    pub(super) fn listen(self: &Arc<Self>, listener: Listener) -> Result<(), Error> {
        let mut state = self.lock();
        if state.callback_thread.is_none() {
            let shared = self.clone();
            let spawned = sys::spawn("cos-slice calls", move || report::deliver(&shared));
            let thread = spawned.map_err(|error| {
                Error::new(
                    Status::Resources,
                    format!("the system gives no thread for callbacks: {error}"),
                )
            })?;
            state.callback_thread = Some(thread);
        }
        state.listeners.add(listener);
        self.news.notify_one();
        Ok(())
    }

    /// A defect stopped a worker outside of any task, so that nothing can be relied on any more: every job fails, and
    /// so does what is begun later. Better than a wait that never ends.
    pub(super) fn collapse(&self) {
        let mut state = self.lock();
        state.shutdown = true;
        state.backlog = Backlog::default();
        state.drawn = None;
        for (id, job) in std::mem::take(&mut state.jobs) {
            job.token.cancel();
            let (progress, memory) = (Progress::default(), Memory::default());
            state.ended.insert(
                id,
                Ended {
                    result: JobResult::Upload(Err(collapsed())),
                    progress,
                    memory,
                },
            );
            job.changed.notify_all();
            state.closing.push(Closing {
                checkpoint: job.checkpoint.clone(),
                success: false,
                abandoned: Some(job),
            });
        }
        let listeners = std::mem::take(&mut state.listeners);
        drop(self.close_what_is_over(state));
        for listener in listeners.into_all() {
            listener.end(self);
        }
        self.work.notify_all();
        self.news.notify_all();
    }

    /// Waits until a job changed, or its deadline or that moment came; at its deadline it is ended.
    pub(super) fn wait_for_change<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        id: JobId,
        job: &Job,
        until: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        let deadline = state
            .core
            .deadline_at(id)
            .filter(|_| state.core.result(id).is_none());
        let Some(at) = until.into_iter().chain(deadline).min() else {
            return job.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        let waited = job.changed.wait_timeout(state, at.saturating_sub(self.now()));
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let now = self.now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            state.core.pass(now);
            self.settle(&mut state);
        }
        state
    }

    /// Nobody will ask what became of this job.
    pub(super) fn abandon(&self, id: JobId) {
        let mut state = self.lock();
        if state.ended.remove(&id).is_none() {
            state.abandoned.insert(id);
        }
        self.end_listener(&mut state, id);
    }

    /// Has the callback thread look at a job that is over, or whose handle is gone.
    fn end_listener(&self, state: &mut State, id: JobId) {
        if state.listeners.note_end(id) {
            self.news.notify_one();
        }
    }

    /// Ends a job from outside, and interrupts what is in flight for it.
    pub(super) fn stop(&self, id: JobId, error: Error) {
        let mut state = self.lock();
        state.core.stop(id, error);
        self.settle(&mut state);
    }

    /// Draws the consequences of what the core decided: jobs that are over are interrupted while something is in
    /// flight for them, and handed to whoever waits once nothing is. [`Shared::tell`] is to follow.
    pub(super) fn settle(&self, state: &mut State) {
        self.note_events(state);
        for id in state.core.take_finished() {
            if let Some(task) = state.drawn.take_if(|task| task.job == id) {
                // Who stops a job does not wait for a worker to take up what is not needed any more.
                state.core.report(task, Err(TaskFailure::Cancelled), self.now());
            }
            if let Some(job) = state.jobs.get(&id) {
                if state.core.in_flight(id) > 0 {
                    job.token.cancel();
                }
            }
            self.hand_over(state, id);
        }
    }

    /// Hands a job that is over, out of flight and told of to whoever waits for it.
    pub(super) fn hand_over(&self, state: &mut State, id: JobId) {
        if state.core.in_flight(id) > 0 {
            return;
        }
        let result = match (state.core.result(id), state.core.answer(id)) {
            (Some(result), _) => JobResult::Upload(result.clone()),
            (None, Some(answer)) => JobResult::Call(answer.clone()),
            (None, None) => return,
        };
        if !self.is_told(state, id, &result) {
            return;
        }
        let progress = state.core.progress(id).copied().unwrap_or_default();
        let memory = state.core.memory(id).cloned().unwrap_or_default();
        state.core.remove(id);
        let ended = Ended {
            result,
            progress,
            memory,
        };
        let is_abandoned = state.abandoned.remove(&id);
        if let Some(job) = state.jobs.remove(&id) {
            job.changed.notify_all();
            if is_abandoned || job.checkpoint.is_some() {
                state.closing.push(Closing {
                    checkpoint: job.checkpoint.clone(),
                    success: ended.is_success(),
                    abandoned: is_abandoned.then_some(job),
                });
                self.work.notify_one();
            }
        }
        if !is_abandoned {
            state.ended.insert(id, ended);
        }
        self.end_listener(state, id);
    }

    /// Closes the checkpoints of jobs that are over, so that others have them whether or not anybody asks what became of
    /// the job.
    pub(super) fn close_what_is_over<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        while !state.closing.is_empty() {
            let closing = std::mem::take(&mut state.closing);
            drop(state);
            for over in closing {
                if let Some(checkpoint) = &over.checkpoint {
                    close(checkpoint, over.success);
                }
                drop(over.abandoned);
            }
            state = self.lock();
        }
        state
    }

    /// The calling thread is one of this client's.
    pub(super) fn serve_here(self: &Arc<Self>) {
        SERVES.set(Arc::as_ptr(self));
    }

    /// Ends the threads and waits for them; no job is left by then.
    pub(super) fn end(self: &Arc<Self>) {
        let (workers, callback_thread) = {
            let mut state = self.lock();
            state.shutdown = true;
            (std::mem::take(&mut state.threads), state.callback_thread.take())
        };
        self.work.notify_all();
        self.news.notify_all();
        // The last handle may go inside a callback, or with what a callback held. A thread can't wait for itself then, nor for
        // another one that is inside a callback. They all end by themselves.
        if is_inside_callback() || SERVES.get() == Arc::as_ptr(self) {
            return;
        }
        for worker in workers {
            let _ = worker.join();
        }
        drop(self.close_what_is_over(self.lock()));
        if let Some(thread) = callback_thread {
            let _ = thread.join();
        }
    }
}
