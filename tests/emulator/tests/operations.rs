//! Uploads in slices, in the default positions of all switches.

mod support;

use serde_json::{Value, json};
use std::sync::Barrier;
use std::thread;
use support::{BUCKET, MIB, content, sha1, start, uploadparts};

#[test]
fn an_upload_in_slices_becomes_an_object_with_working_addresses() {
    let fixture = start();
    let client = &fixture.client;
    let file = content(2 * MIB + MIB / 2);

    let begun = client.init("2026/big.mp4", file.len(), MIB, &[]).data();
    let session = begun["session"].as_str().unwrap();
    assert_eq!(session.len(), 96);
    assert_eq!(begun["slice_size"], json!(MIB));
    // In any order.
    for index in [2, 0, 1] {
        let offset = index * MIB;
        let slice = &file[offset..file.len().min(offset + MIB)];
        let answer = client.data("2026/big.mp4", session, offset, slice, &[]);
        assert_eq!(
            answer.data(),
            json!({"session": session, "offset": offset, "datalen": slice.len()})
        );
    }
    let finished = client.finish("2026/big.mp4", session, file.len(), &[]).data();

    assert_eq!(fixture.emulator.object(BUCKET, "/2026/big.mp4").unwrap(), file);
    assert_eq!(
        std::fs::read(fixture.directory.path().join("objects/videos/2026/big.mp4")).unwrap(),
        file
    );
    let names: Vec<_> = finished.as_object().unwrap().keys().collect();
    assert_eq!(names, ["access_url", "resource_path", "source_url", "url"]);
    assert_eq!(finished["resource_path"], "/1251668577/videos/2026/big.mp4");
    for address in ["access_url", "source_url"] {
        let answer = client.get(finished[address].as_str().unwrap());
        assert_eq!((answer.status, answer.body == file), (200, true), "{address}");
    }
    let token = client.token();
    let url = finished["url"]
        .as_str()
        .unwrap()
        .strip_prefix(&fixture.emulator.endpoint())
        .unwrap();
    let stat = client.send(&client.request(
        "GET",
        &format!("{url}?op=stat"),
        &[("Authorization", &token)],
        b"",
    ));
    assert_eq!(stat.data()["filesize"], json!(file.len()));
}

#[test]
fn an_unfinished_upload_is_listed_and_taken_up_again() {
    let fixture = start();
    let client = &fixture.client;
    let file = content(3 * MIB);
    assert_eq!(client.list("file").outcome(), (404, -197));
    let session = client.begin("file", file.len(), MIB);
    client
        .data("file", &session, 2 * MIB, &file[2 * MIB..], &[])
        .data();
    client.data("file", &session, 0, &file[..MIB], &[]).data();
    assert_eq!(client.init("file", file.len(), MIB, &[]).outcome(), (409, -4019));

    let listed = client.list("file").data();
    let parts = json!([{"offset": 0, "datalen": MIB}, {"offset": 2 * MIB, "datalen": MIB}]);
    assert_eq!(
        listed,
        json!({"filesize": 3 * MIB, "listparts": parts, "session": session, "slice_size": MIB})
    );
    let names: Vec<_> = listed.as_object().unwrap().keys().collect();
    assert_eq!(names, ["filesize", "listparts", "session", "slice_size"]);

    assert_eq!(
        client.finish("file", &session, file.len(), &[]).outcome(),
        (409, -4019)
    );
    client
        .data("file", &session, MIB, &file[MIB..2 * MIB], &[])
        .data();
    client.finish("file", &session, file.len(), &[]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), file);
    let listed = client.list("file").data();
    assert!(
        listed.get("session").is_none() && listed["access_url"].is_string(),
        "{listed}"
    );
}

#[test]
fn sha_is_told_by_list_and_decides_between_the_two_codes_of_a_second_init() {
    let fixture = start();
    let client = &fixture.client;
    let (one, other) = (sha1(b"one"), sha1(b"other"));
    client.init("file", 3, MIB, &[("sha", &one)]).data();
    assert_eq!(client.list("file").data()["sha"], json!(one));
    assert_eq!(
        client
            .init("file", 3, MIB, &[("sha", &one.to_uppercase())])
            .outcome(),
        (409, -4019)
    );
    assert_eq!(client.init("file", 3, MIB, &[]).outcome(), (409, -4019));
    assert_eq!(
        client.init("file", 3, MIB, &[("sha", &other)]).outcome(),
        (409, -4020)
    );
    assert_eq!(
        client.init("file", 3, MIB, &[("sha", "xyz")]).outcome(),
        (400, -168)
    );
}

