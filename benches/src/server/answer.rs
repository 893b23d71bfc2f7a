//! Answers, as the service words them.

use std::fmt::Write;

use super::objects::Object;
use super::request::Form;

/// What every upload is told: nobody compares it.
const SESSION: &str =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// An answer of success, with these members in its `data`.
fn success(data: &str) -> String {
    answer(
        "200 OK",
        &format!(r#"{{"code":0,"message":"SUCCESS","data":{{{data}}}}}"#),
    )
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The answer to an init.
pub(super) fn session(form: &Form) -> String {
    success(&format!(
        r#""session":"{SESSION}","slice_size":{}"#,
        form.slice_size
    ))
}

/// The answer to a slice.
pub(super) fn stored(form: &Form) -> String {
    success(&format!(
        r#""session":"{SESSION}","offset":{},"datalen":{}"#,
        form.offset, form.content
    ))
}

/// The answer to a finish, to an upload in one request, and to the list of a complete object.
pub(super) fn complete(path: &str) -> String {
    success(&addresses(path))
}

/// The answer to a stat.
pub(super) fn status(path: &str, object: &Object) -> String {
    let size = object.size;
    let received = if object.complete { size } else { 0 };
    let mut data = format!(r#""filesize":{size},"filelen":{received},{}"#, addresses(path));
    if let Some(sha) = &object.sha {
        // Writing to a String can't fail.
        let _ = write!(data, r#","sha":"{sha}""#);
    }
    success(&data)
}

/// The answer to what has nothing to say.
pub(super) fn done() -> String {
    success("")
}

/// The answer where nothing is at the path.
pub(super) fn absent() -> String {
    answer(
        "404 Not Found",
        r#"{"code":-197,"message":"ERROR_CMD_FILE_NOTEXIST"}"#,
    )
}

/// The answer to a request that makes no sense; the connection ends with it.
pub(super) fn malformed(why: &str) -> String {
    answer(
        "400 Bad Request",
        &format!(r#"{{"code":-5999,"message":"ERROR_PARAM: {why}"}}"#),
    )
}

fn addresses(path: &str) -> String {
    format!(r#""access_url":"http://discarded.invalid{path}","resource_path":"{path}""#)
}
