//! One HTTP exchange: a request out, its answer in, and what went wrong in the terms of the state machine.
//!
//! This file and `socket.rs` with its parts are the only ones that know the HTTP library. It is used as a
//! leaf: it retries nothing, follows no redirect, looks up no name, reads no environment and waits for
//! nothing by itself.

pub(super) mod failure;
mod proxy;
#[cfg(test)]
mod tests;

use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use ureq::config::AutoHeaderValue;
use ureq::http::{HeaderMap, HeaderValue, header};
use ureq::{Agent, SendBody};

use crate::protocol::Request;
use crate::protocol::dialect::HiddenHead;
use crate::protocol::md5::Md5Digest;
use crate::protocol::reply::{Head, ReplyError, TooLong};
use crate::upload::failure::{Cause, NetworkFailure, Phase, SourceFailure, TaskFailure};

use super::body::BodyReader;
use super::cancel::CancelToken;
use super::endpoint::Endpoint;
use super::limiter::Limits;
use super::resolver::Resolver;
use super::socket::{Connector, FileFault, Line, LineState, NoResolver, PendingHead, Route, tls};
use super::source::{self, Source};
use failure::{from_http, from_io, network};

/// How long a kept connection may have been idle to be used once more. Servers close them after some time,
/// often 15 seconds.
const MAX_IDLE: Duration = Duration::from_secs(10);

/// The longest head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// How much of a reply that was not read to its end is read for the connection's sake, and for how long.
const MAX_DRAIN: (u64, Duration) = (64 << 10, Duration::from_secs(1));

/// The longest target and hidden head together, in bytes: the head of a request must fit into the output buffer and
/// leave room there for the beginning of the body.
const MAX_REQUEST_TEXT: usize = 32 << 10;

/// The longest user agent, in bytes.
const MAX_USER_AGENT: usize = 1 << 10;

/// How many bytes a reply may have.
pub const MAX_REPLY: u64 = 1 << 20;

/// How many bytes the reply to a list may have: each slice that the server has is an entry.
pub const MAX_LIST_REPLY: u64 = 8 << 20;

/// How long each phase of an exchange may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Looking up the host's addresses.
    pub resolve: Duration,
    /// Opening the connection, to all addresses together; a proxy's tunnel has as much again.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// While a request is sent: how long no byte may move. There is no limit for the whole.
    pub stall: Duration,
    /// The head of the answer after the last byte has left this machine, and the rest of the answer after its head. There
    /// is no limit for sending, as long as bytes arrive at all.
    pub answer: Duration,
    /// The same for a finish, which has the server put the object together.
    pub finish_answer: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            resolve: seconds(10),
            connect: seconds(10),
            tls: seconds(10),
            stall: seconds(30),
            answer: seconds(60),
            finish_answer: seconds(120),
        }
    }
}

/// Where to connect, and how.
#[derive(Clone)]
pub struct TransportConfig {
    /// The service.
    pub endpoint: Endpoint,
    /// How long each phase may take.
    pub timeouts: Timeouts,
    /// The only certificates to trust, in PEM; `None` for those of the platform.
    pub ca_pem: Option<Vec<u8>>,
    /// An HTTP proxy, `http://[user:password@]host[:port]`. Everything goes through its tunnels (`CONNECT`).
    pub proxy: Option<String>,
    /// Without `proxy`: whether to take one from the environment: `https_proxy` or `HTTPS_PROXY`, for http only `http_proxy`, or
    /// else `all_proxy` or `ALL_PROXY`, unless the host is in `no_proxy` or `NO_PROXY`.
    pub use_env_proxy: bool,
    /// The `User-Agent` header.
    pub user_agent: String,
}

/// What the transports of one client share. It has no thread and no connection of its own.
#[derive(Debug)]
pub struct SharedTransport {
    route: Arc<Route>,
    user_agent: String,
}

impl SharedTransport {
    /// Checks the configuration, and reads the trusted certificates for https.
    ///
    /// # Errors
    /// An argument is wrong, or there are no certificates; the text says which and what to do, and has no
    /// secret.
    pub fn new(config: TransportConfig) -> Result<Self, String> {
        Self::with_resolver(config, Resolver::system())
    }