#[test]
fn finish_checks_sha_and_running_states() {
    let fixture = start();
    let client = &fixture.client;
    let file = content(2 * MIB + 100);
    let sha = sha1(&file);
    let parts = uploadparts(&file, MIB);
    client
        .upload_slices("good", &file, MIB, &[("sha", &sha), ("uploadparts", &parts)])
        .data();
    assert_eq!(client.stat("good").data()["sha"], json!(sha));
    // Finer states than slices.
    client
        .upload_slices(
            "fine",
            &file,
            MIB,
            &[("sha", &sha), ("uploadparts", &uploadparts(&file, MIB / 2))],
        )
        .data();

    // The file has the sha told, but the states are those of an ordinary per-slice hash.
    let mut wrong: Value = serde_json::from_str(&parts).unwrap();
    wrong[0]["datasha"] = json!(sha1(&file[..MIB]));
    let answer = client.upload_slices(
        "wrong-state",
        &file,
        MIB,
        &[("sha", &sha), ("uploadparts", &wrong.to_string())],
    );
    assert_eq!(answer.outcome(), (409, -4016));
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("first 1048576 bytes")
    );
    // The second of the states.
    let mut wrong: Value = serde_json::from_str(&parts).unwrap();
    wrong[1]["datasha"] = wrong[0]["datasha"].clone();
    let answer = client.upload_slices(
        "wrong-state-2",
        &file,
        MIB,
        &[("sha", &sha), ("uploadparts", &wrong.to_string())],
    );
    assert_eq!(answer.outcome(), (409, -4016));

    let other = sha1(b"another file");
    assert_eq!(
        client
            .upload_slices("wrong-sha", &file, MIB, &[("sha", &other)])
            .outcome(),
        (409, -4016)
    );
    assert!(fixture.emulator.object(BUCKET, "wrong-sha").is_err());
}

#[test]
fn uploadparts_must_have_their_shape() {
    let fixture = start();
    let client = &fixture.client;
    let file = content(MIB + 1);
    let sha = sha1(&file);
    let init = |parts: &str| {
        client
            .init("file", file.len(), MIB, &[("sha", &sha), ("uploadparts", parts)])
            .outcome()
    };
    assert_eq!(init("[]"), (400, -5965));
    assert_eq!(init("{"), (400, -5965));
    assert_eq!(init(&uploadparts(&file[1..], MIB)), (400, -5965));
    assert_eq!(
        client.init("file", 1, MIB, &[("uploadparts", "[]")]).outcome(),
        (400, -5965)
    );
    assert_eq!(init(&uploadparts(&file, MIB)), (200, 0));
}

#[test]
fn sha_must_come_again_with_finish_and_be_the_same() {
    let fixture = start();
    let client = &fixture.client;
    let sha = sha1(b"abc");
    let begun = client.init("file", 3, MIB, &[("sha", &sha)]).data();
    let session = begun["session"].as_str().unwrap();
    assert_eq!(
        client
            .data("file", session, 0, b"abc", &[("sha", &sha1(b"x"))])
            .outcome(),
        (409, -4016)
    );
    client.data("file", session, 0, b"abc", &[("sha", &sha)]).data();
    assert_eq!(client.finish("file", session, 3, &[]).outcome(), (400, -29094));
    assert_eq!(
        client
            .finish("file", session, 3, &[("sha", &sha1(b"x"))])
            .outcome(),
        (409, -4016)
    );
    client.finish("file", session, 3, &[("sha", &sha)]).data();
}

#[test]
fn a_slice_must_be_in_its_place_and_of_this_session() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", MIB + 10, MIB);
    let slice = content(MIB);
    let data = |offset, bytes: &[u8]| client.data("file", &session, offset, bytes, &[]).outcome();
    assert_eq!(data(1, &slice), (400, -4005));
    assert_eq!(data(2 * MIB, &slice), (400, -4005));
    assert_eq!(data(0, &slice[1..]), (400, -4005));
    assert_eq!(data(MIB, &slice[..11]), (400, -4005));
    assert_eq!(data(MIB, b""), (400, -4005));
    assert_eq!(data(0, &[&slice[..], b"x"].concat()), (400, -5991));
    assert_eq!(client.data("file", "0123", 0, &slice, &[]).outcome(), (400, -290));
    assert_eq!(
        client.data("other", &session, 0, &slice, &[]).outcome(),
        (400, -290)
    );
    assert_eq!(
        client.finish("file", "0123", MIB + 10, &[]).outcome(),
        (400, -290)
    );
    let no_content = [
        ("op", "upload_slice_data"),
        ("session", &*session),
        ("offset", "0"),
    ];
    assert_eq!(client.post_text("file", &no_content).outcome(), (400, -5990));
    let bad_offset = [
        ("op", "upload_slice_data"),
        ("session", &*session),
        ("offset", "-1"),
        ("filecontent", "x"),
    ];
    assert_eq!(client.post_text("file", &bad_offset).outcome(), (400, -5999));
    assert_eq!(client.list("file").data()["listparts"], json!([]));
}

