//! What the command leaves to its next run, where, and what it says when it can't.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use cos_emulator::{Action, Fault};

use crate::support::{SECRET, Service, content, finish, run};

const SLICE: u64 = 512 << 10;
const SLICES: u64 = 8;
/// The service answers so many slices, and then no more.
const ANSWERED: u64 = 3;
const SMALL_SLICES: &str = "--slice-size=512K";

fn folder(service: &Service) -> PathBuf {
    service.state().join("cos-slice")
}

fn names(folder: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name()).collect()
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// An upload that has sent some slices and waits for the answers to others.
fn stuck(service: &Service, file: &Path, options: &[&str]) -> Child {
    let silence = Fault::new("upload_slice_data", Action::Hang { after_effect: false });
    service.emulator.add_fault(silence.nth(ANSWERED + 1).times(0));
    let child = service.upload(file, options).arg(SMALL_SLICES).spawn().unwrap();
    service.wait_for_slices(ANSWERED as usize);
    child
}

fn big_file(service: &Service) -> (PathBuf, Vec<u8>) {
    let bytes = content((SLICES * SLICE) as usize, 31);
    (service.old_file("big.mp4", &bytes), bytes)
}

#[test]
fn after_a_kill_an_unchanged_file_is_not_hashed_again() {
    let mut service = Service::new();
    let (file, bytes) = big_file(&service);
    kill(stuck(&service, &file, &[]));
    service.restart();
    let resumed = run(&mut service.upload(&file, &["--json", SMALL_SLICES]));
    assert_eq!(resumed.json()["resumed"], ANSWERED * SLICE);
    assert!(!resumed.stderr.contains("hashing"), "{resumed:?}");
    assert!(service.object() == bytes);
    assert_eq!(names(&folder(&service)), [""; 0]);
}

#[test]
fn after_a_kill_without_a_checkpoint_it_is_hashed_again() {
    let mut service = Service::new();
    let (file, bytes) = big_file(&service);
    kill(stuck(&service, &file, &["--no-checkpoint"]));
    assert!(!service.state().exists());
    service.restart();
    let resumed = run(&mut service.upload(&file, &["--json", SMALL_SLICES]));
    assert_eq!(resumed.json()["resumed"], ANSWERED * SLICE);
    assert!(resumed.stderr.contains("hashing"), "{resumed:?}");
    assert!(service.object() == bytes);
}

#[test]
fn without_hashing_a_killed_upload_resumes_by_its_checkpoint_and_by_nothing_else() {
    let mut service = Service::new();
    let (file, bytes) = big_file(&service);
    kill(stuck(&service, &file, &["--no-hash"]));
    let before = service.slices();
    service.restart();

    let refused = run(&mut service.upload(&file, &["--no-hash", "--no-checkpoint", "--json", SMALL_SLICES]));
    assert_eq!(refused.status, Some(1));
    assert_eq!(refused.json()["error"]["status"], "ERR_OTHER_UPLOAD");

    let resumed = run(&mut service.upload(&file, &["--no-hash", "--json", SMALL_SLICES]));
    let report = resumed.json();
    assert_eq!(
        (&report["outcome"], &report["warning"]),
        (&"resumed".into(), &().into())
    );
    assert!(service.slices().iter().all(|offset| !before.contains(offset)));
    assert!(service.object() == bytes);
    assert_eq!(names(&folder(&service)), [""; 0]);
}

#[test]
fn a_second_command_for_the_same_object_is_refused_and_sends_nothing() {
    let mut service = Service::new();
    let (file, bytes) = big_file(&service);
    let first = stuck(&service, &file, &[]);
    let second = run(&mut service.upload(&file, &["--json", SMALL_SLICES]));
    assert_eq!(second.status, Some(1));
    let error = &second.json()["error"];
    assert_eq!(
        (&error["status"], &error["retryable"]),
        (&"ERR_CHECKPOINT_BUSY".into(), &true.into())
    );
    assert_eq!(service.count("upload_slice_init"), 1);
    kill(first);
    service.restart();
    run(&mut service.upload(&file, &[SMALL_SLICES])).success();
    assert!(service.object() == bytes);
}

#[test]
fn a_checkpoint_is_for_its_owner_alone_and_holds_no_secret() {
    let service = Service::new();
    let (file, _) = big_file(&service);
    kill(stuck(&service, &file, &[]));
    let folder = folder(&service);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    let found = names(&folder);
    assert_eq!(found.len(), 2, "a checkpoint and its lock: {found:?}");
    for name in found {
        let path = folder.join(name);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(&path).unwrap();
        for secret in [SECRET, "AKIDtest", "Authorization"] {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {path:?}");
        }
    }
}

