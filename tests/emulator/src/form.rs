//! Request bodies: the multipart dialects of the official clients, and JSON.
//!
//! Written here rather than taken from a crate, because the printed examples and real clients break rules
//! that strict parsers insist on: an empty value whose blank line is also the line end of the next delimiter,
//! a missing blank line before the value, a line end before the first delimiter, none after the last, a
//! `filename` on text fields, repeated fields, the file part anywhere.
//!
//! The scanner can be fed a growing body, so that a fault rule can learn the operation before the body is
//! complete.

use crate::codes::{self, Refusal};
use crate::switches::{DuplicateFields, FieldNames};
use bytes::Bytes;
use memchr::memmem;
use std::ops::Range;

/// More parts than any client sends, even one that repeats its form on every retry.
const PART_LIMIT: usize = 512;
/// The longest line of a part's header.
const HEADER_LINE_LIMIT: usize = 8 * 1024;
/// The longest boundary (RFC 2046 allows 70 characters).
const BOUNDARY_LIMIT: usize = 200;

/// The fields of a request body, in the order received.
#[derive(Debug, Clone, Default)]
pub(crate) struct Form {
    fields: Vec<(String, Bytes)>,
    names: Option<FieldNames>,
}

impl Form {
    /// Decodes a complete body. An empty body is an empty form.
    pub(crate) fn decode(
        content_type: &str,
        body: &Bytes,
        names: FieldNames,
        duplicates: DuplicateFields,
    ) -> Result<Form, Refusal> {
        let broken = |what: String| codes::FORM_BROKEN.because(what);
        let fields = match boundary(content_type) {
            Some(boundary) => {
                let mut scanner = Scanner::new(&boundary);
                scanner.advance(body).map_err(broken)?;
                scanner.complete(body).map_err(broken)?
            }
            None if body.iter().all(u8::is_ascii_whitespace) => Vec::new(),
            None if is_multipart(content_type) => {
                return Err(broken("the multipart Content-Type has no boundary".to_owned()));
            }
            None => json_fields(body).map_err(broken)?,
        };
        let form = Form {
            fields,
            names: Some(names),
        };
        match duplicates {
            DuplicateFields::Last => Ok(form),
            DuplicateFields::Refuse => form.refuse_duplicates(),
        }
    }

    fn refuse_duplicates(self) -> Result<Form, Refusal> {
        for (index, (name, _)) in self.fields.iter().enumerate() {
            if self.fields[..index]
                .iter()
                .any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
            {
                return Err(codes::FORM_BROKEN.because(format!("the field {name:?} came twice")));
            }
        }
        Ok(self)
    }

    /// The last value of a field.
    pub(crate) fn bytes(&self, wanted: &str) -> Option<&Bytes> {
        let same = |name: &str| match self.names.unwrap_or(FieldNames::AnyCase) {
            FieldNames::AnyCase => name.eq_ignore_ascii_case(wanted),
            FieldNames::Documented => name == wanted,
        };
        self.fields
            .iter()
            .rev()
            .find(|(name, _)| same(name))
            .map(|(_, value)| value)
    }

    /// The last value of a text field, without white space around it; an empty one counts as missing.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, Refusal> {
        let Some(bytes) = self.bytes(name) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(bytes)
            .map_err(|_| codes::BAD_PARAMETER.because(format!("the field {name:?} is not UTF-8")))?
            .trim();
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// The last value of a field that holds a whole number ≥ 0.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let number = text.parse().map_err(|_| {
            codes::BAD_PARAMETER.because(format!("the field {name:?} holds {text:?}, not a whole number"))
        })?;
        Ok(Some(number))
    }

    /// All fields, in the order received.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields
            .iter()
            .map(|(name, value)| (name.as_str(), &value[..]))
    }

    /// All fields but the file content, as text for the journal.
    pub(crate) fn text_fields(&self) -> impl Iterator<Item = (&str, String)> {
        let texts = self.fields.iter().filter(|(name, _)| !is_content(name));
        texts.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value).into_owned()))
    }

    /// The length of the file content.
    pub(crate) fn content_length(&self) -> Option<usize> {
        self.bytes("filecontent").map(Bytes::len)
    }
}

