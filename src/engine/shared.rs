//! What the workers, the callers and the callback thread of a client share: the state machine behind a lock, and what has
//! become of its jobs.

mod ending;
mod threads;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::protocol::Api;
use crate::protocol::dialect::Dialect;
use crate::upload::Client as Core;
use crate::upload::error::Error;
use crate::upload::options::ClientOptions;
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::{JobId, Specification, Task};

use super::hash::AheadMemory;
use super::job::{Ended, Job};
use super::limiter::Limiter;
use super::log::Logging;
use super::log::backlog::Backlog;
use super::report::Listeners;
use super::signing::Signing;
use super::transport::SharedTransport;
use ending::Closing;

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
}

/// What everybody is told once a defect has stopped the client.
pub(super) fn collapsed() -> Error {
    Error::new(
        Status::Panic,
        "a defect of this library stopped the client; free it and make another",
    )
}
