//! Torture: every fallible call that the programs make fails once, and from some moment on.
//!
//! `torture/fail.c` is preloaded into the command and into the C program of the documentation. It counts their calls of
//! the system and lets the n-th fail; here each n has its turn. Whatever fails, a program ends by itself, with the object
//! as it must be or with a message; it never crashes, and the next run without a failure succeeds. Failing memory is
//! left out: the Rust standard library ends the process then, by design.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use cos_emulator::{Config, Emulator};

/// Bounds one run; nothing is expected to take a fraction of it.
const HANG_GUARD: Duration = Duration::from_secs(150);
/// Most runs wait for a repetition most of the time.
const THREADS: u64 = 8;
/// Two slices of the smallest size.
const FILE_SIZE: usize = (512 << 10) + 9_999;
const BUCKET: &str = "videos";
/// Asks for every call and every error. Without it each call fails once with one of its errors, and from some calls on
/// everything fails.
const EVERY_FAULT: &str = "COS_SLICE_EVERY_FAULT";
/// No call has more errors, with the short transfer.
const CHOICES: u64 = 6;
/// A run may make some calls more than the one that was counted.
const BEYOND: u64 = 10;

/// What is tortured.
#[derive(Clone, Copy, Debug)]
enum Program {
    Command { hash: bool },
    Example,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Times {
    Once,
    On,
}

/// Which of a call's errors.
#[derive(Clone, Copy)]
enum Choice {
    /// Another one for each call.
    OneEach,
    All,
}

/// The calls to strike: from 1 on in steps.
struct Plan {
    program: Program,
    times: Times,
    step: u64,
    choice: Choice,
}

#[test]
fn whatever_call_fails_once_the_command_ends_in_success_or_a_message() {
    for hash in [true, false] {
        torture(&Plan {
            program: Program::Command { hash },
            times: Times::Once,
            step: 1,
            choice: if is_full() { Choice::All } else { Choice::OneEach },
        });
    }
}

#[test]
fn whatever_fails_from_some_call_on_the_command_ends_in_success_or_a_message() {
    for hash in [true, false] {
        torture(&Plan {
            program: Program::Command { hash },
            times: Times::On,
            step: if is_full() { 1 } else { 7 },
            choice: Choice::OneEach,
        });
    }
}

#[test]
fn whatever_call_fails_once_the_c_program_ends_in_success_or_a_message() {
    torture(&Plan {
        program: Program::Example,
        times: Times::Once,
        step: if is_full() { 1 } else { 3 },
        choice: if is_full() { Choice::All } else { Choice::OneEach },
    });
}

/// The program has no deadline to set, so that some of these take as long as the library repeats requests: a minute.
#[test]
fn whatever_fails_from_some_call_on_the_c_program_ends_in_success_or_a_message() {
    torture(&Plan {
        program: Program::Example,
        times: Times::On,
        step: if is_full() { 1 } else { 40 },
        choice: Choice::OneEach,
    });
}

fn is_full() -> bool {
    std::env::var_os(EVERY_FAULT).is_some()
}

fn torture(plan: &Plan) {
    let tools = Tools::build();
    let counted = Bench::new(&tools).count(plan.program);
    assert!(counted > 30, "only {counted} calls: nothing is intercepted");
    let choices = match plan.choice {
        Choice::OneEach => 1,
        Choice::All => CHOICES,
    };
    let next = AtomicU64::new(0);
    let (struck, failures) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let bench = Bench::new(&tools);
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let nth = 1 + turn / choices * plan.step;
                    if nth > counted + BEYOND {
                        return;
                    }
                    let choice = match plan.choice {
                        Choice::OneEach => "any".to_owned(),
                        Choice::All => (turn % choices).to_string(),
                    };
                    match bench.strike(plan, nth, &choice, turn) {
                        Ok(true) => drop(struck.fetch_add(1, Ordering::Relaxed)),
                        Ok(false) => {}
                        Err(failure) => failures
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(failure),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    let struck = struck.into_inner();
    // A line that `scripts/faults.sh` reads.
    println!("figure torture.points={struck}");
    assert!(
        failures.is_empty(),
        "{} of {struck} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(
        struck * plan.step * 2 > counted,
        "{struck} of {counted} calls were struck"
    );
}

/// What is compiled for the test.
struct Tools {
    folder: tempfile::TempDir,
}

impl Tools {
    fn build() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let test = std::env::current_exe().unwrap();
        let library = test.parent().unwrap().join("libcos_slice.so");
        let soname = format!("libcos_slice.so.{}", cos_slice::ABI_VERSION);
        std::os::unix::fs::symlink(&library, folder.path().join(soname)).unwrap();
        let tools = Self { folder };
        let mut fail = Command::new("cc");
        fail.args([
            "-std=gnu11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-O1",
            "-fPIC",
            "-shared",
            "-o",
        ])
        .arg(tools.fail())
        .arg(root.join("tests/torture/fail.c"))
        .arg("-ldl");
        compile(&mut fail);
        let mut example = Command::new("cc");
        example
            .args(["-std=c99", "-o"])
            .arg(tools.example())
            .arg(root.join("bindings/c/examples/upload.c"))
            .arg(format!("-I{}", root.join("include").display()))
            .arg(&library)
            .arg(format!("-Wl,-rpath,{}", tools.folder.path().display()));
        compile(&mut example);
        tools
    }

    fn fail(&self) -> PathBuf {
        self.folder.path().join("fail.so")
    }

    fn example(&self) -> PathBuf {
        self.folder.path().join("upload")
    }
}

fn compile(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("cc: {error}; install gcc"));
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A service, a file, and the report of the preloaded library.
struct Bench<'a> {
    tools: &'a Tools,
    emulator: Emulator,
    folder: tempfile::TempDir,
    content: Vec<u8>,
}

