//! The documentation pages of the slice operations, table by table and example by example.
//!
//! Each module is one page. What is quoted here are the page's facts: field names, accepted values, and the bytes of
//! its printed examples (with the line ends and without the indentation that they have on the wire).

use cos_slice::protocol::codes::{self, Class, Fault};
use cos_slice::protocol::dialect::Dialect;
use cos_slice::protocol::json_v2::{self, decode};
use cos_slice::protocol::location::Location;
use cos_slice::protocol::multipart::Boundary;
use cos_slice::protocol::reply::{Head, ReplyError};
use cos_slice::protocol::signature::Kind;
use cos_slice::protocol::{
    Answer, Finish, Init, Links, MAX_SINGLE_REQUEST_SIZE, Operation, Refusal, Request,
};

mod service;
mod upload_slice;
mod upload_slice_finish;
mod upload_slice_finish_2017;
mod upload_slice_init;
mod upload_slice_list;

#[path = "../support/body.rs"]
mod body;

/// The session of the examples of 2016.
const SESSION: &str =
    "58ccd1b3120e85c4ebb7b786154408df4fe22230cb8f328d41599b237661855d6242793ba2481c1ac0b1277051003cab";

/// The slice sizes that the pages list, in bytes.
const SLICE_SIZES: [u64; 4] = [524_288, 1_048_576, 2_097_152, 3_145_728];

/// The object of the examples of 2016.
fn log_file() -> Location {
    Location::new("10055004", "accesslog", "/testfolder/111.txt").unwrap()
}

fn init(overwrite: bool) -> Init {
    Init {
        size: 36864,
        slice_size: 524_288,
        digests: None,
        biz_attr: None,
        overwrite,
        session: None,
    }
}

fn finish() -> Operation {
    Operation::Finish(Finish {
        session: SESSION.into(),
        size: 36864,
        sha: None,
    })
}

/// The request's form fields, in order.
fn fields(request: &Request) -> Vec<(String, String)> {
    let boundary = request
        .content_type
        .as_deref()
        .and_then(|it| it.strip_prefix("multipart/form-data; boundary="));
    let fields = body::fields(&body::bytes(&request.body, b""), boundary.expect("a form"));
    fields
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8(value).unwrap()))
        .collect()
}

fn fields_of(operation: &Operation) -> Vec<(String, String)> {
    fields(&encode(operation, &log_file(), 1))
}

/// What every page says of its request: POST to the object's address without a query, a form, a multi-effect
/// signature.
#[track_caller]
fn assert_request_line(request: &Request, target: &str) {
    assert_eq!((request.method, request.target.as_str()), ("POST", target));
    assert!(
        request
            .content_type
            .as_deref()
            .unwrap()
            .starts_with("multipart/form-data; boundary=")
    );
    assert_eq!(request.signature, Kind::MultiEffect);
}

/// A request as the service wants it.
fn encode(operation: &Operation, location: &Location, nonce: u128) -> Request {
    json_v2::encode(operation, location, &Dialect::default(), nonce)
}

fn encode_with_boundary(operation: &Operation, location: &Location, boundary: Boundary) -> Request {
    json_v2::encode_with_boundary(operation, location, &Dialect::default(), boundary)
}

fn reply(operation: &Operation, http_status: u16, json: &str) -> Result<Answer, ReplyError> {
    let head = Head {
        http_status,
        ..Head::default()
    };
    decode(operation, &head, &mut json.as_bytes())
}

#[track_caller]
fn answer(operation: &Operation, json: &str) -> Answer {
    reply(operation, 200, json).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refusal(operation: &Operation, http_status: u16, json: &str) -> Refusal {
    match reply(operation, http_status, json) {
        Err(ReplyError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// Printed JSON as it goes over the wire: without white space outside texts. The examples have no escapes.
fn compact(printed: &str) -> String {
    let mut in_text = false;
    let keep = |character: &char| {
        in_text ^= *character == '"';
        in_text || !character.is_whitespace()
    };
    printed.chars().filter(keep).collect()
}

/// The `data` of a page's answer table, one field less at a time: none of them is mandatory.
#[track_caller]
fn assert_all_optional(operation: &Operation, data: &[(&str, &str)]) {
    for left_out in 0..data.len() {
        let rest = data.iter().enumerate().filter(|(index, _)| *index != left_out);
        let rest: Vec<String> = rest
            .map(|(_, (name, value))| format!("\"{name}\":\"{value}\""))
            .collect();
        let json = format!(
            r#"{{"code":0,"message":"SUCCESS","data":{{{}}}}}"#,
            rest.join(",")
        );
        assert!(matches!(answer(operation, &json), Answer::Complete(_)), "{json}");
    }
}

/// "An unfinished upload answers −4019; list, and go on": the sentence that all four pages share.
#[track_caller]
fn assert_unfinished_is_listed(operation: &Operation) {
    for http_status in [200, 409] {
        let refusal = refusal(
            operation,
            http_status,
            r#"{"code":-4019,"message":"ERROR","data":{}}"#,
        );
        assert_eq!(
            (refusal.code, refusal.class, refusal.ambiguous),
            (Some(-4019), Class::Relist, false)
        );
    }
}
