//! What is seen of the switches of `files/v1`.

use serde_json::{Value, json};

use crate::support::{Answer, Client, Fixture, MIB, content, sha1};

/// The slices of these uploads.
const HALF: usize = MIB / 2;

/// A file of three slices.
fn file() -> Vec<u8> {
    content(3 * HALF)
}

fn control(client: &Client, file: &[u8], more: &[(&str, &str)]) -> Answer {
    let more = [&[("slice_size", "524288")], more].concat();
    client.control("file", file.len(), &sha1(file), &more)
}

fn slice(client: &Client, session: &str, index: usize, more: &[(&str, &str)]) -> (u16, i64) {
    let bytes = &file()[index * HALF..][..HALF];
    client.slice("file", session, index * HALF, bytes, more).outcome()
}

/// An upload of the file whose first slices were received; its session.
fn begun(client: &Client, slices: usize) -> String {
    let session = control(client, &file(), &[]).data()["session"].clone();
    let session = session.as_str().unwrap().to_owned();
    for index in 0..slices {
        assert_eq!(slice(client, &session, index, &[]), (200, 0));
    }
    session
}

/// Whether a control goes on in the old session, and where; or its code.
fn went_on(answer: &Answer, old: &str) -> Value {
    match answer.code() {
        0 => json!([answer.data()["session"] == old, answer.data()["offset"]]),
        code => json!([answer.status, code]),
    }
}

/// A control without a session for what is unfinished.
pub fn v1_resume(fixture: &Fixture) -> Value {
    let client = fixture.client.on_v1();
    let old = begun(&client, 1);
    went_on(&control(&client, &file(), &[]), &old)
}

/// A control with the session, and one with a session that is none.
pub fn v1_stale_session(fixture: &Fixture) -> Value {
    let client = fixture.client.on_v1();
    let old = begun(&client, 1);
    let with = |session: &str| went_on(&control(&client, &file(), &[("session", session)]), &old);
    json!([with(&old), with("0123")])
}

/// Two controls for other content than what is unfinished.
pub fn v1_other_content(fixture: &Fixture) -> Value {
    let client = fixture.client.on_v1();
    let old = begun(&client, 1);
    let other = || went_on(&control(&client, b"abc", &[]), &old);
    json!([other(), other()])
}

/// Both slices that are there again, the first one first; then an offset between two slices.
pub fn v1_repeated_offset(fixture: &Fixture) -> Value {
    let client = fixture.client.on_v1();
    let session = begun(&client, 2);
    let again = [0, 1].map(|index| slice(&client, &session, index, &[]));
    let between = client.slice("file", &session, HALF + 1, &content(HALF), &[]);
    assert_eq!(slice(&client, &session, 2, &[]), (200, 0));
    assert!(fixture.emulator.object(crate::support::BUCKET, "file").unwrap() == file());
    json!([again, between.outcome()])
}

/// With the sha of the slice, and with that of something else.
pub fn v1_slice_sha(fixture: &Fixture) -> Value {
    let client = fixture.client.on_v1();
    let session = begun(&client, 0);
    let right = sha1(&file()[..HALF]);
    json!([
        slice(&client, &session, 0, &[("sha", &right)]),
        slice(&client, &session, 1, &[("sha", &sha1(b"wrong"))])
    ])
}
