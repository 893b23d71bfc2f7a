//! One request at a time: each verb, what it answers, and what it refuses before anything is sent.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use cos_slice::engine::client::Client;
use cos_slice::engine::operation::{AnswerKind, Call, CallSettings};
use cos_slice::engine::source::MemorySource;
use cos_slice::protocol::dialect::SliceSizes;
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::{Answer, Session};
use cos_slice::upload::error::Error;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

pub(crate) fn call(client: &Client) -> Call {
    client.call(BUCKET, PATH).unwrap()
}

pub(crate) fn call_of(client: &Client, file: &Path) -> Call {
    let call = call(client);
    call.set_file(file).unwrap();
    call
}

pub(crate) fn set(call: &Call, change: impl FnOnce(&mut CallSettings)) {
    call.set_settings(change).unwrap();
}

/// Begins an upload and goes on with its session.
pub(crate) fn begin(call: &Call) -> Session {
    let Answer::Session(session) = call.init().unwrap() else {
        panic!("not a session");
    };
    set(call, |settings| settings.session = Some(session.session.clone()));
    session
}

/// The operations that were asked for, in the order of their arrival.
fn asked(stage: &Stage) -> Vec<String> {
    let requests = stage.emulator.requests();
    requests
        .into_iter()
        .filter_map(|request| request.operation)
        .collect()
}

#[test]
fn each_verb_makes_its_one_request() {
    let stage = Stage::new();
    let file = stage.file(2 * MIB + 5, 1);
    let call = call_of(&stage.client(), &file);
    assert_eq!(call.list().unwrap(), Answer::Absent);
    assert_eq!(call.stat().unwrap(), Answer::Absent);
    let digests = call.hash().unwrap();
    let session = begin(&call);
    assert_eq!((session.slice_size, session.offset), (MIB, 0));
    for (offset, length) in [(2 * MIB, 5), (0, MIB)] {
        let Answer::Stored(stored) = call.slice(offset, length).unwrap() else {
            panic!("not stored");
        };
        assert!(stored.offset.is_none_or(|told| told == offset));
    }
    let Answer::Unfinished(unfinished) = call.list().unwrap() else {
        panic!("not unfinished");
    };
    assert_eq!((unfinished.size, unfinished.slice_size), (2 * MIB + 5, MIB));
    assert_eq!(unfinished.session, session.session);
    assert_eq!(unfinished.sha, Some(digests.whole()));
    let parts: Vec<_> = unfinished.parts.iter().collect();
    assert_eq!(parts, [0..MIB, 2 * MIB..2 * MIB + 5]);
    call.slice(MIB, MIB).unwrap();
    let Answer::Complete(links) = call.finish().unwrap() else {
        panic!("not complete");
    };
    assert!(links.access_url.is_some());
    stage.assert_object_is(&file);
    let Answer::Status(status) = call.stat().unwrap() else {
        panic!("no status");
    };
    assert_eq!((status.size, status.sha), (2 * MIB + 5, Some(digests.whole())));
    assert!(
        matches!(call.init().unwrap(), Answer::Complete(_)),
        "it is there already"
    );
    assert_eq!(call.delete().unwrap(), Answer::Deleted);
    assert_eq!(call.delete().unwrap(), Answer::Deleted, "nor was it before");
    assert_eq!(call.stat().unwrap(), Answer::Absent);
    let (init, slice, list) = ("upload_slice_init", "upload_slice_data", "upload_slice_list");
    let all = [
        list,
        "stat",
        init,
        slice,
        slice,
        list,
        slice,
        "upload_slice_finish",
        "stat",
        init,
        "delete",
        "delete",
        "stat",
    ];
    assert_eq!(asked(&stage), all);
}

#[test]
fn an_object_goes_in_one_request_with_its_attributes() {
    let stage = Stage::new();
    let call = call(&stage.client());
    for (bytes, hashed) in [
        (Vec::new(), false),
        (content(700_000, 3), true),
        (content(5, 4), false),
    ] {
        call.set_source(Arc::new(MemorySource::new(bytes.clone())))
            .unwrap();
        let sha1 = hashed.then(|| call.hash().unwrap().whole().to_string());
        set(&call, |settings| {
            (settings.overwrite, settings.biz_attr) = (true, Some("camera=7".into()));
        });
        assert!(matches!(call.upload().unwrap(), Answer::Complete(_)));
        assert!(stage.object() == bytes);
        let requests = stage.emulator.requests();
        let request = requests.last().unwrap();
        assert_eq!(request.field("biz_attr"), Some("camera=7"));
        assert_eq!(request.field("insertOnly"), Some("0"));
        assert_eq!(request.field("sha"), sha1.as_deref());
    }
}

