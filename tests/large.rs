//! A gibibyte goes up in little memory, and more than 4 GiB go up at all. `make test` runs this with optimisation, others don't.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use cos_emulator::{Action, Config, Emulator, Fault};

const SIZE: u64 = 1 << 30;
/// The most memory that the command may have had resident at any time, in KiB.
const RESIDENT_LIMIT: u64 = 40 << 10;
const HANG_GUARD: Duration = Duration::from_secs(300);

#[test]
fn a_gibibyte_goes_up_within_40_mib_of_memory() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = Emulator::start(Config::new(folder.path().join("service"))).unwrap();
    let file = folder.path().join("big.mp4");
    let mut random = File::open("/dev/urandom").unwrap().take(SIZE);
    std::io::copy(&mut random, &mut File::create(&file).unwrap()).unwrap();

    // Held at its last question, when everything that needs memory is done and the process still lives.
    emulator.add_fault(Fault::new("stat", Action::Hang { after_effect: false }).times(0));
    let mut child = upload(&emulator, &file).spawn().unwrap();
    let finished = |records: &[cos_emulator::RequestRecord]| {
        records.iter().any(|record| {
            record.operation.as_deref() == Some("upload_slice_finish") && record.code == Some(0)
        })
    };
    assert!(
        emulator.wait_for_requests(finished, HANG_GUARD),
        "the upload was not finished"
    );
    let peak = peak_resident_kib(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    writeln!(std::io::stdout(), "peak resident memory: {peak} KiB").unwrap();
    assert!(peak < RESIDENT_LIMIT, "{peak} KiB");

    let object = emulator.object_file("videos", "/2026/big.mp4");
    assert!(same_content(&file, &object));
    emulator.clear_faults();
    let outcome = upload(&emulator, &file).output().unwrap();
    assert_eq!(outcome.status.code(), Some(0));
}

/// What a stream adds to that: a slice for each of 8 connections, and one more.
const STREAM_LIMIT: u64 = RESIDENT_LIMIT + (9 << 10);

#[test]
fn a_gibibyte_of_a_stream_goes_up_within_9_mib_more() {
    let folder = tempfile::tempdir().unwrap();
    let emulator = discarding(&folder);
    emulator.add_fault(Fault::new("stat", Action::Hang { after_effect: false }).times(0));
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let writing = std::thread::spawn(move || {
        let mut bytes = std::io::repeat(b'x').take(SIZE);
        std::io::copy(&mut bytes, &mut File::from(writer))
    });
    let mut command = upload(&emulator, "-".as_ref());
    command.args(["--size", "1G"]).stdin(reader);
    let mut child = command.spawn().unwrap();
    drop(command);
    let finished = |records: &[cos_emulator::RequestRecord]| {
        records.iter().any(|record| {
            record.operation.as_deref() == Some("upload_slice_finish") && record.code == Some(0)
        })
    };
    assert!(
        emulator.wait_for_requests(finished, HANG_GUARD),
        "the upload was not finished"
    );
    let peak = peak_resident_kib(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(writing.join().unwrap().unwrap(), SIZE);
    writeln!(std::io::stdout(), "peak resident memory of a stream: {peak} KiB").unwrap();
    assert!(peak < STREAM_LIMIT, "{peak} KiB");
}

#[test]
fn a_file_of_more_than_4_gib_goes_up_to_its_last_byte() {
    const LARGE: u64 = (5 << 30) + 1;
    let folder = tempfile::tempdir().unwrap();
    let emulator = discarding(&folder);
    let file = folder.path().join("sparse");
    File::create(&file).unwrap().set_len(LARGE).unwrap();
    let mut command = upload(&emulator, &file);
    let outcome = command
        .args(["--no-hash", "--slice-size", "3M"])
        .output()
        .unwrap();
    assert!(outcome.status.success(), "{outcome:?}");

    let requests = emulator.requests();
    let mut slices: Vec<u64> = requests.iter().filter_map(|request| request.offset).collect();
    slices.sort_unstable();
    slices.dedup();
    let expected: Vec<u64> = (0..LARGE).step_by(3 << 20).collect();
    assert!(slices == expected, "{} slices", slices.len());
    assert!(
        slices
            .iter()
            .filter(|offset| **offset > u64::from(u32::MAX))
            .count()
            > 300
    );
    let told = cos_slice(&emulator, &file)
        .args(["status", "--json", OBJECT])
        .output()
        .unwrap();
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(
        (&told["state"], &told["size"]),
        (&"complete".into(), &LARGE.into())
    );
}

/// A service that takes more than its disk holds.
fn discarding(folder: &tempfile::TempDir) -> Emulator {
    let emulator = Emulator::start(Config::new(folder.path().join("service"))).unwrap();
    emulator.set("content", "discard").unwrap();
    emulator
}

const OBJECT: &str = "cos://videos/2026/big.mp4";

fn cos_slice(emulator: &Emulator, file: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cos-slice"));
    command
        .env_clear()
        .env("COS_SLICE_ENDPOINT", emulator.endpoint())
        .env("COS_SLICE_APP_ID", "1251668577")
        .env("COS_SLICE_SECRET_ID", "AKIDtest")
        .env("COS_SLICE_SECRET_KEY", "secret")
        .env("XDG_STATE_HOME", file.with_extension("state"));
    command
}

fn upload(emulator: &Emulator, file: &std::path::Path) -> Command {
    let mut command = cos_slice(emulator, file);
    command
        .args(["upload", "--quiet", "--concurrency", "8"])
        .arg(file)
        .arg(OBJECT)
        .stdout(Stdio::null());
    command
}

fn peak_resident_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().strip_suffix(" kB").unwrap().trim().parse().unwrap()
}

fn same_content(one: &std::path::Path, other: &std::path::Path) -> bool {
    let (mut one, mut other) = (File::open(one).unwrap(), File::open(other).unwrap());
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    loop {
        let count = one.read(&mut left).unwrap();
        if count == 0 {
            return other.read(&mut right).unwrap() == 0;
        }
        if other.read_exact(&mut right[..count]).is_err() || left[..count] != right[..count] {
            return false;
        }
    }
}
