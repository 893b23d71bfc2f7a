//! What can go wrong: one line that says what to do, and an exit status.

use std::fs::{self, Permissions};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use cos_emulator::{Action, Fault};

use crate::support::{OBJECT, SECRET, Service, bare_command, content, run};

/// Nobody, on every system there is.
const OTHER_USER: u32 = 65_534;

fn assert_line(line: &str, expected: &[&str]) {
    for text in expected {
        assert!(line.contains(text), "no {text:?} in: {line}");
    }
}

#[test]
fn a_wrong_secret_is_told_with_code_and_request_id() {
    let service = Service::new();
    let mut command = service.upload(&service.file("big.mp4", b"content"), &[]);
    let outcome = run(command.env("COS_SLICE_SECRET_KEY", "SomeOtherKey0123456789"));
    let line = outcome.failure(1);
    let requests = service.emulator.requests();
    let code = requests[0].code.unwrap().to_string();
    assert_line(line, &[OBJECT, &code, "request id", "secret"]);
    assert!(!line.contains("SomeOtherKey"), "{line}");
    assert!(!service.has_object());
}

#[test]
fn a_bucket_that_does_not_exist_is_told() {
    let service = Service::with(|config| config.buckets = vec!["pictures".to_owned()]);
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &[]));
    assert_line(outcome.failure(1), &["-133", "bucket", "request id"]);
}

#[test]
fn what_is_no_readable_file_is_told_before_anything_is_sent() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    let link = service.folder().join("loop");
    std::os::unix::fs::symlink(&link, &link).unwrap();
    let fifo = service.folder().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let cases = [
        (service.folder().join("missing"), "No such file"),
        (service.folder().to_owned(), "directory"),
        (file.join("below"), "Not a directory"),
        (link, "symbolic links"),
        (fifo, "FIFO"),
        ("/dev/null".into(), "device"),
    ];
    for (path, expected) in cases {
        let outcome = run(&mut service.upload(&path, &[]));
        assert_line(outcome.failure(1), &[expected, path.to_str().unwrap()]);
    }
    assert_eq!(service.emulator.requests().len(), 0);
}

#[test]
fn a_file_without_permission_is_told() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    fs::set_permissions(&file, Permissions::from_mode(0o000)).unwrap();
    let upload = service.upload(&file, &[]);
    let outcome = if rustix::process::geteuid().is_root() {
        // Root may read everything, so somebody else tries.
        fs::set_permissions(service.folder(), Permissions::from_mode(0o755)).unwrap();
        let program = service.folder().join("cos-slice");
        fs::copy(env!("CARGO_BIN_EXE_cos-slice"), &program).unwrap();
        run(with_program(&upload, &program).uid(OTHER_USER))
    } else {
        run(&mut with_program(
            &upload,
            Path::new(env!("CARGO_BIN_EXE_cos-slice")),
        ))
    };
    assert_line(outcome.failure(1), &["Permission denied", "big.mp4"]);
    assert_eq!(service.emulator.requests().len(), 0);
}

/// The same command with another program file.
fn with_program(command: &Command, program: &Path) -> Command {
    let mut other = Command::new(program);
    other.env_clear().args(command.get_args());
    other.envs(
        command
            .get_envs()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    other
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    other
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let service = Service::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let file = service.file("big.mp4", b"content");
    let outcome = run(&mut service.upload(&file, &["--endpoint", &endpoint]));
    assert_line(outcome.failure(1), &["refused", "endpoint"]);
}

#[test]
fn a_server_that_answers_html_is_told() {
    let service = Service::new();
    let action = Action::Raw {
        status: 200,
        content_type: "text/html".to_owned(),
        body: "<html><head><title>Welcome to nginx</title></head></html>".to_owned(),
        after_effect: false,
    };
    service.emulator.add_fault(Fault::new("*", action).times(0));
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &[]));
    assert_line(outcome.failure(1), &["HTML", "endpoint"]);
}

#[test]
fn words_of_the_server_reach_the_terminal_escaped() {
    let service = Service::new();
    let action = Action::Raw {
        status: 400,
        content_type: "application/json".to_owned(),
        body: r#"{"code":-5999,"message":"\u001b[31mred\r\nline","request_id":"NTg\u0007"}"#.to_owned(),
        after_effect: false,
    };
    service.emulator.add_fault(Fault::new("*", action).times(0));
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &[]));
    let line = outcome.failure(1);
    assert_line(line, &["-5999", "red"]);
    assert!(!line.contains(char::is_control), "{line:?}");
}

#[test]
fn a_deadline_ends_an_upload_that_gets_no_answer() {
    let service = Service::new();
    service
        .emulator
        .add_fault(Fault::new("*", Action::Hang { after_effect: false }).times(0));
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &["--deadline", "1"]));
    assert_line(outcome.failure(1), &["deadline"]);
}

#[test]
fn a_service_that_does_not_answer_in_time_is_told() {
    let service = Service::new();
    service
        .emulator
        .add_fault(Fault::new("*", Action::Hang { after_effect: false }).times(0));
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &["--timeout", "1"]));
    assert_line(outcome.failure(1), &["again"]);
}

