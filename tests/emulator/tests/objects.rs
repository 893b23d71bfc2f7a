//! Complete objects and directories: made in one request, seen, fetched, removed.

mod support;

use serde_json::json;
use std::io::{Read, Write};
use support::{BUCKET, MIB, content, sha1, start, start_with};

#[test]
fn a_download_may_ask_for_a_range() {
    let fixture = start();
    let client = &fixture.client;
    let url = client.upload("a%20b", b"0123456789", &[]).data()["access_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = url.strip_prefix(&fixture.emulator.endpoint()).unwrap();
    let part = client.send(&client.request("GET", path, &[("Range", "bytes=2-4")], b""));
    assert_eq!(
        (part.status, &*part.body, part.header("content-range")),
        (206, &b"234"[..], Some("bytes 2-4/10"))
    );
    let mut stream = client.connect();
    stream
        .write_all(&client.request("HEAD", path, &[("Connection", "close")], b""))
        .unwrap();
    let mut head = String::new();
    stream.read_to_string(&mut head).unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"),
        "{head}"
    );
    assert!(
        head.to_lowercase().contains("\r\ncontent-length: 10\r\n"),
        "{head}"
    );
    let outside = client.send(&client.request("GET", path, &[("Range", "bytes=10-")], b""));
    assert_eq!(
        (outside.status, outside.header("content-range")),
        (416, Some("bytes */10"))
    );
    assert_eq!(
        client.get("/cdn/videos-1251668577/absent").outcome(),
        (404, -6101)
    );
    assert_eq!(client.get("/cdn/videos-1251668577/../x").outcome(), (400, -5994));
    client.begin("unfinished", 1, MIB);
    assert_eq!(
        client.get("/cdn/videos-1251668577/unfinished").outcome(),
        (404, -45062)
    );
}

#[test]
fn stat_tells_everything_of_a_complete_object_and_how_far_an_unfinished_one_is() {
    let fixture = start();
    let client = &fixture.client;
    assert_eq!(client.stat("file").outcome(), (404, -197));
    let begun = client
        .init("file", MIB + 1, MIB, &[("biz_attr", "wichtig, ä ")])
        .data();
    let session = begun["session"].as_str().unwrap();
    let file = content(MIB + 1);
    client.data("file", session, 0, &file[..MIB], &[]).data();
    let stat = client.stat("file").data();
    assert_eq!(
        (&stat["filesize"], &stat["filelen"], &stat["sha"]),
        (&json!(MIB + 1), &json!(MIB), &json!(""))
    );
    client.data("file", session, MIB, &file[MIB..], &[]).data();
    client.finish("file", session, MIB + 1, &[]).data();
    let stat = client.stat("file").data();
    let names: Vec<_> = stat.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "filesize",
            "filelen",
            "sha",
            "slicesize",
            "ctime",
            "mtime",
            "biz_attr",
            "access_url",
            "source_url"
        ]
    );
    assert_eq!(
        (&stat["filesize"], &stat["filelen"]),
        (&json!(MIB + 1), &json!(MIB + 1))
    );
    assert_eq!(
        (&stat["sha"], &stat["biz_attr"]),
        (&json!(sha1(&file)), &json!("wichtig, ä "))
    );
    assert!(stat["ctime"].as_u64().unwrap().abs_diff(support::now()) < 60);
}

#[test]
fn delete_removes_object_and_unfinished_upload() {
    let fixture = start();
    let client = &fixture.client;
    assert_eq!(client.delete("d/file").outcome(), (404, -197));
    client.upload("d/file", b"x", &[]).data();
    client.init("d/file", 3, MIB, &[("insertOnly", "0")]).data();
    assert_eq!(client.delete("d/file").data(), json!({}));
    assert_eq!(client.stat("d/file").outcome(), (404, -197));
    assert_eq!(client.list("d/file").outcome(), (404, -197));
    client.begin("d/file", 3, MIB);
    assert_eq!(client.delete("d/file").data(), json!({}));
    assert_eq!(client.list("d/file").outcome(), (404, -197));
    // The directory only existed for the object.
    client.upload("d", b"x", &[]).data();
}

