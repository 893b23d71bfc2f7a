//! The C++ client, also as the FTP server embeds it: one signature bound to nothing for all slices, its random number
//! of 64 bits; slices in batches; the session of the finish taken from an answer to a slice.

use serde_json::json;
use std::thread;

use crate::support::{Answer, BUCKET, Fixture, MIB, content, sha1, start, start_set};
use crate::wire::{bucket_last, form, part, request, told};

const BOUNDARY: &str = "------------------------5d2f8a1be0c94c37";
const PATH: &str = "d/%E6%96%87%E4%BB%B6_-.~.bin";

/// Good for a minute; the number is the greatest that its type can hold.
fn token(fixture: &Fixture) -> String {
    bucket_last(&fixture.client, 60, "18446744073709551615", "")
}

fn text(name: &str, value: &str) -> Vec<u8> {
    part(
        &format!("Content-Disposition: form-data; name=\"{name}\""),
        value.as_bytes(),
    )
}

fn file_content(bytes: &[u8]) -> Vec<u8> {
    part(
        "Content-Disposition: form-data; name=\"filecontent\"; filename=\"data\"
Content-Type: application/octet-stream",
        bytes,
    )
}

fn post(fixture: &Fixture, token: &str, parts: &[Vec<u8>]) -> Answer {
    let head = format!(
        "POST /files/v2/1251668577/videos/{PATH} HTTP/1.1
Host: gz.file.myqcloud.com
Accept: */*
Authorization: {token}
User-Agent: cos-cpp-sdk-v4.2
Content-Type: multipart/form-data; boundary={BOUNDARY}"
    );
    let body = [&form(BOUNDARY, parts), &b"\r\n"[..]].concat();
    fixture.client.send(&request(&head, &body))
}

/// The fields that the FTP server adds to a slice.
type More = [(&'static str, &'static str)];

fn data(
    fixture: &Fixture,
    token: &str,
    session: &str,
    sha: &str,
    place: (usize, &[u8]),
    more: &More,
) -> Answer {
    let mut parts = vec![
        text("op", "upload_slice_data"),
        text("sha", sha),
        text("session", session),
        text("offset", &place.0.to_string()),
    ];
    parts.extend(more.iter().map(|(name, value)| text(name, value)));
    parts.push(file_content(place.1));
    post(fixture, token, &parts)
}

fn begin(fixture: &Fixture, token: &str, file: &[u8], sha: &str) -> Answer {
    let parts = [
        text("op", "upload_slice_init"),
        text("sha", sha),
        text("uploadparts", &crate::support::uploadparts(file, MIB)),
        text("filesize", &file.len().to_string()),
        text("slice_size", "1048576"),
        text("insertOnly", "0"),
    ];
    post(fixture, token, &parts)
}

fn finish(fixture: &Fixture, token: &str, session: &str, file: &[u8], sha: &str) -> Answer {
    let parts = [
        text("op", "upload_slice_finish"),
        text("session", session),
        text("filesize", &file.len().to_string()),
        text("sha", sha),
    ];
    post(fixture, token, &parts)
}

/// Batches of five with a barrier after each; gives the session of the last slice of the first batch.
fn in_batches(fixture: &Fixture, token: &str, session: &str, sha: &str, file: &[u8], more: &More) -> String {
    let slices: Vec<_> = file.chunks(MIB).enumerate().collect();
    let mut last_of_first = None;
    for batch in slices.chunks(5) {
        let sessions: Vec<String> = thread::scope(|scope| {
            let sends: Vec<_> = batch
                .iter()
                .map(|(index, slice)| {
                    scope.spawn(move || data(fixture, token, session, sha, (index * MIB, slice), more))
                })
                .collect();
            let answers = sends.into_iter().map(|send| send.join().unwrap());
            answers.map(|answer| told(&answer, "session")).collect()
        });
        last_of_first = last_of_first.or(sessions.last().cloned());
    }
    last_of_first.unwrap()
}

#[test]
fn a_whole_upload_in_batches_with_one_signature() {
    let fixture = start();
    let token = token(&fixture);
    let file = content(6 * MIB + 1);
    let sha = sha1(&file);
    let session = told(&begin(&fixture, &token, &file, &sha), "session");
    let session = in_batches(&fixture, &token, &session, &sha, &file, &[]);
    let finished = finish(&fixture, &token, &session, &file, &sha);
    assert!(finished.data()["access_url"].is_string());
    assert!(fixture.emulator.object(BUCKET, "d/文件_-.~.bin").unwrap() == file);
    // The same again is a hit, which it knows by the address.
    assert!(begin(&fixture, &token, &file, &sha).data()["access_url"].is_string());
}

#[test]
fn slices_of_the_ftp_server_tell_the_slice_size_and_keep_to_the_order_where_they_must() {
    let more = [("slice_size", "1048576")];
    let file = content(2 * MIB + 1);
    let sha = sha1(&file);
    let fixture = start();
    let token = token(&fixture);
    let session = told(&begin(&fixture, &token, &file, &sha), "session");
    in_batches(&fixture, &token, &session, &sha, &file, &more);
    finish(&fixture, &token, &session, &file, &sha).data();

    let fixture = start_set(&["serial_upload=1"]);
    let begun = begin(&fixture, &token, &file, &sha);
    assert_eq!(begun.data()["serial_upload"], json!(1));
    let session = told(&begun, "session");
    for (index, slice) in file.chunks(MIB).enumerate() {
        let answer = data(&fixture, &token, &session, &sha, (index * MIB, slice), &more);
        assert_eq!(answer.data()["serial_upload"], json!(1));
    }
    finish(&fixture, &token, &session, &file, &sha).data();
    assert!(fixture.emulator.object(BUCKET, "d/文件_-.~.bin").unwrap() == file);
}
