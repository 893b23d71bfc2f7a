//! A worker: asks the core for a task, does it, reports. It decides nothing.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::protocol::dialect::Dialect;
use crate::protocol::{Operation, OperationKind, Request, Segment, reply};
use crate::upload::Next;
use crate::upload::error::Place;
use crate::upload::failure::{SourceFailure, TaskFailure};
use crate::upload::task::{Done, Task, Work};

use super::cancel::lock;
use super::echo;
use super::hash::{self, HASH_BUFFER};
use super::job::Job;
use super::limiter::Limits;
use super::log::Level;
use super::log::lines::{Answered, Line};
use super::shared::{Shared, State};
use super::signing::Subject;
use super::socket::buffers;
use super::transport::{AnswerLimits, MAX_LIST_REPLY, Transport};

/// The most that one more connection adds to a client's memory, in bytes: the block that is hashed, the connection's output and
/// its input at its longest, and as much again of these two for the records of TLS, beside which the stack in use is small, and
/// what the output has in front of it to begin with a page.
pub const MEMORY_PER_CONNECTION: usize = HASH_BUFFER + 2 * (buffers::OUTPUT + buffers::MAX_INPUT);

/// The life of a worker thread.
pub(super) fn work(shared: &Arc<Shared>) {
    shared.serve_here();
    if catch_unwind(AssertUnwindSafe(|| serve(shared))).is_err() {
        shared.collapse();
    }
}

