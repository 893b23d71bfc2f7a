//! Uploads that work, and what is told of them.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use cos_emulator::{Action, Fault};
use cos_slice::upload::options::DEFAULT_CONNECTIONS;
use serde_json::{Value, json};

use crate::support::{OBJECT, SECRET, Service, bare_command, content, run};

const MIB: usize = 1 << 20;

#[test]
fn files_of_every_size_become_identical_objects() {
    for size in [0, 1, 36_864, 524_288, MIB, MIB + 1, 20 * MIB + 1] {
        let service = Service::new();
        let bytes = content(size, 1);
        let file = service.file("big.mp4", &bytes);
        let outcome = run(&mut service.upload(&file, &[]));
        outcome.success();
        assert!(service.object() == bytes, "{size} bytes");
    }
}

#[test]
fn the_url_on_stdout_leads_to_the_object() {
    let service = Service::new();
    let bytes = content(MIB + 7, 2);
    let outcome = run(&mut service.upload(&service.file("big.mp4", &bytes), &[]));
    let target = outcome
        .success()
        .strip_prefix(&service.emulator.endpoint())
        .expect("the emulator's own address")
        .to_owned();
    let mut connection = TcpStream::connect(service.emulator.address()).unwrap();
    write!(
        connection,
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    assert!(answer.ends_with(&bytes));
}

#[test]
fn the_same_content_again_is_instant_and_sends_no_slice() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(3 * MIB, 3));
    run(&mut service.upload(&file, &[])).success();
    service.emulator.clear_requests();
    let outcome = run(&mut service.upload(&file, &["--json"]));
    assert_eq!(outcome.json()["outcome"], "instant");
    assert_eq!(service.count("upload_slice_init"), 1);
    assert_eq!(service.count("upload_slice_data"), 0);
}

#[test]
fn other_content_is_refused_without_overwrite_and_replaces_with_it() {
    let service = Service::new();
    let (old, new) = (content(2 * MIB, 4), content(2 * MIB, 5));
    run(&mut service.upload(&service.file("old", &old), &[])).success();
    let file = service.file("new", &new);

    let outcome = run(&mut service.upload(&file, &[]));
    let line = outcome.failure(1);
    assert!(line.contains("-177") && line.contains("overwrit"), "{line}");
    assert!(service.object() == old);

    run(&mut service.upload(&file, &["--overwrite"])).success();
    assert!(service.object() == new);
}

#[test]
fn json_is_one_object_with_every_documented_key() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(2 * MIB, 6));
    let outcome = run(&mut service.upload(&file, &["--json"]));
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let report = outcome.json();
    let documented = [
        "outcome",
        "access_url",
        "source_url",
        "url",
        "resource_path",
        "preview_url",
        "vid",
        "bytes",
        "sent",
        "resumed",
        "slices",
        "retries",
        "verified",
        "sha1",
        "seconds",
        "warning",
    ];
    assert_eq!(keys(&report), BTreeSet::from(documented));
    assert_eq!(report["outcome"], "uploaded");
    assert_eq!(
        (&report["bytes"], &report["sent"]),
        (&json!(2 * MIB), &json!(2 * MIB))
    );
    assert_eq!(
        (&report["resumed"], &report["slices"], &report["retries"]),
        (&json!(0), &json!(2), &json!(0))
    );
    assert_eq!(report["verified"], true);
    assert_eq!(report["sha1"].as_str().map(str::len), Some(40));
    assert!(report["access_url"].as_str().unwrap().starts_with("http://"));
    assert!(report["seconds"].as_f64().unwrap() > 0.0);
}

#[test]
fn a_failure_is_a_json_object_too() {
    let service = Service::new();
    run(&mut service.upload(&service.file("old", b"old"), &[])).success();
    let outcome = run(&mut service.upload(&service.file("new", b"new"), &["--json"]));
    assert_eq!(outcome.status, Some(1));
    let report = outcome.json();
    assert_eq!(keys(&report), BTreeSet::from(["error"]));
    let error = &report["error"];
    let documented = [
        "status",
        "server_code",
        "http_status",
        "request_id",
        "operation",
        "slice_offset",
        "attempts",
        "os_errno",
        "message",
        "retryable",
    ];
    assert_eq!(keys(error), BTreeSet::from(documented));
    assert_eq!(
        (&error["status"], &error["server_code"]),
        (&json!("ERR_OBJECT_EXISTS"), &json!(-177))
    );
    assert_eq!(error["retryable"], false);
    assert_eq!(
        (
            &error["operation"],
            &error["slice_offset"],
            &error["attempts"],
            &error["os_errno"]
        ),
        (&json!("upload_slice_init"), &json!(null), &json!(1), &json!(null))
    );
    let (message, request_id) = (
        error["message"].as_str().unwrap(),
        error["request_id"].as_str().unwrap(),
    );
    assert!(message.contains(request_id), "{message}");
    assert_eq!(
        outcome.stderr.lines().last(),
        Some(format!("cos-slice: {message}").as_str())
    );
}

