//! Who signs for the command, and for what.

use std::process::Command;
use std::time::Duration;

use cos_slice::engine::signer::{self, SignRequest};
use cos_slice::protocol::signature::{Kind, Scope, SecretKey};

use crate::support::{BUCKET, OBJECT, PATH, SECRET, Service, bare_command, content, run};

/// A string that somebody with the key made for a path.
fn made_for(path: &str) -> String {
    let key = SecretKey::new("1251668577", "AKIDtest", SECRET).unwrap();
    let request = SignRequest {
        operation: "",
        app_id: "1251668577",
        bucket: BUCKET,
        path: path.trim_start_matches('/'),
        kind: Kind::MultiEffect,
        lifetime: Duration::from_secs(600),
    };
    signer::sign(&key, Scope::Path, &request).unwrap().to_string()
}

/// The command of somebody who has no key.
fn without_key(service: &Service, authorization: &str) -> Command {
    let mut command = bare_command();
    command
        .env("COS_SLICE_ENDPOINT", service.emulator.endpoint())
        .env("COS_SLICE_APP_ID", "1251668577")
        .env("COS_SLICE_AUTHORIZATION", authorization)
        .env("XDG_STATE_HOME", service.state());
    command
}

/// What requests were signed for, and how many seconds long.
fn signed(service: &Service) -> (String, u64) {
    let requests = service.emulator.requests();
    let field = |wanted: &str| {
        let fields = requests.iter().flat_map(|request| &request.signature);
        let mut values: Vec<&String> = fields
            .filter(|(name, _)| name == wanted)
            .map(|(_, value)| value)
            .collect();
        values.dedup();
        values[0].clone()
    };
    let (signed, expiry): (u64, u64) = (field("t").parse().unwrap(), field("e").parse().unwrap());
    (field("f"), expiry - signed)
}

#[test]
fn a_string_made_elsewhere_is_enough_for_its_path_and_never_shown() {
    let service = Service::new();
    let file = service.file("file", &content(3_000_000, 1));
    let authorization = made_for(PATH);
    for options in [&["upload", "--verbose"][..], &["status"]] {
        let mut command = without_key(&service, &authorization);
        command.arg(options[0]);
        if options[0] == "upload" {
            command.arg(&file);
        }
        let outcome = run(command.arg(OBJECT).args(&options[1..]));
        outcome.success();
        assert!(!outcome.stderr.contains(&authorization[..40]), "{outcome:?}");
    }
    assert_eq!(service.object(), std::fs::read(&file).unwrap());

    let mut command = without_key(&service, &made_for("another"));
    let outcome = run(command
        .arg("upload")
        .arg(&file)
        .args([OBJECT, "--overwrite", "--json"]));
    assert_eq!(outcome.status, Some(1), "{outcome:?}");
    let error = &outcome.json()["error"];
    assert_eq!(
        (error["status"].as_str(), error["server_code"].as_i64()),
        (Some("ERR_CREDENTIALS"), Some(-63))
    );
}

#[test]
fn a_string_that_can_not_be_sent_or_is_one_of_two_is_refused_by_its_name() {
    let service = Service::new();
    let file = service.file("file", &content(1000, 1));
    let good = made_for(PATH);
    let refused = |command: &mut Command| {
        let outcome = run(command.arg("upload").arg(&file).arg(OBJECT));
        let line = outcome.failure(2).to_owned();
        assert!(!line.contains("planted") && !line.contains(&good[..40]), "{line}");
        line
    };
    let line = refused(&mut without_key(&service, "planted\n"));
    assert!(
        line.starts_with("COS_SLICE_AUTHORIZATION: it has a line end at byte 7"),
        "{line}"
    );
    let line = refused(without_key(&service, &good).env("COS_SLICE_APP_ID", "my app"));
    assert!(line.starts_with("app_id: "), "{line}");
    let line = refused(without_key(&service, &good).env_remove("COS_SLICE_APP_ID"));
    assert!(line.starts_with("COS_SLICE_APP_ID is not set"), "{line}");
    for (other, value) in [
        ("COS_SLICE_SECRET_KEY", SECRET),
        ("COS_SLICE_SECRET_KEY_FILE", "/dev/null"),
    ] {
        let line = refused(without_key(&service, &good).env(other, value));
        assert!(
            line.starts_with(&format!("COS_SLICE_AUTHORIZATION and {other} are both set")),
            "{line}"
        );
    }
    assert!(service.emulator.requests().is_empty());
}

#[test]
fn signatures_are_as_wide_and_as_long_as_the_options_say() {
    for (options, bound, seconds) in [
        (&[][..], "/1251668577/videos/2026/big.mp4", 600),
        (
            &["--signature-scope", "path", "--signature-lifetime", "60"],
            "/1251668577/videos/2026/big.mp4",
            60,
        ),
        (
            &["--signature-scope", "directory"],
            "/1251668577/videos/2026/",
            600,
        ),
        (
            &["--signature-scope", "bucket", "--signature-lifetime", "7776000"],
            "/1251668577/videos/",
            7_776_000,
        ),
        (&["--signature-scope", "unbound"], "", 600),
    ] {
        let service = Service::new();
        let file = service.file("file", &content(1_500_000, 1));
        run(&mut service.upload(&file, options)).success();
        assert_eq!(signed(&service), (bound.to_owned(), seconds), "{options:?}");
    }
}

#[test]
fn a_scope_or_a_lifetime_that_there_is_not_is_refused_and_nothing_is_sent() {
    let service = Service::new();
    let file = service.file("file", &content(1000, 1));
    for (option, value, told) in [
        (
            "--signature-scope",
            "file",
            "[possible values: path, directory, bucket, unbound]",
        ),
        ("--signature-lifetime", "0", "0 is not in 1..=7776000"),
        ("--signature-lifetime", "7776001", "7776001 is not in 1..=7776000"),
    ] {
        let outcome = run(&mut service.upload(&file, &[option, value]));
        assert_eq!(outcome.status, Some(2), "{outcome:?}");
        assert!(
            outcome.stderr.contains(option) && outcome.stderr.contains(told),
            "{outcome:?}"
        );
    }
    assert!(service.emulator.requests().is_empty());
}
