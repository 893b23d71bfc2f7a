//! What happens in a job, for a log. Nothing is decided by it, and where nobody wants it there is none.

use std::time::Duration;

use super::error::Place;
use super::failure::TaskFailure;

/// Something that happened in a job.
#[derive(Clone, Debug)]
pub enum Event {
    /// An upload begins, of so many bytes; `None` where its stream is read to its end first.
    Begins {
        /// The source's size.
        size: Option<u64>,
    },
    /// The stream was read to its end.
    Spooled {
        /// The source's size in bytes.
        size: u64,
    },
    /// The server has a part of it already.
    Resumes {
        /// How many bytes are there.
        bytes: u64,
        /// How many there will be.
        total: u64,
    },
    /// An unfinished upload that was in the way was thrown away.
    Discarded,
    /// A directory above the object is there now.
    DirectoryIsThere {
        /// How many segments of the path name it.
        level: u32,
    },
    /// The upload goes on with another session.
    SessionRenewed,
    /// The signer gave another authorization string.
    SignatureRenewed,
    /// The server lost the upload, or what it has is not the source: it begins again at init.
    BeginsAnew,
    /// A request failed, and that is not the end.
    Failed {
        /// Which request.
        place: Place,
        /// How it failed.
        failure: Box<TaskFailure>,
        /// What follows.
        next: Consequence,
    },
    /// The server's record of the object does not agree with its answer; it is asked for again after so long.
    Contradicted {
        /// The wait.
        wait: Duration,
    },
}

/// What follows from a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The same request again, after so long.
    Again(Duration),
    /// The server is asked what it has.
    Ask,
    /// All is sent anew.
    BeginAnew,
}

/// The events of a job that nobody has taken yet, where they are wanted.
#[derive(Default)]
pub(crate) struct Events(Option<Vec<Event>>);

impl Events {
    pub(crate) fn new(wanted: bool) -> Self {
        Self(wanted.then(Vec::new))
    }

    pub(crate) fn are_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// Adds what is made only where it is wanted.
    pub(crate) fn add(&mut self, event: impl FnOnce() -> Event) {
        if let Some(events) = &mut self.0 {
            events.push(event());
        }
    }

    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}