#[test]
fn status_tells_none_and_complete() {
    let service = Service::new();
    let status = |options: &[&str]| run(service.command().args(["status", OBJECT]).args(options));
    assert_eq!(status(&[]).success(), "none");
    assert_eq!(status(&["--json"]).json(), json!({"state": "none"}));

    let outcome = run(&mut service.upload(&service.file("big.mp4", &content(MIB, 7)), &["--json"]));
    let sha1 = outcome.json()["sha1"].as_str().unwrap().to_owned();
    assert_eq!(
        status(&[]).success(),
        format!("complete, 1048576 bytes, SHA-1 {sha1}")
    );
    assert_eq!(
        status(&["--json"]).json(),
        json!({"state": "complete", "size": MIB, "sha1": sha1})
    );
}

#[test]
fn options_reach_the_wire() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(4 * MIB, 8));
    run(&mut service.upload(
        &file,
        &[
            "--slice-size",
            "2M",
            "--no-hash",
            "--biz-attr",
            "from the kitchen",
        ],
    ))
    .success();
    let requests = service.emulator.requests();
    let init = requests
        .iter()
        .find(|record| record.operation.as_deref() == Some("upload_slice_init"))
        .unwrap();
    assert_eq!(init.field("slice_size"), Some("2097152"));
    assert_eq!(init.field("biz_attr"), Some("from the kitchen"));
    assert_eq!(init.field("sha"), None);
    assert_eq!(service.slices(), [0, 2 * MIB as u64]);
}

#[test]
fn concurrency_bounds_the_connections() {
    for option in ["--concurrency=1", "--max-concurrency=1"] {
        let service = Service::new();
        let file = service.file("big.mp4", &content(6 * MIB, 9));
        run(&mut service.upload(&file, &[option])).success();
        let requests = service.emulator.requests();
        let connections: BTreeSet<u64> = requests.iter().map(|record| record.connection).collect();
        assert_eq!(connections.len(), 1, "{option}");
    }
}

#[test]
fn without_verification_nobody_asks_at_the_end() {
    let service = Service::new();
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &["--no-verify", "--json"]));
    assert_eq!(outcome.json()["verified"], false);
    assert_eq!(service.count("stat"), 0);
}

#[test]
fn an_unfinished_upload_of_other_content_is_discarded_only_on_demand() {
    let service = Service::new();
    service
        .emulator
        .add_fault(Fault::new("upload_slice_data", Action::answer(400, -1)).times(0));
    let theirs = service.file("theirs", &content(2 * MIB, 10));
    let elsewhere = service.folder().join("another user's").display().to_string();
    run(&mut service.upload(&theirs, &["--checkpoint-dir", &elsewhere])).failure(1);
    service.emulator.clear_faults();

    let ours = content(2 * MIB, 11);
    let file = service.file("ours", &ours);
    let line = run(&mut service.upload(&file, &[])).failure(1).to_owned();
    assert!(line.contains("unfinished"), "{line}");
    assert!(!service.has_object());
    run(&mut service.upload(&file, &["--discard-unfinished"])).success();
    assert!(service.object() == ours);
}

#[test]
fn the_secret_key_may_come_from_a_file() {
    let service = Service::new();
    let key = service.file("key", format!("{SECRET}\n").as_bytes());
    let mut command = service.upload(&service.file("big.mp4", b"content"), &[]);
    run(command
        .env_remove("COS_SLICE_SECRET_KEY")
        .env("COS_SLICE_SECRET_KEY_FILE", key))
    .success();
    assert_eq!(service.object(), b"content");
}

