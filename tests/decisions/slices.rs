//! What the answers to slices lead to.

use std::sync::Arc;
use std::time::Duration;

use crate::script::*;
use OperationKind::{Finish, Init, List};
use cos_slice::protocol::codes::Class;
use cos_slice::protocol::{Answer, Api, Operation, OperationKind, Refusal, Session, Stored, Unfinished};
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, Memory, Reading, Specification, Work};
use cos_slice::upload::{Client, Next};

#[test]
fn serial_upload_means_one_slice_at_a_time_in_order() {
    let mut script = Script::new(plain());
    script.answer(Init, session(Some(true)));
    for offset in [0, 100, 200] {
        let slices = script.slices();
        assert_eq!(
            slices.iter().map(|(_, slice)| slice.offset).collect::<Vec<_>>(),
            [offset]
        );
        for (task, _) in slices {
            script.client.report(
                task,
                Ok(Done::Answered(Answer::Stored(Stored::default()))),
                script.now,
            );
        }
    }
    drop(script.request(Finish));
}

#[test]
fn an_answer_that_is_of_another_request_ends_the_upload_and_does_not_leave_the_slice_under_way_for_ever() {
    let mut script = Script::new(plain());
    script.answer(Init, session(None));
    for (task, slice) in script.slices() {
        let answer = match slice.offset {
            0 => links(),
            _ => Answer::Stored(Stored::default()),
        };
        script.client.report(task, Ok(Done::Answered(answer)), script.now);
    }
    assert_eq!(script.status(), Status::BadReply);
}

#[test]
fn a_bad_offset_makes_the_upload_serial() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    script.refuse_slices(-4005);
    let listed = unfinished(script.sha, &[]);
    script.answer(List, listed);
    assert_eq!(script.slices().len(), 1);
}

#[test]
fn a_lost_session_is_listed_and_then_begun_anew() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    script.refuse_slices(-290);
    script.answer(List, Answer::Absent).begin();
    assert_eq!(script.store_all(), [0, 100, 200]);
}

#[test]
fn a_slice_said_to_be_there_already_is_confirmed_by_list_before_finish() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    let slices = script.slices();
    for (task, _) in slices {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-4015))), script.now);
    }
    script.store_all();
    let listed = unfinished(script.sha, &[(100, 250)]);
    script.answer(List, listed);
    assert_eq!(script.store_all(), [0]);
    drop(script.request(Finish));
}

#[test]
fn slices_in_flight_come_home_before_a_clean_restart() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    let mut slices = script.slices();
    assert_eq!(slices.len(), 2);
    let (first, _) = slices.remove(0);
    script
        .client
        .report(first, Err(TaskFailure::Refused(refusal(-4016))), script.now);
    assert!(matches!(script.client.next(script.now), Next::Idle));
    let (second, _) = slices.remove(0);
    script.client.report(
        second,
        Ok(Done::Answered(Answer::Stored(Stored::default()))),
        script.now,
    );
    drop(script.hash().request(Init));
}

#[test]
fn an_absurd_slice_size_is_an_error() {
    let mut script = Script::new(plain());
    script.answer(Init, session(None)).slices();
    let mut client = Client::new(ClientOptions::default(), 1);
    let name: Arc<str> = "cos://b/p".into();
    let (options, memory) = (plain(), Memory::default());
    let id = client.begin(
        Specification {
            name,
            size: 64 << 30,
            reading: Reading::AtWill,
            blocks: false,
            depth: 0,
            options,
            memory,
            checkpoint: false,
        },
        Duration::ZERO,
    );
    let Next::Task(task) = client.next(Duration::ZERO) else {
        panic!()
    };
    let answer = Answer::Session(Session {
        session: "s".into(),
        slice_size: 1,
        serial: None,
        offset: 0,
    });
    client.report(task, Ok(Done::Answered(answer)), Duration::ZERO);
    assert_eq!(
        client.result(id).unwrap().as_ref().unwrap_err().status,
        Status::BadReply
    );
}

#[test]
fn an_answer_about_another_slice_does_not_count() {
    let mut script = Script::new(plain());
    script.begin();
    let mut slices = script.slices();
    let (task, _) = slices.remove(0);
    let other = Stored {
        offset: Some(100),
        length: Some(100),
    };
    script
        .client
        .report(task, Ok(Done::Answered(Answer::Stored(other))), script.now);
    assert_eq!(script.client.progress(script.id).unwrap().acknowledged, 0);
    assert!(script.store_all().contains(&0));
}

