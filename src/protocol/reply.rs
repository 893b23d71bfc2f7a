//! Replies as they arrive: what is known before the body, what a body is, and what a refusal says.
//!
//! Proxies and the store itself answer in HTML, XML or not at all, often with the wrong media type; so a body is
//! judged by its content alone. A body that is not the service's envelope is quoted in the refusal's message.

use std::fmt;
use std::io::{self, BufReader, Read};
use std::time::Duration;

use serde::Deserialize;

use super::codes::{self, Class};
use super::envelope::Envelope;
use super::md5::Md5Digest;
use super::{Api, Refusal};

/// The longest [`Refusal::message`], in bytes.
pub const MAX_MESSAGE_BYTES: usize = 512;

/// The longest request identifier that is passed on, in bytes.
const MAX_REQUEST_ID_BYTES: usize = 256;

/// How much of a foreign body is quoted, in bytes before escaping.
const QUOTED_BYTES: usize = 200;

/// How much of a body is looked at to tell what it is, in bytes. Error documents name their code well before.
const START_BYTES: u64 = 4096;

/// What a reply has room in, in bytes: all but listings are shorter.
const USUAL_BYTES: usize = 1 << 10;

/// What is known of a reply before its body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    /// The HTTP status.
    pub http_status: u16,
    /// The `x-cos-request-id` header.
    pub request_id: Option<String>,
    /// The `Retry-After` header, where it counts seconds.
    pub retry_after: Option<Duration>,
    /// The `Content-Type` header; it decides nothing.
    pub content_type: Option<String>,
    /// Of the request that it is the reply to: the MD5 that went with the source's bytes, where one did.
    pub sent_md5: Option<Md5Digest>,
}

/// Why a reply brought no answer.
#[derive(Debug)]
pub enum ReplyError {
    /// The reply is whole, and says no or can't be understood.
    Refused(Refusal),
    /// The body could not be read to its end: the connection failed, or the reader gave up (see [`TooLong`]).
    Read(io::Error),
}

impl fmt::Display for ReplyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(out),
            Self::Read(error) => write!(out, "the reply could not be read: {error}"),
        }
    }
}

impl std::error::Error for ReplyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Refused(_) => None,
            Self::Read(error) => Some(error),
        }
    }
}