    fn with_resolver(config: TransportConfig, resolver: Resolver) -> Result<Self, String> {
        let TransportConfig {
            endpoint,
            timeouts,
            ca_pem,
            proxy,
            use_env_proxy,
            user_agent,
        } = config;
        let is_header = HeaderValue::from_str(&user_agent).is_ok_and(|value| value.to_str().is_ok());
        if !is_header || user_agent.is_empty() || user_agent.len() > MAX_USER_AGENT {
            return Err("the user agent must have 1 to 1024 visible ASCII characters".to_owned());
        }
        let proxy = match proxy {
            Some(address) => Some(proxy::parse(&address)?),
            None if use_env_proxy => proxy::of_environment(&endpoint)?,
            None => None,
        };
        let tls = match endpoint.is_https() {
            true => Some(tls::client_config(ca_pem.as_deref())?),
            false => None,
        };
        Ok(Self {
            route: Arc::new(Route {
                endpoint,
                proxy,
                resolver,
                tls,
                timeouts,
            }),
            user_agent,
        })
    }

    /// How long each phase may take.
    pub fn timeouts(&self) -> &Timeouts {
        &self.route.timeouts
    }

    /// The service.
    pub fn endpoint(&self) -> &Endpoint {
        &self.route.endpoint
    }
}

/// Whether the address of a proxy is acceptable.
///
/// # Errors
/// What it must look like.
pub fn check_proxy(address: &str) -> Result<(), String> {
    proxy::parse(address).map(drop)
}

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
pub struct AnswerLimits {
    /// The head of the answer after the last byte sent, and the rest after its head.
    pub time: Duration,
    /// The answer's body, in bytes.
    pub size: u64,
}

/// The time, with [`MAX_REPLY`].
impl From<Duration> for AnswerLimits {
    fn from(time: Duration) -> Self {
        Self {
            time,
            size: MAX_REPLY,
        }
    }
}

/// How an answer becomes a value: its head, and its body as it arrives.
pub type Decode<'a, T> = dyn FnMut(&Head, &mut dyn Read) -> Result<T, ReplyError> + 'a;

/// One worker's way to the service: at most one connection, kept between exchanges.
pub struct Transport {
    shared: Arc<SharedTransport>,
    /// Made by the first exchange.
    agent: Option<(Agent, Arc<Line>)>,
    limits: Limits,
    server_date: Option<u64>,
}

impl Transport {
    /// A transport without a connection.
    pub fn new(shared: &Arc<SharedTransport>) -> Self {
        Self {
            shared: Arc::clone(shared),
            agent: None,
            limits: Limits::default(),
            server_date: None,
        }
    }

    /// How fast the exchanges that follow may send.
    pub fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// How long the last exchange waited for leave by its upload's limit.
    pub fn held(&self) -> Duration {
        let held = |(_, line): &(Agent, Arc<Line>)| line.state().held;
        self.agent.as_ref().map_or(Duration::ZERO, held)
    }

    /// The `Date` header of the last exchange's answer, in seconds since 1970; `None` where there was no
    /// answer, or its date was not in the form that names its time zone.
    pub fn server_date(&self) -> Option<u64> {
        self.server_date
    }

    /// Whether a connection was opened for the last exchange, or tried to, as against one that was kept.
    pub fn has_opened(&self) -> bool {
        self.agent.as_ref().is_some_and(|(_, line)| line.state().opened)
    }

