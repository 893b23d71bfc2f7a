use std::ffi::OsString;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::protocol::ranges::Ranges;
use crate::upload::task::{Begun, Content};

fn destination() -> Destination {
    Destination {
        endpoint: "http://127.0.0.1:9000".into(),
        app_id: "1251668577".into(),
        bucket: "videos".into(),
        path: "2026/big.mp4".into(),
    }
}

fn identity(inode: u64) -> Identity {
    Identity {
        device: 1,
        inode,
        size: 200,
        mtime_ns: 5,
        ctime_ns: 6,
        part: None,
    }
}

fn memory() -> Memory {
    let mut hasher = Hasher::new(64);
    hasher.update(&[7; 200]);
    let digests = hasher.finish();
    let began = Begun {
        session: "session".into(),
        content: Content {
            size: 200,
            sha: Some(digests.whole()),
        },
    };
    Memory {
        digests: Some(Arc::new(digests)),
        began: Some(began),
        init_unanswered: None,
        sent: Ranges::from_unsorted(vec![(0, 200)]),
        serial: Some(true),
    }
}

fn open(folder: &Path) -> Checkpoint {
    let checkpoint = Checkpoint::open(folder, destination()).unwrap();
    assert!(checkpoint.is_usable(), "{:?}", checkpoint.warning());
    checkpoint
}

fn saved() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoint = open(folder.path());
    checkpoint.save(&memory(), Some(identity(1)));
    assert_eq!(checkpoint.warning(), None);
    drop(checkpoint);
    let file = folder.path().join(destination().file_name("checkpoint"));
    assert!(file.is_file());
    (folder, file)
}

/// What a later life is told, and whether it is warned.
fn loaded(folder: &Path, source: Option<&Identity>) -> (Memory, Option<String>) {
    let mut checkpoint = open(folder);
    let memory = checkpoint.load(source).unwrap_or_default();
    (memory, checkpoint.warning())
}

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_next_life_is_told_all_of_the_same_content_and_only_whose_the_upload_is_of_another() {
    let (folder, _) = saved();
    let source = identity(1);
    assert_eq!(loaded(folder.path(), Some(&source)), (memory(), None));
    for other in [
        identity(2),
        Identity {
            device: 2,
            ..identity(1)
        },
        Identity {
            size: 201,
            ..identity(1)
        },
        Identity {
            mtime_ns: 6,
            ..identity(1)
        },
        Identity {
            ctime_ns: 7,
            ..identity(1)
        },
        Identity {
            part: Some((0, 200)),
            ..identity(1)
        },
    ] {
        assert_eq!(
            loaded(folder.path(), Some(&other)),
            (memory().for_other_content(), None)
        );
    }
    assert_eq!(loaded(folder.path(), None), (memory().for_other_content(), None));
}

#[test]
fn what_has_no_identity_leaves_nothing_of_its_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let mut checkpoint = open(folder.path());
    checkpoint.save(&memory(), None);
    drop(checkpoint);
    let file = folder.path().join(destination().file_name("checkpoint"));
    let kept = decode(&fs::read(file).unwrap()).unwrap();
    assert_eq!((kept.source, kept.memory), (None, memory().for_other_content()));
    for source in [None, Some(&identity(1))] {
        assert_eq!(
            loaded(folder.path(), source),
            (memory().for_other_content(), None)
        );
    }
}

#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state/cos-slice");
    let mut checkpoint = open(&folder);
    checkpoint.save(&memory(), Some(identity(1)));
    assert_eq!((mode(&folder), mode(folder.parent().unwrap())), (0o700, 0o700));
    let found = names(&folder);
    assert_eq!(found.len(), 2, "{found:?}");
    for name in found {
        assert_eq!(mode(&folder.join(&name)), 0o600, "{name:?}");
    }
}

