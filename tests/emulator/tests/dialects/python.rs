//! The Python client: a `filename` on every field, text ones too; fields in the order of a hash table; each request
//! signed anew for the one object.

use serde_json::json;

use crate::support::{Answer, BUCKET, Fixture, MIB, content, sha1, start};
use crate::wire::{bucket_last, form, part, request, told};

const BOUNDARY: &str = "9f3c61a0c4ad4d6f8e9b1d2c3a4b5c6d";
/// A space and an umlaut; `~` stays as it is.
const PATH: &str = "d/with%20space/%C3%A4~.bin";

fn post(fixture: &Fixture, fields: &[(&str, &[u8])]) -> Answer {
    let parts = fields.iter().map(|(name, value)| {
        part(
            &format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"{name}\""),
            value,
        )
    });
    let body = form(BOUNDARY, &parts.collect::<Vec<_>>());
    let token = bucket_last(
        &fixture.client,
        300,
        "1234567890",
        &format!("/1251668577/videos/{PATH}"),
    );
    let head = format!(
        "POST /files/v2/1251668577/videos/{PATH} HTTP/1.1
Host: gz.file.myqcloud.com
Accept-Encoding: gzip, deflate
Accept: */*
Connection: keep-alive
User-Agent: cos-python-sdk-v4.0.20
Authorization: {token}
Content-Type: multipart/form-data; boundary={BOUNDARY}"
    );
    let body = [&body, &b"\r\n"[..]].concat();
    let answer = fixture.client.send(&request(&head, &body));
    assert_eq!(answer.header("content-encoding"), None);
    answer
}

#[test]
fn a_whole_upload_with_sha() {
    let fixture = start();
    let file = content(2 * MIB + 100);
    let (sha, size) = (sha1(&file), file.len().to_string());
    let parts = crate::support::uploadparts(&file, MIB);
    let begun = post(
        &fixture,
        &[
            ("sha", sha.as_bytes()),
            ("filesize", size.as_bytes()),
            ("op", b"upload_slice_init"),
            ("uploadparts", parts.as_bytes()),
            ("insertOnly", b"1"),
            ("slice_size", b"1048576"),
        ],
    );
    let session = told(&begun, "session");
    for (index, slice) in file.chunks(MIB).enumerate() {
        let offset = (index * MIB).to_string();
        let answer = post(
            &fixture,
            &[
                ("filecontent", slice),
                ("session", session.as_bytes()),
                ("sha", sha.as_bytes()),
                ("op", b"upload_slice_data"),
                ("offset", offset.as_bytes()),
            ],
        );
        assert_eq!(answer.data()["datalen"], json!(slice.len()));
    }
    let finished = post(
        &fixture,
        &[
            ("session", session.as_bytes()),
            ("filesize", size.as_bytes()),
            ("sha", sha.as_bytes()),
            ("op", b"upload_slice_finish"),
        ],
    );
    assert_eq!(
        finished.data()["resource_path"],
        "/1251668577/videos/d/with space/ä~.bin"
    );
    assert!(fixture.emulator.object(BUCKET, "d/with space/ä~.bin").unwrap() == file);
}

#[test]
fn a_finish_after_a_slice_that_failed_unnoticed_does_no_harm() {
    let fixture = start();
    let begin: [(&str, &[u8]); 3] = [
        ("filesize", b"1048579"),
        ("op", b"upload_slice_init"),
        ("slice_size", b"1048576"),
    ];
    let session = told(&post(&fixture, &begin), "session");
    let data = |offset: &[u8], slice: &[u8]| {
        let fields = [
            ("op", &b"upload_slice_data"[..]),
            ("session", session.as_bytes()),
            ("offset", offset),
            ("filecontent", slice),
        ];
        post(&fixture, &fields).outcome()
    };
    let finish = || {
        let fields = [
            ("op", &b"upload_slice_finish"[..]),
            ("session", session.as_bytes()),
            ("filesize", b"1048579"),
        ];
        post(&fixture, &fields).outcome()
    };
    assert_eq!(data(b"1048576", b"abc"), (200, 0));
    assert_eq!(data(b"0", b"short"), (400, -4005));
    assert_eq!(finish(), (409, -4019));
    assert_eq!(data(b"0", &content(MIB)), (200, 0));
    assert_eq!(finish(), (200, 0));
}

#[test]
fn a_small_file_in_one_request() {
    let fixture = start();
    let fields: [(&str, &[u8]); 4] = [
        ("filecontent", b"small"),
        ("biz_attr", b""),
        ("op", b"upload"),
        ("insertOnly", b"0"),
    ];
    let answer = post(&fixture, &fields);
    assert!(answer.data()["access_url"].is_string());
    assert_eq!(
        fixture.emulator.object(BUCKET, "d/with space/ä~.bin").unwrap(),
        b"small"
    );
}
