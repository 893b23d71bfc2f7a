//! Replies: what each means, by its code, its status and its content.

use std::time::Duration;

use cos_slice::protocol::codes::Class;
use cos_slice::protocol::json_v2::decode;
use cos_slice::protocol::reply::{Head, MAX_MESSAGE_BYTES, ReplyError, escape};
use cos_slice::protocol::{Answer, Finish, Init, Operation, Refusal, SingleUpload, Slice};

pub fn init() -> Operation {
    Operation::Init(Init {
        size: 100,
        slice_size: 64,
        digests: None,
        biz_attr: None,
        overwrite: false,
        session: None,
    })
}

pub fn slice() -> Operation {
    Operation::Slice(Slice {
        session: "s".into(),
        offset: 0,
        length: 10,
        sha: None,
    })
}

pub fn finish() -> Operation {
    Operation::Finish(Finish {
        session: "s".into(),
        size: 100,
        sha: None,
    })
}

pub fn upload() -> Operation {
    Operation::Upload(SingleUpload {
        size: 100,
        sha: None,
        biz_attr: None,
        overwrite: false,
    })
}

pub fn all_operations() -> [Operation; 7] {
    [
        init(),
        Operation::List,
        slice(),
        finish(),
        upload(),
        Operation::Stat,
        Operation::Delete,
    ]
}

pub fn head(http_status: u16) -> Head {
    Head {
        http_status,
        ..Head::default()
    }
}

pub fn reply(operation: &Operation, http_status: u16, body: impl AsRef<[u8]>) -> Result<Answer, ReplyError> {
    decode(operation, &head(http_status), &mut body.as_ref())
}

