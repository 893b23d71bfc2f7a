//! A job of a client, an upload or a single request: what its workers need while it runs, and what is left of it when it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::protocol::Answer;
use crate::protocol::location::Location;
use crate::upload::Client as Core;
use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::progress::Progress;
use crate::upload::status::Status;
use crate::upload::task::{JobId, Memory, Reading};

use super::cancel::{CancelToken, lock};
use super::checkpoint::{Checkpoint, Version};
use super::limiter::Limiter;
use super::signing::Held;
use super::source::Source;

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

/// What is to be told of a checkpoint that is done with.
#[derive(Default)]
pub(super) struct Closed {
    /// What went wrong with it.
    pub(super) warning: Option<String>,
    /// What is left of it.
    pub(super) left: Option<Version>,
}

/// As [`Job::close_checkpoint`], for whoever lets the job itself be.
pub(super) fn close(checkpoint: &Mutex<Checkpoint>, success: bool) -> Closed {
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
