//! Progress and completion callbacks: who calls them, when, and how often.
//!
//! Under `run` the calling thread calls, under `start` the client's one callback thread. Either way progress goes through a
//! [`Pace`], the completion comes last, and no lock is held.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::JobId;

use super::callback::LastCall;
use super::job::{Ended, Job};
use super::shared::{Shared, State, collapsed};

/// At most ten calls a second and upload, plus the first and the last.
const INTERVAL: Duration = Duration::from_millis(100);

/// A progress callback; anything but 0 stops the upload.
pub type ProgressFn = dyn FnMut(&Progress) -> i32 + Send;

/// How a run ended, for its completion callback.
pub struct Ending {
    /// The object, or why there is none.
    pub result: Result<Object, Error>,
    /// What was noticed and did not stop the run.
    pub warning: Option<String>,
}

/// A completion callback.
pub type CompletionFn = dyn Fn(&Ending) + Send + Sync;

/// How a job ended; one whose end is nowhere to be found went with the client's threads.
fn ending(shared: &Shared, id: JobId, job: &Job) -> Ending {
    let ended = shared.lock().ended.get(&id).map(Ended::upload_result);
    let result = ended.unwrap_or_else(|| Err(collapsed()));
    let warning = job.close_checkpoint(result.is_ok()).warning;
    Ending { result, warning }
}

/// When an upload's next progress is due.
#[derive(Default)]
pub(super) struct Pace {
    /// How it began, which is told whatever has become of it by then.
    first: Option<Progress>,
    told: Option<Progress>,
    next_at: Duration,
}

/// What is to be done about an upload's progress now.
pub(super) enum Due {
    /// Tell this.
    Now(Progress),
    /// Tell it then.
    At(Duration),
    /// There is nothing new.
    Nothing,
}

impl Pace {
    pub(super) fn new(first: Progress) -> Self {
        Self {
            first: Some(first),
            ..Self::default()
        }
    }

    pub(super) fn due(&self, progress: &Progress, over: bool, now: Duration) -> Due {
        if let Some(first) = self.first {
            return Due::Now(first);
        }
        if self.told.as_ref() == Some(progress) {
            return Due::Nothing;
        }
        if over || now >= self.next_at {
            return Due::Now(*progress);
        }
        Due::At(self.next_at)
    }

    pub(super) fn told(&mut self, progress: Progress, now: Duration) {
        (self.first, self.told) = (None, Some(progress));
        self.next_at = now + INTERVAL;
    }
}

/// The error of an upload that its callback stopped.
pub(super) fn aborted(name: &str, value: i32) -> Error {
    let text = format!("{name}: the progress callback returned {value} to stop the upload");
    Error {
        callback_value: value,
        ..Error::new(Status::AbortedByCallback, text)
    }
}

/// An upload under `start` that wants to tell its progress, its end, or both.
pub(super) struct Listener {
    pub(super) id: JobId,
    pub(super) name: Arc<str>,
    pub(super) job: Arc<Job>,
    pub(super) pace: Pace,
    pub(super) progress: Option<Box<ProgressFn>>,
    pub(super) completion: Option<Arc<CompletionFn>>,
    pub(super) last_call: Arc<LastCall>,
}

impl Listener {
    /// The run is over. The callbacks go before anybody is told that they do: who waited may rely on what they held being
    /// dropped.
    pub(super) fn end(self, shared: &Shared) {
        let Self {
            id,
            job,
            progress,
            completion,
            last_call,
            ..
        } = self;
        if let Some(completion) = completion.filter(|_| !last_call.is_abandoned()) {
            let ending = ending(shared, id, &job);
            let _ = catch_unwind(AssertUnwindSafe(|| last_call.inside(|| completion(&ending))));
        }
        drop(progress);
        last_call.complete();
    }
}

/// What a listener waits for while it is not called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    /// Its turn to be looked at.
    Turn,
    /// A change of its progress, or its end.
    Change,
    /// The moment when its next progress may be told, or its end.
    Moment(Duration),
    /// Its end alone: it is told no progress.
    End,
}

/// The listeners of a client, so kept that only those are looked at for which there may be something to tell: there may be a
/// thousand of them.
#[derive(Default)]
pub(super) struct Listeners {
    waiting: HashMap<JobId, (Listener, Awaits)>,
    /// Those whose turn it is.
    turns: VecDeque<JobId>,
    moments: BTreeSet<(Duration, JobId)>,
}

impl Listeners {
    /// Takes a listener; it is looked at next.
    pub(super) fn add(&mut self, listener: Listener) {
        self.turns.push_back(listener.id);
        self.waiting.insert(listener.id, (listener, Awaits::Turn));
    }

