//! The control API, under a path that no object can have. Only for clients on this machine.

use crate::answer::{AnswerBody, plain};
use crate::connection::Connection;
use crate::faults::Fault;
use crate::server::Shared;
use crate::store::lock;
use crate::target;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout, timeout_at};

/// Where the control API is.
pub(crate) const PREFIX: &str = "/_emulator/";
const BODY_LIMIT: usize = 1024 * 1024;
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// An answer: HTTP status and JSON.
type Outcome = (StatusCode, Value);

pub(crate) async fn answer(
    shared: Arc<Shared>,
    connection: &Connection,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let (status, value) = if may_control(connection.peer.ip()) {
        dispatch(shared, request).await
    } else {
        failure(StatusCode::FORBIDDEN, "the control API is only for this machine")
    };
    plain(status, "application/json; charset=utf-8", value.to_string())
}

/// Only this machine; an IPv4 address may come in its IPv6 form.
fn may_control(peer: IpAddr) -> bool {
    peer.to_canonical().is_loopback()
}

fn failure(status: StatusCode, what: impl std::fmt::Display) -> Outcome {
    (status, json!({"error": what.to_string()}))
}

fn done() -> Outcome {
    (StatusCode::OK, json!({}))
}

async fn dispatch(shared: Arc<Shared>, request: Request<Incoming>) -> Outcome {
    let (parts, incoming) = request.into_parts();
    let body = match read(&shared, incoming).await {
        Ok(body) => body,
        Err(outcome) => return outcome,
    };
    let name = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&parts.method, name) {
        (&Method::GET, "health") => (StatusCode::OK, json!({"status": "ok"})),
        (&Method::GET, "requests") => (StatusCode::OK, json!(shared.journal.all())),
        (&Method::DELETE, "requests") => {
            shared.journal.clear();
            done()
        }
        (&Method::GET, "wait") => wait(&shared, parts.uri.query().unwrap_or_default()).await,
        (&Method::GET, "faults") => (StatusCode::OK, lock(&shared.faults).to_json()),
        (&Method::POST, "faults") => add_faults(&shared, &body),
        (&Method::DELETE, "faults") => {
            lock(&shared.faults).clear();
            done()
        }
        (&Method::GET, "switches") => switches(&shared),
        (&Method::POST, "switches") => set_switches(&shared, &body),
        (&Method::GET, "uploads") => uploads(shared).await,
        (_, "health" | "requests" | "wait" | "faults" | "switches" | "uploads") => failure(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{name} does not take {}", parts.method),
        ),
        _ => failure(
            StatusCode::NOT_FOUND,
            "there are: health, requests, wait, faults, switches, uploads",
        ),
    }
}

async fn read(shared: &Shared, incoming: Incoming) -> Result<Bytes, Outcome> {
    let whole = timeout(
        shared.config.stall_timeout,
        Limited::new(incoming, BODY_LIMIT).collect(),
    )
    .await;
    match whole {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(failure(StatusCode::BAD_REQUEST, error)),
        Err(_) => Err(failure(StatusCode::REQUEST_TIMEOUT, "the body did not come")),
    }
}

fn add_faults(shared: &Shared, body: &[u8]) -> Outcome {
    match Fault::list_from_json(&String::from_utf8_lossy(body)) {
        Ok(rules) => {
            let mut faults = lock(&shared.faults);
            rules.into_iter().for_each(|rule| faults.add(rule));
            done()
        }
        Err(error) => failure(StatusCode::BAD_REQUEST, error),
    }
}

fn switches(shared: &Shared) -> Outcome {
    let values = lock(&shared.switches).values();
    (
        StatusCode::OK,
        values
            .into_iter()
            .map(|(name, value)| (name.to_owned(), json!(value)))
            .collect::<Map<_, _>>()
            .into(),
    )
}

/// Takes all of the settings or none.
fn set_switches(shared: &Shared, body: &[u8]) -> Outcome {
    let settings: Map<String, Value> = match serde_json::from_slice(body) {
        Ok(settings) => settings,
        Err(error) => {
            return failure(
                StatusCode::BAD_REQUEST,
                format!("expected an object of names and values: {error}"),
            );
        }
    };
    let mut switches = lock(&shared.switches);
    let mut changed = switches.clone();
    for (name, value) in &settings {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if let Err(error) = changed.set(name, &text) {
            return failure(StatusCode::BAD_REQUEST, error);
        }
    }
    *switches = changed;
    done()
}

async fn uploads(shared: Arc<Shared>) -> Outcome {
    let found = spawn_blocking(move || shared.store.uploads()).await;
    match found {
        Ok(Ok(uploads)) => {
            let describe = |(upload, parts): (crate::store::Upload, crate::store::Parts)| {
                let parts: Vec<Value> = parts
                    .into_iter()
                    .map(|(offset, length)| json!({"offset": offset, "datalen": length}))
                    .collect();
                json!({
                    "api": upload.api, "bucket": upload.bucket, "path": upload.path, "filesize": upload.filesize,
                    "slice_size": upload.slice_size, "session": upload.session, "sha": upload.sha, "parts": parts,
                })
            };
            (StatusCode::OK, uploads.into_iter().map(describe).collect())
        }
        Ok(Err(error)) => failure(StatusCode::INTERNAL_SERVER_ERROR, error),
        Err(error) => failure(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

/// What to wait for.
struct Wanted {
    operation: Option<String>,
    code: Option<i64>,
    count: usize,
    timeout: Duration,
}

impl Wanted {
    fn parse(query: &str) -> Result<Wanted, String> {
        let mut wanted = Wanted {
            operation: None,
            code: None,
            count: 1,
            timeout: Duration::from_secs(30),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = target::decode(value).map_err(|refusal| refusal.message())?;
            let bad = |_| format!("{name} is {value:?}, not a whole number");
            match name {
                "operation" => wanted.operation = Some(value),
                "outcome_code" => wanted.code = Some(value.parse().map_err(bad)?),
                "count" => wanted.count = value.parse().map_err(bad)?,
                "timeout_ms" => {
                    wanted.timeout = Duration::from_millis(value.parse().map_err(bad)?).min(LONGEST_WAIT)
                }
                _ => {
                    return Err(format!(
                        "unknown parameter {name:?}; there are: operation, outcome_code, count, timeout_ms"
                    ));
                }
            }
        }
        Ok(wanted)
    }
}

async fn wait(shared: &Shared, query: &str) -> Outcome {
    let wanted = match Wanted::parse(query) {
        Ok(wanted) => wanted,
        Err(error) => return failure(StatusCode::BAD_REQUEST, error),
    };
    let deadline = Instant::now() + wanted.timeout;
    let mut changes = shared.journal.subscribe();
    loop {
        let count = shared.journal.count(|record| {
            let operation_fits = wanted.operation.is_none() || record.operation == wanted.operation;
            operation_fits && (wanted.code.is_none() || record.code == wanted.code)
        });
        if count >= wanted.count {
            return (StatusCode::OK, json!({"count": count}));
        }
        if timeout_at(deadline, changes.changed()).await.is_err() {
            return (
                StatusCode::REQUEST_TIMEOUT,
                json!({"error": "not in time", "count": count}),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::may_control;

    #[test]
    fn only_this_machine_may_control() {
        for (peer, expected) in [
            ("127.0.0.1", true),
            ("127.8.9.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(may_control(peer.parse().unwrap()), expected, "{peer}");
        }
    }
}
