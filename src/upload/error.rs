//! Why an upload failed, in words and numbers that a caller can act on.

use std::fmt;

use crate::protocol::codes::{self, Class, Fault};
use crate::protocol::{Api, OperationKind, Refusal};

use super::failure::{Cause, NetworkFailure, Phase, SourceFailure, SourceFault, TaskFailure};
use super::status::Status;

/// Where in an upload something failed.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The request that failed, and the protocol that names it; `None` outside of requests.
    pub operation: Option<(Api, OperationKind)>,
    /// The slice's offset in bytes; `None` where it is not about a slice.
    pub offset: Option<u64>,
    /// How often it was attempted.
    pub attempts: u32,
}

impl Place {
    /// Not in a request.
    pub const NOWHERE: Self = Self {
        operation: None,
        offset: None,
        attempts: 0,
    };
}

/// Why an upload failed. Plain data; it stays valid whatever becomes of the upload. Never holds a secret or a
/// signature.
#[derive(Clone, Debug)]
pub struct Error {
    /// The kind of failure.
    pub status: Status,
    /// What happened, where, what the server said, and what to do next: one line, without control characters.
    pub message: String,
    /// Where it failed.
    pub place: Place,
    /// The service's code, where it gave one.
    pub server_code: Option<i64>,
    /// The HTTP status, where there was an answer.
    pub http_status: Option<u16>,
    /// The service's identifier of the request, to be quoted to its support.
    pub request_id: Option<String>,
    /// The system's error number, where there is one.
    pub os_errno: Option<i32>,
    /// What the callback that stopped the upload, or could not read for it, returned; 0 otherwise.
    pub callback_value: i32,
}

impl std::error::Error for Error {}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl Error {
    /// A failure that needs no more than a sentence.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            place: Place::NOWHERE,
            server_code: None,
            http_status: None,
            request_id: None,
            os_errno: None,
            callback_value: 0,
        }
    }

    /// An argument or setting that is not acceptable; the sentence begins with its name.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// The server said no.
    pub fn refused(name: &str, place: Place, refusal: &Refusal) -> Self {
        let status = status_of_refusal(refusal);
        let mut message = format!("{name}: {place} was refused: {}", explained(refusal));
        let hint = match status {
            Status::Credentials if refusal.has_fixed_signature && refusal.class == Class::Resign => {
                FIXED_SIGNATURE
            }
            _ => codes::hint(refusal.api, refusal.code, refusal.http_status),
        };
        push_advice(&mut message, hint);
        Self {
            place,
            server_code: refusal.code,
            http_status: Some(refusal.http_status),
            request_id: refusal.request_id.clone(),
            ..Self::new(status, message)
        }
    }

    /// No answer came.
    pub fn network(name: &str, place: Place, failure: &NetworkFailure) -> Self {
        let status = status_of_network(failure);
        let mut message = format!("{name}: {place} failed: {failure}");
        push_advice(&mut message, advice(status));
        Self {
            place,
            os_errno: failure.os_errno,
            ..Self::new(status, message)
        }
    }

    /// The source can't be sent.
    pub fn source(name: &str, failure: &SourceFailure) -> Self {
        let status = match failure.kind {
            SourceFault::Unreadable => Status::FileRead,
            SourceFault::Changed => Status::SourceChanged,
            SourceFault::Gone => Status::NotRestartable,
            SourceFault::NoRoom => Status::Resources,
            SourceFault::TooLarge => Status::TooLarge,
        };
        let mut message = format!("{name}: {}", failure.detail);
        push_advice(&mut message, advice_on_source(status));
        Self {
            os_errno: failure.os_errno,
            callback_value: failure.callback_value,
            ..Self::new(status, message)
        }
    }

    /// The source can't be opened.
    pub fn file_open(name: &str, failure: &SourceFailure) -> Self {
        let text = format!("{name}: {}", failure.detail);
        Self {
            os_errno: failure.os_errno,
            ..Self::new(Status::FileOpen, text)
        }
    }

    /// A task that failed before or beside its request.
    pub(crate) fn without_request(name: &str, failure: TaskFailure) -> Self {
        match failure {
            TaskFailure::Source(failure) => Self::source(name, &failure),
            TaskFailure::Argument(text) => Self::invalid(format!("{name}: {text}")),
            TaskFailure::Resources(text) => Self::new(Status::Resources, format!("{name}: {text}")),
            TaskFailure::Signer(text) => Self::new(Status::Signer, format!("{name}: {text}"))
                .with_note("Run it again to resume once the signer works."),
            TaskFailure::Defect(text) => Self::new(Status::Panic, format!("{name}: {text}")),
            TaskFailure::Cancelled => Self::cancelled(name),
            TaskFailure::Refused(refusal) => Self::refused(name, Place::NOWHERE, &refusal),
            TaskFailure::Network(failure) => Self::network(name, Place::NOWHERE, &failure),
        }
    }

    /// The caller wanted it so.
    pub fn cancelled(name: &str) -> Self {
        Self::new(
            Status::Cancelled,
            format!("{name}: cancelled. Run it again to resume."),
        )
    }

    /// Adds what else the caller must know.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        push_advice(&mut self.message, note);
        self
    }

    /// Whether the same upload, run again unchanged, may well succeed.
    pub fn is_retryable(&self) -> bool {
        self.status.is_retryable()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operation {
            Some((api, kind)) => out.write_str(api.operation_name(kind))?,
            None => out.write_str("the upload")?,
        }
        if let Some(offset) = self.offset {
            write!(out, " at offset {offset}")?;
        }
        if self.attempts > 1 {
            write!(out, " (attempt {})", self.attempts)?;
        }
        Ok(())
    }
}

