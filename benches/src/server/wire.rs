//! Bytes in and out: plain TCP, where what is discarded is never copied, or TLS.

use std::io::{self, BufRead, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::Socket;

use super::request::MAX_TEXT;

/// How much is looked at for the beginning of a request: enough for its text, so that little of its content is copied.
const READ: usize = 2 << 10;

/// How much is discarded at once. Nothing is ever written there.
const DISCARDED: usize = 1 << 20;

/// A connection's bytes.
pub(super) trait Wire: Send {
    /// What has been read, and not been discarded.
    fn buffered(&self) -> &[u8];

    /// Reads more; 0 at the end.
    fn fill(&mut self) -> io::Result<usize>;

    /// Lets go of so many bytes, of those buffered first.
    fn discard(&mut self, count: u64) -> io::Result<()>;

    /// Sends all of it.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;
}

/// Over plain TCP.
pub(super) fn plain(stream: TcpStream) -> io::Result<Box<dyn Wire>> {
    stream.set_nodelay(true)?;
    Ok(Box::new(Plain {
        socket: stream.into(),
        buffer: Vec::with_capacity(MAX_TEXT + READ),
        nothing: Box::new_uninit_slice(DISCARDED),
    }))
}

/// Over TLS.
pub(super) fn tls(stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<Box<dyn Wire>> {
    stream.set_nodelay(true)?;
    let connection = ServerConnection::new(config).map_err(io::Error::other)?;
    Ok(Box::new(Tls {
        stream: StreamOwned::new(connection, stream),
        buffer: Vec::with_capacity(MAX_TEXT + READ),
    }))
}

struct Plain {
    socket: Socket,
    buffer: Vec<u8>,
    /// Where the kernel is told to put what it does not put anywhere.
    nothing: Box<[MaybeUninit<u8>]>,
}

impl Wire for Plain {
    fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    fn fill(&mut self) -> io::Result<usize> {
        let from = self.buffer.len();
        self.buffer.resize(from + READ, 0);
        let count = self.socket.read(&mut self.buffer[from..]);
        self.buffer.truncate(from + *count.as_ref().unwrap_or(&0));
        count
    }

    fn discard(&mut self, count: u64) -> io::Result<()> {
        let mut left = count - forget(&mut self.buffer, count);
        while left > 0 {
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(DISCARDED);
            let count = self
                .socket
                .recv_with_flags(&mut self.nothing[..room], libc::MSG_TRUNC)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            left -= count as u64;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes)
    }
}

struct Tls {
    stream: StreamOwned<ServerConnection, TcpStream>,
    buffer: Vec<u8>,
}

impl Wire for Tls {
    fn buffered(&self) -> &[u8] {
        &self.buffer
    }

    fn fill(&mut self) -> io::Result<usize> {
        let from = self.buffer.len();
        self.buffer.resize(from + READ, 0);
        let count = self.stream.read(&mut self.buffer[from..]);
        self.buffer.truncate(from + *count.as_ref().unwrap_or(&0));
        count
    }

    fn discard(&mut self, count: u64) -> io::Result<()> {
        let mut left = count - forget(&mut self.buffer, count);
        while left > 0 {
            let there = self.stream.fill_buf()?.len();
            if there == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let taken = there.min(usize::try_from(left).unwrap_or(usize::MAX));
            self.stream.consume(taken);
            left -= taken as u64;
        }
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
        self.stream.flush()
    }
}

/// Takes up to so many bytes out of a buffer, and tells how many.
fn forget(buffer: &mut Vec<u8>, count: u64) -> u64 {
    let taken = buffer.len().min(usize::try_from(count).unwrap_or(usize::MAX));
    buffer.drain(..taken);
    taken as u64
}
