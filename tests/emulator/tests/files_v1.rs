//! `files/v1`: control and data, with the fields and answers that its page prints.

mod support;

use serde_json::{Value, json};
use support::v1::start_v1;
use support::{Answer, BUCKET, Client, MIB, content, sha1};

const HALF: usize = MIB / 2;
const SLICES: [(&str, &str); 1] = [("slice_size", "524288")];

/// Session and offset of a control that was to begin or to go on.
fn state(answer: &Answer) -> (String, u64) {
    let data = answer.data();
    (
        data["session"].as_str().unwrap().to_owned(),
        data["offset"].as_u64().unwrap(),
    )
}

/// Begins an upload in slices of half a mebibyte and sends its first ones.
fn begin(client: &Client, path: &str, file: &[u8], slices: usize) -> String {
    let (session, offset) = state(&client.control(path, file.len(), &sha1(file), &SLICES));
    assert_eq!(offset, 0);
    for (index, slice) in file.chunks(HALF).take(slices).enumerate() {
        client.slice(path, &session, index * HALF, slice, &[]).data();
    }
    session
}

fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_file_goes_up_by_control_and_data_and_the_last_slice_answers_the_addresses() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(2 * HALF + 7);
    let control = client.control("d/file", file.len(), &sha1(&file), &SLICES).data();
    assert_eq!(names(&control), ["session", "offset", "slice_size"]);
    assert_eq!(
        (&control["offset"], &control["slice_size"]),
        (&json!(0), &json!(HALF))
    );
    let session = control["session"].as_str().unwrap();
    for index in 0..2 {
        let slice = &file[index * HALF..][..HALF];
        let answer = client.slice("d/file", session, index * HALF, slice, &[]).data();
        assert_eq!(answer, json!({"session": session, "offset": index * HALF}));
    }
    assert_eq!(client.stat("d/file").data()["filelen"], json!(2 * HALF));
    let last = client
        .slice("d/file", session, 2 * HALF, &file[2 * HALF..], &[])
        .data();
    let base = fixture.emulator.endpoint();
    assert_eq!(
        last,
        json!({
            "session": session, "offset": 2 * HALF,
            "access_url": format!("{base}/cdn/videos-1251668577/d/file"),
            "url": format!("{base}/files/v1/1251668577/videos/d/file"),
            "resource_path": "/1251668577/videos/d/file",
        })
    );
    assert_eq!(
        names(&last),
        ["session", "offset", "access_url", "url", "resource_path"]
    );
    assert_eq!(client.get(last["access_url"].as_str().unwrap()).body, file);
    assert_eq!(fixture.emulator.object(BUCKET, "d/file").unwrap(), file);
}

#[test]
fn a_control_for_content_that_is_there_answers_the_addresses_and_no_session() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(100);
    begin(client, "file", &file, 1);
    for more in [&[][..], &[("session", "0123")], &[("insertOnly", "0")]] {
        let hit = client.control("file", 100, &sha1(&file), more).data();
        assert_eq!(names(&hit), ["access_url", "url", "resource_path"]);
    }
    let other = sha1(b"other");
    assert_eq!(client.control("file", 100, &other, &[]).outcome(), (409, -177));
    let replaced = client.control("file", 5, &sha1(b"other"), &[("insertOnly", "0")]);
    let (session, _) = state(&replaced);
    client.slice("file", &session, 0, b"other", &[]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"other");
}

#[test]
fn instant_upload_reaches_as_far_as_dedupe_says() {
    for (dedupe, hit) in [("dedupe=path", false), ("dedupe=bucket", true)] {
        let fixture = start_v1(&[dedupe]);
        begin(&fixture.client, "one", b"same", 1);
        let answer = fixture.client.control("two", 4, &sha1(b"same"), &[]).data();
        assert_eq!(answer["access_url"].is_string(), hit, "{dedupe}");
        assert_eq!(fixture.emulator.object(BUCKET, "two").is_ok(), hit);
    }
}

