//! `upload_slice`, the page of the first version: one operation that begins an upload, carries its slices, and ends it.

use std::sync::Arc;

use cos_slice::protocol::digest::{Digests, Hasher};
use cos_slice::protocol::{Api, OperationKind, Session, Slice, Stored, json_v1};

use super::*;

const CONTENT: &[u8] = b"what is in the file";

fn digests() -> Arc<Digests> {
    let mut hasher = Hasher::new(524_288);
    hasher.update(CONTENT);
    Arc::new(hasher.finish())
}

fn control(session: Option<&str>) -> Operation {
    Operation::Init(Init {
        size: CONTENT.len() as u64,
        slice_size: 524_288,
        digests: Some(digests()),
        biz_attr: Some("an attribute".into()),
        overwrite: false,
        session: session.map(Into::into),
    })
}

/// The second slice of the content, from its fifth byte on.
fn data() -> Operation {
    Operation::Slice(Slice {
        session: SESSION.into(),
        offset: 5,
        length: 7,
        sha: Some(digests().whole()),
    })
}

fn v1_fields(operation: &Operation) -> Vec<(String, String)> {
    let request = json_v1::encode(operation, &log_file(), &Dialect::default(), 1);
    assert_request_line(&request, "/files/v1/10055004/accesslog/testfolder/111.txt");
    let boundary = request
        .content_type
        .as_deref()
        .and_then(|it| it.strip_prefix("multipart/form-data; boundary="));
    let fields = body::fields(&body::bytes(&request.body, CONTENT), boundary.unwrap());
    fields
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
        .collect()
}

fn v1_reply(operation: &Operation, http_status: u16, json: &str) -> Result<Answer, ReplyError> {
    let head = Head {
        http_status,
        ..Head::default()
    };
    json_v1::decode(operation, &head, &mut json.as_bytes())
}

fn v1_answer(operation: &Operation, data: &str) -> Answer {
    let json = format!(r#"{{"code":0,"message":"SUCCESS","data":{data}}}"#);
    v1_reply(operation, 200, &json).unwrap_or_else(|error| panic!("{data}: {error}"))
}

fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect()
}

#[test]
fn every_request_is_the_one_operation() {
    for operation in [control(None), data()] {
        assert_eq!(v1_fields(&operation)[0], ("op".into(), "upload_slice".into()));
        assert_eq!(Api::FilesV1.operation_name(operation.kind()), "upload_slice");
    }
}

#[test]
fn the_control_request_has_the_fields_of_its_table() {
    let (size, sha) = (CONTENT.len().to_string(), digests().whole().to_string());
    let fields = v1_fields(&control(Some("to go on")));
    assert_eq!(
        pairs(&fields),
        [
            ("op", "upload_slice"),
            ("filesize", &size),
            ("sha", &sha),
            ("biz_attr", "an attribute"),
            ("session", "to go on"),
            // Not on the page: client libraries of its time send it.
            ("slice_size", "524288"),
        ]
    );
    let fields = v1_fields(&control(None));
    assert!(
        !pairs(&fields).iter().any(|(name, _)| *name == "session"),
        "only to resume"
    );
    assert!(Api::FilesV1.rules().needs_digest, "the sha is mandatory");
}

#[test]
fn the_data_request_has_the_fields_of_its_table_with_the_sha_of_the_slice() {
    let mut slice = Hasher::new(64);
    slice.update(&CONTENT[5..12]);
    let sha = slice.finish().whole().to_string();
    let fields = v1_fields(&data());
    assert_eq!(
        pairs(&fields),
        [
            ("op", "upload_slice"),
            ("session", SESSION),
            ("offset", "5"),
            ("filecontent", "is in t"),
            ("sha", &sha),
        ]
    );
}

