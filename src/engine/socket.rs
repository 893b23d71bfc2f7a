//! Connections, as the HTTP library wants them: a [`Connector`] that opens them only when one is really
//! needed, and a [`Connection`] whose waits are all bounded, cancellable and named by their phase.
//!
//! | question | file |
//! |---|---|
//! | How is a connection opened, read and written without blocking? | `socket/stream.rs` and what it names |
//! | How is a request sent, and what is an early answer? | `socket/sending.rs` |
//! | How long is an answer waited for? | here |
//!
//! The library's own time limits are all left unset, which means none: every wait is in this file or in those
//! above.

pub(super) mod buffers;
mod line;
pub(super) mod proxy;
mod sending;
mod stream;
mod tcp;
pub(super) mod tls;

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use ureq::unversioned::transport::Transport as HttpTransport;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector as HttpConnector, NextTimeout};

use crate::upload::failure::{Cause, Phase, TaskFailure};

use super::cancel::Wait;
use super::endpoint::Endpoint;
use super::resolver::Resolver;
use super::sys::Interest;
use super::transport::Timeouts;
use super::transport::failure::{Stopped, network, network_io, with_hint};
use buffers::WireBuffers;
pub(super) use line::{FileFault, FilePiece, Line, LineState, PendingHead};
use proxy::Proxy;
use sending::Outgoing;
use stream::Stream;
use tcp::TcpSocket;
use tls::TlsSocket;

/// How much may have come when the head of the answer is complete, in bytes: interim answers go before it, each of which is
/// read and forgotten, and a part of the body may come with it.
const MAX_BEFORE_HEAD: u64 = 2 * buffers::MAX_INPUT as u64;

/// Where and how the workers of a client connect.
#[derive(Debug)]
pub struct Route {
    /// The service.
    pub endpoint: Endpoint,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
    /// Look-ups, shared so that there is one at a time.
    pub resolver: Resolver,
    /// There for https.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long to wait for what.
    pub timeouts: Timeouts,
}

/// Opens connections to the service for one worker.
#[derive(Debug)]
pub struct Connector {
    /// Where to.
    pub route: Arc<Route>,
    /// For whom.
    pub line: Arc<Line>,
}

impl HttpConnector for Connector {
    type Out = Connection;

    fn connect(&self, _: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, ureq::Error> {
        self.line.state().opened = true;
        let stream = self.open().map_err(Stopped::error)?;
        let line = Arc::clone(&self.line);
        let connection = Connection::new(stream, line, self.route.timeouts.stall);
        Ok(Some(connection.map_err(Stopped::error)?))
    }
}

impl Connector {
    fn open(&self) -> Result<Stream, TaskFailure> {
        let Route {
            endpoint,
            proxy,
            resolver,
            tls,
            timeouts,
        } = &*self.route;
        let slot = &self.line.slot;
        let (host, port, hint) = match proxy {
            Some(proxy) => (&*proxy.host, proxy.port, None),
            None => (endpoint.host(), endpoint.port(), endpoint.hint_to_host()),
        };
        let addresses = resolver.resolve(host, port, timeouts.resolve, slot);
        let at_proxy = |failure| match proxy {
            Some(proxy) => of_proxy(failure, proxy),
            None => failure,
        };
        let addresses = addresses.map_err(|failure| at_proxy(with_hint(failure, hint)))?;
        let mut socket = TcpSocket::connect(&addresses, timeouts.connect, slot).map_err(at_proxy)?;
        if let Some(proxy) = proxy {
            proxy.tunnel(&mut socket, &endpoint.authority(), timeouts.connect, slot)?;
        }
        match tls {
            None => Ok(Stream::Plain(socket)),
            Some(config) => {
                let tls = TlsSocket::handshake(socket, config, endpoint.host(), timeouts.tls, slot)?;
                Ok(Stream::Tls(Box::new(tls)))
            }
        }
    }
}

/// It is the proxy that could not be reached, whoever named it.
fn of_proxy(failure: TaskFailure, proxy: &Proxy) -> TaskFailure {
    match failure {
        TaskFailure::Network(mut failure) => {
            failure.detail = format!("{proxy}: {}", failure.detail);
            TaskFailure::Network(failure)
        }
        failure => failure,
    }
}

/// A connection to the service, with the buffers of the request and the answer.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    buffers: WireBuffers,
    line: Arc<Line>,
    /// How long no byte may move while a request is sent.
    stall: Duration,
    /// Whether a request was not sent whole: the server would take the next one for the rest of it.
    is_broken: bool,
    /// Whether the system would not send a file by itself.
    copies_files: bool,
    /// Whether bytes of a file were sent by the system, and no answer tells that they have arrived.
    has_file_under_way: bool,
    /// Whether an answer was read since the connection was last looked at.
    is_used: bool,
}