    /// Does one exchange, without any retry. Blocks for no longer than the limits of all phases, and returns
    /// soon after the token was cancelled.
    ///
    /// An answer to a request that could not be sent whole counts where it is a refusal. Where it is a
    /// success, the failure to send is returned as an ambiguous one.
    pub fn exchange<T>(
        &mut self,
        request: &Request,
        hidden: HiddenHead,
        source: &dyn Source,
        limits: impl Into<AnswerLimits>,
        token: &CancelToken,
        decode: &mut Decode<'_, T>,
    ) -> Result<T, TaskFailure> {
        self.server_date = None;
        let limits = limits.into();
        let head = self.write_head(request, &hidden)?;
        let (agent, line) = self.agent()?;
        let _serving = line.slot.serve(token);
        let pending = PendingHead {
            hidden,
            has_body: !request.body.is_empty(),
            // What is sent so can change until it has arrived, and then it must not be in the object already.
            may_send_files: !request.may_complete,
        };
        line.begin(pending, limits.time, self.limits.clone());
        let mut reader = BodyReader::new(&request.body, source, &*line);
        let answered = match request.body.is_empty() {
            true => agent.run(head),
            false => agent.run(head.map(|()| SendBody::from_reader(&mut reader))),
        };
        let result = match answered {
            Ok(response) => self.read_answer(response, reader.sent_md5(), &line, limits, decode),
            Err(error) => Err(from_http(error)),
        };
        let result = match line.state().file_fault.take() {
            Some(fault) => Err(TaskFailure::Source(of_file(fault, source))),
            None => result,
        };
        let result = result.and_then(|answer| settle_file(&line.state(), source).map(|()| answer));
        result.map_err(|failure| match failure {
            TaskFailure::Network(_) if token.is_cancelled() => TaskFailure::Cancelled,
            TaskFailure::Network(failure) => TaskFailure::Network(judge(failure, &line.state())),
            failure => failure,
        })
    }

    fn agent(&mut self) -> Result<(Agent, Arc<Line>), TaskFailure> {
        if let Some((agent, line)) = &self.agent {
            return Ok((agent.clone(), Arc::clone(line)));
        }
        let line = Line::new().map_err(|error| {
            TaskFailure::Resources(format!(
                "the system gives no descriptors for a connection: {error}"
            ))
        })?;
        let (route, line) = (Arc::clone(&self.shared.route), Arc::new(line));
        let connector = Connector {
            route,
            line: Arc::clone(&line),
        };
        let agent = Agent::with_parts(settings(&self.shared.user_agent), connector, NoResolver);
        Ok(self.agent.insert((agent, line)).clone())
    }

    fn write_head(
        &self,
        request: &Request,
        hidden: &HiddenHead,
    ) -> Result<ureq::http::Request<()>, TaskFailure> {
        if hidden.len() + request.target.len() > MAX_REQUEST_TEXT {
            return Err(TaskFailure::Argument(format!(
                "the authorization with the added headers ({} bytes) and the path ({}) are longer than {MAX_REQUEST_TEXT} bytes",
                hidden.len(),
                request.target.len()
            )));
        }
        if !hidden.is_printable() {
            return Err(TaskFailure::Argument(
                "the authorization has characters that a header can't have, a line break perhaps".into(),
            ));
        }
        // Without what is hidden: `socket.rs` adds it.
        let mut head = ureq::http::Request::builder()
            .method(request.method)
            .uri(self.shared.route.endpoint.uri(&request.target));
        if let Some(content_type) = &request.content_type {
            head = head.header(header::CONTENT_TYPE, content_type);
        }
        if request.method != "GET" {
            head = head.header(header::CONTENT_LENGTH, request.body.len());
        }
        head.body(())
            .map_err(|error| TaskFailure::Argument(format!("the request can't be written down: {error}")))
    }