#[test]
fn the_control_answer_tells_where_to_begin() {
    let session = |slice_size, offset| {
        Answer::Session(Session {
            session: "s".into(),
            slice_size,
            serial: Some(true),
            offset,
        })
    };
    let told = v1_answer(
        &control(None),
        r#"{"session":"s","offset":1048576,"slice_size":1048576}"#,
    );
    assert_eq!(told, session(1_048_576, 1_048_576));
    let told = v1_answer(&control(None), r#"{"session":"s","offset":"7","slice_size":"3"}"#);
    assert_eq!(told, session(3, 7), "numbers as texts");
    // "In most cases" each of them is there.
    assert_eq!(
        v1_answer(&control(None), r#"{"session":"s"}"#),
        session(524_288, 0)
    );
}

#[test]
fn the_control_answer_has_the_addresses_where_all_of_it_is_there() {
    let json = r#"{"access_url":"http://a/x","url":"http://u/x","resource_path":"/1/b/x"}"#;
    let Answer::Complete(links) = v1_answer(&control(None), json) else {
        panic!("not complete")
    };
    assert_eq!(
        (
            links.access_url.as_deref(),
            links.url.as_deref(),
            links.resource_path.as_deref()
        ),
        (Some("http://a/x"), Some("http://u/x"), Some("/1/b/x"))
    );
    for no_address in ["{}", r#"{"vid":"v"}"#, r#"{"preview_url":"http://p/x"}"#] {
        let json = format!(r#"{{"code":0,"message":"","data":{no_address}}}"#);
        let neither = v1_reply(&control(None), 200, &json);
        assert!(matches!(neither, Err(ReplyError::Refused(refusal)) if refusal.class == Class::Retry));
    }
}

#[test]
fn the_data_answer_tells_the_slice_s_offset_and_the_last_one_the_addresses() {
    let stored = Answer::Stored(Stored {
        offset: Some(5),
        length: None,
    });
    assert_eq!(v1_answer(&data(), r#"{"session":"s","offset":5}"#), stored);
    assert_eq!(
        v1_answer(&data(), "{}"),
        Answer::Stored(Stored::default()),
        "none of it is mandatory"
    );
    for address in ["access_url", "url", "resource_path"] {
        let json = format!(r#"{{"session":"s","offset":5,"{address}":"/1/b/x"}}"#);
        assert!(matches!(v1_answer(&data(), &json), Answer::Complete(_)), "{json}");
    }
}

#[test]
fn the_offset_is_the_server_s_and_there_is_neither_a_list_nor_a_finish() {
    let rules = Api::FilesV1.rules();
    assert!(rules.server_names_offset && !rules.has_finish && !rules.parallel);
    let rules = Api::FilesV2.rules();
    assert!(!rules.server_names_offset && rules.has_finish && rules.parallel && !rules.needs_digest);
}

#[test]
fn codes_have_the_meaning_of_their_time() {
    let class = |api, code| codes::lookup(api, code).map(|row| row.class);
    assert_eq!(class(Api::FilesV1, -4019), Some(Class::Relist));
    assert_eq!(class(Api::FilesV1, -4020), Some(Class::Final));
    assert_eq!(class(Api::FilesV2, -4020), Some(Class::OtherUpload));
    assert_eq!(class(Api::FilesV1, -4024), Some(Class::Retry));
    let refused = v1_reply(&data(), 200, r#"{"code":-4019,"message":"ERROR"}"#);
    let Err(ReplyError::Refused(refusal)) = refused else {
        panic!("not refused")
    };
    assert_eq!((refusal.api, refusal.ambiguous), (Api::FilesV1, false));
    for row in codes::V1_ROWS {
        let common = codes::lookup(Api::FilesV2, row.code).expect("a code that both know");
        assert_ne!(common.meaning, row.meaning);
        assert_eq!(codes::lookup(Api::FilesV1, row.code), Some(row));
    }
}

#[test]
fn what_both_versions_have_differs_by_the_address_alone() {
    for operation in [Operation::Stat, Operation::Delete, Operation::CreateDirectory(1)] {
        let (v1, v2) = (
            Api::FilesV1.encode(&operation, &log_file(), &Dialect::default(), 1),
            Api::FilesV2.encode(&operation, &log_file(), &Dialect::default(), 1),
        );
        assert_eq!(v1.target, v2.target.replacen("/files/v2", "/files/v1", 1));
        assert_eq!((v1.method, v1.signature), (v2.method, v2.signature));
        assert_eq!(body::bytes(&v1.body, b""), body::bytes(&v2.body, b""));
    }
    assert_eq!(
        Api::FilesV1
            .encode(
                &Operation::CreateDirectory(1),
                &log_file(),
                &Dialect::default(),
                1
            )
            .target,
        "/files/v1/10055004/accesslog/testfolder/"
    );
    assert_eq!(
        Api::FilesV1.operation_name(OperationKind::CreateDirectory),
        "create"
    );
}