/// The store told another digest of the slice than it was sent with.
fn damaged() -> TaskFailure {
    TaskFailure::Refused(Refusal {
        http_status: 200,
        code: None,
        class: Class::Damaged,
        ambiguous: true,
        ..refusal(-177)
    })
}

#[test]
fn a_damaged_slice_goes_again_and_does_not_count_before() {
    let mut script = Script::new(plain());
    script.begin();
    let mut slices = script.slices();
    let (task, slice) = slices.remove(0);
    script.client.report(task, Err(damaged()), script.now);
    assert_eq!(script.client.progress(script.id).unwrap().acknowledged, 0);
    assert!(script.store_all().contains(&slice.offset));
}

#[test]
fn a_damaged_slice_that_is_said_to_be_there_already_has_all_of_it_sent_once_more() {
    let mut script = Script::new(plain());
    script.begin();
    for round in 0..2 {
        let task = script.request(OperationKind::Slice);
        script.client.report(task, Err(damaged()), script.now);
        for (task, slice) in script.slices() {
            assert_ne!(slice.offset, 0);
            let stored = Ok(Done::Answered(Answer::Stored(Stored::default())));
            script.client.report(task, stored, script.now);
        }
        let mut slice = script.request(OperationKind::Slice);
        while !matches!(&slice.work, Work::Request(Operation::Slice(slice)) if slice.offset == 0) {
            let stored = Ok(Done::Answered(Answer::Stored(Stored::default())));
            script.client.report(slice, stored, script.now);
            slice = script.request(OperationKind::Slice);
        }
        let there = Err(TaskFailure::Refused(refusal(-4015)));
        script.client.report(slice, there, script.now);
        if round == 0 {
            script.refuse(OperationKind::Init, -4019);
            script.answer(OperationKind::List, unfinished_of_ours(&[(0, 250)]));
            script
                .answer(OperationKind::Stat, received(100))
                .answer(OperationKind::Delete, Answer::Deleted);
            script.begin();
        }
    }
    assert_eq!(script.status(), Status::ContentRejected);
}

#[test]
fn a_damaged_slice_that_is_listed_is_not_built_upon() {
    let mut script = Script::new(plain());
    script.begin();
    let slices = script.slices();
    let [(first, _), (second, _)] = slices.try_into().unwrap();
    script.client.report(first, Err(damaged()), script.now);
    let lost = Err(TaskFailure::Refused(refusal(-290)));
    script.client.report(second, lost, script.now);
    script.answer(OperationKind::List, unfinished_of_ours(&[(0, 200)]));
    script.refuse(OperationKind::Init, -4019);
    script.answer(OperationKind::List, unfinished_of_ours(&[(0, 200)]));
    script
        .answer(OperationKind::Stat, received(100))
        .answer(OperationKind::Delete, Answer::Deleted);
    script.begin().store_all();
    script.answer(OperationKind::Finish, links()).verify();
}

#[test]
fn slices_that_are_damaged_again_and_again_end_the_upload() {
    let mut script = Script::new(plain());
    script.begin();
    for _ in 0..MOST_WAITS {
        match script.client.next(script.now) {
            Next::Task(task) => script.client.report(task, Err(damaged()), script.now),
            Next::WakeAt(at) => script.now = at,
            Next::Idle => break,
        }
    }
    assert_eq!(script.status(), Status::ContentRejected);
}

#[test]
fn uploads_take_turns_on_the_connections_of_their_client() {
    let mut client = Client::new(
        ClientOptions {
            connections: 4.into(),
            ..ClientOptions::default()
        },
        1,
    );
    let mut begin = || {
        let (options, memory) = (plain(), Memory::default());
        client.begin(
            Specification {
                name: "cos://b/p".into(),
                size: SIZE,
                reading: Reading::AtWill,
                blocks: false,
                depth: 0,
                options,
                memory,
                checkpoint: false,
            },
            Duration::ZERO,
        )
    };
    let (first, second) = (begin(), begin());
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let Next::Task(task) = client.next(Duration::ZERO) else {
            panic!()
        };
        client.report(task, Ok(Done::Answered(session(None))), Duration::ZERO);
    }
    while let Next::Task(task) = client.next(Duration::ZERO) {
        tasks.push(task);
    }
    let of = |id| tasks.iter().filter(|task| task.job == id).count();
    assert_eq!((of(first), of(second)), (2, 2));
}

