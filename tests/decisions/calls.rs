//! One operation by itself, as the command's `status` asks for it.

use std::time::Duration;

use crate::script::*;
use cos_slice::protocol::{Answer, Init, Operation, OperationKind, Slice};
use cos_slice::upload::call::CallOptions;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::ClientOptions;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Task};
use cos_slice::upload::{Client, Next};

fn operation_of(kind: OperationKind) -> Operation {
    match kind {
        OperationKind::Init => Operation::Init(Init {
            size: 10,
            slice_size: 10,
            digests: None,
            biz_attr: None,
            overwrite: false,
            session: None,
        }),
        OperationKind::Slice => Operation::Slice(Slice {
            session: "s".into(),
            offset: 0,
            length: 10,
            sha: None,
        }),
        _ => Operation::Stat,
    }
}

struct Call {
    client: Client,
    id: JobId,
    now: Duration,
}

impl Call {
    fn begin() -> Self {
        Self::of(Operation::Stat, CallOptions::default())
    }

    fn of(operation: Operation, options: CallOptions) -> Self {
        let mut client = Client::new(ClientOptions::default(), 7);
        let id = client.begin_call("cos://b/p".into(), operation, options);
        let now = Duration::from_secs(5);
        Self { client, id, now }
    }

    /// The next attempt, when its time has come.
    fn task(&mut self) -> Task {
        for _ in 0..MOST_WAITS {
            match self.client.next(self.now) {
                Next::Task(task) => return task,
                Next::WakeAt(at) => {
                    assert!(at > self.now, "a wait that is none");
                    self.now = at;
                }
                Next::Idle => panic!("no task, answer {:?}", self.client.answer(self.id)),
            }
        }
        panic!("it only ever waits, now until {:?}", self.now)
    }

    fn report(&mut self, result: Result<Done, TaskFailure>) {
        let task = self.task();
        self.client.report(task, result, self.now);
    }

    fn error(&self) -> &Error {
        let answer = self.client.answer(self.id).expect("the call is over");
        answer.as_ref().expect_err("the call failed")
    }
}

#[test]
fn a_call_is_asked_once_and_ends_with_its_answer() {
    let mut call = Call::begin();
    let task = call.task();
    assert_eq!(task.attempt, 1);
    assert!(
        matches!(call.client.next(call.now), Next::Idle),
        "one request at a time"
    );
    assert!(call.client.answer(call.id).is_none());
    assert_eq!(call.client.take_finished(), []);
    call.client
        .report(task, Ok(Done::Answered(Answer::Absent)), call.now);
    assert_eq!(
        call.client.answer(call.id).map(|answer| answer.as_ref().unwrap()),
        Some(&Answer::Absent)
    );
    assert_eq!(call.client.take_finished(), [call.id]);
    assert!(matches!(call.client.next(call.now), Next::Idle), "it is over");
    // It is no upload, and has nothing of one.
    assert!(call.client.result(call.id).is_none() && call.client.progress(call.id).is_none());
}

#[test]
fn a_call_that_is_lost_is_repeated_after_a_pause_and_counts_its_attempts() {
    let mut call = Call::begin();
    let began = call.now;
    for _ in 0..2 {
        call.report(Err(lost()));
        assert!(call.client.answer(call.id).is_none());
        assert!(
            matches!(call.client.next(call.now), Next::WakeAt(at) if at > call.now),
            "not at once"
        );
    }
    let task = call.task();
    assert_eq!(task.attempt, 3);
    assert!(call.now > began);
    call.client
        .report(task, Ok(Done::Answered(Answer::Absent)), call.now);
    assert!(call.client.answer(call.id).unwrap().is_ok());
}

#[test]
fn a_call_that_is_lost_every_time_ends_with_what_it_was_and_how_often() {
    let mut call = Call::begin();
    for _ in 0..4 {
        assert!(call.client.answer(call.id).is_none());
        call.report(Err(lost()));
    }
    assert_eq!(call.error().status, Status::ConnectionLost);
    assert!(
        call.error().message.contains("stat (attempt 4)"),
        "{}",
        call.error().message
    );
    assert_eq!(call.error().place.attempts, 4);
}

#[test]
fn a_call_that_is_refused_ends_with_the_refusal_where_repeating_can_not_help() {
    let mut call = Call::begin();
    call.report(Err(gateway(503)));
    call.report(Err(TaskFailure::Refused(refusal(-61))));
    assert_eq!(
        (call.error().status, call.error().server_code),
        (Status::Credentials, Some(-61))
    );
    assert_eq!(call.error().place.attempts, 2);
}

#[test]
fn a_call_has_as_many_attempts_as_it_may_have() {
    for most in [1, 2] {
        let attempts = Some(most);
        let mut call = Call::of(
            Operation::Stat,
            CallOptions {
                attempts,
                ..CallOptions::default()
            },
        );
        for _ in 0..most {
            assert!(call.client.answer(call.id).is_none());
            call.report(Err(lost()));
        }
        assert_eq!(
            (call.error().status, call.error().place.attempts),
            (Status::ConnectionLost, most)
        );
    }
}

/// An upload asks for the list and goes on; who makes requests one at a time has to do so himself.
#[test]
fn where_an_upload_would_ask_for_the_list_a_call_ends_and_says_so() {
    let refused = [
        (OperationKind::Init, -4019, Status::OtherUpload),
        (OperationKind::Init, -4020, Status::OtherUpload),
        (OperationKind::Slice, -5983, Status::Refused),
        (OperationKind::Slice, -4005, Status::Refused),
        (OperationKind::Slice, -4015, Status::Refused),
        (OperationKind::Slice, -4024, Status::Refused),
    ];
    for (kind, code, status) in refused {
        let mut call = Call::of(operation_of(kind), CallOptions::default());
        call.report(Err(TaskFailure::Refused(refusal(code))));
        let error = call.error();
        assert_eq!(
            (error.status, error.server_code, error.is_retryable()),
            (status, Some(code), false)
        );
        let says = error
            .message
            .contains("the list, or init where there is none, tells");
        assert_eq!(says, code != -4020, "{}", error.message);
    }
}

#[test]
fn what_stopped_a_call_first_is_what_it_ended_with() {
    let mut call = Call::begin();
    let task = call.task();
    call.client.stop(call.id, Error::cancelled("cos://b/p"));
    call.client.stop(call.id, Error::new(Status::Deadline, "late"));
    assert_eq!(call.client.take_finished(), [call.id]);
    call.client
        .report(task, Ok(Done::Answered(Answer::Absent)), call.now);
    assert_eq!(call.error().status, Status::Cancelled);
    assert_eq!(call.client.take_finished(), [], "told once");
    assert_eq!(call.client.in_flight(call.id), 0);
}