impl From<io::Error> for ReplyError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl From<Refusal> for ReplyError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The mark of a reader that stops at a limit: it fails with this as the cause of its [`io::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The limit, in bytes.
    pub limit: u64,
}

impl TooLong {
    /// Whether an error is this mark.
    pub fn is_cause_of(error: &io::Error) -> bool {
        error.get_ref().is_some_and(|cause| cause.is::<Self>())
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the reply is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLong {}

impl From<TooLong> for io::Error {
    fn from(mark: TooLong) -> Self {
        io::Error::other(mark)
    }
}

/// A body, as far as it was understood.
pub(super) enum Reply {
    /// A JSON object, with what it has of the service's fields.
    Envelope { envelope: Box<Envelope>, start: Vec<u8> },
    /// Anything else.
    Foreign(Foreign),
}

/// A body that is not the service's envelope.
pub(super) struct Foreign {
    /// What it is, with its first bytes.
    pub description: String,
    /// The request's identifier, where the body tells it.
    pub request_id: Option<String>,
}

/// Reads a body: a JSON object to its end, of anything else only the start.
pub(super) fn read(body: &mut dyn Read) -> io::Result<Reply> {
    let mut start = Vec::with_capacity(USUAL_BYTES);
    body.take(START_BYTES).read_to_end(&mut start)?;
    let is_whole = (start.len() as u64) < START_BYTES;
    let text = start
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(&start)
        .trim_ascii_start();
    match text.first() {
        None => Ok(Reply::Foreign(Foreign {
            description: "the reply is empty".to_owned(),
            request_id: None,
        })),
        Some(b'{') => read_json(text, is_whole, body),
        Some(b'<') => Ok(Reply::Foreign(describe_markup(text))),
        Some(_) => Ok(Reply::Foreign(Foreign::of(
            "the reply is not a JSON object",
            text,
        ))),
    }
}

/// Long replies are read as they come; of one that is there, `serde_json` takes half the time.
fn read_json(start: &[u8], is_whole: bool, rest: &mut dyn Read) -> io::Result<Reply> {
    let envelope = match is_whole {
        true => parse(serde_json::Deserializer::from_slice(start)),
        false => {
            let text = BufReader::with_capacity(USUAL_BYTES, start.chain(rest));
            parse(serde_json::Deserializer::from_reader(text))
        }
    };
    match envelope {
        Ok(envelope) => Ok(Reply::Envelope {
            envelope: Box::new(envelope),
            start: quoted(start).to_vec(),
        }),
        Err(error) if error.is_io() => Err(error.into()),
        Err(error) if error.is_eof() => Ok(Reply::Foreign(Foreign::of(
            "the reply is JSON that ends in the middle",
            start,
        ))),
        Err(error) => Ok(Reply::Foreign(Foreign::of(
            &format!("the reply is JSON that can't be read ({error})"),
            start,
        ))),
    }
}

fn parse<'text, R: serde_json::de::Read<'text>>(
    mut text: serde_json::Deserializer<R>,
) -> serde_json::Result<Envelope> {
    let envelope = Envelope::deserialize(&mut text)?;
    text.end()?;
    Ok(envelope)
}

impl Foreign {
    /// A description followed by the body's first bytes.
    pub fn of(what: &str, start: &[u8]) -> Self {
        let start = escape(quoted(start), MAX_MESSAGE_BYTES);
        Self {
            description: format!("{what}: {start}"),
            request_id: None,
        }
    }
}

fn quoted(start: &[u8]) -> &[u8] {
    &start[..start.len().min(QUOTED_BYTES)]
}

fn describe_markup(start: &[u8]) -> Foreign {
    let text = String::from_utf8_lossy(start);
    // ASCII lower case keeps every position.
    let lower = text.to_ascii_lowercase();
    let element = |name: &str| {
        let from = lower.find(&format!("<{name}>"))? + name.len() + 2;
        let length = lower.get(from..)?.find(&format!("</{name}>"))?;
        Some(text.get(from..from + length)?.trim()).filter(|text| !text.is_empty())
    };
    if lower.starts_with("<!doctype html") || lower.contains("<html") {
        let title = element("title").map(|title| format!(" titled \"{}\"", escape(title.as_bytes(), 100)));
        return Foreign::of(
            &format!("the reply is an HTML page{}, not JSON", title.unwrap_or_default()),
            start,
        );
    }
    let Some(code) = element("code") else {
        return Foreign::of("the reply is XML, not JSON", start);
    };
    let message = element("message").unwrap_or("no message");
    Foreign {
        description: format!("the reply is XML, not JSON, with the error {code}: {message}"),
        request_id: element("requestid").map(str::to_owned),
    }
}

/// The refusal that a foreign reply, or an envelope that makes no sense, amounts to: the HTTP status decides.
pub(super) fn refuse_foreign(api: Api, head: &Head, foreign: Foreign) -> Refusal {
    let row = codes::lookup_http(head.http_status);
    let advice = match head.http_status {
        300..=399 => "redirects are not followed; check the endpoint; ",
        _ => "",
    };
    Refusal {
        http_status: head.http_status,
        code: None,
        message: escape(
            format!("{advice}{}", foreign.description).as_bytes(),
            MAX_MESSAGE_BYTES,
        ),
        request_id: request_id(head, foreign.request_id.as_deref()),
        class: row.class,
        retry_after: head.retry_after,
        ambiguous: row.ambiguous,
        clocks: None,
        api,
        has_fixed_signature: false,
    }
}

/// The refusal that a code other than 0 amounts to. An unknown code leaves the decision to the HTTP status, as far
/// as that asks for another attempt.
pub(super) fn refuse_code(api: Api, head: &Head, code: i64, envelope: &Envelope) -> Refusal {
    let class =
        codes::lookup(api, code).map_or_else(|| class_of_unknown_code(head.http_status), |row| row.class);
    Refusal {
        http_status: head.http_status,
        code: Some(code),
        message: escape(
            envelope.message.text().unwrap_or_default().as_bytes(),
            MAX_MESSAGE_BYTES,
        ),
        request_id: request_id(head, envelope.request_id.text()),
        class,
        retry_after: head.retry_after,
        // A failure inside the service is no "no": the effect may have come about before it.
        ambiguous: class == Class::Retry,
        clocks: None,
        api,
        has_fixed_signature: false,
    }
}

fn class_of_unknown_code(http_status: u16) -> Class {
    match codes::lookup_http(http_status).class {
        class @ (Class::Retry | Class::Overload) if http_status >= 400 => class,
        _ => Class::Final,
    }
}

/// The refusal that success under an HTTP error amounts to: one of the two is wrong.
pub(super) fn refuse_contradiction(api: Api, head: &Head, envelope: &Envelope) -> Refusal {
    let row = codes::lookup_http(head.http_status);
    let class = match row.class {
        Class::Overload => Class::Overload,
        Class::Final if head.http_status < 400 => Class::Final,
        _ => Class::Retry,
    };
    Refusal {
        http_status: head.http_status,
        code: Some(0),
        message: "the reply has the code of success under an HTTP status that is none".to_owned(),
        request_id: request_id(head, envelope.request_id.text()),
        class,
        retry_after: head.retry_after,
        ambiguous: true,
        clocks: None,
        api,
        has_fixed_signature: false,
    }
}

/// The refusal that success amounts to where what the store has of a slice is not what was sent.
pub(super) fn refuse_damaged(api: Api, head: &Head, how: &str, envelope: &Envelope) -> Refusal {
    let message = format!("what the store has of the slice is not what was sent: {how}");
    Refusal {
        api,
        http_status: head.http_status,
        code: None,
        message: escape(message.as_bytes(), MAX_MESSAGE_BYTES),
        request_id: request_id(head, envelope.request_id.text()),
        class: Class::Damaged,
        retry_after: head.retry_after,
        ambiguous: true,
        clocks: None,
        has_fixed_signature: false,
    }
}

/// The body's identifier of the request, or else the header's.
pub(crate) fn request_id(head: &Head, in_body: Option<&str>) -> Option<String> {
    let text = in_body
        .filter(|text| !text.is_empty())
        .or(head.request_id.as_deref())?;
    Some(escape(text.as_bytes(), MAX_REQUEST_ID_BYTES))
}

/// Foreign bytes as text that is safe to print: control characters, bytes that are not UTF-8, and the invisible
/// characters that reorder a line are written as escapes; what goes past `limit` bytes is cut off with `…`.
pub fn escape(bytes: &[u8], limit: usize) -> String {
    const ELLIPSIS: char = '…';
    let mut text = String::new();
    // The length up to which an ellipsis still fits.
    let mut safe = 0;
    let mut piece = String::new();
    for chunk in bytes.utf8_chunks() {
        let invalid = chunk.invalid().iter().map(|byte| Err(*byte));
        for unit in chunk.valid().chars().map(Ok).chain(invalid) {
            piece.clear();
            escape_unit(unit, &mut piece);
            if text.len() + piece.len() > limit {
                text.truncate(safe);
                if safe + ELLIPSIS.len_utf8() <= limit {
                    text.push(ELLIPSIS);
                }
                return text;
            }
            text.push_str(&piece);
            if text.len() + ELLIPSIS.len_utf8() <= limit {
                safe = text.len();
            }
        }
    }
    text
}

fn escape_unit(unit: Result<char, u8>, out: &mut String) {
    match unit {
        Ok(character @ ('\n' | '\r' | '\t')) => out.extend(character.escape_default()),
        Ok(character) if character.is_control() || is_invisible(character) => {
            out.extend(character.escape_unicode());
        }
        Ok(character) => out.push(character),
        Err(byte) => *out += &format!("\\x{byte:02x}"),
    }
}

/// Line separators, direction marks and the byte order mark.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{61c}'
    )
}
