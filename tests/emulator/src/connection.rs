//! A TCP connection that a request handler can end in any way, at any byte.
//!
//! The HTTP library owns the socket while it serves, so a handler cannot touch it. Instead the handler writes
//! down in the connection's [`Plan`] how it is to end, and at which byte of the answer; then it gives the
//! library an answer, or an error. [`Wire`] holds the library to the byte; when the library is done, the
//! connection's task gets the socket back and ends it as planned.
//!
//! Under TLS it is the same: bytes are counted before they are encrypted, and it is the TCP socket that ends.

use crate::faults::Ending;
use crate::socket::Stream;
use crate::store::lock;
use memchr::memmem;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// After the answer, how long a client may go on sending before the connection is closed on it.
const LINGER: Duration = Duration::from_secs(2);
/// After an early answer, how long the client's bytes are left unread before the connection is closed on it.
const EARLY_MOMENT: Duration = Duration::from_millis(300);
/// What is read and thrown away in that time, at most.
const LINGER_BYTES: usize = 64 * 1024 * 1024;

/// How a connection is to end once the library is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Farewell {
    /// FIN, then what the client still sends is read and thrown away for a while, so that no reset overtakes
    /// the answer.
    #[default]
    Orderly,
    /// FIN, then a moment without reading, then gone: the client is cut off while it sends.
    WhileSending,
    /// RST.
    Reset,
}

/// What the handler wants of its connection.
#[derive(Debug, Default)]
struct Plan {
    farewell: Farewell,
    /// Bytes of the answer that may still be sent.
    budget: Budget,
}

#[derive(Debug, Default, Clone, Copy)]
enum Budget {
    #[default]
    Unlimited,
    /// Half of the head.
    HalfHead,
    /// The head, and so many bytes of the body.
    Body(u64),
    /// So many bytes.
    Bytes(u64),
}

/// What a handler knows and wants of the connection it serves.
pub(crate) struct Connection {
    /// Counts the connections of the emulator from 1.
    pub(crate) number: u64,
    pub(crate) local: SocketAddr,
    pub(crate) peer: SocketAddr,
    plan: Mutex<Plan>,
}

impl Connection {
    pub(crate) fn new(number: u64, local: SocketAddr, peer: SocketAddr) -> Connection {
        Connection {
            number,
            local,
            peer,
            plan: Mutex::default(),
        }
    }

    /// The connection will end so when the library is done.
    pub(crate) fn end_with(&self, ending: Ending) {
        lock(&self.plan).farewell = match ending {
            Ending::Reset => Farewell::Reset,
            Ending::Close => Farewell::Orderly,
        };
    }

    /// The connection will be closed a moment after the answer, unread bytes or not.
    pub(crate) fn end_while_sending(&self) {
        lock(&self.plan).farewell = Farewell::WhileSending;
    }

    /// Only half of the next answer's head will be sent; then the connection ends.
    pub(crate) fn cut_head(&self) {
        lock(&self.plan).budget = Budget::HalfHead;
    }

    /// Only so many bytes of the next answer's body will be sent; then the connection ends.
    pub(crate) fn cut_body_after(&self, bytes: u64) {
        lock(&self.plan).budget = Budget::Body(bytes);
    }

    /// How many of `next` may be written; the head of an answer comes in one piece, since the library is not
    /// asked for vectored writes.
    fn allow(&self, next: &[u8]) -> usize {
        let mut plan = lock(&self.plan);
        let head = || memmem::find(next, b"\r\n\r\n").map_or(0, |end| end as u64 + 4);
        match plan.budget {
            Budget::HalfHead => plan.budget = Budget::Bytes(head() / 2),
            Budget::Body(body) => plan.budget = Budget::Bytes(body.saturating_add(head())),
            Budget::Unlimited | Budget::Bytes(_) => {}
        }
        match plan.budget {
            Budget::Bytes(left) => next.len().min(usize::try_from(left).unwrap_or(usize::MAX)),
            _ => next.len(),
        }
    }

    fn sent(&self, bytes: usize) {
        if let Budget::Bytes(left) = &mut lock(&self.plan).budget {
            *left = left.saturating_sub(bytes as u64);
        }
    }

    /// Ends the connection as planned. Bounded in time and bytes.
    pub(crate) async fn end(&self, mut stream: Stream) {
        let farewell = lock(&self.plan).farewell;
        match farewell {
            Farewell::Reset => {
                // With a linger time of zero, dropping the socket sends a reset.
                let _ = stream.tcp().set_zero_linger();
            }
            Farewell::Orderly => {
                if finish_sending(&mut stream).await {
                    let _ = timeout(LINGER, discard(stream.tcp())).await;
                }
            }
            Farewell::WhileSending => {
                finish_sending(&mut stream).await;
                sleep(EARLY_MOMENT).await;
            }
        }
    }
}

/// FIN, under TLS after a close_notify. A client that takes nothing may keep TLS from sending that, but not
/// for long; false then.
async fn finish_sending(stream: &mut Stream) -> bool {
    matches!(timeout(LINGER, stream.shutdown()).await, Ok(Ok(())))
}

async fn discard(stream: &mut TcpStream) -> io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut left = LINGER_BYTES;
    while left > 0 {
        match stream.read(&mut buffer).await? {
            0 => break,
            count => left = left.saturating_sub(count),
        }
    }
    Ok(())
}

/// The stream as the HTTP library sees it.
pub(crate) struct Wire {
    stream: Stream,
    connection: Arc<Connection>,
}

impl Wire {
    pub(crate) fn new(stream: Stream, connection: Arc<Connection>) -> Wire {
        Wire { stream, connection }
    }

    pub(crate) fn into_stream(self) -> Stream {
        self.stream
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let allowed = self.connection.allow(bytes);
        if allowed == 0 && !bytes.is_empty() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "cut by a fault",
            )));
        }
        let written = Pin::new(&mut self.stream).poll_write(cx, &bytes[..allowed]);
        if let Poll::Ready(Ok(count)) = written {
            self.connection.sent(count);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The connection's task ends the socket, as planned.
        Poll::Ready(Ok(()))
    }
}
