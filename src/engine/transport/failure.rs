//! What goes wrong on the wire, in the state machine's terms.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use crate::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};

/// A [`TaskFailure`] on its way through the HTTP library, which carries errors of sockets and bodies
/// unchanged.
#[derive(Debug)]
pub struct Stopped(pub TaskFailure);

impl Stopped {
    /// The failure as an error of a socket or of a body.
    pub fn error(failure: TaskFailure) -> io::Error {
        // Not one of the kinds that the HTTP library takes for the end of a body.
        io::Error::other(Self(failure))
    }

    /// The failure that an error carries, or else the error.
    pub fn from_error(error: io::Error) -> Result<TaskFailure, io::Error> {
        error.downcast::<Self>().map(|stopped| stopped.0)
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            TaskFailure::Refused(refusal) => refusal.fmt(out),
            TaskFailure::Network(failure) => failure.fmt(out),
            TaskFailure::Source(failure) => out.write_str(&failure.detail),
            TaskFailure::Argument(detail)
            | TaskFailure::Resources(detail)
            | TaskFailure::Signer(detail)
            | TaskFailure::Defect(detail) => out.write_str(detail),
            TaskFailure::Cancelled => out.write_str("cancelled"),
        }
    }
}

impl StdError for Stopped {}

/// A failure that is not yet judged: `ambiguous` and `stale` are decided where the whole exchange is known.
pub fn network(phase: Phase, cause: Cause, detail: impl Into<String>) -> TaskFailure {
    let detail = detail.into();
    TaskFailure::Network(NetworkFailure {
        phase,
        cause,
        ambiguous: false,
        stale: false,
        detail,
        os_errno: None,
    })
}

/// As [`network`], for an error of the system.
pub fn network_io(phase: Phase, cause: Cause, error: &io::Error) -> TaskFailure {
    let (detail, os_errno) = (error.to_string(), error.raw_os_error());
    TaskFailure::Network(NetworkFailure {
        phase,
        cause,
        ambiguous: false,
        stale: false,
        detail,
        os_errno,
    })
}

/// A failure of the network, with more to say of it.
pub fn with_hint(failure: TaskFailure, hint: Option<String>) -> TaskFailure {
    match (failure, hint) {
        (TaskFailure::Network(mut failure), Some(hint)) => {
            failure.detail = format!("{}; {hint}", failure.detail);
            TaskFailure::Network(failure)
        }
        (failure, _) => failure,
    }
}

/// What the HTTP library's error means.
pub fn from_http(error: ureq::Error) -> TaskFailure {
    use ureq::Error as E;
    match error {
        E::Io(error) => from_io(error),
        E::LargeResponseHeader(..) => network(
            Phase::Answer,
            Cause::TooLarge,
            "the head of the answer is too large",
        ),
        E::Protocol(error) => {
            let detail = format!("the answer is not HTTP as it should be: {error}");
            network(Phase::Answer, Cause::Malformed, detail)
        }
        E::Http(error) => TaskFailure::Argument(format!("the request can't be written down: {error}")),
        E::BadUri(uri) => TaskFailure::Argument(format!("the request has no valid address: {uri}")),
        error => network(Phase::Answer, Cause::Malformed, error.to_string()),
    }
}

/// What an error while the answer was read means.
pub fn from_io(error: io::Error) -> TaskFailure {
    if error.get_ref().is_some_and(|cause| cause.is::<ureq::Error>()) {
        return from_http(error.into());
    }
    match Stopped::from_error(error) {
        Ok(failure) => failure,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => network(
            Phase::Answer,
            Cause::Broken,
            "the connection ended in the middle of the answer",
        ),
        Err(error) => network_io(Phase::Answer, Cause::Broken, &error),
    }
}
