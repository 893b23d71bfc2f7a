//! The clients of web pages and of mini programs: the signature in the address, from whoever signs for the page;
//! `fileContent`; list before anything; each field once more with every retry of a slice.

use serde_json::json;

use crate::support::{self, Answer, BUCKET, Fixture, MIB, content, sha1, start};
use crate::wire::{bucket_last, form, part, request, told};

const BOUNDARY: &str = "----WebKitFormBoundaryQ3v8ZlK2mXwT0aBc";
/// All of these stay as they are.
const PATH: &str = "d/it's(1)!*~.mp4";

fn text(name: &str, value: &str) -> Vec<u8> {
    part(
        &format!("Content-Disposition: form-data; name=\"{name}\""),
        value.as_bytes(),
    )
}

fn blob(bytes: &[u8]) -> Vec<u8> {
    part(
        "Content-Disposition: form-data; name=\"fileContent\"; filename=\"blob\"
Content-Type: application/octet-stream",
        bytes,
    )
}

/// The signature is bound to the directory, and may be used again and again.
fn post(fixture: &Fixture, parts: &[Vec<u8>]) -> Answer {
    let token = bucket_last(&fixture.client, 3600, "778899", "/1251668577/videos/d/");
    let sign = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let head = format!(
        "POST /files/v2/1251668577/videos/{PATH}?sign={sign} HTTP/1.1
Host: gz.file.myqcloud.com
Connection: keep-alive
Origin: https://www.example.com
Content-Type: multipart/form-data; boundary={BOUNDARY}
Accept: */*
Referer: https://www.example.com/upload.html
Accept-Encoding: gzip, deflate, br"
    );
    let body = [&form(BOUNDARY, parts), &b"\r\n"[..]].concat();
    fixture.client.send(&request(&head, &body))
}

fn list(fixture: &Fixture) -> Answer {
    post(fixture, &[text("op", "upload_slice_list")])
}

fn slice_parts(session: &str, sha: &str, offset: usize, slice: &[u8]) -> Vec<Vec<u8>> {
    vec![
        text("op", "upload_slice_data"),
        text("session", session),
        text("offset", &offset.to_string()),
        text("sha", sha),
        text("sliceSize", "1048576"),
        blob(slice),
    ]
}

#[test]
fn a_whole_upload_that_lists_first_retries_by_repeating_all_fields_and_resumes() {
    let fixture = start();
    let file = content(2 * MIB + 9);
    let (sha, size) = (sha1(&file), file.len().to_string());
    assert_eq!(list(&fixture).outcome(), (404, -197));
    let begun = post(
        &fixture,
        &[
            text("uploadparts", &support::uploadparts(&file, MIB)),
            text("sha", &sha),
            text("op", "upload_slice_init"),
            text("filesize", &size),
            text("slice_size", "1048576"),
            text("biz_attr", ""),
            text("insertOnly", "1"),
        ],
    );
    let session = told(&begun, "session");
    let first = slice_parts(&session, &sha, 0, &file[..MIB]);
    // A retry appends to the form that was sent: twice, three times.
    for times in 1..=3 {
        let answer = post(&fixture, &vec![first.clone(); times].concat());
        assert_eq!(answer.data()["offset"], json!(0), "{times}");
    }

    // The page is opened again.
    let listed = list(&fixture).data();
    assert_eq!(listed["listparts"], json!([{"offset": 0, "datalen": MIB}]));
    // It compares these by value and type.
    assert_eq!(
        (&listed["filesize"], &listed["sha"]),
        (&json!(file.len()), &json!(sha))
    );
    let session = listed["session"].as_str().unwrap().to_owned();
    for offset in [2 * MIB, MIB] {
        let slice = &file[offset..file.len().min(offset + MIB)];
        post(&fixture, &slice_parts(&session, &sha, offset, slice)).data();
    }
    let finished = post(
        &fixture,
        &[
            text("op", "upload_slice_finish"),
            text("session", &session),
            text("sha", &sha),
            text("filesize", &size),
        ],
    );
    assert!(finished.data()["source_url"].is_string());
    assert!(fixture.emulator.object(BUCKET, "d/it's(1)!*~.mp4").unwrap() == file);
    // And again, when all is there.
    let listed = list(&fixture).data();
    assert!(listed["access_url"].is_string() && listed["session"].is_null());
}

#[test]
fn a_mini_programs_upload_in_one_request() {
    let fixture = start();
    let file = part(
        "Content-Disposition: form-data; name=\"fileContent\"; filename=\"tmp_12345.jpg\"
Content-Type: image/jpeg",
        b"picture",
    );
    let answer = post(&fixture, &[text("op", "upload"), text("insertOnly", "0"), file]);
    assert!(answer.data()["access_url"].is_string());
    assert_eq!(
        fixture.emulator.object(BUCKET, "d/it's(1)!*~.mp4").unwrap(),
        b"picture"
    );
}
