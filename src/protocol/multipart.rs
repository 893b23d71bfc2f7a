//! `multipart/form-data` bodies whose length is known before they are sent.
//!
//! Each field is framed as in the documentation's printed examples: a `Content-Disposition` with the name and
//! nothing else, CRLF line ends, and a CRLF after the closing delimiter.

use std::sync::Arc;

use super::dialect::Addition;
use super::digest::Digests;
use super::{Body, Segment};

/// The delimiter between fields. It must not occur in any field, and contents are not read in advance; so it
/// holds 128 random bits, which nobody can guess or meet by chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(String);

impl Boundary {
    /// The boundary made of 128 random bits.
    pub fn from_nonce(nonce: u128) -> Self {
        Self(format!("----------------------------{nonce:032x}"))
    }

    /// A given boundary: 1 to 70 letters, digits and `-` (RFC 2046 allows more, but those need quoting). The caller
    /// vouches that no field contains it.
    pub fn new(text: &str) -> Option<Self> {
        let plain = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        ((1..=70).contains(&text.len()) && plain).then(|| Self(text.to_owned()))
    }

    /// The boundary's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the text of a form without long fields has room in, in bytes: that of a slice, whose session is about 100.
const TEXT_ROOM: usize = 1 << 10;

/// How many segments the form of a slice has.
const SEGMENT_ROOM: usize = 3;

/// A form under construction.
#[derive(Debug)]
pub struct Form {
    boundary: Boundary,
    segments: Vec<Segment>,
    /// The text since the last segment that is none.
    text: Vec<u8>,
}

impl Form {
    /// An empty form.
    pub fn new(boundary: Boundary) -> Self {
        Self {
            boundary,
            segments: Vec::with_capacity(SEGMENT_ROOM),
            text: Vec::with_capacity(TEXT_ROOM),
        }
    }

    /// The media type to send with the body.
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary.as_str())
    }

    /// Adds a field with a text of any content.
    pub fn text(mut self, name: &'static str, value: &str) -> Self {
        self.begin(name);
        self.text.extend_from_slice(value.as_bytes());
        self.end()
    }

    /// Adds a field with the `uploadparts` array of an object.
    pub fn parts(mut self, name: &'static str, digests: Arc<Digests>) -> Self {
        self.begin(name);
        self.push(Segment::Parts(digests));
        self.end()
    }

    /// Adds a field with `length` bytes of the source from `offset` on.
    pub fn source(mut self, name: &'static str, offset: u64, length: u64) -> Self {
        self.begin(name);
        self.push(Segment::Source { offset, length });
        self.end()
    }

    /// Adds a field with the SHA-1 of the source's bytes in the fields before it.
    pub fn source_sha(mut self, name: &'static str) -> Self {
        self.begin(name);
        self.push(Segment::SourceSha);
        self.end()
    }

    /// Adds a field with the MD5 of the source's bytes in the fields before it.
    pub fn source_md5(mut self, name: &'static str) -> Self {
        self.begin(name);
        self.push(Segment::SourceMd5);
        self.end()
    }

    /// Adds the fields that a store wants beside the protocol's.
    pub(super) fn additions(mut self, fields: &[Addition]) -> Self {
        for field in fields {
            self.begin(&field.name);
            self.text.extend_from_slice(field.value.as_bytes());
            self = self.end();
        }
        self
    }

    /// Closes the form.
    pub fn finish(mut self) -> Body {
        for part in ["--", &self.boundary.0, "--\r\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
        self.segments.push(Segment::Text(self.text));
        Body {
            segments: self.segments,
        }
    }

    /// Names are constants of this program, or were checked when they were set, so that nothing foreign can reach a part's head.
    fn begin(&mut self, name: &str) {
        let disposition = "\r\nContent-Disposition: form-data; name=\"";
        for part in ["--", &self.boundary.0, disposition, name, "\"\r\n\r\n"] {
            self.text.extend_from_slice(part.as_bytes());
        }
    }

    fn push(&mut self, segment: Segment) {
        self.segments.push(Segment::Text(std::mem::take(&mut self.text)));
        self.segments.push(segment);
    }

    fn end(mut self) -> Self {
        self.text.extend_from_slice(b"\r\n");
        self
    }
}
