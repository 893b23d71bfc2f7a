//! Files that change while they are uploaded: never an object that is neither the file before nor the file after.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use cos_slice::engine::client::Client;
use cos_slice::engine::source::{FileSource, Identity, Source};
use cos_slice::protocol::Api;
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

const SIZE: u64 = 8 * MIB + 5;
/// The slice at whose first byte the file changes.
const MIDDLE: u64 = 4 * MIB;
const CHANGED: &[u8] = b"changed";

/// What happens to the file.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Written {
        at: u64,
    },
    /// Written to, and given the time of modification that it had.
    WrittenAndForged {
        at: u64,
    },
    Resized {
        to: u64,
    },
    /// Another file takes its name.
    Replaced,
}

/// When it happens.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// In the middle of the first reading, which takes the digests.
    Hashing,
    /// Everything is hashed, or with hashing off the file is open, and nothing was sent.
    BeforeInit,
    /// In the middle of the reading that sends.
    Sending,
    /// All slices are there, and finish was not executed.
    BeforeFinish,
}

#[test]
fn a_file_that_changes_during_the_upload_never_becomes_a_mixed_object() {
    let head_middle_tail = [0, 5 * MIB, SIZE - CHANGED.len() as u64];
    let written = head_middle_tail.map(|at| Change::Written { at });
    let forged = head_middle_tail.map(|at| Change::WrittenAndForged { at });
    let resized = [SIZE + 1, SIZE + 3 * MIB, SIZE - 1, MIB, 0].map(|to| Change::Resized { to });
    let all = written.into_iter().chain(forged).chain(resized);
    let mut cases = Vec::new();
    for change in all.chain([Change::Replaced]) {
        for moment in [
            Moment::Hashing,
            Moment::BeforeInit,
            Moment::Sending,
            Moment::BeforeFinish,
        ] {
            for (api, hash) in [(Api::FilesV2, true), (Api::FilesV2, false), (Api::FilesV1, true)] {
                // Neither size nor time tells these, and without digests nothing else does; the README says so.
                let untold =
                    matches!(change, Change::WrittenAndForged { .. }) && moment != Moment::BeforeFinish;
                let happens = moment != Moment::BeforeFinish || api.rules().has_finish;
                if happens && (hash || !(untold || moment == Moment::Hashing)) {
                    cases.push((change, moment, api, hash));
                }
            }
        }
    }
    // Side by side, since some wait.
    std::thread::scope(|scope| {
        for share in cases.chunks(cases.len().div_ceil(4)) {
            scope.spawn(move || {
                for (change, moment, api, hash) in share {
                    upload_while_it_changes(*change, *moment, *api, *hash);
                }
            });
        }
    });
}

