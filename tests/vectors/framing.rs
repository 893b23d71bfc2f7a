//! Requests: the exact bytes, and that they mean what went into them.

use std::sync::Arc;

use cos_slice::protocol::dialect::Dialect;
use cos_slice::protocol::digest::{Digests, Hasher};
use cos_slice::protocol::json_v2;
use cos_slice::protocol::location::Location;
use cos_slice::protocol::multipart::{Boundary, Form};
use cos_slice::protocol::signature::Kind;
use cos_slice::protocol::{Finish, Init, Operation, Request, Segment, SingleUpload, Slice};
use proptest::prelude::*;

use crate::body::{bytes, crlf, fields};

const NONCE: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
const BOUNDARY: &str = "----------------------------0123456789abcdef0011223344556677";

fn location() -> Location {
    Location::new("10055004", "accesslog", "/test folder/111.txt").unwrap()
}

fn encode(operation: &Operation, location: &Location, nonce: u128) -> Request {
    json_v2::encode(operation, location, &Dialect::default(), nonce)
}

fn digests(data: &[u8], granularity: u64) -> Arc<Digests> {
    let mut hasher = Hasher::new(granularity);
    hasher.update(data);
    Arc::new(hasher.finish())
}

/// The form with these fields, as it must come out.
fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut text = String::new();
    for (name, value) in fields {
        text += &format!("--{BOUNDARY}\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n");
    }
    crlf(&(text + &format!("--{BOUNDARY}--\n")))
}

#[track_caller]
fn assert_form(request: &Request, source: &[u8], fields: &[(&str, &str)]) {
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.target,
        "/files/v2/10055004/accesslog/test%20folder/111.txt"
    );
    assert_eq!(
        request.content_type,
        Some(format!("multipart/form-data; boundary={BOUNDARY}"))
    );
    assert_eq!(request.signature, Kind::MultiEffect);
    let (actual, expected) = (bytes(&request.body, source), form(fields));
    assert_eq!(
        String::from_utf8_lossy(&actual),
        String::from_utf8_lossy(&expected)
    );
    assert_eq!(actual, expected);
}

