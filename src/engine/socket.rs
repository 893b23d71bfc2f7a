//! Connections, as the HTTP library wants them: a [`Connector`] that opens them only when one is really
//! needed, and a [`Connection`] whose waits are all bounded, cancellable and named by their phase.
//!
//! | question | file |
//! |---|---|
//! | How is a connection opened, read and written without blocking? | `socket/stream.rs` and what it names |
//! | How long is waited, and what is an early answer? | here |
//!
//! The library's own time limits are all left unset, which means none: every wait is in this file or in those
//! above.

pub(super) mod buffers;
mod line;
pub(super) mod proxy;
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
use super::limiter::Leave;
use super::resolver::Resolver;
use super::sys::Interest;
use super::transport::Timeouts;
use super::transport::failure::{Stopped, network, network_io, with_hint};
use buffers::WireBuffers;
use line::Sending;
pub(super) use line::{Line, LineState, PendingHead};
use proxy::Proxy;
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
        Ok(Some(Connection {
            stream,
            buffers: WireBuffers::default(),
            line: Arc::clone(&self.line),
            stall: self.route.timeouts.stall,
            is_broken: false,
        }))
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
}

impl HttpTransport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        if self.is_broken {
            return Ok(());
        }
        let mut amount = self.buffers.take_output(amount);
        let head = self.line.state().head.take();
        if let Some(head) = head {
            let added = self.buffers.add_hidden(amount, &head.hidden);
            amount = added.map_err(Stopped::error)?;
            if head.has_body {
                // It leaves with the first piece of the body, which follows at once.
                self.buffers.hold_output(amount);
                return Ok(());
            }
        }
        let sent = self.send(amount);
        self.buffers.forget_hidden();
        sent.map_err(|failure| Stopped::error(failure).into())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        self.receive().map_err(|failure| Stopped::error(failure).into())
    }

    fn is_open(&mut self) -> bool {
        !self.is_broken && self.stream.is_quiet()
    }

    fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }
}

/// What came of an attempt to send something without waiting.
enum Step {
    Sent(usize),
    /// The rate limits allow it at this moment.
    NotBefore(Instant),
}

/// What is waited for while a request is sent.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// The peer takes no more: room, until the stall limit is over.
    NoRoom { until: Instant },
    /// The rate limits allow no more: this moment.
    NoLeave { until: Instant },
}

/// Whether to go on sending.
enum Verdict {
    GoOn,
    /// There is no room for more input: it is not to be waited for.
    GoOnUnwatched,
    Stop(TaskFailure),
}

