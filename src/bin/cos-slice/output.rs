//! What scripts read: stdout, the one line of an error, and the exit status.

use std::io::{self, ErrorKind, Write};

use cos_slice::upload::error::Error;
use cos_slice::upload::status::Status;
use serde::Serialize;

/// Exit status: it worked.
pub const DONE: u8 = 0;
/// Exit status: it failed; the reason was told.
pub const FAILED: u8 = 1;
/// Exit status: the call is wrong; nothing was sent.
pub const USAGE: u8 = 2;
/// Exit status: the user stopped it.
pub const INTERRUPTED: u8 = 130;

/// A failure as the member `error` of the JSON object.
#[derive(Serialize)]
struct Failure<'a> {
    status: &'static str,
    server_code: Option<i64>,
    http_status: Option<u16>,
    request_id: Option<&'a str>,
    operation: Option<&'static str>,
    slice_offset: Option<u64>,
    attempts: u32,
    os_errno: Option<i32>,
    message: &'a str,
    retryable: bool,
}

#[derive(Serialize)]
struct Failed<'a> {
    error: Failure<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<&'a str>,
}

/// Tells a failure, on stderr in one line and for `--json` on stdout too, with what else was noticed, and gives its exit
/// status.
pub fn fail(error: &Error, warning: Option<&str>, json: bool) -> u8 {
    note(&error.message);
    let status = match error.status {
        Status::InvalidArgument => USAGE,
        Status::Cancelled => INTERRUPTED,
        _ => FAILED,
    };
    if json {
        let error = Failure {
            status: error.status.name(),
            server_code: error.server_code,
            http_status: error.http_status,
            request_id: error.request_id.as_deref(),
            operation: error.place.operation.map(|(api, kind)| api.operation_name(kind)),
            slice_offset: error.place.offset,
            attempts: error.place.attempts,
            os_errno: error.os_errno,
            message: &error.message,
            retryable: error.is_retryable(),
        };
        print_json(&Failed { error, warning }, status)
    } else {
        status
    }
}

/// Prints a line on stdout. The exit status becomes that of a failure where the line could not be written; a reader
/// that went away has what it wanted.
pub fn print(line: &str, status: u8) -> u8 {
    let mut out = io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            note(&format!("writing to stdout failed: {error}"));
            status.max(FAILED)
        }
        _ => status,
    }
}

/// Prints a value on stdout as one line of JSON.
pub fn print_json(value: &impl Serialize, status: u8) -> u8 {
    match serde_json::to_string(value) {
        Ok(line) => print(&line, status),
        Err(error) => {
            note(&format!("the result can't be written as JSON: {error}"));
            FAILED
        }
    }
}

/// Writes a line for people. Nobody may be reading, and that is no reason to stop an upload.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr(), "cos-slice: {text}");
}
