//! What goes with the requests, and the kinds of what comes back.

use std::sync::Arc;

use crate::protocol::digest::Sha1Digest;
use crate::protocol::numbers::numbered;
use crate::protocol::{Answer, MAX_SESSION_BYTES};
use crate::upload::options;

#[cfg(doc)]
use super::Call;

numbered! {
    /// What kind of answer a verb of [`Call`] brought.
    pub enum AnswerKind {
        Session = 1, "session", "To init: an upload was begun; send slices with this session.";
        Complete = 2, "complete", "The object is complete, and these are its addresses.";
        Unfinished = 3, "unfinished", "To list: there is an unfinished upload, of which the service has these parts.";
        Stored = 4, "stored", "To slice: the service has it.";
        Status = 5, "status", "To stat: what the service says of the object.";
        Absent = 6, "absent", "To list and stat: there is nothing at this path.";
        Deleted = 7, "deleted", "To delete: there is nothing at this path any more.";
        Created = 8, "created", "To create_directory: the directory is there, now or since before.";
        Hashed = 9, "hashed", "To hash: the SHA-1 of the source.";
    }
}

impl From<&Answer> for AnswerKind {
    fn from(answer: &Answer) -> Self {
        match answer {
            Answer::Session(_) => Self::Session,
            Answer::Complete(_) => Self::Complete,
            Answer::Unfinished(_) => Self::Unfinished,
            Answer::Stored(_) => Self::Stored,
            Answer::Status(_) => Self::Status,
            Answer::Absent => Self::Absent,
            Answer::Deleted => Self::Deleted,
            Answer::Created => Self::Created,
        }
    }
}

/// What goes with the requests of a [`Call`], each as far as it takes it.
#[derive(Clone, Debug, Default)]
pub struct CallSettings {
    /// The most attempts at one request, 1 for none but the first; `None` for as many as the client's policy has, which
    /// holds besides.
    pub attempts: Option<u32>,
    /// The session that init or list answered, at most [`MAX_SESSION_BYTES`].
    pub session: Option<Arc<str>>,
    /// The object's size in bytes; `None` for that of the source.
    pub size: Option<u64>,
    /// The slice size to ask for, in bytes; `None` for the store's usual one.
    pub slice_size: Option<u64>,
    /// The object's SHA-1, where it was not taken by [`Call::hash`].
    pub sha1: Option<Sha1Digest>,
    /// An attribute that the service keeps for the application.
    pub biz_attr: Option<Arc<str>>,
    /// Whether an object of this name may be replaced.
    pub overwrite: bool,
}

/// Checks a session.
pub fn validate_session(session: &str) -> Result<(), String> {
    if session.is_empty() {
        return Err("session: it is empty; give the one that init or list answered".into());
    }
    if session.len() > MAX_SESSION_BYTES {
        return Err(format!(
            "session: {} bytes are more than {MAX_SESSION_BYTES}",
            session.len()
        ));
    }
    if session.chars().any(char::is_control) {
        return Err("session: control characters are not accepted".into());
    }
    Ok(())
}

impl CallSettings {
    /// Checks the ranges.
    pub(super) fn validate(&self) -> Result<(), String> {
        if self.attempts == Some(0) {
            return Err("attempts: there is at least 1".into());
        }
        if let Some(session) = &self.session {
            validate_session(session)?;
        }
        self.biz_attr
            .as_deref()
            .map_or(Ok(()), options::validate_biz_attr)
    }
}