#[test]
fn the_slice_size_is_a_wish_and_a_mebibyte_without_one() {
    let fixture = start_v1(&[]);
    let asked = |size: &str| {
        let answer = fixture
            .client
            .control("file", 3, &sha1(b"abc"), &[("slice_size", size)]);
        fixture.client.delete("file");
        let json = answer.json();
        json["data"]["slice_size"]
            .as_i64()
            .unwrap_or_else(|| json["code"].as_i64().unwrap())
    };
    let sizes = ["524287", "524288", "1500000", "20971520", "20971521"];
    assert_eq!(sizes.map(asked), [-284, 524_288, 1_500_000, 20_971_520, -284]);
    assert_eq!(asked(""), 1_048_576);
    fixture.emulator.set("slice_policy", "clamp_to_512k").unwrap();
    assert_eq!(["", "2000000"].map(asked), [524_288, 524_288]);
}

#[test]
fn the_fields_of_a_control_are_checked() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let post = |fields: &[(&str, &str)]| {
        let op = [("op", "upload_slice")];
        client.post_text("file", &[&op, fields].concat()).outcome()
    };
    let sha = sha1(b"abc");
    assert_eq!(post(&[("filesize", "3")]), (400, -5979));
    assert_eq!(
        post(&[("filesize", "3"), ("sha", "900150983cd24fb0d6963f7d28e17f72")]),
        (400, -4020)
    );
    assert_eq!(post(&[("sha", &sha)]), (400, -5999));
    assert_eq!(post(&[("filesize", "0"), ("sha", &sha)]), (400, -5995));
    assert_eq!(post(&[("filesize", "68719476737"), ("sha", &sha)]), (413, -285));
    assert_eq!(
        post(&[("filesize", "3"), ("sha", &sha), ("insertOnly", "2")]),
        (400, -5999)
    );
    assert!(
        fixture
            .emulator
            .requests()
            .iter()
            .all(|record| record.operation.as_deref() == Some("v1_control"))
    );
}

#[test]
fn each_api_has_its_own_operations() {
    let fixture = start_v1(&[]);
    let (v1, v2) = (
        &fixture.client,
        &Client {
            api: "v2",
            ..fixture.client.clone()
        },
    );
    assert_eq!(v1.init("file", 3, MIB, &[]).outcome(), (400, -75));
    assert_eq!(v1.list("file").outcome(), (400, -75));
    assert_eq!(v2.control("file", 3, &sha1(b"abc"), &[]).outcome(), (400, -75));
    assert_eq!(v2.slice("file", "0123", 0, b"abc", &[]).outcome(), (400, -75));
    // The names of the journal are no operations on the wire.
    assert_eq!(
        v1.post_text("file", &[("op", "v1_control")]).outcome(),
        (400, -75)
    );
}

