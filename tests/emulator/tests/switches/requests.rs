//! What is seen of the switches of requests and answers.

use serde_json::{Value, json};
use std::io::Write;

use crate::support::{Answer, BUCKET, Fixture, MIB, content};

/// Both names that clients spell otherwise, otherwise and as documented.
pub fn field_names(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    let data = |name| {
        let fields = [
            ("op", "upload_slice_data"),
            ("session", &*session),
            ("offset", "0"),
            (name, "abc"),
        ];
        client.post_text("file", &fields).outcome()
    };
    let (otherwise, documented) = (data("fileContent"), data("filecontent"));
    let finish = |filesize| {
        let fields = [
            ("op", "upload_slice_finish"),
            ("session", &*session),
            ("fileSize", filesize),
        ];
        client.post_text("file", &fields).outcome()
    };
    // A size that is not looked at can be wrong; then the upload is over.
    let wrong = finish("4");
    let right = match wrong {
        (200, 0) => client.finish("file", "0123", 3, &[]).outcome(),
        _ => finish("3"),
    };
    json!([otherwise, documented, wrong, right])
}

pub fn op_place(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let url = client.url("file") + "?op=upload_slice_list";
    let list = client.request("POST", &url, &[("Authorization", &client.token())], b"{}");
    json!([client.send(&list).outcome(), client.stat("file").outcome()])
}

pub fn duplicate_fields(fixture: &Fixture) -> Value {
    let fields = [("op", "upload_slice_finish"), ("op", "upload_slice_list")];
    let post = |fields| fixture.client.post_text("file", fields).outcome();
    json!([post(&fields[..]), post(&fields[1..])])
}

pub fn path_normalisation(fixture: &Fixture) -> Value {
    let upload = |path| fixture.client.upload(path, b"x", &[]).outcome();
    let doubled = upload("a//b");
    let object = fixture.emulator.object(BUCKET, "a/b").ok();
    let object = object.map(|bytes| String::from_utf8(bytes).unwrap());
    json!([doubled, object, upload("a/../b")])
}

pub fn http_status(fixture: &Fixture) -> Value {
    json!(fixture.client.stat("file").outcome())
}

/// Status and body of a list, what a stat of the same path gets, and what the journal says of the list.
pub fn list_absent(fixture: &Fixture) -> Value {
    let listed = fixture.client.list("file");
    let has_code = !listed.body.is_empty() && listed.code() == -197;
    let stat = fixture.client.stat("file").outcome();
    json!([listed.status, has_code, stat, fixture.emulator.requests()[0].code])
}

pub fn numbers(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    let sent = client.data("file", &session, 0, b"abc", &[]).data();
    let listed = client.list("file").data();
    let sizes = [&listed["filesize"], &listed["slice_size"]];
    let stat = client.stat("file").data();
    json!([sizes, listed["listparts"], sent["offset"], stat["filelen"]])
}

/// What the answer says of the connection, and whether it takes a second request.
pub fn keep_alive(fixture: &Fixture) -> Value {
    let request = fixture.client.form("file", &[("op", b"upload_slice_list")]);
    let mut stream = fixture.client.connect();
    stream.write_all(&request).unwrap();
    let first = Answer::read(&mut stream).unwrap();
    // The write may find the connection closed already.
    let second = stream
        .write_all(&request)
        .and_then(|()| Answer::read(&mut stream));
    json!([first.header("connection"), second.is_ok()])
}

pub fn oversize(fixture: &Fixture) -> Value {
    let answer = fixture.client.upload("file", &content(20 * MIB + 1), &[]);
    match answer.header("content-type") {
        Some("text/html") => json!([answer.status, answer.text()[..6]]),
        _ => json!(answer.outcome()),
    }
}

/// The first of a burst of requests, and what the others got that differs from it.
pub fn rate_limit(fixture: &Fixture) -> Value {
    let first = fixture.client.stat("file").outcome();
    let mut others = Vec::new();
    for _ in 0..20 {
        let answer = fixture.client.stat("file");
        let (status, code) = answer.outcome();
        let other = json!([status, code, answer.header("retry-after")]);
        if (status, code) != first && !others.contains(&other) {
            others.push(other);
        }
    }
    json!([first, others])
}
