//! What a client tells of its work while it is at it: entries, to a callback of the program.
//!
//! | question | file |
//! |---|---|
//! | What does an entry say? | `log/lines.rs` |
//! | Who tells what the state machine decided, and when? | `log/backlog.rs` |

pub(super) mod backlog;
pub(super) mod lines;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::protocol::location::Location;
use crate::protocol::numbers::numbered;

use super::callback::inside_callback;
use lines::Line;

numbered! {
    /// How important an entry is. A log of a level has the more important ones too.
    pub enum Level {
        Error = 1, "error", "An upload failed, or a request by itself.";
        Warning = 2, "warning", "Something went wrong and was not the end: requests that are repeated, checkpoints that can't be kept.";
        Info = 3, "info", "An upload's beginning, what it found, and its end.";
        Debug = 4, "debug", "Each request.";
    }
}

/// One entry of a log. No text in it has a secret, a signature, a session, or what a form field or a header of the store
/// holds.
#[derive(Clone, Copy, Debug)]
pub struct LogEntry<'a> {
    /// How important it is.
    pub level: Level,
    /// What happened: one line that stands alone, without control characters.
    pub message: &'a str,
    /// The bucket that it is about.
    pub bucket: Option<&'a str>,
    /// The path within the bucket.
    pub path: Option<&'a str>,
    /// The name of the request's operation; `None` where it is not about a request.
    pub operation: Option<&'a str>,
    /// The slice's offset in bytes; `None` where it is not about a slice.
    pub offset: Option<u64>,
    /// Which attempt at the request it was; 0 where it is not about a request.
    pub attempt: u32,
    /// The service's code, where it gave one that is not success.
    pub server_code: Option<i64>,
    /// The HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// The service's identifier of the request.
    pub request_id: Option<&'a str>,
}

/// Takes the entries of a client's log.
///
/// Called on worker threads, on the callback thread and on those that run an upload, make a request or wait, by several at once,
/// and never with a lock held. What it does holds up the upload. Inside it uploads may be cancelled, asked and dropped; to run one
/// or to wait for one is refused.
pub trait Log: Send + Sync {
    /// Takes an entry, which is valid for the time of the call.
    fn log(&self, entry: &LogEntry<'_>);
}

/// A log, and what goes there.
#[derive(Clone)]
pub struct Logger {
    /// The least important entries that are wanted.
    pub level: Level,
    /// Where they go.
    pub log: Arc<dyn Log>,
}

/// The log of a client, if it has one. Nothing is put into words that nobody wants.
pub(super) struct Logging(Option<Logger>);

impl Logging {
    pub(super) fn new(logger: Option<Logger>) -> Self {
        Self(logger)
    }

    pub(super) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn wants(&self, level: Level) -> bool {
        self.0
            .as_ref()
            .is_some_and(|logger| level.number() <= logger.level.number())
    }

    /// Hands an entry about an object to the program. A log that panics must not take an upload along.
    pub(super) fn write(&self, location: &Location, line: &Line) {
        let Some(logger) = self.0.as_ref().filter(|_| self.wants(line.level)) else {
            return;
        };
        let entry = line.entry(location);
        let call = AssertUnwindSafe(|| inside_callback(|| logger.log.log(&entry)));
        let _ = catch_unwind(call);
    }
}
