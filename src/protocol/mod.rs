//! What bytes mean: requests out of values, values out of replies.
//!
//! Nothing here opens a socket, reads a clock or decides what to do next. The state machine in
//! [`crate::upload`] speaks in [`Operation`]s and [`Answer`]s; an [`Api`] turns the first into the bytes of
//! one HTTP request and the second out of the bytes of one reply. Another protocol of the same service is
//! another file beside `json_v2.rs`, and a variant of [`Api`] that says what is particular to it.

pub mod api;
pub mod clock;
pub mod codes;
pub mod dialect;
pub mod digest;
mod envelope;
mod json;
pub mod json_v1;
pub mod json_v2;
pub mod location;
pub mod md5;
pub mod multipart;
pub(crate) mod numbers;
pub mod ranges;
pub mod regions;
pub mod reply;
pub mod signature;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use api::{Api, Rules};
use clock::Clocks;
use codes::Class;
use digest::{Digests, Sha1Digest};
pub use envelope::MAX_SESSION_BYTES;
use location::Location;
use md5::Md5Digest;
use ranges::Ranges;

/// The largest object that slice upload accepts, in bytes: 64 GiB (the service's migration guides).
pub const MAX_OBJECT_SIZE: u64 = 64 << 30;

/// The largest object that the one-shot `upload` accepts, in bytes: 20 MiB (the simple upload page).
pub const MAX_SINGLE_REQUEST_SIZE: u64 = 20 << 20;

/// One request's worth of work on one object, in the terms that the protocols of the service share.
#[derive(Clone, Debug)]
pub enum Operation {
    /// Begin a slice upload, or learn that the object is already there.
    Init(Init),
    /// Ask what the server holds of an unfinished upload.
    List,
    /// Send one slice.
    Slice(Slice),
    /// Make the object out of the slices.
    Finish(Finish),
    /// Send the whole object in one request.
    Upload(SingleUpload),
    /// Ask for the object's size and digest.
    Stat,
    /// Remove the object, finished or not.
    Delete,
    /// Make the directory that the first so many segments of the path name.
    CreateDirectory(u32),
}

/// The kinds of [`Operation`], for tables of names and time limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum OperationKind {
    Init,
    List,
    Slice,
    Finish,
    Upload,
    Stat,
    Delete,
    CreateDirectory,
}

impl OperationKind {
    /// Which signature the operation needs.
    pub fn signature(self) -> signature::Kind {
        match self {
            Self::Delete => signature::Kind::OneTime,
            Self::Init
            | Self::List
            | Self::Slice
            | Self::Finish
            | Self::Upload
            | Self::Stat
            | Self::CreateDirectory => signature::Kind::MultiEffect,
        }
    }
}

impl Operation {
    /// What the operation is about, unencoded: the object's path, or that of a directory above it, which ends with a slash.
    pub fn path<'a>(&self, location: &'a Location) -> Cow<'a, str> {
        match self {
            Self::CreateDirectory(level) => location.directory(*level).into(),
            _ => location.path().into(),
        }
    }

    /// Which kind of operation this is.
    pub fn kind(&self) -> OperationKind {
        match self {
            Self::Init(_) => OperationKind::Init,
            Self::List => OperationKind::List,
            Self::Slice(_) => OperationKind::Slice,
            Self::Finish(_) => OperationKind::Finish,
            Self::Upload(_) => OperationKind::Upload,
            Self::Stat => OperationKind::Stat,
            Self::Delete => OperationKind::Delete,
            Self::CreateDirectory(_) => OperationKind::CreateDirectory,
        }
    }

    /// Whether a signature for it serves others of its kind on the same object too. Delete needs one for itself, and a directory
    /// has another path.
    pub fn shares_signature(&self) -> bool {
        !matches!(self, Self::Delete | Self::CreateDirectory(_))
    }

    /// The session that the operation goes on with.
    pub fn session(&self) -> Option<&str> {
        match self {
            Self::Init(init) => init.session.as_deref(),
            Self::Slice(slice) => Some(&slice.session),
            Self::Finish(finish) => Some(&finish.session),
            Self::List | Self::Upload(_) | Self::Stat | Self::Delete | Self::CreateDirectory(_) => None,
        }
    }

    /// The first byte of the object that the operation carries; `None` where it carries none.
    pub fn offset(&self) -> Option<u64> {
        match self {
            Self::Slice(slice) => Some(slice.offset),
            _ => None,
        }
    }
}

/// What the beginning of a slice upload says of the object.
#[derive(Clone, Debug)]
pub struct Init {
    /// The whole object, in bytes.
    pub size: u64,
    /// The slice size asked for, in bytes; the server may answer another.
    pub slice_size: u64,
    /// The digests of the content; with them the server verifies, and may answer an instant hit.
    pub digests: Option<Arc<Digests>>,
    /// An attribute that the service keeps for the application.
    pub biz_attr: Option<Arc<str>>,
    /// Whether an object of this name may be replaced.
    pub overwrite: bool,
    /// The session to go on with, where the protocol resumes by init ([`Rules::server_names_offset`]).
    pub session: Option<Arc<str>>,
}