#[test]
fn another_source_has_no_sha1_before_it_is_taken() {
    let stage = Stage::new();
    let (first, second) = (stage.file(1000, 1), stage.file(1000, 2));
    let call = call_of(&stage.client(), &first);
    call.hash().unwrap();
    call.set_file(&second).unwrap();
    call.upload().unwrap();
    stage.assert_object_is(&second);
    assert_eq!(stage.emulator.requests()[0].field("sha"), None);
}

#[test]
fn a_directory_is_made_and_is_there_when_it_is_made_again() {
    let stage = Stage::new();
    let client = stage.client();
    for path in ["2026", "2026/clips", "2026/clips"] {
        let call = client.call(BUCKET, path).unwrap();
        assert_eq!(call.create_directory().unwrap(), Answer::Created, "{path}");
    }
    let paths: Vec<_> = stage
        .emulator
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert!(paths[1].ends_with("/videos/2026/clips/"), "{paths:?}");
}

#[test]
fn what_an_unfinished_upload_is_like_stat_tells_too() {
    let stage = Stage::new();
    let call = call_of(&stage.client(), &stage.file(2 * MIB, 1));
    begin(&call);
    call.slice(0, MIB).unwrap();
    let Answer::Status(status) = call.stat().unwrap() else {
        panic!("no status");
    };
    assert_eq!((status.size, status.received), (2 * MIB, Some(MIB)));
}

#[test]
fn handles_of_several_clients_send_into_one_session_at_once() {
    for hashing in [true, false] {
        let stage = Stage::new();
        let file = stage.file(12 * MIB + 7, 1);
        let first = call_of(&stage.client(), &file);
        let sha1 = hashing.then(|| first.hash().unwrap().whole());
        let session = begin(&first);
        thread::scope(|scope| {
            for sender in 0..3 {
                let (stage, file, session) = (&stage, &file, &session);
                scope.spawn(move || {
                    let call = call_of(&stage.client(), file);
                    set(&call, |settings| {
                        (settings.session, settings.sha1) = (Some(session.session.clone()), sha1);
                    });
                    for slice in (0..13).filter(|slice| slice % 3 == sender) {
                        let length = if slice == 12 { 7 } else { MIB };
                        call.slice(slice * MIB, length).unwrap();
                    }
                });
            }
        });
        let last = call(&stage.client());
        set(&last, |settings| {
            (settings.session, settings.sha1) = (Some(session.session.clone()), sha1);
            settings.size = Some(12 * MIB + 7);
        });
        assert!(matches!(last.finish().unwrap(), Answer::Complete(_)));
        stage.assert_object_is(&file);
    }
}

#[test]
fn a_sha1_that_was_set_goes_with_every_request_that_takes_one() {
    let stage = Stage::new();
    let file = stage.file(700_000, 1);
    let client = stage.client();
    let sha1 = call_of(&client, &file).hash().unwrap().whole();
    let call = call_of(&client, &file);
    set(&call, |settings| settings.sha1 = Some(sha1));
    begin(&call);
    call.slice(0, 700_000).unwrap();
    call.finish().unwrap();
    for request in stage.emulator.requests() {
        assert_eq!(
            request.field("sha"),
            Some(sha1.to_string().as_str()),
            "{:?}",
            request.operation
        );
    }
    stage.assert_object_is(&file);
}

#[test]
fn a_request_is_repeated_as_often_as_it_may_be() {
    let fault = r#"{"operation":"stat","times":2,"action":{"status":500,"code":-195}}"#;
    for (attempts, succeeds, requests) in [
        (None, true, 3),
        (Some(3), true, 3),
        (Some(2), false, 2),
        (Some(1), false, 1),
    ] {
        let stage = Stage::new();
        stage.fault(fault);
        let call = call(&stage.client());
        set(&call, |settings| settings.attempts = attempts);
        match call.stat() {
            Ok(answer) => assert!(succeeds && answer == Answer::Absent),
            Err(error) => {
                assert!(!succeeds, "{error}");
                assert_eq!(
                    (error.status, error.server_code),
                    (Status::ServerFailed, Some(-195))
                );
                assert_eq!(error.place.attempts, requests);
            }
        }
        assert_eq!(stage.count("stat") as u32, requests);
    }
}

