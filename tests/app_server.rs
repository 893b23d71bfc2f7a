//! The example of an app server and of its client, which has no secret key: compiled as users do, run against an emulator.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault, RequestRecord};

const HANG_GUARD: Duration = Duration::from_secs(120);
const SECRET: &str = "PlantedSecretKey0123456789abcdef";
const WORD: &str = "a-word-of-this-user";
const BUCKET: &str = "videos";
const MIB: usize = 1 << 20;

struct Stage {
    emulator: Emulator,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path().join("store"));
        config.secret_key = SECRET.to_owned();
        let stage = Self {
            emulator: Emulator::start(config).unwrap(),
            folder,
        };
        let soname = format!("libcos_slice.so.{}", cos_slice::ABI_VERSION);
        std::os::unix::fs::symlink(library(), stage.path(&soname)).unwrap();
        for program in ["app_server", "app_client"] {
            stage.compile(program);
        }
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self, program: &str) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("cc")
            .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o"])
            .arg(self.path(program))
            .arg(root.join(format!("bindings/c/examples/{program}.c")))
            .arg(format!("-I{}", root.join("include").display()))
            .arg(library())
            .arg(format!("-Wl,-rpath,{}", self.folder.path().display()))
            .output()
            .unwrap_or_else(|error| panic!("cc: {error}; install gcc"));
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    fn file(&self, size: usize) -> PathBuf {
        let path = self.path("content");
        let bytes: Vec<u8> = (0..size).map(|position| (position / 4093) as u8).collect();
        fs::write(&path, bytes).unwrap();
        path
    }

    /// The client, in an environment that has no secret.
    fn client(&self, server: &AppServer, word: &str, path: &str, file: &Path) -> Child {
        Command::new(self.path("app_client"))
            .args([&self.emulator.endpoint(), &server.port, BUCKET, path])
            .arg(file)
            .env_clear()
            .env("COS_SLICE_APP_ID", "1251668577")
            .env("APP_WORD", word)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn fault(&self, json: &str) {
        self.emulator.add_fault(Fault::from_json(json).unwrap());
    }
}

fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.with_file_name("libcos_slice.so")
}

struct AppServer {
    process: Child,
    port: String,
    /// What it says that it has signed.
    signed: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl AppServer {
    fn start(stage: &Stage, longest_life: &str) -> Self {
        let mut process = Command::new(stage.path("app_server"))
            .args(["0", longest_life])
            .env_clear()
            .env("COS_SLICE_APP_ID", "1251668577")
            .env("COS_SLICE_SECRET_ID", "AKIDtest")
            .env("COS_SLICE_SECRET_KEY", SECRET)
            .env("APP_WORD", WORD)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = lines.next().unwrap().unwrap();
        let port = first.strip_prefix("port ").unwrap().to_owned();
        let signed = Arc::new(Mutex::new(Vec::new()));
        let kept = signed.clone();
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self {
            process,
            port,
            signed,
            reader: Some(reader),
        }
    }

    /// Kills it, and gives all that it said.
    fn kill(mut self) -> Vec<String> {
        self.end();
        self.signed.lock().unwrap().clone()
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for AppServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for the client, and looks for secrets in what it said.
fn finish(client: Child) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = client.wait_with_output().unwrap();
    let (stdout, stderr) = (
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap(),
    );
    for said in [&stdout, &stderr] {
        assert!(!said.contains(SECRET) && !said.contains(WORD), "{said}");
    }
    (status.code(), stdout, stderr)
}

fn is_stored(request: &&RequestRecord) -> bool {
    request.operation.as_deref() == Some("upload_slice_data") && request.code == Some(0) && request.executed
}

#[test]
fn a_client_without_the_secret_uploads_what_its_app_server_signs() {
    let stage = Stage::new();
    let server = AppServer::start(&stage, "600");
    let file = stage.file(5 * MIB + 1);
    let (status, stdout, stderr) = finish(stage.client(&server, WORD, "/uploads/a b.bin", &file));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(stdout.ends_with("\n0 bytes were there already\n"), "{stdout}");
    let object = stage.emulator.object(BUCKET, "uploads/a b.bin").unwrap();
    assert!(object == fs::read(&file).unwrap());

    stage.emulator.clear_requests();
    for (word, path, told) in [
        (
            WORD,
            "/other/a.bin",
            "HTTP/1.1 403 Forbidden: this is not your folder",
        ),
        (
            "no such word",
            "/uploads/a.bin",
            "HTTP/1.1 401 Unauthorized: who are you?",
        ),
    ] {
        let (status, _, stderr) = finish(stage.client(&server, word, path, &file));
        assert_eq!(status, Some(1), "{stderr}");
        assert!(
            stderr.contains("upload failed (-105)") && stderr.contains(told),
            "{stderr}"
        );
    }
    assert!(stage.emulator.requests().is_empty(), "nothing can be sent");
    assert_eq!(server.kill(), ["signed videos/uploads/a b.bin"]);
}

#[test]
fn an_app_server_that_dies_in_the_middle_ends_the_upload_and_another_run_resumes_it() {
    let stage = Stage::new();
    let server = AppServer::start(&stage, "600");
    let file = stage.file(12 * MIB);
    // The upload gets no further than three slices, until a string is wanted that nobody can give any more.
    stage.fault(r#"{"operation":"upload_slice_data","nth":4,"times":0,"action":{"status":503,"code":-71}}"#);
    let client = stage.client(&server, WORD, "uploads/big.bin", &file);
    let three = |requests: &[RequestRecord]| requests.iter().filter(is_stored).count() >= 3;
    assert!(stage.emulator.wait_for_requests(three, HANG_GUARD));
    assert_eq!(server.kill(), ["signed videos/uploads/big.bin"]);
    stage.emulator.clear_faults();
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"status":403,"code":-59}}"#);
    let (status, _, stderr) = finish(client);
    assert_eq!(status, Some(1), "{stderr}");
    assert!(stderr.contains("upload failed (-105)"), "{stderr}");
    assert!(
        stderr.contains("the app server can't be reached: Connection refused"),
        "{stderr}"
    );
    assert!(stderr.contains("Run it again to resume"), "{stderr}");

    stage.emulator.clear_faults();
    let server = AppServer::start(&stage, "600");
    let (status, stdout, stderr) = finish(stage.client(&server, WORD, "uploads/big.bin", &file));
    assert_eq!(status, Some(0), "{stderr}");
    let resumed = stdout
        .lines()
        .nth(1)
        .and_then(|line| line.strip_suffix(" bytes were there already"));
    let resumed: usize = resumed.unwrap().parse().unwrap();
    assert!((3 * MIB..12 * MIB).contains(&resumed), "{stdout}");
    assert!(stage.emulator.object(BUCKET, "uploads/big.bin").unwrap() == fs::read(&file).unwrap());
}

#[test]
fn a_client_asks_again_before_a_string_expires() {
    let stage = Stage::new();
    // Strings are used until 30 seconds before their end: for one second.
    let server = AppServer::start(&stage, "31");
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"delay_ms":700}}"#);
    let file = stage.file(24 * MIB);
    let (status, _, stderr) = finish(stage.client(&server, WORD, "uploads/long.bin", &file));
    assert_eq!(status, Some(0), "{stderr}");
    assert!(
        stage
            .emulator
            .requests()
            .iter()
            .all(|request| request.code == Some(0))
    );
    let asked = server.kill().len();
    assert!(asked >= 2, "asked {asked} times");
}