/// The file part is known by its name: some clients put a `filename` on every field.
pub(crate) fn is_content(name: &str) -> bool {
    name.eq_ignore_ascii_case("filecontent")
}

pub(crate) fn is_multipart(content_type: &str) -> bool {
    content_type
        .trim_start()
        .get(..10)
        .is_some_and(|start| start.eq_ignore_ascii_case("multipart/"))
}

/// The boundary of a multipart Content-Type, quoted or not.
pub(crate) fn boundary(content_type: &str) -> Option<String> {
    if !is_multipart(content_type) {
        return None;
    }
    parameter(content_type, "boundary").filter(|text| !text.is_empty() && text.len() <= BOUNDARY_LIMIT)
}

/// A parameter of a header value such as `form-data; name="x"; filename="y"`.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    let mut rest = value.split_once(';')?.1;
    loop {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let (text, remainder) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_at(after.find(';').unwrap_or(after.len())),
        };
        if name.trim_matches([' ', '\t', ';']).eq_ignore_ascii_case(wanted) {
            return Some(text.trim().to_owned());
        }
        rest = remainder.trim_start().trim_start_matches(';');
    }
}

/// The members of a JSON object: strings as they are, other values as their JSON text.
pub(crate) fn json_fields(body: &[u8]) -> Result<Vec<(String, Bytes)>, String> {
    let value: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body)
        .map_err(|error| format!("the body is neither multipart nor a JSON object: {error}"))?;
    let text = |value| match value {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(value
        .into_iter()
        .map(|(name, value)| (name, Bytes::from(text(value))))
        .collect())
}

/// The last string member of this name, of a body that may be a JSON object.
pub(crate) fn json_text(body: &[u8], wanted: &str) -> Option<String> {
    let fields = json_fields(body).ok()?;
    let (_, value) = fields.into_iter().rev().find(|(name, _)| name == wanted)?;
    String::from_utf8(value.to_vec()).ok()
}

/// Where the scanner stands in the body.
enum Place {
    /// Before the first delimiter; bytes before `from` hold none.
    Preamble { from: usize },
    /// In the header of a part, at the beginning of a line.
    Header { line: usize, name: Option<String> },
    /// In the value of a part that began at `start`; no delimiter begins before `from`.
    Value { name: String, start: usize, from: usize },
    /// After the closing delimiter.
    End,
}

/// Finds the fields of a multipart body, which may still be growing.
pub(crate) struct Scanner {
    /// `--boundary`.
    delimiter: Vec<u8>,
    place: Place,
    fields: Vec<(String, Range<usize>)>,
}

impl Scanner {
    pub(crate) fn new(boundary: &str) -> Scanner {
        Scanner {
            delimiter: format!("--{boundary}").into_bytes(),
            place: Place::Preamble { from: 0 },
            fields: Vec::new(),
        }
    }

    /// Goes on as far as `body` reaches; `body` is what the last call saw, with more bytes at its end.
    pub(crate) fn advance(&mut self, body: &[u8]) -> Result<(), String> {
        while self.step(body)? {}
        Ok(())
    }

