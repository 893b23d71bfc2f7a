//! The Java client: more header lines in each part; fields in the order of a map; list, delete and the like as JSON;
//! `~` encoded; running states every mebibyte whatever the slice size.

use serde_json::json;

use crate::support::{self, Answer, BUCKET, Fixture, MIB, content, sha1, start};
use crate::wire::{bucket_last, form, part, request, told};

const BOUNDARY: &str = "Vt3Gf0bT_x-aLkYQ2mJ8rZpWc5NhEo9S";
/// `*` stays, `~` does not.
const PATH: &str = "d/a%20b*%7E.bin";

fn head(fixture: &Fixture, content_type: &str) -> String {
    let token = bucket_last(
        &fixture.client,
        300,
        "1838383838",
        &format!("/1251668577/videos/{PATH}"),
    );
    format!(
        "POST /files/v2/1251668577/videos/{PATH} HTTP/1.1
Authorization: {token}
User-Agent: cos-java-sdk-v4.7
Content-Type: {content_type}
Host: gz.file.myqcloud.com
Connection: Keep-Alive"
    )
}

fn text(name: &str, value: &str) -> Vec<u8> {
    part(
        &format!(
            "Content-Disposition: form-data; name=\"{name}\"
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit"
        ),
        value.as_bytes(),
    )
}

fn file_content(name: &str, bytes: &[u8]) -> Vec<u8> {
    part(
        &format!(
            "Content-Disposition: form-data; name=\"filecontent\"; filename=\"{name}\"
Content-Type: application/octet-stream
Content-Transfer-Encoding: binary"
        ),
        bytes,
    )
}

fn post(fixture: &Fixture, parts: &[Vec<u8>]) -> Answer {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}; charset=UTF-8");
    let body = [&form(BOUNDARY, parts), &b"\r\n"[..]].concat();
    fixture
        .client
        .send(&request(&head(fixture, &content_type), &body))
}

fn json_op(fixture: &Fixture, body: &str) -> Answer {
    fixture
        .client
        .send(&request(&head(fixture, "application/json"), body.as_bytes()))
}

#[test]
fn an_upload_taken_up_again_after_4019_and_a_list_as_json() {
    let fixture = start();
    let file = content(5 * MIB);
    let (sha, size) = (sha1(&file), file.len().to_string());
    let parts = support::uploadparts(&file, MIB);
    let init = || {
        post(
            &fixture,
            &[
                text("uploadparts", &parts),
                text("sha", &sha),
                text("filesize", &size),
                text("slice_size", "2097152"),
                text("op", "upload_slice_init"),
                text("biz_attr", ""),
                text("insertOnly", "1"),
            ],
        )
    };
    let data = |session: &str, index: usize| {
        let slice = file.chunks(2 * MIB).nth(index).unwrap();
        post(
            &fixture,
            &[
                text("offset", &(index * 2 * MIB).to_string()),
                file_content("cos_slice", slice),
                text("session", session),
                text("sha", &sha),
                text("op", "upload_slice_data"),
            ],
        )
        .data()
    };
    let begun = init();
    assert_eq!(begun.data()["slice_size"], json!(2 * MIB));
    data(&told(&begun, "session"), 1);

    assert_eq!(init().outcome(), (409, -4019));
    let listed = json_op(&fixture, r#"{"op":"upload_slice_list"}"#);
    assert_eq!(
        listed.data()["listparts"],
        json!([{"offset": 2 * MIB, "datalen": 2 * MIB}])
    );
    let session = told(&listed, "session");
    for index in [0, 2] {
        assert_eq!(data(&session, index)["session"], json!(session));
    }
    let finished = post(
        &fixture,
        &[
            text("session", &session),
            text("filesize", &size),
            text("op", "upload_slice_finish"),
            text("sha", &sha),
        ],
    );
    assert!(finished.data()["access_url"].is_string());
    assert!(fixture.emulator.object(BUCKET, "d/a b*~.bin").unwrap() == file);
}

#[test]
fn an_overwriting_upload_that_failed_deletes_and_begins_again() {
    let fixture = start();
    fixture.client.upload(PATH, b"old", &[]).data();
    let init = || {
        let fields = [
            text("slice_size", "1048576"),
            text("insertOnly", "0"),
            text("filesize", "3"),
            text("op", "upload_slice_init"),
        ];
        post(&fixture, &fields)
    };
    init().data();
    assert_eq!(init().outcome(), (409, -4019));
    let once = fixture.client.once(PATH);
    let head = head(&fixture, "application/json");
    let multi = head
        .lines()
        .find(|line| line.starts_with("Authorization"))
        .unwrap();
    let head = head.replace(multi, &format!("Authorization: {once}"));
    let delete = fixture.client.send(&request(&head, br#"{"op":"delete"}"#));
    assert_eq!(delete.outcome(), (200, 0));
    let session = told(&init(), "session");
    let fields = [
        text("session", &session),
        text("offset", "0"),
        text("op", "upload_slice_data"),
        file_content("x", b"new"),
    ];
    post(&fixture, &fields).data();
    let fields = [
        text("op", "upload_slice_finish"),
        text("filesize", "3"),
        text("session", &session),
    ];
    post(&fixture, &fields).data();
    assert_eq!(fixture.emulator.object(BUCKET, "d/a b*~.bin").unwrap(), b"new");
}
