//! What was sent by `files/v1` is not sent again: by the server's word, by the session that a checkpoint names, and never
//! into an upload of other content.

use std::path::Path;

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::handle::Upload;
use cos_slice::protocol::Api;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use crate::support::{Stage, content};

const SLICE: u64 = 512 << 10;
const SLICES: u64 = 6;
const SIZE: u64 = SLICES * SLICE;
/// The slices that are stored before an upload is interrupted.
const STORED: u64 = 3;

fn stage(switches: &[(&str, &str)]) -> Stage {
    let stage = Stage::new();
    for (name, value) in switches {
        stage.emulator.set(name, value).unwrap();
    }
    stage
}

impl Stage {
    /// An upload as a process of its own would make it, with a checkpoint or without.
    fn life_of_v1(&self, file: &Path, checkpoint: bool) -> Upload {
        let config = ClientConfig {
            api: Api::FilesV1,
            checkpoint_dir: checkpoint.then(|| self.checkpoint_dir()),
            ..self.config()
        };
        let upload = self.upload(&Client::new(config).unwrap(), file);
        upload.set_options(|options| options.slice_size = SLICE).unwrap();
        upload
    }

    /// Runs an upload until its first slices are stored.
    fn interrupt_v1(&self, upload: &Upload) {
        let nth = STORED + 1;
        self.fault(&format!(
            r#"{{"operation":"v1_data","nth":{nth},"action":{{"status":400,"code":-5999}}}}"#
        ));
        assert_eq!(upload.run(None).unwrap_err().status, Status::Refused);
        self.emulator.clear_faults();
        self.emulator.clear_requests();
    }

    /// The session that the first control named.
    fn session_named(&self) -> Option<String> {
        let requests = self.emulator.requests();
        assert_eq!(requests[0].operation.as_deref(), Some("v1_control"));
        requests[0].field("session").map(str::to_owned)
    }
}

/// Runs it; whether it hashed.
fn hashes(upload: &Upload) -> bool {
    let mut hashed = false;
    let mut watch = |progress: &Progress| {
        hashed |= progress.phase == Phase::Hashing;
        0
    };
    upload.run(Some(&mut watch)).unwrap();
    hashed
}

fn from(slice: u64) -> Vec<u64> {
    (slice..SLICES).map(|slice| slice * SLICE).collect()
}

#[test]
fn another_client_sends_only_what_is_missing_where_the_server_knows_the_content() {
    for (resume, first, outcome) in [
        ("by_content", STORED, Outcome::Resumed),
        ("by_session", 0, Outcome::Uploaded),
    ] {
        let stage = stage(&[("v1_resume", resume)]);
        let file = stage.file(SIZE, 1);
        stage.interrupt_v1(&stage.life_of_v1(&file, false));
        let object = stage.life_of_v1(&file, false).run(None).unwrap();
        assert_eq!(
            (object.outcome, object.bytes_resumed),
            (outcome, first * SLICE),
            "{resume}"
        );
        assert_eq!(stage.stored_offsets(), from(first), "{resume}");
        assert_eq!(stage.session_named(), None);
        stage.assert_object_is(&file);
    }
}

