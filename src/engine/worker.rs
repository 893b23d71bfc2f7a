//! A worker: asks the core for a task, does it, reports. It decides nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use crate::protocol::clock::Clocks;
use crate::protocol::digest::Hasher;
use crate::protocol::{Operation, OperationKind, signature};
use crate::upload::Next;
use crate::upload::failure::{SourceFailure, SourceFault, TaskFailure};
use crate::upload::task::{Done, Task, Work};

use super::cancel::lock;
use super::clock::{SigningClock, unix_seconds};
use super::echo;
use super::shared::{Job, Shared, State};
use super::socket::buffers;
use super::transport::{AnswerLimits, MAX_LIST_REPLY, Transport};

/// How long a signature made for one attempt is good for: long enough for a slow slice.
const SIGNATURE_LIFETIME: Duration = Duration::from_secs(600);

/// How much is read at once for hashing. Larger blocks are slower where the allocator maps them.
const HASH_BUFFER: usize = 64 << 10;

/// The most that one more connection adds to a client's memory, in bytes: the block that is hashed, the connection's output and
/// its input at its longest, and as much again of these two for the records of TLS, beside which the stack in use is small.
pub const MEMORY_PER_CONNECTION: usize = HASH_BUFFER + 2 * (buffers::OUTPUT + buffers::MAX_INPUT);

/// The life of a worker thread.
pub(super) fn work(shared: &Arc<Shared>) {
    if catch_unwind(AssertUnwindSafe(|| serve(shared))).is_err() {
        shared.collapse();
    }
}

fn serve(shared: &Arc<Shared>) {
    let mut worker = Worker {
        transport: Transport::new(&shared.transport),
        buffer: vec![0; HASH_BUFFER],
    };
    let mut state = shared.lock();
    loop {
        state = shared.close_what_is_over(state);
        if state.shutdown {
            return;
        }
        match state.core.next(shared.now()) {
            Next::Task(task) => state = worker.serve(shared, state, task),
            Next::WakeAt(at) => {
                shared.settle(&mut state);
                state = wait(shared, state, Some(at));
            }
            Next::Idle => {
                shared.settle(&mut state);
                state = wait(shared, state, None);
            }
        }
    }
}

/// Waits for work. Of the idle workers only one watches the clock for a moment, so that it wakes one and not all; an
/// earlier moment finds a watcher of its own.
fn wait<'a>(
    shared: &Shared,
    mut state: MutexGuard<'a, State>,
    until: Option<Duration>,
) -> MutexGuard<'a, State> {
    // What the core decided just now may have ended a job.
    if !state.closing.is_empty() {
        return state;
    }
    state.idle += 1;
    state = match until {
        Some(at) if state.watched_until.is_none_or(|watched| at < watched) => {
            state.watched_until = Some(at);
            let timeout = at.saturating_sub(shared.now());
            let waited = shared.work.wait_timeout(state, timeout);
            let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if state.watched_until == Some(at) {
                state.watched_until = None;
            }
            state
        }
        _ => shared.work.wait(state).unwrap_or_else(PoisonError::into_inner),
    };
    state.idle -= 1;
    state
}

struct Worker {
    transport: Transport,
    buffer: Vec<u8>,
}