#[track_caller]
pub fn answer(operation: &Operation, body: impl AsRef<[u8]>) -> Answer {
    reply(operation, 200, body).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
pub fn refusal(operation: &Operation, http_status: u16, body: impl AsRef<[u8]>) -> Refusal {
    match reply(operation, http_status, body) {
        Err(ReplyError::Refused(refusal)) => refusal,
        other => panic!("not refused: {other:?}"),
    }
}

/// A reply to a 200 that makes no sense must be taken as "perhaps", with the reason.
#[track_caller]
pub fn assert_malformed(operation: &Operation, body: impl AsRef<[u8]>, reason: &str) {
    let refusal = refusal(operation, 200, body);
    assert!(
        refusal.message.contains(reason),
        "{reason:?} is not in {:?}",
        refusal.message
    );
    assert_eq!(
        (refusal.class, refusal.ambiguous, refusal.code),
        (Class::Retry, true, None),
        "{}",
        refusal.message
    );
}

#[test]
fn the_order_of_slices_is_read_in_every_shape() {
    for (value, serial) in [
        ("1", true),
        ("0", false),
        (r#""1""#, true),
        (r#""0""#, false),
        ("true", true),
    ] {
        let body =
            format!(r#"{{"code":0,"data":{{"session":"s","slice_size":64,"serial_upload":{value}}}}}"#);
        assert!(
            matches!(answer(&init(), body), Answer::Session(session) if session.serial == Some(serial)),
            "{value}"
        );
    }
}

#[test]
fn an_init_reply_that_can_not_be_obeyed_is_malformed() {
    let long = "s".repeat(1025);
    let cases = [
        (
            r#""session":"","slice_size":64"#,
            "neither a session nor an address",
        ),
        (r#""session":5,"slice_size":64"#, "data.session is 5, not a text"),
        (r#""session":["s"],"slice_size":64"#, "data.session is an array"),
        (r#""session":"a\r\nb","slice_size":64"#, "control characters"),
        (&format!(r#""session":"{long}","slice_size":64"#), "1025 bytes"),
        (r#""session":"s""#, "data.slice_size is missing"),
        (r#""session":"s","slice_size":0"#, "data.slice_size is 0"),
        (r#""session":"s","slice_size":-1"#, "data.slice_size is -1"),
        (r#""session":"s","slice_size":{}"#, "data.slice_size is an object"),
        (
            r#""session":"s","slice_size":64,"serial_upload":2"#,
            "data.serial_upload is 2",
        ),
    ];
    for (data, reason) in cases {
        assert_malformed(&init(), format!(r#"{{"code":0,"data":{{{data}}}}}"#), reason);
    }
    for data in ["null", "[]", "\"\"", "1", "-1", "1.5", "true"] {
        assert_malformed(
            &init(),
            format!(r#"{{"code":0,"data":{data}}}"#),
            "neither a session nor an address",
        );
    }
    assert_malformed(&init(), r#"{"code":0}"#, "neither a session nor an address");
    assert!(matches!(
        answer(&init(), format!(r#"{{"code":0,"data":{{"session":"{}","slice_size":1}}}}"#, &long[1..])),
        Answer::Session(session) if session.session.len() == 1024
    ));
}

#[test]
fn an_address_that_could_not_be_printed_counts_as_missing() {
    let body = r#"{"code":0,"data":{"access_url":"http://a/\u001b[2J","source_url":7,"url":"","resource_path":"/1/b/c"}}"#;
    let Answer::Complete(links) = answer(&finish(), body) else {
        panic!("not complete")
    };
    assert_eq!(
        (links.access_url, links.source_url, links.url),
        (None, None, None)
    );
    assert_eq!(links.resource_path.as_deref(), Some("/1/b/c"));
}

#[test]
fn finish_and_upload_need_nothing_but_the_code_of_success() {
    for operation in [finish(), upload()] {
        for body in [
            r#"{"code":0}"#,
            r#"{"code":0,"data":null}"#,
            r#"{"code":0,"message":"SUCCESS","data":{}}"#,
        ] {
            assert_eq!(answer(&operation, body), Answer::Complete(Default::default()));
        }
    }
}

#[test]
fn a_stored_slice_may_name_its_place() {
    let body = r#"{"code":0,"data":{"session":"s","offset":"64","datalen":10}}"#;
    assert!(
        matches!(answer(&slice(), body), Answer::Stored(it) if it.offset == Some(64) && it.length == Some(10))
    );
    assert!(matches!(answer(&slice(), r#"{"code":0}"#), Answer::Stored(it) if it.offset.is_none()));
    assert_malformed(
        &slice(),
        r#"{"code":0,"data":{"offset":"x"}}"#,
        "data.offset is \"x\"",
    );
}

#[test]
fn stat_tells_sizes_and_digest() {
    let body = r#"{"code":0,"data":{"filesize":100,"filelen":64,"sha":"","ctime":1}}"#;
    let Answer::Status(status) = answer(&Operation::Stat, body) else {
        panic!("no status")
    };
    assert_eq!((status.size, status.received, status.sha), (100, Some(64), None));
    assert_malformed(
        &Operation::Stat,
        r#"{"code":0,"data":{}}"#,
        "data.filesize is missing",
    );
}

#[test]
fn an_absent_object_is_an_answer_where_the_operation_asks_for_it() {
    let bodies = [r#"{"code":-197}"#, r#"{"code":-6101}"#, r#"{"code":"612"}"#];
    for body in bodies {
        for status in [200, 404] {
            assert_eq!(reply(&Operation::List, status, body).unwrap(), Answer::Absent);
            assert_eq!(reply(&Operation::Stat, status, body).unwrap(), Answer::Absent);
            assert_eq!(reply(&Operation::Delete, status, body).unwrap(), Answer::Deleted);
            for operation in [init(), slice(), finish(), upload()] {
                assert_eq!(refusal(&operation, status, body).class, Class::Absent);
            }
        }
    }
    for body in ["", "<html></html>", "not found"] {
        assert_eq!(reply(&Operation::List, 404, body).unwrap(), Answer::Absent);
        assert_eq!(reply(&Operation::Stat, 404, body).unwrap(), Answer::Absent);
        assert_eq!(reply(&Operation::Delete, 404, body).unwrap(), Answer::Deleted);
        assert_eq!(refusal(&finish(), 404, body).class, Class::Final);
    }
    let no_bucket = refusal(&Operation::List, 404, r#"{"code":-133,"message":"no bucket"}"#);
    assert_eq!(
        (no_bucket.class, no_bucket.code),
        (Class::Final, Some(-133)),
        "a code decides before the status"
    );
}

#[test]
fn a_refusal_carries_what_the_server_said() {
    let head = Head {
        http_status: 503,
        request_id: Some("from the header".to_owned()),
        retry_after: Some(Duration::from_secs(7)),
        content_type: Some("text/html".to_owned()),
        sent_md5: None,
    };
    let body =
        r#"{"message":"ERROR_PROXY\r\n\u001b[31m too \"often\"","request_id":"from the body","code":-71}"#;
    let Err(ReplyError::Refused(refusal)) = decode(&slice(), &head, &mut body.as_bytes()) else {
        panic!("accepted")
    };
    assert_eq!(refusal.http_status, 503);
    assert_eq!(refusal.code, Some(-71));
    assert_eq!(refusal.message, "ERROR_PROXY\\r\\n\\u{1b}[31m too \"often\"");
    assert_eq!(refusal.request_id.as_deref(), Some("from the body"));
    assert_eq!(refusal.retry_after, Some(Duration::from_secs(7)));
    assert_eq!((refusal.class, refusal.ambiguous), (Class::Overload, false));

    let Err(ReplyError::Refused(refusal)) = decode(&slice(), &head, &mut &b"busy"[..]) else {
        panic!("accepted")
    };
    assert_eq!(refusal.request_id.as_deref(), Some("from the header"));
    assert_eq!((refusal.class, refusal.ambiguous), (Class::Overload, true));
}

#[test]
fn an_unknown_code_survives_and_leaves_the_decision_to_the_status() {
    let cases = [
        (200, Class::Final),
        (400, Class::Final),
        (403, Class::Final),
        (404, Class::Final),
    ];
    let retried = [
        (408, Class::Retry),
        (500, Class::Retry),
        (503, Class::Overload),
        (429, Class::Overload),
    ];
    for (status, class) in cases.into_iter().chain(retried) {
        let refusal = refusal(&Operation::List, status, r#"{"code":-123456789,"message":"new"}"#);
        assert_eq!(
            (refusal.code, refusal.class),
            (Some(-123_456_789), class),
            "{status}"
        );
        assert_eq!(refusal.ambiguous, class == Class::Retry, "{status}");
    }
}

#[test]
fn a_known_code_decides_whatever_the_status_says() {
    for status in [200, 400, 403, 409, 500] {
        assert_eq!(refusal(&init(), status, r#"{"code":-4019}"#).class, Class::Relist);
    }
    let failed = refusal(&finish(), 200, r#"{"code":-195}"#);
    assert_eq!(
        (failed.class, failed.ambiguous),
        (Class::Retry, true),
        "the back end may have failed after the effect"
    );
}

#[test]
fn success_under_an_http_error_is_no_success() {
    for operation in all_operations() {
        for (status, class) in [
            (400, Class::Retry),
            (404, Class::Retry),
            (500, Class::Retry),
            (503, Class::Overload),
        ] {
            let body =
                r#"{"code":0,"data":{"session":"s","slice_size":64,"filesize":1,"access_url":"http://a"}}"#;
            let refusal = refusal(&operation, status, body);
            assert_eq!(
                (refusal.class, refusal.ambiguous),
                (class, true),
                "{operation:?} {status}"
            );
        }
    }
}

#[test]
fn replies_that_are_no_json_are_named_and_quoted() {
    let html = "<!DOCTYPE html>\n<html><head><title> 413 Request Entity Too Large </title></head></html>";
    let refused = refusal(&upload(), 413, html);
    assert_eq!(
        refused.message,
        "the reply is an HTML page titled \"413 Request Entity Too Large\", not JSON: <!DOCTYPE html>\\n<html><head>\
         <title> 413 Request Entity Too Large </title></head></html>"
    );
    assert_eq!((refused.class, refused.ambiguous), (Class::Final, false));

    let xml = "<?xml version='1.0'?><Error><Code>InvalidRequest</Code><Message>no appid</Message>\
               <RequestId>abc</RequestId></Error>";
    let refused = refusal(&init(), 400, xml);
    assert_eq!(
        refused.message,
        "the reply is XML, not JSON, with the error InvalidRequest: no appid"
    );
    assert_eq!(
        (refused.request_id.as_deref(), refused.class),
        (Some("abc"), Class::Final)
    );

    assert_eq!(
        refusal(&init(), 400, "<Error/>").message,
        "the reply is XML, not JSON: <Error/>"
    );
    assert_malformed(&finish(), "", "the reply is empty");
    assert_malformed(&finish(), " \r\n", "the reply is empty");
    assert_malformed(&finish(), "OK", "the reply is not a JSON object: OK");
    assert_malformed(&finish(), "[0]", "the reply is not a JSON object: [0]");
    assert_malformed(
        &finish(),
        b"\x00\xff",
        "the reply is not a JSON object: \\u{0}\\xff",
    );
    assert_malformed(
        &finish(),
        r#"{"code":0"#,
        r#"JSON that ends in the middle: {"code":0"#,
    );
    assert_malformed(&finish(), r#"{"code":0}x"#, "JSON that can't be read");
    assert_malformed(&finish(), r#"{"code":0,"code":0}"#, "JSON that can't be read");
    assert_malformed(&finish(), r#"{"data":{}}"#, "whose code is missing");
    for code in [
        "null",
        "\"\"",
        "\"x\"",
        "[]",
        "{}",
        "true",
        "0.5",
        "9223372036854775808",
    ] {
        assert_malformed(
            &finish(),
            format!(r#"{{"code":{code}}}"#),
            "the reply is JSON whose code is ",
        );
    }
}

#[test]
fn a_byte_order_mark_and_white_space_before_the_json_do_not_matter() {
    assert_eq!(
        answer(&Operation::Delete, "\u{feff}\r\n {\"code\":0} \n"),
        Answer::Deleted
    );
}

/// Short replies are read at once and long ones as they come, in two ways.
#[test]
fn replies_of_any_length_are_read_alike() {
    for length in (4000..4200).chain([0, 20_000]) {
        let space = " ".repeat(length);
        for body in [format!("{{\"code\":{space}0}}"), format!("{{\"code\":0}}{space}")] {
            assert_eq!(answer(&Operation::Delete, &body), Answer::Deleted, "{length}");
            let more = refusal(&Operation::Delete, 200, format!("{body}x"));
            assert!(more.message.contains("can't be read"), "{length}: {more}");
            let less = refusal(&Operation::Delete, 200, format!("{{\"data\":{body}"));
            assert!(less.message.contains("ends in the middle"), "{length}: {less}");
        }
    }
}

#[test]
fn a_redirection_is_final_and_says_why() {
    let refusal = refusal(&init(), 302, "");
    assert_eq!(
        refusal.message,
        "redirects are not followed; check the endpoint; the reply is empty"
    );
    assert_eq!(refusal.class, Class::Final);
}

#[test]
fn a_status_without_a_readable_code_decides_by_itself() {
    let cases = [
        (401, Class::Resign),
        (403, Class::Resign),
        (408, Class::Retry),
        (413, Class::Final),
        (429, Class::Overload),
        (500, Class::Retry),
        (502, Class::Retry),
        (503, Class::Overload),
        (504, Class::Retry),
    ];
    for (status, class) in cases {
        for operation in all_operations() {
            assert_eq!(refusal(&operation, status, "<html>").class, class, "{status}");
        }
    }
}

#[test]
fn messages_are_cut_to_their_limit() {
    let long = "中".repeat(1000);
    let refused = refusal(&init(), 400, format!(r#"{{"code":-5999,"message":"{long}"}}"#));
    assert!(refused.message.len() <= MAX_MESSAGE_BYTES && refused.message.len() > MAX_MESSAGE_BYTES - 6);
    assert!(refused.message.ends_with("中…"));
    let refused = refusal(&init(), 400, "\u{1}".repeat(5000));
    assert!(
        refused.message.len() <= MAX_MESSAGE_BYTES,
        "{}",
        refused.message.len()
    );
}

#[test]
fn text_that_fits_is_left_alone_and_text_that_deceives_is_not() {
    assert_eq!(
        escape("a\u{202e}b\u{2028}\u{85}\t".as_bytes(), 100),
        "a\\u{202e}b\\u{2028}\\u{85}\\t"
    );
    assert_eq!(escape(b"12345", 5), "12345");
    assert_eq!(escape(b"123456", 5), "12…");
    assert_eq!(escape(b"123456", 2), "");
    assert_eq!(escape("a\u{301}中".as_bytes(), 100), "a\u{301}中");
}

#[test]
fn a_success_that_makes_no_sense_keeps_the_request_id_of_the_body() {
    let body = r#"{"code":0,"request_id":"NTg0","data":{}}"#;
    let refusal = refusal(&Operation::Stat, 200, body);
    assert_eq!(refusal.request_id.as_deref(), Some("NTg0"));
}

#[test]
fn a_field_that_is_an_object_is_passed_over_to_its_end() {
    let body = r#"{"data":{"session":{"a":[1,{}]},"url":{"b":""},"access_url":"http://a/b"},"code":0}"#;
    let refusal = refusal(&init(), 200, body);
    assert!(
        refusal.message.contains("data.session is an object, not a text"),
        "{}",
        refusal.message
    );
    let Answer::Complete(links) = answer(&finish(), body) else {
        panic!("not complete")
    };
    assert_eq!(
        (links.url, links.access_url.as_deref()),
        (None, Some("http://a/b"))
    );
}

#[test]
fn success_under_a_redirection_is_final_and_under_an_error_may_pass() {
    let class = |http_status| {
        let refusal = refusal(&Operation::Stat, http_status, r#"{"code":0,"data":{}}"#);
        assert_eq!((refusal.code, refusal.ambiguous), (Some(0), true));
        refusal.class
    };
    for http_status in [302, 399] {
        assert_eq!(class(http_status), Class::Final, "HTTP {http_status}");
    }
    for http_status in [400, 403, 500] {
        assert_eq!(class(http_status), Class::Retry, "HTTP {http_status}");
    }
    assert_eq!(class(503), Class::Overload);
}
