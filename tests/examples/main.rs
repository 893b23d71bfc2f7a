//! The C examples that people start from: compiled as C99 without a warning, and run against an emulator, alone and, with
//! `--release`, under valgrind. What an app server and several processes are for has tests of its own beside this.

mod proxy;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use cos_emulator::{Action, Config, Emulator, Fault};
use proxy::Proxy;

const HANG_GUARD: Duration = Duration::from_secs(120);
const MIB: usize = 1 << 20;

/// Which examples there are, so that none is without a test.
const EXAMPLES: [&str; 12] = [
    "app_client",
    "app_server",
    "ca_and_proxy",
    "cancel",
    "completions",
    "log",
    "many",
    "pipe",
    "resume",
    "sources",
    "three_processes",
    "upload",
];

#[cfg(not(debug_assertions))]
const VALGRIND: &[&str] = &[
    "valgrind",
    "--quiet",
    "--leak-check=full",
    "--errors-for-leak-kinds=definite,possible",
    "--error-exitcode=99",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn library() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.with_file_name("libcos_slice.so")
}

/// Compiles an example as its users may: as C99, with all warnings, which are errors.
fn compile(compiler: &str, example: &str, executable: &Path) {
    let output = Command::new(compiler)
        .args([
            "-std=c99",
            "-pthread",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
        ])
        .arg(root().join(format!("bindings/c/examples/{example}.c")))
        .arg(format!("-I{}", root().join("include").display()))
        .arg("-o")
        .arg(executable)
        .arg(library())
        .arg(format!(
            "-Wl,-rpath,{}",
            executable.parent().expect("a folder").display()
        ))
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error}; install it"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{compiler} {example}.c:\n{said}");
}

/// One example, an emulator, and a folder.
struct Stage {
    emulator: Emulator,
    folder: tempfile::TempDir,
    wrapper: Vec<&'static str>,
    example: &'static str,
}

impl Stage {
    fn new(example: &'static str, wrapper: &'static [&'static str]) -> Self {
        Self::with(example, wrapper, |_| {})
    }

    fn with(
        example: &'static str,
        wrapper: &'static [&'static str],
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path().join("store"));
        change(&mut config);
        let emulator = Emulator::start(config).expect("the emulator starts");
        let soname = format!("libcos_slice.so.{}", cos_slice::ABI_VERSION);
        std::os::unix::fs::symlink(library(), folder.path().join(soname)).expect("a link");
        compile("cc", example, &folder.path().join(example));
        Self {
            emulator,
            folder,
            wrapper: wrapper.to_vec(),
            example,
        }
    }

    fn path(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    }

    /// A file of that name and size, and what is in it.
    fn file(&self, name: &str, size: usize) -> (String, Vec<u8>) {
        let bytes: Vec<u8> = (0..size)
            .map(|at| (at * 7 + at / 4093 + name.len()) as u8)
            .collect();
        fs::write(self.path(name), &bytes).expect("a file");
        (self.path(name), bytes)
    }

    /// The example with these arguments behind the endpoint.
    fn command(&self, arguments: &[&str]) -> Command {
        let (program, endpoint) = (self.path(self.example), self.emulator.endpoint());
        self.with_key(&[&self.wrapper[..], &[&program, &endpoint], arguments].concat())
    }

    /// A program and its arguments, with the key in its environment.
    fn with_key(&self, words: &[&str]) -> Command {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env("COS_SLICE_APP_ID", "1251668577")
            .env("COS_SLICE_SECRET_ID", "AKIDtest")
            .env("COS_SLICE_SECRET_KEY", "secret")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments).output().expect("it can be run"))
    }

    fn object(&self, bucket: &str, path: &str) -> Vec<u8> {
        self.emulator.object(bucket, path).expect("the object is there")
    }
}

/// How a program ended, and what it said.
#[derive(Debug)]
struct Ended {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }

    fn says(&self, text: &str) {
        assert!(
            self.stdout.contains(text) || self.stderr.contains(text),
            "{text:?} is not in {self:?}"
        );
    }
}

