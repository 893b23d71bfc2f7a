//! Answers to single requests, as C sees them.

use std::ffi::{CString, c_char};
use std::ops::Range;

use crate::engine::operation::AnswerKind;
use crate::protocol::digest::Digests;
use crate::protocol::{Answer, Links};
use crate::upload::status::Status;

use super::boundary::{caught, of};
use super::strings;

/// What a request brought. Plain data that never changes: it stays valid whatever becomes of the operation and the client,
/// until it is freed, and may be asked by several threads at once.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub struct cos_slice_answer {
    kind: AnswerKind,
    session: Option<CString>,
    slice_size: Option<u64>,
    offset: Option<u64>,
    serial: Option<bool>,
    size: Option<u64>,
    received: Option<u64>,
    sha1: Option<CString>,
    parts: Vec<Range<u64>>,
    access_url: Option<CString>,
    source_url: Option<CString>,
    url: Option<CString>,
    resource_path: Option<CString>,
    preview_url: Option<CString>,
    vid: Option<CString>,
}

impl cos_slice_answer {
    fn new(kind: AnswerKind) -> Self {
        Self {
            kind,
            session: None,
            slice_size: None,
            offset: None,
            serial: None,
            size: None,
            received: None,
            sha1: None,
            parts: Vec::new(),
            access_url: None,
            source_url: None,
            url: None,
            resource_path: None,
            preview_url: None,
            vid: None,
        }
    }

    fn with_links(self, links: &Links) -> Self {
        let text = |text: &Option<String>| text.as_deref().map(strings::c_string);
        Self {
            access_url: text(&links.access_url),
            source_url: text(&links.source_url),
            url: text(&links.url),
            resource_path: text(&links.resource_path),
            preview_url: text(&links.preview_url),
            vid: text(&links.vid),
            ..self
        }
    }

    /// Hands an answer to C, which owns it.
    pub(super) fn into_raw(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }
}

impl From<Answer> for cos_slice_answer {
    fn from(answer: Answer) -> Self {
        let new = Self::new(AnswerKind::from(&answer));
        match answer {
            Answer::Session(session) => Self {
                session: Some(strings::c_string(&session.session)),
                slice_size: Some(session.slice_size),
                offset: Some(session.offset),
                serial: session.serial,
                ..new
            },
            Answer::Complete(links) => new.with_links(&links),
            Answer::Unfinished(unfinished) => Self {
                session: Some(strings::c_string(&unfinished.session)),
                slice_size: Some(unfinished.slice_size),
                serial: unfinished.serial,
                size: Some(unfinished.size),
                received: Some(unfinished.parts.covered()),
                sha1: unfinished.sha.map(|sha| strings::c_string(&sha.to_string())),
                parts: unfinished.parts.iter().collect(),
                ..new
            },
            Answer::Stored(stored) => Self {
                offset: stored.offset,
                ..new
            },
            Answer::Status(status) => Self {
                size: Some(status.size),
                received: status.received,
                sha1: status.sha.map(|sha| strings::c_string(&sha.to_string())),
                ..new.with_links(&status.links)
            },
            Answer::Absent | Answer::Deleted | Answer::Created => new,
        }
    }
}

impl From<&Digests> for cos_slice_answer {
    fn from(digests: &Digests) -> Self {
        Self {
            size: Some(digests.size()),
            sha1: Some(strings::c_string(&digests.whole().to_string())),
            ..Self::new(AnswerKind::Hashed)
        }
    }
}

/// A number for C, which has −1 for one that is not told.
fn number(told: Option<u64>) -> i64 {
    told.and_then(|number| i64::try_from(number).ok()).unwrap_or(-1)
}

/// Frees an answer. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_free(answer: *mut cos_slice_answer) {
    if !answer.is_null() {
        // SAFETY: it was handed out by `into_raw`, and the caller frees it once.
        caught(|| drop(unsafe { Box::from_raw(answer) }));
    }
}

/// What it is an answer to, and which: COS_SLICE_ANSWER_*. Later versions may add numbers. COS_SLICE_ANSWER_NONE for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_kind(answer: *const cos_slice_answer) -> i32 {
    of!(answer, 0, |answer| answer.kind.number())
}

