//! A gibibyte goes up in little memory. `make test` runs this with optimisation, others don't.

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

fn upload(emulator: &Emulator, file: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cos-slice"));
    command
        .env_clear()
        .env("COS_SLICE_ENDPOINT", emulator.endpoint())
        .env("COS_SLICE_APP_ID", "1251668577")
        .env("COS_SLICE_SECRET_ID", "AKIDtest")
        .env("COS_SLICE_SECRET_KEY", "secret")
        .env("XDG_STATE_HOME", file.with_extension("state"))
        .args(["upload", "--quiet", "--concurrency", "8"])
        .arg(file)
        .arg("cos://videos/2026/big.mp4")
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
