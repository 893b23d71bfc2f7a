//! A connection's bytes, in the clear or by TLS.

use std::io::{self, Read, Write};

use super::line::FilePiece;
use super::tcp::TcpSocket;
use super::tls::TlsSocket;
use crate::engine::sys;

/// A stream whose reads and writes don't block.
#[derive(Debug)]
pub enum Stream {
    /// TCP alone.
    Plain(TcpSocket),
    /// TLS over it.
    Tls(Box<TlsSocket>),
}

impl Stream {
    /// The socket to wait for.
    pub fn socket(&self) -> &TcpSocket {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(tls) => tls.socket(),
        }
    }

    /// Reads some bytes; 0 at the end of the connection.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(tls) => tls.read(buffer),
        }
    }

    /// Writes some bytes; with none, what an earlier write left inside.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(_) if bytes.is_empty() => Ok(0),
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// As [`Stream::write`]; more follows at once.
    pub fn write_more(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write_more(bytes),
            Self::Tls(tls) => tls.write(bytes),
        }
    }

    /// Whether the system can take bytes of files to the socket by itself: those of TLS have to be encrypted here.
    pub fn sends_files(&self) -> bool {
        sys::SENDS_FILES && matches!(self, Self::Plain(_))
    }

    /// Has the system send some bytes of a file, at most `most` of them; 0 where it ends.
    pub fn send_file(&mut self, piece: &FilePiece, most: usize) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.send_file(&piece.file, piece.offset, most),
            Self::Tls(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Whether bytes that were written are still inside.
    pub fn has_unsent(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_unsent(),
        }
    }

    /// Whether a read brings something without the socket's doing.
    pub fn has_input(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(tls) => tls.has_input(),
        }
    }

    /// Whether the connection is as it should be between two requests: open, and without input.
    pub fn is_quiet(&mut self) -> bool {
        match self {
            Self::Plain(socket) => socket.is_quiet(),
            Self::Tls(tls) => tls.is_quiet(),
        }
    }
}
