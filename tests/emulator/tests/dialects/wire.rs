//! Requests as bytes. Texts are written with `\n`, which is CRLF on the wire.

use crate::support::{APP_ID, Answer, BUCKET, Client, now};

pub fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// A request; only its `Content-Length` is counted here.
pub fn request(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{}\nContent-Length: {}\n\n", head.trim_end(), body.len());
    [crlf(&head), body.to_vec()].concat()
}

/// One part of a form: its header lines and its value.
pub fn part(head: &str, value: &[u8]) -> Vec<u8> {
    [&crlf(head), &b"\r\n\r\n"[..], value].concat()
}

/// A form of these parts, up to the closing delimiter and without a line end after it.
pub fn form(boundary: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        body.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
        body.extend_from_slice(part);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--").as_bytes());
    body
}

/// A signature with the bucket last, as most clients write it.
pub fn bucket_last(client: &Client, lifetime: u64, random: &str, fileid: &str) -> String {
    let (made, expiring) = (now(), now() + lifetime);
    let (id, bucket) = (&client.secret_id, BUCKET);
    client.sign_tail(&format!(
        "a={APP_ID}&k={id}&e={expiring}&t={made}&r={random}&f={fileid}&b={bucket}"
    ))
}

/// A signature with the bucket second, as the documentation writes it.
pub fn bucket_second(client: &Client, lifetime: u64, random: &str, fileid: &str) -> String {
    let (made, expiring) = (now(), now() + lifetime);
    let (id, bucket) = (&client.secret_id, BUCKET);
    client.sign_tail(&format!(
        "a={APP_ID}&b={bucket}&k={id}&e={expiring}&t={made}&r={random}&f={fileid}"
    ))
}

/// A text of an answer's `data`.
pub fn told(answer: &Answer, name: &str) -> String {
    let data = answer.data();
    let text = data[name].as_str();
    text.unwrap_or_else(|| panic!("no {name} in {data}")).to_owned()
}
