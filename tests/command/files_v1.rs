//! The older API from the shell, and directories that are made.

use serde_json::json;

use crate::support::{OBJECT, Service, content, run};

const MIB: usize = 1 << 20;

#[test]
fn a_file_goes_up_by_files_v1_by_option_and_by_environment() {
    for by_option in [true, false] {
        let service = Service::new();
        let bytes = content(2 * MIB + 5, 1);
        let file = service.file("big.mp4", &bytes);
        let mut command = service.upload(&file, if by_option { &["--api", "v1"] } else { &[] });
        // The option goes before the environment.
        command.env("COS_SLICE_API", if by_option { "v2" } else { "v1" });
        run(&mut command).success();
        assert!(service.object() == bytes);
        assert_eq!((service.count("v1_control"), service.count("v1_data")), (1, 3));
        assert_eq!(service.count("upload_slice_init"), 0);
    }
}

#[test]
fn json_and_status_tell_of_an_upload_by_files_v1_what_they_tell_of_any() {
    let service = Service::new();
    let file = service.old_file("big.mp4", &content(3 * MIB, 2));
    let status = |options: &[&str]| {
        let command = &mut service.command();
        run(command.args(["status", OBJECT, "--api", "v1"]).args(options))
    };
    assert_eq!(status(&[]).success(), "none");

    service.emulator.add_fault(
        cos_emulator::Fault::from_json(
            r#"{"operation":"v1_data","nth":3,"action":{"status":400,"code":-5999}}"#,
        )
        .unwrap(),
    );
    let failed = run(&mut service.upload(&file, &["--api", "v1", "--json"]));
    assert_eq!(failed.status, Some(1));
    assert_eq!(failed.json()["error"]["server_code"], json!(-5999));
    assert_eq!(
        status(&["--json"]).json(),
        json!({"state": "unfinished", "size": 3 * MIB, "received": 2 * MIB, "slices": null})
    );

    let report = run(&mut service.upload(&file, &["--api", "v1", "--json"])).json();
    assert_eq!(
        (
            &report["outcome"],
            &report["resumed"],
            &report["slices"],
            &report["verified"]
        ),
        (&json!("resumed"), &json!(2 * MIB), &json!(1), &json!(true))
    );
    assert!(report["access_url"].as_str().unwrap().starts_with("http://"));
    assert_eq!(
        status(&["--json"]).json(),
        json!({"state": "complete", "size": 3 * MIB, "sha1": report["sha1"]})
    );
    assert_eq!(service.count("upload_slice_list"), 0);
}

#[test]
fn an_api_that_there_is_not_is_a_mistake_of_usage() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    let by_option = run(&mut service.upload(&file, &["--api", "v3"]));
    assert_eq!(by_option.status, Some(2), "{by_option:?}");
    assert!(
        by_option.stderr.contains("--api") && by_option.stderr.contains("it must be v2 or v1"),
        "{by_option:?}"
    );
    let by_environment = run(service.upload(&file, &[]).env("COS_SLICE_API", "files/v1"));
    let line = by_environment.failure(2);
    assert!(line.contains("COS_SLICE_API: it must be v2 or v1"), "{line}");
    assert!(service.emulator.requests().is_empty());
}

#[test]
fn files_v1_without_hashing_is_refused_before_anything_is_sent() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    let outcome = run(&mut service.upload(&file, &["--api", "v1", "--no-hash"]));
    let line = outcome.failure(2);
    assert!(line.contains("files/v1") && line.contains("hash"), "{line}");
    assert!(service.emulator.requests().is_empty());
}

#[test]
fn directories_above_the_object_are_made_with_create_parents_alone() {
    for api in ["v2", "v1"] {
        let service = Service::new();
        service.emulator.set("require_parent_dir", "on").unwrap();
        let bytes = content(MIB + 1, 3);
        let file = service.file("big.mp4", &bytes);
        let without = run(&mut service.upload(&file, &["--api", api]));
        let line = without.failure(1);
        assert!(line.contains("-197") && line.contains("directory"), "{line}");
        assert_eq!(service.count("create"), 0);

        run(&mut service.upload(&file, &["--api", api, "--create-parents"])).success();
        assert_eq!(service.count("create"), 1);
        assert!(service.object() == bytes);
    }
}
