//! Many uploads, one scheduler: what goes out to its workers, and what follows from what comes back.

mod queries;
mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::codes::Class;
use crate::protocol::{Answer, Operation};

use super::call::{Call, CallOptions};
use super::error::Error;
use super::event::{Event, Events};
use super::failure::TaskFailure;
use super::job::{Blocked, Entry, Job};
use super::machine::{Free, Machine, Object, Want};
use super::options::ClientOptions;
use super::progress::Progress;
use super::random::Random;
use super::retry::{Budget, Context, Kind, kind_of_network, kind_of_refusal};
use super::signing::{Signing, Turn};
use super::task::{Done, JobId, Memory, Specification, Task, Work};
use super::window::{Landing, Place, Window};

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
    /// Those that want to make a request, and no more could be in flight, in the order of their turns; apart from those whose
    /// source may block.
    place_queue: VecDeque<JobId>,
    reading_place_queue: VecDeque<JobId>,
    /// Uploads that want to hash, and no hasher was free.
    hashing_queue: VecDeque<JobId>,
    /// Uploads whose next task reads a source that may block, and too many such tasks are under way.
    blocking_queue: VecDeque<JobId>,
    /// Uploads that need the signer, and too many tasks that may block are under way.
    signing_queue: VecDeque<JobId>,
    /// At most one for each job: the earliest moment at which it is to be asked again.
    timers: BTreeSet<(Duration, JobId)>,
    finished: Vec<JobId>,
    events: Vec<(JobId, Event)>,
    /// Requests, the few writes of checkpoints, and hashing of sources that may block.
    others_in_flight: u32,
    hashes_in_flight: u32,
    /// Of both, those that may take as long as somebody else likes: because of their source, and at the signer.
    blocked: Blocked,
    window: Window,
    random: Random,
    budget: Budget,
    answered: bool,
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
            place_queue: VecDeque::new(),
            reading_place_queue: VecDeque::new(),
            hashing_queue: VecDeque::new(),
            blocking_queue: VecDeque::new(),
            signing_queue: VecDeque::new(),
            timers: BTreeSet::new(),
            finished: Vec::new(),
            events: Vec::new(),
            others_in_flight: 0,
            hashes_in_flight: 0,
            blocked: Blocked::default(),
            window: Window::new(options.connections),
            random: Random::new(seed),
            budget: Budget::default(),
            answered: false,
        }
    }

    /// Begins an upload. The specification's options must have been validated.
    pub fn begin(&mut self, specification: Specification, now: Duration) -> JobId {
        let blocks = specification.blocks;
        let machine = Machine::new(specification, &self.options, now);
        self.insert(Job::Upload(Box::new(machine)), blocks)
    }

    /// Begins one operation by itself; `name` is what error texts call the object.
    pub fn begin_call(&mut self, name: Arc<str>, operation: Operation, options: CallOptions) -> JobId {
        let events = Events::new(self.options.events);
        let call = Call::new(name, operation, self.options.api, options, events);
        self.insert(Job::Call(Box::new(call)), options.blocks)
    }

    fn insert(&mut self, job: Job, blocks: bool) -> JobId {
        self.last_id += 1;
        let id = JobId(self.last_id);
        let deadline = job.deadline_at();
        self.jobs.insert(
            id,
            Entry {
                job,
                blocks,
                signing: Signing::default(),
                queued: false,
                waits_for_place: false,
                in_flight: 0,
                announced: false,
                timer_at: None,
            },
        );
        if let Some(deadline) = deadline {
            self.set_timer(id, deadline);
        }
        self.announce(id);
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
        while let Some(id) = self.next_ready(now) {
            if let Some(task) = self.ask(id, now) {
                return Next::Task(task);
            }
        }
        let timer = self.timers.first().map(|&(at, _)| at);
        match timer.into_iter().chain(self.pause_until(now)).min() {
            Some(at) => Next::WakeAt(at),
            None => Next::Idle,
        }
    }

    fn ask(&mut self, id: JobId, now: Duration) -> Option<Task> {
        let may_read = self.may_read();
        let entry = self.jobs.get_mut(&id)?;
        if entry.job.is_closing() {
            // Nothing more of it is sent: what waited for its signature is not needed.
            entry.signing.forget();
        }
        if entry.job.is_over() || entry.signing.is_asking() {
            return None;
        }
        if entry.blocks() && !may_read {
            if !std::mem::replace(&mut entry.queued, true) {
                self.blocking_queue.push_back(id);
            }
            return None;
        }
        if let Some(task) = self.ask_for_signed(id, now) {
            return Some(task);
        }
        let hasher_is_free = self.hashes_in_flight < self.options.hashers;
        let entry = self.jobs.get_mut(&id)?;
        // A source that may block must not keep the others from hashing.
        let free = Free {
            hasher: hasher_is_free || entry.blocks(),
            place: self.window.place(now, entry.blocks()) == Place::Free,
        };
        if entry.signing.has_waiting() {
            return None;
        }
        let want = entry.job.want(now, free);
        self.announce(id);
        let entry = self.jobs.get_mut(&id)?;
        match want {
            Want::Task(Work::Request(operation), attempt) if self.options.asks_signer => {
                entry.signing.wait(operation, attempt);
                self.ask_for_signed(id, now)
            }
            Want::Task(work, attempt) => self.hand_out(id, work, attempt, now),
            Want::Hasher => {
                if !std::mem::replace(&mut entry.queued, true) {
                    self.hashing_queue.push_back(id);
                }
                None
            }
            Want::Place => self.wait_for_place(id),
            Want::WaitUntil(at) => {
                self.set_timer(id, at);
                None
            }
            Want::Reports => None,
        }
    }

    /// The next of a job's requests that wait for their signature, or else the question to the signer.
    fn ask_for_signed(&mut self, id: JobId, now: Duration) -> Option<Task> {
        let may_ask = self.may_ask();
        let entry = self.jobs.get_mut(&id)?;
        let place_is_free = self.window.place(now, entry.blocks()) == Place::Free;
        let signing = &mut entry.signing;
        match signing.turn(now, place_is_free) {
            Turn::Nothing => None,
            Turn::Send(operation, attempt) => self.hand_out(id, Work::Request(operation), attempt, now),
            Turn::Place => self.wait_for_place(id),
            Turn::Ask(operation) if may_ask => {
                signing.ask();
                self.hand_out(id, Work::Sign(operation), 1, now)
            }
            Turn::Ask(_) => {
                let entry = self.jobs.get_mut(&id)?;
                if !std::mem::replace(&mut entry.queued, true) {
                    self.signing_queue.push_back(id);
                }
                None
            }
        }
    }

    fn hand_out(&mut self, id: JobId, work: Work, attempt: u32, now: Duration) -> Option<Task> {
        let entry = self.jobs.get_mut(&id)?;
        entry.in_flight += 1;
        let is_request = matches!(work, Work::Request(_));
        let blocks = entry.blocks() || matches!(work, Work::Spool);
        let task = Task {
            job: id,
            attempt,
            signature: entry.signing.generation(),
            blocks,
            flight: is_request.then(|| self.window.begin(blocks, now, &mut self.random)),
            work,
        };
        if let Some(count) = self.blocked.of(&task) {
            *count += 1;
        }
        *self.in_flight_of(&task) += 1;
        self.enqueue(id);
        Some(task)
    }

    fn in_flight_of(&mut self, task: &Task) -> &mut u32 {
        match &task.work {
            Work::Hash { .. } if !task.blocks => &mut self.hashes_in_flight,
            Work::Hash { .. }
            | Work::Request(_)
            | Work::Sign(_)
            | Work::Spool
            | Work::Digest
            | Work::Save(_)
            | Work::Forget => &mut self.others_in_flight,
        }
    }

    /// Takes what came of a task.
    pub fn report(&mut self, task: Task, result: Result<Done, TaskFailure>, now: Duration) {
        *self.in_flight_of(&task) -= 1;
        if let Some(count) = self.blocked.of(&task) {
            *count -= 1;
        }
        if let (Work::Request(operation), Some(flight)) = (&task.work, task.flight) {
            self.window
                .end(flight, operation, landing(&result), now, &mut self.random);
            self.note_answer(&result);
        }
        let Some(entry) = self.jobs.get_mut(&task.job) else {
            return;
        };
        entry.in_flight -= 1;
        let mut context = Context {
            policy: &self.options.retry,
            random: &mut self.random,
            budget: self.window.size().is_none().then_some(&mut self.budget),
            answered: self.answered,
            now,
        };
        if let (Work::Request(operation), Err(TaskFailure::Refused(refusal))) = (&task.work, &result) {
            if refusal.class == Class::Resign && operation.shares_signature() {
                entry.signing.refused(task.signature);
            }
        }
        match (task.work, result) {
            (Work::Sign(operation), Ok(Done::Signed { good_for })) => {
                let is_another = operation.shares_signature() && entry.signing.generation() > 0;
                entry.signing.made(&operation, now, good_for);
                if self.options.events && is_another {
                    self.events.push((task.job, Event::SignatureRenewed));
                }
            }
            (Work::Sign(_), Err(failure)) => {
                for work in entry.signing.failed() {
                    entry.job.report(work, Err(failure.clone()), &mut context);
                }
            }
            (work, result) => entry.job.report(work, result, &mut context),
        }
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

    /// Takes from a job what it has to tell: events, and that it is over.
    fn announce(&mut self, id: JobId) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            if self.options.events {
                let events = entry.job.events().take();
                self.events.extend(events.into_iter().map(|event| (id, event)));
            }
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

    /// What happened since the last call, where [`ClientOptions::events`] is on.
    #[must_use]
    pub fn take_events(&mut self) -> Vec<(JobId, Event)> {
        std::mem::take(&mut self.events)
    }

    /// Whether an upload has a rate limit of its own from now on. With one it takes no more places than its rate needs.
    pub fn limit_rate(&mut self, id: JobId, is_limited: bool) {
        if let Some(Job::Upload(machine)) = self.jobs.get_mut(&id).map(|entry| &mut entry.job) {
            machine.places().limit(is_limited);
            self.enqueue(id);
        }
    }

    /// A slice of an upload was stored, and of the time that it took it waited so long for leave by the upload's own limit.
    pub fn note_leave(&mut self, id: JobId, waited: Duration, took: Duration) {
        if let Some(Job::Upload(machine)) = self.jobs.get_mut(&id).map(|entry| &mut entry.job) {
            machine.places().note(waited, took);
        }
    }

    /// Forgets a job. What is still in flight for it may be reported later.
    pub fn remove(&mut self, id: JobId) {
        if let Some(at) = self.jobs.remove(&id).and_then(|entry| entry.timer_at) {
            self.timers.remove(&(at, id));
        }
    }
}

/// What the end of a request tells of the server's strength.
fn landing(result: &Result<Done, TaskFailure>) -> Landing {
    let kind = match result {
        Ok(_) => return Landing::Answered,
        Err(TaskFailure::Refused(refusal)) => kind_of_refusal(refusal),
        Err(TaskFailure::Network(failure)) => kind_of_network(failure),
        Err(_) => None,
    };
    match (kind, result) {
        (Some(Kind::Overload), _) => Landing::Overloaded,
        // Whatever it said, it had the time for it.
        (_, Err(TaskFailure::Refused(refusal))) if refusal.code.is_some() => Landing::Answered,
        _ => Landing::Lost,
    }
}