#[test]
fn upload_stat_create_and_delete_are_there_too_and_objects_are_common_to_both() {
    let fixture = start_v1(&[]);
    let (v1, v2) = (
        &fixture.client,
        &Client {
            api: "v2",
            ..fixture.client.clone()
        },
    );
    let uploaded = v1.upload("d/file", b"abc", &[]).data();
    assert_eq!(names(&uploaded), ["access_url", "url", "resource_path", "ctime"]);
    assert_eq!(names(&v1.upload("d/file", b"abc", &[]).data()), names(&uploaded));
    for client in [v1, v2] {
        assert_eq!(client.stat("d/file").data()["sha"], json!(sha1(b"abc")));
    }
    assert_eq!(v1.stat("d/file").data().get("source_url"), None);
    let create = |path: &str| v1.json_op(path, &v1.token(), r#"{"op":"create"}"#).outcome();
    assert_eq!((create("e/"), create("e/")), ((200, 0), (409, -178)));
    v2.delete("d/file").data();
    assert_eq!(v1.stat("d/file").outcome(), (404, -197));
    v2.upload("d/file", b"abc", &[]).data();
    assert!(v1.control("d/file", 3, &sha1(b"abc"), &[]).data()["access_url"].is_string());
    v1.delete("d/file").data();
    assert_eq!(v2.stat("d/file").outcome(), (404, -197));
}

#[test]
fn an_unfinished_upload_of_the_other_api_gives_way_to_whoever_begins() {
    let fixture = start_v1(&[]);
    let (v1, v2) = (
        &fixture.client,
        &Client {
            api: "v2",
            ..fixture.client.clone()
        },
    );
    let file = content(HALF + 3);
    let old = v2.begin("file", file.len(), HALF);
    v2.data("file", &old, 0, &file[..HALF], &[]).data();
    let session = begin(v1, "file", &file, 1);
    assert_eq!(v2.list("file").outcome(), (404, -197));
    assert_eq!(
        v2.data("file", &session, HALF, &file[HALF..], &[]).outcome(),
        (400, -290)
    );
    assert_eq!(v2.finish("file", &old, file.len(), &[]).outcome(), (400, -290));
    assert_eq!(v1.stat("file").data()["filelen"], json!(HALF));

    let new = v2.begin("file", file.len(), HALF);
    assert_eq!(
        v1.slice("file", &session, HALF, &file[HALF..], &[]).outcome(),
        (400, -290)
    );
    assert_eq!(v2.list("file").data()["session"], json!(new));
    // Delete clears whichever there is.
    begin(v1, "file", &file, 1);
    v2.delete("file").data();
    assert_eq!(state(&v1.control("file", file.len(), &sha1(&file), &[])).1, 0);
}

#[test]
fn a_control_with_the_session_goes_on_where_the_upload_stands() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(3 * HALF);
    let sha = sha1(&file);
    let session = begin(client, "file", &file, 2);
    let again = client.control(
        "file",
        file.len(),
        &sha,
        &[("session", &session), ("biz_attr", "new")],
    );
    assert_eq!(state(&again), (session.clone(), 2 * HALF as u64));
    assert_eq!(again.data()["slice_size"], json!(HALF), "that of the beginning");
    client
        .slice("file", &session, 2 * HALF, &file[2 * HALF..], &[])
        .data();
    let stat = client.stat("file").data();
    assert_eq!((&stat["sha"], &stat["biz_attr"]), (&json!(sha), &json!("new")));
}

#[test]
fn v1_stale_session() {
    let outcome = |switch: &str, size: usize, sha: &str, more: &[(&str, &str)]| {
        let fixture = start_v1(&[switch]);
        let file = content(2 * HALF);
        let session = begin(&fixture.client, "file", &file, 1);
        let more: Vec<_> = more
            .iter()
            .map(|&(name, value)| (name, if value == "own" { &*session } else { value }))
            .collect();
        let answer = fixture.client.control("file", size, sha, &more);
        (answer.code() == 0).then(|| {
            let (new, offset) = state(&answer);
            assert_eq!(new == session, offset > 0);
            offset
        })
    };
    let sha = sha1(&content(2 * HALF));
    let unknown = [("session", "0123")];
    assert_eq!(outcome("v1_stale_session=new", 2 * HALF, &sha, &unknown), Some(0));
    assert_eq!(outcome("v1_stale_session=-290", 2 * HALF, &sha, &unknown), None);
    // A session of another file is as good as none.
    let own = [("session", "own")];
    assert_eq!(
        outcome("v1_stale_session=new", 2 * HALF, &sha1(b"x"), &own),
        Some(0)
    );
    assert_eq!(outcome("v1_stale_session=new", HALF, &sha, &own), Some(0));
    assert_eq!(outcome("v1_stale_session=-290", HALF, &sha, &own), None);
    assert_eq!(
        outcome("v1_stale_session=-290", 2 * HALF, &sha, &own),
        Some(HALF as u64)
    );
}

#[test]
fn v1_resume() {
    for (switch, expected) in [("v1_resume=by_content", HALF as u64), ("v1_resume=by_session", 0)] {
        let fixture = start_v1(&[switch]);
        let file = content(2 * HALF);
        let session = begin(&fixture.client, "file", &file, 1);
        let (new, offset) = state(&fixture.client.control("file", file.len(), &sha1(&file), &[]));
        assert_eq!((new == session, offset), (expected > 0, expected), "{switch}");
    }
}

