//! Where one scenario takes place: a bucket of its own, two clients, and what must hold after each run.

use std::fmt;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault};
use cos_slice::engine::client::{Client, ClientConfig, Inspection};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::CLOCK_TICK;
use cos_slice::protocol::Api;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::options::{RetryPolicy, UploadOptions};
use cos_slice::upload::random::Random;
use cos_slice::upload::status::Status;
use sha1::{Digest, Sha1};

pub const MIB: u64 = 1 << 20;
pub const PATH: &str = "2026/big.mp4";

/// How the client is set up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// `files/v2` with hashing.
    Hashing,
    /// `files/v2` without.
    Plain,
    /// `files/v1`, which is not possible without hashing.
    V1,
}

impl Mode {
    pub const ALL: [Mode; 3] = [Mode::Hashing, Mode::Plain, Mode::V1];

    fn api(self) -> Api {
        match self {
            Mode::Hashing | Mode::Plain => Api::FilesV2,
            Mode::V1 => Api::FilesV1,
        }
    }

    fn hash(self) -> bool {
        self != Mode::Plain
    }

    /// The emulator's name of the request that begins.
    pub fn init(self) -> &'static str {
        match self.api() {
            Api::FilesV2 => "upload_slice_init",
            Api::FilesV1 => "v1_control",
        }
    }

    /// The emulator's name of the request with a slice.
    pub fn data(self) -> &'static str {
        match self.api() {
            Api::FilesV2 => "upload_slice_data",
            Api::FilesV1 => "v1_data",
        }
    }
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its last upload succeeded so.
    Done(Outcome),
    /// Its last upload, or one before that had to succeed, failed so.
    Failed(Status),
}

impl fmt::Display for Ending {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(outcome) => write!(out, "{outcome:?}"),
            Self::Failed(status) => write!(out, "failed with {status:?}"),
        }
    }
}

/// Files that were written once, long enough ago to be known again. No two have a slice in common.
pub struct Files {
    _folder: tempfile::TempDir,
    /// Two slices, the last one short.
    pub big: PathBuf,
    /// Another of the same size.
    pub other: PathBuf,
    pub tiny: PathBuf,
    pub empty: PathBuf,
}

impl Files {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, size: u64| {
            let path = folder.path().join(name);
            let mut random = Random::new(name.len() as u64);
            let words = std::iter::repeat_with(|| random.draw().to_le_bytes());
            let mut content: Vec<u8> = words.take(size.div_ceil(8) as usize).flatten().collect();
            content.truncate(size as usize);
            std::fs::write(&path, content).expect("a file");
            path
        };
        let files = Self {
            big: file("big", MIB + 777),
            other: file("other", MIB + 777),
            tiny: file("tiny", 5),
            empty: file("empty", 0),
            _folder: folder,
        };
        // The tick of the file system's clock must pass.
        std::thread::sleep(CLOCK_TICK);
        files
    }
}

/// A server with some switches set, on a folder of its own.
pub struct Server {
    pub emulator: Emulator,
    positions: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Server {
    pub fn start(positions: &[String]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path().join("data"));
        for position in positions {
            config.switches.assign(position).expect("a position");
        }
        Self {
            emulator: Emulator::start(config).expect("an emulator"),
            positions: positions.to_vec(),
            _folder: folder,
        }
    }
}

pub struct Ground<'a> {
    server: &'a Server,
    pub files: &'a Files,
    bucket: String,
    pub mode: Mode,
    /// Of several connections.
    pub client: Client,
    /// Of one: what the server has after an interruption does not depend on what was in flight.
    pub serial: Client,
}

impl<'a> Ground<'a> {
    pub fn new(server: &'a Server, files: &'a Files, scenario: &str, mode: Mode) -> Self {
        let emulator = &server.emulator;
        emulator.clear_faults();
        let bucket = format!("{}-{mode:?}", scenario.replace('_', "-"));
        // The directory of PATH is there, and stays.
        let neighbour = emulator.object_file(&bucket, PATH).with_file_name("neighbour");
        std::fs::create_dir_all(neighbour.parent().expect("a folder")).expect("a folder");
        std::fs::write(neighbour, "there").expect("a file");
        let client = |connections: u32| {
            let key = SecretKey::new("1251668577", "AKIDtest", "secret").expect("a key");
            let endpoint = Endpoint::parse(&emulator.endpoint()).expect("an endpoint");
            let mut config = ClientConfig::new(endpoint, key);
            config.connections = connections.into();
            config.api = mode.api();
            // Failures take no longer than they must.
            config.retry = RetryPolicy {
                first_delay: Duration::from_millis(5),
                longest_delay: Duration::from_millis(50),
                ..RetryPolicy::default()
            };
            Client::new(config).expect("a client")
        };
        Self {
            client: client(4),
            serial: client(1),
            server,
            files,
            bucket,
            mode,
        }
    }