fn ended(output: Output) -> Ended {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Ended {
        status: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

fn interrupt(child: &Child) {
    let id = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it runs");
}

/// Makes of each function a test alone and, where the library is optimised, one under valgrind, which takes too long without.
macro_rules! tests {
    ($($name:ident)*) => {
        mod alone {
            $(#[test] fn $name() { super::$name(&[]); })*
        }
        #[cfg(not(debug_assertions))]
        mod under_valgrind {
            $(#[test] fn $name() { super::$name(super::VALGRIND); })*
        }
    };
}

tests! {
    ctrl_c_stops_an_upload_and_the_same_command_goes_on
    memory_an_open_file_and_a_function_are_sources
    what_a_function_can_t_read_is_told
    a_pipe_is_uploaded_and_leaves_nothing_in_the_folder
    what_a_pipe_can_t_give_is_told
    many_files_are_uploaded_at_once_and_the_one_that_fails_is_named
    each_upload_tells_its_end_to_the_callback
    an_own_authority_and_a_proxy_are_used
    a_client_without_the_key_asks_its_app_server
    requests_are_made_one_at_a_time
    a_log_tells_what_was_repeated_and_no_secret
    no_secret_in_the_environment_is_an_error_that_says_so
}

fn ctrl_c_stops_an_upload_and_the_same_command_goes_on(wrapper: &'static [&'static str]) {
    let stage = Stage::new("cancel", wrapper);
    let (file, content) = stage.file("content", 4 * MIB);
    let arguments = ["videos", "/big.bin", &file];
    // Two slices are stored; then nothing moves.
    stage.emulator.add_fault(
        Fault::new("upload_slice_data", Action::Hang { after_effect: false })
            .nth(3)
            .times(0),
    );
    let child = stage.command(&arguments).spawn().expect("it can be run");
    let stored = |requests: &[cos_emulator::RequestRecord]| {
        let is_slice = |request: &&cos_emulator::RequestRecord| {
            request.operation.as_deref() == Some("upload_slice_data")
        };
        requests
            .iter()
            .filter(is_slice)
            .filter(|request| request.code == Some(0))
            .count()
            >= 2
    };
    assert!(stage.emulator.wait_for_requests(stored, HANG_GUARD));
    interrupt(&child);
    let stopped = ended(child.wait_with_output().expect("it ends")).expect(130);
    stopped.says("stopped; the same command goes on");
    assert_eq!(stopped.stdout, "");

    stage.emulator.clear_faults();
    let done = stage.run(&arguments).expect(0);
    done.says(&format!("\n{} bytes were there already\n", 2 * MIB));
    done.says("sent   100 %");
    assert!(stage.object("videos", "big.bin") == content);
}

fn memory_an_open_file_and_a_function_are_sources(wrapper: &'static [&'static str]) {
    let stage = Stage::new("sources", wrapper);
    stage
        .run(&["videos", "/text", "text", "some bytes"])
        .expect(0)
        .says("\n10 bytes\n");
    assert_eq!(stage.object("videos", "text"), b"some bytes");

    let (file, content) = stage.file("content", MIB / 2);
    stage.run(&["videos", "/open", "open", &file]).expect(0);
    assert!(stage.object("videos", "open") == content);

    let (first, mut joined) = stage.file("first", MIB / 2 + 1);
    let (empty, _) = stage.file("empty", 0);
    let (second, more) = stage.file("the second", MIB / 2);
    joined.extend(more);
    let ended = stage
        .run(&["videos", "/joined", "joined", &first, &empty, &second])
        .expect(0);
    ended.says(&format!("\n{} bytes\n", joined.len()));
    assert!(stage.object("videos", "joined") == joined);
    stage.run(&["videos", "/joined", "sideways", &first]).expect(2);
}

fn what_a_function_can_t_read_is_told(wrapper: &'static [&'static str]) {
    let stage = Stage::new("sources", wrapper);
    let (file, _) = stage.file("content", 100);
    let ended = stage
        .run(&["videos", "/joined", "joined", &file, &stage.path("")])
        .expect(1);
    ended.says("upload failed (-101)");
    ended.says("reading failed: Is a directory");
}

fn a_pipe_is_uploaded_and_leaves_nothing_in_the_folder(wrapper: &'static [&'static str]) {
    let stage = Stage::new("pipe", wrapper);
    let (_, content) = stage.file("content", MIB + 7);
    let spool = stage.path("spool");
    fs::create_dir(&spool).expect("a folder");
    let mut command = stage.command(&["videos", "/pipe", &spool]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("it can be run");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&content).expect("it reads");
    drop(input);
    let done = ended(child.wait_with_output().expect("it ends")).expect(0);
    done.says(&format!("\n{} bytes, SHA-1 ", content.len()));
    assert!(stage.object("videos", "pipe") == content);
    assert_eq!(fs::read_dir(&spool).expect("it is there").count(), 0);
}

