//! What the entries of a log say.

use std::fmt::Write as _;
use std::time::Duration;

use crate::engine::client::name_of;
use crate::protocol::location::Location;
use crate::upload::error::{Error, Place, what_failed};
use crate::upload::event::{Consequence, Event};
use crate::upload::failure::TaskFailure;
use crate::upload::machine::Object;

use super::{Level, LogEntry};

/// An entry before it is told.
pub struct Line {
    pub level: Level,
    message: String,
    operation: Option<&'static str>,
    offset: Option<u64>,
    attempt: u32,
    server_code: Option<i64>,
    http_status: Option<u16>,
    request_id: Option<String>,
}

/// A request that was answered.
pub struct Answered {
    pub http_status: u16,
    /// Escaped, and without secrets.
    pub request_id: Option<String>,
    /// Bytes of its body.
    pub sent: u64,
    /// Whether a connection was opened for it.
    pub opened: bool,
}

impl Line {
    /// An entry that is about no request; `text` goes behind the object's name.
    fn new(level: Level, location: &Location, text: &str) -> Self {
        Self::whole(level, format!("{}: {text}", name_of(location)))
    }

    fn whole(level: Level, message: String) -> Self {
        Self {
            level,
            message,
            operation: None,
            offset: None,
            attempt: 0,
            server_code: None,
            http_status: None,
            request_id: None,
        }
    }

    fn at(self, place: Place) -> Self {
        Self {
            operation: place.operation.map(|(api, kind)| api.operation_name(kind)),
            offset: place.offset,
            attempt: place.attempts,
            ..self
        }
    }

    fn failed(self, failure: &TaskFailure) -> Self {
        let TaskFailure::Refused(refusal) = failure else {
            return self;
        };
        Self {
            server_code: refusal.code,
            http_status: Some(refusal.http_status),
            request_id: refusal.request_id.clone(),
            ..self
        }
    }

    /// The end of a run, or of a request by itself, that failed.
    pub fn error(error: &Error) -> Self {
        let line = Self {
            server_code: error.server_code,
            http_status: error.http_status,
            request_id: error.request_id.clone(),
            ..Self::whole(Level::Error, error.message.clone())
        };
        line.at(error.place)
    }

    /// The end of an upload that took so long.
    pub fn complete(location: &Location, object: &Object, elapsed: Duration) -> Self {
        let mut text = format!(
            "{}: {} bytes in {elapsed:.1?}; {} slices sent, {} bytes were there, {} requests repeated",
            object.outcome.name(),
            object.size,
            object.slices_sent,
            object.bytes_resumed,
            object.retries,
        );
        text.push_str(if object.verified {
            ", verified"
        } else {
            ", not verified"
        });
        Self::new(Level::Info, location, &text)
    }

    /// What was noticed and is no reason to fail.
    pub fn warning(location: &Location, text: &str) -> Self {
        Self::new(Level::Warning, location, text)
    }

    /// A request that was answered with success.
    pub fn answered(location: &Location, place: Place, answered: Answered, elapsed: Duration) -> Self {
        let mut text = format!("{place}: HTTP {} in {elapsed:.1?}", answered.http_status);
        if answered.sent > 0 {
            // Writing to a String can't fail.
            let _ = write!(text, ", {} bytes sent", answered.sent);
        }
        text.push_str(if answered.opened {
            ", on a new connection"
        } else {
            ", on a kept connection"
        });
        if let Some(id) = &answered.request_id {
            let _ = write!(text, ", request id {id}");
        }
        let line = Self {
            http_status: Some(answered.http_status),
            request_id: answered.request_id,
            ..Self::new(Level::Debug, location, &text)
        };
        line.at(place)
    }

    /// A request that failed.
    pub fn unsuccessful(location: &Location, place: Place, failure: &TaskFailure, elapsed: Duration) -> Self {
        let text = format!("{}, after {elapsed:.1?}", what_failed(place, failure));
        Self::new(Level::Debug, location, &text).at(place).failed(failure)
    }

    /// What the state machine tells.
    pub fn event(location: &Location, event: &Event) -> Self {
        let info = |text: &str| Self::new(Level::Info, location, text);
        match event {
            Event::Begins { size: Some(size) } => info(&format!("begins: {size} bytes")),
            Event::Begins { size: None } => info("begins: reads the stream into a temporary file"),
            Event::Spooled { size } => info(&format!("the stream has {size} bytes")),
            Event::Resumes { bytes, total } => {
                info(&format!("resumes: {bytes} of {total} bytes are there already"))
            }
            Event::Discarded => info("an unfinished upload that was in the way was thrown away"),
            Event::DirectoryIsThere { level } => {
                info(&format!("the directory {} is there", location.directory(*level)))
            }
            Event::SessionRenewed => info("goes on with another session"),
            Event::SignatureRenewed => info("goes on with another signature"),
            Event::BeginsAnew => info("begins anew"),
            Event::Failed { place, failure, next } => {
                let mut text = what_failed(*place, failure);
                match next {
                    Consequence::Again(Duration::ZERO) => text.push_str("; again at once"),
                    Consequence::Again(wait) => {
                        let _ = write!(text, "; again in {wait:.1?}");
                    }
                    Consequence::Ask => text.push_str("; the server is asked what it has"),
                    Consequence::BeginAnew => text.push_str("; all is sent anew"),
                }
                Self::new(Level::Warning, location, &text)
                    .at(*place)
                    .failed(failure)
            }
            Event::Contradicted { wait } => Self::warning(
                location,
                &format!(
                    "the server reported success, and its record of the object is another yet; asked for again in {wait:.1?}"
                ),
            ),
        }
    }

    pub(super) fn entry<'a>(&'a self, location: &'a Location) -> LogEntry<'a> {
        LogEntry {
            level: self.level,
            message: &self.message,
            bucket: Some(location.bucket()),
            path: Some(location.path()),
            operation: self.operation,
            offset: self.offset,
            attempt: self.attempt,
            server_code: self.server_code,
            http_status: self.http_status,
            request_id: self.request_id.as_deref(),
        }
    }
}
