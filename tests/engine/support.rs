//! An emulator on a temporary folder, a client of it, and files with content that repeats itself nowhere.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::CLOCK_TICK;
use cos_slice::protocol::Api;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::options::RetryPolicy;

pub const MIB: u64 = 1 << 20;
pub const BUCKET: &str = "videos";
pub const PATH: &str = "2026/big.mp4";

pub struct Stage {
    pub emulator: Emulator,
    pub folder: tempfile::TempDir,
}

impl Stage {
    pub fn new() -> Self {
        Self::at(Ipv4Addr::LOCALHOST)
    }

    /// The emulator at an address of this machine, where the system chooses the port.
    pub fn at(host: Ipv4Addr) -> Self {
        Self::with(|config| config.listen = (host, 0).into())
    }

    /// An emulator with other settings.
    pub fn with(set: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path().join("data"));
        set(&mut config);
        let emulator = Emulator::start(config).expect("an emulator");
        Self { emulator, folder }
    }

    /// A client whose waits are short, so that tests of failures take no longer than they must.
    pub fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new(
            Endpoint::parse(&self.emulator.endpoint()).expect("an endpoint"),
            key(),
        );
        config.retry = RetryPolicy {
            first_delay: Duration::from_millis(5),
            longest_delay: Duration::from_millis(50),
            ..RetryPolicy::default()
        };
        config
    }

    /// The same, of an API.
    pub fn client_of(&self, api: Api) -> Client {
        let config = ClientConfig { api, ..self.config() };
        Client::new(config).expect("a client")
    }

    pub fn client(&self) -> Client {
        Client::new(self.config()).expect("a client")
    }

    /// A file of this many bytes; files of different seeds share no slice.
    pub fn file(&self, size: u64, seed: u64) -> PathBuf {
        let path = self.folder.path().join(format!("file-{size}-{seed}"));
        std::fs::write(&path, content(size, seed)).expect("a file");
        path
    }

    /// A file that was written long enough ago to be known again. The tick of the file system's clock must pass.
    pub fn old_file(&self, size: u64, seed: u64) -> PathBuf {
        let path = self.file(size, seed);
        std::thread::sleep(CLOCK_TICK);
        path
    }

    pub fn upload(&self, client: &Client, file: &Path) -> Upload {
        let upload = client.upload(BUCKET, PATH).expect("a good path");
        upload.set_file(file).expect("not running");
        upload
    }

    pub fn object(&self) -> Vec<u8> {
        self.emulator.object(BUCKET, PATH).expect("an object")
    }

    pub fn assert_object_is(&self, file: &Path) {
        assert!(
            self.object() == std::fs::read(file).unwrap(),
            "the object is not the file"
        );
    }

    pub fn fault(&self, json: &str) {
        self.emulator.add_fault(Fault::from_json(json).expect("a fault"));
    }

    /// The offsets of the slices that the emulator stored, in the order of arrival.
    pub fn stored_offsets(&self) -> Vec<u64> {
        let requests = self.emulator.requests();
        let stored = requests.iter().filter(|request| {
            let operation = request.operation.as_deref();
            matches!(operation, Some("upload_slice_data" | "v1_data"))
                && request.executed
                && request.code == Some(0)
        });
        stored.filter_map(|request| request.offset).collect()
    }

    pub fn count(&self, operation: &str) -> usize {
        let requests = self.emulator.requests();
        requests
            .iter()
            .filter(|request| request.operation.as_deref() == Some(operation))
            .count()
    }
}

/// The key that the emulator knows.
pub fn key() -> SecretKey {
    SecretKey::new("1251668577", "AKIDtest", "secret").expect("a key")
}

pub fn content(size: u64, seed: u64) -> Vec<u8> {
    let mut random = cos_slice::upload::random::Random::new(seed);
    let mut bytes = Vec::with_capacity(size as usize + 8);
    while (bytes.len() as u64) < size {
        bytes.extend_from_slice(&random.draw().to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}
