//! Answers as the service gives them.

use crate::codes::{self, Refusal};
use crate::faults;
use crate::operations::Data;
use crate::switches::{HttpStatus, Oversize, Switches};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER, SERVER};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};
use std::io;
use std::time::{Duration, UNIX_EPOCH};

/// The body of any answer.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

const JSON_TYPE: &str = "application/json; charset=utf-8";
const SERVER_NAME: HeaderValue = HeaderValue::from_static("tencent-cos");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-cos-request-id");
/// The page of the front proxy, in our own words.
const TOO_LARGE_PAGE: &str = "<html><head><title>413 Request Entity Too Large</title></head><body><h1>413 Request Entity Too Large</h1></body></html>\r\n";

/// A request id in the service's shape: Base64 of four hex fields joined by `_`, the first being the Unix
/// seconds of the request.
pub(crate) fn request_id(now: u64, connection: u64, port: u16, sequence: u64) -> String {
    STANDARD.encode(format!("{now:x}_{connection:x}_{port:x}_{sequence:x}"))
}

/// An answer not yet turned into a response, so that faults can still change it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) code: Option<i64>,
    content_type: String,
    headers: Vec<(String, String)>,
    body: Body,
}

#[derive(Debug, Clone, PartialEq)]
enum Body {
    /// The envelope, keys in the documented order.
    Envelope(Value),
    /// Anything else.
    Raw(String),
}

fn envelope(code: i64, message: &str, request_id: &str, data: Data) -> Body {
    Body::Envelope(json!({"code": code, "message": message, "request_id": request_id, "data": data}))
}

impl Reply {
    fn json(status: u16, code: i64, body: Body) -> Reply {
        Reply {
            status,
            code: Some(code),
            content_type: JSON_TYPE.to_owned(),
            headers: Vec::new(),
            body,
        }
    }

    /// Success.
    pub(crate) fn success(request_id: &str, data: Data) -> Reply {
        Reply::json(200, 0, envelope(0, "SUCCESS", request_id, data))
    }

    /// A refusal, with its status as the switches say.
    pub(crate) fn refusal(request_id: &str, refusal: &Refusal, switches: &Switches) -> Reply {
        let code = refusal.code;
        if code == codes::FILE_TOO_LARGE && switches.oversize == Oversize::Html {
            return Reply::raw(413, "text/html", TOO_LARGE_PAGE).under(Some(code.number));
        }
        let status = match switches.http_status {
            HttpStatus::Documented => code.status,
            HttpStatus::Always200 => 200,
        };
        Reply::json(
            status,
            code.number,
            envelope(code.number, &refusal.message(), request_id, Data::new()),
        )
    }

    /// What a fault told to answer.
    pub(crate) fn scripted(request_id: &str, answer: &faults::Answer) -> Reply {
        let message = answer
            .message
            .as_deref()
            .unwrap_or("ERROR_SCRIPTED: a fault rule of the emulator says so");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Reply {
            headers: answer
                .headers
                .iter()
                .map(|(name, value)| (name.clone(), text(value)))
                .collect(),
            ..Reply::json(
                answer.status,
                answer.code,
                envelope(answer.code, message, request_id, Data::new()),
            )
        }
    }

    /// Any body.
    pub(crate) fn raw(status: u16, content_type: &str, body: &str) -> Reply {
        let body = Body::Raw(body.to_owned());
        Reply {
            status,
            code: None,
            content_type: content_type.to_owned(),
            headers: Vec::new(),
            body,
        }
    }

    /// The same, recorded under this code.
    pub(crate) fn under(mut self, code: Option<i64>) -> Reply {
        self.code = code;
        self
    }

    /// The same with a `Retry-After` of so many seconds.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Reply {
        self.headers.push((RETRY_AFTER.to_string(), seconds.to_string()));
        self
    }

    /// Changes members of the envelope, named by dotted paths.
    pub(crate) fn replace(&mut self, members: &Map<String, Value>) {
        if let Body::Envelope(envelope) = &mut self.body {
            members
                .iter()
                .for_each(|(path, value)| replace(envelope, path, value));
        }
    }

    /// The bytes of the body.
    pub(crate) fn body(&self) -> Bytes {
        match &self.body {
            Body::Envelope(value) => value.to_string().into(),
            Body::Raw(text) => text.clone().into(),
        }
    }

    /// The response for the wire; `now` is its date, in Unix seconds.
    pub(crate) fn into_response(self, request_id: &str, now: u64) -> Response<AnswerBody> {
        let mut response = Response::new(full(self.body()));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        // All of these are checked when they are made; what is no header field cannot be sent.
        let mut insert = |name: HeaderName, text: &str| {
            HeaderValue::from_str(text).map(|value| headers.insert(name, value))
        };
        let _ = insert(CONTENT_TYPE, &self.content_type);
        let _ = insert(REQUEST_ID, request_id);
        let _ = insert(
            DATE,
            &httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(now)),
        );
        for (name, value) in &self.headers {
            let _ = HeaderName::from_bytes(name.as_bytes()).map(|name| insert(name, value));
        }
        headers.insert(SERVER, SERVER_NAME);
        response
    }
}

fn replace(value: &mut Value, path: &str, new: &Value) {
    let (first, rest) = path
        .split_once('.')
        .map_or((path, None), |(first, rest)| (first, Some(rest)));
    let place = match value {
        Value::Array(items) => first.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
        Value::Object(members) => Some(members.entry(first).or_insert(Value::Null)),
        // A scalar has no members, so it gives way to an object.
        other => {
            *other = json!({});
            other
                .as_object_mut()
                .map(|members| members.entry(first).or_insert(Value::Null))
        }
    };
    match (place, rest) {
        (Some(place), Some(rest)) => replace(place, rest, new),
        (Some(place), None) => *place = new.clone(),
        (None, _) => {}
    }
}

/// A body that is there whole.
pub(crate) fn full(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A plain answer outside the service's API.
pub(crate) fn plain(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<AnswerBody> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(SERVER, SERVER_NAME);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_envelope_is_compact_and_in_the_documented_order() {
        let reply = Reply::success(
            "id",
            Data::from_iter([
                ("session".to_owned(), json!("s")),
                ("slice_size".to_owned(), json!(1)),
            ]),
        );
        let expected =
            r#"{"code":0,"message":"SUCCESS","request_id":"id","data":{"session":"s","slice_size":1}}"#;
        assert_eq!(reply.body(), expected);
    }

    #[test]
    fn members_are_replaced_wherever_they_are() {
        let mut reply = Reply::success(
            "id",
            Data::from_iter([("listparts".to_owned(), json!([{"offset": 0}]))]),
        );
        let members =
            json!({"code": "0", "data.listparts.0.offset": 7, "data.new.deep": null, "data.listparts.9": 1});
        reply.replace(members.as_object().unwrap());
        let expected = r#"{"code":"0","message":"SUCCESS","request_id":"id","data":{"listparts":[{"offset":7}],"new":{"deep":null}}}"#;
        assert_eq!(reply.body(), expected);
    }

    #[test]
    fn a_request_id_decodes_to_hex_fields() {
        let id = STANDARD
            .decode(request_id(0x59b8_9ea6, 0xc_9a33, 0x3a56, 0x15_68f1))
            .unwrap();
        assert_eq!(id, b"59b89ea6_c9a33_3a56_1568f1");
    }
}
