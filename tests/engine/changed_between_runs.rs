//! A file that is another one when its upload is run again: the object is the file as it is then, never a mixture.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use cos_slice::engine::checkpoint::{decode, encode};
use cos_slice::engine::source::{FileSource, Source};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::checkpoints::{SIZE, SLICE};
use crate::support::{BUCKET, PATH, Stage};

type Change = fn(&Path);

fn open(file: &Path) -> File {
    OpenOptions::new().write(true).open(file).unwrap()
}

fn overwrite(file: &Path, offset: u64) {
    open(file).write_all_at(b"changed", offset).unwrap();
}

/// Changes of content. The first slices were sent by then, the last ones not.
const CHANGES: &[(&str, Change)] = &[
    ("its head", |file| overwrite(file, 0)),
    ("its middle", |file| overwrite(file, SIZE / 2)),
    ("its tail", |file| overwrite(file, SIZE - 7)),
    ("grown", |file| open(file).set_len(SIZE + SLICE).unwrap()),
    ("shrunk", |file| open(file).set_len(SIZE - SLICE - 1).unwrap()),
    ("replaced by rename", |file| {
        let new = file.with_extension("new");
        let mut bytes = fs::read(file).unwrap();
        bytes[0] ^= 1;
        fs::write(&new, bytes).unwrap();
        fs::rename(&new, file).unwrap();
    }),
    ("its head, and its time set back", |file| {
        let modified = fs::metadata(file).unwrap().modified().unwrap();
        overwrite(file, 0);
        open(file).set_modified(modified).unwrap();
        assert_eq!(fs::metadata(file).unwrap().modified().unwrap(), modified);
    }),
    ("replaced by rename, and its time set back", |file| {
        let modified = fs::metadata(file).unwrap().modified().unwrap();
        let new = file.with_extension("new");
        let mut bytes = fs::read(file).unwrap();
        bytes[0] ^= 1;
        fs::write(&new, bytes).unwrap();
        open(&new).set_modified(modified).unwrap();
        fs::rename(&new, file).unwrap();
    }),
];

#[test]
fn the_object_is_the_changed_file_and_our_older_upload_is_not_in_the_way() {
    for hash in [true, false] {
        for (what, change) in CHANGES {
            let stage = Stage::new();
            let file = stage.old_file(SIZE, 1);
            stage.interrupt(&stage.life(&file, hash));
            change(&file);
            let upload = stage.life(&file, hash);
            let object = upload.run(None);
            let object = object.unwrap_or_else(|error| panic!("{what}, hashing {hash}: {error}"));
            stage.assert_object_is(&file);
            let size = fs::metadata(&file).unwrap().len();
            assert_eq!(
                (object.outcome, object.bytes_sent),
                (Outcome::Uploaded, size),
                "{what}, hashing {hash}"
            );
            assert_eq!(stage.count("delete"), 1, "{what}, hashing {hash}");
            assert_eq!(upload.warning(), None);
            stage.assert_nothing_is_left();
        }
    }
}

#[test]
fn a_handle_that_is_run_again_sends_the_changed_file_too() {
    for hash in [true, false] {
        for (what, change) in CHANGES {
            let stage = Stage::new();
            let file = stage.old_file(SIZE, 1);
            let upload = stage.life(&file, hash);
            stage.interrupt(&upload);
            change(&file);
            let object = upload.run(None);
            let object = object.unwrap_or_else(|error| panic!("{what}, hashing {hash}: {error}"));
            stage.assert_object_is(&file);
            assert_eq!(object.outcome, Outcome::Uploaded, "{what}, hashing {hash}");
            stage.assert_nothing_is_left();
        }
    }
}

/// Nothing but the bytes themselves shows that these did not change, so they are hashed again, and then resumed.
#[test]
fn the_same_bytes_with_other_times_or_in_another_file_resume_with_hashing() {
    let changes: [(&str, Change); 3] = [
        ("touched", |file| {
            open(file)
                .set_modified(std::time::SystemTime::UNIX_EPOCH)
                .unwrap();
        }),
        ("given another mode", |file| {
            fs::set_permissions(file, fs::Permissions::from_mode(0o400)).unwrap();
        }),
        ("copied over by rename", |file| {
            let copy = file.with_extension("copy");
            fs::copy(file, &copy).unwrap();
            fs::rename(&copy, file).unwrap();
        }),
    ];
    for (what, change) in changes {
        let stage = Stage::new();
        let file = stage.old_file(SIZE, 1);
        stage.interrupt(&stage.life(&file, true));
        change(&file);
        let object = stage.life(&file, true).run(None).unwrap();
        assert_eq!(object.outcome, Outcome::Resumed, "{what}");
        stage.assert_object_is(&file);
        stage.assert_nothing_is_left();
    }
}

/// What no clock shows, the service finds: the digests of the checkpoint are not those of what is sent.
#[test]
fn digests_of_other_bytes_never_make_an_object() {
    let stage = Stage::new();
    let file = stage.old_file(SIZE, 1);
    stage.interrupt(&stage.life(&file, true));
    let checkpoint = stage.checkpoint();
    overwrite(&file, SIZE - 7);
    let mut contents = decode(&fs::read(&checkpoint).unwrap()).unwrap();
    contents.source = FileSource::open(&file).unwrap().identity();
    fs::write(&checkpoint, encode(&contents)).unwrap();

    let upload = stage.life(&file, true);
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::ObjectExists, "{error}");
    assert!(!stage.emulator.object_file(BUCKET, PATH).exists());
    upload.set_options(|options| options.overwrite = true).unwrap();
    upload.run(None).unwrap();
    stage.assert_object_is(&file);
    stage.assert_nothing_is_left();
}
