//! The program: killed, restarted, started twice, ended, misused.

#[path = "support/process.rs"]
mod process;
mod support;

use process::{Process, command};
use serde_json::json;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Output, Stdio};
use support::{MIB, content, sha1};

#[test]
fn an_upload_survives_kill_9_between_any_two_slices() {
    let directory = tempfile::tempdir().unwrap();
    let file = content(4 * MIB + 5);
    let sha = sha1(&file);
    let process = Process::start(directory.path());
    let begun = process
        .client
        .init("d/file", file.len(), MIB, &[("sha", &*sha), ("biz_attr", "kept")])
        .data();
    let session = begun["session"].as_str().unwrap().to_owned();
    process.kill();

    let mut sent = Vec::new();
    for (index, slice) in file.chunks(MIB).enumerate() {
        let process = Process::start(directory.path());
        let listed = process.client.list("d/file").data();
        assert_eq!(
            (&listed["session"], &listed["listparts"]),
            (&json!(session), &json!(sent))
        );
        process
            .client
            .data("d/file", &session, index * MIB, slice, &[("sha", &sha)])
            .data();
        sent.push(json!({"offset": index * MIB, "datalen": slice.len()}));
        process.kill();
    }

    let process = Process::start(directory.path());
    process
        .client
        .finish("d/file", &session, file.len(), &[("sha", &sha)])
        .data();
    process.kill();
    assert!(std::fs::read(directory.path().join("objects/videos/d/file")).unwrap() == file);
    let process = Process::start(directory.path());
    let stat = process.client.stat("d/file").data();
    assert_eq!((&stat["sha"], &stat["biz_attr"]), (&json!(sha), &json!("kept")));
    // Whose answer was lost may still ask again.
    process
        .client
        .finish("d/file", &session, file.len(), &[("sha", &sha)])
        .data();
}

#[test]
fn a_slice_cut_off_by_kill_9_is_not_listed_and_does_no_harm() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path());
    let file = content(MIB);
    let session = process.client.begin("file", MIB, MIB);
    let request = process.client.data_request("file", &session, 0, &file, &[]);
    let mut stream = process.client.connect();
    stream.write_all(&request[..request.len() - 1000]).unwrap();
    process.kill();
    let process = Process::start(directory.path());
    assert_eq!(process.client.list("file").data()["listparts"], json!([]));
    process.client.data("file", &session, 0, &file, &[]).data();
    process.client.finish("file", &session, MIB, &[]).data();
}

#[test]
fn a_second_emulator_on_the_same_folder_refuses_to_start() {
    let directory = tempfile::tempdir().unwrap();
    let first = Process::start(directory.path());
    let output = run(command(directory.path()).args(["--secret-key", "secret"]));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains("another emulator is running on the folder"),
        "{message}"
    );
    assert!(message.contains(directory.path().to_str().unwrap()), "{message}");
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    first.client.upload("file", b"still works", &[]).data();
    first.kill();
    Process::start(directory.path()).client.stat("file").data();
}

/// Runs a program that is expected to end by itself; one that starts to serve is killed, and is a failure.
fn run(command: &mut Command) -> Output {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut printed = Vec::new();
    stdout.read_until(b'\n', &mut printed).unwrap();
    if printed.starts_with(b"cos-emulator listening") {
        child.kill().unwrap();
        child.wait().unwrap();
        panic!("it started");
    }
    stdout.read_to_end(&mut printed).unwrap();
    Output {
        stdout: printed,
        ..child.wait_with_output().unwrap()
    }
}

/// Sends a signal by its name to a child of this test.
fn send_signal(process: &Process, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &process.child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn term_and_int_end_it_with_nothing_more_on_stdout() {
    for signal in ["TERM", "INT"] {
        let directory = tempfile::tempdir().unwrap();
        let mut process = Process::start(directory.path());
        // Also with a connection that waits.
        let _idle = process.client.connect();
        process.client.upload("file", b"x", &[]).data();
        send_signal(&process, signal);
        assert_eq!(process.rest_of_stdout(), "");
        assert_eq!(process.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn the_key_may_come_from_a_file_or_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("key");
    std::fs::write(&key_file, "secret\n").unwrap();
    let folder = directory.path().join("data");
    let process = Process::spawn(command(&folder).arg("--secret-key-file").arg(&key_file));
    process.client.upload("file", b"x", &[]).data();
    process.kill();
    let process = Process::spawn(command(&folder).env("COS_EMULATOR_SECRET_KEY", "secret"));
    process.client.stat("file").data();
}

#[test]
fn wrong_arguments_are_answered_with_what_would_be_right() {
    let directory = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 7] = [
        (&[], "--secret-key"),
        (&["--secret-key", ""], "the secret key is empty"),
        (
            &["--secret-key", "s", "--set", "listparts=none"],
            "accepted: array, string, missing, null",
        ),
        (
            &["--secret-key", "s", "--set", "nonsense=1"],
            "there is no switch \"nonsense\"",
        ),
        (&["--secret-key", "s", "--set", "listparts"], "NAME=VALUE"),
        (
            &["--secret-key", "s", "--tls", "--tls-certificate", "c"],
            "--tls-key <FILE>",
        ),
        (
            &["--secret-key", "s", "--tls-certificate", "c", "--tls-key", "k"],
            "--tls\n",
        ),
    ];
    for (arguments, expected) in cases {
        let output = run(command(directory.path()).args(arguments));
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(
            (output.status.code(), output.stdout.len()),
            (Some(2), 0),
            "{arguments:?}"
        );
        assert!(message.contains(expected), "{arguments:?}: {message}");
    }
}

#[test]
fn help_names_every_option_and_every_switch() {
    let output = run(Command::new(env!("CARGO_BIN_EXE_cos-emulator")).arg("--help"));
    let help = String::from_utf8(output.stdout).unwrap();
    let options = [
        "--dir",
        "--listen",
        "--app-id",
        "--secret-id",
        "--secret-key",
        "--secret-key-file",
        "--bucket",
        "--set",
        "--seed",
        "--tls",
        "--tls-certificate",
        "--tls-key",
    ];
    for word in options
        .into_iter()
        .chain(["--journal-limit", "--log", "COS_EMULATOR_SECRET_KEY"])
    {
        assert!(help.contains(word), "{word}");
    }
    for row in cos_emulator::Switches::table() {
        assert!(
            help.contains(&format!("{}={}  ({})", row.name, row.default, row.basis)),
            "{}",
            row.name
        );
        for choice in row.choices {
            assert!(help.contains(choice), "{}={choice}", row.name);
        }
    }
}

#[test]
fn the_log_has_one_line_per_request_and_no_secret() {
    let directory = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(
        command(directory.path())
            .args([
                "--secret-key",
                "secret",
                "--log",
                "--bucket",
                "videos",
                "--set",
                "listparts=null",
            ])
            .stderr(Stdio::piped()),
    );
    process.client.upload("file", b"x", &[]).data();
    process.client.stat("file").data();
    send_signal(&process, "TERM");
    process.child.wait().unwrap();
    let mut log = String::new();
    process
        .child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].contains("op upload ") && lines[0].contains("HTTP 200 code 0"),
        "{log}"
    );
    assert!(lines[1].contains("op stat "), "{log}");
    assert!(!log.contains("secret"));
}
