//! What an upload tells of itself on its way: phases, counts, and how the source is hashed.

use std::time::Duration;

use crate::script::*;
use OperationKind::{Finish, Init, List, Slice, Stat};
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::{Answer, OperationKind, Stored};
use cos_slice::upload::Next;
use cos_slice::upload::failure::{NetworkFailure, TaskFailure};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::progress::Phase;
use cos_slice::upload::task::{Done, Memory, Reading, Specification, Work};
use cos_slice::upload::{Client, status::Status};

const MIB: u64 = 1 << 20;

impl Script {
    fn phase(&self) -> Phase {
        self.client.progress(self.id).unwrap().phase
    }
}

#[test]
fn each_phase_is_told_when_its_first_request_is_to_be_made() {
    let mut script = Script::new(UploadOptions::default());
    assert_eq!(script.phase(), Phase::Hashing);
    script.hash();
    assert_eq!(script.phase(), Phase::Sending);
    script.begin().store_all();
    script.lose(Finish);
    assert_eq!(script.phase(), Phase::Finishing);
    script.answer(Finish, links());
    assert_eq!(script.phase(), Phase::Verifying);
    script.verify();
    assert_eq!(script.phase(), Phase::Done);
}

#[test]
fn every_request_that_is_repeated_is_counted_once_for_each_repetition() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().lose(Init).lose(Init).begin();
    assert_eq!(script.client.progress(script.id).unwrap().retries, 2);
    script.lose(Slice);
    script.store_all();
    assert_eq!(script.client.progress(script.id).unwrap().retries, 3);
    script.lose(Finish).answer(Finish, links()).lose(Stat).verify();
    assert_eq!((script.object().retries, script.object().slices_sent), (5, 3));
}

#[test]
fn without_trouble_nothing_counts_as_repeated() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.answer(Finish, links()).verify();
    assert_eq!((script.object().retries, script.object().bytes_sent), (0, SIZE));
}

#[test]
fn a_slice_counts_as_acknowledged_when_the_server_has_said_that_it_stored_it() {
    let mut script = Script::new(plain());
    script.begin();
    let acknowledged = |script: &Script| script.client.progress(script.id).unwrap().acknowledged;
    let mut slices = script.slices();
    let (second, _) = slices.pop().unwrap();
    let (first, _) = slices.pop().unwrap();
    let stored = || Ok(Done::Answered(Answer::Stored(Stored::default())));
    script.client.report(second, stored(), script.now);
    assert_eq!(acknowledged(&script), 100);
    // That it had the slice before is hearsay until the list confirms it.
    let had_it = TaskFailure::Refused(refusal(-4015));
    script.client.report(first, Err(had_it), script.now);
    let third = script.slices().pop().unwrap().0;
    script.client.report(third, stored(), script.now);
    assert_eq!(acknowledged(&script), 100);
    script.answer(List, unfinished_of_ours(&[(0, 250)]));
    assert_eq!(acknowledged(&script), 250);
}

#[test]
fn a_large_source_is_hashed_piece_by_piece_to_its_last_byte() {
    let mut client = Client::new(
        ClientOptions {
            hashers: 2,
            ..ClientOptions::default()
        },
        7,
    );
    let specification = Specification {
        name: "cos://b/p".into(),
        size: 9 * MIB + 1,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options: UploadOptions::default(),
        memory: Memory::default(),
        checkpoint: false,
    };
    client.begin(specification, Duration::ZERO);
    let mut lengths = Vec::new();
    loop {
        let Next::Task(mut task) = client.next(Duration::ZERO) else {
            panic!("no task after {lengths:?}")
        };
        let Work::Hash { hasher, length } = &mut task.work else {
            break;
        };
        assert!(*length <= 8 * MIB, "{length} bytes at once");
        hasher.update(&vec![0; usize::try_from(*length).unwrap()]);
        lengths.push(*length);
        assert!(
            matches!(client.next(Duration::ZERO), Next::Idle),
            "a hash goes on from where it was"
        );
        client.report(task, Ok(Done::Hashed), Duration::ZERO);
    }
    assert_eq!(lengths.iter().sum::<u64>(), 9 * MIB + 1, "{lengths:?}");
}

