//! What a failure is called, and what it says: what happened, where, how often, and what to do.

use std::time::Duration;

use crate::script::*;
use cos_slice::protocol::Api;
use cos_slice::protocol::codes::{Class, lookup_http};
use cos_slice::protocol::{Operation, OperationKind, Refusal};
use cos_slice::upload::call::CallOptions;
use cos_slice::upload::error::{Error, Place};
use cos_slice::upload::failure::{Cause, NetworkFailure, Phase, SourceFailure, SourceFault, TaskFailure};
use cos_slice::upload::options::ClientOptions;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::Done;
use cos_slice::upload::{Client, Next};

const PLACE: Place = Place {
    operation: Some((Api::FilesV2, OperationKind::Slice)),
    offset: Some(300),
    attempts: 3,
};

fn network(phase: Phase, cause: Cause) -> NetworkFailure {
    NetworkFailure {
        phase,
        cause,
        ambiguous: true,
        stale: false,
        detail: String::new(),
        os_errno: Some(104),
    }
}

#[test]
fn a_request_without_an_answer_says_in_which_phase_and_what_to_check() {
    let cases = [
        (
            Phase::Resolve,
            Cause::NoAddress,
            Status::Resolve,
            "looking up the host name failed",
            "Check the host in",
        ),
        (
            Phase::Resolve,
            Cause::TimedOut,
            Status::Resolve,
            "time ran out while looking up the host name",
            "Check the host in",
        ),
        (
            Phase::Connect,
            Cause::Broken,
            Status::Connect,
            "connecting failed",
            "Check the endpoint's host and port",
        ),
        (
            Phase::Connect,
            Cause::TimedOut,
            Status::Connect,
            "time ran out while connecting",
            "Check the endpoint's host and port",
        ),
        (
            Phase::Tls,
            Cause::Broken,
            Status::Tls,
            "setting up TLS failed",
            "set a CA file",
        ),
        (
            Phase::Tls,
            Cause::TimedOut,
            Status::TimedOut,
            "time ran out while setting up TLS",
            "Check the network",
        ),
        (
            Phase::Connect,
            Cause::Untrusted,
            Status::Tls,
            "connecting failed",
            "set a CA file",
        ),
        (
            Phase::Send,
            Cause::TimedOut,
            Status::TimedOut,
            "time ran out while sending the request",
            "Check the network",
        ),
        (
            Phase::Send,
            Cause::Broken,
            Status::ConnectionLost,
            "sending the request failed",
            "Check the network",
        ),
        (
            Phase::Answer,
            Cause::Broken,
            Status::ConnectionLost,
            "waiting for the answer failed",
            "Check the network",
        ),
        (
            Phase::Answer,
            Cause::TooLarge,
            Status::BadReply,
            "waiting for the answer failed",
            "no proxy answers",
        ),
        (
            Phase::Answer,
            Cause::Malformed,
            Status::BadReply,
            "waiting for the answer failed",
            "no proxy answers",
        ),
    ];
    for (phase, cause, status, happened, advice) in cases {
        let error = Error::network("cos://b/p", PLACE, &network(phase, cause));
        let begin = format!("cos://b/p: upload_slice_data at offset 300 (attempt 3) failed: {happened}. ");
        assert!(error.message.starts_with(&begin), "{}", error.message);
        assert!(error.message.contains(advice), "{}", error.message);
        assert_eq!(
            (error.status, error.os_errno),
            (status, Some(104)),
            "{}",
            error.message
        );
        assert_eq!(error.to_string(), error.message);
        assert_eq!(
            (error.server_code, error.http_status, error.request_id),
            (None, None, None)
        );
    }
    let mut failure = network(Phase::Connect, Cause::Broken);
    failure.detail = "Connection refused".into();
    let error = Error::network("n", Place::NOWHERE, &failure);
    assert!(
        error
            .message
            .starts_with("n: the upload failed: connecting failed: Connection refused. Check"),
        "{}",
        error.message
    );
}

#[test]
fn a_refusal_keeps_the_servers_words_and_numbers() {
    let error = Error::refused("cos://b/p", PLACE, &refusal(-177));
    assert_eq!(
        (error.status, error.server_code, error.http_status),
        (Status::ObjectExists, Some(-177), Some(400))
    );
    assert_eq!(error.request_id.as_deref(), Some("id"));
    assert!(!error.is_retryable());
    let begin = "cos://b/p: upload_slice_data at offset 300 (attempt 3) was refused: HTTP 400, code -177, \"no\", request id id (";
    assert!(error.message.starts_with(begin), "{}", error.message);
    assert!(error.message.ends_with("allow overwriting."), "{}", error.message);
}

