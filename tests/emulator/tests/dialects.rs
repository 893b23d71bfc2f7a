//! The ways in which clients and printed examples write a request.

mod support;

use cos_emulator::Config;
use serde_json::json;
use support::{Fixture, content, now, start, start_with};

/// A body printed with `\n` has CRLF on the wire.
fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

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

/// One slice in a client's own way of writing it; `parts` follow one another between the delimiters.
fn slice_is_accepted(prefix: &str, content_type: &str, parts: &[String], suffix: &str) {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 10, 1 << 20);
    let mut body = prefix.to_owned();
    for part in parts {
        body.push_str(&format!("--xyz\r\n{}\r\n", part.replace("SESSION", &session)));
    }
    body.push_str(&format!("--xyz--{suffix}"));
    let headers = [
        ("Authorization", &*client.token()),
        ("Content-Type", content_type),
    ];
    let answer = client.send(&client.request("POST", &client.url("file"), &headers, body.as_bytes()));
    assert_eq!(answer.data()["datalen"], json!(10), "{body}");
    client.finish("file", &session, 10, &[]).data();
    assert_eq!(
        fixture.emulator.object(support::BUCKET, "file").unwrap(),
        b"0123456789"
    );
}

const UNQUOTED: &str = "multipart/form-data; boundary=xyz";

fn field(name: &str, value: &str) -> String {
    format!("Content-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}")
}

#[test]
fn the_file_part_may_come_first_and_have_any_filename_or_none() {
    for filename in [
        "",
        "; filename=\"data\"",
        "; filename=\"blob\"",
        "; filename=\"a;name=b.bin\"",
        "; filename=\"\"",
    ] {
        let file =
            format!("Content-Disposition: form-data; name=\"filecontent\"{filename}\r\n\r\n0123456789");
        slice_is_accepted(
            "",
            UNQUOTED,
            &[
                file,
                field("op", "upload_slice_data"),
                field("offset", "0"),
                field("session", "SESSION"),
            ],
            "\r\n",
        );
    }
}

#[test]
fn parts_may_have_more_header_lines() {
    let text = |name: &str, value: &str| {
        format!(
            "Content-Disposition: form-data; name=\"{name}\"\r\nContent-Type: text/plain; charset=UTF-8\r\n\
             Content-Transfer-Encoding: 8bit\r\n\r\n{value}"
        )
    };
    let file = "Content-Disposition: form-data; name=\"filecontent\"; filename=\"x\"\r\nContent-Type: application/octet-stream\r\n\
                Content-Transfer-Encoding: binary\r\nContent-Length: 10\r\n\r\n0123456789";
    let parts = [
        text("offset", "0"),
        file.to_owned(),
        text("session", "SESSION"),
        text("op", "upload_slice_data"),
    ];
    slice_is_accepted(
        "",
        "multipart/form-data; boundary=\"xyz\"; charset=UTF-8",
        &parts,
        "\r\n",
    );
}

#[test]
fn a_line_end_before_the_first_delimiter_and_other_spellings_of_the_file_field_are_accepted() {
    let parts = [
        field("op", "upload_slice_data"),
        field("session", "SESSION"),
        field("offset", "0"),
        field("fileContent", "0123456789"),
    ];
    slice_is_accepted("\r\n", UNQUOTED, &parts, "");
}

#[test]
fn repeated_fields_are_accepted() {
    let once = [
        field("op", "upload_slice_data"),
        field("session", "SESSION"),
        field("offset", "0"),
        field("filecontent", "0123456789"),
    ];
    slice_is_accepted("", UNQUOTED, &[once.clone(), once].concat(), "\r\n");
}

#[test]
fn ignored_fields_of_some_clients_do_no_harm() {
    let parts = [
        field("op", "upload_slice_data"),
        field("sliceSize", "1048576"),
        field("file_size", "10"),
        field("session", "SESSION"),
        field("offset", "0"),
        field("filecontent", "0123456789"),
    ];
    slice_is_accepted("", UNQUOTED, &parts, "\r\n");
}

#[test]
fn list_may_come_as_json_under_any_content_type() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 10, 1 << 20);
    for content_type in [
        "application/json",
        "text/plain",
        "application/json; charset=utf-8",
    ] {
        let headers = [
            ("Authorization", &*client.token()),
            ("Content-Type", content_type),
        ];
        let body = br#"{"op":"upload_slice_list"}"#;
        let listed = client
            .send(&client.request("POST", &client.url("file"), &headers, body))
            .data();
        assert_eq!(listed["session"], json!(session));
    }
}

#[test]
fn filesize_may_be_spelled_with_a_capital() {
    let fixture = start();
    let session = fixture.client.begin("file", 3, 1 << 20);
    fixture.client.data("file", &session, 0, b"abc", &[]).data();
    let fields = [
        ("op", "upload_slice_finish"),
        ("session", &*session),
        ("fileSize", "4"),
    ];
    assert_eq!(fixture.client.post_text("file", &fields).outcome(), (400, -175));
    let fields = [
        ("op", "upload_slice_finish"),
        ("session", &*session),
        ("fileSize", "3"),
    ];
    fixture.client.post_text("file", &fields).data();
}

#[test]
fn a_path_is_the_same_object_however_it_is_encoded() {
    let fixture = start();
    let client = &fixture.client;
    client.upload("a%20b/%C3%A4%7e.bin", b"x", &[]).data();
    for spelling in ["a%20b/%c3%a4~.bin", "%61%20b%2F%C3%A4~.bin"] {
        assert_eq!(client.stat(spelling).data()["filesize"], json!(1), "{spelling}");
    }
    assert_eq!(
        fixture.emulator.object(support::BUCKET, "a b/ä~.bin").unwrap(),
        b"x"
    );
}

#[test]
fn a_form_that_is_none_is_refused() {
    let fixture = start();
    let client = &fixture.client;
    let post = |content_type: &str, body: &[u8]| {
        let headers = [
            ("Authorization", &*client.token()),
            ("Content-Type", content_type),
        ];
        client
            .send(&client.request("POST", &client.url("file"), &headers, body))
            .outcome()
    };
    assert_eq!(post("multipart/form-data", b"--x--"), (400, -5993));
    assert_eq!(
        post(
            UNQUOTED,
            b"--xyz\r\nContent-Disposition: form-data; name=\"op\"\r\n\r\nstat"
        ),
        (400, -5993)
    );
    assert_eq!(post("application/json", b"[]"), (400, -5993));
    assert_eq!(post("application/json", b""), (400, -5980));
    assert_eq!(post(UNQUOTED, b"--xyz--"), (400, -5980));
    assert_eq!(post("application/json", br#"{"op":"dance"}"#), (400, -75));
    assert_eq!(post("application/json", br#"{"op":"stat"}"#), (405, -5972));
}