#[test]
fn datamd5_is_checked_and_echoed() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    let md5 = "900150983cd24fb0d6963f7d28e17f72";
    assert_eq!(
        client
            .data("file", &session, 0, b"abd", &[("datamd5", md5)])
            .outcome(),
        (409, -4023)
    );
    assert_eq!(
        client
            .data("file", &session, 0, b"abc", &[("datamd5", md5)])
            .data()["datamd5"],
        json!(md5)
    );
}

#[test]
fn insert_only_protects_an_object_except_from_itself() {
    let fixture = start();
    let client = &fixture.client;
    client.upload("file", b"old", &[]).data();
    let (old, new) = (sha1(b"old"), sha1(b"new"));
    let only = |more: &[(&str, &str)]| client.init("file", 3, MIB, more);
    assert_eq!(only(&[]).outcome(), (409, -177));
    assert_eq!(only(&[("insertOnly", "1")]).outcome(), (409, -177));
    assert_eq!(only(&[("sha", &new)]).outcome(), (409, -177));
    assert_eq!(only(&[("insertOnly", "2")]).outcome(), (400, -5999));
    let hit = only(&[("sha", &old)]).data();
    assert!(
        hit.get("session").is_none() && hit["access_url"].is_string(),
        "{hit}"
    );
    assert_eq!(client.upload("file", b"new", &[]).outcome(), (409, -177));
    assert_eq!(client.upload("file", b"old", &[]).outcome(), (200, 0));

    let begun = only(&[("insertOnly", "0"), ("sha", &new)]).data();
    let session = begun["session"].as_str().unwrap();
    assert_eq!(only(&[]).outcome(), (409, -177));
    assert_eq!(only(&[("insertOnly", "0")]).outcome(), (409, -4019));
    client.data("file", session, 0, b"new", &[]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"old");
    client.finish("file", session, 3, &[("sha", &new)]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"new");
    client.upload("file", b"newer", &[("insertOnly", "0")]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"newer");
}

#[test]
fn an_object_that_appeared_meanwhile_is_not_overwritten_by_finish() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    client.data("file", &session, 0, b"abc", &[]).data();
    client.upload("file", b"other", &[]).data();
    assert_eq!(client.finish("file", &session, 3, &[]).outcome(), (409, -177));
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"other");
}

#[test]
fn init_checks_its_numbers() {
    let fixture = start();
    let client = &fixture.client;
    assert_eq!(client.init("file", 0, MIB, &[]).outcome(), (400, -5995));
    assert_eq!(client.init("file", 64 << 30, MIB, &[]).outcome(), (200, 0));
    assert_eq!(
        client.init("other", (64 << 30) + 1, MIB, &[]).outcome(),
        (413, -285)
    );
    let init = [("op", "upload_slice_init"), ("slice_size", "1048576")];
    assert_eq!(client.post_text("other", &init).outcome(), (400, -5999));
    let init = [
        ("op", "upload_slice_init"),
        ("filesize", "ten"),
        ("slice_size", "1048576"),
    ];
    assert_eq!(client.post_text("other", &init).outcome(), (400, -5999));
    let init = [("op", "upload_slice_init"), ("filesize", "10")];
    assert_eq!(client.post_text("other", &init).outcome(), (400, -5999));
}

#[test]
fn a_second_finish_of_the_same_session_succeeds_and_data_after_it_does_not() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    client.data("file", &session, 0, b"abc", &[]).data();
    let first = client.finish("file", &session, 3, &[]).data();
    assert_eq!(client.finish("file", &session, 3, &[]).data(), first);
    assert_eq!(client.finish("file", "0123", 3, &[]).outcome(), (400, -290));
    assert_eq!(
        client.data("file", &session, 0, b"abc", &[]).outcome(),
        (400, -290)
    );
}

#[test]
fn many_slices_at_once_and_two_finishes_at_once_are_harmless() {
    let fixture = start();
    let client = &fixture.client;
    let slices = 24;
    let file = content(slices * MIB / 2);
    let session = client.begin("file", file.len(), MIB / 2);
    let barrier = Barrier::new(8);
    thread::scope(|scope| {
        for thread in 0..8 {
            let (file, session, barrier) = (&file, &session, &barrier);
            scope.spawn(move || {
                barrier.wait();
                // Neighbours send each slice twice.
                for index in (0..slices).filter(|index| index % 8 == thread || (index + 1) % 8 == thread) {
                    let offset = index * MIB / 2;
                    client
                        .data("file", session, offset, &file[offset..offset + MIB / 2], &[])
                        .data();
                }
                barrier.wait();
                if thread < 2 {
                    client.finish("file", session, file.len(), &[]).data();
                }
            });
        }
    });
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), file);
}