impl HttpTransport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let (head, piece, claimed) = self.take_pending();
        if self.is_broken {
            return Ok(());
        }
        let mut amount = self.buffers.take_output(amount - claimed);
        if let Some(head) = head {
            let added = self.buffers.add_hidden(amount, &head.hidden);
            amount = added.map_err(Stopped::error)?;
            if head.has_body {
                // It leaves with the first piece of the body, which follows at once.
                self.buffers.hold_output(amount);
                return Ok(());
            }
        }
        let (from, to, more) = (0, amount, piece.is_some());
        let mut sent = self.send(&mut Outgoing::Output { from, to, more });
        self.buffers.forget_hidden();
        if let (Ok(()), Some(piece)) = (&sent, piece) {
            sent = self.send_file(piece);
        }
        sent.map_err(|failure| Stopped::error(failure).into())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.receive().map_err(|failure| Stopped::error(failure).into())
    }

    /// Asked when an answer was read, and when the connection is to be used again: the second look sees what the first would.
    fn is_open(&mut self) -> bool {
        self.has_file_under_way &= self.is_broken;
        !self.is_broken && (mem::take(&mut self.is_used) || self.stream.is_quiet())
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

/// A connection that ends with bytes of a file under way takes them back: what the system sent again later, it would take from
/// the file as it is then.
impl Drop for Connection {
    fn drop(&mut self) {
        let socket = self.stream.socket();
        if self.has_file_under_way && socket.unacknowledged() > 0 {
            socket.forget_unsent_when_closed();
        }
    }
}

impl Connection {
    fn new(stream: Stream, line: Arc<Line>, stall: Duration) -> Result<Self, TaskFailure> {
        let buffers =
            WireBuffers::new().map_err(|error| network_io(Phase::Connect, Cause::Broken, &error))?;
        Ok(Self {
            stream,
            buffers,
            line,
            stall,
            is_broken: false,
            copies_files: false,
            has_file_under_way: false,
            is_used: false,
        })
    }

    /// What the next transmission has beside the output, and how much of the output is not there.
    fn take_pending(&mut self) -> (Option<PendingHead>, Option<FilePiece>, usize) {
        let mut state = self.line.state();
        let head = state.head.take();
        if let Some(head) = &head {
            state.takes_files = head.may_send_files && self.stream.sends_files() && !self.copies_files;
        }
        (head, state.file_piece.take(), mem::take(&mut state.claimed))
    }

    /// Waits for the next bytes of the answer. False at its end, where an answer may end.
    fn receive(&mut self) -> Result<bool, TaskFailure> {
        loop {
            if !self.stream.has_input() {
                let deadline = self.answer_deadline();
                match self
                    .stream
                    .socket()
                    .wait(Interest::Read, deadline, &self.line.slot)
                {
                    Ok(Wait::Ready { .. }) => {}
                    Ok(Wait::Cancelled) => return Err(TaskFailure::Cancelled),
                    Ok(Wait::TimedOut) if self.is_still_sending() => continue,
                    Ok(Wait::TimedOut) => return Err(self.too_late()),
                    Err(error) => return Err(network_io(Phase::Answer, Cause::Broken, &error)),
                }
            }
            let room = self.buffers.input_append_buf();
            if room.is_empty() {
                return Err(network(
                    Phase::Answer,
                    Cause::TooLarge,
                    "the head of the answer is too large",
                ));
            }
            match self.stream.read(room) {
                Ok(0) => return self.end_of_input(None),
                Ok(count) => {
                    self.is_used = true;
                    self.has_file_under_way &= self.is_broken;
                    self.buffers.input_appended(count);
                    let mut state = self.line.state();
                    state.received += count as u64;
                    if !state.has_head && state.received > MAX_BEFORE_HEAD {
                        return Err(network(
                            Phase::Answer,
                            Cause::TooLarge,
                            "there is no end to what comes before the head of the answer",
                        ));
                    }
                    return Ok(true);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => {}
                    _ => return self.end_of_input(Some(error)),
                },
            }
        }
    }

    fn answer_deadline(&self) -> Instant {
        let mut state = self.line.state();
        match state.answer_deadline {
            Some(deadline) => deadline,
            None => {
                state.unacknowledged = self.stream.socket().unacknowledged();
                let deadline = Instant::now() + state.answer_limit;
                *state.answer_deadline.insert(deadline)
            }
        }
    }

    /// Whether the time for the answer was spent on sending: the system takes far more at once than a slow network does,
    /// a whole slice perhaps. If some of that arrived meanwhile, the time begins anew.
    fn is_still_sending(&self) -> bool {
        let mut state = self.line.state();
        let before = mem::replace(&mut state.unacknowledged, self.stream.socket().unacknowledged());
        if state.has_head || state.unacknowledged >= before {
            return false;
        }
        state.answer_deadline = Some(Instant::now() + state.answer_limit);
        true
    }

    fn too_late(&self) -> TaskFailure {
        let state = self.line.state();
        let limit = state.answer_limit;
        let detail = match (state.has_head, state.unacknowledged) {
            (true, _) => format!("not complete within {limit:?}"),
            (false, 0) => format!("no answer within {limit:?}"),
            (false, bytes) => {
                format!("no answer within {limit:?}, in which none of the last {bytes} bytes arrived")
            }
        };
        network(Phase::Answer, Cause::TimedOut, detail)
    }

    /// The end of the connection. An answer without a length ends with it; whether this one may, the HTTP
    /// library knows.
    fn end_of_input(&self, error: Option<io::Error>) -> Result<bool, TaskFailure> {
        let state = self.line.state();
        match (&state.cut, error) {
            (_, None) if state.has_head => Ok(false),
            (Some(reason), _) => Err(reason.clone()),
            (None, Some(error)) => Err(network_io(Phase::Answer, Cause::Broken, &error)),
            (None, None) => {
                let detail = match state.received {
                    0 => "the server closed the connection without an answer",
                    _ => "the server closed the connection in the middle of the answer's head",
                };
                Err(network(Phase::Answer, Cause::Broken, detail))
            }
        }
    }
}

/// Gives the HTTP library no addresses: it would look them up for every request, even where a connection is
/// kept.
#[derive(Debug)]
pub struct NoResolver;

impl ureq::unversioned::resolver::Resolver for NoResolver {
    fn resolve(
        &self,
        _: &ureq::http::Uri,
        _: &ureq::config::Config,
        _: NextTimeout,
    ) -> Result<ureq::unversioned::resolver::ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}
