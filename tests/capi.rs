//! The C programs of `tests/capi/` and the one of the documentation, compiled, linked in each way that users link, and run
//! against an emulator. `make test` also runs them under valgrind and with sanitizers (`tests/capi/run.sh`).

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use cos_emulator::{Action, Config, Emulator, Fault};
use cos_slice::engine::client::MEMORY_PER_CONNECTION;

/// The folder of the libraries that were built with this test.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.parent().expect("in a folder").to_owned()
}

/// Compiles and runs all programs against an emulator of their own, and compares the object with the file.
fn run_programs(link: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let emulator = Emulator::start(Config::new(folder.path().join("store"))).expect("the emulator starts");
    let work = folder.path().join("programs");
    let output = script(link, &emulator, &work, &[])
        .output()
        .expect("the script can be run");
    assert!(output.status.success(), "{}", said(&output));
    let file = fs::read(work.join("content")).expect("the file that was uploaded");
    let object = emulator
        .object("printed", &format!("2026/{link}.bin"))
        .expect("the object is there");
    assert!(file == object, "the object is the file, byte for byte");
}

fn script(link: &str, emulator: &Emulator, work: &Path, wrapper: &[&str]) -> Command {
    let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/capi/programs.sh"));
    script
        .arg(link)
        .arg(libraries())
        .arg(emulator.endpoint())
        .arg(work)
        .args(wrapper);
    script
}

#[test]
fn a_program_that_fails_is_reported_with_what_it_said_and_its_exit_status() {
    for failing in ["upload", "resume", "getters"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let emulator =
            Emulator::start(Config::new(folder.path().join("store"))).expect("the emulator starts");
        let work = folder.path().join("programs");
        let fails = format!("case $0 in */{failing}) echo said >&2; exit 7;; esac; exec \"$0\" \"$@\"");
        let output = script("shared", &emulator, &work, &["sh", "-c", &fails])
            .env("PROGRAMS", "getters")
            .output()
            .expect("the script can be run");
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        let told = said(&output);
        assert!(told.contains("said\n"), "{told}");
        assert!(
            told.contains(&format!("{failing} failed with exit status 7")),
            "{told}"
        );
        let kept = fs::read_to_string(work.join(format!("{failing}.err"))).expect("it is kept");
        assert_eq!(kept, "said\n");
    }
}

/// Compiles one program as users do, against the shared library where it was built.
fn compile(program: &str, folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let executable = folder.join(program);
    // Programs ask for the library by its soname.
    let soname = format!("libcos_slice.so.{}", cos_slice::ABI_VERSION);
    std::os::unix::fs::symlink(libraries().join("libcos_slice.so"), folder.join(soname)).expect("a link");
    let output = Command::new("cc")
        .args(["-std=c99", "-D_POSIX_C_SOURCE=200809L", "-pthread"])
        .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-o"])
        .arg(&executable)
        .args([program, "check"].map(|name| root.join(format!("tests/capi/{name}.c"))))
        .arg(format!("-I{}", root.join("include").display()))
        .arg(libraries().join("libcos_slice.so"))
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .output()
        .unwrap_or_else(|error| panic!("cc: {error}; install gcc"));
    assert!(output.status.success(), "{}", said(&output));
    executable
}

fn said(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "{}\n{}\n{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    )
}

#[test]
fn the_programs_run_with_the_shared_library() {
    run_programs("shared");
}

#[test]
fn the_programs_run_with_the_static_library() {
    run_programs("static");
}

/// Runs a program that needs no service.
fn run_alone(program: &str, folder: &Path) {
    let output = Command::new(compile(program, folder))
        .arg("http://never.asked")
        .arg(folder)
        .output()
        .expect("the program can be run");
    assert!(output.status.success(), "{}", said(&output));
}

/// By itself, because its look-ups may still be ending with the process, which valgrind takes for a leak.
#[test]
fn a_name_service_that_does_not_answer_holds_up_neither_limits_nor_cancel_nor_free() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    run_alone("hanging_names", folder.path());
}

#[test]
fn each_time_limit_that_can_be_set_ends_its_wait_with_an_error_that_names_the_phase() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let some = rcgen::generate_simple_self_signed(["store.example".to_owned()]).expect("a certificate");
    fs::write(folder.path().join("ca.pem"), some.cert.pem()).expect("a file");
    run_alone("limits", folder.path());
}

/// The header's bound: so much for each connection, and nothing for the size of the file.
#[test]
fn memory_grows_with_connections_by_no_more_than_the_header_says_and_not_with_the_file() {
    const FEW: u64 = 4;
    const MANY: u64 = 64;
    // What one run may differ from another by itself.
    const NOISE: u64 = 1 << 20;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("memory", folder.path());
    let emulator = Emulator::start(Config::new(folder.path().join("store"))).expect("the emulator starts");
    let peak = |connections: u64, path: &str, size: u64| {
        let file = folder.path().join(path);
        File::create(&file)
            .and_then(|file| file.set_len(size))
            .expect("a file of zeros");
        let arguments = [emulator.endpoint(), connections.to_string(), path.into()];
        let output = Command::new(&program)
            .args(arguments)
            .arg(&file)
            .output()
            .expect("the program can be run");
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).expect("a number");
        text.trim().parse::<u64>().expect("a number") * 1024
    };

    let (small, large) = (peak(FEW, "small", 4 << 20), peak(FEW, "large", 64 << 20));
    assert!(
        large < small + NOISE,
        "{small} bytes for 4 MiB, {large} bytes for 64 MiB"
    );

    // Each answer is late, so that all connections are in use at once.
    emulator.clear_requests();
    emulator.add_fault(Fault::new("upload_slice_data", Action::Delay(Duration::from_secs(1))).times(0));
    let many = peak(MANY, "many", MANY << 20);
    let used: HashSet<u64> = emulator
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert!(
        used.len() as u64 > MANY * 3 / 4,
        "only {} connections were used",
        used.len()
    );
    let each = u64::try_from(MEMORY_PER_CONNECTION).expect("a few hundred KiB");
    assert!(
        many < large + (MANY - FEW) * each + NOISE,
        "{large} bytes with {FEW}, {many} bytes with {MANY}"
    );
}

/// With no more descriptors than the least that a system lets a process have.
#[test]
fn a_thousand_uploads_at_once_take_no_more_threads_and_descriptors_and_hardly_more_memory_than_one() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = compile("thousand", folder.path());
    let emulator = Emulator::start(Config::new(folder.path().join("store"))).expect("the emulator starts");
    emulator.set("content", "discard").expect("a switch");
    let file = folder.path().join("file");
    File::create(&file)
        .and_then(|file| file.set_len(1 << 20))
        .expect("a file of zeros");
    let output = Command::new("sh")
        .args(["-c", "ulimit -n 256 && exec \"$0\" \"$@\""])
        .arg(&program)
        .arg(emulator.endpoint())
        .arg(&file)
        .output()
        .expect("the program can be run");
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout.clone()).expect("numbers");
    let numbers: Vec<u64> = text
        .split_whitespace()
        .map(|word| word.parse().expect("a number"))
        .collect();
    let [peak_kib, threads, succeeded] = numbers[..] else {
        panic!("{}", said(&output))
    };
    assert_eq!(succeeded, 1000, "{}", said(&output));
    assert!(threads <= 24, "{threads} threads");
    assert!(peak_kib <= 48 << 10, "{peak_kib} KiB");
}