#[test]
fn one_upload_at_a_time_has_it_and_others_of_the_folder_are_not_disturbed() {
    let (folder, file) = saved();
    let first = open(folder.path());
    let in_use = Checkpoint::open(folder.path(), destination()).unwrap_err();
    assert_eq!(in_use.file, file);
    let other = Destination {
        path: "2026/other.mp4".into(),
        ..destination()
    };
    assert!(Checkpoint::open(folder.path(), other).unwrap().is_usable());
    drop(first);
    open(folder.path());
}

#[test]
fn nothing_is_left_of_what_is_forgotten_or_was_never_saved() {
    let (folder, _) = saved();
    fs::write(folder.path().join(destination().file_name("new")), b"torn").unwrap();
    let mut checkpoint = open(folder.path());
    checkpoint.forget();
    assert_eq!(names(folder.path()), [""; 0]);
    // What comes late changes nothing.
    checkpoint.save(&memory(), Some(identity(1)));
    checkpoint.forget();
    assert_eq!(checkpoint.warning(), None);
    drop(checkpoint);
    assert_eq!(names(folder.path()), [""; 0]);
    drop(open(folder.path()));
    assert_eq!(names(folder.path()), [""; 0]);
}

type Spoil = fn(&Path);

/// Ways in which a checkpoint can be no checkpoint, and what the warning says.
const SPOILED: &[(Spoil, &str)] = &[
    (|file| fs::write(file, b"").unwrap(), "not a checkpoint"),
    (
        |file| fs::write(file, b"#!/bin/sh\nexit 0\n").unwrap(),
        "not a checkpoint",
    ),
    (
        |file| change(file, |bytes| bytes.truncate(bytes.len() / 2)),
        "damaged",
    ),
    (
        |file| {
            change(file, |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 4;
            });
        },
        "damaged",
    ),
    (
        |file| {
            change(file, |bytes| {
                let half = bytes.len() / 2;
                bytes[half..].fill(0);
            });
        },
        "damaged",
    ),
    (|file| change(file, |bytes| bytes[21] = b'2'), "another version"),
    (
        |file| fs::File::create(file).unwrap().set_len(MAX_SIZE + 1).unwrap(),
        "more than",
    ),
    (
        |file| {
            let mut contents = decode(&fs::read(file).unwrap()).unwrap();
            contents.destination.path.push('x');
            fs::write(file, encode(&contents)).unwrap();
        },
        "another object",
    ),
    (
        |file| fs::set_permissions(file, fs::Permissions::from_mode(0o620)).unwrap(),
        "others can write",
    ),
    (
        |file| {
            fs::remove_file(file).unwrap();
            fs::create_dir(file).unwrap();
        },
        "not a file",
    ),
    (
        |file| {
            fs::rename(file, file.with_extension("moved")).unwrap();
            symlink(file.with_extension("moved"), file).unwrap();
        },
        "",
    ),
    (
        |file| {
            fs::remove_file(file).unwrap();
            assert!(Command::new("mkfifo").arg(file).status().unwrap().success());
        },
        "not a file",
    ),
    (
        |file| {
            fs::remove_file(file).unwrap();
            drop(UnixListener::bind(file).unwrap());
        },
        "",
    ),
];

