//! The command is killed or interrupted, and run again.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use cos_emulator::{Action, Fault};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{OBJECT, Service, content, finish, run};

const MIB: u64 = 1 << 20;
const SLICES: u64 = 20;
/// The service answers so many slices, and then no more.
const ANSWERED: u64 = 8;

/// A service that has answered some slices of an upload.
struct Stopped {
    service: Service,
    bytes: Vec<u8>,
    file: PathBuf,
}

/// The service, and the upload that waits in vain for the rest of its slices.
fn stopped_upload() -> (Stopped, Child) {
    let service = Service::new();
    let bytes = content((SLICES * MIB) as usize, 21);
    let file = service.file("big.mp4", &bytes);
    let silence = Fault::new("upload_slice_data", Action::Hang { after_effect: false });
    service.emulator.add_fault(silence.nth(ANSWERED + 1).times(0));
    let child = service.upload(&file, &[]).spawn().unwrap();
    service.wait_for_slices(ANSWERED as usize);
    (Stopped { service, bytes, file }, child)
}

impl Stopped {
    /// Runs the same command again, and holds what it sent against what was missing.
    fn resume(mut self) {
        let before = self.service.slices();
        assert_eq!(before.len() as u64, ANSWERED);
        assert!(!self.service.has_object());
        self.service.restart();

        let report = run(&mut self.service.upload(&self.file, &["--json"])).json();
        assert_eq!(report["outcome"], "resumed");
        assert_eq!(report["resumed"], ANSWERED * MIB);
        assert_eq!(report["slices"], SLICES - ANSWERED);
        let missing: Vec<u64> = (0..SLICES)
            .map(|slice| slice * MIB)
            .filter(|offset| !before.contains(offset))
            .collect();
        assert_eq!(self.service.slices(), missing);
        assert!(self.service.object() == self.bytes);
    }
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn after_a_kill_only_the_missing_slices_are_sent() {
    let (stopped, child) = stopped_upload();
    kill(child);
    stopped.resume();
}

/// What was sent of the older content is thrown away: at once where the checkpoint tells that it was sent from here, and
/// on demand where nothing does.
#[test]
fn after_a_kill_a_file_that_changed_is_never_mixed_with_what_was_sent() {
    type Change = fn(&mut Vec<u8>);
    let changes: [(&str, Change); 3] = [
        ("head", |bytes| bytes[0] ^= 1),
        ("tail", |bytes| *bytes.last_mut().unwrap() ^= 1),
        ("grown", |bytes| bytes.extend_from_slice(b"more")),
    ];
    for (name, change) in changes {
        for has_checkpoint in [true, false] {
            let (mut stopped, child) = stopped_upload();
            kill(child);
            change(&mut stopped.bytes);
            std::fs::write(&stopped.file, &stopped.bytes).unwrap();
            stopped.service.restart();
            let mut options = vec!["--json"];
            if !has_checkpoint {
                options.push("--no-checkpoint");
                let refused = run(&mut stopped.service.upload(&stopped.file, &["--no-checkpoint"]));
                let line = refused.failure(1);
                let tells = line.contains("-4020") && line.contains("allow discarding it");
                assert!(tells && !stopped.service.has_object(), "{name}: {line}");
                options.push("--discard-unfinished");
            }
            let report = run(&mut stopped.service.upload(&stopped.file, &options)).json();
            assert_eq!(
                (&report["outcome"], &report["resumed"]),
                (&"uploaded".into(), &0.into()),
                "{name}"
            );
            assert!(stopped.service.object() == stopped.bytes, "{name}");
        }
    }
}

#[test]
fn a_file_that_is_truncated_while_it_is_uploaded_is_an_error_and_no_object() {
    for options in [&["--timeout", "1"][..], &["--timeout", "1", "--no-hash"]] {
        let service = Service::new();
        let file = service.file("big.mp4", &content((SLICES * MIB) as usize, 24));
        let silence = Fault::new("upload_slice_data", Action::Hang { after_effect: false });
        service.emulator.add_fault(silence.nth(ANSWERED + 1).times(8));
        let child = service.upload(&file, options).spawn().unwrap();
        service.wait_for_slices(ANSWERED as usize);
        let handle = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        handle.set_len(MIB).unwrap();
        let outcome = finish(child);
        let line = outcome.failure(1);
        assert!(
            line.contains("big.mp4") && line.contains("changed while it was being uploaded"),
            "{line}"
        );
        assert!(!service.has_object());
    }
}

#[test]
fn an_interrupted_upload_ends_with_130_and_resumes() {
    for signal in [Signal::INT, Signal::TERM] {
        let (stopped, child) = stopped_upload();
        send(&child, signal);
        let outcome = finish(child);
        let line = outcome.failure(130);
        assert!(
            line.contains("cancelled") && line.contains("again to resume"),
            "{line}"
        );
        stopped.resume();
    }
}

#[test]
fn status_tells_how_much_of_an_unfinished_upload_is_there() {
    let (stopped, child) = stopped_upload();
    kill(child);
    let status = |options: &[&str]| run(stopped.service.command().args(["status", OBJECT]).args(options));
    let (received, size) = (ANSWERED * MIB, SLICES * MIB);
    assert_eq!(
        status(&[]).success(),
        format!("unfinished, {ANSWERED} slices, {received} of {size} bytes")
    );
    let expected =
        serde_json::json!({"state": "unfinished", "size": size, "received": received, "slices": ANSWERED});
    assert_eq!(status(&["--json"]).json(), expected);
}

#[test]
fn a_second_signal_ends_it_at_once_even_when_it_is_stuck() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(MIB as usize, 22));
    service
        .emulator
        .add_fault(Fault::new("upload_slice_data", Action::Hang { after_effect: false }).times(0));
    // A full pipe that nobody reads: the main thread blocks where it tells its progress, and no cancelling helps.
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).unwrap();
    fill(&writer);
    rustix::fs::fcntl_setfl(&writer, rustix::fs::OFlags::empty()).unwrap();
    let child = service
        .upload(&file, &[])
        .stderr(Stdio::from(writer))
        .spawn()
        .unwrap();
    let begun = |records: &[cos_emulator::RequestRecord]| {
        records
            .iter()
            .any(|record| record.operation.as_deref() == Some("upload_slice_init"))
    };
    assert!(
        service
            .emulator
            .wait_for_requests(begun, crate::support::HANG_GUARD)
    );
    // Two kinds, because two of one kind may arrive as one.
    send(&child, Signal::INT);
    send(&child, Signal::TERM);
    assert_eq!(finish(child).status, Some(130));
    drop(reader);
}

fn fill(pipe: &std::os::fd::OwnedFd) {
    loop {
        match rustix::io::write(pipe, &[b'.'; 4096]) {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                return;
            }
        }
    }
}

#[test]
fn what_is_killed_after_the_last_slice_needs_no_slice_again() {
    let mut service = Service::new();
    let bytes = content(3 * MIB as usize, 23);
    let file = service.file("big.mp4", &bytes);
    service
        .emulator
        .add_fault(Fault::new("upload_slice_finish", Action::Hang { after_effect: false }).times(0));
    let child = service.upload(&file, &[]).spawn().unwrap();
    service.wait_for_slices(3);
    kill(child);
    service.restart();
    let report = run(&mut service.upload(&file, &["--json"])).json();
    assert_eq!(
        (&report["slices"], &report["resumed"]),
        (&0.into(), &(3 * MIB).into())
    );
    assert!(service.object() == bytes);
}