#[test]
fn a_slice_whose_answer_was_lost_is_sent_again_with_the_same_bytes() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    let call = call_of(&stage.client(), &file);
    begin(&call);
    stage.fault(r#"{"operation":"upload_slice_data","action":{"reset":"after_effect"}}"#);
    call.slice(0, MIB).unwrap();
    assert_eq!(stage.count("upload_slice_data"), 2);
    call.finish().unwrap();
    stage.assert_object_is(&file);
}

#[test]
fn what_the_server_refuses_is_told_with_its_code_and_not_repeated() {
    let stage = Stage::new();
    let client = stage.client();
    let file = stage.file(2 * MIB, 1);
    let first = call_of(&client, &file);
    begin(&first);

    let second = call_of(&client, &file);
    let error = second.init().unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::OtherUpload, Some(-4019)),
        "{error}"
    );
    set(&second, |settings| settings.session = Some("nobody's".into()));
    let error = second.slice(0, MIB).unwrap_err();
    assert_eq!(
        (error.status, error.place.offset),
        (Status::Refused, Some(0)),
        "{error}"
    );
    assert!(
        error.server_code.is_some() && error.request_id.is_some(),
        "{error}"
    );
    let error = first.finish().unwrap_err();
    assert_eq!(
        (error.status, error.place.attempts),
        (Status::Refused, 1),
        "{error}"
    );
    assert!(error.message.ends_with("tells what the server has."), "{error}");

    for offset in [0, MIB] {
        first.slice(offset, MIB).unwrap();
    }
    first.finish().unwrap();
    let other = call_of(&client, &stage.file(2 * MIB, 2));
    let error = other.init().unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::ObjectExists, Some(-177)),
        "{error}"
    );
}

#[test]
fn a_store_s_own_slice_sizes_hold_for_single_requests_too() {
    let stage = Stage::new();
    stage.emulator.set("slice_sizes", "4194304,65536").unwrap();
    let mut config = stage.config();
    config.dialect.slice_sizes = SliceSizes::own(&[4 * MIB, 65_536]).unwrap();
    let file = stage.file(4 * MIB + 1, 1);
    let call = call_of(&Client::new(config).unwrap(), &file);
    call.hash().unwrap();
    assert_eq!(
        begin(&call).slice_size,
        4 * MIB,
        "the first of them unless another is set"
    );
    call.slice(0, 4 * MIB).unwrap();
    call.slice(4 * MIB, 1).unwrap();
    call.finish().unwrap();
    stage.assert_object_is(&file);
    set(&call, |settings| settings.slice_size = Some(MIB));
    invalid(call.init(), "slice_size: 1048576 is not one of 4194304, 65536");
}

/// What is refused by the argument's name, and nothing of it is sent.
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>, status: Status, text: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.status, status, "{error}");
    assert!(
        error.message.starts_with("cos://videos/2026/big.mp4: "),
        "{error}"
    );
    assert!(error.message.contains(text), "{error} lacks {text}");
}

pub(crate) fn invalid<T: std::fmt::Debug>(result: Result<T, Error>, text: &str) {
    refused(result, Status::InvalidArgument, text);
}

