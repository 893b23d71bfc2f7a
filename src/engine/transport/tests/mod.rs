//! Exchanges over real sockets with servers that follow a script.

mod answering;
mod cancelling;
mod connecting;
mod dialects;
mod files;
mod sending;
mod tls;
mod wire;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::engine::cancel::CancelToken;
use crate::engine::endpoint::Endpoint;
use crate::engine::resolver::Resolver;
use crate::engine::source::{FileSource, MemorySource, Source};
use crate::protocol::Api;
use crate::protocol::codes::Class;
use crate::protocol::dialect::{Dialect, HiddenHead};
use crate::protocol::{Body, Refusal, Request, Segment, signature};
use crate::upload::failure::{NetworkFailure, TaskFailure};

use super::{SharedTransport, Timeouts, Transport, TransportConfig};

/// No test may wait as long as this; one that does would else hang.
const HANG_GUARD: Duration = Duration::from_secs(60);

/// A limit that a test waits for.
const SHORT: Duration = Duration::from_millis(200);

/// A server with one listener on this machine. Its script runs on a thread, which the end of the test waits
/// for.
struct Server {
    address: SocketAddr,
    release: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What a script waits with until the test is over.
struct Held(Receiver<()>);

impl Held {
    fn until_released(&self) {
        let _ = self.0.recv();
    }

    /// Lets time pass, for servers that are slow.
    fn for_a_while(&self, duration: Duration) {
        assert_ne!(self.0.recv_timeout(duration), Ok(()));
    }

    fn is_released(&self) -> bool {
        self.0.try_recv() == Err(mpsc::TryRecvError::Disconnected)
    }
}

impl Server {
    fn start(script: impl FnOnce(TcpListener, Held) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (release, held) = mpsc::channel();
        let thread = thread::spawn(move || script(listener, Held(held)));
        Self {
            address,
            release: Some(release),
            thread: Some(thread),
        }
    }

