//! One API request from its head to its answer: read, held against the fault rules, executed, answered,
//! recorded.
//!
//! The points where a fault can strike come in this order: head read, half of the body read, whole body read,
//! executed, half of the answer sent.

use crate::answer::{AnswerBody, Reply, request_id};
use crate::api::Api;
use crate::body::{BodyError, BodyReader, Peeked};
use crate::codes::{self, Refusal};
use crate::connection::Connection;
use crate::dialect::{self, header_text};
use crate::faults::{Action, Ending, Knowledge, Phase};
use crate::form::{self, Form};
use crate::journal::{Draft, RequestRecord};
use crate::operations::{Call, is_operation_name, operation_name};
use crate::server::Shared;
use crate::signature::Signature;
use crate::store::lock;
use crate::switches::{ListAbsent, OnOff, OneTimeUse, Switches};
use crate::target::{self, Target};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Request, Response};
use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// The connection ends without an answer.
#[derive(Debug)]
pub(crate) struct Ended;

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection ends here")
    }
}

impl std::error::Error for Ended {}

type Answered = Result<Response<AnswerBody>, Ended>;

/// What the query says.
struct Query {
    op: Option<String>,
    sign: Option<String>,
    /// The query without the signature, for the journal.
    shown: Option<String>,
}

impl Query {
    fn parse(query: Option<&str>) -> Query {
        let Some(text) = query else {
            return Query {
                op: None,
                sign: None,
                shown: None,
            };
        };
        let mut parsed = Query {
            op: None,
            sign: None,
            shown: None,
        };
        let mut shown = Vec::new();
        for pair in text.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = target::decode(value).ok();
            match name {
                "sign" => {
                    let signature = decoded.as_deref().and_then(|token| Signature::decode(token).ok());
                    let fields = signature.map(|found| {
                        found
                            .fields()
                            .map(|(n, v)| format!("{n}={v}"))
                            .collect::<Vec<_>>()
                            .join("&")
                    });
                    shown.push(format!("sign=({})", fields.unwrap_or_default()));
                    parsed.sign = decoded;
                }
                _ => {
                    if name == "op" {
                        parsed.op = decoded;
                    }
                    shown.push(pair.to_owned());
                }
            }
        }
        parsed.shown = Some(shown.join("&"));
        parsed
    }
}

/// One request being answered.
struct Exchange {
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    parts: Parts,
    query: Query,
    switches: Switches,
    draft: Draft,
    request_id: String,
    now: u64,
}

/// Answers a request to the API.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Answered {
    let (parts, incoming) = request.into_parts();
    let sequence = shared.requests.fetch_add(1, Ordering::Relaxed) + 1;
    let query = Query::parse(parts.uri.query());
    let now = shared.now();
    let draft = Draft::new(
        shared.journal.clone(),
        first_record(&shared, &connection, &parts, &query, sequence),
    );
    let switches = lock(&shared.switches).clone();
    let request_id = request_id(now, connection.number, connection.peer.port(), sequence);
    let body = BodyReader::new(incoming, shared.config.stall_timeout, shared.body_memory.clone());
    Exchange {
        shared,
        connection,
        parts,
        query,
        switches,
        draft,
        request_id,
        now,
    }
    .run(body)
    .await
}