#[test]
fn the_endpoint_option_goes_before_the_environment() {
    let service = Service::new();
    let mut command = service.upload(
        &service.file("big.mp4", b"content"),
        &["--endpoint", &service.emulator.endpoint()],
    );
    run(command.env("COS_SLICE_ENDPOINT", "http://127.0.0.1:1")).success();
    assert_eq!(service.object(), b"content");
}

#[test]
fn a_proxy_is_asked_where_one_is_given() {
    let service = Service::new();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let (connection, _) = proxy.accept().unwrap();
        let mut line = String::new();
        BufReader::new(connection).read_line(&mut line).unwrap();
        line
    });
    let outcome = run(&mut service.upload(&service.file("big.mp4", b"content"), &["--proxy", &address]));
    outcome.failure(1);
    let expected = format!("CONNECT {} HTTP/1.1\r\n", service.emulator.address());
    assert_eq!(asked.join().unwrap(), expected);
    assert_eq!(service.emulator.requests().len(), 0);
}

#[test]
fn quiet_writes_nothing_but_the_url() {
    let service = Service::new();
    let outcome = run(&mut service.upload(&service.file("big.mp4", &content(MIB, 12)), &["--quiet"]));
    outcome.success();
    assert_eq!(outcome.stderr, "");
}

#[test]
fn verbose_tells_settings_and_result() {
    let service = Service::new();
    let outcome = run(&mut service.upload(&service.file("big.mp4", &content(MIB, 14)), &["--verbose"]));
    outcome.success();
    let result = "uploaded 1.00 MiB, in ";
    for expected in [
        service.emulator.endpoint().as_str(),
        OBJECT,
        &format!("up to {} connections", DEFAULT_CONNECTIONS.most()),
        result,
        "1 slices sent",
        "; verified",
    ] {
        assert!(
            outcome.stderr.contains(expected),
            "{expected}: {}",
            outcome.stderr
        );
    }
}

#[test]
fn verbose_tells_the_number_of_connections_and_the_rate_that_were_asked_for() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    let outcome = run(&mut service.upload(&file, &["--verbose", "--concurrency=3"]));
    outcome.success();
    assert!(
        outcome.stderr.contains("; 3 connections, slices of 1.00 MiB\n"),
        "{outcome:?}"
    );
    let options = [
        "--verbose",
        "--max-concurrency=3",
        "--limit-rate=512M",
        "--overwrite",
    ];
    let outcome = run(&mut service.upload(&file, &options));
    outcome.success();
    let expected = "; up to 3 connections, slices of 1.00 MiB, at most 512.00 MiB/s\n";
    assert!(outcome.stderr.contains(expected), "{outcome:?}");
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let service = Service::new();
    let mut child = service
        .upload(&service.file("big.mp4", b"content"), &[])
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let outcome = crate::support::finish(child);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert_eq!(service.object(), b"content");
}

#[test]
fn the_session_of_the_readme_works_as_printed() {
    let service = Service::with(|config| config.secret_key = "secret".to_owned());
    let bytes = content(MIB + 1, 15);
    service.file("big.mp4", &bytes);
    let (_, section) = include_str!("../../README.md")
        .split_once("\n## From the shell\n")
        .unwrap();
    let session = section
        .split("```sh\n")
        .nth(2)
        .unwrap()
        .split_once("```")
        .unwrap()
        .0;
    // The port is the emulator's own choice here.
    let script = session.replace("http://127.0.0.1:9000", &service.emulator.endpoint());
    assert_ne!(script, session);
    let programs = Path::new(env!("CARGO_BIN_EXE_cos-slice")).parent().unwrap();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-euc", &script])
        .current_dir(service.folder())
        .env_clear()
        .env("PATH", programs);
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("http://"), "{lines:?}");
    assert!(lines[1].starts_with(r#"{"outcome":"instant","#), "{lines:?}");
    assert!(
        lines[2].starts_with("complete, 1048577 bytes, SHA-1 "),
        "{lines:?}"
    );
    assert!(service.object() == bytes);
}

#[test]
fn help_tells_options_environment_and_exit_status() {
    let outcome = run(bare_command().args(["upload", "--help"]));
    assert_eq!(outcome.status, Some(0));
    for expected in ["--slice-size", "COS_SLICE_SECRET_KEY_FILE", "Exit status", "130"] {
        assert!(outcome.stdout.contains(expected), "{expected}");
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}
