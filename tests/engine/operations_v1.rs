//! One request at a time in files/v1: control is init, data is slice.

use std::path::Path;

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::operation::Call;
use cos_slice::protocol::{Answer, Api};
use cos_slice::upload::status::Status;

use crate::operations::{begin, call_of, invalid, refused, set};
use crate::support::{MIB, Stage};

fn v1_call(stage: &Stage, file: &Path) -> Call {
    let config = ClientConfig {
        api: Api::FilesV1,
        ..stage.config()
    };
    call_of(&Client::new(config).unwrap(), file)
}

#[test]
fn it_has_neither_list_nor_finish_and_wants_a_sha1() {
    let stage = Stage::new();
    let call = v1_call(&stage, &stage.file(2 * MIB, 1));
    set(&call, |settings| settings.session = Some("s".into()));
    invalid(call.list(), "list: files/v1 has none; init tells where to go on");
    invalid(
        call.finish(),
        "finish: files/v1 has none; the last slice makes the object",
    );
    invalid(call.init(), "sha1: files/v1 demands it; take it by hash first");
    assert!(stage.emulator.requests().is_empty());
}

/// Where control says to go on.
fn next_offset(call: &Call) -> u64 {
    match call.init().unwrap() {
        Answer::Session(session) => session.offset,
        answer => panic!("{answer:?}"),
    }
}

#[test]
fn control_tells_where_to_go_on_and_the_slice_that_completes_the_object_makes_it() {
    let stage = Stage::new();
    let file = stage.file(2 * MIB + 5, 1);
    let call = v1_call(&stage, &file);
    let sha1 = call.hash().unwrap().whole();
    assert_eq!(begin(&call).offset, 0);
    assert!(matches!(call.slice(0, MIB).unwrap(), Answer::Stored(_)));
    assert_eq!(next_offset(&call), MIB);

    // Another process goes on: the SHA-1 is enough, and so is the session.
    let other = v1_call(&stage, &file);
    set(&other, |settings| settings.sha1 = Some(sha1));
    assert_eq!(begin(&other).offset, MIB);
    assert!(matches!(other.slice(MIB, MIB).unwrap(), Answer::Stored(_)));
    let Answer::Complete(links) = other.slice(2 * MIB, 5).unwrap() else {
        panic!("not complete");
    };
    assert!(links.access_url.is_some());
    stage.assert_object_is(&file);
    assert!(
        matches!(call.init().unwrap(), Answer::Complete(_)),
        "it is there already"
    );
    let requests = stage.emulator.requests();
    assert!(
        requests
            .iter()
            .all(|request| request.path.starts_with("/files/v1/"))
    );
    assert_eq!((stage.count("v1_control"), stage.count("v1_data")), (4, 3));
    let controls = requests
        .iter()
        .filter(|request| request.operation.as_deref() == Some("v1_control"));
    let resumed: Vec<_> = controls.map(|request| request.session.is_some()).collect();
    assert_eq!(
        resumed,
        [false, true, false, true],
        "the session goes along where it is set"
    );
    assert_eq!(call.delete().unwrap(), Answer::Deleted);
    assert_eq!(call.stat().unwrap(), Answer::Absent);
}

#[test]
fn what_became_of_a_slice_whose_answer_was_lost_control_tells() {
    let stage = Stage::new();
    let file = stage.file(2 * MIB, 1);
    let call = v1_call(&stage, &file);
    call.hash().unwrap();
    begin(&call);
    stage.fault(r#"{"operation":"v1_data","action":{"reset":"after_effect"}}"#);
    refused_slice(&call, 0);
    assert_eq!(next_offset(&call), MIB);
    assert!(matches!(call.slice(MIB, MIB).unwrap(), Answer::Complete(_)));
    stage.assert_object_is(&file);
}

/// The repetition is refused, since the offset went back.
fn refused_slice(call: &Call, offset: u64) {
    let error = call.slice(offset, MIB).unwrap_err();
    assert_eq!(
        (error.status, error.server_code, error.place.attempts),
        (Status::Refused, Some(-4024), 2),
        "{error}"
    );
    assert!(error.message.ends_with("tells what the server has."), "{error}");
}

#[test]
fn a_slice_at_another_offset_is_refused_once() {
    let stage = Stage::new();
    let call = v1_call(&stage, &stage.file(2 * MIB, 1));
    call.hash().unwrap();
    begin(&call);
    refused(call.slice(MIB, MIB), Status::Refused, "code -4005");
    assert_eq!(stage.count("v1_data"), 1);
}

#[test]
fn an_object_goes_in_one_request_and_a_directory_is_made() {
    let stage = Stage::new();
    let file = stage.file(1000, 1);
    let call = v1_call(&stage, &file);
    assert!(matches!(call.upload().unwrap(), Answer::Complete(_)));
    stage.assert_object_is(&file);
    let Answer::Status(status) = call.stat().unwrap() else {
        panic!("no status");
    };
    assert_eq!(status.size, 1000);
    assert_eq!(call.delete().unwrap(), Answer::Deleted);
    assert_eq!(call.create_directory().unwrap(), Answer::Created);
    let requests = stage.emulator.requests();
    assert!(requests.last().unwrap().path.ends_with("/videos/2026/big.mp4/"));
}