    /// The last complete value of a text field so far.
    pub(crate) fn text<'b>(&self, body: &'b [u8], wanted: &str) -> Option<&'b str> {
        let (_, range) = self
            .fields
            .iter()
            .rev()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
        std::str::from_utf8(&body[range.clone()]).ok().map(str::trim)
    }

    /// Whether a part of this name has begun.
    pub(crate) fn has_begun(&self, wanted: &str) -> bool {
        let open = match &self.place {
            Place::Value { name, .. } => Some(name),
            _ => None,
        };
        let mut begun = self.fields.iter().map(|(name, _)| name).chain(open);
        begun.any(|name| name.eq_ignore_ascii_case(wanted))
    }

    /// The fields, once the body has been seen to its end.
    pub(crate) fn complete(self, body: &Bytes) -> Result<Vec<(String, Bytes)>, String> {
        match self.place {
            Place::End => Ok(self
                .fields
                .into_iter()
                .map(|(name, range)| (name, body.slice(range)))
                .collect()),
            Place::Preamble { .. } => {
                Err("the boundary of the Content-Type is nowhere in the body".to_owned())
            }
            Place::Header { .. } | Place::Value { .. } => Err("the closing delimiter is missing".to_owned()),
        }
    }

    /// Takes one step; false when more bytes are needed or the end is reached.
    fn step(&mut self, body: &[u8]) -> Result<bool, String> {
        match &mut self.place {
            Place::End => Ok(false),
            Place::Preamble { from } => match find_delimiter(body, &self.delimiter, *from, 0) {
                Found::At(delimiter) => {
                    self.place = delimiter.next_place();
                    Ok(true)
                }
                Found::NotBefore(position) => {
                    *from = position;
                    Ok(false)
                }
            },
            Place::Value { name, start, from } => {
                match find_delimiter(body, &self.delimiter, *from, start.saturating_sub(2)) {
                    Found::At(delimiter) => {
                        // The delimiter's line end may be the blank line that ended the header: then the
                        // value is empty.
                        let end = delimiter.start.max(*start);
                        self.fields.push((std::mem::take(name), *start..end));
                        if self.fields.len() > PART_LIMIT {
                            return Err(format!("more than {PART_LIMIT} parts"));
                        }
                        self.place = delimiter.next_place();
                        Ok(true)
                    }
                    Found::NotBefore(position) => {
                        *from = position;
                        Ok(false)
                    }
                }
            }
            Place::Header { .. } => self.header_line(body),
        }
    }

    fn header_line(&mut self, body: &[u8]) -> Result<bool, String> {
        let Place::Header { line, name } = &mut self.place else {
            return Ok(false);
        };
        let rest = &body[*line..];
        let Some(length) = memmem::find(rest, b"\r\n") else {
            return if rest.len() > HEADER_LINE_LIMIT {
                Err("a part's header line is too long".to_owned())
            } else {
                Ok(false)
            };
        };
        let text = &rest[..length];
        let value_start = if text.is_empty() {
            *line + 2
        } else if text.contains(&b':') && !text.starts_with(&self.delimiter) {
            if let Some(found) = disposition_name(text) {
                *name = Some(found);
            }
            *line += length + 2;
            return Ok(true);
        } else {
            // No header line has no colon: the blank line is missing, as in some printed examples.
            *line
        };
        let name = name
            .take()
            .ok_or("a part without a name in its Content-Disposition")?;
        self.place = Place::Value {
            name,
            start: value_start,
            from: value_start.saturating_sub(2),
        };
        Ok(true)
    }
}

fn disposition_name(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let (header, value) = line.split_once(':')?;
    if !header.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    parameter(value, "name")
}

struct Delimiter {
    /// Where the delimiter begins, its line end included.
    start: usize,
    /// The byte after it and its line end.
    after: usize,
    closing: bool,
}

impl Delimiter {
    fn next_place(&self) -> Place {
        if self.closing {
            Place::End
        } else {
            Place::Header {
                line: self.after,
                name: None,
            }
        }
    }
}

enum Found {
    At(Delimiter),
    /// None is complete yet; the next search may begin here.
    NotBefore(usize),
}

