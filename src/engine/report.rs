//! Progress callbacks: who calls them, and how often.
//!
//! Under `run` the calling thread calls, under `start` the client's one callback thread. Either way through a
//! [`Pace`], with no lock held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::upload::error::Error;
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::JobId;

use super::callback::Completion;
use super::shared::{Shared, State};

/// At most ten calls a second and upload, plus the first and the last.
const INTERVAL: Duration = Duration::from_millis(100);

/// A progress callback; anything but 0 stops the upload.
pub type ProgressFn = dyn FnMut(&Progress) -> i32 + Send;

/// When an upload's next progress is due.
#[derive(Default)]
pub(super) struct Pace {
    told: Option<Progress>,
    next_at: Duration,
}

/// What is to be done about an upload's progress now.
pub(super) enum Due {
    /// Tell it.
    Now,
    /// Tell it then.
    At(Duration),
    /// There is nothing new.
    Nothing,
}

impl Pace {
    pub(super) fn due(&self, progress: &Progress, over: bool, now: Duration) -> Due {
        if self.told.as_ref() == Some(progress) {
            return Due::Nothing;
        }
        if over || now >= self.next_at {
            return Due::Now;
        }
        Due::At(self.next_at)
    }

    pub(super) fn told(&mut self, progress: Progress, now: Duration) {
        self.told = Some(progress);
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
    pub(super) pace: Pace,
    pub(super) callback: Box<ProgressFn>,
    pub(super) completion: Arc<Completion>,
}

impl Listener {
    /// The callback goes before anybody is told that it does: who waited may rely on what it held being dropped.
    pub(super) fn end(self) {
        let Self {
            callback, completion, ..
        } = self;
        drop(callback);
        completion.complete();
    }
}

enum Step {
    /// Call this listener with this.
    Tell(Listener, Progress, bool),
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
                tell(shared, listener, progress, over);
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
    let mut earliest: Option<Duration> = None;
    for position in 0..state.listeners.len() {
        let listener = &state.listeners[position];
        let (progress, over) = match state.ended.get(&listener.id) {
            Some(ended) => (ended.progress, true),
            // Of an upload that was freed nobody is told any more, but its callback has to go.
            None => {
                let progress = state.core.progress(listener.id).copied().unwrap_or_default();
                (progress, listener.completion.is_abandoned())
            }
        };
        match listener.pace.due(&progress, over, now) {
            Due::Nothing if !over => {}
            Due::At(at) => earliest = Some(earliest.map_or(at, |earlier| earlier.min(at))),
            Due::Now | Due::Nothing => {
                // Taken out while it is called: the callback may free the upload, which must not find it here.
                return Step::Tell(state.listeners.remove(position), progress, over);
            }
        }
    }
    earliest.map_or(Step::Wait, Step::WaitUntil)
}

fn tell(shared: &Arc<Shared>, mut listener: Listener, progress: Progress, over: bool) {
    // A callback that panics counts as one that wants to stop; it must not take the thread along.
    let call = AssertUnwindSafe(|| listener.completion.inside(|| (listener.callback)(&progress)));
    let value = catch_unwind(call).unwrap_or(-1);
    listener.pace.told(progress, shared.now());
    if over || listener.completion.is_abandoned() {
        return listener.end();
    }
    if value != 0 {
        shared.stop(listener.id, aborted(&listener.name, value));
    }
    let mut state = shared.lock();
    if state.shutdown {
        drop(state);
        return listener.end();
    }
    state.listeners.push(listener);
}
