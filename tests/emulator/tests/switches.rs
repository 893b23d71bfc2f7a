//! The switches of uploads and objects away from its default position; the defaults are tested where the operations are.

mod support;

use cos_emulator::{Emulator, Switches};
use serde_json::{Value, json};
use support::{BUCKET, Fixture, MIB, content, sha1, start, start_set};

fn set(emulator: &Emulator, assignment: &str) {
    let (name, value) = assignment.split_once('=').unwrap();
    emulator.set(name, value).unwrap();
}

/// An upload of three bytes whose one slice was received.
fn begin_received(fixture: &Fixture) -> String {
    let session = fixture.client.begin("file", 3, MIB);
    fixture.client.data("file", &session, 0, b"abc", &[]).data();
    session
}

#[test]
fn finish_filesize() {
    let fixture = start();
    let session = begin_received(&fixture);
    let finish = |filesize: Option<&str>| {
        let mut fields = vec![("op", "upload_slice_finish"), ("session", &*session)];
        fields.extend(filesize.map(|text| ("filesize", text)));
        fixture.client.post_text("file", &fields).outcome()
    };
    set(&fixture.emulator, "finish_filesize=strict");
    assert_eq!((finish(None), finish(Some(""))), ((400, -5999), (400, -5999)));
    set(&fixture.emulator, "finish_filesize=lenient");
    assert_eq!(finish(None), (200, 0));
}

#[test]
fn slice_policy() {
    let fixture = start();
    let answered = |policy: &str, asked: usize| {
        fixture.emulator.set("slice_policy", policy).unwrap();
        let answer = fixture.client.init("file", 10 * MIB, asked, &[]);
        fixture.client.delete("file");
        let value = answer.json();
        value["data"]["slice_size"]
            .as_i64()
            .unwrap_or_else(|| value["code"].as_i64().unwrap())
    };
    let sizes = [
        0, 65_535, 65_536, 100_000, 524_288, 1_048_576, 1_500_000, 2_097_152, 3_145_728, 4_194_304,
    ];
    let table = |policy: &str| sizes.map(|size| answered(policy, size));
    assert_eq!(
        table("s2"),
        [
            -284, -284, -284, -284, 524_288, 1_048_576, -284, 2_097_152, 3_145_728, -284
        ]
    );
    assert_eq!(
        table("only_1m"),
        [-284, -284, -284, -284, -284, 1_048_576, -284, -284, -284, -284]
    );
    let clamped = [
        -284, 65_535, 65_536, 100_000, 524_288, 1_048_576, 1_048_576, 1_048_576, 1_048_576, 1_048_576,
    ];
    assert_eq!(table("clamp_to_1m"), clamped);
    assert_eq!(table("clamp_to_512k"), clamped.map(|size| size.min(524_288)));
    let range = [
        -284, -284, 65_536, 100_000, 524_288, 1_048_576, -284, 2_097_152, 3_145_728, -284,
    ];
    assert_eq!(table("csharp_range"), range);
}

#[test]
fn sha_slice_size_and_sha_without_uploadparts() {
    let fixture = start_set(&["sha_slice_size=strict"]);
    let sha = sha1(b"abc");
    let parts = format!("[{{\"offset\":0,\"datalen\":3,\"datasha\":\"{sha}\"}}]");
    let init = |path: &str, slice_size, parts: Option<&str>| {
        let mut more = vec![("sha", &*sha)];
        more.extend(parts.map(|parts| ("uploadparts", parts)));
        fixture.client.init(path, 3, slice_size, &more).outcome()
    };
    assert_eq!(init("a", MIB / 2, None), (400, -5965));
    assert_eq!(init("a", MIB, None), (200, 0));
    set(&fixture.emulator, "sha_slice_size=lenient");
    assert_eq!(init("b", MIB / 2, None), (200, 0));
    set(&fixture.emulator, "sha_without_uploadparts=strict");
    assert_eq!(init("c", MIB, None), (400, -5965));
    assert_eq!(init("c", MIB, Some(&parts)), (200, 0));
}