/// How a run ended.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
    /// Calls that were counted, and those of them that were struck.
    calls: u64,
    struck: u64,
    first: String,
}

impl<'a> Bench<'a> {
    fn new(tools: &'a Tools) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(Config::new(folder.path().join("data"))).unwrap();
        let content: Vec<u8> = (0..FILE_SIZE).map(|place| (place * place / 7) as u8).collect();
        fs::write(folder.path().join("file"), &content).unwrap();
        Self {
            tools,
            emulator,
            folder,
            content,
        }
    }

    /// How many calls a run makes in which nothing fails.
    fn count(&self, program: Program) -> u64 {
        let mut command = self.command(program, "count", &[]);
        let ended = self.run(self.preload(&mut command, 0, Times::Once, "0")).unwrap();
        assert!(ended.status.success(), "{}", ended.stderr);
        ended.calls
    }

    /// Lets a call fail; whether there was such a call.
    fn strike(&self, plan: &Plan, nth: u64, choice: &str, turn: u64) -> Result<bool, String> {
        let path = format!("case-{turn}");
        let deadline = ["--deadline", "3"];
        let options = if plan.times == Times::On {
            &deadline[..]
        } else {
            &[]
        };
        let mut command = self.command(plan.program, &path, options);
        let ended = self.run(self.preload(&mut command, nth, plan.times, choice))?;
        let case = format!(
            "{:?}, {:?}, call {nth}, choice {choice}: {}",
            plan.program, plan.times, ended.first
        );
        let shown = format!(
            "{}, stdout {:?}, stderr {:?}",
            ended.status, ended.stdout, ended.stderr
        );
        self.judge(&path, &ended)
            .map_err(|failure| format!("{case}: {failure}: {shown}"))?;
        // Without digests the unfinished upload proves nothing, so that it must be allowed to begin anew. With them it is
        // resumed, whatever failed.
        let anew: &[&str] = match plan.program {
            Program::Command { hash: false } => &["--discard-unfinished", "--overwrite"],
            Program::Command { hash: true } | Program::Example => &[],
        };
        let again = self.run(&mut self.command(plan.program, &path, anew))?;
        if !again.status.success() || !self.is_there(&path) {
            return Err(format!(
                "{case}: {shown}; and the next run: {} {}",
                again.status, again.stderr
            ));
        }
        let _ = fs::remove_file(self.emulator.object_file(BUCKET, &path));
        self.emulator.clear_requests();
        Ok(ended.struck > 0)
    }

