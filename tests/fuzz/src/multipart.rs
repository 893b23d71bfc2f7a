//! Request bodies: what the library frames, the emulator's own parser takes apart into the very same fields.

use std::sync::Arc;

use cos_emulator::parsers;
use cos_slice::protocol::dialect::Dialect;
use cos_slice::protocol::digest::{Digests, Hasher};
use cos_slice::protocol::json_v2::{encode, encode_with_boundary};
use cos_slice::protocol::location::Location;
use cos_slice::protocol::md5::Md5Hasher;
use cos_slice::protocol::multipart::Boundary;
use cos_slice::protocol::{Finish, Init, Operation, Request, Segment, SingleUpload, Slice};

use crate::input::Input;

type Fields = Vec<(String, Vec<u8>)>;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        255 => any_body(input),
        kind => round_trip(kind, input),
    }
}

/// The emulator's parser survives what never was a form, and doesn't mind in how many pieces a body comes.
fn any_body(mut input: Input<'_>) {
    let content_type = input.text();
    let piece = usize::from(input.byte()).max(1);
    let body = input.rest();
    let whole = parsers::form(&content_type, body);
    if let Some(grown) = parsers::growing_form(&content_type, body, piece) {
        assert_eq!(whole, grown, "in pieces of {piece}");
    }
}

fn round_trip(kind: u8, mut input: Input<'_>) {
    let nonce = u128::from_le_bytes(input.bytes());
    let boundary = input.text();
    let (session, biz_attr) = (input.text(), input.text());
    let (offset, number, flags) = (input.number(), input.number(), input.byte());
    let content = input.rest();

    let digests = Arc::new(digests(content, number));
    let sha = (flags & 1 != 0).then(|| digests.whole());
    let overwrite = flags & 2 != 0;
    let mut dialect = Dialect::default();
    dialect.slice_md5 = flags & 8 != 0;
    // One that is refused is not sent.
    let added = flags & 16 != 0 && dialect.add_form_field(&boundary, &biz_attr).is_ok();
    let addition = added.then(|| (boundary.to_string(), biz_attr.as_bytes().to_vec()));
    let biz_attr: Option<Arc<str>> = (flags & 4 != 0).then(|| biz_attr.into());
    let session: Arc<str> = session.into();
    let mut fields = Expected::default();
    let operation = match kind % 5 {
        0 => {
            let digests = sha.is_some().then(|| digests.clone());
            fields.add("op", "upload_slice_init");
            fields.add("filesize", content.len().to_string());
            fields.add("slice_size", number.to_string());
            if let Some(digests) = &digests {
                fields.add("sha", digests.whole().to_string());
                fields.add("uploadparts", upload_parts(digests));
            }
            fields.add_attributes(biz_attr.as_deref(), overwrite);
            Operation::Init(Init {
                size: content.len() as u64,
                slice_size: number,
                digests,
                biz_attr,
                overwrite,
                session: None,
            })
        }
        1 => {
            fields.add("op", "upload_slice_list");
            Operation::List
        }
        2 => {
            fields.add("op", "upload_slice_data");
            fields.add("session", &*session);
            fields.add("offset", offset.to_string());
            fields.add_all(sha.map(|sha| ("sha", sha.to_string())));
            fields.add("filecontent", content);
            fields.add_all(dialect.slice_md5.then(|| ("datamd5", md5(content))));
            Operation::Slice(Slice {
                session,
                offset,
                length: content.len() as u64,
                sha,
            })
        }
        3 => {
            fields.add("op", "upload_slice_finish");
            fields.add("session", &*session);
            fields.add("filesize", number.to_string());
            fields.add_all(sha.map(|sha| ("sha", sha.to_string())));
            Operation::Finish(Finish {
                session,
                size: number,
                sha,
            })
        }
        _ => {
            fields.add("op", "upload");
            fields.add_all(sha.map(|sha| ("sha", sha.to_string())));
            fields.add_attributes(biz_attr.as_deref(), overwrite);
            fields.add("filecontent", content);
            Operation::Upload(SingleUpload {
                size: content.len() as u64,
                sha,
                biz_attr,
                overwrite,
            })
        }
    };
    // Behind the name of the operation.
    fields.0.splice(1..1, addition);
    let location = Location::new("1", "bucket", "path").expect("a good one");
    let request = match Boundary::new(&boundary) {
        Some(boundary) => encode_with_boundary(&operation, &location, &dialect, boundary),
        None => encode(&operation, &location, &dialect, nonce),
    };
    let content_type = request.content_type.as_deref().expect("a form has one");
    let (_, boundary) = content_type.split_once("boundary=").expect("and its boundary");
    // Whoever chooses the boundary vouches that it is nowhere in a field.
    if fields.contain(boundary) {
        return;
    }
    let from = operation.offset().unwrap_or(0);
    let parsed = parsers::form(content_type, &sent(&request, from, content));
    assert_eq!(parsed.as_ref(), Ok(&fields.0));
}

#[derive(Default)]
struct Expected(Fields);

impl Expected {
    fn add(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.0.push((name.to_owned(), value.as_ref().to_vec()));
    }

    fn add_all<'n>(&mut self, fields: impl IntoIterator<Item = (&'n str, String)>) {
        fields.into_iter().for_each(|(name, value)| self.add(name, value));
    }

    fn add_attributes(&mut self, biz_attr: Option<&str>, overwrite: bool) {
        self.add_all(biz_attr.map(|text| ("biz_attr", text.to_owned())));
        self.add_all(overwrite.then(|| ("insertOnly", "0".to_owned())));
    }

    fn contain(&self, boundary: &str) -> bool {
        let boundary = boundary.as_bytes();
        let mut values = self.0.iter().map(|(_, value)| value);
        values.any(|value| value.windows(boundary.len()).any(|window| window == boundary))
    }
}

fn digests(content: &[u8], number: u64) -> Digests {
    let mut hasher = Hasher::new(64 * (1 + number % 4));
    hasher.update(content);
    hasher.finish()
}

fn md5(content: &[u8]) -> String {
    let mut hasher = Md5Hasher::default();
    hasher.update(content);
    hasher.finish().to_string()
}

fn upload_parts(digests: &Digests) -> String {
    (0..digests.part_count())
        .map(|index| digests.upload_part(index))
        .collect()
}

/// The body's bytes, each segment of the length that it announces; `content` is the source from `from` on.
fn sent(request: &Request, from: u64, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for segment in &request.body.segments {
        let before = body.len();
        match segment {
            Segment::Text(text) => body.extend_from_slice(text),
            Segment::Parts(digests) => body.extend_from_slice(upload_parts(digests).as_bytes()),
            Segment::Source { offset, length } => {
                assert_eq!((*offset, *length), (from, content.len() as u64));
                body.extend_from_slice(content);
            }
            Segment::SourceMd5 => body.extend_from_slice(md5(content).as_bytes()),
            Segment::SourceSha => {
                let mut hasher = Hasher::new(64);
                hasher.update(content);
                body.extend_from_slice(hasher.finish().whole().to_string().as_bytes());
            }
        }
        assert_eq!((body.len() - before) as u64, segment.len(), "{segment:?}");
    }
    assert_eq!(body.len() as u64, request.body.len());
    body
}