#[test]
fn directories_are_made_seen_and_removed() {
    let fixture = start();
    let client = &fixture.client;
    let create = |path: &str| client.json_op(path, &client.token(), r#"{"op":"create","biz_attr":"attr"}"#);
    assert_eq!(create("d").outcome(), (400, -161));
    assert!(create("d/e/").data()["ctime"].is_u64());
    assert_eq!(create("d/e/").outcome(), (409, -178));
    assert_eq!(client.stat("d/e/").data()["biz_attr"], json!("attr"));
    assert_eq!(client.stat("x/").outcome(), (404, -197));
    client.upload("d/e/file", b"x", &[]).data();
    assert_eq!(client.delete("d/e/").outcome(), (409, -173));
    client.delete("d/e/file").data();
    client.stat("d/e/").data();
    client.delete("d/e/").data();
    assert_eq!(client.stat("d/e/").outcome(), (404, -197));
    assert_eq!(client.init("d/e/", 1, MIB, &[]).outcome(), (400, -160));
    assert_eq!(client.init("", 1, MIB, &[]).outcome(), (400, -164));
}

#[test]
fn a_file_and_a_directory_cannot_have_one_path() {
    let fixture = start();
    let client = &fixture.client;
    client.upload("a", b"x", &[]).data();
    assert_eq!(client.init("a/b", 1, MIB, &[]).outcome(), (409, -178));
    assert_eq!(client.upload("a/b/c", b"x", &[]).outcome(), (409, -178));
    assert_eq!(client.stat("a/b").outcome(), (404, -197));
    client.upload("d/e", b"x", &[]).data();
    assert_eq!(client.init("d", 1, MIB, &[]).outcome(), (409, -178));
    assert_eq!(client.upload("d", b"x", &[]).outcome(), (409, -178));
    // The clash may come while the upload is under way.
    let session = client.begin("late", 3, MIB);
    client.data("late", &session, 0, b"abc", &[]).data();
    client.upload("late/x", b"x", &[]).data();
    assert_eq!(client.finish("late", &session, 3, &[]).outcome(), (409, -178));
    client.delete("late/x").data();
    client.finish("late", &session, 3, &[]).data();
}

#[test]
fn paths_that_look_like_the_emulators_own_files_are_just_objects() {
    let fixture = start();
    let client = &fixture.client;
    // Longer than a file name may be.
    let long = "y".repeat(800);
    let below_long = format!("d/{}/z", "x".repeat(300));
    let paths = [
        "state/lock",
        "objects",
        "upload.json",
        "_emulator/requests",
        ".x",
        &long,
        &below_long,
    ];
    for path in paths {
        client.upload(path, path.as_bytes(), &[]).data();
    }
    assert_eq!(
        client.upload(&format!("{long}/z"), b"x", &[]).outcome(),
        (409, -178)
    );
    for path in paths {
        assert_eq!(fixture.emulator.object(BUCKET, path).unwrap(), path.as_bytes());
        client.delete(path).data();
    }
    assert_eq!(client.upload(&"y".repeat(851), b"", &[]).outcome(), (400, -199));
    assert_eq!(client.upload("a/../b", b"", &[]).outcome(), (400, -5994));
    assert_eq!(client.upload("a%00b", b"", &[]).outcome(), (400, -5994));
    assert_eq!(client.upload("a%FFb", b"", &[]).outcome(), (400, -147));
}

#[test]
fn one_shot_uploads_may_be_empty_and_at_most_20_mib() {
    let fixture = start();
    let client = &fixture.client;
    client.upload("empty", b"", &[]).data();
    assert_eq!(client.stat("empty").data()["sha"], json!(sha1(b"")));
    assert_eq!(
        client
            .get(client.stat("empty").data()["access_url"].as_str().unwrap())
            .body,
        b""
    );
    let large = content(20 * MIB + 1);
    client
        .upload("large", &large[1..], &[("sha", &sha1(&large[1..]))])
        .data();
    assert_eq!(client.upload("larger", &large, &[]).outcome(), (413, -285));
    assert_eq!(
        client.upload("wrong", b"x", &[("sha", &sha1(b"y"))]).outcome(),
        (409, -4016)
    );
    assert_eq!(
        client.post_text("none", &[("op", "upload")]).outcome(),
        (400, -5990)
    );
}

#[test]
fn listed_buckets_are_the_only_ones() {
    let fixture = start_with(|config| config.buckets = vec!["videos".to_owned()]);
    fixture.client.upload("file", b"x", &[]).data();
    let token = fixture.client.sign("other", support::now() + 60, "");
    let body = br#"{"op":"upload_slice_list"}"#;
    let request = fixture.client.request(
        "POST",
        "/files/v2/1251668577/other/x",
        &[("Authorization", &token)],
        body,
    );
    assert_eq!(fixture.client.send(&request).outcome(), (404, -133));
}

#[test]
fn a_file_put_into_the_folder_by_hand_is_an_object() {
    let fixture = start();
    let path = fixture.emulator.object_file(BUCKET, "by/hand.txt");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, b"hello").unwrap();
    assert_eq!(
        fixture.client.stat("by/hand.txt").data()["sha"],
        json!(sha1(b"hello"))
    );
    std::fs::write(&path, b"changed").unwrap();
    assert_eq!(
        fixture.client.stat("by/hand.txt").data()["sha"],
        json!(sha1(b"changed"))
    );
    fixture.client.delete("by/hand.txt").data();
    assert!(!path.exists());
}
