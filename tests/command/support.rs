//! A service and a user of it.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cos_emulator::{Config, Emulator, RequestRecord};
use cos_slice::engine::source::CLOCK_TICK;
use serde_json::Value;
use tempfile::TempDir;

/// Bounds what would otherwise hang for ever; nothing is expected to take a fraction of it.
pub const HANG_GUARD: Duration = Duration::from_secs(180);

/// The secret key of every test. It may appear in no output.
pub const SECRET: &str = "PlantedSecretKey0123456789abcdef";

/// The object that most tests are about.
pub const OBJECT: &str = "cos://videos/2026/big.mp4";
/// Its bucket.
pub const BUCKET: &str = "videos";
/// Its path.
pub const PATH: &str = "/2026/big.mp4";

/// A running emulator, and a folder for the user's files.
pub struct Service {
    pub emulator: Emulator,
    config: Config,
    folder: TempDir,
}

impl Service {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path().join("service"));
        config.secret_key = SECRET.to_owned();
        change(&mut config);
        Self {
            emulator: Emulator::start(config.clone()).unwrap(),
            config,
            folder,
        }
    }

    /// Stops the service and starts it again at the same address, without the faults and with an empty journal. Requests
    /// whose client is gone may still wait in sockets; so they come to nothing before anything else happens.
    pub fn restart(&mut self) {
        self.config.listen = self.emulator.address();
        self.emulator.stop();
        self.emulator = Emulator::start(self.config.clone()).unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the command keeps its checkpoints, in a folder of its own.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// A file that was written long enough ago to be known again. The tick of the file system's clock must pass.
    pub fn old_file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.file(name, content);
        thread::sleep(CLOCK_TICK);
        path
    }

    /// A file of the user's.
    pub fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// The command with everything set that it needs.
    pub fn command(&self) -> Command {
        let mut command = bare_command();
        command
            .env("COS_SLICE_ENDPOINT", self.emulator.endpoint())
            .env("COS_SLICE_APP_ID", "1251668577")
            .env("COS_SLICE_SECRET_ID", "AKIDtest")
            .env("COS_SLICE_SECRET_KEY", SECRET)
            .env("XDG_STATE_HOME", self.state());
        command
    }

    /// `cos-slice upload FILE OBJECT` with more options.
    pub fn upload(&self, file: &Path, options: &[&str]) -> Command {
        let mut command = self.command();
        command.arg("upload").arg(file).arg(OBJECT).args(options);
        command
    }

    pub fn object(&self) -> Vec<u8> {
        self.emulator.object(BUCKET, PATH).unwrap()
    }

    pub fn has_object(&self) -> bool {
        self.emulator.object_file(BUCKET, PATH).exists()
    }

    /// Waits until so many slices were acknowledged.
    pub fn wait_for_slices(&self, count: usize) {
        let enough = |records: &[RequestRecord]| slices(records).len() >= count;
        assert!(
            self.emulator.wait_for_requests(enough, HANG_GUARD),
            "{count} slices were not acknowledged"
        );
    }

    /// The offsets of the slices that were acknowledged since the service started, sorted.
    pub fn slices(&self) -> Vec<u64> {
        slices(&self.emulator.requests())
    }

    pub fn count(&self, operation: &str) -> usize {
        self.emulator
            .requests()
            .iter()
            .filter(|record| is(record, operation))
            .count()
    }
}

fn is(record: &RequestRecord, operation: &str) -> bool {
    record.operation.as_deref() == Some(operation)
}

/// The offsets of acknowledged slices, sorted.
fn slices(records: &[RequestRecord]) -> Vec<u64> {
    let acknowledged = records
        .iter()
        .filter(|record| is(record, "upload_slice_data") || is(record, "v1_data"))
        .filter(|record| record.code == Some(0));
    let mut offsets: Vec<u64> = acknowledged.map(|record| record.offset.unwrap()).collect();
    offsets.sort_unstable();
    offsets
}

/// The command in an empty environment.
pub fn bare_command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cos-slice"));
    command
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// What a run of the command came to.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; `None` where a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Outcome {
    finish(command.spawn().unwrap())
}

/// Waits for a command's end, and looks for the secret in what it wrote.
pub fn finish(mut child: Child) -> Outcome {
    let process = rustix::process::Pid::from_child(&child);
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let (ended, wait_for_end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait().unwrap()));
    let Ok(status) = wait_for_end.recv_timeout(HANG_GUARD) else {
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
        panic!("the command hangs");
    };
    let outcome = Outcome {
        status: status.code(),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    assert!(
        !outcome.stdout.contains(SECRET) && !outcome.stderr.contains(SECRET),
        "the secret: {outcome:?}"
    );
    outcome
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_string(&mut text).unwrap();
        }
        text
    })
}

/// What a command writes while it runs.
pub struct Watcher {
    pieces: mpsc::Receiver<Vec<u8>>,
    seen: String,
}

impl Watcher {
    pub fn new(mut source: impl Read + Send + 'static) -> Self {
        let (sender, pieces) = mpsc::channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Reading a terminal that its last user left fails in place of an end.
            while let Ok(count @ 1..) = source.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            pieces,
            seen: String::new(),
        }
    }

    /// Waits until this was written.
    pub fn wait_for(&mut self, text: &str) {
        while !self.seen.contains(text) {
            let piece = self.pieces.recv_timeout(HANG_GUARD);
            let piece = piece.unwrap_or_else(|error| panic!("{error} without {text:?}: {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// Everything that was written, when the command has ended.
    pub fn all(mut self) -> String {
        while let Ok(piece) = self.pieces.recv_timeout(HANG_GUARD) {
            self.seen.push_str(&String::from_utf8_lossy(&piece));
        }
        self.seen
    }
}

impl Outcome {
    /// The only line on stdout of a run that worked.
    pub fn success(&self) -> &str {
        assert_eq!(self.status, Some(0), "{self:?}");
        let line = self.stdout.strip_suffix('\n').expect("a whole line");
        assert!(!line.is_empty() && !line.contains('\n'), "{self:?}");
        line
    }

    /// The one object on stdout.
    pub fn json(&self) -> Value {
        assert_eq!(self.stdout.matches('\n').count(), 1, "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// The line of a failure: the last on stderr and the only one beside progress, with nothing on stdout.
    pub fn failure(&self, status: i32) -> &str {
        assert_eq!(self.status, Some(status), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !is_progress(line)).collect();
        assert_eq!(lines.len(), 1, "{self:?}");
        lines[0].strip_prefix("cos-slice: ").unwrap()
    }
}

fn is_progress(line: &str) -> bool {
    ["hashing", "sending", "finishing", "verifying"]
        .iter()
        .any(|phase| line.starts_with(&format!("cos-slice: {phase}")))
}

/// Bytes without a pattern that slices could share, the same for the same seed.
pub fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}