fn first_record(
    shared: &Shared,
    connection: &Connection,
    parts: &Parts,
    query: &Query,
    sequence: u64,
) -> RequestRecord {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let shown = parts.headers.iter().filter(|(name, _)| *name != AUTHORIZATION);
    let token = header_text(&parts.headers, AUTHORIZATION.as_str())
        .and_then(|text| text.split_whitespace().next_back());
    let signature = token
        .or(query.sign.as_deref())
        .and_then(|token| Signature::decode(token).ok());
    let fields = signature
        .iter()
        .flat_map(Signature::fields)
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    RequestRecord {
        sequence,
        connection: connection.number,
        time_ms: u64::try_from(shared.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: query.shown.clone(),
        operation: query.op.clone(),
        headers: shown
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        signature: fields.collect(),
        ..RequestRecord::default()
    }
}

/// The answer as one that no request follows.
fn closing(mut response: Response<AnswerBody>) -> Response<AnswerBody> {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(CONNECTION, close);
    response
}

impl Exchange {
    async fn run(self, mut body: BodyReader) -> Answered {
        let action = match self.pick_fault(&mut body).await {
            Ok(action) => action,
            Err(error) => return self.body_failed(&body, error),
        };
        if let Some(action) = &action {
            self.draft
                .note(|record| record.fault = Some(action.to_json().to_string()));
        }
        match &action {
            Some(Action::Early(early)) => {
                self.connection.end_while_sending();
                self.note_body(&body);
                return self.finish(Reply::scripted(&self.request_id, early), true);
            }
            Some(Action::Cut(ending, Phase::Headers)) => return self.cut(&body, *ending),
            Some(Action::Cut(ending, Phase::DuringBody)) => {
                // A body of unknown length is cut at its first piece.
                let half = body.announced().map_or(1, |length| length / 2);
                let _ = body.read_to(half).await;
                return self.cut(&body, *ending);
            }
            Some(Action::SlowRead { bytes_per_second }) => body.slow_down(*bytes_per_second),
            _ => {}
        }
        if let Err(error) = body.read_all().await {
            return self.body_failed(&body, error);
        }
        self.note_body(&body);
        let (bytes, memory) = body.into_body();
        let content_type = header_text(&self.parts.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let form = Form::decode(
            content_type,
            &bytes,
            self.switches.field_names,
            self.switches.duplicate_fields,
        );
        drop(bytes);
        if let Ok(form) = &form {
            self.note_form(form);
        }
        let call = form.and_then(|form| self.call(form));
        if action == Some(Action::Hang { after_effect: false }) {
            // Nothing may be held for as long as this lasts.
            drop((call, memory));
            self.draft.finish();
            return pending().await;
        }
        if let Some(answered) = self.without_effect(&call, action.as_ref()) {
            return answered;
        }
        let reply = self.execute(call, memory, action.clone()).await;
        self.after_effect(reply, action).await
    }

    /// Holds the request against the fault rules as soon as enough of it is known.
    async fn pick_fault(&self, body: &mut BodyReader) -> Result<Option<Action>, BodyError> {
        let need = lock(&self.shared.faults).needed_knowledge();
        let content_type = header_text(&self.parts.headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        let peeked = match (need, form::boundary(content_type)) {
            (Knowledge::Head, _) => Peeked::default(),
            (_, Some(boundary)) => body.peek(&boundary, need).await?,
            (_, None) => {
                body.read_all().await?;
                Peeked {
                    op: form::json_text(body.bytes(), "op"),
                    is_whole: true,
                    ..Peeked::default()
                }
            }
        };
        let peeked = Peeked {
            op: peeked.op.or_else(|| self.query.op.clone()),
            ..peeked
        };
        let operation = peeked.operation().map(str::to_owned);
        if let Some(operation) = operation.clone().filter(|name| is_operation_name(name)) {
            self.draft.note(|record| record.operation = Some(operation));
        }
        Ok(lock(&self.shared.faults).ask(operation.as_deref(), peeked.offset))
    }

    fn note_body(&self, body: &BodyReader) {
        let length = body.length() as u64;
        self.draft.note(|record| record.body_length = length);
    }

    fn note_form(&self, form: &Form) {
        let text = |name| form.text(name).ok().flatten().map(str::to_owned);
        self.draft.note(|record| {
            let has_content = form.content_length().is_some();
            record.operation = text("op")
                .or_else(|| self.query.op.clone())
                .map(|op| operation_name(&op, has_content).to_owned());
            record.offset = form.number("offset").ok().flatten();
            record.session = text("session");
            record.content_length = form.content_length().map(|length| length as u64);
            record.fields = form
                .text_fields()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
        });
    }

    /// The decoded request.
    fn call(&self, form: Form) -> Result<Call, Refusal> {
        let headers = &self.parts.headers;
        dialect::check_header(headers, &self.switches)?;
        if header_text(headers, CONTENT_TYPE.as_str()).is_some_and(form::is_multipart) {
            dialect::check_form(&form, &self.switches)?;
        }
        let config = &self.shared.config;
        let path = config.below_path_prefix(self.parts.uri.path());
        let (api, encoded) = path.and_then(Api::of_path).unwrap_or_default();
        Ok(Call {
            api,
            method: self.parts.method.clone(),
            target: Target::parse(encoded, self.switches.path_normalisation)?,
            form,
            query_op: self.query.op.clone(),
            token: dialect::token(headers, self.query.sign.as_deref(), &self.switches)?,
            base_url: format!(
                "{}://{}{}",
                config.scheme(),
                self.connection.local,
                config.path_prefix
            ),
            now: self.now,
        })
    }

    /// The faults that keep the operation from running.
    fn without_effect(&self, call: &Result<Call, Refusal>, action: Option<&Action>) -> Option<Answered> {
        let reply = match action? {
            Action::Answer(answer) => Reply::scripted(&self.request_id, answer),
            Action::Expired => {
                let refusal = codes::SIGNATURE_EXPIRED_OLD.because("a fault rule of the emulator says so");
                Reply::refusal(&self.request_id, &refusal, &self.switches)
            }
            Action::Raw {
                status,
                content_type,
                body,
                after_effect: false,
            } => Reply::raw(*status, content_type, body),
            Action::Cut(ending, Phase::Before) => {
                self.connection.end_with(*ending);
                self.draft.finish();
                return Some(Err(Ended));
            }
            _ => return None,
        };
        if let (Ok(call), OneTimeUse::Accepted) = (call, self.switches.one_time_use) {
            let service = self.shared.service(&self.switches);
            // Two look-ups of a small file.
            let _ = service.admit(call).map(|admitted| service.accept_only(&admitted));
        }
        Some(self.finish(reply, true))
    }

    /// Runs the operation where it may block. It runs to its end even when the client goes away meanwhile.
    async fn execute(
        &self,
        call: Result<Call, Refusal>,
        memory: Option<OwnedSemaphorePermit>,
        action: Option<Action>,
    ) -> Reply {
        let (shared, switches, draft) = (self.shared.clone(), self.switches.clone(), self.draft.clone());
        let request_id = self.request_id.clone();
        let work = spawn_blocking(move || {
            let is_list = call.as_ref().is_ok_and(Call::is_list);
            let result = call.and_then(|call| shared.run(&call, &switches, action.as_ref(), &draft));
            drop(memory);
            let code = result.as_ref().map_or_else(|refusal| refusal.code.number, |_| 0);
            draft.note(|record| record.code = Some(code));
            match result {
                Ok(data) => Reply::success(&request_id, data),
                Err(refusal)
                    if is_list
                        && refusal.code == codes::FILE_NOT_EXIST
                        && switches.list_absent == ListAbsent::EmptyBody =>
                {
                    Reply::raw(404, "text/plain", "").under(Some(code))
                }
                Err(refusal) => {
                    let reply = Reply::refusal(&request_id, &refusal, &switches);
                    if refusal.code == codes::TOO_FREQUENT {
                        reply.retry_after(1)
                    } else {
                        reply
                    }
                }
            }
        });
        work.await.unwrap_or_else(|_| {
            let refusal = codes::STORAGE.because("the emulator failed inside this operation; see its stderr");
            Reply::refusal(&self.request_id, &refusal, &self.switches)
        })
    }

    /// The faults that come after the operation.
    async fn after_effect(&self, mut reply: Reply, action: Option<Action>) -> Answered {
        match action {
            Some(Action::Cut(ending, Phase::AfterEffect)) => {
                self.connection.end_with(ending);
                self.draft.finish();
                Err(Ended)
            }
            Some(Action::Cut(ending, Phase::MidHead)) => {
                self.connection.cut_head();
                self.cut_answer(reply, false, ending)
            }
            Some(Action::Cut(ending, Phase::MidAnswer)) => {
                let half = reply.body().len() as u64 / 2;
                self.connection.cut_body_after(half);
                self.cut_answer(reply, false, ending)
            }
            Some(Action::Truncate(bytes)) => {
                self.connection.cut_body_after(bytes);
                let whole = bytes >= reply.body().len() as u64;
                self.cut_answer(reply, whole, Ending::Close)
            }
            Some(Action::Hang { after_effect: true }) => {
                self.draft.finish();
                pending().await
            }
            Some(Action::Delay(delay)) => {
                sleep(delay).await;
                self.finish(reply, true)
            }
            Some(Action::Raw {
                status,
                content_type,
                body,
                after_effect: true,
            }) => self.finish(Reply::raw(status, &content_type, &body).under(reply.code), true),
            Some(Action::Replace(members)) => {
                reply.replace(&members);
                self.finish(reply, true)
            }
            _ => self.finish(reply, true),
        }
    }

    /// The last answer of a connection that ends so; `answered`: whether all of it is sent.
    fn cut_answer(&self, reply: Reply, answered: bool, ending: Ending) -> Answered {
        self.connection.end_with(ending);
        Ok(closing(self.finish(reply, answered)?))
    }

    /// Records and answers.
    fn finish(&self, reply: Reply, answered: bool) -> Answered {
        self.draft.note(|record| {
            record.status = Some(reply.status);
            record.code = record.code.or(reply.code);
            record.answered = answered;
        });
        self.draft.finish();
        let response = reply.into_response(&self.request_id, self.shared.now());
        Ok(match self.switches.keep_alive {
            OnOff::On => response,
            OnOff::Off => closing(response),
        })
    }

    fn cut(&self, body: &BodyReader, ending: Ending) -> Answered {
        self.connection.end_with(ending);
        self.note_body(body);
        self.draft.finish();
        Err(Ended)
    }

    fn body_failed(&self, body: &BodyReader, error: BodyError) -> Answered {
        self.note_body(body);
        match error {
            BodyError::TooLarge => {
                let refusal = codes::FILE_TOO_LARGE
                    .because(format!("{error}; the limit is {} bytes", crate::body::BODY_LIMIT));
                self.finish(Reply::refusal(&self.request_id, &refusal, &self.switches), true)
            }
            BodyError::Stalled | BodyError::Broken => {
                self.draft.finish();
                Err(Ended)
            }
        }
    }
}