    /// The progress of a job may have changed; whether the callback thread has to look.
    pub(super) fn note_change(&mut self, id: JobId) -> bool {
        match self.waiting.get(&id) {
            Some((_, Awaits::Change)) => self.note_end(id),
            _ => false,
        }
    }

    /// A job is over, or its handle is gone; whether the callback thread has to look.
    pub(super) fn note_end(&mut self, id: JobId) -> bool {
        let Some((_, awaits)) = self.waiting.get_mut(&id) else {
            return false;
        };
        match std::mem::replace(awaits, Awaits::Turn) {
            Awaits::Turn => return false,
            Awaits::Change | Awaits::End => {}
            Awaits::Moment(at) => {
                self.moments.remove(&(at, id));
            }
        }
        self.turns.push_back(id);
        true
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = Listener> {
        self.waiting.into_values().map(|(listener, _)| listener)
    }

    /// Whose turn it is.
    fn next(&mut self, now: Duration) -> Option<JobId> {
        while let Some(&(at, id)) = self.moments.first().filter(|(at, _)| *at <= now) {
            self.moments.remove(&(at, id));
            self.turns.push_back(id);
            if let Some((_, awaits)) = self.waiting.get_mut(&id) {
                *awaits = Awaits::Turn;
            }
        }
        self.turns.pop_front()
    }

    /// There is nothing to tell this one now.
    fn wait(&mut self, id: JobId, until: Option<Duration>) {
        if let Some((listener, awaits)) = self.waiting.get_mut(&id) {
            *awaits = match until {
                Some(at) => Awaits::Moment(at),
                None if listener.progress.is_some() => Awaits::Change,
                None => Awaits::End,
            };
            self.moments.extend(until.map(|at| (at, id)));
        }
    }
}

enum Step {
    /// Call this listener with this.
    Tell(Box<Listener>, Progress, bool),
    /// Nothing before then.
    WaitUntil(Duration),
    /// Nothing until there is news.
    Wait,
}

/// The life of the callback thread.
pub(super) fn deliver(shared: &Arc<Shared>) {
    shared.serve_here();
    let mut state = shared.lock();
    loop {
        state = shared.tell(state, None);
        if state.shutdown {
            return;
        }
        match next(&mut state, shared.now()) {
            Step::Tell(listener, progress, over) => {
                drop(state);
                tell(shared, *listener, progress, over);
                state = shared.lock();
            }
            Step::WaitUntil(at) => {
                let timeout = at.saturating_sub(shared.now());
                let waited = shared.news.wait_timeout(state, timeout);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            Step::Wait => state = shared.news.wait(state).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

fn next(state: &mut State, now: Duration) -> Step {
    while let Some(id) = state.listeners.next(now) {
        let Some((listener, _)) = state.listeners.waiting.get(&id) else {
            continue;
        };
        let (progress, over) = match state.ended.get(&id) {
            Some(ended) => (ended.progress, true),
            // Of an upload that was freed nobody is told any more, but its callback has to go.
            None => {
                let progress = state.core.progress(id).copied().unwrap_or_default();
                (progress, listener.last_call.is_abandoned())
            }
        };
        let due = match listener.progress {
            Some(_) => listener.pace.due(&progress, over, now),
            None => Due::Nothing,
        };
        let (told, is_last) = match due {
            Due::Now(told) => (told, over && told == progress),
            Due::Nothing if over => (progress, true),
            Due::Nothing => {
                state.listeners.wait(id, None);
                continue;
            }
            Due::At(at) => {
                state.listeners.wait(id, Some(at));
                continue;
            }
        };
        // Taken out while it is called: the callback may free the upload, which must not find it here.
        if let Some((listener, _)) = state.listeners.waiting.remove(&id) {
            return Step::Tell(Box::new(listener), told, is_last);
        }
    }
    match state.listeners.moments.first() {
        Some(&(at, _)) => Step::WaitUntil(at),
        None => Step::Wait,
    }
}

fn tell(shared: &Arc<Shared>, mut listener: Listener, progress: Progress, is_last: bool) {
    // A callback that panics counts as one that wants to stop; it must not take the thread along.
    let call = listener.progress.as_mut().map(|callback| {
        let call = AssertUnwindSafe(|| listener.last_call.inside(|| callback(&progress)));
        catch_unwind(call).unwrap_or(-1)
    });
    listener.pace.told(progress, shared.now());
    if is_last || listener.last_call.is_abandoned() {
        return listener.end(shared);
    }
    if let Some(value) = call.filter(|value| *value != 0) {
        shared.stop(listener.id, aborted(&listener.name, value));
    }
    let mut state = shared.lock();
    if state.shutdown {
        drop(state);
        return listener.end(shared);
    }
    state.listeners.add(listener);
}
