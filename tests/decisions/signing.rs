//! When a signer that has to be asked is asked.

use std::time::Duration;

use cos_slice::protocol::OperationKind::{CreateDirectory, Delete, Finish, Init, List, Slice, Stat};
use cos_slice::protocol::{Answer, OperationKind};
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

use super::script::*;

const LIFE: Duration = Duration::from_secs(600);

fn asking() -> ClientOptions {
    ClientOptions {
        asks_signer: true,
        ..client_options()
    }
}

fn script(options: UploadOptions) -> Script {
    let specification = Specification {
        depth: 1,
        ..specification(options)
    };
    Script::specified(asking(), specification)
}

/// Takes the question to the signer, which must be for this.
fn question(script: &mut Script, kind: OperationKind) -> Task {
    let task = script.task();
    assert!(
        matches!(&task.work, Work::Sign(operation) if operation.kind() == kind),
        "{task:?}"
    );
    task
}

fn sign(script: &mut Script, kind: OperationKind, good_for: Duration) {
    let task = question(script, kind);
    script
        .client
        .report(task, Ok(Done::Signed { good_for }), script.now);
}

#[test]
fn one_signature_serves_all_requests_of_an_upload() {
    let mut script = script(plain());
    sign(&mut script, Init, LIFE);
    script.begin().store_all();
    script.answer(Finish, links()).verify();
    assert!(script.object().verified);
}

#[test]
fn it_is_asked_for_again_when_its_time_is_over() {
    let mut script = script(plain());
    sign(&mut script, Init, LIFE);
    script.begin();
    script.now += LIFE;
    sign(&mut script, Slice, LIFE);
    script.store_all();
}

#[test]
fn it_is_asked_for_again_once_after_a_refusal_whatever_was_in_flight() {
    for code in [-96, -59, -97] {
        let mut script = script(plain());
        sign(&mut script, Init, LIFE);
        script.begin();
        let both = script.slices();
        assert_eq!(both.len(), 2);
        for (task, _) in both {
            let refused = Err(TaskFailure::Refused(refusal(code)));
            script.client.report(task, refused, script.now);
        }
        sign(&mut script, Slice, LIFE);
        assert_eq!(
            script.slices().len(),
            2,
            "{code}: both go with the one new signature"
        );
    }
}

#[test]
fn while_it_is_asked_for_nothing_else_of_the_upload_goes_out() {
    let mut script = script(plain());
    let asked = question(&mut script, Init);
    assert!(matches!(script.client.next(script.now), Next::Idle));
    script
        .client
        .report(asked, Ok(Done::Signed { good_for: LIFE }), script.now);
    script.begin();
}

#[test]
fn a_signature_that_is_over_at_once_still_serves_the_request_it_was_made_for() {
    let mut script = script(plain());
    sign(&mut script, Init, Duration::ZERO);
    script.begin();
    sign(&mut script, Slice, Duration::ZERO);
    let _ = script.request(Slice);
    sign(&mut script, Slice, Duration::ZERO);
}

#[test]
fn a_directory_and_a_delete_have_signatures_of_their_own_and_each_attempt_another() {
    let options = UploadOptions {
        create_parents: true,
        discard_unfinished: true,
        ..plain()
    };
    let mut script = script(options);
    sign(&mut script, Init, LIFE);
    script.refuse(Init, -197);
    sign(&mut script, CreateDirectory, LIFE);
    script.answer(CreateDirectory, Answer::Created);
    script.refuse(Init, -4019);
    script.answer(List, unfinished(None, &[(0, 100)]));
    script.answer(Stat, received(100));
    sign(&mut script, Delete, LIFE);
    script.lose(Delete);
    sign(&mut script, Delete, LIFE);
    script.answer(Delete, Answer::Deleted).begin();
}

#[test]
fn a_signer_that_gives_none_ends_the_upload_with_its_reason() {
    let mut script = script(plain());
    let asked = question(&mut script, Init);
    let failed = TaskFailure::Signer("the app server is away".into());
    script.client.report(asked, Err(failed), script.now);
    assert_eq!(script.status(), Status::Signer);
    let message = &script.result().as_ref().unwrap_err().message;
    assert!(message.contains("the app server is away"), "{message}");
}

#[test]
fn a_signer_that_gives_none_for_the_last_look_leaves_the_success() {
    let mut script = script(plain());
    sign(&mut script, Init, LIFE);
    script.begin().store_all();
    script.answer(Finish, links());
    script.now += LIFE;
    let asked = question(&mut script, Stat);
    let failed = TaskFailure::Signer("the app server is away".into());
    script.client.report(asked, Err(failed), script.now);
    assert!(!script.object().verified);
}

#[test]
fn a_refusal_of_a_signature_for_one_request_says_nothing_of_the_one_for_the_others() {
    let options = UploadOptions {
        create_parents: true,
        ..plain()
    };
    let mut script = script(options);
    sign(&mut script, Init, LIFE);
    script.refuse(Init, -197);
    sign(&mut script, CreateDirectory, LIFE);
    script.refuse(CreateDirectory, -97);
    sign(&mut script, CreateDirectory, LIFE);
    script.answer(CreateDirectory, Answer::Created);
    script.begin().store_all();
}