#[test]
fn sha_in_data() {
    let fixture = start();
    let sha = sha1(b"abc");
    let begun = fixture.client.init("file", 3, MIB, &[("sha", &sha)]).data();
    let session = begun["session"].as_str().unwrap();
    let data = |more: &[(&str, &str)]| fixture.client.data("file", session, 0, b"abc", more).outcome();
    assert_eq!(data(&[]), (200, 0));
    set(&fixture.emulator, "sha_in_data=strict");
    assert_eq!(data(&[]), (400, -29094));
    assert_eq!(data(&[("sha", &sha)]), (200, 0));
}

#[test]
fn list_absent() {
    let fixture = start_set(&["list_absent=empty_body"]);
    let answer = fixture.client.list("file");
    assert_eq!((answer.status, answer.text()), (404, ""));
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
    assert_eq!(fixture.emulator.requests()[0].code, Some(-197));
}

#[test]
fn finish_missing_slices() {
    let fixture = start_set(&["finish_missing_slices=-5999"]);
    let session = fixture.client.begin("file", 3, MIB);
    assert_eq!(
        fixture.client.finish("file", &session, 3, &[]).outcome(),
        (400, -5999)
    );
}

#[test]
fn finish_wrong_filesize() {
    let fixture = start();
    let session = begin_received(&fixture);
    assert_eq!(
        fixture.client.finish("file", &session, 4, &[]).outcome(),
        (400, -175)
    );
    set(&fixture.emulator, "finish_wrong_filesize=-4019");
    assert_eq!(
        fixture.client.finish("file", &session, 4, &[]).outcome(),
        (409, -4019)
    );
}

#[test]
fn serial_upload() {
    for (value, expected) in [("absent", Value::Null), ("0", json!(0)), ("1", json!(1))] {
        let fixture = start_set(&[&format!("serial_upload={value}")]);
        let client = &fixture.client;
        let file = content(3 * MIB);
        let begun = client.init("file", file.len(), MIB, &[]).data();
        assert_eq!(begun["serial_upload"], expected);
        let session = begun["session"].as_str().unwrap();
        let data = |index: usize| client.data("file", session, index * MIB, &file[index * MIB..][..MIB], &[]);
        assert_eq!(data(0).data()["serial_upload"], expected);
        assert_eq!(
            data(2).outcome(),
            if value == "1" { (400, -4005) } else { (200, 0) }
        );
        data(1).data();
        // The slice before may come again.
        data(0).data();
        data(2).data();
        client.finish("file", session, file.len(), &[]).data();
    }
}

#[test]
fn duplicate_slice() {
    let outcomes = |value: &str| {
        let fixture = start_set(&[&format!("duplicate_slice={value}")]);
        let session = begin_received(&fixture);
        let again = fixture.client.data("file", &session, 0, b"abc", &[]).outcome();
        let other = fixture.client.data("file", &session, 0, b"xyz", &[]).outcome();
        fixture.client.finish("file", &session, 3, &[]).data();
        (again, other, fixture.emulator.object(BUCKET, "file").unwrap())
    };
    assert_eq!(outcomes("overwrite"), ((200, 0), (200, 0), b"xyz".to_vec()));
    assert_eq!(
        outcomes("refuse_different"),
        ((200, 0), (409, -4015), b"abc".to_vec())
    );
    assert_eq!(outcomes("refuse"), ((409, -4015), (409, -4015), b"abc".to_vec()));
}

#[test]
fn misplaced_and_long_slice() {
    let fixture = start_set(&["misplaced_slice=-5999", "long_slice=-284"]);
    let session = fixture.client.begin("file", 2 * MIB, MIB);
    let slice = content(MIB + 1);
    assert_eq!(
        fixture
            .client
            .data("file", &session, 1, &slice[..MIB], &[])
            .outcome(),
        (400, -5999)
    );
    assert_eq!(
        fixture.client.data("file", &session, 0, b"short", &[]).outcome(),
        (400, -5999)
    );
    assert_eq!(
        fixture.client.data("file", &session, 0, &slice, &[]).outcome(),
        (400, -284)
    );
}

