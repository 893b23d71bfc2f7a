//! The clients of phones: a length in every part, a random name for the file, list as JSON, a field more; signed for a
//! day.

use serde_json::json;

use crate::support::{self, Answer, BUCKET, Fixture, MIB, content, sha1, start};
use crate::wire::{bucket_last, form, part, request, told};

const BOUNDARY: &str = "Boundary+5A1C9E0D77B34F21";
const PATH: &str = "d/IMG_0001.MOV";

fn text(name: &str, value: &str) -> Vec<u8> {
    part(
        &format!(
            "Content-Disposition: form-data; name=\"{name}\"
Content-Length: {}",
            value.len()
        ),
        value.as_bytes(),
    )
}

fn file_content(bytes: &[u8]) -> Vec<u8> {
    part(
        &format!(
            "Content-Disposition: form-data; name=\"filecontent\"; filename=\"0B4C7D5E-6F1A-4A77-9C1D-2E3F4A5B6C7D\"
Content-Type: application/octet-stream
Content-Length: {}",
            bytes.len()
        ),
        bytes,
    )
}

fn send(fixture: &Fixture, content_type: &str, body: &[u8]) -> Answer {
    let token = bucket_last(&fixture.client, 86_400, "2147483647", "");
    let head = format!(
        "POST /files/v2/1251668577/videos/{PATH} HTTP/1.1
Host: gz.file.myqcloud.com
Content-Type: {content_type}
Connection: keep-alive
Accept: */*
Authorization: {token}
Accept-Language: zh-Hans-CN;q=1
Accept-Encoding: gzip, deflate"
    );
    fixture.client.send(&request(&head, body))
}

fn post(fixture: &Fixture, parts: &[Vec<u8>]) -> Answer {
    let content_type = format!("multipart/form-data; boundary=\"{BOUNDARY}\"");
    send(
        fixture,
        &content_type,
        &[&form(BOUNDARY, parts), &b"\r\n"[..]].concat(),
    )
}

#[test]
fn a_whole_upload_that_is_resumed_by_offset() {
    let fixture = start();
    let file = content(3 * MIB);
    let (sha, size) = (sha1(&file), file.len().to_string());
    let init = || {
        post(
            &fixture,
            &[
                text("op", "upload_slice_init"),
                text("filesize", &size),
                text("slice_size", "1048576"),
                text("sha", &sha),
                text("uploadparts", &support::uploadparts(&file, MIB)),
                text("insertOnly", "1"),
            ],
        )
    };
    let data = |session: &str, offset: usize| {
        let parts = [
            text("op", "upload_slice_data"),
            text("session", session),
            text("offset", &offset.to_string()),
            text("sha", &sha),
            text("file_size", &size),
            file_content(&file[offset..offset + MIB]),
        ];
        post(&fixture, &parts).data()
    };
    data(&told(&init(), "session"), 2 * MIB);

    assert_eq!(init().outcome(), (409, -4019));
    for content_type in ["application/json", "text/plain"] {
        let listed = send(&fixture, content_type, br#"{"op":"upload_slice_list"}"#).data();
        assert_eq!(
            listed["listparts"],
            json!([{"offset": 2 * MIB, "datalen": MIB}]),
            "{content_type}"
        );
    }
    let listed = send(&fixture, "application/json", br#"{"op":"upload_slice_list"}"#);
    let session = told(&listed, "session");
    data(&session, 0);
    data(&session, MIB);
    let finished = post(
        &fixture,
        &[
            text("op", "upload_slice_finish"),
            text("session", &session),
            text("filesize", &size),
            text("sha", &sha),
        ],
    );
    assert_eq!(
        finished.data()["resource_path"],
        json!("/1251668577/videos/d/IMG_0001.MOV")
    );
    assert!(fixture.emulator.object(BUCKET, PATH).unwrap() == file);
}