#[test]
fn v1_other_content() {
    for (switch, first) in [("v1_other_content=new", 0), ("v1_other_content=-4019", -4019)] {
        let fixture = start_v1(&[switch]);
        let client = &fixture.client;
        let file = content(2 * HALF);
        let old = begin(client, "file", &file, 1);
        let control = || client.control("file", 3, &sha1(b"abc"), &[]);
        let answer = control();
        assert_eq!(answer.code(), first, "{switch}");
        assert_eq!(answer.status, if first == 0 { 200 } else { 409 });
        let (session, offset) = state(&control());
        assert_eq!(offset, 0);
        assert_eq!(
            client.slice("file", &old, HALF, &file[HALF..], &[]).outcome(),
            (400, -290)
        );
        client.slice("file", &session, 0, b"abc", &[]).data();
    }
}

#[test]
fn a_session_that_has_expired_is_stale_and_the_content_still_resumes() {
    let fixture = start_v1(&["session_ttl=0"]);
    let client = &fixture.client;
    let file = content(2 * HALF);
    let (old, _) = state(&client.control("file", file.len(), &sha1(&file), &SLICES));
    assert_eq!(
        client.slice("file", &old, 0, &file[..HALF], &[]).outcome(),
        (400, -290)
    );
    fixture.emulator.set("session_ttl", "600").unwrap();
    client.slice("file", &old, 0, &file[..HALF], &[]).data();
    fixture.emulator.set("session_ttl", "0").unwrap();
    let (new, offset) = state(&client.control("file", file.len(), &sha1(&file), &[]));
    assert_eq!((new == old, offset), (false, HALF as u64));
    let (newest, offset) = state(&client.control("file", file.len(), &sha1(&file), &[("session", &new)]));
    assert_eq!((newest == new, offset), (false, 0));
}

#[test]
fn data_must_be_at_the_next_offset() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(3 * HALF);
    let session = begin(client, "file", &file, 1);
    let slice = |offset: usize, length: usize| {
        let bytes = content(offset + length);
        client
            .slice("file", &session, offset, &bytes[offset..], &[])
            .outcome()
    };
    assert_eq!(slice(2 * HALF, HALF), (400, -4005));
    assert_eq!(slice(HALF + 1, 5), (400, -4005));
    assert_eq!(slice(0, HALF), (409, -4024));
    assert_eq!(slice(HALF, HALF + 1), (400, -5991));
    assert_eq!(slice(HALF, 0), (400, -4005));
    assert_eq!(slice(3 * HALF, 1), (400, -4005));
    // A short one is as good, and the next offset is where it ends.
    assert_eq!(slice(HALF, 5), (200, 0));
    let control = client.control("file", file.len(), &sha1(&file), &[]);
    assert_eq!(state(&control), (session.clone(), HALF as u64 + 5));
    assert_eq!(
        (slice(HALF + 5, HALF), slice(2 * HALF + 5, HALF)),
        ((200, 0), (400, -4005))
    );
    assert_eq!(slice(2 * HALF + 5, HALF - 5), (200, 0));
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), file);

    let other = [("session", &*session), ("offset", "0")];
    let without = |missing: &str| {
        let mut fields = vec![("op", "upload_slice"), ("filecontent", "abc")];
        fields.extend(other.iter().filter(|(name, _)| *name != missing));
        client.post_text("other", &fields).outcome()
    };
    assert_eq!(
        (without("session"), without("offset"), without("")),
        ((400, -290), (400, -5999), (400, -290))
    );
}