#[test]
fn a_signature_that_is_over_before_its_request_has_a_turn_is_asked_for_again() {
    let options = ClientOptions {
        connections: 1.into(),
        ..asking()
    };
    let mut client = Client::new(options, 7);
    let ids = [(); 2].map(|()| client.begin(specification(plain()), Duration::ZERO));
    let mut now = Duration::ZERO;
    let mut asked = Vec::new();
    for _ in 0..3 {
        let Next::Task(task) = client.next(now) else {
            panic!("a task for the worker")
        };
        assert!(matches!(task.work, Work::Sign(_)), "{task:?}");
        asked.push(task.job);
        let good_for = Duration::from_secs(1);
        client.report(task, Ok(Done::Signed { good_for }), now);
        now += 2 * good_for;
    }
    assert_eq!(asked, [ids[0], ids[1], ids[0]]);
}

#[test]
fn hashing_a_source_that_may_block_does_not_keep_the_others_from_hashing() {
    let mut client = Client::new(client_options(), 7);
    let mut begin = |blocks| {
        let specification = Specification {
            blocks,
            ..specification(UploadOptions::default())
        };
        client.begin(specification, Duration::ZERO)
    };
    let ids = [begin(true), begin(false)];
    for id in ids {
        let next = client.next(Duration::ZERO);
        assert!(matches!(next, Next::Task(Task { job, work: Work::Hash { .. }, .. }) if job == id));
    }
}

#[test]
fn of_two_workers_one_is_left_to_the_others() {
    let mut client = Client::new(asking(), 7);
    for _ in 0..3 {
        let _ = client.begin(specification(plain()), Duration::ZERO);
    }
    let first = client.next(Duration::ZERO);
    assert!(matches!(first, Next::Task(task) if matches!(task.work, Work::Sign(_))));
    assert!(matches!(client.next(Duration::ZERO), Next::Idle));
}

#[test]
fn blocked_questions_leave_half_of_the_workers_to_the_others() {
    let options = ClientOptions {
        connections: 4.into(),
        ..asking()
    };
    let mut client = Client::new(options, 7);
    let ids = [(); 5].map(|()| client.begin(specification(plain()), Duration::ZERO));
    let mut asked = Vec::new();
    while let Next::Task(task) = client.next(Duration::ZERO) {
        assert!(matches!(task.work, Work::Sign(_)));
        asked.push(task);
    }
    assert_eq!(asked.len(), 2);
    let first = asked.remove(0);
    assert_eq!(first.job, ids[0]);
    client.report(first, Ok(Done::Signed { good_for: LIFE }), Duration::ZERO);
    let mut served = Vec::new();
    while let Next::Task(task) = client.next(Duration::ZERO) {
        served.push((task.job, matches!(task.work, Work::Sign(_))));
    }
    served.sort_unstable();
    assert_eq!(
        served,
        [(ids[0], false), (ids[2], true)],
        "the signed request, and the next question"
    );
}

#[test]
fn so_do_sources_that_may_block_and_one_worker_is_enough_for_all() {
    for (connections, most) in [(1, 1), (2, 1), (8, 4)] {
        let options = ClientOptions {
            connections: connections.into(),
            ..ClientOptions::default()
        };
        let mut client = Client::new(options, 7);
        for _ in 0..8 {
            let blocking = Specification {
                blocks: true,
                ..specification(plain())
            };
            let _ = client.begin(blocking, Duration::ZERO);
        }
        let mut taken = 0;
        while let Next::Task(_) = client.next(Duration::ZERO) {
            taken += 1;
        }
        assert_eq!(taken, most, "of {connections}");
        let other = client.begin(specification(plain()), Duration::ZERO);
        let next = client.next(Duration::ZERO);
        assert_eq!(
            matches!(next, Next::Task(task) if task.job == other),
            connections > 1
        );
    }
}

#[test]
fn a_source_that_gives_nothing_does_not_keep_others_from_being_signed() {
    for connections in [2, 4, 8] {
        let options = ClientOptions {
            connections: connections.into(),
            ..asking()
        };
        let mut client = Client::new(options, 7);
        let stream = client.begin(
            Specification {
                blocks: true,
                ..specification(plain())
            },
            Duration::ZERO,
        );
        // Its init is signed and answered, and then all that it may have under way waits for the stream.
        let mut waiting = 0;
        while let Next::Task(task) = client.next(Duration::ZERO) {
            let answer = match &task.work {
                Work::Sign(_) => Done::Signed { good_for: LIFE },
                Work::Request(cos_slice::protocol::Operation::Init(_)) => Done::Answered(session(None)),
                _ => {
                    waiting += 1;
                    continue;
                }
            };
            client.report(task, Ok(answer), Duration::ZERO);
        }
        assert!(
            waiting >= 1 && waiting <= connections / 2,
            "{waiting} of {connections}"
        );
        let other = client.begin(specification(plain()), Duration::ZERO);
        let next = client.next(Duration::ZERO);
        assert!(
            matches!(next, Next::Task(task) if task.job == other && matches!(task.work, Work::Sign(_))),
            "{connections}"
        );
        let _ = stream;
    }
}

#[test]
fn what_waited_for_its_signature_is_not_sent_once_the_upload_has_failed() {
    let specification = Specification {
        checkpoint: true,
        ..specification(plain())
    };
    let mut script = Script::specified(asking(), specification);
    script.save();
    sign(&mut script, Init, LIFE);
    script.begin();
    script.save();
    let first = script.request(Slice);
    script.now += LIFE;
    let asked = question(&mut script, Slice);
    let fatal = Err(TaskFailure::Refused(refusal(-5999)));
    script.client.report(first, fatal, script.now);
    script.save();
    assert_eq!(script.status(), Status::Refused);
    script
        .client
        .report(asked, Ok(Done::Signed { good_for: LIFE }), script.now);
    assert!(matches!(
        script.client.next(script.now),
        Next::Idle | Next::WakeAt(_)
    ));
}