    fn read_answer<T>(
        &mut self,
        response: ureq::http::Response<ureq::Body>,
        sent_md5: Option<Md5Digest>,
        line: &Line,
        limits: AnswerLimits,
        decode: &mut Decode<'_, T>,
    ) -> Result<T, TaskFailure> {
        line.state().head_is_complete();
        let (parts, body) = response.into_parts();
        self.server_date = text(&parts.headers, header::DATE).and_then(|date| parse_date(&date));
        let head = Head {
            http_status: parts.status.as_u16(),
            request_id: text(&parts.headers, "x-cos-request-id"),
            retry_after: text(&parts.headers, header::RETRY_AFTER).and_then(|delay| parse_delay(&delay)),
            content_type: text(&parts.headers, header::CONTENT_TYPE),
            sent_md5,
        };
        let mut reply = Capped {
            body: body.into_reader(),
            left: limits.size,
            limit: limits.size,
        };
        let answer = match decode(&head, &mut reply) {
            Ok(value) => Ok(value),
            Err(ReplyError::Refused(refusal)) => Err(TaskFailure::Refused(refusal)),
            Err(ReplyError::Read(error)) if TooLong::is_cause_of(&error) => {
                return Err(network(Phase::Answer, Cause::TooLarge, error.to_string()));
            }
            Err(ReplyError::Read(error)) => return Err(from_io(error)),
        };
        let cut = line.state().cut.clone();
        match cut {
            None => {
                drain(reply.body, line);
                answer
            }
            // A refusal of what the server saw of the request is one of the whole.
            Some(_) if answer.is_err() || head.http_status >= 400 => answer,
            Some(TaskFailure::Network(failure)) => {
                let detail = format!(
                    "HTTP {} though the request was not sent whole: {}",
                    head.http_status, failure.detail
                );
                Err(TaskFailure::Network(NetworkFailure {
                    ambiguous: true,
                    detail,
                    ..failure
                }))
            }
            Some(failure) => Err(failure),
        }
    }
}

/// The HTTP library's settings. Its time limits stay unset, which means none: `socket.rs` has those that
/// count.
fn settings(user_agent: &str) -> ureq::config::Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .timeout_await_100(None)
        .user_agent(user_agent)
        .accept_encoding(AutoHeaderValue::None)
        .max_response_header_size(MAX_HEAD)
        .max_idle_connections(1)
        .max_idle_connections_per_host(1)
        .max_idle_age(MAX_IDLE)
        .build()
}

/// What the system sent of a file by itself it took from there when it left, and perhaps once more when it got lost. All of it
/// has arrived by now, so what the server has is what the upload began with if the file still is that. A change shows
/// before any byte of it does: the system notes the time of a change first.
fn settle_file(state: &LineState, source: &dyn Source) -> Result<(), TaskFailure> {
    match state.sent_file {
        true => source.verify_unchanged().map_err(TaskFailure::Source),
        false => Ok(()),
    }
}

/// What it means that bytes of a file could not be had.
fn of_file(fault: FileFault, source: &dyn Source) -> SourceFailure {
    let offset = fault.source_offset;
    match fault.error {
        Some(error) => source::read_failed(source, offset, error),
        None => source
            .verify_unchanged()
            .err()
            .unwrap_or_else(|| source::ended(source, offset)),
    }
}

/// Decides what follows from a failure: whether the server may have acted, and whether the connection was
/// just too old.
fn judge(failure: NetworkFailure, state: &LineState) -> NetworkFailure {
    let is_whole = failure.phase == Phase::Answer && state.cut.is_none();
    let is_stale = !state.opened && state.received == 0 && failure.cause == Cause::Broken;
    NetworkFailure {
        ambiguous: failure.ambiguous || is_whole,
        stale: is_stale,
        ..failure
    }
}

/// Reads what is left of a reply, if that is little, so that the connection can be kept. If it can't, nothing
/// is lost.
fn drain(mut reply: impl Read, line: &Line) {
    let (size, time) = MAX_DRAIN;
    line.state().wait_no_longer_than(time);
    let mut rest = reply.by_ref().take(size);
    // Mostly there is none: `io::copy` would clear 8 KiB to find that.
    let mut room = [0; 256];
    while matches!(rest.read(&mut room), Ok(1..)) {}
}

/// A header's value, where it is text.
fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<String> {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned)
}

/// Only the form that names its time zone: the service has been seen to send local times without one.
fn parse_date(date: &str) -> Option<u64> {
    let time = date
        .ends_with("GMT")
        .then(|| httpdate::parse_http_date(date).ok())??;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

/// Only the form that counts seconds.
fn parse_delay(delay: &str) -> Option<Duration> {
    delay.trim().parse().ok().map(Duration::from_secs)
}

/// A reply's body up to its limit; one byte more is the error [`TooLong`].
struct Capped<R> {
    body: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.body.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(TooLong { limit: self.limit }.into()),
            };
        }
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.body.read(&mut buffer[..room])?;
        self.left -= count as u64;
        Ok(count)
    }
}
