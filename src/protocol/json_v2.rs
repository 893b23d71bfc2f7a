//! The service's JSON API, second version: `files/v2`.
//!
//! Fields and their order follow the documentation pages of the operations; names, types and which replies mean
//! what are facts of the service, the decisions about them are in [`codes`](super::codes).

use std::io::Read;

use super::api::Rules;
use super::dialect::Dialect;
use super::envelope::{Data, Problem};
use super::json::{self, attributes, complete};
use super::location::Location;
use super::multipart::{Boundary, Form};
use super::reply::{Head, ReplyError};
use super::{
    Answer, Api, Finish, Init, Operation, OperationKind, Request, Session, Slice, Stored, Unfinished,
};

/// What every address of this API begins with.
pub const PREFIX: &str = "/files/v2";

/// Slices in any order into a session, then a finish; a list tells what is there (the pages of the four operations).
pub(super) const RULES: Rules = Rules {
    server_names_offset: false,
    parallel: true,
    has_finish: true,
    needs_digest: false,
    wants_states: true,
};

pub(super) fn operation_name(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Init => "upload_slice_init",
        OperationKind::List => "upload_slice_list",
        OperationKind::Slice => "upload_slice_data",
        OperationKind::Finish => "upload_slice_finish",
        OperationKind::Upload => "upload",
        OperationKind::Stat => "stat",
        OperationKind::Delete => "delete",
        OperationKind::CreateDirectory => "create",
    }
}

/// The request of an operation on an object. `boundary_nonce` is 128 random bits, fresh for each request: they
/// keep contents from being taken for form syntax.
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
        Operation::Init(init) => init_form(form, init),
        Operation::Slice(slice) => slice_form(form, slice, dialect),
        Operation::Finish(finish) => finish_form(form, finish),
        Operation::Upload(upload) => json::upload_form(form, upload),
        Operation::List | Operation::Stat | Operation::Delete | Operation::CreateDirectory(_) => form,
    };
    json::encode(Api::FilesV2, operation, location, dialect, boundary, fill)
}

fn init_form(form: Form, init: &Init) -> Form {
    let mut form = form
        .text("filesize", &init.size.to_string())
        .text("slice_size", &init.slice_size.to_string());
    if let Some(digests) = &init.digests {
        form = form
            .text("sha", &digests.whole().to_string())
            .parts("uploadparts", digests.clone());
    }
    attributes(form, init.biz_attr.as_deref(), init.overwrite)
}

fn slice_form(form: Form, slice: &Slice, dialect: &Dialect) -> Form {
    let mut form = form
        .text("session", &slice.session)
        .text("offset", &slice.offset.to_string());
    // The whole object's, again: once init had it, every request must (client libraries of the service).
    if let Some(sha) = slice.sha {
        form = form.text("sha", &sha.to_string());
    }
    json::content(form, slice, dialect)
}

fn finish_form(form: Form, finish: &Finish) -> Form {
    let form = form
        .text("session", &finish.session)
        .text("filesize", &finish.size.to_string());
    match finish.sha {
        Some(sha) => form.text("sha", &sha.to_string()),
        None => form,
    }
}

/// Reads the reply to an operation. A body of 4 KiB or more is read as it comes and never held as a whole; how much of it
/// may come is the reader's affair (see [`TooLong`](super::reply::TooLong)). A body that is no JSON may be left unread.
///
/// # Errors
///
/// [`ReplyError::Refused`] where the service said no or the reply makes no sense, [`ReplyError::Read`] where the
/// body did not arrive.
pub fn decode(operation: &Operation, head: &Head, body: &mut dyn Read) -> Result<Answer, ReplyError> {
    json::decode(Api::FilesV2, operation, head, body, answer)
}

/// What the data of a successful reply says.
fn answer(operation: &Operation, data: Data) -> Result<Answer, Problem> {
    match operation.kind() {
        OperationKind::Init => answer_init(&data),
        OperationKind::List => answer_list(data),
        OperationKind::Slice => Ok(Answer::Stored(Stored {
            offset: data.offset()?,
            length: data.length()?,
        })),
        kind => json::answer(kind, &data),
    }
}

/// On an instant hit there is no session but the object's addresses (the init page).
fn answer_init(data: &Data) -> Result<Answer, Problem> {
    match data.session()? {
        Some(session) => Ok(Answer::Session(Session {
            session,
            slice_size: data.slice_size()?,
            serial: data.serial()?,
            offset: 0,
        })),
        None => complete(data),
    }
}

fn answer_list(data: Data) -> Result<Answer, Problem> {
    let Some(session) = data.session()? else {
        return complete(&data);
    };
    let size = data.file_size()?;
    Ok(Answer::Unfinished(Unfinished {
        session,
        size,
        slice_size: data.slice_size()?,
        sha: data.sha()?,
        serial: data.serial()?,
        parts: data.parts(size)?,
    }))
}