    /// A server of one connection.
    fn once(script: impl FnOnce(TcpStream, Held) + Send + 'static) -> Self {
        Self::start(move |listener, held| script(listener.accept().unwrap().0, held))
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn transport(&self) -> Transport {
        transport(config(&self.endpoint()))
    }

    fn transport_with(&self, set: impl FnOnce(&mut Timeouts)) -> Transport {
        let mut config = config(&self.endpoint());
        set(&mut config.timeouts);
        transport(config)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.release = None;
        // After a failure the script may wait for ever for what the test was still to do.
        if !thread::panicking() {
            self.thread.take().unwrap().join().unwrap();
        }
    }
}

fn config(endpoint: &str) -> TransportConfig {
    let timeouts = Timeouts {
        resolve: HANG_GUARD,
        connect: HANG_GUARD,
        tls: HANG_GUARD,
        stall: HANG_GUARD,
        answer: HANG_GUARD,
        finish_answer: HANG_GUARD,
    };
    TransportConfig {
        endpoint: Endpoint::parse(endpoint).unwrap(),
        timeouts,
        ca_pem: None,
        proxy: None,
        use_env_proxy: false,
        user_agent: "test/1".to_owned(),
    }
}

fn transport(config: TransportConfig) -> Transport {
    Transport::new(&Arc::new(SharedTransport::new(config).unwrap()))
}

/// A transport whose host name leads to these addresses.
fn transport_to(addresses: Vec<SocketAddr>, set: impl FnOnce(&mut Timeouts)) -> Transport {
    let mut config = config("http://store.example");
    set(&mut config.timeouts);
    let resolver = Resolver::new(move |_, _| Ok(addresses.clone()));
    Transport::new(&Arc::new(
        SharedTransport::with_resolver(config, resolver).unwrap(),
    ))
}

fn get() -> Request {
    Request {
        method: "GET",
        target: "/files/v2/1/b/f?op=stat".to_owned(),
        content_type: None,
        body: Body::default(),
        signature: signature::Kind::MultiEffect,
        may_complete: false,
    }
}

fn post(segments: Vec<Segment>) -> Request {
    Request {
        method: "POST",
        target: "/files/v2/1/b/f".to_owned(),
        content_type: Some("multipart/form-data; boundary=x".to_owned()),
        body: Body { segments },
        signature: signature::Kind::MultiEffect,
        may_complete: false,
    }
}

/// A request with a body from a source.
fn send(source: &dyn Source) -> Request {
    post(vec![
        Segment::Text(b"head".to_vec()),
        Segment::Source {
            offset: 0,
            length: source.size(),
        },
        Segment::Text(b"tail".to_vec()),
    ])
}

/// More than the buffers between two sockets hold.
fn large_file() -> (tempfile::TempDir, FileSource) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    std::fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let source = FileSource::open(&path).unwrap();
    (folder, source)
}

/// A token as the service has it.
fn hidden(token: &str) -> HiddenHead {
    Dialect::default().hidden_head(token)
}

/// An exchange whose answer is its status and its whole body.
fn exchange(
    transport: &mut Transport,
    request: &Request,
    source: &dyn Source,
    token: &CancelToken,
) -> Result<(u16, String), TaskFailure> {
    let limit = transport.shared.timeouts().answer;
    transport.exchange(
        request,
        hidden("signed"),
        source,
        limit,
        token,
        &mut |head, body| {
            let mut text = String::new();
            body.read_to_string(&mut text)?;
            Ok((head.http_status, text))
        },
    )
}

/// What a decoder may say of an answer.
fn refusal() -> Refusal {
    Refusal {
        http_status: 200,
        code: Some(-1),
        message: "no".to_owned(),
        request_id: None,
        class: Class::Final,
        retry_after: None,
        ambiguous: false,
        clocks: None,
        api: Api::FilesV2,
        has_fixed_signature: false,
    }
}

/// An exchange of an upload that nobody cancels.
fn call(
    transport: &mut Transport,
    request: &Request,
    source: &dyn Source,
) -> Result<(u16, String), TaskFailure> {
    exchange(transport, request, source, &CancelToken::new())
}

fn call_get(transport: &mut Transport) -> Result<(u16, String), TaskFailure> {
    call(transport, &get(), &MemorySource::new(*b""))
}

fn ok(body: &str) -> Result<(u16, String), String> {
    Ok((200, body.to_owned()))
}

trait Outcome {
    fn said(self) -> Result<(u16, String), String>;
    fn network(self) -> NetworkFailure;
}

impl Outcome for Result<(u16, String), TaskFailure> {
    fn said(self) -> Result<(u16, String), String> {
        self.map_err(|failure| format!("{failure:?}"))
    }

    fn network(self) -> NetworkFailure {
        match self {
            Err(TaskFailure::Network(failure)) => failure,
            other => panic!("no failure of the network: {other:?}"),
        }
    }
}

/// Reads a request's head, and not a byte more.
fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn content_length(head: &str) -> u64 {
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    line.map_or(0, |length| length.parse().unwrap())
}

/// Reads a whole request; gives its head and how long its body was.
fn read_request(stream: &mut impl Read) -> (String, u64) {
    let head = read_head(stream);
    let length = content_length(&head);
    let copied = std::io::copy(&mut stream.take(length), &mut std::io::sink()).unwrap();
    assert_eq!(copied, length, "the body is as long as declared");
    (head, length)
}

fn answer(stream: &mut impl Write, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).unwrap();
    stream.flush().unwrap();
}

#[test]
fn a_held_server_tells_waiting_from_being_released() {
    let (release, held) = mpsc::channel();
    let held = Held(held);
    held.for_a_while(Duration::from_millis(1));
    assert!(!held.is_released());
    assert_eq!(
        held.0.recv_timeout(Duration::ZERO),
        Err(RecvTimeoutError::Timeout)
    );
    drop(release);
    held.until_released();
    assert!(held.is_released());
}
