//! What the versions of the JSON API have in common: the frame of requests and replies, and the operations beside the
//! slice upload.

use std::io::Read;

use super::codes::Class;
use super::dialect::Dialect;
use super::envelope::{Data, Envelope, Problem};
use super::location::Location;
use super::multipart::{Boundary, Form};
use super::reply::{self, Foreign, Head, Reply, ReplyError};
use super::{
    Answer, Api, Body, ObjectStatus, Operation, OperationKind, Refusal, Request, Segment, SingleUpload,
    Slice, codes,
};

/// The request of an operation, whose form `fill` writes where it has one.
pub(super) fn encode(
    api: Api,
    operation: &Operation,
    location: &Location,
    dialect: &Dialect,
    boundary: Boundary,
    fill: impl FnOnce(Form) -> Form,
) -> Request {
    match operation {
        Operation::Stat => stat_request(api, location),
        Operation::Delete => delete_request(api, location),
        Operation::CreateDirectory(level) => create_request(api, location, *level),
        _ => form_request(api, operation, location, dialect, boundary, fill),
    }
}

/// The request with a form, whose `op` is the operation's name.
fn form_request(
    api: Api,
    operation: &Operation,
    location: &Location,
    dialect: &Dialect,
    boundary: Boundary,
    fill: impl FnOnce(Form) -> Form,
) -> Request {
    let form = Form::new(boundary).text("op", api.operation_name(operation.kind()));
    // A store's own fields go before the content, so that it has read them by then.
    let form = fill(form.additions(dialect.form_fields()));
    Request {
        method: "POST",
        target: location.target(api.prefix()),
        content_type: Some(form.content_type()),
        body: form.finish(),
        signature: operation.kind().signature(),
        may_complete: match operation {
            Operation::Upload(_) => true,
            Operation::Slice(_) => !api.rules().has_finish,
            _ => false,
        },
    }
}

/// The bytes of a slice, and their MD5 where the store wants it: behind them, so that it is taken while they are sent.
pub(super) fn content(form: Form, slice: &Slice, dialect: &Dialect) -> Form {
    let form = form.source("filecontent", slice.offset, slice.length);
    match dialect.slice_md5 {
        true => form.source_md5("datamd5"),
        false => form,
    }
}

pub(super) fn upload_form(mut form: Form, upload: &SingleUpload) -> Form {
    if let Some(sha) = upload.sha {
        form = form.text("sha", &sha.to_string());
    }
    attributes(form, upload.biz_attr.as_deref(), upload.overwrite).source("filecontent", 0, upload.size)
}

/// `insertOnly` is sent to allow overwriting only: without it the service does not overwrite (the init page).
pub(super) fn attributes(mut form: Form, biz_attr: Option<&str>, overwrite: bool) -> Form {
    if let Some(biz_attr) = biz_attr {
        form = form.text("biz_attr", biz_attr);
    }
    if overwrite {
        form.text("insertOnly", "0")
    } else {
        form
    }
}

fn stat_request(api: Api, location: &Location) -> Request {
    let name = api.operation_name(OperationKind::Stat);
    Request {
        method: "GET",
        target: format!("{}?op={name}", location.target(api.prefix())),
        content_type: None,
        body: Body::default(),
        signature: OperationKind::Stat.signature(),
        may_complete: false,
    }
}

fn delete_request(api: Api, location: &Location) -> Request {
    json_request(api, OperationKind::Delete, location.target(api.prefix()))
}

fn create_request(api: Api, location: &Location, level: u32) -> Request {
    let target = format!(
        "{}{}",
        api.prefix(),
        location.file_id_of(&location.directory(level))
    );
    json_request(api, OperationKind::CreateDirectory, target)
}

fn json_request(api: Api, kind: OperationKind, target: String) -> Request {
    let json = format!("{{\"op\":\"{}\"}}", api.operation_name(kind));
    Request {
        method: "POST",
        target,
        content_type: Some("application/json".to_owned()),
        body: Body {
            segments: vec![Segment::Text(json.into_bytes())],
        },
        signature: kind.signature(),
        may_complete: false,
    }
}

