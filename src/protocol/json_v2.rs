//! The service's JSON API, second version: `files/v2`.
//!
//! Fields and their order follow the documentation pages of the operations; names, types and which replies mean
//! what are facts of the service, the decisions about them are in [`codes`](super::codes).

use std::io::Read;

use super::codes::Class;
use super::envelope::{Data, Problem};
use super::location::Location;
use super::multipart::{Boundary, Form};
use super::reply::{self, Foreign, Head, Reply, ReplyError};
use super::signature::Kind;
use super::{
    Answer, Body, Finish, Init, ObjectStatus, Operation, OperationKind, Request, Segment, Session,
    SingleUpload, Slice, Stored, Unfinished,
};

/// What every address of this API begins with.
pub const PREFIX: &str = "/files/v2";

/// The request of an operation on an object. `boundary_nonce` is 128 random bits, fresh for each request: they
/// keep contents from being taken for form syntax.
pub fn encode(operation: &Operation, location: &Location, boundary_nonce: u128) -> Request {
    encode_with_boundary(operation, location, Boundary::from_nonce(boundary_nonce))
}

/// As [`encode`], with a given boundary.
pub fn encode_with_boundary(operation: &Operation, location: &Location, boundary: Boundary) -> Request {
    let target = location.target(PREFIX);
    let form = Form::new(boundary).text("op", operation.kind().name());
    let form = match operation {
        Operation::Init(init) => init_form(form, init),
        Operation::List => form,
        Operation::Slice(slice) => slice_form(form, slice),
        Operation::Finish(finish) => finish_form(form, finish),
        Operation::Upload(upload) => upload_form(form, upload),
        Operation::Stat => return stat_request(target),
        Operation::Delete => return delete_request(target),
    };
    Request {
        method: "POST",
        target,
        content_type: Some(form.content_type()),
        body: form.finish(),
        signature: Kind::MultiEffect,
    }
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

fn slice_form(form: Form, slice: &Slice) -> Form {
    let mut form = form
        .text("session", &slice.session)
        .text("offset", &slice.offset.to_string());
    // The whole object's, again: once init had it, every request must (client libraries of the service).
    if let Some(sha) = slice.sha {
        form = form.text("sha", &sha.to_string());
    }
    form.source("filecontent", slice.offset, slice.length)
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

fn upload_form(mut form: Form, upload: &SingleUpload) -> Form {
    if let Some(sha) = upload.sha {
        form = form.text("sha", &sha.to_string());
    }
    attributes(form, upload.biz_attr.as_deref(), upload.overwrite).source("filecontent", 0, upload.size)
}

/// `insertOnly` is sent to allow overwriting only: without it the service does not overwrite (the init page).
fn attributes(mut form: Form, biz_attr: Option<&str>, overwrite: bool) -> Form {
    if let Some(biz_attr) = biz_attr {
        form = form.text("biz_attr", biz_attr);
    }
    if overwrite {
        form.text("insertOnly", "0")
    } else {
        form
    }
}

fn stat_request(target: String) -> Request {
    Request {
        method: "GET",
        target: format!("{target}?op={}", OperationKind::Stat.name()),
        content_type: None,
        body: Body::default(),
        signature: Kind::MultiEffect,
    }
}

fn delete_request(target: String) -> Request {
    let json = format!("{{\"op\":\"{}\"}}", OperationKind::Delete.name());
    Request {
        method: "POST",
        target,
        content_type: Some("application/json".to_owned()),
        body: Body {
            segments: vec![Segment::Text(json.into_bytes())],
        },
        signature: Kind::OneTime,
    }
}

/// Reads the reply to an operation. The body is read as it comes and never held as a whole; how much of it may come
/// is the reader's affair (see [`TooLong`](reply::TooLong)). A body that is no JSON may be left unread.
///
/// # Errors
///
/// [`ReplyError::Refused`] where the service said no or the reply makes no sense, [`ReplyError::Read`] where the
/// body did not arrive.
pub fn decode(operation: &Operation, head: &Head, body: &mut dyn Read) -> Result<Answer, ReplyError> {
    let (envelope, start) = match reply::read(body)? {
        Reply::Envelope { envelope, start } => (*envelope, start),
        Reply::Foreign(foreign) => return answer_foreign(operation, head, foreign),
    };
    let Some(code) = envelope.code.integer() else {
        let problem = format!(
            "the reply is JSON whose code is {}, not an integer",
            envelope.code
        );
        return answer_foreign(operation, head, Foreign::of(&problem, &start));
    };
    if code != 0 {
        let refusal = reply::refuse_code(head, code, &envelope);
        return match absence(operation) {
            Some(answer) if refusal.class == Class::Absent => Ok(answer),
            _ => Err(refusal.into()),
        };
    }
    if !(200..=299).contains(&head.http_status) {
        return Err(reply::refuse_contradiction(head, &envelope).into());
    }
    let request_id = envelope.request_id;
    answer(operation, envelope.data.fields).map_err(|problem| {
        let problem = format!("the reply reports success, but {problem}");
        let foreign = Foreign {
            request_id: request_id.text().map(str::to_owned),
            ..Foreign::of(&problem, &start)
        };
        reply::refuse_foreign(head, foreign).into()
    })
}

/// A reply without a code: the HTTP status decides.
fn answer_foreign(operation: &Operation, head: &Head, foreign: Foreign) -> Result<Answer, ReplyError> {
    match absence(operation) {
        Some(answer) if head.http_status == 404 => Ok(answer),
        _ => Err(reply::refuse_foreign(head, foreign).into()),
    }
}

/// The answer that "there is no such object" is to an operation, where it is one.
fn absence(operation: &Operation) -> Option<Answer> {
    match operation.kind() {
        OperationKind::List | OperationKind::Stat => Some(Answer::Absent),
        OperationKind::Delete => Some(Answer::Deleted),
        OperationKind::Init | OperationKind::Slice | OperationKind::Finish | OperationKind::Upload => None,
    }
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
        OperationKind::Finish | OperationKind::Upload => Ok(Answer::Complete(data.links())),
        OperationKind::Stat => Ok(Answer::Status(ObjectStatus {
            size: data.file_size()?,
            received: data.received()?,
            sha: data.sha()?,
            links: data.links(),
        })),
        OperationKind::Delete => Ok(Answer::Deleted),
    }
}

/// On an instant hit there is no session but the object's addresses (the init page).
fn answer_init(data: &Data) -> Result<Answer, Problem> {
    match data.session()? {
        Some(session) => Ok(Answer::Session(Session {
            session,
            slice_size: data.slice_size()?,
            serial: data.serial()?,
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

/// A reply without a session means a complete object only where it has at least one of the object's addresses.
fn complete(data: &Data) -> Result<Answer, Problem> {
    let links = data.links();
    if links == super::Links::default() {
        return Err("it has neither a session nor an address of the object".to_owned());
    }
    Ok(Answer::Complete(links))
}
