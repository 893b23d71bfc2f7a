//! What is seen of the switches of signatures.

use serde_json::{Value, json};

use crate::support::{BUCKET, Fixture, now};

/// The code that a list gets with this signature, where a good one gets −197.
fn list_with(fixture: &Fixture, token: &str) -> i64 {
    let list = r#"{"op":"upload_slice_list"}"#;
    fixture.client.json_op("d/file", token, list).code()
}

/// A signature made and expiring so many seconds from now.
fn signed(fixture: &Fixture, made: i64, expiring: i64) -> String {
    let [made, expiring] = [made, expiring].map(|seconds| now().checked_add_signed(seconds).unwrap());
    fixture.client.sign_tail(&format!(
        "a=1251668577&k=AKIDtest&e={expiring}&t={made}&r=1&f=&b={BUCKET}"
    ))
}

/// In the header, in the query, in the header after a word.
pub fn token_place(fixture: &Fixture) -> Value {
    let client = &fixture.client;
    let token = client.token();
    let body = br#"{"op":"upload_slice_list"}"#;
    let escaped = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let query = client.url("file") + "?sign=" + &escaped;
    let worded = format!("Authorization {token}");
    let requests = [
        client.request("POST", &client.url("file"), &[("Authorization", &token)], body),
        client.request("POST", &query, &[], body),
        client.request("POST", &client.url("file"), &[("Authorization", &worded)], body),
    ];
    json!(requests.map(|request| client.send(&request).code()))
}

/// Bound to nothing, to the directory, to the object, and to what only begins like the directory.
pub fn fileid_scope(fixture: &Fixture) -> Value {
    let bound_to = |fileid: &str| {
        let token = fixture.client.sign(BUCKET, now() + 60, fileid);
        list_with(fixture, &token)
    };
    json!(
        [
            "",
            "/1251668577/videos/d",
            "/1251668577/videos/d/file",
            "/1251668577/videos/d/fi"
        ]
        .map(bound_to)
    )
}

/// For a minute, a day and a hundred days.
pub fn signature_lifetime(fixture: &Fixture) -> Value {
    json!([60, 86_400, 8_640_000].map(|seconds| list_with(fixture, &signed(fixture, 0, seconds))))
}

/// Made now, and in ten minutes.
pub fn clock_skew(fixture: &Fixture) -> Value {
    json!([0, 600].map(|made| list_with(fixture, &signed(fixture, made, made + 60))))
}

/// What a signature of this machine's time gets, and the days between that time and the answer's `Date`.
pub fn clock_offset(fixture: &Fixture) -> Value {
    let code = list_with(fixture, &signed(fixture, 0, 300));
    let answer = fixture.client.stat("file");
    let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
    let date = date.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let days = (date as f64 - now() as f64) / 86_400.0;
    json!([code, days.round() as i64])
}

pub fn expired_code(fixture: &Fixture) -> Value {
    let list = r#"{"op":"upload_slice_list"}"#;
    let token = signed(fixture, -60, -1);
    json!(fixture.client.json_op("file", &token, list).outcome())
}

/// One signature three times; the first time the operation fails.
pub fn one_time_use(fixture: &Fixture) -> Value {
    let rule = r#"{"operation":"delete","action":{"status":500,"code":-195}}"#;
    fixture
        .emulator
        .add_fault(cos_emulator::Fault::from_json(rule).unwrap());
    let token = fixture.client.once("file");
    let delete = |_| {
        fixture
            .client
            .json_op("file", &token, r#"{"op":"delete"}"#)
            .outcome()
    };
    json!([0, 1, 2].map(delete))
}
