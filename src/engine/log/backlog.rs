//! What is still to be told of each job. A job is over for those who wait for it only once its end has been told, so that no entry
//! of an upload comes after its run.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, MutexGuard};

use crate::engine::cancel::lock;
use crate::engine::job::{Job, JobResult};
use crate::engine::shared::{Shared, State};
use crate::upload::error::Error;
use crate::upload::event::Event;
use crate::upload::machine::Object;
use crate::upload::task::JobId;

use super::Level;
use super::lines::Line;

/// What is to be told of a job.
enum Note {
    Event(Event),
    End(Result<Object, Error>),
}

#[derive(Default)]
struct Untold {
    /// How many notes wait or are being told.
    count: usize,
    /// The last of them was added.
    has_end: bool,
}

/// The notes that wait, in the order in which they came up. Empty for ever where there is no log.
#[derive(Default)]
pub struct Backlog {
    waiting: VecDeque<(JobId, Note)>,
    untold: HashMap<JobId, Untold>,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn add(&mut self, id: JobId, note: Note) {
        self.untold.entry(id).or_default().count += 1;
        self.waiting.push_back((id, note));
    }

    /// The next note, of this job where one is named.
    fn next(&mut self, only: Option<JobId>) -> Option<(JobId, Note)> {
        let position = self
            .waiting
            .iter()
            .position(|(id, _)| only.is_none_or(|only| only == *id))?;
        self.waiting.remove(position)
    }
}

impl Shared {
    /// Takes down what the core tells, for [`Shared::tell`].
    pub(in crate::engine) fn note_events(&self, state: &mut State) {
        for (id, event) in state.core.take_events() {
            state.backlog.add(id, Note::Event(event));
        }
    }

    /// Whether all was told of a job that ended so. Where it was not, the end is noted, and whoever tells it hands the job over.
    pub(in crate::engine) fn is_told(&self, state: &mut State, id: JobId, result: &JobResult) -> bool {
        if !self.log.is_on() {
            return true;
        }
        let untold = state.backlog.untold.entry(id).or_default();
        if untold.count > 0 {
            self.call_teller(state, id);
            return false;
        }
        if !untold.has_end {
            untold.has_end = true;
            let end = match result {
                JobResult::Upload(result) => Some(result.clone()),
                JobResult::Call(result) => result.as_ref().err().cloned().map(Err),
            };
            if let Some(end) = end {
                state.backlog.add(id, Note::End(end));
                self.call_teller(state, id);
                return false;
            }
        }
        state.backlog.untold.remove(&id);
        true
    }

    /// Any of these may tell what there is to be told of a job that is over: the others may all be at work.
    fn call_teller(&self, state: &State, id: JobId) {
        self.work.notify_one();
        self.news.notify_one();
        if let Some(job) = state.jobs.get(&id) {
            job.changed.notify_all();
        }
    }

    /// Tells what there is to be told, of one job or of all, with the lock let go meanwhile.
    pub(in crate::engine) fn tell<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        only: Option<JobId>,
    ) -> MutexGuard<'a, State> {
        while let Some((id, note)) = state.backlog.next(only) {
            let job = state.jobs.get(&id).cloned();
            drop(state);
            if let Some(job) = job {
                self.tell_of(&job, &note);
            }
            state = self.lock();
            if let Some(untold) = state.backlog.untold.get_mut(&id) {
                untold.count -= 1;
            }
            self.hand_over(&mut state, id);
        }
        state
    }

    fn tell_of(&self, job: &Arc<Job>, note: &Note) {
        let location = &job.location;
        let end = match note {
            Note::Event(event) => return self.log.write(location, &Line::event(location, event)),
            Note::End(end) => end,
        };
        if let (Some(checkpoint), true) = (&job.checkpoint, self.log.wants(Level::Warning)) {
            let warning = lock(checkpoint).warning();
            if let Some(warning) = warning {
                self.log.write(location, &Line::warning(location, &warning));
            }
        }
        let line = match end {
            Ok(object) => Line::complete(location, object, job.begun.elapsed()),
            Err(error) => Line::error(error),
        };
        self.log.write(location, &line);
    }
}