    /// Plays a scenario; an assertion that fails in it is told as an error.
    pub fn run(self, scenario: fn(&Self) -> Result<Object, Error>) -> Result<Ending, String> {
        let played = catch_unwind(AssertUnwindSafe(|| scenario(&self)));
        match played {
            Ok(Ok(object)) => Ok(Ending::Done(object.outcome)),
            Ok(Err(error)) => Ok(Ending::Failed(error.status)),
            Err(_) => Err("an assertion failed, see above".to_owned()),
        }
    }

    /// Strikes once.
    pub fn fault(&self, operation: &str, action: &str) {
        self.fault_at(operation, r#""nth":1"#, action);
    }

    /// Strikes once, where the condition holds too.
    pub fn fault_at(&self, operation: &str, condition: &str, action: &str) {
        let rule = format!(r#"{{"operation":"{operation}",{condition},"action":{action}}}"#);
        self.server
            .emulator
            .add_fault(Fault::from_json(&rule).expect("a fault"));
    }

    /// Whether the server has a switch in this position.
    pub fn has(&self, position: &str) -> bool {
        self.server.positions.iter().any(|set| set == position)
    }

    /// The SHA-1 of the object at a path: of its bytes, or where the server keeps none, what it took of them.
    pub fn object(&self, path: &str) -> Option<String> {
        match self.server.emulator.object(&self.bucket, path) {
            Ok(bytes) => Some(sha1(&bytes)),
            Err(error) if error.kind() == ErrorKind::Unsupported => {
                match self.client.inspect(&self.bucket, path).expect("an answer") {
                    Inspection::Complete { sha1, .. } => sha1,
                    // An upload that is to replace it hides it.
                    Inspection::Unfinished { .. } | Inspection::None => None,
                }
            }
            Err(_) => None,
        }
    }

    pub fn inspect(&self) -> Result<Inspection, Error> {
        self.client.inspect(&self.bucket, PATH)
    }

    /// A handle that uploads a file to the path that most scenarios use.
    pub fn upload(&self, client: &Client, file: &Path, change: impl FnOnce(&mut UploadOptions)) -> Upload {
        self.upload_to(PATH, client, file, change)
    }

    pub fn upload_to(
        &self,
        path: &str,
        client: &Client,
        file: &Path,
        change: impl FnOnce(&mut UploadOptions),
    ) -> Upload {
        let upload = client.upload(&self.bucket, path).expect("a good path");
        upload.set_file(file).expect("not running");
        let set = upload.set_options(|options| {
            options.hash = self.mode.hash();
            change(options);
        });
        set.expect("not running");
        upload
    }

    /// Runs an upload. After a success the object is the file; otherwise it is still one whole file, if there is one.
    pub fn send(&self, upload: &Upload, file: &Path) -> Result<Object, Error> {
        let result = upload.run(None);
        let bucket = format!("cos://{}/", self.bucket);
        let path = upload.name().strip_prefix(&bucket).expect("a path of the bucket");
        let object = self.object(path);
        let is = |file: &Path| object == Some(sha1_of(file));
        match &result {
            Ok(told) => {
                assert!(is(file), "{told:?}, but the object is not the file");
                assert!(told.verified, "{told:?}");
            }
            Err(error) => {
                eprintln!("{error}");
                assert!(
                    object.is_none() || is(&self.files.big) || is(&self.files.other),
                    "{error}"
                );
            }
        }
        result
    }

    /// Begins to upload a file over one connection, and is refused for good in its second slice.
    pub fn interrupt(&self, file: &Path) -> Result<Upload, Error> {
        let refusal = r#"{"status":400,"code":-5992}"#;
        self.fault_at(self.mode.data(), r#""offset":1048576"#, refusal);
        let upload = self.upload(&self.serial, file, |_| ());
        let error = self.send(&upload, file).expect_err("it was to be refused");
        self.server.emulator.clear_faults();
        match error.server_code {
            Some(-5992) => Ok(upload),
            _ => Err(error),
        }
    }
}

fn sha1(bytes: &[u8]) -> String {
    Sha1::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub fn sha1_of(file: &Path) -> String {
    sha1(&std::fs::read(file).expect("a file"))
}