/// One slice.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The session of init or list.
    pub session: Arc<str>,
    /// Where the slice begins in the object, in bytes.
    pub offset: u64,
    /// The slice's length, in bytes.
    pub length: u64,
    /// The whole object's SHA-1, when init had one.
    pub sha: Option<Sha1Digest>,
}

/// What `upload_slice_finish` says.
#[derive(Clone, Debug)]
pub struct Finish {
    /// The session of init or list.
    pub session: Arc<str>,
    /// The whole object, in bytes.
    pub size: u64,
    /// The whole object's SHA-1, when init had one.
    pub sha: Option<Sha1Digest>,
}

/// What the one-shot `upload` says; the content is bytes 0 to `size` of the source.
#[derive(Clone, Debug)]
pub struct SingleUpload {
    /// The whole object, in bytes.
    pub size: u64,
    /// The whole object's SHA-1.
    pub sha: Option<Sha1Digest>,
    /// An attribute that the service keeps for the application.
    pub biz_attr: Option<Arc<str>>,
    /// Whether an object of this name may be replaced.
    pub overwrite: bool,
}

/// One HTTP request, complete but for host and authorization.
#[derive(Debug)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The encoded path and query, from the first `/` on.
    pub target: String,
    /// The body's media type; `None` where there is no body.
    pub content_type: Option<String>,
    /// The body.
    pub body: Body,
    /// Which signature the operation needs.
    pub signature: signature::Kind,
    /// Whether its success may make the object complete, from the bytes in its body: nothing comes after it that could take
    /// them back.
    pub may_complete: bool,
}

/// A body whose length is known before its first byte: text of the request around bytes of the source.
#[derive(Debug, Default)]
pub struct Body {
    /// The pieces, in order.
    pub segments: Vec<Segment>,
}

/// A piece of a [`Body`].
pub enum Segment {
    /// Bytes of the request itself.
    Text(Vec<u8>),
    /// The `uploadparts` value, generated while it is sent.
    Parts(Arc<Digests>),
    /// Bytes of the source, never copied into the frame.
    Source {
        /// Where they begin, in bytes.
        offset: u64,
        /// How many they are.
        length: u64,
    },
    /// The SHA-1 of the bytes of the source before it, in hexadecimal; taken while they are sent.
    SourceSha,
    /// The MD5 of the same, in the same way.
    SourceMd5,
}

/// Tells lengths and places, no bytes: a store's fields may be secret.
impl fmt::Debug for Segment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(out, "text of {} bytes", text.len()),
            Self::Parts(digests) => write!(out, "parts of {digests:?}"),
            Self::Source { offset, length } => write!(out, "source {offset} + {length}"),
            Self::SourceSha => out.write_str("SHA-1 of the source"),
            Self::SourceMd5 => out.write_str("MD5 of the source"),
        }
    }
}

impl Segment {
    /// The segment's length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Parts(digests) => digests.upload_parts_len(),
            Self::Source { length, .. } => *length,
            Self::SourceSha => Sha1Digest::HEX_LEN,
            Self::SourceMd5 => Md5Digest::HEX_LEN,
        }
    }

    /// Whether the segment has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Body {
    /// The whole body's length in bytes, the request's `Content-Length`.
    pub fn len(&self) -> u64 {
        self.segments.iter().map(Segment::len).sum()
    }

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What an operation brought, when it succeeded.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// To `Init`: send slices with this session.
    Session(Session),
    /// To `Init`, `List`, `Finish` and `Upload`, and to the last `Slice` where there is no finish: the object is complete.
    Complete(Links),
    /// To `List`: what is there of an unfinished upload.
    Unfinished(Unfinished),
    /// To `Slice`: the server has it.
    Stored(Stored),
    /// To `Stat`: what the server says of the object.
    Status(ObjectStatus),
    /// To `List` and `Stat`: there is nothing at this path.
    Absent,
    /// To `Delete`: it is gone, or was not there.
    Deleted,
    /// To `CreateDirectory`: it is there, now or since before.
    Created,
}

/// The session that init answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// Opaque; at most 1 KiB.
    pub session: Arc<str>,
    /// The slice size to obey, in bytes; more than 0.
    pub slice_size: u64,
    /// Whether slices must go one after another; `None` where the server did not say.
    pub serial: Option<bool>,
    /// Where to go on, in bytes; 0 where the protocol leaves that to the client.
    pub offset: u64,
}

/// What list answered of an unfinished upload.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// The session to go on with; it may differ from the one that init answered.
    pub session: Arc<str>,
    /// The whole object, in bytes.
    pub size: u64,
    /// The slice size to obey, in bytes; more than 0.
    pub slice_size: u64,
    /// The SHA-1 that init gave, where it gave one.
    pub sha: Option<Sha1Digest>,
    /// Whether slices must go one after another; `None` where the server did not say.
    pub serial: Option<bool>,
    /// The bytes that the server has.
    pub parts: Ranges,
}