/// Reads the reply to an operation. A body of 4 KiB or more is read as it comes and never held as a whole; how much of it
/// may come is the reader's affair (see [`TooLong`](reply::TooLong)). A body that is no JSON may be left unread.
///
/// # Errors
///
/// [`ReplyError::Refused`] where the service said no or the reply makes no sense, [`ReplyError::Read`] where the
/// body did not arrive.
pub(super) fn decode(
    api: Api,
    operation: &Operation,
    head: &Head,
    body: &mut dyn Read,
    answer: impl FnOnce(&Operation, Data) -> Result<Answer, Problem>,
) -> Result<Answer, ReplyError> {
    let (envelope, start) = match reply::read(body)? {
        Reply::Envelope { envelope, start } => (*envelope, start),
        Reply::Foreign(foreign) => return answer_foreign(api, operation, head, foreign),
    };
    let Some(code) = envelope.code.integer() else {
        let problem = format!(
            "the reply is JSON whose code is {}, not an integer",
            envelope.code
        );
        return answer_foreign(api, operation, head, Foreign::of(&problem, &start));
    };
    if code != 0 {
        let refusal = reply::refuse_code(api, head, code, &envelope);
        return match absence(operation) {
            Some(answer) if refusal.class == Class::Absent => Ok(answer),
            _ if operation.kind() == OperationKind::CreateDirectory && code == codes::PATH_CONFLICT => {
                Ok(Answer::Created)
            }
            _ => Err(refusal.into()),
        };
    }
    if !(200..=299).contains(&head.http_status) {
        return Err(reply::refuse_contradiction(api, head, &envelope).into());
    }
    if let Some(refusal) = damaged_slice(api, operation, head, &envelope) {
        return Err(refusal.into());
    }
    let request_id = envelope.request_id;
    answer(operation, envelope.data.fields).map_err(|problem| {
        let problem = format!("the reply reports success, but {problem}");
        let foreign = Foreign {
            request_id: request_id.text().map(str::to_owned),
            ..Foreign::of(&problem, &start)
        };
        reply::refuse_foreign(api, head, foreign).into()
    })
}

/// The refusal that success amounts to where the store tells another MD5 of the slice than it was sent with.
fn damaged_slice(api: Api, operation: &Operation, head: &Head, envelope: &Envelope) -> Option<Refusal> {
    let sent = head
        .sent_md5
        .filter(|_| operation.kind() == OperationKind::Slice)?;
    let stored = envelope.data.fields.md5();
    (!stored.is_empty() && stored.parse() != Ok(sent)).then(|| {
        let how = format!("its MD5 is \"{stored}\", that of the slice {sent}");
        reply::refuse_damaged(api, head, &how, envelope)
    })
}

/// A reply without a code: the HTTP status decides.
fn answer_foreign(
    api: Api,
    operation: &Operation,
    head: &Head,
    foreign: Foreign,
) -> Result<Answer, ReplyError> {
    match absence(operation) {
        Some(answer) if head.http_status == 404 => Ok(answer),
        _ => Err(reply::refuse_foreign(api, head, foreign).into()),
    }
}

/// The answer that "there is no such object" is to an operation, where it is one.
fn absence(operation: &Operation) -> Option<Answer> {
    match operation.kind() {
        OperationKind::List | OperationKind::Stat => Some(Answer::Absent),
        OperationKind::Delete => Some(Answer::Deleted),
        OperationKind::Init
        | OperationKind::Slice
        | OperationKind::Finish
        | OperationKind::Upload
        | OperationKind::CreateDirectory => None,
    }
}

/// What the data of a successful reply to an operation beside the slice upload says.
pub(super) fn answer(kind: OperationKind, data: &Data) -> Result<Answer, Problem> {
    Ok(match kind {
        OperationKind::Stat => Answer::Status(ObjectStatus {
            size: data.file_size()?,
            received: data.received()?,
            sha: data.sha()?,
            links: data.links(),
        }),
        OperationKind::Delete => Answer::Deleted,
        OperationKind::CreateDirectory => Answer::Created,
        OperationKind::Init
        | OperationKind::List
        | OperationKind::Slice
        | OperationKind::Finish
        | OperationKind::Upload => Answer::Complete(data.links()),
    })
}

/// A reply without a session means a complete object only where it has at least one of the object's addresses.
pub(super) fn complete(data: &Data) -> Result<Answer, Problem> {
    let links = data.links();
    if !links.has_address() {
        return Err("it has neither a session nor an address of the object".to_owned());
    }
    Ok(Answer::Complete(links))
}