/// The session to send slices with, of COS_SLICE_ANSWER_SESSION and _UNFINISHED; it may change from one to the next, and the
/// newest counts. An opaque text of at most 1024 bytes that any process and machine may use. NULL otherwise. Borrowed:
/// valid until the answer is freed, as all texts here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_session(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.session.as_ref()
    ))
}

/// The length in bytes of every slice but the last one, of COS_SLICE_ANSWER_SESSION and _UNFINISHED: the server's choice, which
/// may be another than what was asked for, and has to be obeyed. -1 where it is not told, as for all numbers here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_slice_size(answer: *const cos_slice_answer) -> i64 {
    of!(answer, -1, |answer| number(answer.slice_size))
}

/// Of COS_SLICE_ANSWER_SESSION, with files/v1, the offset in bytes of the slice to send next; with files/v2 it is 0, and any slice
/// may be. Of COS_SLICE_ANSWER_STORED the offset that the server names. -1 where it is not told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_offset(answer: *const cos_slice_answer) -> i64 {
    of!(answer, -1, |answer| number(answer.offset))
}

/// Of COS_SLICE_ANSWER_SESSION and _UNFINISHED, whether slices have to be sent one after another, in order: 1 or 0; -1 where the
/// server did not say, and then they need not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_serial(answer: *const cos_slice_answer) -> i32 {
    of!(answer, -1, |answer| answer.serial.map_or(-1, i32::from))
}

/// The object's size in bytes, also of one that is not complete: of COS_SLICE_ANSWER_UNFINISHED, _STATUS and _HASHED. -1
/// otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_size(answer: *const cos_slice_answer) -> i64 {
    of!(answer, -1, |answer| number(answer.size))
}

/// How many of the object's bytes the server has: of COS_SLICE_ANSWER_UNFINISHED, and of _STATUS, where fewer than the size tell
/// that it is not complete. -1 where it is not told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_received(answer: *const cos_slice_answer) -> i64 {
    of!(answer, -1, |answer| number(answer.received))
}

/// The object's SHA-1 in 40 lower-case hexadecimal digits: of COS_SLICE_ANSWER_HASHED, of _UNFINISHED where the upload was begun
/// with one, of _STATUS where the server tells it. NULL otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_sha1(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.sha1.as_ref()
    ))
}

/// Of how many parts COS_SLICE_ANSWER_UNFINISHED tells. A part is a run of bytes that the server has, of one slice or of several
/// that touch; they come in order, with a gap between any two. 0 otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_part_count(answer: *const cos_slice_answer) -> usize {
    of!(answer, 0, |answer| answer.parts.len())
}

/// The offset and the length in bytes of one part, 0 to cos_slice_answer_part_count - 1. COS_SLICE_ERR_INVALID_ARGUMENT, and
/// nothing is written, where there is no such part or a pointer is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_part(
    answer: *const cos_slice_answer,
    index: usize,
    offset: *mut i64,
    length: *mut i64,
) -> i32 {
    let part = of!(answer, None, |answer| answer.parts.get(index).cloned());
    let part = part.filter(|_| !offset.is_null() && !length.is_null());
    let Some(part) = part else {
        return Status::InvalidArgument.number();
    };
    // SAFETY: not NULL, so the caller promised that both can be written.
    unsafe {
        offset.write(number(Some(part.start)));
        length.write(number(Some(part.end - part.start)));
    }
    Status::Ok.number()
}

/// The object's address for the public, as the service told it; it may name another host than the endpoint. Of
/// COS_SLICE_ANSWER_COMPLETE and _STATUS, each as far as the service tells it; NULL otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_access_url(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.access_url.as_ref()
    ))
}

/// The object's address at the store itself, past the content delivery network; else as cos_slice_answer_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_source_url(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.source_url.as_ref()
    ))
}

/// The object's address for operations of the API on it; else as cos_slice_answer_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_url(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.url.as_ref()
    ))
}

/// The object's place within the service, "/appid/bucket/path"; else as cos_slice_answer_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_resource_path(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.resource_path.as_ref()
    ))
}

/// The address of a preview of the object, where the service makes one; else as cos_slice_answer_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_preview_url(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.preview_url.as_ref()
    ))
}

/// What names the work that completing the object set off at the service, where it did, to ask about it elsewhere; else as
/// cos_slice_answer_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_answer_vid(answer: *const cos_slice_answer) -> *const c_char {
    of!(answer, std::ptr::null(), |answer| strings::pointer(
        answer.vid.as_ref()
    ))
}