/// The next delimiter at or after `from`: `--boundary` at the beginning of the body or after a line end that
/// lies at `floor` or later, and followed by `--` or a line end, so that a boundary that begins with this one
/// is not taken for it.
fn find_delimiter(body: &[u8], delimiter: &[u8], from: usize, floor: usize) -> Found {
    let mut search = from;
    loop {
        let Some(position) = memmem::find(&body[search.min(body.len())..], delimiter).map(|at| at + search)
        else {
            return Found::NotBefore(from.max((body.len() + 1).saturating_sub(delimiter.len() + 2)));
        };
        let after_line_end = position >= floor + 2 && body[position - 2..position] == *b"\r\n";
        if position == 0 || after_line_end {
            let start = if position == 0 { 0 } else { position - 2 };
            let rest = &body[position + delimiter.len()..];
            let padding = rest
                .iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count();
            let line_end = &rest[padding..];
            if rest.starts_with(b"--") {
                return Found::At(Delimiter {
                    start,
                    after: body.len(),
                    closing: true,
                });
            }
            if line_end.starts_with(b"\r\n") {
                let after = position + delimiter.len() + padding + 2;
                return Found::At(Delimiter {
                    start,
                    after,
                    closing: false,
                });
            }
            if line_end.len() < 2 {
                return Found::NotBefore(start.max(from));
            }
        }
        search = position + 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(boundary: &str, body: &str) -> Result<Form, Refusal> {
        let content_type = format!("multipart/form-data; boundary={boundary}");
        Form::decode(
            &content_type,
            &Bytes::from(body.to_owned()),
            FieldNames::AnyCase,
            DuplicateFields::Last,
        )
    }

    #[test]
    fn values_may_hold_anything_but_the_delimiter() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n--bc\r\n\r\n--\r\n-b\r\n--b--";
        assert_eq!(
            form("b", body).unwrap().bytes("x").unwrap(),
            "--bc\r\n\r\n--\r\n-b"
        );
    }

    #[test]
    fn a_body_in_single_bytes_gives_the_same_fields_as_a_whole_one() {
        let body = "\r\n--b \r\nContent-Disposition: form-data; filename=\"q;name=z\"; name=\"op\"\r\nX: y\r\n\r\nlist\r\n--b\r\n\
                    Content-Disposition: form-data; name=e\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"m\"\r\n\
                    value\r\n--b--\r\n";
        let mut scanner = Scanner::new("b");
        for end in 0..=body.len() {
            scanner.advance(&body.as_bytes()[..end]).unwrap();
        }
        let fields = scanner.complete(&Bytes::from(body)).unwrap();
        let expected = [("op", "list"), ("e", ""), ("m", "value")];
        assert_eq!(
            fields,
            expected.map(|(name, value)| (name.to_owned(), Bytes::from(value)))
        );
    }

    #[test]
    fn the_last_of_repeated_fields_wins() {
        let part = |value| format!("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n{value}\r\n");
        let body = format!("{}{}--b--", part(1), part(2));
        assert_eq!(form("b", &body).unwrap().number("x").unwrap(), Some(2));
    }

    #[test]
    fn a_body_without_its_end_is_broken() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n1\r\n";
        assert_eq!(form("b", body).unwrap_err().code, codes::FORM_BROKEN);
        assert_eq!(form("other", body).unwrap_err().code, codes::FORM_BROKEN);
        assert_eq!(
            form("b", "--b\r\nX: y\r\n\r\n1\r\n--b--").unwrap_err().code,
            codes::FORM_BROKEN
        );
    }

    #[test]
    fn boundaries_may_be_quoted() {
        assert_eq!(
            boundary("multipart/form-data; charset=x; boundary=\"a b\"").as_deref(),
            Some("a b")
        );
        assert_eq!(
            boundary("Multipart/Form-Data;boundary=--x").as_deref(),
            Some("--x")
        );
        assert_eq!(boundary("application/json; boundary=x"), None);
    }

    #[test]
    fn no_body_makes_the_parser_panic() {
        let pieces = [
            "--b",
            "\r\n",
            "--",
            ":",
            "Content-Disposition: form-data; name=x",
            "\r",
            "\n",
            "v",
            " ",
        ];
        // Every sequence of four pieces, plus one fixed beginning.
        for number in 0..pieces.len().pow(4) {
            let mut body = String::from("--b\r\n");
            (0..4u32)
                .for_each(|place| body.push_str(pieces[number / pieces.len().pow(place) % pieces.len()]));
            let _ = form("b", &body);
        }
    }
}