fn upload_while_it_changes(change: Change, moment: Moment, api: Api, hash: bool) {
    let case = format!("{change:?} {moment:?} {api:?} hash {hash}");
    let stage = Stage::new();
    let file = stage.file(SIZE, 1);
    let before = content(SIZE, 1);
    // Long ago, so that no change falls into the same tick of the file system's clock.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();

    let mut config = stage.config();
    config.connections = 2.into();
    config.api = api;
    if moment == Moment::BeforeFinish {
        stage.fault(r#"{"operation":"upload_slice_finish","action":{"hang":"before"}}"#);
        config.timeouts.finish_answer = Duration::from_millis(300);
    }
    let upload = Client::new(config).unwrap().upload(BUCKET, PATH).unwrap();
    upload.set_options(|options| options.hash = hash).unwrap();
    let source = Arc::new(ChangingSource::new(&file, change, moment, hash));
    upload.set_source(source.clone()).unwrap();
    upload.start(None).unwrap();
    if moment == Moment::BeforeFinish {
        let finish = |requests: &[cos_emulator::RequestRecord]| {
            let mut operations = requests.iter().map(|request| request.operation.as_deref());
            operations.any(|operation| operation == Some("upload_slice_finish"))
        };
        assert!(
            stage.emulator.wait_for_requests(finish, Duration::from_secs(60)),
            "{case}"
        );
        source.change();
    }
    let result = upload.wait(Some(Duration::from_secs(60)));
    assert!(source.has_changed(), "{case}: nothing was changed");

    let object = stage.emulator.object(BUCKET, PATH).ok();
    match result {
        Ok(_) => {
            assert!(!must_fail(change, moment), "{case}: success");
            let is_after = || fs::read(&file).unwrap() == *object.as_ref().unwrap();
            // While it is hashed, a change that nobody can see may as well have been made before.
            let may_be_after = matches!(change, Change::WrittenAndForged { .. }) && moment == Moment::Hashing;
            assert!(
                object.as_ref() == Some(&before) || (may_be_after && is_after()),
                "{case}: a mixed object"
            );
        }
        Err(error) => {
            assert_eq!(error.status, Status::SourceChanged, "{case}: {error}");
            assert!(error.is_retryable() && object.is_none(), "{case}: {error}");
            assert!(may_fail(change, moment), "{case}: {error}");
        }
    }
}

/// What can still be read of the file is not what it was.
fn must_fail(change: Change, moment: Moment) -> bool {
    may_fail(change, moment) && !matches!(change, Change::WrittenAndForged { .. })
}

/// The open file stays what it was when another one takes its name, and what was sent before stays what it was.
fn may_fail(change: Change, moment: Moment) -> bool {
    change != Change::Replaced && moment != Moment::BeforeFinish
}

/// A file that changes when it is read for the n-th time at [`MIDDLE`], or when it was read whole.
struct ChangingSource {
    file: FileSource,
    path: PathBuf,
    change: Change,
    moment: Moment,
    /// How often the middle is to be read until it changes.
    countdown: AtomicU32,
    changed: Mutex<bool>,
}

impl ChangingSource {
    fn new(path: &Path, change: Change, moment: Moment, hash: bool) -> Self {
        let readings = match moment {
            Moment::Hashing => 1,
            Moment::Sending => 1 + u32::from(hash),
            Moment::BeforeInit | Moment::BeforeFinish => 0,
        };
        let source = Self {
            file: FileSource::open(path).unwrap(),
            path: path.to_owned(),
            change,
            moment,
            countdown: AtomicU32::new(readings),
            changed: Mutex::new(false),
        };
        if moment == Moment::BeforeInit && !hash {
            source.change();
        }
        source
    }

    fn has_changed(&self) -> bool {
        *self.changed.lock().unwrap()
    }

    /// This place is about to be read, or to be sent by the system.
    fn reached(&self, offset: u64) {
        let step = |left: u32| left.checked_sub(1);
        let counted = || {
            self.countdown
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, step)
        };
        if offset == MIDDLE && counted() == Ok(1) {
            self.change();
        }
    }

    /// Once.
    fn change(&self) {
        let mut changed = self.changed.lock().unwrap();
        if std::mem::replace(&mut *changed, true) {
            return;
        }
        let file = OpenOptions::new().write(true).open(&self.path).unwrap();
        match self.change {
            Change::Written { at } => file.write_all_at(CHANGED, at).unwrap(),
            Change::WrittenAndForged { at } => {
                let modified = file.metadata().unwrap().modified().unwrap();
                file.write_all_at(CHANGED, at).unwrap();
                file.set_modified(modified).unwrap();
            }
            Change::Resized { to } => file.set_len(to).unwrap(),
            Change::Replaced => {
                let other = self.path.with_extension("other");
                fs::write(&other, content(SIZE, 2)).unwrap();
                fs::rename(other, &self.path).unwrap();
            }
        }
    }
}

impl Source for ChangingSource {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.reached(offset);
        let count = self.file.read_at(offset, buffer)?;
        // The first reading is the one that takes the digests; it ends here.
        if self.moment == Moment::BeforeInit && offset + count as u64 == SIZE {
            self.change();
        }
        Ok(count)
    }

    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        self.reached(offset);
        self.file.in_file(offset)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.file.verify_unchanged()
    }

    fn identity(&self) -> Option<Identity> {
        self.file.identity()
    }
}

#[test]
fn a_file_that_changes_when_the_server_has_it_but_no_answer_told_so_is_not_finished() {
    let stage = Stage::new();
    let file = stage.old_file(MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_data","action":{"hang":"after_effect"}}"#);
    let upload = Client::new(stage.config()).unwrap().upload(BUCKET, PATH).unwrap();
    upload.set_options(|options| options.hash = false).unwrap();
    upload
        .set_source(Arc::new(FileSource::open(&file).unwrap()))
        .unwrap();
    upload.start(None).unwrap();
    let has_slice = |requests: &[cos_emulator::RequestRecord]| {
        let mut operations = requests.iter().map(|request| request.operation.as_deref());
        operations.any(|operation| operation == Some("upload_slice_data"))
    };
    assert!(
        stage
            .emulator
            .wait_for_requests(has_slice, Duration::from_secs(60))
    );
    let changed = OpenOptions::new().write(true).open(&file).unwrap();
    changed.write_all_at(CHANGED, MIB / 2).unwrap();
    changed.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    upload.cancel();
    let error = upload.wait(Some(Duration::from_secs(60))).unwrap_err();
    assert_eq!(error.status, Status::Cancelled, "{error}");

    // The server lists the slice, so that only the finish is left to be done.
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::SourceChanged, "{error}");
    assert!(stage.emulator.object(BUCKET, PATH).is_err());
}
