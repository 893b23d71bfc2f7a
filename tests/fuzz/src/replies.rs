//! Replies of any kind to any operation, whole, in pieces and broken off.

use std::io::{self, Read};
use std::time::Duration;

use cos_slice::protocol::md5::Md5Hasher;
use cos_slice::protocol::reply::{Head, MAX_MESSAGE_BYTES, ReplyError};
use cos_slice::protocol::{
    Answer, Api, Finish, Init, Links, Operation, OperationKind, Refusal, SingleUpload, Slice,
};
use serde_json::Value;

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let operation = operation(input.byte());
    let head = head(&mut input);
    let chunk = usize::from(input.byte()).max(1);
    let body = input.rest();
    read(Api::FilesV2, &operation, &head, body, chunk);
    if !matches!(operation.kind(), OperationKind::List | OperationKind::Finish) {
        read(Api::FilesV1, &operation, &head, body, chunk);
    }
}

/// The same reply as a protocol reads it that has the operation.
fn read(api: Api, operation: &Operation, head: &Head, body: &[u8], chunk: usize) {
    let decode = |body: &mut dyn Read| api.decode(operation, head, body);
    let result = decode(&mut &body[..]);
    match &result {
        Ok(answer) => check_answer(operation, head, body, answer),
        Err(ReplyError::Refused(refusal)) => check_refusal(head, refusal),
        Err(ReplyError::Read(error)) => panic!("nothing can fail to be read: {error}"),
    }

    let mut pieces = Pieces {
        bytes: body,
        chunk,
        breaks: false,
    };
    let in_pieces = decode(&mut pieces);
    assert_eq!(
        format!("{result:?}"),
        format!("{in_pieces:?}"),
        "in pieces of {chunk}"
    );

    let mut broken = Pieces {
        bytes: body,
        chunk,
        breaks: true,
    };
    if let Ok(answer) = decode(&mut broken) {
        assert_eq!(
            head.http_status, 404,
            "a reply that broke off was taken for {answer:?}"
        );
    }
}

/// A body that comes in pieces, and breaks off after the last of them or ends there.
struct Pieces<'a> {
    bytes: &'a [u8],
    chunk: usize,
    breaks: bool,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.bytes.is_empty() && self.breaks {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let chunk = buffer.len().min(self.chunk);
        self.bytes.read(&mut buffer[..chunk])
    }
}

fn operation(number: u8) -> Operation {
    let session = || "session".into();
    match number % 7 {
        0 => Operation::Init(Init {
            size: 300,
            slice_size: 64,
            digests: None,
            biz_attr: None,
            overwrite: false,
            session: None,
        }),
        1 => Operation::List,
        2 => Operation::Slice(Slice {
            session: session(),
            offset: 64,
            length: 64,
            sha: None,
        }),
        3 => Operation::Finish(Finish {
            session: session(),
            size: 300,
            sha: None,
        }),
        4 => Operation::Upload(SingleUpload {
            size: 300,
            sha: None,
            biz_attr: None,
            overwrite: false,
        }),
        5 => Operation::Stat,
        _ => Operation::Delete,
    }
}

fn head(input: &mut Input<'_>) -> Head {
    const STATUSES: [u16; 14] = [
        200, 404, 409, 403, 500, 503, 429, 401, 413, 408, 400, 302, 204, 100,
    ];
    let status = usize::from(input.byte());
    let http_status = STATUSES
        .get(status)
        .copied()
        .unwrap_or_else(|| u16::from_le_bytes(input.bytes()));
    let flags = input.byte();
    let mut when = |bit: u8| (flags & bit != 0).then(|| input.text().into_owned());
    Head {
        http_status,
        request_id: when(1),
        content_type: when(2),
        retry_after: (flags & 4 != 0).then(|| Duration::from_secs(input.number())),
        sent_md5: (flags & 8 != 0).then(|| Md5Hasher::default().finish()),
    }
}

fn check_answer(operation: &Operation, head: &Head, body: &[u8], answer: &Answer) {
    use OperationKind::{Delete, Finish, Init, List, Slice, Stat, Upload};
    match (operation.kind(), answer) {
        (Init, Answer::Session(session)) => {
            check_session(&session.session, session.slice_size);
        }
        (List, Answer::Unfinished(unfinished)) => {
            check_session(&unfinished.session, unfinished.slice_size);
            assert!(unfinished.parts.end() <= unfinished.size);
        }
        (Init | List, Answer::Complete(links)) => {
            assert_ne!(*links, Links::default(), "complete without an address");
            check_links(links);
        }
        (Finish | Upload, Answer::Complete(links)) => check_links(links),
        (Stat, Answer::Status(status)) => check_links(&status.links),
        (Slice, Answer::Stored(_)) => {}
        // The last one, where there is no finish.
        (Slice, Answer::Complete(links)) => check_links(links),
        // Nothing there: told by a code, or by the status alone.
        (List | Stat, Answer::Absent) => return,
        (Delete, Answer::Deleted) => return,
        (kind, answer) => panic!("{kind:?} was answered {answer:?}"),
    }
    assert!(
        (200..=299).contains(&head.http_status),
        "success under HTTP {}",
        head.http_status
    );
    // The service's word for it, read a second time by other means. Where those can't read the reply it isn't judged: they
    // are stricter about what is in fields that nobody needs.
    let text = body
        .trim_ascii_start()
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body);
    if let Ok(value) = serde_json::from_slice::<Value>(text) {
        let code = &value["code"];
        let number = code
            .as_i64()
            .or_else(|| code.as_str().and_then(|text| text.parse().ok()));
        assert_eq!(number, Some(0), "success without its code");
    }
}

fn check_session(session: &str, slice_size: u64) {
    assert!(slice_size > 0);
    assert!((1..=1024).contains(&session.len()));
    assert!(!session.chars().any(char::is_control), "{session:?}");
}

fn check_links(links: &Links) {
    let all = [
        &links.access_url,
        &links.source_url,
        &links.url,
        &links.resource_path,
        &links.preview_url,
        &links.vid,
    ];
    for link in all.into_iter().flatten() {
        assert!(
            !link.is_empty() && !link.chars().any(char::is_control),
            "{link:?}"
        );
    }
}

fn check_refusal(head: &Head, refusal: &Refusal) {
    assert_eq!(refusal.http_status, head.http_status);
    assert_eq!(refusal.retry_after, head.retry_after);
    assert!(refusal.message.len() <= MAX_MESSAGE_BYTES);
    let request_id = refusal.request_id.as_deref().unwrap_or_default();
    assert!(request_id.len() <= 256);
    for text in [refusal.message.as_str(), request_id, &refusal.to_string()] {
        let bad = text
            .chars()
            .find(|character| character.is_control() || reorders(*character));
        assert_eq!(bad, None, "in {text:?}");
    }
}

/// Whether a character changes the order or the look of the characters around it.
fn reorders(character: char) -> bool {
    matches!(
        u32::from(character),
        0x61c | 0x200e..=0x200f | 0x2028..=0x202e | 0x2066..=0x2069 | 0xfeff
    )
}
