//! The bytes of a request's body, as the engine would send them.

use cos_slice::protocol::digest::Hasher;
use cos_slice::protocol::md5::Md5Hasher;
use cos_slice::protocol::{Body, Segment};

/// All bytes of the body, with `source` as the object's content.
pub fn bytes(body: &Body, source: &[u8]) -> Vec<u8> {
    let (mut bytes, mut sha, mut md5) = (Vec::new(), Hasher::new(64), Md5Hasher::default());
    for segment in &body.segments {
        let before = bytes.len();
        match segment {
            Segment::Text(text) => bytes.extend_from_slice(text),
            Segment::Parts(digests) => {
                (0..digests.part_count())
                    .for_each(|index| bytes.extend(digests.upload_part(index).into_bytes()));
            }
            Segment::Source { offset, length } => {
                let offset = usize::try_from(*offset).unwrap();
                let content = &source[offset..offset + usize::try_from(*length).unwrap()];
                sha.update(content);
                md5.update(content);
                bytes.extend_from_slice(content);
            }
            Segment::SourceSha => bytes.extend(sha.clone().finish().whole().to_string().into_bytes()),
            Segment::SourceMd5 => bytes.extend(md5.clone().finish().to_string().into_bytes()),
        }
        assert_eq!(
            (bytes.len() - before) as u64,
            segment.len(),
            "{segment:?} announces another length"
        );
    }
    assert_eq!(bytes.len() as u64, body.len());
    bytes
}

/// A text block of the documentation as it goes over the wire: CRLF in place of line ends.
pub fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// Takes a form apart the way a server does: by the delimiter alone.
pub fn fields(mut form: &[u8], boundary: &str) -> Vec<(String, Vec<u8>)> {
    let delimiter = format!("\r\n--{boundary}");
    let mut fields = Vec::new();
    form = form
        .strip_prefix(&delimiter.as_bytes()[2..])
        .expect("the first delimiter");
    while let Some(field) = form.strip_prefix(b"\r\n") {
        let end = find(field, delimiter.as_bytes()).expect("a delimiter after the field");
        let head_end = find(field, b"\r\n\r\n").expect("the end of the field's head");
        let head = std::str::from_utf8(&field[..head_end]).unwrap();
        let name = head
            .strip_prefix("Content-Disposition: form-data; name=\"")
            .and_then(|rest| rest.strip_suffix('"'));
        fields.push((
            name.expect("nothing but the name").to_owned(),
            field[head_end + 4..end].to_vec(),
        ));
        form = &field[end + delimiter.len()..];
    }
    assert_eq!(form, b"--\r\n", "the closing delimiter");
    fields
}

fn find(text: &[u8], pattern: &[u8]) -> Option<usize> {
    text.windows(pattern.len()).position(|window| window == pattern)
}
