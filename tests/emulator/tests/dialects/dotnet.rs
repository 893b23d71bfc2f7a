//! The .NET client: a line end before the first delimiter; `fileContent` under the name of the local file; `fileSize` at
//! the finish; lower-case hex in the path; one signature for all; in one variant a word before it.

use serde_json::json;

use crate::support::{self, Answer, BUCKET, Fixture, MIB, content, sha1, start};
use crate::wire::{bucket_last, form, part, request, told};

const BOUNDARY: &str = "---------------------------8d5b2f6c41e7a90";
/// Lower-case hex; parentheses stay as they are.
const PATH: &str = "d/%e5%9b%be%20(1)!.bin";

fn text(name: &str, value: &str) -> Vec<u8> {
    part(
        &format!("Content-Disposition: form-data; name=\"{name}\""),
        value.as_bytes(),
    )
}

fn local_file(bytes: &[u8]) -> Vec<u8> {
    part(
        "Content-Disposition: form-data; name=\"fileContent\"; filename=\"图 (1).bin\"
Content-Type: application/octet-stream",
        bytes,
    )
}

fn post(fixture: &Fixture, authorization: &str, parts: &[Vec<u8>]) -> Answer {
    let head = format!(
        "POST /files/v2/1251668577/videos/{PATH} HTTP/1.1
Accept: */*
Authorization: {authorization}
Content-Type: multipart/form-data; boundary={BOUNDARY}
User-Agent: cos-net-sdk-v4.2
Host: gz.file.myqcloud.com
Connection: Keep-Alive"
    );
    let body = [b"\r\n", &form(BOUNDARY, parts)[..], b"\r\n"].concat();
    fixture.client.send(&request(&head, &body))
}

fn whole_upload(fixture: &Fixture, authorization: &str) {
    let file = content(MIB + 33);
    let (sha, size) = (sha1(&file), file.len().to_string());
    let begun = post(
        fixture,
        authorization,
        &[
            text("op", "upload_slice_init"),
            text("filesize", &size),
            text("sha", &sha),
            text("uploadparts", &support::uploadparts(&file, MIB)),
            text("slice_size", "1048576"),
        ],
    );
    let session = told(&begun, "session");
    for (index, slice) in file.chunks(MIB).enumerate() {
        let answer = post(
            fixture,
            authorization,
            &[
                text("op", "upload_slice_data"),
                text("sha", &sha),
                text("session", &session),
                text("offset", &(index * MIB).to_string()),
                local_file(slice),
            ],
        );
        assert_eq!(answer.data()["datalen"], json!(slice.len()));
    }
    let finish = |filesize: &str| {
        let fields = [
            text("op", "upload_slice_finish"),
            text("session", &session),
            text("fileSize", filesize),
            text("sha", &sha),
        ];
        post(fixture, authorization, &fields)
    };
    // What stands under the other spelling counts.
    assert_eq!(finish("1").outcome(), (400, -175));
    assert!(finish(&size).data()["access_url"].is_string());
    assert!(fixture.emulator.object(BUCKET, "d/图 (1)!.bin").unwrap() == file);
}

#[test]
fn a_whole_upload_with_one_signature() {
    let fixture = start();
    whole_upload(&fixture, &bucket_last(&fixture.client, 180, "905461234", ""));
}

#[test]
fn a_whole_upload_with_a_word_before_the_signature() {
    let fixture = start();
    let token = bucket_last(&fixture.client, 180, "905461234", "");
    whole_upload(&fixture, &format!("Authorization {token}"));
}
