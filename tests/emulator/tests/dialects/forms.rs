//! The ways of writing a form and a path, one by one.

use crate::support::{BUCKET, start};
use serde_json::json;

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
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"0123456789");
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
    assert_eq!(fixture.emulator.object(BUCKET, "a b/ä~.bin").unwrap(), b"x");
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