fn what_a_pipe_can_t_give_is_told(wrapper: &'static [&'static str]) {
    let stage = Stage::new("pipe", wrapper);
    let folder = File::open(stage.folder.path()).expect("a folder");
    let mut command = stage.command(&["videos", "/pipe", &stage.path("")]);
    let told = ended(command.stdin(folder).output().expect("it can be run")).expect(1);
    told.says("reading failed: Is a directory");
    let told = stage.run(&["videos", "/pipe", &stage.path("missing")]).expect(1);
    told.says("upload failed (-103)");
}

/// Some files, each to the object of its name; then one that is not there, and one whose object is another.
fn upload_many(stage: &Stage) {
    let files: Vec<_> = (0..8)
        .map(|number| stage.file(&format!("file {number}"), number * 30_000))
        .collect();
    let missing = stage.path("missing");
    let mut arguments = vec!["videos"];
    arguments.extend(files.iter().map(|(path, _)| path.as_str()));
    let all = stage.run(&arguments).expect(0);
    all.says("8 of 8 uploaded");
    for (number, (path, content)) in files.iter().enumerate() {
        all.says(&format!("{path}: {}", stage.emulator.endpoint()));
        assert!(
            stage.object("videos", &format!("file {number}")) == *content,
            "{path}"
        );
    }

    arguments.insert(5, &missing);
    fs::write(&files[2].0, "something else").expect("a file");
    let most = stage.run(&arguments).expect(1);
    most.says("7 of 9 uploaded");
    most.says(&format!("{}: failed (-303): ", files[2].0));
    // What start tells has no end.
    most.says(&format!("{missing}: not begun: "));
}

fn many_files_are_uploaded_at_once_and_the_one_that_fails_is_named(wrapper: &'static [&'static str]) {
    upload_many(&Stage::new("many", wrapper));
}

fn each_upload_tells_its_end_to_the_callback(wrapper: &'static [&'static str]) {
    upload_many(&Stage::new("completions", wrapper));
}

fn a_log_tells_what_was_repeated_and_no_secret(wrapper: &'static [&'static str]) {
    let stage = Stage::new("log", wrapper);
    let (file, content) = stage.file("content", MIB / 2);
    stage
        .emulator
        .add_fault(Fault::new("upload_slice_data", Action::answer(503, -71)));
    let log = |path: &str, level: &str| stage.run(&["videos", path, &file, level]).expect(0).stderr;
    let everything = log("/big.bin", "4");
    assert!(stage.object("videos", "big.bin") == content);
    let repeated = everything.lines().find(|line| {
        line.starts_with("level=warning operation=upload_slice_data attempt=1 code=-71 request=")
    });
    assert!(repeated.is_some(), "{everything}");
    assert!(
        everything.lines().all(|line| line.starts_with("level=")),
        "{everything}"
    );
    assert!(everything.contains("level=debug "), "{everything}");
    assert!(!everything.contains("secret"), "{everything}");
    assert_eq!(log("/other.bin", "1"), "", "there is no error");
}

fn no_secret_in_the_environment_is_an_error_that_says_so(wrapper: &'static [&'static str]) {
    for example in ["cancel", "pipe"] {
        let stage = Stage::new(example, wrapper);
        let (file, _) = stage.file("content", 10);
        let mut command = stage.command(&["videos", "/a", &file]);
        let told = ended(
            command
                .env_remove("COS_SLICE_SECRET_ID")
                .output()
                .expect("it runs"),
        )
        .expect(1);
        told.says("upload failed (-1): secret_id: it is NULL");
        assert!(stage.emulator.requests().is_empty());
    }
}