#[test]
fn every_class_of_refusal_has_its_status() {
    let with_code = [
        (Class::Overload, Status::ServerBusy),
        (Class::Retry, Status::ServerFailed),
        (Class::Relist, Status::ServerFailed),
        (Class::BadOffset, Status::ServerFailed),
        (Class::Delivered, Status::ServerFailed),
        (Class::Resign, Status::Credentials),
        (Class::OtherUpload, Status::OtherUpload),
        (Class::Exists, Status::ObjectExists),
        (Class::Absent, Status::NotFound),
        (Class::SliceSize, Status::Refused),
        (Class::Restart, Status::ContentRejected),
    ];
    for (class, status) in with_code {
        let refusal = Refusal {
            class,
            ..refusal(-177)
        };
        let error = Error::refused("n", PLACE, &refusal);
        assert_eq!(error.status, status, "{class:?}");
    }
}

#[test]
fn without_a_code_the_http_status_tells_what_failed() {
    let cases = [
        (200, Status::BadReply),
        (302, Status::BadReply),
        (399, Status::BadReply),
        (400, Status::Refused),
        (401, Status::Credentials),
        (403, Status::Credentials),
        (413, Status::TooLarge),
        (408, Status::BadReply),
        (429, Status::ServerBusy),
        (500, Status::ServerFailed),
        (502, Status::ServerFailed),
        (503, Status::ServerBusy),
    ];
    for (http_status, status) in cases {
        let refusal = Refusal {
            http_status,
            code: None,
            class: lookup_http(http_status).class,
            ..refusal(-177)
        };
        let error = Error::refused("n", PLACE, &refusal);
        assert_eq!(error.status, status, "HTTP {http_status}: {}", error.message);
        assert_eq!((error.http_status, error.server_code), (Some(http_status), None));
    }
}

#[test]
fn a_source_that_can_not_be_read_is_not_one_that_changed() {
    let source = |kind| {
        let failure = SourceFailure::new(kind, "big.mp4: it broke").of_system(Some(5));
        Error::source("n", &failure)
    };
    let (unreadable, changed) = (source(SourceFault::Unreadable), source(SourceFault::Changed));
    assert_eq!(
        (unreadable.status, changed.status),
        (Status::FileRead, Status::SourceChanged)
    );
    assert!(
        unreadable
            .message
            .starts_with("n: big.mp4: it broke. Nothing wrong was made"),
        "{}",
        unreadable.message
    );
    assert!(
        changed
            .message
            .ends_with("once the source stays as it is and has the size that was said."),
        "{}",
        changed.message
    );
    for error in [unreadable, changed] {
        assert_eq!(error.os_errno, Some(5));
        assert!(error.is_retryable());
    }
}

#[test]
fn a_source_that_is_too_large_is_not_to_be_run_again_unchanged() {
    let failure = SourceFailure::new(SourceFault::TooLarge, "the pipe has more than the 3 bytes");
    let error = Error::source("n", &failure);
    assert_eq!(error.status, Status::TooLarge);
    assert!(!error.is_retryable());
    assert_eq!(
        error.message,
        "n: the pipe has more than the 3 bytes. Begin again with the whole content, its true size, and limits that hold it."
    );
}

#[test]
fn what_fails_before_a_request_ends_a_call_at_once() {
    let cases = [
        (TaskFailure::Argument("x".into()), Status::InvalidArgument),
        (TaskFailure::Resources("x".into()), Status::Resources),
        (TaskFailure::Defect("x".into()), Status::Panic),
        (TaskFailure::Cancelled, Status::Cancelled),
    ];
    for (failure, status) in cases {
        let mut client = Client::new(ClientOptions::default(), 7);
        let id = client.begin_call("n".into(), Operation::Stat, CallOptions::default());
        let Next::Task(task) = client.next(Duration::ZERO) else {
            panic!("no task")
        };
        client.report(task, Err(failure), Duration::ZERO);
        let error = client.answer(id).unwrap().as_ref().unwrap_err();
        assert_eq!(error.status, status);
        assert!(error.message.starts_with("n: "), "{}", error.message);
    }
    let mut client = Client::new(ClientOptions::default(), 7);
    let id = client.begin_call("n".into(), Operation::Stat, CallOptions::default());
    let Next::Task(task) = client.next(Duration::ZERO) else {
        panic!("no task")
    };
    client.report(task, Ok(Done::Hashed), Duration::ZERO);
    let error = client.answer(id).unwrap().as_ref().unwrap_err();
    assert_eq!(error.status, Status::Panic, "it was no hash that was asked for");
}