impl Connection {
    /// Sends the first `amount` bytes of the output buffer, as long as the server takes some within each
    /// stall limit. There is no limit for all of them.
    ///
    /// A server may answer before it has the whole request, and go: then the rest is dropped without an
    /// error, so that the answer gets read. Why the request was cut is kept, for the case that there is none.
    fn send(&mut self, amount: usize) -> Result<(), TaskFailure> {
        if self.line.slot.is_cancelled() {
            // Between two pieces, for the case that only reading the source takes time.
            return Err(TaskFailure::Cancelled);
        }
        let _sending = Sending(Arc::clone(&self.line));
        let mut sent = 0;
        let mut written = self.stream.socket().written();
        let mut deadline = None;
        let mut watched = true;
        while sent < amount || self.stream.has_unsent() {
            let obstacle = match self.step(sent, amount) {
                Ok(Step::Sent(count)) => {
                    sent += count;
                    continue;
                }
                // The time until then is not the peer's.
                Ok(Step::NotBefore(until)) => {
                    deadline = None;
                    Obstacle::NoLeave { until }
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::WouldBlock => {
                        if mem::replace(&mut written, self.stream.socket().written()) != written {
                            deadline = None;
                        }
                        let until = *deadline.get_or_insert_with(|| Instant::now() + self.stall);
                        Obstacle::NoRoom { until }
                    }
                    io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted => {
                        self.cut(network_io(Phase::Send, Cause::Broken, &error));
                        return Ok(());
                    }
                    _ => return Err(network_io(Phase::Send, Cause::Broken, &error)),
                },
            };
            match self.wait_out(obstacle, watched)? {
                Verdict::GoOn => {}
                Verdict::GoOnUnwatched => watched = false,
                Verdict::Stop(reason) => {
                    self.cut(reason);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Sends some of the output from `sent` to `amount` without waiting, as far as the rate limits allow.
    fn step(&mut self, sent: usize, amount: usize) -> io::Result<Step> {
        if sent == amount || self.stream.has_unsent() {
            return self.stream.write(&[]).map(Step::Sent);
        }
        match self.line.take_allowance(amount - sent) {
            Leave::From(moment) => Ok(Step::NotBefore(moment)),
            Leave::Granted(granted) => {
                let bytes = &self.buffers.output_bytes()[sent..sent + granted];
                let result = self.stream.write(bytes);
                self.line
                    .give_back(granted - result.as_ref().map_or(0, |count| *count));
                result.map(Step::Sent)
            }
        }
    }

    /// Waits until sending can go on, and looks at what the server says meanwhile.
    fn wait_out(&mut self, obstacle: Obstacle, watched: bool) -> Result<Verdict, TaskFailure> {
        let (slot, socket) = (&self.line.slot, self.stream.socket());
        let waited = match (obstacle, watched) {
            (Obstacle::NoRoom { until }, true) => socket.wait(Interest::Both, until, slot),
            (Obstacle::NoRoom { until }, false) => socket.wait(Interest::Write, until, slot),
            (Obstacle::NoLeave { until }, true) => socket.wait(Interest::Read, until, slot),
            (Obstacle::NoLeave { until }, false) => slot.wait(None, until),
        };
        match (waited, obstacle) {
            (Ok(Wait::Ready { readable: true, .. }), _) if watched => Ok(self.look_at_input()),
            (Ok(Wait::Ready { .. }), _) | (Ok(Wait::TimedOut), Obstacle::NoLeave { .. }) => Ok(Verdict::GoOn),
            (Ok(Wait::Cancelled), _) => Err(TaskFailure::Cancelled),
            (Ok(Wait::TimedOut), Obstacle::NoRoom { .. }) => {
                let detail = format!("the server took no byte for {:?}", self.stall);
                Err(network(Phase::Send, Cause::TimedOut, detail))
            }
            (Err(error), _) => Err(network_io(Phase::Send, Cause::Broken, &error)),
        }
    }

    /// Looks at what came while the request is being sent.
    fn look_at_input(&mut self) -> Verdict {
        let room = self.buffers.input_append_buf();
        if room.is_empty() {
            return Verdict::GoOnUnwatched;
        }
        match self.stream.read(room) {
            Ok(0) => Verdict::Stop(network(
                Phase::Send,
                Cause::Broken,
                "the server closed the connection before it had the whole request",
            )),
            Ok(count) => {
                self.line.state().received += count as u64;
                self.buffers.input_appended(count);
                match is_refusal(self.buffers.input()) {
                    true => Verdict::Stop(network(
                        Phase::Send,
                        Cause::Broken,
                        "the server answered before it had the whole request",
                    )),
                    false => Verdict::GoOn,
                }
            }
            // Session tickets, say, or the first bytes of a record.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Verdict::GoOn,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Verdict::GoOn,
            Err(error) => Verdict::Stop(network_io(Phase::Send, Cause::Broken, &error)),
        }
    }

    fn cut(&mut self, reason: TaskFailure) {
        self.is_broken = true;
        self.line.state().cut.get_or_insert(reason);
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

/// Whether the beginning of an answer is neither an interim nor a successful one, nor may become one. A
/// server that says one of those reads on; after any other the rest of the request would be sent for nothing.
fn is_refusal(mut input: &[u8]) -> bool {
    let version = b"HTTP/1.";
    loop {
        match input.get(version.len() + 2) {
            None => return !version.starts_with(&input[..input.len().min(version.len())]),
            Some(b'1') if input.starts_with(version) => {
                let end = input.windows(4).position(|window| window == b"\r\n\r\n");
                let Some(end) = end else { return false };
                input = &input[end + 4..];
            }
            Some(class) => return !input.starts_with(version) || *class != b'2',
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

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    use socket2::SockRef;

    use super::*;

    #[test]
    fn each_byte_that_moves_renews_the_stall_limit() {
        const STALL: Duration = Duration::from_millis(800);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        SockRef::from(&listener).set_recv_buffer_size(4 << 10).unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let (_never_used, time) = mpsc::channel::<()>();
            let mut stream = listener.accept().unwrap().0;
            while stream.read(&mut [0; 4 << 10]).unwrap() > 0 {
                time.recv_timeout(STALL / 8).unwrap_err();
            }
        });
        let line = Arc::new(Line::new().unwrap());
        let socket = TcpSocket::connect(&[address], STALL, &line.slot).unwrap();
        SockRef::from(&socket).set_send_buffer_size(4 << 10).unwrap();
        let mut connection = Connection {
            stream: Stream::Plain(socket),
            buffers: WireBuffers::default(),
            line,
            stall: STALL,
            is_broken: false,
        };
        let begun = Instant::now();
        let amount = connection.buffers.output().len();
        connection.send(amount).unwrap();
        assert!(
            begun.elapsed() > STALL,
            "one piece took longer than the limit, or this shows nothing"
        );
        drop(connection);
        server.join().unwrap();
    }

    #[test]
    fn interim_and_successful_answers_are_no_refusals() {
        for input in [
            "",
            "H",
            "HTTP/1.1",
            "HTTP/1.1 ",
            "HTTP/1.1 1",
            "HTTP/1.1 100 Continue\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 102 Processing\r\nX: y\r\n\r\nHTTP/1.1 2",
            "HTTP/1.0 200 OK",
        ] {
            assert!(!is_refusal(input.as_bytes()), "{input}");
        }
    }

    #[test]
    fn everything_else_is_one() {
        for input in [
            "x",
            "HTTP/2",
            "HTTP/1.1 3",
            "HTTP/1.1 403 Forbidden",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500",
            "HTTP/1.1 100 Continue\r\n\r\n<html>",
            "SSH-2.0-server",
        ] {
            assert!(is_refusal(input.as_bytes()), "{input}");
        }
    }
}