#[test]
fn v1_repeated_offset() {
    let outcomes = |switch: &str| {
        let fixture = start_v1(&[switch]);
        let client = &fixture.client;
        let file = content(4 * HALF);
        let session = begin(client, "file", &file, 2);
        let slice = |offset: usize| {
            let answer = client.slice("file", &session, offset, &content(HALF), &[]);
            assert!(answer.code() != 0 || answer.data()["offset"] == json!(offset));
            answer.outcome()
        };
        let outcomes = [slice(0), slice(HALF), slice(HALF + 1)];
        for index in [2, 3] {
            client
                .slice("file", &session, index * HALF, &file[index * HALF..][..HALF], &[])
                .data();
        }
        assert!(
            fixture.emulator.object(BUCKET, "file").unwrap() == file,
            "what was there stayed"
        );
        outcomes
    };
    assert_eq!(outcomes("v1_repeated_offset=-4024"), [(409, -4024); 3]);
    assert_eq!(
        outcomes("v1_repeated_offset=accept"),
        [(200, 0), (200, 0), (409, -4024)]
    );
    assert_eq!(
        outcomes("v1_repeated_offset=-4015"),
        [(409, -4024), (409, -4015), (409, -4024)]
    );
}

#[test]
fn v1_slice_sha() {
    for (switch, code) in [("v1_slice_sha=ignored", 0), ("v1_slice_sha=checked", -5984)] {
        let fixture = start_v1(&[switch]);
        let client = &fixture.client;
        let file = content(3 * HALF);
        let session = begin(client, "file", &file, 0);
        let send = |index: usize, sha: &str| {
            client.slice(
                "file",
                &session,
                index * HALF,
                &file[index * HALF..][..HALF],
                &[("sha", sha)],
            )
        };
        assert_eq!(send(0, &sha1(&file[..HALF])).outcome(), (200, 0));
        // The sha of the whole file, as on files/v2.
        let wrong = send(1, &sha1(&file));
        assert_eq!(wrong.code(), code, "{switch}");
        assert_eq!(wrong.status, if code == 0 { 200 } else { 409 });
    }
}

#[test]
fn content_that_is_not_what_control_told_is_refused_and_the_upload_goes() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let (session, _) = state(&client.control("file", 3, &sha1(b"abc"), &[]));
    assert_eq!(
        client.slice("file", &session, 0, b"abd", &[]).outcome(),
        (409, -4016)
    );
    assert_eq!(
        client.slice("file", &session, 0, b"abc", &[]).outcome(),
        (400, -290)
    );
    assert!(fixture.emulator.object(BUCKET, "file").is_err());
    let (session, offset) = state(&client.control("file", 3, &sha1(b"abc"), &[]));
    assert_eq!(offset, 0);
    fixture.emulator.set("verify", "off").unwrap();
    client.slice("file", &session, 0, b"abd", &[]).data();
    assert_eq!(client.stat("file").data()["sha"], json!(sha1(b"abd")));
}

#[test]
fn an_object_that_appeared_meanwhile_is_not_overwritten() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let session = begin(client, "file", b"abc", 0);
    client.upload("file", b"other", &[]).data();
    assert_eq!(
        client.slice("file", &session, 0, b"abc", &[]).outcome(),
        (409, -177)
    );
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"other");
    // The last control counts, and nothing was lost by the refusal.
    let control = client.control("file", 3, &sha1(b"abc"), &[("insertOnly", "0")]);
    assert_eq!(state(&control), (session.clone(), 0));
    client.slice("file", &session, 0, b"abc", &[]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"abc");
}

#[test]
fn the_last_slice_again_is_answered_as_data_after_finish_says() {
    for (switch, code) in [("data_after_finish=-290", -290), ("data_after_finish=success", 0)] {
        let fixture = start_v1(&[switch]);
        let session = begin(&fixture.client, "file", b"abc", 1);
        let again = fixture.client.slice("file", &session, 0, b"abc", &[]);
        assert_eq!(again.code(), code, "{switch}");
        assert_eq!(again.json()["data"]["access_url"].is_string(), code == 0);
    }
}

#[test]
fn a_file_of_no_bytes_is_complete_at_its_control_where_it_is_accepted() {
    let fixture = start_v1(&["zero_filesize=accept"]);
    let answer = fixture.client.control("file", 0, &sha1(b""), &[]).data();
    assert_eq!(names(&answer), ["access_url", "url", "resource_path"]);
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"");
}
