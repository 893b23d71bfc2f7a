//! What was sent is not sent again.

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::support::{MIB, Stage};

/// Fails the upload of a file after its first slices went through.
fn interrupt(stage: &Stage, file: &std::path::Path, hash: bool) -> cos_slice::engine::handle::Upload {
    stage.fault(r#"{"operation":"upload_slice_data","nth":5,"action":{"status":400,"code":-5999}}"#);
    // One connection: what the emulator has stored by then does not depend on what was in flight.
    let client = Client::new(ClientConfig {
        connections: 1.into(),
        ..stage.config()
    })
    .unwrap();
    let upload = stage.upload(&client, file);
    upload.set_options(|options| options.hash = hash).unwrap();
    assert_eq!(upload.run(None).unwrap_err().status, Status::Refused);
    stage.emulator.clear_faults();
    upload
}

#[test]
fn a_new_process_sends_only_what_is_missing() {
    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    drop(interrupt(&stage, &file, true));
    let before = stage.stored_offsets();
    assert_eq!(before, [0, MIB, 2 * MIB, 3 * MIB]);
    stage.emulator.clear_requests();

    let object = stage.upload(&stage.client(), &file).run(None).unwrap();
    let after = stage.stored_offsets();
    assert!(
        after.iter().all(|offset| !before.contains(offset)),
        "{before:?} then {after:?}"
    );
    assert_eq!(before.len() + after.len(), 12);
    assert_eq!(
        (object.outcome, object.bytes_resumed),
        (Outcome::Resumed, before.len() as u64 * MIB)
    );
    stage.assert_object_is(&file);
}

#[test]
fn the_same_handle_resumes_even_without_hashing() {
    let stage = Stage::new();
    let file = stage.old_file(12 * MIB, 1);
    let upload = interrupt(&stage, &file, false);
    let before = stage.stored_offsets();
    let object = upload.run(None).unwrap();
    assert_eq!(
        (object.outcome, object.bytes_resumed),
        (Outcome::Resumed, before.len() as u64 * MIB)
    );
    stage.assert_object_is(&file);
}

#[test]
fn without_hashing_another_handle_can_prove_nothing_and_says_so() {
    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    drop(interrupt(&stage, &file, false));
    let upload = stage.upload(&stage.client(), &file);
    upload.set_options(|options| options.hash = false).unwrap();
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::OtherUpload, "{error}");

    upload
        .set_options(|options| options.discard_unfinished = true)
        .unwrap();
    assert_eq!(upload.run(None).unwrap().outcome, Outcome::Uploaded);
    stage.assert_object_is(&file);
}

#[test]
fn a_changed_file_never_becomes_a_mixed_object() {
    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    drop(interrupt(&stage, &file, true));
    std::fs::write(&file, crate::support::content(12 * MIB, 2)).unwrap();
    let upload = stage.upload(&stage.client(), &file);
    let error = upload.run(None).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::OtherUpload, Some(-4020)),
        "{error}"
    );
    upload
        .set_options(|options| options.discard_unfinished = true)
        .unwrap();
    upload.run(None).unwrap();
    stage.assert_object_is(&file);
}

#[test]
fn a_changed_file_under_the_same_handle_replaces_what_that_handle_began() {
    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    let upload = interrupt(&stage, &file, true);
    std::fs::write(&file, crate::support::content(12 * MIB, 2)).unwrap();
    assert_eq!(upload.run(None).unwrap().outcome, Outcome::Uploaded);
    stage.assert_object_is(&file);
}

#[test]
fn a_second_run_of_a_handle_does_not_hash_again() {
    let stage = Stage::new();
    let file = stage.old_file(12 * MIB, 1);
    let upload = interrupt(&stage, &file, true);
    let mut hashing = false;
    let mut watch = |progress: &cos_slice::upload::progress::Progress| {
        hashing |= progress.phase == cos_slice::upload::progress::Phase::Hashing;
        0
    };
    upload.run(Some(&mut watch)).unwrap();
    assert!(!hashing);
}

#[test]
fn without_hashing_an_upload_that_replaced_ours_never_becomes_a_mixed_object() {
    let stage = Stage::new();
    let (ours, theirs) = (stage.old_file(12 * MIB, 1), stage.old_file(12 * MIB, 2));
    let first = interrupt(&stage, &ours, false);

    // Somebody else throws our upload away, and comes as far as we had come.
    stage.fault(r#"{"operation":"upload_slice_data","nth":5,"action":{"status":400,"code":-5999}}"#);
    let client = Client::new(ClientConfig {
        connections: 1.into(),
        ..stage.config()
    })
    .unwrap();
    let second = stage.upload(&client, &theirs);
    second
        .set_options(|options| {
            options.hash = false;
            options.discard_unfinished = true;
        })
        .unwrap();
    assert_eq!(second.run(None).unwrap_err().status, Status::Refused);
    stage.emulator.clear_faults();

    assert_eq!(first.run(None).unwrap_err().status, Status::OtherUpload);
    assert_eq!(second.run(None).unwrap().outcome, Outcome::Resumed);
    stage.assert_object_is(&theirs);
}
