//! Who has a checkpoint and how long, and whose memory counts where several went on with one upload.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use cos_emulator::RequestRecord;
use cos_slice::engine::handle::Upload;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use crate::checkpoints::{SIZE, SLICE};
use crate::support::{BUCKET, Stage};

const HANG_GUARD: Duration = Duration::from_secs(60);

impl Stage {
    /// Waits for the end of the lock as any process would. (Asking the upload about it might end the lock.)
    fn wait_until_the_checkpoint_is_free(&self) {
        let lock = self.checkpoint().with_extension("lock");
        let waited = Command::new("flock")
            .args(["--timeout", &HANG_GUARD.as_secs().to_string()])
            .arg(lock)
            .arg("true")
            .status();
        assert!(waited.expect("flock of util-linux").success(), "it stays locked");
    }

    fn refuse_slice(&self, nth: u32) {
        self.fault(&format!(
            r#"{{"operation":"upload_slice_data","nth":{nth},"action":{{"status":400,"code":-5999}}}}"#
        ));
    }

    /// The place of the next checkpoint is taken, so that it can't be written.
    fn block_saving(&self) -> PathBuf {
        let new = self.checkpoint().with_extension("new");
        fs::create_dir(&new).unwrap();
        fs::write(new.join("file"), b"").unwrap();
        new
    }
}

/// Starts an upload and returns when it is so far, without a question to its handle.
fn start_and_hear(upload: &Upload, is_so_far: fn(&Progress) -> bool) {
    let (so_far, heard) = mpsc::channel();
    upload
        .start(Some(Box::new(move |progress| {
            if is_so_far(progress) {
                let _ = so_far.send(());
            }
            0
        })))
        .unwrap();
    heard.recv_timeout(HANG_GUARD).expect("it never came so far");
}

#[test]
fn an_upload_that_is_over_lets_others_have_its_checkpoint_though_nobody_asks_it() {
    let stage = Stage::new();
    let file = stage.old_file(SIZE, 1);
    stage.refuse_slice(2);
    let first = stage.life(&file, true);
    start_and_hear(&first, |progress| progress.phase == Phase::Done);
    stage.emulator.clear_faults();

    stage.wait_until_the_checkpoint_is_free();
    let object = stage.life(&file, true).run(None).unwrap();
    assert_eq!(object.bytes_resumed, SLICE);
    stage.assert_nothing_is_left();
    assert_eq!(first.wait(None).unwrap_err().status, Status::Refused);
}

#[test]
fn an_upload_that_is_ended_in_a_wait_lets_others_have_its_checkpoint_though_nobody_asks_it() {
    for (deadline, status) in [
        (None, Status::Cancelled),
        (Some(Duration::from_secs(1)), Status::Deadline),
    ] {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        stage.fault(
            r#"{"operation":"upload_slice_data","times":0,
                "action":{"status":503,"code":-1,"headers":{"Retry-After":"60"}}}"#,
        );
        let client = stage.checkpointing();
        let first = stage.upload(&client, &file);
        first.set_options(|options| options.deadline = deadline).unwrap();
        first.start(None).unwrap();
        let refused = |requests: &[RequestRecord]| requests.iter().any(|request| request.status == Some(503));
        assert!(stage.emulator.wait_for_requests(refused, HANG_GUARD));
        // The only worker did this after it had the refusal, and sleeps now.
        client.inspect(BUCKET, "elsewhere").unwrap();
        if deadline.is_none() {
            first.cancel();
        }
        stage.wait_until_the_checkpoint_is_free();
        stage.emulator.clear_faults();

        stage.life(&file, true).run(None).unwrap();
        stage.assert_nothing_is_left();
        assert_eq!(first.wait(None).unwrap_err().status, status);
    }
}

#[test]
fn what_a_worker_noticed_of_a_checkpoint_is_told_by_the_handle() {
    let stage = Stage::new();
    let file = stage.old_file(SIZE, 1);
    stage.interrupt(&stage.life(&file, true));
    let new = stage.block_saving();
    let first = stage.life(&file, true);
    stage.refuse_slice(1);
    start_and_hear(&first, |progress| progress.phase == Phase::Done);
    stage.wait_until_the_checkpoint_is_free();
    let warning = first.warning().expect("a warning");
    assert!(warning.contains("writing"), "{warning}");
    fs::remove_dir_all(new).unwrap();
}

#[test]
fn a_handle_goes_on_with_what_another_one_began_in_place_of_its_upload() {
    let stage = Stage::new();
    let (older, newer) = (stage.old_file(SIZE, 1), stage.old_file(SIZE, 2));
    let first = stage.life(&older, false);
    stage.interrupt(&first);
    // Of another file, so the other one throws away what is there.
    stage.interrupt(&stage.life(&newer, false));

    first.set_file(&newer).unwrap();
    let object = first.run(None).unwrap();
    assert_eq!(
        (object.outcome, object.bytes_resumed),
        (Outcome::Resumed, 2 * SLICE)
    );
    stage.assert_object_is(&newer);
    stage.assert_nothing_is_left();
}

#[test]
fn a_handle_goes_on_with_what_another_one_added_to_its_upload() {
    for hash in [true, false] {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        let first = stage.life(&file, hash);
        stage.interrupt(&first);
        stage.interrupt(&stage.life(&file, hash));

        let object = first.run(None).unwrap();
        assert_eq!(object.bytes_resumed, 4 * SLICE, "hashing {hash}");
        assert_eq!(stage.count("delete"), 0, "hashing {hash}");
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

#[test]
fn a_handle_does_not_take_what_another_one_sent_of_another_file_for_its_own() {
    let stage = Stage::new();
    let (ours, theirs) = (stage.old_file(SIZE, 1), stage.old_file(SIZE, 2));
    let first = stage.life(&ours, false);
    // Its first slice counts as sent, and the server has nothing.
    stage.refuse_slice(1);
    assert_eq!(first.run(None).unwrap_err().status, Status::Refused);
    stage.emulator.clear_faults();
    // So the other one uses the same upload.
    stage.refuse_slice(2);
    assert_eq!(
        stage.life(&theirs, false).run(None).unwrap_err().status,
        Status::Refused
    );
    stage.emulator.clear_faults();

    first.run(None).unwrap();
    stage.assert_object_is(&ours);
    stage.assert_nothing_is_left();
}

#[test]
fn a_handle_goes_by_its_own_memory_where_the_checkpoint_could_not_be_written() {
    let stage = Stage::new();
    let (older, newer) = (stage.old_file(SIZE, 1), stage.old_file(SIZE, 2));
    let upload = stage.life(&older, false);
    stage.interrupt(&upload);
    let new = stage.block_saving();
    // Another file makes it another upload, of which the checkpoint does not know.
    upload.set_file(&newer).unwrap();
    stage.interrupt(&upload);

    let object = upload.run(None).unwrap();
    assert_eq!(
        (object.outcome, object.bytes_resumed),
        (Outcome::Resumed, 2 * SLICE)
    );
    stage.assert_object_is(&newer);
    fs::remove_dir_all(new).unwrap();
}
