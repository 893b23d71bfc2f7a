//! The switches of requests and signatures away from their default position; the defaults are tested where the
//! operations are.

mod support;

use cos_emulator::Emulator;
use std::io::Write;
use support::{Answer, BUCKET, Fixture, MIB, assert_ended, content, now, start, start_set};

fn set(emulator: &Emulator, assignment: &str) {
    let (name, value) = assignment.split_once('=').unwrap();
    emulator.set(name, value).unwrap();
}

/// The code that a list gets with this signature, where a good one gets −197.
fn list_with(fixture: &Fixture, token: &str) -> i64 {
    fixture
        .client
        .json_op("d/file", token, r#"{"op":"upload_slice_list"}"#)
        .code()
}

#[test]
fn field_names() {
    let fixture = start_set(&["field_names=documented"]);
    let session = fixture.client.begin("file", 3, MIB);
    let fields = |name| {
        [
            ("op", "upload_slice_data"),
            ("session", &*session),
            ("offset", "0"),
            (name, "abc"),
        ]
    };
    assert_eq!(
        fixture.client.post_text("file", &fields("fileContent")).outcome(),
        (400, -5990)
    );
    assert_eq!(
        fixture.client.post_text("file", &fields("filecontent")).outcome(),
        (200, 0)
    );
}

#[test]
fn http_status() {
    let fixture = start_set(&["http_status=always_200"]);
    assert_eq!(fixture.client.stat("file").outcome(), (200, -197));
}

#[test]
fn op_place() {
    let fixture = start();
    let client = &fixture.client;
    let list = || {
        let url = client.url("file") + "?op=upload_slice_list";
        client
            .send(&client.request("POST", &url, &[("Authorization", &client.token())], b"{}"))
            .outcome()
    };
    assert_eq!(list(), (404, -197));
    set(&fixture.emulator, "op_place=documented");
    assert_eq!(list(), (400, -5980));
    assert_eq!(client.stat("file").outcome(), (404, -197));
}

#[test]
fn token_place() {
    let outcomes = |value: &str| {
        let fixture = start_set(&[&format!("token_place={value}")]);
        let client = &fixture.client;
        let token = client.token();
        let body = br#"{"op":"upload_slice_list"}"#;
        let escaped = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let query = client.url("file") + "?sign=" + &escaped;
        let worded = format!("Authorization {token}");
        [
            client.request("POST", &client.url("file"), &[("Authorization", &token)], body),
            client.request("POST", &query, &[], body),
            client.request("POST", &client.url("file"), &[("Authorization", &worded)], body),
        ]
        .map(|request| client.send(&request).code())
    };
    assert_eq!(outcomes("any"), [-197, -197, -197]);
    assert_eq!(outcomes("header_or_query"), [-197, -197, -97]);
    assert_eq!(outcomes("header"), [-197, -81, -97]);
}

#[test]
fn fileid_scope() {
    let fixture = start();
    let tokens = ["", "/1251668577/videos/d", "/1251668577/videos/d/file"]
        .map(|fileid| fixture.client.sign(BUCKET, now() + 60, fileid));
    let codes = |value: &str| {
        fixture.emulator.set("fileid_scope", value).unwrap();
        tokens.clone().map(|token| list_with(&fixture, &token))
    };
    assert_eq!(codes("prefix"), [-197, -197, -197]);
    assert_eq!(codes("exact"), [-197, -63, -197]);
}

#[test]
fn signature_lifetime_clock_skew_and_expired_code() {
    let fixture = start();
    let client = &fixture.client;
    let signed = |signed: u64, expiry: u64| {
        client.sign_tail(&format!(
            "a=1251668577&k=AKIDtest&e={expiry}&t={signed}&r=1&f=&b={BUCKET}"
        ))
    };
    let code = |token: &str| list_with(&fixture, token);
    let long = signed(now(), now() + 100 * 86_400);
    assert_eq!(code(&long), -97);
    set(&fixture.emulator, "signature_lifetime=none");
    assert_eq!(code(&long), -197);
    set(&fixture.emulator, "signature_lifetime=60");
    assert_eq!(code(&signed(now(), now() + 61)), -97);
    assert_eq!(code(&signed(now(), now() + 60)), -197);

    let early = signed(now() + 600, now() + 660);
    assert_eq!(code(&early), -197);
    set(&fixture.emulator, "clock_skew=300");
    assert_eq!(code(&early), -97);

    let expired = signed(now() - 60, now() - 1);
    assert_eq!(code(&expired), -59);
    set(&fixture.emulator, "expired_code=-96");
    assert_eq!(code(&expired), -96);
}

#[test]
fn clock_offset() {
    let fixture = start();
    let token = fixture.client.token();
    let list = || {
        let answer = fixture
            .client
            .json_op("file", &token, r#"{"op":"upload_slice_list"}"#);
        let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
        let date = date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        (answer.outcome().1, date)
    };
    for (offset, code) in [(-86_400, -197), (0, -197), (86_400, -59)] {
        set(&fixture.emulator, &format!("clock_offset={offset}"));
        let (answered, date) = list();
        assert_eq!(answered, code, "{offset}");
        let expected = now().saturating_add_signed(offset);
        assert!(date.abs_diff(expected) < 60, "{offset}: {date}, not {expected}");
    }
}

#[test]
fn one_time_use() {
    for (value, second) in [("executed", (404, -197)), ("accepted", (403, -77))] {
        let fixture = start_set(&[&format!("one_time_use={value}")]);
        let rule = r#"{"operation":"delete","action":{"status":500,"code":-195}}"#;
        fixture
            .emulator
            .add_fault(cos_emulator::Fault::from_json(rule).unwrap());
        let token = fixture.client.once("file");
        let delete = || {
            fixture
                .client
                .json_op("file", &token, r#"{"op":"delete"}"#)
                .outcome()
        };
        assert_eq!(delete(), (500, -195));
        assert_eq!(delete(), second, "{value}");
        assert_eq!(delete(), (403, -77));
    }
}

#[test]
fn rate_limit() {
    let fixture = start_set(&["rate_limit=1"]);
    // A burst of one, then nothing for a second; the whole loop takes far less.
    let answers: Vec<_> = (0..20).map(|_| fixture.client.stat("file")).collect();
    assert_eq!(answers[0].outcome(), (404, -197));
    let limited = answers
        .iter()
        .filter(|answer| answer.outcome() == (503, -71))
        .count();
    assert!(limited >= 10, "{limited} of 20");
    assert!(
        answers
            .iter()
            .any(|answer| answer.header("retry-after") == Some("1"))
    );
    set(&fixture.emulator, "rate_limit=none");
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
}

#[test]
fn duplicate_fields() {
    let fixture = start_set(&["duplicate_fields=refuse"]);
    let fields = [("op", "upload_slice_list"), ("op", "upload_slice_list")];
    assert_eq!(fixture.client.post_text("file", &fields).outcome(), (400, -5993));
    assert_eq!(
        fixture.client.post_text("file", &fields[..1]).outcome(),
        (404, -197)
    );
}

#[test]
fn path_normalisation() {
    let fixture = start();
    assert_eq!(fixture.client.upload("a//b", b"x", &[]).outcome(), (400, -5994));
    set(&fixture.emulator, "path_normalisation=collapse");
    fixture.client.upload("a//b", b"x", &[]).data();
    assert_eq!(fixture.emulator.object(BUCKET, "a/b").unwrap(), b"x");
    assert_eq!(fixture.client.upload("a/../b", b"x", &[]).outcome(), (400, -5994));
}

#[test]
fn oversize() {
    let fixture = start_set(&["oversize=html"]);
    let answer = fixture.client.upload("file", &content(20 * MIB + 1), &[]);
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (413, Some("text/html"))
    );
    assert!(answer.text().starts_with("<html>"));
    set(&fixture.emulator, "oversize=json");
    assert_eq!(
        fixture
            .client
            .upload("file", &content(20 * MIB + 1), &[])
            .outcome(),
        (413, -285)
    );
}

#[test]
fn keep_alive() {
    let fixture = start_set(&["keep_alive=off"]);
    let mut stream = fixture.client.connect();
    stream
        .write_all(
            &fixture
                .client
                .form("file", &[("op", b"upload"), ("filecontent", b"abc")]),
        )
        .unwrap();
    assert_eq!(
        Answer::read(&mut stream).unwrap().header("connection"),
        Some("close")
    );
    assert_ended(&mut stream);
}
