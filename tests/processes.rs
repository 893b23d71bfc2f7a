//! One object that several processes send: the example in C, compiled as users do, against an emulator.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault, RequestRecord};

const MIB: u64 = 1 << 20;
/// Thirteen slices, the last one short.
const SIZE: u64 = 12 * MIB + 345;
const SENDERS: u64 = 3;

/// The program, and what it is used on.
struct Stage {
    folder: tempfile::TempDir,
    emulator: Emulator,
    content: Vec<u8>,
}

/// What `begin` told.
struct Begun {
    session: String,
    slice_size: String,
    sha1: String,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let emulator =
            Emulator::start(Config::new(folder.path().join("store"))).expect("the emulator starts");
        let content: Vec<u8> = (0..SIZE).map(|byte| (byte * byte / 4093 + byte) as u8).collect();
        fs::write(folder.path().join("content"), &content).expect("a file");
        compile(folder.path());
        Self {
            folder,
            emulator,
            content,
        }
    }

    fn command(&self, verb: &str, sha1: &str, more: &[&str]) -> Command {
        let mut command = Command::new(self.folder.path().join("three_processes"));
        command
            .args([verb, &self.emulator.endpoint(), "shared", "/one/object"])
            .arg(self.folder.path().join("content"))
            .arg(sha1)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn run(&self, verb: &str, sha1: &str, more: &[&str]) -> Output {
        self.command(verb, sha1, more)
            .output()
            .expect("the program can be run")
    }

    fn begin(&self, hashing: bool) -> Begun {
        let output = succeeded(self.run("begin", if hashing { "sha1" } else { "-" }, &[]));
        let lines: Vec<_> = output.lines().collect();
        let [session, slice_size, sha1] = lines[..] else {
            panic!("{output}");
        };
        assert_eq!(sha1.len(), if hashing { 40 } else { 1 });
        let [session, slice_size, sha1] = [session, slice_size, sha1].map(str::to_owned);
        Begun {
            session,
            slice_size,
            sha1,
        }
    }

    /// Each of the senders, at work.
    fn send(&self, begun: &Begun) -> Vec<Child> {
        let start = |sender: u64| {
            let (k, n) = (sender.to_string(), SENDERS.to_string());
            let more = [&begun.session, &begun.slice_size, &k, &n].map(String::as_str);
            self.command("send", &begun.sha1, &more)
                .spawn()
                .expect("a process")
        };
        (0..SENDERS).map(start).collect()
    }

    fn finish(&self, begun: &Begun) -> Output {
        self.run("finish", &begun.sha1, &[&begun.session])
    }

    /// The offsets of the slices that the service stored.
    fn stored(&self) -> Vec<u64> {
        let stored = |request: &RequestRecord| {
            let is_slice = request.operation.as_deref() == Some("upload_slice_data");
            request.offset.filter(|_| is_slice && request.code == Some(0))
        };
        let mut offsets: Vec<_> = self.emulator.requests().iter().filter_map(stored).collect();
        offsets.sort_unstable();
        offsets
    }

    fn assert_object_is_the_file(&self) {
        let object = self.emulator.object("shared", "one/object").expect("the object");
        assert!(object == self.content, "the object is the file, byte for byte");
    }
}

/// The folder of the libraries that were built with this test.
fn libraries() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.parent().expect("in a folder").to_owned()
}

fn compile(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Programs ask for the library by its soname.
    let soname = format!("libcos_slice.so.{}", cos_slice::ABI_VERSION);
    std::os::unix::fs::symlink(libraries().join("libcos_slice.so"), folder.join(soname)).expect("a link");
    let output = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "-o"])
        .arg(folder.join("three_processes"))
        .arg(root.join("bindings/c/examples/three_processes.c"))
        .arg(format!("-I{}", root.join("include").display()))
        .arg(libraries().join("libcos_slice.so"))
        .arg(format!("-Wl,-rpath,{}", folder.display()))
        .output()
        .unwrap_or_else(|error| panic!("cc: {error}; install gcc"));
    succeeded(output);
}

/// What it printed.
fn succeeded(output: Output) -> String {
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (printed, complaint) = (text(output.stdout), text(output.stderr));
    assert!(
        output.status.success(),
        "{}\n{printed}\n{complaint}",
        output.status
    );
    printed
}

fn all_slices() -> Vec<u64> {
    (0..SIZE.div_ceil(MIB)).map(|slice| slice * MIB).collect()
}

#[test]
fn three_processes_send_one_object_at_once_and_one_finishes_it() {
    for hashing in [true, false] {
        let stage = Stage::new();
        let begun = stage.begin(hashing);
        for sender in stage.send(&begun) {
            succeeded(sender.wait_with_output().expect("it ends"));
        }
        let url = succeeded(stage.finish(&begun));
        assert!(url.ends_with("/one/object\n"), "{url}");
        stage.assert_object_is_the_file();
        assert_eq!(stage.stored(), all_slices(), "each slice once");
        if hashing {
            let again = succeeded(stage.run("begin", "sha1", &[]));
            assert_eq!(again, "complete\n", "the same content is there");
        }
    }
}

#[test]
fn what_a_killed_process_did_not_send_another_one_sends() {
    for hashing in [true, false] {
        let stage = Stage::new();
        let begun = stage.begin(hashing);
        // The second slice of the second sender.
        let stuck = 4 * MIB;
        let hang =
            format!(r#"{{"operation":"upload_slice_data","offset":{stuck},"action":{{"hang":"before"}}}}"#);
        stage
            .emulator
            .add_fault(Fault::from_json(&hang).expect("a fault"));
        let mut senders = stage.send(&begun);
        let mut victim = senders.remove(1);
        for sender in senders {
            succeeded(sender.wait_with_output().expect("it ends"));
        }
        let arrived =
            |requests: &[RequestRecord]| requests.iter().any(|request| request.offset == Some(stuck));
        assert!(stage.emulator.wait_for_requests(arrived, Duration::from_secs(60)));
        victim.kill().expect("it is alive");
        victim.wait().expect("it ends");

        let missing: Vec<_> = (4..13).step_by(3).map(|slice| slice * MIB).collect();
        let sent: Vec<_> = all_slices()
            .into_iter()
            .filter(|offset| !missing.contains(offset))
            .collect();
        assert_eq!(stage.stored(), sent);
        let early = stage.finish(&begun);
        assert_eq!(early.status.code(), Some(1));
        let complaint = String::from_utf8_lossy(&early.stderr).into_owned();
        assert!(complaint.contains("the list, or init"), "{complaint}");

        succeeded(stage.run("rest", &begun.sha1, &[]));
        succeeded(stage.finish(&begun));
        stage.assert_object_is_the_file();
        assert_eq!(stage.stored(), all_slices(), "what was there was not sent again");
    }
}