#[test]
fn listparts_and_numbers() {
    let listed = |settings: &[&str]| {
        let fixture = start_set(settings);
        begin_received(&fixture);
        fixture.client.list("file").data()
    };
    let array = json!([{"offset": 0, "datalen": 3}]);
    assert_eq!(listed(&["listparts=array"])["listparts"], array);
    assert_eq!(
        listed(&["listparts=string"])["listparts"],
        json!(r#"[{"offset":0,"datalen":3}]"#)
    );
    assert_eq!(
        listed(&["listparts=null"]).as_object().unwrap()["listparts"],
        Value::Null
    );
    assert!(
        !listed(&["listparts=missing"])
            .as_object()
            .unwrap()
            .contains_key("listparts")
    );
    let texts = listed(&["numbers=string"]);
    assert_eq!(
        (&texts["filesize"], &texts["slice_size"]),
        (&json!("3"), &json!("1048576"))
    );
    assert_eq!(texts["listparts"], json!([{"offset": "0", "datalen": "3"}]));
}

#[test]
fn rotate_on_list() {
    let fixture = start_set(&["rotate_on_list=on"]);
    let client = &fixture.client;
    let old = begin_received(&fixture);
    let listed = client.list("file").data();
    let new = listed["session"].as_str().unwrap();
    assert_ne!(new, old);
    assert_eq!(listed["listparts"], json!([{"offset": 0, "datalen": 3}]));
    assert_eq!(client.finish("file", &old, 3, &[]).outcome(), (400, -290));
    client.finish("file", new, 3, &[]).data();
}

#[test]
fn overwrite() {
    for (value, kept) in [("at_finish", true), ("at_init", false)] {
        let fixture = start_set(&[&format!("overwrite={value}")]);
        fixture.client.upload("file", b"old", &[]).data();
        fixture.client.init("file", 3, MIB, &[("insertOnly", "0")]).data();
        assert_eq!(fixture.emulator.object(BUCKET, "file").is_ok(), kept, "{value}");
    }
}

#[test]
fn same_sha() {
    let fixture = start_set(&["same_sha=conflict"]);
    fixture.client.upload("file", b"old", &[]).data();
    let sha = sha1(b"old");
    assert_eq!(
        fixture.client.init("file", 3, MIB, &[("sha", &sha)]).outcome(),
        (409, -177)
    );
    assert_eq!(fixture.client.upload("file", b"old", &[]).outcome(), (409, -177));
    // With overwriting allowed it is a hit all the same.
    assert!(
        fixture
            .client
            .init("file", 3, MIB, &[("sha", &sha), ("insertOnly", "0")])
            .data()["access_url"]
            .is_string()
    );
}

#[test]
fn dedupe() {
    let hits = |value: &str| {
        let fixture = start_set(&[&format!("dedupe={value}")]);
        fixture.client.upload("one", b"same", &[]).data();
        let sha = sha1(b"same");
        ["one", "d/two"].map(|path| {
            let answer = fixture
                .client
                .init(path, 4, MIB, &[("sha", &sha), ("insertOnly", "0")])
                .data();
            let hit = answer["access_url"].is_string();
            assert_ne!(hit, answer["session"].is_string());
            assert!(!hit || fixture.emulator.object(BUCKET, path).unwrap() == b"same");
            hit
        })
    };
    assert_eq!(hits("path"), [true, false]);
    assert_eq!(hits("bucket"), [true, true]);
    assert_eq!(hits("off"), [false, false]);
}

#[test]
fn session_ttl() {
    let fixture = start_set(&["session_ttl=0"]);
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    assert_eq!(
        client.data("file", &session, 0, b"abc", &[]).outcome(),
        (400, -290)
    );
    let listed = client.list("file").data();
    let new = listed["session"].as_str().unwrap();
    assert_ne!(new, session);
    set(&fixture.emulator, "session_ttl=600");
    client.data("file", new, 0, b"abc", &[]).data();
    assert_eq!(client.list("file").data()["session"], json!(new));
    assert_eq!(client.finish("file", &session, 3, &[]).outcome(), (400, -290));
    client.finish("file", new, 3, &[]).data();
}

#[test]
fn delete_unfinished_and_stat_unfinished() {
    let fixture = start_set(&["delete_unfinished=not_found", "stat_unfinished=not_found"]);
    fixture.client.begin("file", 3, MIB);
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
    assert_eq!(fixture.client.delete("file").outcome(), (404, -197));
    assert_eq!(fixture.client.list("file").outcome(), (404, -197));
}

#[test]
fn zero_filesize() {
    let fixture = start_set(&["zero_filesize=-5999"]);
    assert_eq!(fixture.client.init("file", 0, MIB, &[]).outcome(), (400, -5999));
    set(&fixture.emulator, "zero_filesize=accept");
    let session = fixture.client.begin("file", 0, MIB);
    fixture.client.finish("file", &session, 0, &[]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"");
}

#[test]
fn require_parent_dir() {
    let fixture = start_set(&["require_parent_dir=on"]);
    let v1 = &fixture.client.on_v1();
    let v2 = &fixture.client;
    let control = |path: &str| v1.control(path, 3, &sha1(b"abc"), &[]).outcome();
    let create = |path: &str| v2.json_op(path, &v2.token(), r#"{"op":"create"}"#).outcome();
    assert_eq!(v2.init("d/e/file", 3, MIB, &[]).outcome(), (404, -197));
    assert_eq!(control("d/e/file"), (404, -197));
    for client in [v1, v2] {
        assert_eq!(client.upload("d/e/file", b"x", &[]).outcome(), (404, -197));
    }
    assert_eq!(create("d/e/"), (404, -197), "one level after the other");
    assert_eq!((create("d/"), create("d/e/")), ((200, 0), (200, 0)));
    assert_eq!((create("d/"), create("d/e/")), ((409, -178), (409, -178)));
    v2.init("d/e/file", 3, MIB, &[]).data();
    assert_eq!(control("d/e/other"), (200, 0));
    v2.upload("root", b"x", &[]).data();

    set(&fixture.emulator, "require_parent_dir=off");
    assert_eq!(create("f/g/"), (200, 0));
    assert_eq!(control("h/file"), (200, 0));
}

#[test]
fn data_after_finish() {
    for (value, code) in [("-290", -290), ("-197", -197), ("success", 0)] {
        let fixture = start_set(&[&format!("data_after_finish={value}")]);
        let session = begin_received(&fixture);
        fixture.client.finish("file", &session, 3, &[]).data();
        let answer = fixture.client.data("file", &session, 0, b"abc", &[]);
        assert_eq!(answer.code(), code);
        assert_eq!(answer.json()["data"]["access_url"].is_string(), code == 0);
        assert_eq!(fixture.client.data("file", "0123", 0, b"abc", &[]).code(), -290);
    }
}

#[test]
fn finish_grace() {
    let fixture = start_set(&["finish_grace=none"]);
    let session = begin_received(&fixture);
    fixture.client.finish("file", &session, 3, &[]).data();
    assert_eq!(
        fixture.client.finish("file", &session, 3, &[]).outcome(),
        (400, -290)
    );
    set(&fixture.emulator, "finish_grace=600");
    fixture.client.finish("file", &session, 3, &[]).data();
}

#[test]
fn verify() {
    let fixture = start_set(&["verify=off"]);
    let wrong = sha1(b"something else");
    fixture
        .client
        .upload_slices("file", b"abc", MIB, &[("sha", &wrong)])
        .data();
    // What is stored is described as it is.
    assert_eq!(fixture.client.stat("file").data()["sha"], json!(sha1(b"abc")));
}

#[test]
fn every_switch_has_a_test_and_a_row_in_the_readme() {
    let tests = concat!(
        include_str!("switches.rs"),
        include_str!("request_switches.rs"),
        include_str!("files_v1.rs"),
        include_str!("private_store.rs"),
        include_str!("discard.rs"),
    );
    let readme = include_str!("../README.md");
    for row in Switches::table() {
        assert!(
            tests.contains(&format!("{}=", row.name)) || tests.contains(&format!("\"{}\"", row.name)),
            "{}",
            row.name
        );
        let expected = format!(
            "| `{}` | {} | `{}` | {} | {} |",
            row.name, row.values, row.default, row.basis, row.text
        );
        assert!(readme.contains(&expected), "README.md lacks the row\n{expected}");
    }
}
