//! `cos-slice upload -`.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::support::{OBJECT, Outcome, Service, content, run};

const MIB: usize = 1 << 20;

fn upload(service: &Service, options: &[&str]) -> Command {
    let mut command = service.command();
    command.args(["upload", "-", OBJECT]).args(options);
    command
}

/// Runs it with these bytes coming through a pipe.
fn piped(command: &mut Command, bytes: &[u8]) -> Outcome {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    command.stdin(Stdio::from(reader));
    thread::scope(|scope| {
        // Where the command does not read all of it, that is what the test is about.
        scope.spawn(move || File::from(writer).write_all(bytes));
        let outcome = run(command);
        // Our end of the reader goes here, and with it a writer that nobody reads from.
        command.stdin(Stdio::null());
        outcome
    })
}

#[test]
fn a_pipe_is_spooled_hashed_and_uploaded_and_leaves_nothing_behind() {
    for size in [0, 1, MIB, 3 * MIB + 5] {
        let service = Service::new();
        let spool = service.folder().join("spool");
        std::fs::create_dir(&spool).unwrap();
        let bytes = content(size, 1);
        let mut command = upload(&service, &["--json", "--spool-dir", spool.to_str().unwrap()]);
        let told = piped(&mut command, &bytes).json();
        assert_eq!(told["outcome"], "uploaded");
        assert_eq!(told["bytes"], size);
        assert!(told["sha1"].is_string());
        assert!(service.object() == bytes, "{size} bytes");
        assert_eq!(spool.read_dir().unwrap().count(), 0);
    }
}

#[test]
fn a_pipe_of_known_size_is_sent_while_it_is_read() {
    let service = Service::new();
    let bytes = content(5 * MIB + 5, 1);
    let size = bytes.len().to_string();
    let outcome = piped(&mut upload(&service, &["--json", "--size", &size]), &bytes);
    assert_eq!(outcome.json()["bytes"], 5 * MIB + 5);
    assert!(service.object() == bytes);
}

#[test]
fn a_pipe_with_more_or_fewer_bytes_than_were_said_makes_no_object() {
    for (size, said) in [("1000", "has more than"), ("1M", "before its size")] {
        let service = Service::new();
        let outcome = piped(
            &mut upload(&service, &["--quiet", "--size", size]),
            &content(2000, 1),
        );
        let line = outcome.failure(1);
        assert!(line.contains("standard input") && line.contains(said), "{line}");
        assert!(!service.has_object());
    }
}

#[test]
fn a_file_on_standard_input_is_uploaded_from_where_it_is() {
    for position in [0, 1234, MIB as u64] {
        let service = Service::new();
        let bytes = content(MIB, 1);
        let mut file = File::open(service.file("big.mp4", &bytes)).unwrap();
        file.seek(SeekFrom::Start(position)).unwrap();
        let mut command = upload(&service, &[]);
        run(command.stdin(file.try_clone().unwrap())).success();
        assert!(service.object() == bytes[position as usize..]);
        assert_eq!(
            file.stream_position().unwrap(),
            position,
            "it is not read like a pipe"
        );
    }
}

#[test]
fn more_than_may_be_spooled_is_an_error_before_anything_is_sent() {
    let service = Service::new();
    let outcome = piped(
        &mut upload(&service, &["--quiet", "--spool-limit", "1K"]),
        &content(1025, 1),
    );
    let line = outcome.failure(1);
    assert!(
        line.contains("standard input") && line.contains("1024 bytes"),
        "{line}"
    );
    assert!(service.emulator.requests().is_empty());
}

#[test]
fn options_of_standard_input_do_not_go_with_a_file() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    for options in [["--size", "7"], ["--spool-dir", "/tmp"]] {
        let outcome = run(&mut service.upload(&file, &options));
        let line = outcome.failure(2);
        assert!(line.contains(options[0]), "{line}");
    }
    assert!(service.emulator.requests().is_empty());
}