#[test]
fn a_kept_connection_that_had_gone_stale_costs_no_pause_once() {
    let stale = || {
        let TaskFailure::Network(failure) = lost() else {
            unreachable!()
        };
        TaskFailure::Network(NetworkFailure {
            stale: true,
            ..failure
        })
    };
    let mut script = Script::new(plain());
    let task = script.request(Init);
    script.client.report(task, Err(stale()), script.now);
    let Next::Task(again) = script.client.next(script.now) else {
        panic!("it is repeated at once")
    };
    script.client.report(again, Err(stale()), script.now);
    assert!(
        matches!(script.client.next(script.now), Next::WakeAt(at) if at > script.now),
        "the second time it is a failure like any other"
    );
}

#[test]
fn what_stat_shows_after_a_lost_finish_decides_only_where_it_is_whole_and_of_this_size() {
    let after_a_lost_finish = || {
        let mut script = Script::new(plain());
        script.begin().store_all();
        script.lose(Finish).refuse(Finish, -290).answer(List, links());
        script
    };
    // A complete object of another size is not ours, whatever else is unknown of it.
    let mut script = after_a_lost_finish();
    script.answer(Stat, object(SIZE + 1, None));
    assert_eq!(script.status(), Status::ObjectExists);

    // One that isn't all there is no object: what there is of it is listed.
    let mut script = after_a_lost_finish();
    let Answer::Status(mut partial) = object(SIZE, None) else {
        unreachable!()
    };
    partial.received = Some(SIZE - 1);
    script.answer(Stat, Answer::Status(partial));
    drop(script.request(List));

    // And where it may be replaced, it is.
    let mut script = Script::new(UploadOptions {
        overwrite: true,
        ..UploadOptions::default()
    });
    script.hash().begin().store_all();
    script
        .lose(Finish)
        .refuse(Finish, -290)
        .answer(List, links())
        .answer(Stat, object(SIZE, Some(Sha1Digest::from_bytes([3; 20]))));
    drop(script.request(Init));
}

#[test]
fn an_empty_object_equals_an_empty_source_without_any_digest() {
    let mut client = Client::new(ClientOptions::default(), 7);
    let specification = Specification {
        name: "cos://b/p".into(),
        size: 0,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options: plain(),
        memory: Memory::default(),
        checkpoint: false,
    };
    let id = client.begin(specification, Duration::ZERO);
    let mut now = Duration::ZERO;
    let mut asked = Vec::new();
    while client.result(id).is_none() {
        match client.next(now) {
            Next::Task(task) => {
                let Work::Request(operation) = &task.work else {
                    panic!("{task:?}")
                };
                asked.push(operation.kind());
                let result = match operation.kind() {
                    OperationKind::Upload if asked.len() == 1 => Err(lost()),
                    OperationKind::Upload => Err(TaskFailure::Refused(refusal(-177))),
                    List => Ok(Done::Answered(links())),
                    Stat => Ok(Done::Answered(object(0, None))),
                    other => panic!("{other:?} after {asked:?}"),
                };
                client.report(task, result, now);
            }
            Next::WakeAt(at) => now = at,
            Next::Idle => panic!("it is not over after {asked:?}"),
        }
        assert!(asked.len() < 10, "{asked:?}");
    }
    let object = client.result(id).unwrap().as_ref().expect("it succeeded");
    assert_eq!((object.size, object.verified), (0, true), "{asked:?}");
}

#[test]
fn an_upload_that_was_resumed_stays_so_where_only_stat_tells_that_it_succeeded() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().refuse(Init, -4019);
    let listed = unfinished(script.sha, &[(0, 100)]);
    script.answer(List, listed).store_all();
    script
        .lose(Finish)
        .refuse(Finish, -290)
        .answer(List, Answer::Absent)
        .verify();
    assert_eq!(
        (script.object().outcome, script.object().bytes_resumed),
        (Outcome::Resumed, 100)
    );
}

#[test]
fn a_task_is_shown_in_few_words_without_session_or_content() {
    let mut script = Script::with_checkpoint(UploadOptions::default(), Memory::default());
    let mut shown = Vec::new();
    let task = script.task();
    shown.push(format!("{:?}", task.work));
    drop(task);

    let mut script = Script::new(plain());
    let init = script.request(Init);
    shown.push(format!("{:?}", init.work));
    let begun = Ok(Done::Answered(session(None)));
    script.client.report(init, begun, script.now);
    shown.push(format!("{:?}", script.request(Slice).work));
    assert_eq!(shown, ["hash 0 + 250", "Init", "slice 0 + 100"]);
    assert_eq!(format!("{:?}", Work::Forget), "forget");
}