/// What a refusal says, and what its code means.
fn explained(refusal: &Refusal) -> String {
    let mut text = refusal.to_string();
    if let Some(row) = refusal.code.and_then(|code| codes::lookup(refusal.api, code)) {
        text.push_str(&format!(" ({})", row.meaning));
    }
    if let Some(clocks) = refusal.clocks {
        text.push_str(&format!("; {clocks}"));
    }
    text
}

/// What became of a request that failed, without what to do next: for a log.
pub fn what_failed(place: Place, failure: &TaskFailure) -> String {
    match failure {
        TaskFailure::Refused(refusal) => format!("{place} was refused: {}", explained(refusal)),
        TaskFailure::Network(failure) => format!("{place} failed: {failure}"),
        TaskFailure::Source(failure) => format!("{place} failed: {failure}"),
        TaskFailure::Argument(text)
        | TaskFailure::Resources(text)
        | TaskFailure::Signer(text)
        | TaskFailure::Defect(text) => format!("{place} failed: {text}"),
        TaskFailure::Cancelled => format!("{place} was cut short by the end of the upload"),
    }
}

/// What to do where a signature that never changes was refused.
const FIXED_SIGNATURE: &str = "The authorization string that was set has expired or was never good: set one that was made anew, \
                               and run the upload again to resume.";

fn push_advice(message: &mut String, advice: &str) {
    if !advice.is_empty() {
        if !message.ends_with('.') {
            message.push('.');
        }
        message.push(' ');
        message.push_str(advice);
    }
}

fn status_of_refusal(refusal: &Refusal) -> Status {
    match refusal.class {
        Class::Overload => Status::ServerBusy,
        Class::Retry if refusal.code.is_none() && refusal.http_status < 500 => Status::BadReply,
        Class::Retry | Class::Relist | Class::BadOffset | Class::Delivered => Status::ServerFailed,
        Class::Resign => Status::Credentials,
        Class::OtherUpload => Status::OtherUpload,
        Class::Exists => Status::ObjectExists,
        Class::Absent => Status::NotFound,
        Class::SliceSize => Status::Refused,
        Class::Restart | Class::Damaged => Status::ContentRejected,
        // Not the service's envelope, and no error either: somebody else answers there.
        Class::Final if refusal.code.is_none() && refusal.http_status < 400 => Status::BadReply,
        Class::Final => status_of_fault(codes::fault(refusal.api, refusal.code, refusal.http_status)),
    }
}

fn status_of_fault(fault: Fault) -> Status {
    match fault {
        Fault::Credentials => Status::Credentials,
        Fault::Bucket => Status::NoBucket,
        Fault::Missing => Status::NotFound,
        Fault::TooLarge => Status::TooLarge,
        Fault::Argument | Fault::Server => Status::Refused,
    }
}

fn status_of_network(failure: &NetworkFailure) -> Status {
    match (failure.cause, failure.phase) {
        (Cause::Untrusted, _) => Status::Tls,
        (Cause::TooLarge | Cause::Malformed, _) => Status::BadReply,
        (_, Phase::Resolve) => Status::Resolve,
        (_, Phase::Connect) => Status::Connect,
        (Cause::TimedOut, _) => Status::TimedOut,
        (_, Phase::Tls) => Status::Tls,
        (_, Phase::Send | Phase::Answer) => Status::ConnectionLost,
    }
}

/// What to do next about a source: that it is too large was found out here, not by the service.
fn advice_on_source(status: Status) -> &'static str {
    match status {
        Status::TooLarge => "Begin again with the whole content, its true size, and limits that hold it.",
        status => advice(status),
    }
}

/// What to do next, where the service's own code has no better advice.
fn advice(status: Status) -> &'static str {
    match status {
        Status::FileRead => "Nothing wrong was made on the server; run it again when the source can be read.",
        Status::SourceChanged => {
            "Run it again once the source stays as it is and has the size that was said."
        }
        Status::NotRestartable => "Begin again with the whole content, or have the stream spooled.",
        Status::Resolve => "Check the host in the endpoint or region, that of a proxy, and the network.",
        Status::Connect => "Check the endpoint's host and port, those of a proxy, and that the server is up.",
        Status::Tls => "Check the endpoint's host name and the trusted certificates, or set a CA file.",
        Status::ConnectionLost | Status::TimedOut => "Check the network; run it again to resume.",
        Status::BadReply => {
            "Check that the endpoint is a service of this kind and no proxy answers in its place."
        }
        Status::Credentials => "Check the app id, the secret id, the secret key and this machine's clock.",
        Status::NoBucket => "Check the bucket's name, the app id and the region.",
        Status::ObjectExists => "Choose another path, or turn overwriting on.",
        Status::OtherUpload => {
            "Wait for it, choose another path, or turn discarding of unfinished uploads on."
        }
        Status::NotFound => "Create the path's directory first.",
        Status::ServerBusy | Status::ServerFailed => "Run it again later to resume.",
        Status::ContentRejected => "Run it again; if it stays so, check this machine's memory and disk.",
        Status::VerifyFailed => "Do not rely on the object; upload it again with overwriting on.",
        Status::OutcomeUnknown => {
            "Check the object's size and content with stat or a download before relying on it or sending it again."
        }
        _ => "",
    }
}
