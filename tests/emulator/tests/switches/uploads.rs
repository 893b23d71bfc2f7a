//! What is seen of the switches of uploads and objects.

use serde_json::{Value, json};

use crate::support::{self, Answer, BUCKET, Fixture, MIB, sha1};

/// An upload of three bytes whose one slice was received.
fn begin_received(fixture: &Fixture, path: &str) -> String {
    let session = fixture.client.begin(path, 3, MIB);
    fixture.client.data(path, &session, 0, b"abc", &[]).data();
    session
}

fn object(fixture: &Fixture, path: &str) -> Option<String> {
    let bytes = fixture.emulator.object(BUCKET, path).ok()?;
    Some(String::from_utf8(bytes).unwrap())
}

/// The sizes answered, or the codes.
pub fn slice_policy(fixture: &Fixture) -> Value {
    let sizes = [
        0, 65_535, 65_536, 100_000, 524_288, 1_048_576, 1_500_000, 2_097_152, 3_145_728, 4_194_304,
    ];
    let answered = |asked: usize| {
        let path = format!("asked/{asked}");
        let value = fixture.client.init(&path, 10 * MIB, asked, &[]).json();
        let size = value["data"]["slice_size"].as_i64();
        size.or(value["code"].as_i64()).unwrap()
    };
    json!(sizes.map(answered))
}

/// With half a mebibyte and with one.
pub fn sha_slice_size(fixture: &Fixture) -> Value {
    let sha = sha1(b"abc");
    let init = |path, slice_size| {
        let answer = fixture.client.init(path, 3, slice_size, &[("sha", &sha)]);
        answer.outcome()
    };
    json!([init("a", MIB / 2), init("b", MIB)])
}

/// Without and with them.
pub fn sha_without_uploadparts(fixture: &Fixture) -> Value {
    let sha = sha1(b"abc");
    let parts = format!("[{{\"offset\":0,\"datalen\":3,\"datasha\":\"{sha}\"}}]");
    let fields = [("sha", &*sha), ("uploadparts", &*parts)];
    let without = fixture.client.init("a", 3, MIB, &fields[..1]).outcome();
    json!([without, fixture.client.init("b", 3, MIB, &fields).outcome()])
}

/// The init, and the object that comes of it.
pub fn zero_filesize(fixture: &Fixture) -> Value {
    let begun = fixture.client.init("file", 0, MIB, &[]);
    if let Some(session) = begun.json()["data"]["session"].as_str() {
        fixture.client.finish("file", session, 0, &[]).data();
    }
    json!([begun.outcome(), object(fixture, "file")])
}