fn serve(shared: &Arc<Shared>) {
    let mut worker = Worker {
        transport: Transport::new(&shared.transport),
        hash_buffer: Vec::new(),
    };
    let mut state = shared.lock();
    loop {
        state = shared.tell(state, None);
        state = shared.close_what_is_over(state);
        if state.shutdown && state.drawn.is_none() {
            return;
        }
        let drawn = state.drawn.take();
        match drawn.map_or_else(|| state.core.next(shared.now()), Next::Task) {
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
    // What the core decided just now may have ended a job, or be worth an entry of the log.
    if !state.closing.is_empty() || !state.backlog.is_empty() {
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
    /// None before this worker hashes.
    hash_buffer: Vec<u8>,
}

impl Worker {
    fn serve<'a>(
        &mut self,
        shared: &'a Arc<Shared>,
        mut state: MutexGuard<'a, State>,
        task: Task,
    ) -> MutexGuard<'a, State> {
        let job = state.jobs.get(&task.job).cloned();
        shared.draw_another(&mut state);
        shared.settle(&mut state);
        drop(shared.tell(state, None));

        let mut task = task;
        let (id, attempt) = (task.job, task.attempt);
        let is_slice = matches!(task.work, Work::Request(Operation::Slice(_)));
        let begun = shared.now();
        let result = match &job {
            Some(job) => self.perform(shared, job, &mut task.work, attempt),
            None => Err(TaskFailure::Cancelled),
        };

        let mut state = shared.lock();
        if is_slice && result.is_ok() {
            let took = shared.now().saturating_sub(begun);
            state.core.note_leave(id, self.transport.held(), took);
        }
        state.core.report(task, result, shared.now());
        if let Some(job) = &job {
            job.release_what_is_stored(id, &state.core);
        }
        shared.settle(&mut state);
        shared.hand_over(&mut state, id);
        if let Some(job) = job {
            job.tell_watchers();
        }
        if state.listeners.note_change(id) {
            shared.news.notify_one();
        }
        state
    }

    /// A defect in one task fails that task's upload and no other.
    fn perform(
        &mut self,
        shared: &Shared,
        job: &Job,
        work: &mut Work,
        attempt: u32,
    ) -> Result<Done, TaskFailure> {
        let performed = catch_unwind(AssertUnwindSafe(|| match work {
            Work::Hash { hasher, length } => {
                let buffer = &mut self.hash_buffer;
                let ahead = &shared.ahead;
                hash::feed(&*job.source, &job.token, hasher, *length, buffer, ahead).map(|()| Done::Hashed)
            }
            Work::Request(operation) => self.request(shared, job, operation, attempt),
            Work::Sign(operation) => {
                let subject = Subject::of(operation, &job.location, shared.api);
                let good_for = shared.signing.ask(&subject, &job.held)?;
                Ok(Done::Signed { good_for })
            }
            Work::Spool => {
                let spooled = job.source.spool(&job.token);
                let spooled = spooled.map(|size| Done::Spooled { size });
                spooled.map_err(|failure| source_failure(job, failure))
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

    fn request(
        &mut self,
        shared: &Shared,
        job: &Job,
        operation: &Operation,
        attempt: u32,
    ) -> Result<Done, TaskFailure> {
        let request = shared
            .api
            .encode(operation, &job.location, &shared.dialect, random_u128()?);
        let _open = load(job, &request)?;
        if operation.kind() == OperationKind::Finish && attempt == 1 {
            // All slices have arrived, those too whose answer was lost: `settle_file` says what that is good for. What
            // happens to the file from now on is no affair of the object's.
            job.source.verify_unchanged().map_err(TaskFailure::Source)?;
        }
        let subject = Subject::of(operation, &job.location, shared.api);
        let authorization = shared.signing.authorization(&subject, &job.held)?;
        let hidden = Hidden {
            authorization: &authorization,
            session: operation.session(),
            dialect: &shared.dialect,
        };
        let begun = shared.log.wants(Level::Debug).then(Instant::now);
        let mut seen = None;
        self.transport.set_limits(Limits {
            upload: Arc::clone(&job.limiter),
            client: Arc::clone(&shared.limiter),
        });
        let answer = self.transport.exchange(
            &request,
            shared.dialect.hidden_head(&authorization),
            &*job.source,
            limits(shared, operation),
            &job.token,
            &mut |head, body| {
                seen = begun.map(|_| (head.http_status, reply::request_id(head, None)));
                shared.api.decode(operation, head, body)
            },
        );
        let date = self.transport.server_date();
        shared.signing.note_date(date);
        let answer = answer.map_err(|failure| shared.signing.explain(hidden.cut_out_of(failure), date));
        if let Some(begun) = begun {
            let (location, elapsed) = (&job.location, begun.elapsed());
            let place = Place {
                operation: Some((shared.api, operation.kind())),
                offset: operation.offset(),
                attempts: attempt,
            };
            let (http_status, mut request_id) = seen.unwrap_or_default();
            if let Some(id) = &mut request_id {
                hidden.cut(id);
            }
            let (sent, opened) = (request.body.len(), self.transport.has_opened());
            let answered = Answered {
                http_status,
                request_id,
                sent,
                opened,
            };
            let line = match &answer {
                Ok(_) => Line::answered(location, place, answered, elapsed),
                Err(failure) => Line::unsuccessful(location, place, failure, elapsed),
            };
            shared.log.write(location, &line);
        }
        Ok(Done::Answered(answer?))
    }
}

/// How long the answer to an operation may take, and how long it may be.
fn limits(shared: &Shared, operation: &Operation) -> AnswerLimits {
    let timeouts = shared.transport.timeouts();
    match operation.kind() {
        OperationKind::Finish | OperationKind::Upload => AnswerLimits::from(timeouts.finish_answer),
        OperationKind::List => AnswerLimits {
            time: timeouts.answer,
            size: MAX_LIST_REPLY,
        },
        _ => AnswerLimits::from(timeouts.answer),
    }
}

/// Has the source ready what the request sends of it: a server does not wait for a stream that takes its time. A file stays open
/// for as long as the result is kept.
fn load(job: &Job, request: &Request) -> Result<Option<Arc<File>>, TaskFailure> {
    let mut open = None;
    for segment in &request.body.segments {
        if let Segment::Source { offset, length } = segment {
            let loaded = job.source.load(*offset..offset + length, &job.token);
            loaded.map_err(|failure| source_failure(job, failure))?;
            open = job.source.hold();
        }
    }
    Ok(open)
}

/// A read that a cancel ended is no failure of the source.
fn source_failure(job: &Job, failure: SourceFailure) -> TaskFailure {
    match job.token.is_cancelled() {
        true => TaskFailure::Cancelled,
        false => TaskFailure::Source(failure),
    }
}

/// What is secret of a request, for the case that the server says it back.
struct Hidden<'a> {
    authorization: &'a str,
    session: Option<&'a str>,
    dialect: &'a Dialect,
}

impl Hidden<'_> {
    /// What the server said, without what is secret.
    fn cut_out_of(&self, mut failure: TaskFailure) -> TaskFailure {
        if let TaskFailure::Refused(refusal) = &mut failure {
            for text in std::iter::once(&mut refusal.message).chain(&mut refusal.request_id) {
                self.cut(text);
            }
        }
        failure
    }

    fn cut(&self, text: &mut String) {
        echo::cut(text, self.authorization, "[authorization]");
        if let Some(session) = self.session {
            echo::cut(text, session, "[session]");
        }
        let secrets = self.dialect.secrets();
        secrets.for_each(|secret| echo::cut(text, secret, "[secret]"));
    }
}

fn random_u128() -> Result<u128, TaskFailure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| TaskFailure::Resources(format!("the system gives no random numbers: {error}")))?;
    Ok(u128::from_ne_bytes(bytes))
}
