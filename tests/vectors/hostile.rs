//! Replies that break off, are damaged or never were replies: none is success, none causes a panic.

use std::io::{self, Read};

use cos_slice::protocol::codes::Class;
use cos_slice::protocol::json_v2::decode;
use cos_slice::protocol::reply::{MAX_MESSAGE_BYTES, ReplyError, TooLong, escape};
use cos_slice::protocol::{Answer, Operation};
use proptest::prelude::*;

use crate::listings::listing;
use crate::replies::{all_operations, head, refusal, reply};

/// A reader that hands out one byte at a time and then fails.
struct Failing<'a> {
    bytes: &'a [u8],
    error: Option<io::Error>,
}

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match (self.bytes.split_first(), buffer.first_mut()) {
            (Some((byte, rest)), Some(place)) => {
                *place = *byte;
                self.bytes = rest;
                Ok(1)
            }
            (Some(_), None) => Ok(0),
            (None, _) => self.error.take().map_or(Ok(0), Err),
        }
    }
}

#[test]
fn a_connection_that_breaks_anywhere_in_the_reply_is_no_answer() {
    let small = listing(r#"[{"offset":0,"datalen":64}]"#);
    let large = listing(&format!(
        "[{}]",
        vec![r#"{"offset":0,"datalen":64}"#; 400].join(",")
    ));
    for body in [&small, &large] {
        for end in (0..=body.len()).step_by((body.len() / 150).max(1)) {
            let error = Some(io::ErrorKind::ConnectionReset.into());
            let mut reader = Failing {
                bytes: &body.as_bytes()[..end],
                error,
            };
            match decode(&Operation::List, &head(200), &mut reader) {
                Err(ReplyError::Read(error)) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
                other => panic!("after {end} bytes: {other:?}"),
            }
        }
    }
}

#[test]
fn the_mark_of_a_reader_s_limit_comes_through() {
    let long = listing(&format!(
        "[{}]",
        vec![r#"{"offset":0,"datalen":64}"#; 400].join(",")
    ));
    for end in [0, 10, 5000] {
        let mut reader = Failing {
            bytes: &long.as_bytes()[..end],
            error: Some(TooLong { limit: 5000 }.into()),
        };
        match decode(&Operation::List, &head(200), &mut reader) {
            Err(ReplyError::Read(error)) => assert!(TooLong::is_cause_of(&error), "{error:?}"),
            other => panic!("after {end} bytes: {other:?}"),
        }
    }
    assert!(!TooLong::is_cause_of(&io::ErrorKind::TimedOut.into()));
}

/// A reply with every field of every operation.
fn full_reply() -> String {
    let sha = "0c0f42741e784bbe057c9f081af51316bbf5e0b9";
    format!(
        r#"{{"code":0,"message":"SUCCESS","request_id":"id","data":{{"session":"s","slice_size":64,"serial_upload":0,
        "filesize":300,"filelen":64,"sha":"{sha}","offset":0,"datalen":64,"access_url":"http://a/b",
        "listparts":[{{"offset":0,"datalen":64}},{{"offset":128,"datalen":64}}],"extra":[{{}},null,1e3]}}}}"#
    )
}

fn assert_printable(result: &Result<Answer, ReplyError>) {
    if let Err(ReplyError::Refused(refusal)) = result {
        assert!(refusal.message.len() <= MAX_MESSAGE_BYTES);
        assert!(!refusal.message.chars().any(char::is_control));
        assert!(
            !refusal
                .request_id
                .iter()
                .flat_map(|id| id.chars())
                .any(char::is_control)
        );
    }
}

#[test]
fn a_reply_cut_short_anywhere_is_never_success() {
    let body = full_reply();
    for operation in all_operations() {
        assert!(reply(&operation, 200, &body).is_ok(), "{operation:?}");
        for end in 0..body.len() {
            let refusal = refusal(&operation, 200, &body[..end]);
            assert_eq!(
                (refusal.class, refusal.ambiguous),
                (Class::Retry, true),
                "{operation:?} {end}"
            );
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_cause_a_panic_and_none_under_an_error_are_success(
        bytes in prop::collection::vec(any::<u8>(), 0..400), status in 100u16..1000,
    ) {
        for operation in all_operations() {
            let result = reply(&operation, status, &bytes);
            assert_printable(&result);
            prop_assert!(result.is_err() || status == 404, "{:?}", result);
        }
    }

    #[test]
    fn damaged_replies_cause_no_panic(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), status in 100u16..1000,
    ) {
        let mut body = full_reply().into_bytes();
        for (place, byte) in damages {
            let place = place.index(body.len());
            body[place] = byte;
        }
        for operation in all_operations() {
            assert_printable(&reply(&operation, status, &body));
        }
    }

    #[test]
    fn fields_of_any_type_cause_no_panic(
        field in prop::sample::select(vec![
            "code", "message", "request_id", "data", "session", "slice_size", "serial_upload", "filesize", "filelen",
            "sha", "offset", "datalen", "access_url", "listparts",
        ]),
        value in prop::sample::select(vec![
            "null", "true", "-1", "18446744073709551615", "18446744073709551616", "1e999", "0.1", "\"\"", "\"\\ud800\"",
            "\"5\"", "\"[\"", "[]", "[[]]", "[{}]", "{}", "{\"a\":[]}", "\"\\\"[]\\\"\"",
        ]),
    ) {
        let name = format!("\"{field}\":");
        let body = full_reply();
        // The field's value is replaced; what follows it stays as an unknown field.
        let body = body.replacen(&name, &format!("{name}{value},\"rest\":"), 1);
        for operation in all_operations() {
            assert_printable(&reply(&operation, 200, &body));
        }
    }

    #[test]
    fn escaping_keeps_to_the_limit(bytes in prop::collection::vec(any::<u8>(), 0..100), limit in 0usize..60) {
        let text = escape(&bytes, limit);
        prop_assert!(text.len() <= limit);
        prop_assert!(!text.chars().any(char::is_control));
    }
}

#[test]
fn a_reply_without_an_answer_says_why() {
    let error = ReplyError::from(io::Error::from(TooLong { limit: 5000 }));
    assert_eq!(
        error.to_string(),
        "the reply could not be read: the reply is longer than 5000 bytes"
    );
    let source = std::error::Error::source(&error).expect("what happened to the connection");
    assert_eq!(source.to_string(), "the reply is longer than 5000 bytes");
    let refused = ReplyError::from(refusal(&Operation::Stat, 403, "{}"));
    assert!(refused.to_string().starts_with("HTTP 403, \""), "{refused}");
    assert!(std::error::Error::source(&refused).is_none());
}

#[test]
fn a_page_is_known_by_its_first_words_or_by_its_first_element() {
    for page in [
        "<!DOCTYPE html><body>Bad gateway",
        "<!-- of a proxy --><html><body>Bad gateway",
    ] {
        let refusal = refusal(&Operation::Stat, 502, page);
        assert!(
            refusal.message.starts_with("the reply is an HTML page, not JSON"),
            "{}",
            refusal.message
        );
    }
}
