//! Many uploads, one scheduler: whose turn it is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{Answer, Operation};

use super::call::Call;
use super::error::Error;
use super::failure::TaskFailure;
use super::machine::{Machine, Object, Want};
use super::options::ClientOptions;
use super::progress::Progress;
use super::random::Random;
use super::retry::{Budget, Context};
use super::task::{Done, JobId, Memory, Specification, Task, Work};

/// The state machine of a client: every decision, no effect.
///
/// Call [`Client::next`] whenever a worker is free, carry the task out, give it back to [`Client::report`]; after
/// either, ask [`Client::take_finished`] which jobs are over, and interrupt what is still in flight for them.
pub struct Client {
    options: ClientOptions,
    jobs: BTreeMap<JobId, Entry>,
    last_id: u64,
    /// Uploads that may have a task now, in the order of their turns.
    ready: VecDeque<JobId>,
    /// Uploads that want to hash, and no hasher was free.
    hashing_queue: VecDeque<JobId>,
    /// At most one for each job: the earliest moment at which it is to be asked again.
    timers: BTreeSet<(Duration, JobId)>,
    finished: Vec<JobId>,
    /// Requests, and the few writes of checkpoints.
    others_in_flight: u32,
    hashes_in_flight: u32,
    random: Random,
    budget: Budget,
    answered: bool,
}

struct Entry {
    job: Job,
    /// Whether the upload stands in one of the queues.
    queued: bool,
    in_flight: u32,
    announced: bool,
    /// The job's timer.
    timer_at: Option<Duration>,
}

enum Job {
    Upload(Box<Machine>),
    Call(Box<Call>),
}

impl Job {
    fn is_over(&self) -> bool {
        match self {
            Self::Upload(machine) => machine.result().is_some(),
            Self::Call(call) => call.result().is_some(),
        }
    }

    fn deadline_at(&self) -> Option<Duration> {
        match self {
            Self::Upload(machine) => machine.deadline_at(),
            Self::Call(_) => None,
        }
    }

    fn want(&mut self, now: Duration, hasher_is_free: bool) -> Want {
        match self {
            Self::Upload(machine) => machine.want(now, hasher_is_free),
            Self::Call(call) => call.want(now),
        }
    }

    fn report(&mut self, work: Work, result: Result<Done, TaskFailure>, context: &mut Context) {
        match self {
            Self::Upload(machine) => machine.report(work, result, context),
            Self::Call(call) => call.report(result, context),
        }
    }

    fn stop(&mut self, error: Error) {
        match self {
            Self::Upload(machine) => machine.stop(error),
            Self::Call(call) => call.stop(error),
        }
    }
}

/// What a free worker is to do.
#[derive(Debug)]
#[must_use]
pub enum Next {
    /// This.
    Task(Task),
    /// Nothing before then, unless something is reported or begun meanwhile.
    WakeAt(Duration),
    /// Nothing until something is reported or begun.
    Idle,
}

impl Client {
    /// A client without uploads. The seed decides all jitter.
    pub fn new(options: ClientOptions, seed: u64) -> Self {
        Self {
            options,
            jobs: BTreeMap::new(),
            last_id: 0,
            ready: VecDeque::new(),
            hashing_queue: VecDeque::new(),
            timers: BTreeSet::new(),
            finished: Vec::new(),
            others_in_flight: 0,
            hashes_in_flight: 0,
            random: Random::new(seed),
            budget: Budget::default(),
            answered: false,
        }
    }

    /// Begins an upload. The specification's options must have been validated.
    pub fn begin(&mut self, specification: Specification, now: Duration) -> JobId {
        let machine = Machine::new(specification, self.options.api, self.options.connections, now);
        self.insert(Job::Upload(Box::new(machine)))
    }

    /// Begins one operation by itself; `name` is what error texts call the object.
    pub fn begin_call(&mut self, name: Arc<str>, operation: Operation) -> JobId {
        self.insert(Job::Call(Box::new(Call::new(name, operation, self.options.api))))
    }

    fn insert(&mut self, job: Job) -> JobId {
        self.last_id += 1;
        let id = JobId(self.last_id);
        let deadline = job.deadline_at();
        self.jobs.insert(
            id,
            Entry {
                job,
                queued: false,
                in_flight: 0,
                announced: false,
                timer_at: None,
            },
        );
        if let Some(deadline) = deadline {
            self.set_timer(id, deadline);
        }
        self.enqueue(id);
        id
    }

