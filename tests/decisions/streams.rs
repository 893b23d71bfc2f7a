//! Sources that can be read but once, and those that are spooled first.

use std::time::Duration;

use cos_slice::protocol::OperationKind::{Finish, Init, List, Slice, Stat};
use cos_slice::protocol::digest::Hasher;
use cos_slice::protocol::{Answer, MAX_OBJECT_SIZE};
use cos_slice::upload::failure::{SourceFailure, SourceFault, TaskFailure};
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::progress::Phase;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, Reading, Specification, Work};
use cos_slice::upload::{Client, Next};

use super::script::*;

fn script(reading: Reading, options: UploadOptions) -> Script {
    let specification = Specification {
        reading,
        size: if reading == Reading::AfterSpooling {
            0
        } else {
            SIZE
        },
        ..specification(options)
    };
    Script::specified(client_options(), specification)
}

fn sha_of(content: &[u8]) -> cos_slice::protocol::digest::Sha1Digest {
    let mut hasher = Hasher::new(64);
    hasher.update(content);
    hasher.finish().whole()
}

/// Answers the question for the digest that was taken while the source was read.
fn tell(script: &mut Script, content: &[u8]) {
    let task = script.task();
    assert!(matches!(task.work, Work::Digest), "{task:?}");
    let told = Ok(Done::Digest(Some(sha_of(content))));
    script.client.report(task, told, script.now);
}

#[test]
fn the_digest_of_a_stream_is_asked_for_once_all_is_there_and_compared_at_the_end() {
    for (there, status) in [(&b"sent"[..], Status::Ok), (&b"other"[..], Status::VerifyFailed)] {
        let mut script = script(Reading::Once, plain());
        script.begin().store_all();
        tell(&mut script, b"sent");
        script.answer(Finish, links());
        while script.client.result(script.id).is_none() {
            script.answer(Stat, object(SIZE, Some(sha_of(there))));
        }
        assert_eq!(script.status(), status);
    }
}

#[test]
fn what_the_server_says_to_have_already_is_looked_up_before_a_stream_goes_on() {
    let mut script = script(Reading::Once, plain());
    script.begin();
    let slices = script.slices();
    let [(first, _), (second, _)] = slices.try_into().unwrap();
    let refused = Err(TaskFailure::Refused(refusal(-4015)));
    script.client.report(first, refused, script.now);
    let stored = Answer::Stored(cos_slice::protocol::Stored::default());
    script
        .client
        .report(second, Ok(Done::Answered(stored)), script.now);
    assert!(!script.client.is_stored(script.id, 0..100));
    script.answer(List, unfinished_of_ours(&[(0, 200)]));
    let _ = script.request(Slice);
    assert!(script.client.is_stored(script.id, 0..200));
    assert!(!script.client.is_stored(script.id, 100..201));
}

#[test]
fn a_part_that_is_gone_ends_the_upload_in_words_of_its_own() {
    let mut script = script(Reading::Once, plain());
    script.begin();
    let task = script.request(Slice);
    let gone = SourceFailure::new(SourceFault::Gone, "the stream is past offset 0");
    script
        .client
        .report(task, Err(TaskFailure::Source(gone)), script.now);
    assert_eq!(script.status(), Status::NotRestartable);
}

#[test]
fn a_stream_never_goes_in_one_request() {
    let options = UploadOptions {
        single_request_limit: SIZE,
        ..plain()
    };
    let _ = script(Reading::Once, options).request(Init);
}

#[test]
fn a_source_of_unknown_size_is_spooled_and_then_like_any_other() {
    let mut script = script(Reading::AfterSpooling, UploadOptions::default());
    let task = script.task();
    assert!(matches!(task.work, Work::Spool), "{task:?}");
    assert_eq!(script.client.progress(script.id).unwrap().phase, Phase::Spooling);
    script
        .client
        .report(task, Ok(Done::Spooled { size: SIZE }), script.now);
    assert_eq!(script.client.progress(script.id).unwrap().total, SIZE);
    script.hash().begin().store_all();
    script.answer(Finish, links()).verify();
    assert_eq!(script.object().size, SIZE);
}

#[test]
fn a_source_that_turns_out_too_large_is_refused_before_any_request() {
    let mut script = script(Reading::AfterSpooling, plain());
    let task = script.task();
    let size = MAX_OBJECT_SIZE + 1;
    script
        .client
        .report(task, Ok(Done::Spooled { size }), Duration::ZERO);
    assert_eq!(script.status(), Status::TooLarge);
}

#[test]
fn a_source_that_can_not_be_spooled_says_whether_it_can_not_be_read_or_has_no_room() {
    for (kind, status) in [
        (SourceFault::Unreadable, Status::FileRead),
        (SourceFault::NoRoom, Status::Resources),
        (SourceFault::TooLarge, Status::TooLarge),
    ] {
        let mut script = script(Reading::AfterSpooling, plain());
        let task = script.task();
        let failure = TaskFailure::Source(SourceFailure::new(kind, "it broke"));
        script.client.report(task, Err(failure), script.now);
        assert_eq!(script.status(), status);
    }
}

#[test]
fn without_a_digest_a_stream_s_object_is_known_by_its_size() {
    let mut script = script(Reading::Once, plain());
    script.begin().store_all();
    let task = script.task();
    assert!(matches!(task.work, Work::Digest), "{task:?}");
    script.client.report(task, Ok(Done::Digest(None)), script.now);
    script.answer(Finish, links());
    script.answer(Stat, object(SIZE, Some(sha_of(b"anything"))));
    assert!(script.object().verified && script.object().sha.is_none());
}

#[test]
fn slices_larger_than_were_asked_for_are_not_held_in_memory() {
    for (slice_size, status) in [(3 << 20, None), ((3 << 20) + 1, Some(Status::BadReply))] {
        let mut script = script(Reading::Once, plain());
        let init = script.request(Init);
        let session = Answer::Session(cos_slice::protocol::Session {
            session: "s1".into(),
            slice_size,
            serial: None,
            offset: 0,
        });
        script
            .client
            .report(init, Ok(Done::Answered(session)), script.now);
        let ended = script.client.result(script.id).map(|_| script.status());
        assert_eq!(ended, status, "{slice_size}");
    }
}

#[test]
fn sources_that_give_nothing_to_be_spooled_leave_half_of_the_workers_to_the_others() {
    for connections in [2, 8] {
        let options = ClientOptions {
            connections: connections.into(),
            ..ClientOptions::default()
        };
        let mut client = Client::new(options, 7);
        for _ in 0..connections {
            let _ = client.begin(
                Specification {
                    reading: Reading::AfterSpooling,
                    ..specification(plain())
                },
                Duration::ZERO,
            );
        }
        for _ in 0..connections / 2 {
            let next = client.next(Duration::ZERO);
            assert!(matches!(next, Next::Task(task) if matches!(task.work, Work::Spool)));
        }
        let other = client.begin(specification(plain()), Duration::ZERO);
        let next = client.next(Duration::ZERO);
        assert!(
            matches!(next, Next::Task(task) if task.job == other),
            "{connections}"
        );
    }
}
