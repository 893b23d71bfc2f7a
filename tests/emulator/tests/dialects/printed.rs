//! The printed examples of the documentation, to the letter.

use crate::support::{self, Fixture, content, now, start_with};
use crate::wire::crlf;
use cos_emulator::Config;
use serde_json::json;

/// The emulator of the printed examples of 2016.
fn accesslog() -> Fixture {
    start_with(|config: &mut Config| config.app_id = "10055004".to_owned())
}

const PRINTED_URL: &str = "/files/v2/10055004/accesslog/testfolder/111.txt";

/// The request line and header fields as printed, with a signature that is right.
fn printed(fixture: &Fixture, more: &str, boundary: &str, body: &[u8]) -> Vec<u8> {
    let token = fixture.client.sign("accesslog", now() + 180, "");
    let head = format!(
        "POST {PRINTED_URL} HTTP/1.1\nHost: sh.file.myqcloud.com\nAuthorization: {token}\n{more}Content-Length: {}\n\
         Content-Type: multipart/form-data; boundary={boundary}\n\n",
        body.len()
    );
    [crlf(&head), body.to_vec()].concat()
}

const INIT: &str = r#"------------------------------f43b7cf5bf1b
Content-Disposition: form-data; name="op"

upload_slice_init
------------------------------f43b7cf5bf1b
Content-Disposition: form-data; name="filesize"

36864
------------------------------f43b7cf5bf1b
Content-Disposition: form-data; name="slice_size"

524288
------------------------------f43b7cf5bf1b--
"#;

fn printed_init(fixture: &Fixture) -> Vec<u8> {
    let body = crlf(INIT);
    assert_eq!(body.len(), 361, "the printed Content-Length");
    printed(
        fixture,
        "Method:POST\n",
        "----------------------------f43b7cf5bf1b",
        &body,
    )
}

/// Begins the upload of the printed examples and sends its one slice.
fn begin_printed(fixture: &Fixture) -> String {
    let begun = fixture.client.send(&printed_init(fixture)).data();
    assert_eq!(begun["slice_size"], json!(524_288));
    let session = begun["session"].as_str().unwrap().to_owned();
    let client = &fixture.client;
    let slice = support::multipart(&[
        ("op", b"upload_slice_data"),
        ("session", session.as_bytes()),
        ("offset", b"0"),
        ("filecontent", &content(36_864)),
    ]);
    client
        .send(&printed(fixture, "", support::BOUNDARY, &slice))
        .data();
    session
}

#[test]
fn the_printed_init_and_finish_are_accepted_with_their_lengths() {
    let fixture = accesslog();
    let session = begin_printed(&fixture);
    let body = format!(
        "------------------------------2335c30f02ab\nContent-Disposition: form-data; name=\"op\"\n\nupload_slice_finish\n\
         ------------------------------2335c30f02ab\nContent-Disposition: form-data; name=\"session\"\n\n{session}\n\
         ------------------------------2335c30f02ab\nContent-Disposition: form-data; name=\"filesize\"\n\n36864\n\
         ------------------------------2335c30f02ab--\n"
    );
    let body = crlf(&body);
    assert_eq!(body.len(), 450, "the printed Content-Length");
    let finished = fixture
        .client
        .send(&printed(
            &fixture,
            "",
            "----------------------------2335c30f02ab",
            &body,
        ))
        .data();
    assert_eq!(
        finished["resource_path"],
        "/10055004/accesslog/testfolder/111.txt"
    );
    assert_eq!(
        fixture
            .emulator
            .object("accesslog", "testfolder/111.txt")
            .unwrap(),
        content(36_864)
    );
}

#[test]
fn the_answers_have_the_printed_shape_and_are_compact() {
    let fixture = accesslog();
    let answer = fixture.client.send(&printed_init(&fixture));
    let value = answer.json();
    let session = value["data"]["session"].as_str().unwrap();
    let id = value["request_id"].as_str().unwrap();
    let expected = format!(
        r#"{{"code":0,"message":"SUCCESS","request_id":"{id}","data":{{"session":"{session}","slice_size":524288}}}}"#
    );
    assert_eq!(answer.text(), expected);
    // Without the request id, which came later, this is the printed length.
    assert_eq!(expected.len() - format!("\"request_id\":\"{id}\",").len(), 168);
}

#[test]
fn the_printed_list_has_no_line_end_after_its_last_delimiter() {
    let fixture = accesslog();
    fixture.client.send(&printed_init(&fixture)).data();
    let body = crlf(
        "------------------------------2b804029035c\nContent-Disposition: form-data; name=\"op\"\n\nupload_slice_list\n\
         ------------------------------2b804029035c--",
    );
    assert_eq!(body.len(), 152, "the printed Content-Length");
    let listed = fixture
        .client
        .send(&printed(
            &fixture,
            "",
            "----------------------------2b804029035c",
            &body,
        ))
        .data();
    assert_eq!(
        (&listed["filesize"], &listed["listparts"]),
        (&json!(36_864), &json!([]))
    );
}

#[test]
fn the_printed_list_is_accepted_to_the_letter_without_its_blank_line_and_with_an_absolute_address() {
    let fixture = accesslog();
    fixture.client.send(&printed_init(&fixture)).data();
    let body = crlf(
        "------------------------------2b804029035c\nContent-Disposition: form-data; name=\"op\"\nupload_slice_list\n\
         ------------------------------2b804029035c--\n",
    );
    assert_eq!(body.len(), 152, "the other reading of the printed Content-Length");
    let request = printed(&fixture, "", "----------------------------2b804029035c", &body);
    let absolute = String::from_utf8(request)
        .unwrap()
        .replace(PRINTED_URL, &format!("http://gz.file.myqcloud.com{PRINTED_URL}"));
    assert_eq!(
        fixture.client.send(absolute.as_bytes()).data()["slice_size"],
        json!(524_288)
    );
}

#[test]
fn a_finish_with_a_filename_on_every_field_and_an_empty_filesize_is_accepted() {
    let fixture = accesslog();
    let session = begin_printed(&fixture);
    let boundary = "b395db9c8e4f4d59907a1943d1c1bcd5";
    // As printed: a blank line too many after the session, one too few in the empty filesize.
    let body = format!(
        "--{boundary}\nContent-Disposition: form-data; name=\"session\"; filename=\"session\"\n\n{session}\n\n\
         --{boundary}\nContent-Disposition: form-data; name=\"filesize\"; filename=\"filesize\"\n\n\
         --{boundary}\nContent-Disposition: form-data; name=\"op\"; filename=\"op\"\n\nupload_slice_finish\n\
         --{boundary}--\n\n"
    );
    fixture
        .client
        .send(&printed(&fixture, "", boundary, &crlf(&body)))
        .data();
    assert_eq!(
        fixture
            .emulator
            .object("accesslog", "testfolder/111.txt")
            .unwrap()
            .len(),
        36_864
    );
}