#[test]
fn a_wrong_call_is_told_with_status_2_and_sends_nothing() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(10, 31));
    let file = file.to_str().unwrap();
    let too_long = format!("cos://videos/{}", "a".repeat(851));
    let cases: &[&[&str]] = &[
        &[],
        &["download", OBJECT],
        &["upload", file],
        &["upload", file, "videos/big.mp4"],
        &["upload", file, "cos://videos"],
        &["upload", file, "cos://videos/"],
        &["upload", file, "cos://videos/a//b"],
        &["upload", file, "cos://videos/a/"],
        &["upload", file, "cos://videos/../b"],
        &["upload", file, "cos://videos/a\nb"],
        &["upload", file, &too_long],
        &["upload", file, OBJECT, "--slice-size", "700K"],
        &["upload", file, OBJECT, "--slice-size", "2M"],
        &["upload", file, OBJECT, "--slice-size", "-1"],
        &["upload", file, OBJECT, "--concurrency", "0"],
        &["upload", file, OBJECT, "--concurrency", "100000"],
        &["upload", file, OBJECT, "--max-concurrency", "0"],
        &["upload", file, OBJECT, "--max-concurrency", "257"],
        &[
            "upload",
            file,
            OBJECT,
            "--concurrency",
            "8",
            "--max-concurrency",
            "8",
        ],
        &["upload", file, OBJECT, "--limit-rate", "0"],
        &["upload", file, OBJECT, "--limit-rate", "1023"],
        &["upload", file, OBJECT, "--limit-rate", "-1"],
        &["upload", file, OBJECT, "--limit-rate", "1T"],
        &["upload", file, OBJECT, "--timeout", "0"],
        &["upload", file, OBJECT, "--deadline", "-3"],
        &["upload", file, OBJECT, "--biz-attr", "a\u{7}b"],
        &["upload", file, OBJECT, "--endpoint", "ftp://example.org"],
        &[
            "upload",
            file,
            OBJECT,
            "--endpoint",
            "http://127.0.0.1:1",
            "--region",
            "gz",
        ],
        &["upload", file, OBJECT, "--region", "g z"],
        &["upload", file, OBJECT, "--ca-file", "/nowhere/ca.pem"],
        &[
            "upload",
            file,
            OBJECT,
            "--endpoint",
            "https://127.0.0.1:1",
            "--ca-file",
            file,
        ],
        &["upload", file, OBJECT, "--proxy", "127.0.0.1:1:1"],
        &["upload", file, OBJECT, "--quiet", "--verbose"],
        &["upload", file, OBJECT, "--frobnicate"],
        &["status"],
        &["status", "cos://videos/a//b"],
    ];
    for arguments in cases {
        let outcome = run(service.command().args(*arguments));
        assert_eq!(outcome.status, Some(2), "{arguments:?}: {outcome:?}");
        assert!(
            outcome.stdout.is_empty() && !outcome.stderr.is_empty(),
            "{arguments:?}: {outcome:?}"
        );
    }
    assert_eq!(service.emulator.requests().len(), 0);
}

#[test]
fn what_the_environment_lacks_is_named() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    for name in [
        "COS_SLICE_ENDPOINT",
        "COS_SLICE_APP_ID",
        "COS_SLICE_SECRET_ID",
        "COS_SLICE_SECRET_KEY",
    ] {
        let outcome = run(service.upload(&file, &[]).env_remove(name));
        assert_line(outcome.failure(2), &[name]);
        let outcome = run(service.upload(&file, &[]).env(name, ""));
        assert_line(outcome.failure(2), &[name]);
    }
    let outcome = run(service.upload(&file, &[]).env("COS_SLICE_REGION", "gz"));
    assert_line(
        outcome.failure(2),
        &["COS_SLICE_ENDPOINT", "COS_SLICE_REGION", "unset"],
    );
    let outcome = run(service.upload(&file, &[]).env("COS_SLICE_SECRET_KEY_FILE", "key"));
    assert_line(
        outcome.failure(2),
        &["COS_SLICE_SECRET_KEY", "COS_SLICE_SECRET_KEY_FILE", "unset"],
    );
    let outcome = run(service.upload(&file, &["--json"]).env_remove("COS_SLICE_APP_ID"));
    assert_eq!(outcome.json()["error"]["status"], "ERR_INVALID_ARGUMENT");
    assert_eq!(service.emulator.requests().len(), 0);
}

#[test]
fn a_secret_that_can_be_none_is_refused_without_being_told() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    for key in [format!("{SECRET} "), format!("{SECRET}\u{e9}")] {
        let outcome = run(service
            .upload(&file, &["--verbose"])
            .env("COS_SLICE_SECRET_KEY", key));
        assert_line(outcome.failure(2), &["secret_key"]);
    }
    let directory = service.folder().to_owned();
    let mut command = service.upload(&file, &[]);
    let outcome = run(command
        .env_remove("COS_SLICE_SECRET_KEY")
        .env("COS_SLICE_SECRET_KEY_FILE", directory));
    assert_line(outcome.failure(2), &["COS_SLICE_SECRET_KEY_FILE"]);
}

#[test]
fn a_password_of_a_proxy_is_not_taken_from_the_command_line() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    let outcome = run(&mut service.upload(&file, &["--proxy", "http://user:hunter2@127.0.0.1:1"]));
    let line = outcome.failure(2);
    assert_line(line, &["--proxy", "password"]);
    assert!(!line.contains("hunter2"), "{line}");
}

#[test]
fn the_secret_is_no_option() {
    let outcome = run(bare_command().args(["upload", "--help"]));
    assert!(!outcome.stdout.contains("--secret"), "{}", outcome.stdout);
}
