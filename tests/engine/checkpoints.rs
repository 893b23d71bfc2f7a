//! What one process leaves to the next, and what becomes of uploads where that is spoilt.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cos_slice::engine::checkpoint;
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::{FileSource, Identity, MemorySource, Source};
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

/// Small, since these tests make many uploads.
pub const SLICE: u64 = 512 << 10;
pub const SIZE: u64 = 6 * SLICE;
/// The slices that are stored before an upload is interrupted.
const STORED: u64 = 2;

impl Stage {
    pub fn checkpoint_dir(&self) -> PathBuf {
        self.folder.path().join("state/cos-slice")
    }

    /// One connection: what the emulator has stored at an interruption does not depend on what was in flight.
    pub fn checkpointing(&self) -> Client {
        Client::new(ClientConfig {
            connections: 1.into(),
            checkpoint_dir: Some(self.checkpoint_dir()),
            ..self.config()
        })
        .unwrap()
    }

    /// An upload as a process of its own would make it.
    pub fn life(&self, file: &Path, hash: bool) -> Upload {
        let upload = self.upload(&self.checkpointing(), file);
        upload
            .set_options(|options| (options.hash, options.slice_size) = (hash, SLICE))
            .unwrap();
        upload
    }

    /// Runs an upload until its first slices are stored.
    pub fn interrupt(&self, upload: &Upload) {
        let nth = STORED + 1;
        self.fault(&format!(
            r#"{{"operation":"upload_slice_data","nth":{nth},"action":{{"status":400,"code":-5999}}}}"#
        ));
        assert_eq!(upload.run(None).unwrap_err().status, Status::Refused);
        self.emulator.clear_faults();
        self.emulator.clear_requests();
    }

    fn checkpoint_files(&self) -> Vec<OsString> {
        let entries = fs::read_dir(self.checkpoint_dir()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    pub fn checkpoint(&self) -> PathBuf {
        let files = self.checkpoint_files();
        let mut files = files.iter().map(|name| self.checkpoint_dir().join(name));
        files
            .find(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "checkpoint")
            })
            .expect("a checkpoint")
    }

    pub fn assert_nothing_is_left(&self) {
        assert_eq!(self.checkpoint_files(), [""; 0]);
    }
}

/// A file that counts what is read of it.
struct Counted {
    file: FileSource,
    read: Arc<AtomicU64>,
}

impl Source for Counted {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read_at(offset, buffer)?;
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.file.verify_unchanged()
    }

    fn identity(&self) -> Option<Identity> {
        self.file.identity()
    }

    fn lasting_identity(&self) -> Option<Identity> {
        self.file.lasting_identity()
    }
}

#[test]
fn an_unchanged_file_is_not_hashed_again_by_the_next_process() {
    let stage = Stage::new();
    let file = stage.old_file(SIZE, 1);
    stage.interrupt(&stage.life(&file, true));

    let read = Arc::new(AtomicU64::new(0));
    let upload = stage.checkpointing().upload(BUCKET, PATH).unwrap();
    let counted = Counted {
        file: FileSource::open(&file).unwrap(),
        read: read.clone(),
    };
    upload.set_source(Arc::new(counted)).unwrap();
    upload.set_options(|options| options.slice_size = SLICE).unwrap();
    let object = upload.run(None).unwrap();
    assert_eq!(
        (object.outcome, object.bytes_resumed),
        (Outcome::Resumed, STORED * SLICE)
    );
    assert_eq!(
        read.load(Ordering::Relaxed),
        SIZE - STORED * SLICE,
        "only what was missing was read"
    );
    assert_eq!(upload.warning(), None);
    stage.assert_object_is(&file);
    stage.assert_nothing_is_left();
}

#[test]
fn without_hashing_the_next_process_resumes_by_the_checkpoint_and_not_without_it() {
    let stage = Stage::new();
    let file = stage.old_file(SIZE, 1);
    stage.interrupt(&stage.life(&file, false));
    let without = stage.upload(&stage.client(), &file);
    without.set_options(|options| options.hash = false).unwrap();
    assert_eq!(without.run(None).unwrap_err().status, Status::OtherUpload);

    let object = stage.life(&file, false).run(None).unwrap();
    assert_eq!(
        (object.outcome, object.bytes_resumed),
        (Outcome::Resumed, STORED * SLICE)
    );
    stage.assert_object_is(&file);
    stage.assert_nothing_is_left();
}

