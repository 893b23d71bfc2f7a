//! How jobs end: by themselves, from outside, or all at once by a defect; and how they are handed to whoever waits for them.

use std::sync::{Arc, Mutex, MutexGuard};

use crate::engine::checkpoint::Checkpoint;
use crate::engine::job::{Ended, Job, JobResult, close};
use crate::engine::log::backlog::Backlog;
use crate::upload::error::Error;
use crate::upload::failure::TaskFailure;
use crate::upload::progress::Progress;
use crate::upload::task::{JobId, Memory};

use super::{Shared, State, collapsed};

/// What is done for a job that is over by a worker, without the lock: it may take its time.
pub(in crate::engine) struct Closing {
    checkpoint: Option<Arc<Mutex<Checkpoint>>>,
    success: bool,
    /// Where the handle is gone: letting go of the job is what drops the caller's source. Else the handle does.
    abandoned: Option<Arc<Job>>,
}

impl Shared {
    /// Draws the consequences of what the core decided: jobs that are over are interrupted while something is in
    /// flight for them, and handed to whoever waits once nothing is. [`Shared::tell`] is to follow.
    pub(in crate::engine) fn settle(&self, state: &mut State) {
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
    pub(in crate::engine) fn hand_over(&self, state: &mut State, id: JobId) {
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
    pub(in crate::engine) fn close_what_is_over<'a>(
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

    /// Ends a job from outside, and interrupts what is in flight for it.
    pub(in crate::engine) fn stop(&self, id: JobId, error: Error) {
        let mut state = self.lock();
        state.core.stop(id, error);
        self.settle(&mut state);
    }

    /// Nobody will ask what became of this job.
    pub(in crate::engine) fn abandon(&self, id: JobId) {
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

    /// A defect stopped a worker outside of any task, so that nothing can be relied on any more: every job fails, and
    /// so does what is begun later. Better than a wait that never ends.
    pub(in crate::engine) fn collapse(&self) {
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
}