fn change(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

#[test]
fn what_is_no_checkpoint_is_noticed_ignored_and_replaced() {
    for (number, (spoil, said)) in SPOILED.iter().enumerate() {
        let (folder, file) = saved();
        spoil(&file);
        let (found, warning) = loaded(folder.path(), Some(&identity(1)));
        let warning = warning.unwrap_or_else(|| panic!("case {number} is not noticed"));
        assert_eq!(found, Memory::default(), "case {number}: {warning}");
        assert!(
            warning.contains("ignored") && warning.contains(said) && !warning.contains('\n'),
            "case {number}: {warning}"
        );

        let mut checkpoint = open(folder.path());
        checkpoint.save(&memory(), Some(identity(1)));
        assert_eq!(checkpoint.warning(), None, "case {number}");
        drop(checkpoint);
        assert_eq!(
            loaded(folder.path(), Some(&identity(1))),
            (memory(), None),
            "case {number}"
        );
        assert_eq!(mode(&file), 0o600, "case {number}");
        open(folder.path()).forget();
        assert!(!file.exists(), "case {number}");
    }
}

/// The states between the calls of a save, with and without a checkpoint from before.
#[test]
fn a_death_between_any_two_calls_of_a_save_leaves_the_old_checkpoint_or_the_new() {
    let contents = |memory| Contents {
        destination: destination(),
        source: Some(identity(1)),
        memory,
    };
    let older = Memory {
        serial: None,
        ..memory()
    };
    let bytes = encode(&contents(memory()));
    for before in [None, Some(older)] {
        for written in [None, Some(0), Some(bytes.len() / 2), Some(bytes.len())] {
            let folder = tempfile::tempdir().unwrap();
            let path = |extension| folder.path().join(destination().file_name(extension));
            fs::write(path("lock"), b"").unwrap();
            if let Some(older) = &before {
                fs::write(path("checkpoint"), encode(&contents(older.clone()))).unwrap();
            }
            if let Some(written) = written {
                fs::write(path("new"), &bytes[..written]).unwrap();
            }
            let mut checkpoint = open(folder.path());
            assert_eq!(checkpoint.load(Some(&identity(1))), before.clone());
            checkpoint.save(&memory(), Some(identity(1)));
            assert_eq!(checkpoint.load(Some(&identity(1))), Some(memory()));
            assert_eq!(checkpoint.warning(), None);
            assert!(!path("new").exists());
            checkpoint.forget();
            assert_eq!(names(folder.path()), [""; 0]);
        }
    }
}

#[test]
fn a_folder_that_can_not_be_used_is_a_warning_and_nothing_else() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, b"").unwrap();
    let nowhere = parent.path().join("link");
    symlink(parent.path().join("absent/folder"), &nowhere).unwrap();
    for folder in [
        file.clone(),
        file.join("folder"),
        nowhere,
        PathBuf::from("/proc/cos-slice"),
    ] {
        let mut checkpoint = Checkpoint::open(&folder, destination()).unwrap();
        assert!(!checkpoint.is_usable(), "{folder:?}");
        assert_eq!(checkpoint.load(Some(&identity(1))), None);
        checkpoint.save(&memory(), Some(identity(1)));
        checkpoint.forget();
        let warning = checkpoint.warning().unwrap();
        assert!(
            warning.contains(&format!("{folder:?}")) && !warning.contains('\n'),
            "{warning}"
        );
    }
}

#[test]
fn a_save_that_fails_leaves_the_checkpoint_from_before_and_says_so() {
    let (folder, _) = saved();
    let mut checkpoint = open(folder.path());
    let obstacle = folder
        .path()
        .join(destination().file_name("new"))
        .join("obstacle");
    fs::create_dir_all(&obstacle).unwrap();
    for _ in 0..2 {
        checkpoint.save(&Memory::default(), Some(identity(1)));
    }
    let warning = checkpoint.warning().unwrap();
    assert_eq!(warning.matches("failed").count(), 1, "{warning}");
    assert_eq!(checkpoint.load(Some(&identity(1))), Some(memory()));
}

#[test]
fn a_folder_in_its_place_that_is_in_use_stays_there() {
    let (folder, file) = saved();
    fs::remove_file(&file).unwrap();
    fs::create_dir_all(file.join("somebody's")).unwrap();
    let mut checkpoint = open(folder.path());
    checkpoint.save(&memory(), Some(identity(1)));
    checkpoint.forget();
    let warning = checkpoint.warning().unwrap();
    assert!(
        warning.contains("writing") && warning.contains("removing"),
        "{warning}"
    );
    assert!(file.join("somebody's").is_dir());
    assert!(!folder.path().join(destination().file_name("new")).exists());
}