#[test]
fn an_upload_that_dies_again_and_again_comes_to_its_end() {
    for hash in [true, false] {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        stage.interrupt(&stage.life(&file, hash));
        stage.interrupt(&stage.life(&file, hash));
        let object = stage.life(&file, hash).run(None).unwrap();
        assert_eq!(object.bytes_resumed, 2 * STORED * SLICE, "hashing {hash}");
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

#[test]
fn a_file_that_was_written_just_now_goes_up_all_the_same() {
    for hash in [true, false] {
        let stage = Stage::new();
        let file = stage.file(SIZE, 1);
        stage.interrupt(&stage.life(&file, hash));
        stage.life(&file, hash).run(None).unwrap();
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

#[test]
fn memory_is_never_taken_for_what_was_sent_before() {
    let stage = Stage::new();
    let upload_of = |seed| {
        let upload = stage.checkpointing().upload(BUCKET, PATH).unwrap();
        upload
            .set_source(Arc::new(MemorySource::new(content(SIZE, seed))))
            .unwrap();
        upload
            .set_options(|options| (options.hash, options.slice_size) = (false, SLICE))
            .unwrap();
        upload
    };
    stage.interrupt(&upload_of(1));
    // What is there is known to be ours, so it is thrown away and not in the way.
    let object = upload_of(2).run(None).unwrap();
    assert_eq!(
        (object.outcome, object.slices_sent),
        (Outcome::Uploaded, SIZE / SLICE)
    );
    assert!(stage.object() == content(SIZE, 2));
    stage.assert_nothing_is_left();
}

#[test]
fn somebody_elses_upload_in_the_place_of_ours_is_neither_built_upon_nor_thrown_away() {
    let stage = Stage::new();
    let (ours, theirs) = (stage.old_file(SIZE, 1), stage.old_file(SIZE, 2));
    stage.interrupt(&stage.life(&ours, false));
    let config = ClientConfig {
        connections: 1.into(),
        ..stage.config()
    };
    let other = stage.upload(&Client::new(config).unwrap(), &theirs);
    other
        .set_options(|options| {
            (options.hash, options.discard_unfinished) = (false, true);
            options.slice_size = SLICE;
        })
        .unwrap();
    stage.interrupt(&other);

    let error = stage.life(&ours, false).run(None).unwrap_err();
    assert_eq!(error.status, Status::OtherUpload, "{error}");
    assert_eq!(stage.count("delete"), 0);
    other.run(None).unwrap();
    stage.assert_object_is(&theirs);
}

#[test]
fn a_second_upload_with_the_same_checkpoint_is_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let file = stage.file(SIZE, 1);
    stage.fault(r#"{"operation":"upload_slice_init","times":0,"action":{"hang":"before"}}"#);
    let first = stage.life(&file, true);
    first.start(None).unwrap();
    let begun = |requests: &[cos_emulator::RequestRecord]| !requests.is_empty();
    assert!(stage.emulator.wait_for_requests(begun, Duration::from_secs(60)));

    let second = stage.life(&file, true);
    let error = second.run(None).unwrap_err();
    assert_eq!(error.status, Status::CheckpointBusy);
    assert!(
        error.is_retryable() && error.message.contains("another upload"),
        "{error}"
    );
    let elsewhere = stage.checkpointing().upload(BUCKET, "elsewhere").unwrap();
    elsewhere.set_file(&file).unwrap();
    elsewhere.start(None).unwrap();
    assert_eq!(stage.count("upload_slice_data"), 0);
    stage.emulator.clear_faults();

    first.cancel();
    assert_eq!(first.wait(None).unwrap_err().status, Status::Cancelled);
    second.run(None).unwrap();
    stage.assert_object_is(&file);
    elsewhere.cancel();
    drop((elsewhere, first));
}

#[test]
fn a_started_upload_that_is_dropped_lets_others_have_its_checkpoint() {
    let stage = Stage::new();
    let file = stage.file(SIZE, 1);
    stage.fault(r#"{"operation":"upload_slice_init","times":0,"action":{"hang":"before"}}"#);
    let first = stage.life(&file, true);
    first.start(None).unwrap();
    drop(first);
    stage.emulator.clear_faults();
    stage.life(&file, true).run(None).unwrap();
    stage.assert_nothing_is_left();
}

#[test]
fn a_success_that_was_cancelled_while_it_was_looked_at_leaves_nothing_either() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    stage.fault(r#"{"operation":"stat","times":0,"action":{"hang":"before"}}"#);
    let upload = stage.life(&file, true);
    upload.start(None).unwrap();
    let looked_at = |requests: &[cos_emulator::RequestRecord]| {
        requests
            .iter()
            .any(|request| request.operation.as_deref() == Some("stat"))
    };
    assert!(
        stage
            .emulator
            .wait_for_requests(looked_at, Duration::from_secs(60))
    );
    upload.cancel();
    upload.wait(None).unwrap();
    stage.assert_nothing_is_left();
}

#[test]
fn a_handle_that_is_run_again_goes_by_what_it_remembers_and_leaves_nothing() {
    for hash in [true, false] {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        let upload = stage.life(&file, hash);
        stage.interrupt(&upload);
        // It is no worse off without its checkpoint.
        fs::remove_file(stage.checkpoint()).unwrap();
        let object = upload.run(None).unwrap();
        assert_eq!(object.bytes_resumed, STORED * SLICE, "hashing {hash}");
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

type Spoil = fn(&Path);

const SPOILED: &[(&str, Spoil)] = &[
    ("cut off", |file| {
        let bytes = fs::read(file).unwrap();
        fs::write(file, &bytes[..bytes.len() - 9]).unwrap();
    }),
    ("empty", |file| fs::write(file, b"").unwrap()),
    ("one bit flipped", |file| {
        let mut bytes = fs::read(file).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(file, bytes).unwrap();
    }),
    ("of a later version", |file| {
        let bytes = fs::read(file).unwrap();
        let rest = bytes.strip_prefix(b"cos-slice checkpoint 1").unwrap();
        fs::write(file, [b"cos-slice checkpoint 2", rest].concat()).unwrap();
    }),
    ("something else", |file| fs::write(file, b"#!/bin/sh\n").unwrap()),
    ("a folder", |file| {
        fs::remove_file(file).unwrap();
        fs::create_dir(file).unwrap();
    }),
    ("larger than any", |file| {
        let file = fs::File::create(file).unwrap();
        file.set_len(checkpoint::MAX_SIZE + 1).unwrap();
    }),
    ("of another object", |file| {
        let mut contents = checkpoint::decode(&fs::read(file).unwrap()).unwrap();
        contents.destination.bucket.push('2');
        fs::write(file, checkpoint::encode(&contents)).unwrap();
    }),
];

#[test]
fn a_spoilt_checkpoint_is_told_and_replaced_and_the_object_is_right() {
    for (what, spoil) in SPOILED {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        stage.interrupt(&stage.life(&file, true));
        spoil(&stage.checkpoint());

        let upload = stage.life(&file, true);
        stage.interrupt(&upload);
        let warning = upload.warning().unwrap_or_else(|| panic!("{what}: not told"));
        assert!(warning.contains("ignored"), "{what}: {warning}");
        let replaced = checkpoint::decode(&fs::read(stage.checkpoint()).unwrap());
        assert!(
            replaced.is_ok_and(|contents| contents.memory.began.is_some()),
            "{what}"
        );

        let upload = stage.life(&file, true);
        let object = upload.run(None).unwrap();
        assert_eq!(object.bytes_resumed, 2 * STORED * SLICE, "{what}");
        assert_eq!(upload.warning(), None, "{what}");
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

#[test]
fn without_hashing_a_spoilt_checkpoint_proves_nothing() {
    for (what, spoil) in SPOILED {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        stage.interrupt(&stage.life(&file, false));
        spoil(&stage.checkpoint());
        let upload = stage.life(&file, false);
        assert_eq!(
            upload.run(None).unwrap_err().status,
            Status::OtherUpload,
            "{what}"
        );
        assert!(upload.warning().is_some(), "{what}");
        upload
            .set_options(|options| options.discard_unfinished = true)
            .unwrap();
        upload.run(None).unwrap();
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

#[test]
fn an_upload_goes_on_where_no_checkpoint_can_be_kept() {
    for hash in [true, false] {
        let stage = Stage::new();
        let file = stage.file(3 * MIB, 1);
        let config = ClientConfig {
            checkpoint_dir: Some(file.join("not-a-folder")),
            ..stage.config()
        };
        let upload = stage.upload(&Client::new(config).unwrap(), &file);
        upload.set_options(|options| options.hash = hash).unwrap();
        upload.run(None).unwrap();
        let warning = upload.warning().unwrap();
        assert!(warning.contains("not-a-folder"), "{warning}");
        stage.assert_object_is(&file);
    }
}

#[test]
fn many_uploads_share_a_folder() {
    let stage = Stage::new();
    let client = stage.checkpointing();
    let file = stage.file(MIB + 3, 1);
    let uploads: Vec<_> = (0..20)
        .map(|number| {
            let upload = client.upload(BUCKET, &format!("many/{number}")).unwrap();
            upload.set_file(&file).unwrap();
            upload.start(None).unwrap();
            upload
        })
        .collect();
    for upload in &uploads {
        upload.wait(None).unwrap();
        assert_eq!(upload.warning(), None);
    }
    stage.assert_nothing_is_left();
}