    /// Lets time pass without asking for a task: deadlines end uploads even while no worker is free.
    pub fn pass(&mut self, now: Duration) {
        while let Some(&(at, id)) = self.timers.first() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            self.timer_fired(id, now);
        }
    }

    /// What a free worker is to do now.
    pub fn next(&mut self, now: Duration) -> Next {
        self.pass(now);
        while let Some(id) = self.next_ready() {
            if let Some(task) = self.ask(id, now) {
                return Next::Task(task);
            }
        }
        match self.timers.first() {
            Some(&(at, _)) => Next::WakeAt(at),
            None => Next::Idle,
        }
    }

    fn timer_fired(&mut self, id: JobId, now: Duration) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        entry.timer_at = None;
        if let Job::Upload(machine) = &mut entry.job {
            machine.check_deadline(now);
        }
        if let Some(deadline) = entry.job.deadline_at().filter(|&deadline| deadline > now) {
            self.set_timer(id, deadline);
        }
        self.announce(id);
        self.enqueue(id);
    }

    fn set_timer(&mut self, id: JobId, at: Duration) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        if entry.timer_at.is_none_or(|earlier| at < earlier) {
            if let Some(later) = entry.timer_at.replace(at) {
                self.timers.remove(&(later, id));
            }
            self.timers.insert((at, id));
        }
    }

    fn next_ready(&mut self) -> Option<JobId> {
        if self.others_in_flight + self.hashes_in_flight >= self.options.connections {
            return None;
        }
        let hasher_is_free = self.hashes_in_flight < self.options.hashers;
        let hashing = if hasher_is_free {
            self.hashing_queue.pop_front()
        } else {
            None
        };
        hashing.or_else(|| self.ready.pop_front())
    }

    fn ask(&mut self, id: JobId, now: Duration) -> Option<Task> {
        let hasher_is_free = self.hashes_in_flight < self.options.hashers;
        let entry = self.jobs.get_mut(&id)?;
        entry.queued = false;
        let want = entry.job.want(now, hasher_is_free);
        self.announce(id);
        let entry = self.jobs.get_mut(&id)?;
        match want {
            Want::Task(work, attempt) => {
                entry.in_flight += 1;
                match &work {
                    Work::Hash { .. } => self.hashes_in_flight += 1,
                    Work::Request(_) | Work::Save(_) | Work::Forget => self.others_in_flight += 1,
                }
                self.enqueue(id);
                Some(Task {
                    job: id,
                    work,
                    attempt,
                })
            }
            Want::Hasher => {
                entry.queued = true;
                self.hashing_queue.push_back(id);
                None
            }
            Want::WaitUntil(at) => {
                self.set_timer(id, at);
                None
            }
            Want::Reports => None,
        }
    }

    /// Takes what came of a task.
    pub fn report(&mut self, task: Task, result: Result<Done, TaskFailure>, now: Duration) {
        match &task.work {
            Work::Hash { .. } => self.hashes_in_flight -= 1,
            Work::Request(_) => {
                self.others_in_flight -= 1;
                self.note_answer(&result);
            }
            Work::Save(_) | Work::Forget => self.others_in_flight -= 1,
        }
        let Some(entry) = self.jobs.get_mut(&task.job) else {
            return;
        };
        entry.in_flight -= 1;
        let mut context = Context {
            policy: &self.options.retry,
            random: &mut self.random,
            budget: &mut self.budget,
            answered: self.answered,
            now,
        };
        entry.job.report(task.work, result, &mut context);
        self.announce(task.job);
        self.enqueue(task.job);
    }

    fn note_answer(&mut self, result: &Result<Done, TaskFailure>) {
        match result {
            Ok(_) => {
                self.answered = true;
                self.budget.earn();
            }
            // A page of somebody else at that address is no answer of the service.
            Err(TaskFailure::Refused(refusal)) if refusal.code.is_some() => self.answered = true,
            Err(_) => {}
        }
    }

    fn enqueue(&mut self, id: JobId) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            if !entry.queued && !entry.job.is_over() {
                entry.queued = true;
                self.ready.push_back(id);
            }
        }
    }

    fn announce(&mut self, id: JobId) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            if entry.job.is_over() && !entry.announced {
                entry.announced = true;
                self.finished.push(id);
            }
        }
    }

    /// Ends a job that is not over, with this error.
    pub fn stop(&mut self, id: JobId, error: Error) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            entry.job.stop(error);
            self.announce(id);
        }
    }

    /// The jobs that came to their end since the last call.
    #[must_use]
    pub fn take_finished(&mut self) -> Vec<JobId> {
        std::mem::take(&mut self.finished)
    }

    /// How an upload ended; `None` while it has not.
    pub fn result(&self, id: JobId) -> Option<&Result<Object, Error>> {
        self.machine(id)?.result()
    }

    /// How a call ended; `None` while it has not.
    pub fn answer(&self, id: JobId) -> Option<&Result<Answer, Error>> {
        match &self.jobs.get(&id)?.job {
            Job::Call(call) => call.result(),
            Job::Upload(_) => None,
        }
    }

    /// How far an upload is.
    pub fn progress(&self, id: JobId) -> Option<&Progress> {
        Some(self.machine(id)?.progress())
    }

    /// What the next run of the same upload should know.
    pub fn memory(&self, id: JobId) -> Option<&Memory> {
        Some(self.machine(id)?.memory())
    }

    fn machine(&self, id: JobId) -> Option<&Machine> {
        match &self.jobs.get(&id)?.job {
            Job::Upload(machine) => Some(machine),
            Job::Call(_) => None,
        }
    }

    /// How many tasks of a job have not been reported.
    pub fn in_flight(&self, id: JobId) -> u32 {
        self.jobs.get(&id).map_or(0, |entry| entry.in_flight)
    }

    /// Forgets a job. What is still in flight for it may be reported later.
    pub fn remove(&mut self, id: JobId) {
        if let Some(at) = self.jobs.remove(&id).and_then(|entry| entry.timer_at) {
            self.timers.remove(&(at, id));
        }
    }

    /// When an upload must be over; `None` where it has no deadline.
    pub fn deadline_at(&self, id: JobId) -> Option<Duration> {
        self.jobs.get(&id)?.job.deadline_at()
    }
}