impl Worker {
    fn serve<'a>(
        &mut self,
        shared: &'a Arc<Shared>,
        mut state: MutexGuard<'a, State>,
        task: Task,
    ) -> MutexGuard<'a, State> {
        let job = state.jobs.get(&task.job).cloned();
        // There may be more to do, and the clock may need another watcher. Without another worker this one goes on.
        let _ = shared.provide_worker(&mut state);
        shared.settle(&mut state);
        drop(state);

        let mut task = task;
        let id = task.job;
        let result = match &job {
            Some(job) => self.perform(shared, job, &mut task.work),
            None => Err(TaskFailure::Cancelled),
        };

        let mut state = shared.lock();
        state.core.report(task, result, shared.now());
        if let Some(job) = &job {
            job.release_what_is_stored(id, &state.core);
        }
        shared.settle(&mut state);
        shared.hand_over(&mut state, id);
        if let Some(job) = job {
            job.changed.notify_all();
        }
        shared.news.notify_one();
        state
    }

    /// A defect in one task fails that task's upload and no other.
    fn perform(&mut self, shared: &Shared, job: &Job, work: &mut Work) -> Result<Done, TaskFailure> {
        let performed = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Hash { hasher, length } => self.hash(job, hasher, *length),
            Work::Request(operation) => self.request(shared, job, operation),
            Work::Sign(_) => Err(TaskFailure::Defect(
                "no signer was set that could be asked".into(),
            )),
            Work::Spool => {
                let spooled = job.source.spool(&job.token);
                spooled
                    .map(|size| Done::Spooled { size })
                    .map_err(|failure| match job.token.is_cancelled() {
                        true => TaskFailure::Cancelled,
                        false => TaskFailure::Source(failure),
                    })
            }
            Work::Digest => Ok(Done::Digest(job.source.digest())),
            Work::Save(memory) => {
                if let Some(checkpoint) = &job.checkpoint {
                    lock(checkpoint).save(memory, job.source.lasting_identity());
                }
                Ok(Done::Saved)
            }
            Work::Forget => {
                job.close_checkpoint(true);
                Ok(Done::Saved)
            }
        }));
        performed.unwrap_or_else(|_| {
            Err(TaskFailure::Defect(
                "a defect of this library was caught in a worker".into(),
            ))
        })
    }

    fn hash(&mut self, job: &Job, hasher: &mut Hasher, length: u64) -> Result<Done, TaskFailure> {
        let end = hasher.position() + length;
        while hasher.position() < end {
            if job.token.is_cancelled() {
                return Err(TaskFailure::Cancelled);
            }
            let left = usize::try_from(end - hasher.position()).unwrap_or(usize::MAX);
            let room = left.min(self.buffer.len());
            let got = job.source.read_at(hasher.position(), &mut self.buffer[..room]);
            let got = got.map_err(|error| {
                TaskFailure::Source(SourceFailure {
                    kind: SourceFault::Unreadable,
                    detail: format!(
                        "reading {} at offset {} failed: {error}",
                        job.source.name(),
                        hasher.position()
                    ),
                    os_errno: error.raw_os_error(),
                })
            })?;
            if got == 0 {
                return Err(TaskFailure::Source(SourceFailure {
                    kind: SourceFault::Changed,
                    detail: format!(
                        "{} ends at offset {}, before its size",
                        job.source.name(),
                        hasher.position()
                    ),
                    os_errno: None,
                }));
            }
            hasher.update(&self.buffer[..got]);
        }
        job.source.verify_unchanged().map_err(TaskFailure::Source)?;
        Ok(Done::Hashed)
    }

    fn request(&mut self, shared: &Shared, job: &Job, operation: &Operation) -> Result<Done, TaskFailure> {
        let request = shared.api.encode(operation, &job.location, random_u128()?);
        let file_id = match operation {
            Operation::CreateDirectory(level) => job.location.file_id_of(&job.location.directory(*level)),
            _ => job.location.file_id(),
        };
        let authorization = signature::sign(
            &shared.secret_key,
            job.location.bucket(),
            request.signature,
            &file_id,
            shared.signing_clock.now(),
            SIGNATURE_LIFETIME,
            random_u32()?,
        );
        let timeouts = shared.transport.timeouts();
        let limits = match operation.kind() {
            OperationKind::Finish | OperationKind::Upload => AnswerLimits::from(timeouts.finish_answer),
            OperationKind::List => AnswerLimits {
                time: timeouts.answer,
                size: MAX_LIST_REPLY,
            },
            _ => AnswerLimits::from(timeouts.answer),
        };
        let answer = self.transport.exchange(
            &request,
            &authorization,
            &*job.source,
            limits,
            &job.token,
            &mut |head, body| shared.api.decode(operation, head, body),
        );
        let answer = answer.map_err(|failure| {
            let failure = without_echo(failure, &authorization);
            with_clocks(failure, self.transport.server_date(), &shared.signing_clock)
        })?;
        Ok(Done::Answered(answer))
    }
}

/// Looks whether a refusal comes from a wrong clock. If so, the next signature is made by the server's: the state machine
/// repeats a request once whose signature was refused, so a key that is wrong besides makes no loop.
fn with_clocks(failure: TaskFailure, server_date: Option<u64>, signing_clock: &SigningClock) -> TaskFailure {
    let mut failure = failure;
    if let (TaskFailure::Refused(refusal), Some(server)) = (&mut failure, server_date) {
        let compared = |local| Clocks { local, server };
        let explains = |clocks: &Clocks| clocks.explain(refusal.code, SIGNATURE_LIFETIME);
        let machine = compared(unix_seconds());
        // The bound is on the difference from the machine's clock: from a corrected one, each false `Date` would lead further.
        if explains(&compared(signing_clock.now())) && machine.can_be_corrected() {
            signing_clock.follow(server);
        }
        refusal.clocks = Some(machine).filter(explains);
    }
    failure
}

/// What the server said, without the authorization where it said that back.
fn without_echo(mut failure: TaskFailure, authorization: &str) -> TaskFailure {
    if let TaskFailure::Refused(refusal) = &mut failure {
        echo::cut(&mut refusal.message, authorization);
        if let Some(request_id) = &mut refusal.request_id {
            echo::cut(request_id, authorization);
        }
    }
    failure
}

fn random_u128() -> Result<u128, TaskFailure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(no_randomness)?;
    Ok(u128::from_ne_bytes(bytes))
}

fn random_u32() -> Result<u32, TaskFailure> {
    getrandom::u32().map_err(no_randomness)
}

fn no_randomness(error: getrandom::Error) -> TaskFailure {
    TaskFailure::Resources(format!("the system gives no random numbers: {error}"))
}