fn an_own_authority_and_a_proxy_are_used(wrapper: &'static [&'static str]) {
    let mut stage = Stage::with("ca_and_proxy", wrapper, |config| config.tls = true);
    if !wrapper.is_empty() {
        // Tags of TLS records come out of assembly, and look uninitialised; addresses and leaks are watched.
        stage.wrapper.push("--undef-value-errors=no");
    }
    let (file, content) = stage.file("content", MIB / 4);
    let pem = stage.path("ca.pem");
    fs::write(&pem, stage.emulator.ca_pem().expect("an authority")).expect("a file");
    let proxy = Proxy::start();
    let address = format!("http://user:sesame@{}", proxy.address);

    stage.run(&["videos", "/given", &file, &pem, &address]).expect(0);
    assert!(stage.object("videos", "given") == content);
    assert!(proxy.tunnels() > 0, "it was passed by");

    let mut command = stage.command(&["videos", "/environment", &file, &pem]);
    command
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env("https_proxy", &address);
    ended(command.output().expect("it runs")).expect(0);
    assert!(stage.object("videos", "environment") == content);
    assert!(proxy.tunnels() > 0, "it was passed by");

    let stranger = address.replace("sesame", "open-sesame");
    let refused = stage
        .run(&["videos", "/stranger", &file, &pem, &stranger])
        .expect(1);
    refused.says("407");
    assert!(!refused.stderr.contains("open-sesame"), "{refused:?}");

    fs::write(&pem, "no certificate").expect("a file");
    stage
        .run(&["videos", "/given", &file, &pem, &address])
        .expect(1)
        .says("has no certificate");
    stage
        .run(&["videos", "/given", &file, &stage.path("missing")])
        .expect(1)
        .says("No such file");
}

fn a_client_without_the_key_asks_its_app_server(wrapper: &'static [&'static str]) {
    let stage = Stage::new("app_client", wrapper);
    compile("cc", "app_server", &stage.folder.path().join("app_server"));
    let (file, content) = stage.file("content", MIB / 4);
    let server_program = stage.path("app_server");
    let words = [&stage.wrapper[..], &[&server_program, "0", "600"]].concat();
    let mut server = stage
        .with_key(&words)
        .env("APP_WORD", "a-word")
        .spawn()
        .expect("it can be run");
    let mut said = BufReader::new(server.stdout.take().expect("a pipe"));
    let mut port = String::new();
    said.read_line(&mut port).expect("it says its port");
    let port = port.trim().trim_start_matches("port ");
    let mut client = stage.command(&[port, "videos", "/uploads/big.bin", &file]);
    client
        .env_remove("COS_SLICE_SECRET_ID")
        .env_remove("COS_SLICE_SECRET_KEY")
        .env("APP_WORD", "a-word");
    let told = ended(client.output().expect("it runs"));
    server.kill().expect("it runs until it is killed");
    let server = ended(server.wait_with_output().expect("it ends"));
    assert_eq!(server.stderr, "", "nothing is wrong with it");
    told.expect(0);
    assert!(stage.object("videos", "uploads/big.bin") == content);
}

fn requests_are_made_one_at_a_time(wrapper: &'static [&'static str]) {
    let stage = Stage::new("three_processes", wrapper);
    let (file, content) = stage.file("content", 2 * MIB + 5);
    let run = |verb: &str, more: &[&str]| {
        let (program, endpoint) = (stage.path("three_processes"), stage.emulator.endpoint());
        let words: [&str; 6] = [&program, verb, &endpoint, "shared", "/one", &file];
        let words = [&stage.wrapper[..], &words, more].concat();
        ended(stage.with_key(&words).output().expect("it runs"))
            .expect(0)
            .stdout
    };
    let begun = run("begin", &["hash"]);
    let [session, slice_size, sha1] = begun.lines().collect::<Vec<_>>()[..] else {
        panic!("{begun}");
    };
    run("send", &[sha1, session, slice_size, "1", "3"]);
    run("rest", &[sha1]);
    run("finish", &[sha1, session]);
    assert!(stage.object("shared", "one") == content);
}

#[test]
fn every_example_has_a_test_and_is_c99_without_a_warning_for_gcc_and_clang() {
    let folder = root().join("bindings/c/examples");
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("the examples")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_str()
                .expect("UTF-8")
                .to_owned()
        })
        .collect();
    found.sort();
    assert_eq!(
        found, EXAMPLES,
        "left: bindings/c/examples; right: what is tested"
    );
    let out = tempfile::tempdir().expect("a temporary folder");
    for example in EXAMPLES {
        for compiler in ["gcc", "clang"] {
            compile(compiler, example, &out.path().join(example));
        }
    }
}