/// What the server said of a slice that it stored.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Stored {
    /// The offset that it names, in bytes.
    pub offset: Option<u64>,
    /// The length that it names, in bytes.
    pub length: Option<u64>,
}

/// What stat answered.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct ObjectStatus {
    /// The size that the object has or will have, in bytes.
    pub size: u64,
    /// How many of its bytes the server has; less than `size` while the upload is unfinished.
    pub received: Option<u64>,
    /// The object's SHA-1, where the server tells it.
    pub sha: Option<Sha1Digest>,
    /// The object's addresses.
    pub links: Links,
}

/// The addresses of a complete object. They are the server's words, never targets of later requests.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Links {
    /// The address through the content delivery network.
    pub access_url: Option<String>,
    /// The address of the store itself.
    pub source_url: Option<String>,
    /// The address for operations on the object.
    pub url: Option<String>,
    /// `/appid/bucket/path`.
    pub resource_path: Option<String>,
    /// The address of a preview, where the service makes one.
    pub preview_url: Option<String>,
    /// What names the work that finishing the object set off, where it did (the finish page of 2017).
    pub vid: Option<String>,
}

impl Links {
    /// Whether there is anything that only a complete object has.
    pub fn has_address(&self) -> bool {
        let addresses = [&self.access_url, &self.source_url, &self.url, &self.resource_path];
        addresses.into_iter().any(Option::is_some)
    }
}

/// Why an operation did not bring its answer, in the server's words.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub http_status: u16,
    /// The service's code; `None` where the reply was not the service's envelope.
    pub code: Option<i64>,
    /// The server's message, or what was wrong with the reply and its first bytes; control characters
    /// escaped, at most 512 bytes.
    pub message: String,
    /// The request's identifier, from the envelope or the `x-cos-request-id` header.
    pub request_id: Option<String>,
    /// What to do about it.
    pub class: Class,
    /// How long the server asked to wait.
    pub retry_after: Option<Duration>,
    /// Whether the operation may have had its effect all the same: true where the reply can't be understood, where
    /// a gateway gave up (408 and 5xx), and where the service reports a failure of its own; false where the request
    /// was turned down.
    pub ambiguous: bool,
    /// Both clocks, where it was about the signature and their difference may be why; whoever has a clock fills it in.
    pub clocks: Option<Clocks>,
    /// What it was asked in: the generations of the API disagree about some codes.
    pub api: Api,
    /// Whether the request went with a signature that is never made anew; whoever signed it fills it in.
    pub has_fixed_signature: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HTTP {}", self.http_status)?;
        if let Some(code) = self.code {
            write!(out, ", code {code}")?;
        }
        if !self.message.is_empty() {
            write!(out, ", \"{}\"", self.message)?;
        }
        if let Some(request_id) = &self.request_id {
            write!(out, ", request id {request_id}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_s_limits_are_64_gib_and_20_mib() {
        assert_eq!(MAX_OBJECT_SIZE, 68_719_476_736);
        assert_eq!(MAX_SINGLE_REQUEST_SIZE, 20_971_520);
    }

    #[test]
    fn only_a_slice_has_an_offset() {
        let slice = Slice {
            session: "s".into(),
            offset: 300,
            length: 100,
            sha: None,
        };
        assert_eq!(Operation::Slice(slice).offset(), Some(300));
        for operation in [Operation::List, Operation::Stat, Operation::Delete] {
            assert_eq!(operation.offset(), None, "{operation:?}");
        }
    }

    #[test]
    fn a_body_is_empty_where_all_its_segments_are() {
        let source = |length| Segment::Source { offset: 7, length };
        assert!(source(0).is_empty() && !source(1).is_empty());
        assert!(Body::default().is_empty());
        let body = |length| Body {
            segments: vec![Segment::Text(Vec::new()), source(length)],
        };
        assert!(body(0).is_empty() && !body(1).is_empty());
    }

    #[test]
    fn a_refusal_is_shown_with_what_there_is_of_it() {
        let mut refusal = Refusal {
            http_status: 409,
            code: Some(-177),
            message: "it exists".to_owned(),
            request_id: Some("abc".to_owned()),
            class: Class::Exists,
            retry_after: None,
            ambiguous: false,
            clocks: None,
            api: Api::FilesV2,
            has_fixed_signature: false,
        };
        assert_eq!(
            refusal.to_string(),
            "HTTP 409, code -177, \"it exists\", request id abc"
        );
        refusal.message.clear();
        assert_eq!(refusal.to_string(), "HTTP 409, code -177, request id abc");
        (refusal.code, refusal.request_id) = (None, None);
        assert_eq!(refusal.to_string(), "HTTP 409");
    }
}