/// The folder that a command uses; it is cancelled when it has begun to send.
fn used_folder(change: impl FnOnce(&mut Command, &Path)) -> (Service, Option<PathBuf>) {
    let service = Service::new();
    let file = service.file("big.mp4", &content((SLICES * SLICE) as usize, 32));
    let silence = Fault::new("upload_slice_data", Action::Hang { after_effect: false });
    service.emulator.add_fault(silence.times(0));
    let mut command = service.upload(&file, &[]);
    command.env_remove("XDG_STATE_HOME").current_dir(service.folder());
    change(&mut command, service.folder());
    let child = command.spawn().unwrap();
    let begun = |records: &[cos_emulator::RequestRecord]| {
        let slice =
            |record: &cos_emulator::RequestRecord| record.operation.as_deref() == Some("upload_slice_data");
        records.iter().any(slice)
    };
    assert!(
        service
            .emulator
            .wait_for_requests(begun, crate::support::HANG_GUARD)
    );
    kill(child);
    let mut folders = vec![service.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "checkpoint")
            {
                let relative = folder.strip_prefix(service.folder()).unwrap().to_owned();
                return (service, Some(relative));
            }
        }
    }
    (service, None)
}

#[test]
fn checkpoints_are_kept_where_such_things_belong_unless_another_folder_is_named() {
    let default = if cfg!(target_os = "macos") {
        "home/Library/Application Support/cos-slice"
    } else {
        "home/.local/state/cos-slice"
    };
    type Change = fn(&mut Command, &Path);
    let cases: [(Change, Option<&str>); 5] = [
        (
            |command, folder| {
                command
                    .env("XDG_STATE_HOME", folder.join("xdg"))
                    .env("HOME", folder.join("home"));
            },
            Some("xdg/cos-slice"),
        ),
        (
            |command, folder| {
                command.env("HOME", folder.join("home"));
            },
            Some(default),
        ),
        (
            |command, folder| {
                command
                    .env("XDG_STATE_HOME", "relative")
                    .env("HOME", folder.join("home"));
            },
            Some(default),
        ),
        (
            |command, _| {
                command.args(["--checkpoint-dir", "named/here"]);
            },
            Some("named/here"),
        ),
        (
            |command, folder| {
                command.env("HOME", folder.join("home")).arg("--no-checkpoint");
            },
            None,
        ),
    ];
    for (change, expected) in cases {
        let (_service, found) = used_folder(change);
        assert_eq!(found.as_deref(), expected.map(Path::new));
    }
}

#[test]
fn without_a_place_for_checkpoints_there_is_a_warning_and_the_object() {
    type Change = fn(&mut Command, &Path);
    let cases: [(Change, &str); 3] = [
        (
            |command, _| {
                command.env_remove("XDG_STATE_HOME");
            },
            "HOME",
        ),
        (
            |command, file| {
                command.arg("--checkpoint-dir").arg(file.join("below-a-file"));
            },
            "below-a-file",
        ),
        (
            |command, _| {
                command.env("XDG_STATE_HOME", "/proc");
            },
            "/proc",
        ),
    ];
    for (change, said) in cases {
        let service = Service::new();
        let file = service.file("big.mp4", &content(1000, 33));
        let mut command = service.upload(&file, &["--json"]);
        change(&mut command, &file);
        let outcome = run(&mut command);
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let report = outcome.json();
        let warning = report["warning"].as_str().unwrap();
        assert!(warning.contains(said), "{warning}");
        assert!(
            outcome
                .stderr
                .contains(&format!("cos-slice: warning: {warning}\n")),
            "{outcome:?}"
        );
        assert!(service.object() == fs::read(&file).unwrap());

        // A failure does not hide it, and --quiet does.
        let other = service.file("other", b"other");
        let mut command = service.upload(&other, &["--json", "--quiet"]);
        change(&mut command, &other);
        let outcome = run(&mut command);
        assert_eq!(outcome.status, Some(1));
        assert!(outcome.json()["warning"].is_string());
        assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
    }
}

/// As on a full disk: files can be made, and nothing can be written to them.
#[test]
fn on_a_full_disk_there_is_a_warning_and_the_object_and_nothing_left_over() {
    let service = Service::new();
    let (file, bytes) = big_file(&service);
    let command = service.upload(&file, &["--json", SMALL_SLICES]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", r#"trap "" XFSZ; ulimit -f 0; exec "$@""#, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear()
        .envs(
            command
                .get_envs()
                .filter_map(|(name, value)| Some((name, value?))),
        )
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let outcome = finish(limited.spawn().unwrap());
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let report = outcome.json();
    assert!(
        report["warning"].as_str().unwrap().contains("writing"),
        "{report}"
    );
    assert!(service.object() == bytes);
    assert_eq!(names(&folder(&service)), [""; 0]);
}

#[test]
fn a_spoilt_checkpoint_is_told_and_the_upload_resumes_all_the_same() {
    let mut service = Service::new();
    let (file, bytes) = big_file(&service);
    kill(stuck(&service, &file, &[]));
    service.restart();
    for name in names(&folder(&service)) {
        let path = folder(&service).join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    }
    let outcome = run(&mut service.upload(&file, &["--json", SMALL_SLICES]));
    let report = outcome.json();
    assert_eq!(report["resumed"], ANSWERED * SLICE);
    assert!(
        report["warning"].as_str().unwrap().contains("damaged"),
        "{report}"
    );
    assert!(service.object() == bytes);
    assert_eq!(names(&folder(&service)), [""; 0]);
}
