//! The measuring works from end to end, with real servers and clients, and tiny files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
const PACKAGE: &str = env!("CARGO_MANIFEST_DIR");

/// Those that need no other language than C and Rust, and not what is installed.
const SCENARIOS: [&str; 6] = ["large-file", "hashing", "https", "latency", "thousand", "small"];

fn bench(folder: &Path, scenarios: &[&str]) -> Output {
    let mut command = Command::new(BENCH);
    command.args([
        "--smoke",
        "--rounds",
        "1",
        "--prefix",
        "/nonexistent",
        "--exports",
        "/nonexistent",
    ]);
    command.arg("--programs").arg(folder).arg("--out").arg(folder);
    for scenario in scenarios {
        command.args(["--scenario", scenario]);
    }
    command.output().unwrap()
}

fn compile_floor(folder: &Path) {
    let mut compiler = Command::new("cc");
    compiler
        .args(["-std=c11", "-O2", "-pthread", "-o"])
        .arg(folder.join("floor"));
    compiler.arg(Path::new(PACKAGE).join("c/floor.c"));
    assert!(compiler.status().unwrap().success());
}

#[test]
fn scenarios_run_from_end_to_end_and_what_was_sent_arrived() {
    let folder = tempfile::tempdir().unwrap();
    compile_floor(folder.path());
    let output = bench(folder.path(), &SCENARIOS);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");

    let page = fs::read_to_string(folder.path().join("results.md")).unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).trim_end(),
        page.trim_end()
    );
    let json = fs::read_to_string(folder.path().join("results.json")).unwrap();
    let results: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        page.matches("\n| ").count(),
        results["rows"].as_array().unwrap().len() + 1,
        "{page}"
    );
    for scenario in SCENARIOS {
        let samples = results["samples"][scenario]["samples"].as_array().unwrap();
        assert!(samples.len() >= 2, "{scenario}");
        for sample in samples {
            assert!(sample["report"]["seconds"].as_f64().unwrap() > 0.0, "{sample}");
            assert!(sample["peak_rss"].as_u64().unwrap() > 0, "{sample}");
            let nothing_sent = sample["variant"] == "SHA-1 of memory";
            assert_eq!(sample["server"]["bytes"] == 0, nothing_sent, "{sample}");
        }
    }
    let many = &results["samples"]["thousand"]["samples"][0];
    // Ten uploads: init, two slices, finish and stat each, and the 20 slices by one upload beside.
    assert_eq!(
        (&many["server"]["requests"], &many["server"]["slices"]),
        (&50.into(), &20.into())
    );
    assert!(many["report"]["threads"].as_u64().unwrap() > 1, "{many}");
    let left: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("files-"))
        .collect();
    assert!(left.is_empty(), "what was uploaded is still there: {left:?}");
}

#[test]
fn a_client_that_sends_less_than_it_should_breaks_the_measurement() {
    let folder = tempfile::tempdir().unwrap();
    let liar = folder.path().join("floor");
    fs::write(&liar, "#!/bin/sh\necho '{\"seconds\":0.001}'\n").unwrap();
    fs::set_permissions(&liar, fs::Permissions::from_mode(0o755)).unwrap();
    let output = bench(folder.path(), &["large-file"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(
        errors.contains("C sendfile, 1 connections: the server received 0 bytes, not 4194304"),
        "{errors}"
    );
}

#[test]
fn a_client_that_fails_breaks_the_measurement() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["small"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("bench: small: "), "{errors}");
}