/// Init, v1 control and upload below a directory that is not there; the making of a directory below another, of that
/// other one, and an init once all are there.
pub fn require_parent_dir(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let create = |path| {
        let token = client.token();
        client.json_op(path, &token, r#"{"op":"create"}"#).outcome()
    };
    let begun = [
        client.init("d/slices", 3, MIB, &[]).outcome(),
        client
            .on_v1()
            .control("e/slices", 3, &sha1(b"abc"), &[])
            .outcome(),
        client.upload("f/whole", b"x", &[]).outcome(),
    ];
    let (below, above) = (create("g/h/"), create("g/"));
    create("g/h/");
    client.upload("root", b"x", &[]).data();
    json!([
        begun,
        below,
        above,
        client.init("g/h/file", 3, MIB, &[]).outcome()
    ])
}

/// The object between an init that may replace it and the finish.
pub fn overwrite(fixture: &Fixture) -> Value {
    fixture.client.upload("file", b"old", &[]).data();
    fixture.client.init("file", 3, MIB, &[("insertOnly", "0")]).data();
    json!(object(fixture, "file"))
}

/// Init and upload with the content that is there; then with leave to overwrite, which is a hit all the same.
pub fn same_sha(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    client.upload("file", b"old", &[]).data();
    let sha = sha1(b"old");
    let init = client.init("file", 3, MIB, &[("sha", &sha)]).outcome();
    let upload = client.upload("file", b"old", &[]).outcome();
    let allowed = client.init("file", 3, MIB, &[("sha", &sha), ("insertOnly", "0")]);
    let hit = allowed.json()["data"]["access_url"].is_string();
    json!([init, upload, allowed.outcome(), hit])
}

/// Whether the same content is a hit at its own path, and at another one.
pub fn dedupe(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    client.upload("one", b"same", &[]).data();
    let sha = sha1(b"same");
    let is_hit = |path| {
        let answer = client.init(path, 4, MIB, &[("sha", &sha), ("insertOnly", "0")]);
        let data = answer.data();
        let hit = data["access_url"].is_string();
        assert_ne!(hit, data["session"].is_string());
        assert!(!hit || object(fixture, path).as_deref() == Some("same"));
        hit
    };
    json!(["one", "d/two"].map(is_hit))
}

/// What init and the first slice say, and what the third one gets before the second.
pub fn serial_upload(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let file = support::content(3 * MIB);
    let begun = client.init("file", file.len(), MIB, &[]).data();
    let session = begun["session"].as_str().unwrap();
    let data = |index: usize| client.data("file", session, index * MIB, &file[index * MIB..][..MIB], &[]);
    let first = data(0).data();
    let early = data(2).outcome();
    // In order everything is taken, and a slice before may come again.
    for index in [1, 0, 2] {
        data(index).data();
    }
    client.finish("file", session, file.len(), &[]).data();
    json!([begun["serial_upload"], first["serial_upload"], early])
}

/// Without it and with it, after an init with it.
pub fn sha_in_data(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let sha = sha1(b"abc");
    let begun = client.init("file", 3, MIB, &[("sha", &sha)]).data();
    let session = begun["session"].as_str().unwrap();
    let data = |more: &[(&str, &str)]| client.data("file", session, 0, b"abc", more).outcome();
    json!([data(&[]), data(&[("sha", &sha)])])
}

/// The same bytes again, other bytes, and what becomes of it.
pub fn duplicate_slice(fixture: &Fixture) -> Value {
    let session = begin_received(fixture, "file");
    let [again, other] = [b"abc", b"xyz"].map(|bytes| fixture.client.data("file", &session, 0, bytes, &[]));
    fixture.client.finish("file", &session, 3, &[]).data();
    json!([again.outcome(), other.outcome(), object(fixture, "file")])
}

/// Between two places, too short for its place, and past the end.
pub fn misplaced_slice(fixture: &Fixture) -> Value {
    let session = fixture.client.begin("file", 2 * MIB, MIB);
    let slice = support::content(MIB);
    let data = |offset, bytes| {
        let answer = fixture.client.data("file", &session, offset, bytes, &[]);
        answer.outcome()
    };
    json!([
        data(1, &slice[..]),
        data(0, &slice[1..]),
        data(2 * MIB, &slice[..])
    ])
}

pub fn long_slice(fixture: &Fixture) -> Value {
    let session = fixture.client.begin("file", 2 * MIB, MIB);
    let slice = support::content(MIB + 1);
    json!(fixture.client.data("file", &session, 0, &slice, &[]).outcome())
}

/// A slice at once; whether list tells the same session; a slice with that one, and once no session expires any more.
pub fn session_ttl(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    let data = |session: &str| client.data("file", session, 0, b"abc", &[]).code();
    let at_once = data(&session);
    let listed = client.list("file").data()["session"].clone();
    let listed = listed.as_str().unwrap();
    let with_listed = data(listed);
    fixture.emulator.set("session_ttl", "none").unwrap();
    json!([at_once, listed == session, with_listed, data(listed)])
}

pub fn listparts(fixture: &Fixture) -> Value {
    begin_received(fixture, "file");
    let listed = fixture.client.list("file").data();
    listed.get("listparts").cloned().unwrap_or(json!("missing"))
}

/// Whether list tells the same session, and what a slice with the old and with the told one gets.
pub fn rotate_on_list(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let old = begin_received(fixture, "file");
    let listed = client.list("file").data();
    assert_eq!(listed["listparts"], json!([{"offset": 0, "datalen": 3}]));
    let told = listed["session"].as_str().unwrap();
    let [with_old, with_told] = [&*old, told].map(|session| client.data("file", session, 0, b"abc", &[]));
    client.finish("file", told, 3, &[]).data();
    json!([old == told, with_old.outcome(), with_told.outcome()])
}

pub fn stat_unfinished(fixture: &Fixture) -> Value {
    fixture.client.begin("file", 3, MIB);
    let answer = fixture.client.stat("file");
    let (status, code) = answer.outcome();
    let data = &answer.json()["data"];
    json!([status, code, [&data["filesize"], &data["filelen"], &data["sha"]]])
}

/// The delete, and the list after it.
pub fn delete_unfinished(fixture: &Fixture) -> Value {
    fixture.client.begin("file", 3, MIB);
    let deleted = fixture.client.delete("file").outcome();
    json!([deleted, fixture.client.list("file").outcome()])
}

/// Missing, and empty.
pub fn finish_filesize(fixture: &Fixture) -> Value {
    let finish = |path: &str, filesize: Option<&str>| {
        let session = begin_received(fixture, path);
        let mut fields = vec![("op", "upload_slice_finish"), ("session", &*session)];
        fields.extend(filesize.map(|text| ("filesize", text)));
        fixture.client.post_text(path, &fields).outcome()
    };
    json!([finish("missing", None), finish("empty", Some(""))])
}

pub fn finish_missing_slices(fixture: &Fixture) -> Value {
    let session = fixture.client.begin("file", 3, MIB);
    json!(fixture.client.finish("file", &session, 3, &[]).outcome())
}

pub fn finish_wrong_filesize(fixture: &Fixture) -> Value {
    let session = begin_received(fixture, "file");
    json!(fixture.client.finish("file", &session, 4, &[]).outcome())
}

/// A finish of something else than was told, and whether what is stored is described as it is.
pub fn verify(fixture: &Fixture) -> Value {
    let wrong = sha1(b"something else");
    let finished = fixture
        .client
        .upload_slices("file", b"abc", MIB, &[("sha", &wrong)]);
    let stored = object(fixture, "file").map(|text| {
        let told = fixture.client.stat("file").data()["sha"].clone();
        text == "abc" && told == json!(sha1(b"abc"))
    });
    json!([finished.outcome(), stored])
}

/// What is kept, and whether it is described as it is.
pub fn content(fixture: &Fixture) -> Value {
    fixture.client.upload_slices("file", b"abc", MIB, &[]).data();
    let kept = match fixture.emulator.object(BUCKET, "file") {
        Ok(bytes) => String::from_utf8(bytes).unwrap(),
        Err(error) => format!("{:?}", error.kind()),
    };
    let told = fixture.client.stat("file").data()["sha"].clone();
    json!([kept, told == json!(sha1(b"abc"))])
}

/// A slice with the session of a finished upload, whether it got addresses, and a slice with no such session.
pub fn data_after_finish(fixture: &Fixture) -> Value {
    let session = begin_received(fixture, "file");
    fixture.client.finish("file", &session, 3, &[]).data();
    let data = |session: &str| fixture.client.data("file", session, 0, b"abc", &[]);
    let answer = data(&session);
    let addresses = answer.json()["data"]["access_url"].is_string();
    json!([answer.code(), addresses, data("0123").code()])
}

/// A second finish, and one of another session.
pub fn finish_grace(fixture: &Fixture) -> Value {
    let session = begin_received(fixture, "file");
    let finish = |session: &str| -> Answer { fixture.client.finish("file", session, 3, &[]) };
    finish(&session).data();
    json!([finish(&session).outcome(), finish("0123").outcome()])
}