#[test]
fn init_sends_every_field_that_it_has() {
    let digests = digests(b"hello", 524_288);
    let init = Init {
        size: 5,
        slice_size: 524_288,
        digests: Some(digests),
        biz_attr: Some("attribute".into()),
        overwrite: true,
        session: None,
    };
    let fields = [
        ("op", "upload_slice_init"),
        ("filesize", "5"),
        ("slice_size", "524288"),
        ("sha", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
        (
            "uploadparts",
            r#"[{"offset":0,"datalen":5,"datasha":"aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"}]"#,
        ),
        ("biz_attr", "attribute"),
        ("insertOnly", "0"),
    ];
    assert_form(&encode(&Operation::Init(init), &location(), NONCE), b"", &fields);
}

#[test]
fn a_slice_is_sent_last_and_is_never_copied_into_the_frame() {
    let source = b"0123456789";
    let sha = digests(source, 64).whole();
    let slice = Slice {
        session: "s1".into(),
        offset: 4,
        length: 3,
        sha: Some(sha),
    };
    let request = encode(&Operation::Slice(slice), &location(), NONCE);
    let fields = [
        ("op", "upload_slice_data"),
        ("session", "s1"),
        ("offset", "4"),
        ("sha", "87acec17cd9dcd20a716cc2cf67417b71c8a7016"),
        ("filecontent", "456"),
    ];
    assert_form(&request, source, &fields);
    assert!(matches!(
        request.body.segments[1],
        Segment::Source { offset: 4, length: 3 }
    ));
}

#[test]
fn a_slice_without_hashing_has_no_sha() {
    let slice = Slice {
        session: "s1".into(),
        offset: 0,
        length: 2,
        sha: None,
    };
    let fields = [
        ("op", "upload_slice_data"),
        ("session", "s1"),
        ("offset", "0"),
        ("filecontent", "ab"),
    ];
    assert_form(
        &encode(&Operation::Slice(slice), &location(), NONCE),
        b"ab",
        &fields,
    );
}

#[test]
fn finish_repeats_the_sha_of_init() {
    let sha = digests(b"hello", 64).whole();
    let finish = Finish {
        session: "s1".into(),
        size: 5,
        sha: Some(sha),
    };
    let fields = [
        ("op", "upload_slice_finish"),
        ("session", "s1"),
        ("filesize", "5"),
        ("sha", "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"),
    ];
    assert_form(
        &encode(&Operation::Finish(finish), &location(), NONCE),
        b"",
        &fields,
    );
}

#[test]
fn the_one_shot_upload_sends_the_whole_source() {
    let upload = SingleUpload {
        size: 5,
        sha: None,
        biz_attr: Some("a".into()),
        overwrite: true,
    };
    let fields = [
        ("op", "upload"),
        ("biz_attr", "a"),
        ("insertOnly", "0"),
        ("filecontent", "hello"),
    ];
    assert_form(
        &encode(&Operation::Upload(upload), &location(), NONCE),
        b"hello",
        &fields,
    );

    let empty = SingleUpload {
        size: 0,
        sha: Some(digests(b"", 64).whole()),
        biz_attr: None,
        overwrite: false,
    };
    let fields = [
        ("op", "upload"),
        ("sha", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("filecontent", ""),
    ];
    assert_form(
        &encode(&Operation::Upload(empty), &location(), NONCE),
        b"",
        &fields,
    );
}

#[test]
fn list_names_only_itself() {
    assert_form(
        &encode(&Operation::List, &location(), NONCE),
        b"",
        &[("op", "upload_slice_list")],
    );
}

#[test]
fn stat_is_a_query_without_a_body() {
    let request = encode(&Operation::Stat, &location(), NONCE);
    assert_eq!(request.method, "GET");
    assert_eq!(
        request.target,
        "/files/v2/10055004/accesslog/test%20folder/111.txt?op=stat"
    );
    assert_eq!(
        (request.content_type, request.signature),
        (None, Kind::MultiEffect)
    );
    assert!(request.body.is_empty());
}

#[test]
fn delete_is_json_under_a_one_time_signature() {
    let request = encode(&Operation::Delete, &location(), NONCE);
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.target,
        "/files/v2/10055004/accesslog/test%20folder/111.txt"
    );
    assert_eq!(request.content_type.as_deref(), Some("application/json"));
    assert_eq!(request.signature, Kind::OneTime);
    assert_eq!(bytes(&request.body, b""), br#"{"op":"delete"}"#);
}

#[test]
fn a_boundary_that_would_need_quoting_is_refused() {
    for bad in ["", "a b", "a\r\nb", "a\"b", "a;b", &"x".repeat(71)] {
        assert_eq!(Boundary::new(bad), None, "{bad:?}");
    }
    assert!(Boundary::new(&"x".repeat(70)).is_some());
    assert!(Boundary::new(Boundary::from_nonce(u128::MAX).as_str()).is_some());
    assert_ne!(Boundary::from_nonce(1), Boundary::from_nonce(2));
}

proptest! {
    #[test]
    fn whatever_the_values_are_the_fields_come_out_as_they_went_in(
        nonce: u128,
        value in "(\\PC|\r\n|\n|--|-{28}|\"|Content-Disposition: form-data; name=\"op\"|\u{0})*",
        source in prop::collection::vec(any::<u8>(), 0..300),
        granularity in (1u64..4).prop_map(|blocks| blocks * 64),
        split in 0usize..300,
    ) {
        let boundary = Boundary::from_nonce(nonce);
        let digests = digests(&source, granularity);
        let split = split.min(source.len());
        let form = Form::new(boundary.clone())
            .text("biz_attr", &value)
            .parts("uploadparts", digests.clone())
            .text("empty", "")
            .source("filecontent", split as u64, (source.len() - split) as u64);
        let text = bytes(&form.finish(), &source);
        let parts: String = (0..digests.part_count()).map(|index| digests.upload_part(index)).collect();
        let expected = vec![
            ("biz_attr".to_owned(), value.into_bytes()),
            ("uploadparts".to_owned(), parts.into_bytes()),
            ("empty".to_owned(), Vec::new()),
            ("filecontent".to_owned(), source[split..].to_vec()),
        ];
        prop_assert_eq!(fields(&text, boundary.as_str()), expected);
    }
}