#[test]
fn a_new_process_names_the_session_of_its_checkpoint_and_does_not_hash_again() {
    for resume in ["by_content", "by_session"] {
        let stage = stage(&[("v1_resume", resume)]);
        let file = stage.old_file(SIZE, 1);
        stage.interrupt_v1(&stage.life_of_v1(&file, true));
        let upload = stage.life_of_v1(&file, true);
        assert!(!hashes(&upload), "{resume}");
        assert!(stage.session_named().is_some(), "{resume}");
        assert_eq!(stage.stored_offsets(), from(STORED), "{resume}");
        assert_eq!(upload.warning(), None);
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

#[test]
fn the_same_handle_goes_on_without_a_checkpoint_too() {
    for resume in ["by_content", "by_session"] {
        let stage = stage(&[("v1_resume", resume)]);
        let file = stage.old_file(SIZE, 1);
        let upload = stage.life_of_v1(&file, false);
        stage.interrupt_v1(&upload);
        assert!(!hashes(&upload), "{resume}");
        assert_eq!(stage.stored_offsets(), from(STORED), "{resume}");
        stage.assert_object_is(&file);
    }
}

#[test]
fn an_upload_that_dies_again_and_again_comes_to_its_end() {
    let stage = stage(&[("v1_resume", "by_session")]);
    let file = stage.old_file(2 * SIZE, 1);
    for _ in 0..3 {
        stage.interrupt_v1(&stage.life_of_v1(&file, true));
    }
    let object = stage.life_of_v1(&file, true).run(None).unwrap();
    assert_eq!(object.bytes_resumed, 3 * STORED * SLICE);
    stage.assert_object_is(&file);
    stage.assert_nothing_is_left();
}

#[test]
fn a_checkpoint_whose_session_the_server_has_forgotten_does_no_harm() {
    for stale in ["new", "-290"] {
        for action in ["drop_session", "rotate_session"] {
            let stage = stage(&[("v1_stale_session", stale), ("v1_resume", "by_session")]);
            let file = stage.old_file(SIZE, 1);
            stage.interrupt_v1(&stage.life_of_v1(&file, true));
            stage.fault(&format!(
                r#"{{"operation":"v1_control","action":{{"{action}":true}}}}"#
            ));
            let object = stage.life_of_v1(&file, true).run(None).unwrap();
            assert_eq!(object.outcome, Outcome::Uploaded, "{stale}, {action}");
            assert!(stage.session_named().is_some(), "{stale}, {action}");
            assert_eq!(stage.stored_offsets(), from(0), "{stale}, {action}");
            stage.assert_object_is(&file);
            stage.assert_nothing_is_left();
        }
    }
}

#[test]
fn an_upload_that_was_completed_while_nobody_looked_is_an_instant_hit() {
    for resume in ["by_content", "by_session"] {
        let stage = stage(&[("v1_resume", resume)]);
        let file = stage.old_file(SIZE, 1);
        stage.interrupt_v1(&stage.life_of_v1(&file, true));
        stage.life_of_v1(&file, false).run(None).unwrap();
        stage.emulator.clear_requests();
        let object = stage.life_of_v1(&file, true).run(None).unwrap();
        assert_eq!((object.outcome, object.slices_sent), (Outcome::Instant, 0));
        stage.assert_nothing_is_left();
    }
}

#[test]
fn a_changed_file_never_becomes_a_mixed_object() {
    for other in ["new", "-4019"] {
        for checkpoint in [true, false] {
            let stage = stage(&[("v1_other_content", other)]);
            let file = stage.old_file(SIZE, 1);
            stage.interrupt_v1(&stage.life_of_v1(&file, checkpoint));
            std::fs::write(&file, content(SIZE, 2)).unwrap();
            let object = stage
                .life_of_v1(&file, checkpoint)
                .run(None)
                .unwrap_or_else(|error| panic!("{other}, checkpoint {checkpoint}: {error}"));
            assert_eq!((object.outcome, object.bytes_resumed), (Outcome::Uploaded, 0));
            assert_eq!(stage.session_named(), None, "it is of other content");
            stage.assert_object_is(&file);
            if checkpoint {
                stage.assert_nothing_is_left();
            }
        }
    }
}

#[test]
fn what_is_there_may_end_in_the_middle_of_a_slice() {
    let stage = stage(&[]);
    let file = stage.file(SIZE, 1);
    // The server has begun with slices of 1 MiB, and is sent smaller ones.
    stage.fault(r#"{"operation":"v1_control","action":{"slice_size":524288}}"#);
    let first = stage.life_of_v1(&file, false);
    first
        .set_options(|options| options.slice_size = 2 * SLICE)
        .unwrap();
    stage.interrupt_v1(&first);
    let second = stage.life_of_v1(&file, false);
    let object = second.run(None).unwrap();
    assert_eq!((object.outcome, object.slices_sent), (Outcome::Resumed, 2));
    assert_eq!(stage.stored_offsets(), [3 * SLICE, 5 * SLICE]);
    stage.assert_object_is(&file);
}

#[test]
fn another_slice_size_in_the_next_run_gives_way_to_that_of_the_upload() {
    let stage = stage(&[]);
    let file = stage.old_file(SIZE, 1);
    stage.interrupt_v1(&stage.life_of_v1(&file, true));
    let second = stage.life_of_v1(&file, true);
    second
        .set_options(|options| options.slice_size = 2 * SLICE)
        .unwrap();
    let object = second.run(None).unwrap();
    assert_eq!(object.bytes_resumed, STORED * SLICE);
    assert_eq!(stage.stored_offsets(), from(STORED));
    stage.assert_object_is(&file);
}
