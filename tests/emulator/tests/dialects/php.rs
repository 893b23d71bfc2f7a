//! The PHP client: `Expect: 100-continue` and a header `Method`; the bucket second in one signature for all slices; no
//! filename on the content; the MD5 of each slice, three slices at a time.

use md5::{Digest, Md5};
use serde_json::json;
use std::io::Write;
use std::thread;

use crate::support::{Answer, BUCKET, Fixture, MIB, content, start};
use crate::wire::{bucket_second, crlf, form, part, told};

const BOUNDARY: &str = "------------------------c1a9f7340be2d865";
/// Parentheses are encoded, a tilde is not.
const PATH: &str = "d/a%28b%29~.bin";

/// Good for three minutes a slice.
fn token(fixture: &Fixture, slices: u64) -> String {
    bucket_second(&fixture.client, 180 * slices, "464794189", "")
}

/// Sends the head, waits to be told to go on, and sends the body.
fn post(fixture: &Fixture, token: &str, fields: &[(&str, &[u8])]) -> Answer {
    let parts = fields
        .iter()
        .map(|(name, value)| part(&format!("Content-Disposition: form-data; name=\"{name}\""), value));
    let body = [&form(BOUNDARY, &parts.collect::<Vec<_>>()), &b"\r\n"[..]].concat();
    let head = format!(
        "POST /files/v2/1251668577/videos/{PATH} HTTP/1.1
User-Agent: cos-php-sdk-v4.3.11
Host: gz.file.myqcloud.com
Accept: */*
Method:POST
Authorization: {token}
Content-Length: {}
Expect: 100-continue
Content-Type: multipart/form-data; boundary={BOUNDARY}

",
        body.len()
    );
    let mut stream = fixture.client.connect();
    stream.write_all(&crlf(&head)).unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().status, 100);
    stream.write_all(&body).unwrap();
    Answer::read(&mut stream).unwrap()
}

fn init(fixture: &Fixture, token: &str, size: &str) -> Answer {
    let fields: [(&str, &[u8]); 4] = [
        ("op", b"upload_slice_init"),
        ("filesize", size.as_bytes()),
        ("slice_size", b"1048576"),
        ("insertOnly", b"1"),
    ];
    post(fixture, token, &fields)
}

#[test]
fn a_whole_upload_with_an_md5_per_slice() {
    let fixture = start();
    let file = content(3 * MIB + 7);
    let (token, size) = (token(&fixture, 4), file.len().to_string());
    let session = told(&init(&fixture, &token, &size), "session");
    let send = |index: usize, slice: &[u8]| {
        let (offset, md5) = ((index * MIB).to_string(), hex::encode(Md5::digest(slice)));
        let fields: [(&str, &[u8]); 5] = [
            ("op", b"upload_slice_data"),
            ("session", session.as_bytes()),
            ("offset", offset.as_bytes()),
            ("filecontent", slice),
            ("datamd5", md5.as_bytes()),
        ];
        assert_eq!(post(&fixture, &token, &fields).data()["datamd5"], json!(md5));
    };
    let slices: Vec<_> = file.chunks(MIB).enumerate().collect();
    for three in slices.chunks(3) {
        thread::scope(|scope| {
            for (index, slice) in three {
                scope.spawn(|| send(*index, slice));
            }
        });
    }
    let fields: [(&str, &[u8]); 3] = [
        ("op", b"upload_slice_finish"),
        ("session", session.as_bytes()),
        ("filesize", size.as_bytes()),
    ];
    assert!(post(&fixture, &token, &fields).data()["access_url"].is_string());
    assert!(fixture.emulator.object(BUCKET, "d/a(b)~.bin").unwrap() == file);
}

#[test]
fn an_init_may_be_tried_three_times() {
    let fixture = start();
    let rule = r#"{"operation":"upload_slice_init","times":2,"action":{"status":500,"code":-195}}"#;
    let rule = cos_emulator::Fault::from_json(rule).unwrap();
    fixture.emulator.add_fault(rule);
    let token = token(&fixture, 1);
    let codes = [(); 3].map(|()| init(&fixture, &token, "3").code());
    assert_eq!(codes, [-195, -195, 0]);
}