#[test]
fn what_is_not_acceptable_is_named_and_nothing_is_sent() {
    let stage = Stage::new();
    let client = stage.client();
    let empty = call(&client);
    invalid(empty.init(), "size: none was set");
    invalid(empty.hash(), "source: nothing to send was set");
    invalid(empty.slice(0, 1), "source: nothing to send was set");
    invalid(empty.upload(), "source: nothing to send was set");
    invalid(empty.finish(), "size: none was set");
    set(&empty, |settings| settings.size = Some(0));
    invalid(empty.init(), "size: an empty object has no slices");
    invalid(empty.finish(), "session: none was set");
    set(&empty, |settings| settings.size = Some((64 << 30) + 1));
    refused(empty.init(), Status::TooLarge, "68719476737 bytes");

    let call = call_of(&client, &stage.file(3 * MIB, 1));
    invalid(call.slice(0, 1), "session: none was set");
    set(&call, |settings| settings.session = Some("s".into()));
    invalid(call.slice(0, 0), "length: a slice has at least 1 byte");
    let end = "beyond the object's end at 3145728";
    for (offset, length) in [(0, 3 * MIB + 1), (3 * MIB, 1), (u64::MAX, 1), (1, u64::MAX)] {
        invalid(call.slice(offset, length), end);
    }
    set(&call, |settings| settings.size = Some(3 * MIB + 1));
    let differs = "size: 3145729 bytes were set, and the source has 3145728";
    invalid(call.slice(0, 1), differs);
    invalid(call.init(), differs);
    invalid(call.finish(), differs);
    set(&call, |settings| settings.size = None);
    let other = Sha1Digest::from_bytes([7; 20]);
    set(&call, |settings| settings.sha1 = Some(other));
    invalid(call.init(), "sha1: init wants the running states");
    call.hash().unwrap();
    for result in [call.init(), call.slice(0, 1), call.finish(), call.upload()] {
        invalid(
            result,
            "sha1: 0707070707070707070707070707070707070707 was set, and the source's is",
        );
    }
    set(&call, |settings| {
        (settings.sha1, settings.slice_size) = (None, Some(MIB / 2))
    });
    invalid(
        call.init(),
        "sha1: init wants the running states of the source too, each 524288 bytes",
    );
    set(&call, |settings| settings.slice_size = Some(2 * MIB));
    invalid(
        call.init(),
        "slice_size: 2097152 is only possible without a SHA-1",
    );
    invalid(
        call.hash(),
        "slice_size: 2097152 is only possible without a SHA-1",
    );
    set(&call, |settings| settings.slice_size = Some(7));
    invalid(call.init(), "slice_size: 7 is not one of");

    for (session, text) in [
        ("", "it is empty"),
        ("a\nb", "control characters"),
        (&*"x".repeat(1025), "1025 bytes"),
    ] {
        set(&call, |settings| settings.session = Some(session.into()));
        invalid(call.stat(), &format!("session: {text}"));
    }
    set(&call, |settings| {
        (settings.session, settings.attempts) = (None, Some(0))
    });
    invalid(call.stat(), "attempts: there is at least 1");
    set(&call, |settings| {
        (settings.attempts, settings.biz_attr) = (None, Some("a\u{1}".into()))
    });
    invalid(call.stat(), "biz_attr: control characters");
    set(&call, |settings| settings.biz_attr = None);

    call.set_file(stage.file((20 << 20) + 1, 1)).unwrap();
    refused(
        call.upload(),
        Status::TooLarge,
        "size: 20971521 bytes are more than the service takes in one request",
    );
    call.set_file(stage.folder.path()).unwrap();
    refused(call.upload(), Status::FileOpen, "is a directory");
    assert_eq!(asked(&stage), [""; 0]);
}

#[test]
fn a_file_that_changes_between_two_verbs_is_an_error_and_not_sent() {
    let stage = Stage::new();
    let file = stage.file(2 * MIB, 1);
    let call = call_of(&stage.client(), &file);
    begin(&call);
    call.slice(0, MIB).unwrap();
    std::fs::write(&file, content(3 * MIB, 2)).unwrap();
    let slices = stage.count("upload_slice_data");
    refused(call.slice(MIB, MIB), Status::SourceChanged, "changed");
    refused(call.finish(), Status::SourceChanged, "changed");
    assert_eq!(stage.count("upload_slice_data"), slices);
    // What it is now is another source.
    call.set_file(&file).unwrap();
    set(&call, |settings| settings.overwrite = true);
    assert!(call.init().is_err(), "the unfinished upload is of another size");
}

#[test]
fn kinds_of_answers_have_numbers_of_their_own() {
    let numbers: Vec<_> = AnswerKind::ALL.iter().map(|kind| kind.number()).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    assert_eq!(AnswerKind::from(&Answer::Absent), AnswerKind::Absent);
    assert_eq!(AnswerKind::from(&Answer::Created), AnswerKind::Created);
}
