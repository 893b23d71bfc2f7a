//! What is seen of the switches of private stores.

use serde_json::{Value, json};

use crate::support::{BOUNDARY, Fixture, MIB, multipart};

/// The codes that a list in a form gets under each of these header fields; −197 where it got through.
fn listed(fixture: &Fixture, headers: &[(&str, &str)], fields: &[(&str, &[u8])]) -> i64 {
    let client = &fixture.client;
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers = [&[("Content-Type", &*content_type)], headers].concat();
    let body = multipart(&[&[("op", &b"upload_slice_list"[..])], fields].concat());
    let request = client.request("POST", &client.url("file"), &headers, &body);
    client.send(&request).code()
}

/// The codes of inits with these sizes.
pub fn slice_sizes(fixture: &Fixture) -> Value {
    let sizes = [MIB / 2, MIB, 4 * MIB, 8 * MIB];
    json!(sizes.map(|size| {
        let path = format!("sizes/{size}");
        fixture.client.init(&path, 10 * MIB, size, &[]).code()
    }))
}

/// Without a word, with the right one, and with another.
pub fn token_word(fixture: &Fixture) -> Value {
    let token = fixture.client.token();
    let written = [token.clone(), format!("COS {token}"), format!("Bearer {token}")];
    json!(written.map(|text| listed(fixture, &[("Authorization", &text)], &[])))
}

/// Without the field, with some value, and with the right one.
pub fn required_field(fixture: &Fixture) -> Value {
    let token = fixture.client.token();
    let headers = [("Authorization", &*token)];
    let forms: [&[(&str, &[u8])]; 3] = [&[], &[("store", b"red")], &[("store", b"blue")]];
    json!(forms.map(|fields| listed(fixture, &headers, fields)))
}

/// Without the header field, with some value, and with the right one.
pub fn required_header(fixture: &Fixture) -> Value {
    let token = fixture.client.token();
    let heads: [&[(&str, &str)]; 3] = [&[], &[("X-Store", "red")], &[("x-store", "blue")]];
    json!(heads.map(|more| listed(fixture, &[&[("Authorization", &*token)], more].concat(), &[])))
}

/// The code and the echo for a right MD5, for a wrong one, and without one.
pub fn datamd5(fixture: &Fixture) -> Value {
    let session = fixture.client.begin("file", 3, MIB);
    let (right, wrong) = (
        "900150983cd24fb0d6963f7d28e17f72",
        "00000000000000000000000000000000",
    );
    let fields: [&[(&str, &str)]; 3] = [&[("datamd5", right)], &[("datamd5", wrong)], &[]];
    json!(fields.map(|more| {
        let answer = fixture.client.data("file", &session, 0, b"abc", more);
        let echo = &answer.json()["data"]["datamd5"];
        json!([answer.code(), more.iter().any(|(_, sent)| echo == sent)])
    }))
}