#[test]
fn a_server_that_lists_again_and_again_what_it_never_takes_is_given_up() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    for _ in 0..5 {
        script.refuse(Finish, -4019);
        let listed = unfinished(script.sha, &[(0, 100)]);
        script.answer(List, listed);
        assert_eq!(script.store_all(), [100, 200]);
    }
    script.refuse(Finish, -4019);
    assert_eq!(script.status(), Status::ServerFailed);
    let error = script.result().as_ref().unwrap_err();
    assert!(error.message.contains("takes none of what it lacks"), "{error}");
}

#[test]
fn as_long_as_each_list_shows_new_bytes_there_may_be_any_number() {
    const SLICES: u64 = 20;
    let mut client = Client::new(ClientOptions::default(), 7);
    let specification = Specification {
        name: "cos://b/p".into(),
        size: SLICES * SLICE,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options: plain(),
        memory: Memory::default(),
        checkpoint: false,
    };
    let id = client.begin(specification, Duration::ZERO);
    let (mut now, mut taken, mut lists) = (Duration::ZERO, 0, 0);
    for _ in 0..10 * MOST_WAITS {
        let task = match client.next(now) {
            Next::Task(task) => task,
            Next::WakeAt(at) => {
                now = at;
                continue;
            }
            Next::Idle => break,
        };
        let Work::Request(operation) = &task.work else {
            panic!("{task:?}")
        };
        let result = match operation {
            Operation::Init(_) => Ok(Done::Answered(session(Some(true)))),
            // The session is lost before every second slice, once.
            Operation::Slice(slice) if slice.offset / SLICE == 2 * lists + 1 => {
                Err(TaskFailure::Refused(refusal(-290)))
            }
            Operation::Slice(_) => {
                taken += SLICE;
                Ok(Done::Answered(Answer::Stored(Stored::default())))
            }
            Operation::List => {
                lists += 1;
                let Answer::Unfinished(listed) = unfinished_of_ours(&[(0, taken)]) else {
                    unreachable!()
                };
                Ok(Done::Answered(Answer::Unfinished(Unfinished {
                    size: SLICES * SLICE,
                    ..listed
                })))
            }
            Operation::Finish(_) => Ok(Done::Answered(links())),
            Operation::Stat => Ok(Done::Answered(object(SLICES * SLICE, None))),
            other => panic!("{other:?}"),
        };
        client.report(task, result, now);
    }
    assert_eq!(client.result(id).unwrap().as_ref().unwrap().size, SLICES * SLICE);
    assert_eq!(lists, SLICES / 2);
}

#[test]
fn an_upload_that_the_server_loses_is_begun_anew_three_times_and_no_more() {
    let mut script = Script::new(plain());
    script.begin();
    for _ in 0..3 {
        script.refuse_slices(-290);
        script.answer(List, Answer::Absent).begin();
    }
    script.refuse_slices(-290);
    script.answer(List, Answer::Absent);
    assert_eq!(script.status(), Status::ServerFailed);
    let error = script.result().as_ref().unwrap_err();
    assert!(error.message.contains("lost the upload 3 times"), "{error}");
}

#[test]
fn slices_whose_content_is_rejected_are_read_and_sent_once_more_and_no_more() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    script.refuse_slices(-4016);
    script.hash().begin();
    script.refuse_slices(-4016);
    assert_eq!(script.status(), Status::ContentRejected);
}

#[test]
fn a_slice_that_fails_for_good_is_named_with_its_offset_and_attempts() {
    let mut script = Script::new(plain());
    script.answer(Init, session(Some(true)));
    script.lose(OperationKind::Slice);
    script.refuse(OperationKind::Slice, -61);
    let place = script.result().as_ref().unwrap_err().place;
    assert_eq!(
        (place.operation, place.offset, place.attempts),
        (Some((Api::FilesV2, OperationKind::Slice)), Some(0), 2)
    );
}
