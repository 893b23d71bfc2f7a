//! What can keep a task from its answer, in the terms that the state machine decides by.

use std::fmt;

use crate::protocol::Refusal;

/// Why a task did not bring its answer.
#[derive(Clone, Debug)]
pub enum TaskFailure {
    /// The server answered something other than success.
    Refused(Refusal),
    /// No usable answer came back.
    Network(NetworkFailure),
    /// The source could not be read, or is no longer what it was.
    Source(SourceFailure),
    /// The request could not be written down, because of something that was set; it was not sent.
    Argument(String),
    /// The system refused what the task needs: descriptors, random numbers.
    Resources(String),
    /// The signer gave no signature; says why.
    Signer(String),
    /// A defect of this library was caught.
    Defect(String),
    /// The upload was cancelled meanwhile.
    Cancelled,
}

/// A request whose answer did not arrive.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFailure {
    /// The phase in which it failed.
    pub phase: Phase,
    /// What went wrong there.
    pub cause: Cause,
    /// Whether the server may have acted on the request: false only where it surely did not get it whole.
    pub ambiguous: bool,
    /// Whether the connection was a kept-alive one that broke before a byte of the answer: servers close idle
    /// connections whenever they like, and the next connection is likely to work at once.
    pub stale: bool,
    /// What the system or the TLS library said; never a secret.
    pub detail: String,
    /// The system's error number, where there is one.
    pub os_errno: Option<i32>,
}

/// The phases of a request, each with a time limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the host's addresses.
    Resolve,
    /// Opening the connection.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the head and the body.
    Send,
    /// Waiting for the answer and reading it.
    Answer,
}

/// How a phase failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The phase's time limit ran out (for sending: no byte moved for that long).
    TimedOut,
    /// The host name has no address, or nobody could say.
    NoAddress,
    /// The peer, or a machine on the way, refused or broke the connection.
    Broken,
    /// The server's certificate was not accepted, or the peer does not speak TLS.
    Untrusted,
    /// The reply was larger than the limit.
    TooLarge,
    /// The peer broke the rules of HTTP.
    Malformed,
}

impl fmt::Display for Phase {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Resolve => "looking up the host name",
            Self::Connect => "connecting",
            Self::Tls => "setting up TLS",
            Self::Send => "sending the request",
            Self::Answer => "waiting for the answer",
        })
    }
}

impl fmt::Display for NetworkFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::TimedOut => write!(out, "time ran out while {}", self.phase),
            _ => write!(out, "{} failed", self.phase),
        }?;
        if !self.detail.is_empty() {
            write!(out, ": {}", self.detail)?;
        }
        Ok(())
    }
}

/// What can be the matter with a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceFault {
    /// It can't be read.
    Unreadable,
    /// It is no longer what it was when the upload began.
    Changed,
    /// What was read of it can't be read once more, and is needed.
    Gone,
    /// There is no room for it where it has to be kept before it is sent.
    NoRoom,
    /// It turned out to be larger than the service takes, than was said, or than may be kept before it is sent.
    TooLarge,
}

/// Why the source can't be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFailure {
    /// What about the source.
    pub kind: SourceFault,
    /// What happened, with the file's name.
    pub detail: String,
    /// The system's error number, where there is one.
    pub os_errno: Option<i32>,
    /// What the callback that reads it returned in place of a number of bytes; 0 otherwise.
    pub callback_value: i32,
}

impl SourceFailure {
    /// This is the matter, with the source's name.
    pub fn new(kind: SourceFault, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            os_errno: None,
            callback_value: 0,
        }
    }

    /// The same, with the number of the system's error behind it.
    pub fn of_system(self, os_errno: Option<i32>) -> Self {
        Self { os_errno, ..self }
    }
}

impl fmt::Display for SourceFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.detail)
    }
}

impl std::error::Error for SourceFailure {}