    fn judge(&self, path: &str, ended: &Ended) -> Result<(), String> {
        let has_object = self.emulator.object_file(BUCKET, path).exists();
        if has_object && !self.is_there(path) {
            return Err("the object is not the file".into());
        }
        match (ended.status.code(), ended.status.signal()) {
            (_, Some(signal)) => Err(format!("killed by signal {signal}")),
            (Some(0), _) if !has_object => Err("success without an object".into()),
            (Some(0), _) => Ok(()),
            (Some(1 | 2), _) if is_a_message(&ended.stderr) => Ok(()),
            (status, _) => Err(format!(
                "no message that says what failed, exit status {status:?}"
            )),
        }
    }

    fn is_there(&self, path: &str) -> bool {
        self.emulator
            .object(BUCKET, path)
            .is_ok_and(|object| object == self.content)
    }

    fn command(&self, program: Program, path: &str, options: &[&str]) -> Command {
        // A name, so that it is looked up.
        let endpoint = format!("http://localhost:{}", self.emulator.address().port());
        let file = self.folder.path().join("file");
        let mut command = match program {
            Program::Command { hash } => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_cos-slice"));
                command
                    .args(["upload", "--slice-size", "512K", "--concurrency", "1"])
                    .args((!hash).then_some("--no-hash"))
                    .args(options)
                    .arg(file)
                    .arg(format!("cos://{BUCKET}/{path}"))
                    .env_clear()
                    .env("COS_SLICE_ENDPOINT", endpoint)
                    .env("COS_SLICE_APP_ID", "1251668577")
                    .env("COS_SLICE_SECRET_ID", "AKIDtest")
                    .env("COS_SLICE_SECRET_KEY", "secret")
                    .env("XDG_STATE_HOME", self.folder.path().join("state"));
                command
            }
            Program::Example => {
                let mut command = Command::new(self.tools.example());
                command.args([&endpoint, BUCKET, path]).arg(file).env_clear();
                command
            }
        };
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn preload<'c>(&self, command: &'c mut Command, nth: u64, times: Times, choice: &str) -> &'c mut Command {
        fs::write(self.report(), [0; 4096]).unwrap();
        let times = if times == Times::Once { "once" } else { "on" };
        command
            .env("LD_PRELOAD", self.tools.fail())
            .env("TORTURE_REPORT", self.report())
            .env("TORTURE_NTH", nth.to_string())
            .env("TORTURE_TIMES", times)
            .env("TORTURE_CHOICE", choice)
    }

    fn report(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    fn run(&self, command: &mut Command) -> Result<Ended, String> {
        let mut child = command.spawn().unwrap();
        let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
        let status = wait(child)?;
        let (mut calls, mut struck, mut first) = (0, 0, String::new());
        if let Ok(report) = fs::read(self.report()) {
            let number = |at: usize| u64::from_ne_bytes(report[at..at + 8].try_into().unwrap());
            (calls, struck) = (number(0), number(8));
            let text = report[16..64].split(|byte| *byte == 0).next().unwrap_or_default();
            first = String::from_utf8_lossy(text).into_owned();
        }
        Ok(Ended {
            status,
            stdout: stdout.join().unwrap(),
            stderr: stderr.join().unwrap(),
            calls,
            struck,
            first,
        })
    }
}

/// Waits for a program's end, which must come by itself.
fn wait(mut child: Child) -> Result<ExitStatus, String> {
    let process = rustix::process::Pid::from_child(&child);
    let (ended, wait_for_end) = mpsc::channel();
    let waiter = thread::spawn(move || ended.send(child.wait().unwrap()));
    let status = wait_for_end
        .recv_timeout(HANG_GUARD)
        .map_err(|_| "it hangs".to_owned());
    if status.is_err() {
        let _ = rustix::process::kill_process(process, rustix::process::Signal::KILL);
    }
    let _ = waiter.join();
    status
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether the last line says what failed, in words of the program and not of a crash.
fn is_a_message(stderr: &str) -> bool {
    let last = stderr.lines().last().unwrap_or_default();
    let begins = ["cos-slice: ", "upload failed (", "error: "];
    let text = begins
        .iter()
        .find_map(|begin| last.split_once(begin))
        .map_or("", |(_, text)| text);
    text.len() > 20 && !stderr.contains("panicked")
}
