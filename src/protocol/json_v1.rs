//! The service's JSON API, first version: `files/v1`.
//!
//! One operation, `upload_slice`, does all of a slice upload (its page): a control request begins an upload, or goes on with
//! one; its answer names a session and the offset to go on at, or the object's addresses where it is complete. Requests
//! with data carry a slice each, and the answer to the one that completes the object has its addresses. There is neither a
//! list nor a finish.

use std::io::Read;

use super::api::Rules;
use super::dialect::Dialect;
use super::envelope::{Data, Problem};
use super::json::{self, complete};
use super::location::Location;
use super::multipart::{Boundary, Form};
use super::reply::{Head, ReplyError};
use super::{Answer, Api, Init, Operation, OperationKind, Request, Session, Slice, Stored};

/// What every address of this API begins with.
pub const PREFIX: &str = "/files/v1";

/// The server says where to go on; client libraries of that time send one slice after another.
pub(super) const RULES: Rules = Rules {
    server_names_offset: true,
    parallel: false,
    has_finish: false,
    needs_digest: true,
    wants_states: false,
};

pub(super) fn operation_name(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Init | OperationKind::Slice => "upload_slice",
        other => super::json_v2::operation_name(other),
    }
}

/// The request of an operation on an object; `boundary_nonce` as for [`json_v2::encode`](super::json_v2::encode). A list
/// and a finish are not known here, and are written down so that a server says so.
pub fn encode(
    operation: &Operation,
    location: &Location,
    dialect: &Dialect,
    boundary_nonce: u128,
) -> Request {
    let boundary = Boundary::from_nonce(boundary_nonce);
    encode_with_boundary(operation, location, dialect, boundary)
}

/// As [`encode`], with a given boundary.
pub fn encode_with_boundary(
    operation: &Operation,
    location: &Location,
    dialect: &Dialect,
    boundary: Boundary,
) -> Request {
    let fill = |form| match operation {
        Operation::Init(init) => control_form(form, init),
        Operation::Slice(slice) => data_form(form, slice, dialect),
        Operation::Upload(upload) => json::upload_form(form, upload),
        _ => form,
    };
    json::encode(Api::FilesV1, operation, location, dialect, boundary, fill)
}

/// `slice_size` and `insertOnly` are not on the page; client libraries of that time send them.
fn control_form(form: Form, init: &Init) -> Form {
    let mut form = form.text("filesize", &init.size.to_string());
    if let Some(digests) = &init.digests {
        form = form.text("sha", &digests.whole().to_string());
    }
    form = json::attributes(form, init.biz_attr.as_deref(), init.overwrite);
    if let Some(session) = &init.session {
        form = form.text("session", session);
    }
    form.text("slice_size", &init.slice_size.to_string())
}

/// The `sha` of a request with data is that of its slice.
fn data_form(form: Form, slice: &Slice, dialect: &Dialect) -> Form {
    let form = form
        .text("session", &slice.session)
        .text("offset", &slice.offset.to_string());
    json::content(form, slice, dialect).source_sha("sha")
}

/// Reads the reply to an operation, as [`json_v2::decode`](super::json_v2::decode) does.
///
/// # Errors
///
/// As there.
pub fn decode(operation: &Operation, head: &Head, body: &mut dyn Read) -> Result<Answer, ReplyError> {
    json::decode(Api::FilesV1, operation, head, body, |operation, data| {
        answer(operation, &data)
    })
}

fn answer(operation: &Operation, data: &Data) -> Result<Answer, Problem> {
    match operation {
        Operation::Init(init) => answer_control(init, data),
        Operation::Slice(_) => match data.links() {
            links if links.has_address() => Ok(Answer::Complete(links)),
            _ => Ok(Answer::Stored(Stored {
                offset: data.offset()?,
                length: None,
            })),
        },
        other => json::answer(other.kind(), data),
    }
}

/// Session, offset and slice size are there "in most cases" (the page): without an offset the upload begins at 0, and without
/// a slice size the one that was asked for holds.
fn answer_control(init: &Init, data: &Data) -> Result<Answer, Problem> {
    match data.session()? {
        Some(session) => Ok(Answer::Session(Session {
            session,
            slice_size: data.slice_size_or(init.slice_size)?,
            serial: Some(true),
            offset: data.offset()?.unwrap_or(0),
        })),
        None => complete(data),
    }
}
