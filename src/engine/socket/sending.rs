//! How a request is sent: how much at once, how long to wait for room or for the rate limits, and what an answer means that
//! comes meanwhile.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use ureq::unversioned::transport::Buffers;

use crate::engine::cancel::Wait;
use crate::engine::limiter::{Leave, LimitOf};
use crate::engine::sys::{self, Interest};
use crate::engine::transport::failure::{network, network_io};
use crate::upload::failure::{Cause, Phase, SourceFailure, SourceFault, TaskFailure};

use super::Connection;
use super::line::{FileFault, FilePiece, Sending};

/// The most that is sent at once, in bytes: a cancel is looked for between two such steps, and a file may be on a slow disk.
const MAX_STEP: usize = 1 << 20;

/// What is to be sent.
pub enum Outgoing {
    /// Of the output buffer, from here to there.
    Output {
        from: usize,
        to: usize,
        /// Whether more follows at once.
        more: bool,
    },
    /// Of a file, by the system.
    File(FilePiece),
}

impl Outgoing {
    /// How many bytes are left to be sent of it.
    fn left(&self) -> u64 {
        match self {
            Self::Output { from, to, .. } => (to - from) as u64,
            Self::File(piece) => piece.length,
        }
    }
}

/// What came of an attempt to send something without waiting.
enum Step {
    /// Something went.
    Went,
    /// The rate limits allow nothing before this moment.
    NotBefore(Instant, LimitOf),
}

/// What is waited for while a request is sent.
#[derive(Clone, Copy, Debug)]
enum Obstacle {
    /// The peer takes no more: room, until the stall limit is over.
    NoRoom { until: Instant },
    /// The rate limits allow no more: this moment.
    NoLeave { until: Instant, by: LimitOf },
}

/// Whether to go on sending.
enum Verdict {
    GoOn,
    /// There is no room for more input: it is not to be waited for.
    GoOnUnwatched,
    Stop(TaskFailure),
}

impl Connection {
    /// Sends bytes of a file: by the system, or where that will not do it, through the output buffer.
    pub fn send_file(&mut self, piece: FilePiece) -> Result<(), TaskFailure> {
        self.line.state().sent_file = true;
        self.has_file_under_way = true;
        let mut outgoing = Outgoing::File(piece);
        self.send(&mut outgoing)?;
        let Outgoing::File(mut piece) = outgoing else {
            return Ok(());
        };
        while piece.length > 0 && !self.is_broken {
            let to = self.copy(&piece)?;
            piece.advance(to as u64);
            let more = piece.length > 0;
            self.send(&mut Outgoing::Output { from: 0, to, more })?;
        }
        Ok(())
    }

    /// Copies the beginning of the bytes of a file into the output buffer.
    fn copy(&mut self, piece: &FilePiece) -> Result<usize, TaskFailure> {
        let buffer = self.buffers.written_output();
        let room = usize::try_from(piece.length)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let error = match sys::read_at(&piece.file, piece.offset, &mut buffer[..room]) {
            Ok(0) => None,
            Ok(count) => return Ok(count),
            Err(error) => Some(error),
        };
        let source_offset = piece.source_offset;
        self.line.state().file_fault = Some(FileFault { source_offset, error });
        Err(TaskFailure::Source(SourceFailure::new(
            SourceFault::Unreadable,
            "bytes of the file could not be had",
        )))
    }

    /// Sends something, as long as the server takes some of it within each stall limit. There is no limit for all of it.
    /// A file that the system does not send is left where it is.
    ///
    /// A server may answer before it has the whole request, and go: then the rest is dropped without an
    /// error, so that the answer gets read. Why the request was cut is kept, for the case that there is none.
    pub fn send(&mut self, outgoing: &mut Outgoing) -> Result<(), TaskFailure> {
        let _sending = Sending(Arc::clone(&self.line));
        let mut written = self.stream.socket().written();
        let mut deadline = None;
        let mut watched = true;
        while self.is_left(outgoing) || self.stream.has_unsent() {
            if self.line.slot.is_cancelled() {
                // Also where there always is room, and only reading the source takes time.
                return Err(TaskFailure::Cancelled);
            }
            let obstacle = match self.step(outgoing) {
                Ok(Step::Went) => continue,
                Ok(Step::NotBefore(until, by)) => Obstacle::NoLeave { until, by },
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::WouldBlock => {
                        // Waiting for leave renews nothing: where there was no room before it either, the peer took none.
                        if mem::replace(&mut written, self.stream.socket().written()) != written {
                            deadline = None;
                        }
                        let until = *deadline.get_or_insert_with(|| Instant::now() + self.stall);
                        Obstacle::NoRoom { until }
                    }
                    kind if is_end(kind) => {
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

    /// Whether anything is left to be sent of it in the way that it is.
    fn is_left(&self, outgoing: &Outgoing) -> bool {
        match outgoing {
            Outgoing::Output { .. } => outgoing.left() > 0,
            Outgoing::File(_) => outgoing.left() > 0 && !self.copies_files,
        }
    }

    /// Sends some of it, without waiting. How much at once is decided here alone.
    fn step(&mut self, outgoing: &mut Outgoing) -> io::Result<Step> {
        if self.stream.has_unsent() || !self.is_left(outgoing) {
            // It was allowed when it was written.
            return self.stream.write(&[]).map(|_| Step::Went);
        }
        let wanted = usize::try_from(outgoing.left()).map_or(MAX_STEP, |left| left.min(MAX_STEP));
        let granted = match self.line.take_allowance(wanted) {
            Leave::Granted(granted) => granted,
            Leave::From(moment, by) => return Ok(Step::NotBefore(moment, by)),
        };
        let result = self.write(outgoing, granted);
        let sent = result.as_ref().map_or(0, |sent| *sent);
        self.line.give_back(granted - sent);
        match (result?, outgoing) {
            // There is no more room, so the next call would be for nothing.
            (1.., Outgoing::File(_)) if sent < granted => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(Step::Went),
        }
    }

    /// Sends at most so many bytes of it, which has them; gives how many.
    fn write(&mut self, outgoing: &mut Outgoing, most: usize) -> io::Result<usize> {
        match outgoing {
            Outgoing::Output { from, to, more } => {
                let bytes = &self.buffers.output_bytes()[*from..*from + most];
                // Bytes that wait for their successors would wait for those to be allowed.
                let count = match *more && *from + most == *to {
                    true => self.stream.write_more(bytes)?,
                    false => self.stream.write(bytes)?,
                };
                *from += count;
                Ok(count)
            }
            Outgoing::File(piece) => match self.stream.send_file(piece, most) {
                Ok(count) if count > 0 => {
                    piece.advance(count as u64);
                    Ok(count)
                }
                Err(error) if is_of_socket(error.kind()) => Err(error),
                // Where it ends early, or for another reason can't be sent so, reading it tells why.
                Ok(_) | Err(_) => {
                    self.copies_files = true;
                    Ok(0)
                }
            },
        }
    }

    /// Waits until sending can go on, and looks at what the server says meanwhile.
    fn wait_out(&mut self, obstacle: Obstacle, watched: bool) -> Result<Verdict, TaskFailure> {
        let begun = Instant::now();
        let (slot, socket) = (&self.line.slot, self.stream.socket());
        let waited = match (obstacle, watched) {
            (Obstacle::NoRoom { until }, true) => socket.wait(Interest::Both, until, slot),
            (Obstacle::NoRoom { until }, false) => socket.wait(Interest::Write, until, slot),
            (Obstacle::NoLeave { until, .. }, true) => socket.wait(Interest::Read, until, slot),
            (Obstacle::NoLeave { until, .. }, false) => slot.wait(None, until),
        };
        if let Obstacle::NoLeave {
            by: LimitOf::Upload, ..
        } = obstacle
        {
            self.line.state().held += begun.elapsed();
        }
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
}

/// Whether the peer ended the connection.
fn is_end(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as E;
    matches!(kind, E::BrokenPipe | E::ConnectionReset | E::ConnectionAborted)
}

/// Whether an error while a file was sent tells of the socket, as against the file.
fn is_of_socket(kind: io::ErrorKind) -> bool {
    use io::ErrorKind as E;
    is_end(kind)
        || matches!(
            kind,
            E::WouldBlock | E::Interrupted | E::TimedOut | E::NotConnected
        )
        || matches!(kind, E::HostUnreachable | E::NetworkUnreachable | E::NetworkDown)
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

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    use std::fs::File;
    use std::io::Read;
    use std::net::TcpListener;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    use socket2::SockRef;

    #[cfg(target_os = "linux")]
    use crate::engine::cancel::CancelToken;
    use crate::engine::socket::{Line, Stream, TcpSocket};

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
        let mut connection = Connection::new(Stream::Plain(socket), line, STALL).unwrap();
        let begun = Instant::now();
        let to = connection.buffers.written_output().len();
        let (from, more) = (0, false);
        connection.send(&mut Outgoing::Output { from, to, more }).unwrap();
        assert!(
            begun.elapsed() > STALL,
            "one piece took longer than the limit, or this shows nothing"
        );
        drop(connection);
        server.join().unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_cancel_ends_sending_a_file_though_the_peer_takes_it_faster_than_it_is_read() {
        const LENGTH: u64 = 1 << 30;
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (line, token) = (Arc::new(Line::new().unwrap()), CancelToken::new());
        let canceller = token.clone();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.read_exact(&mut [0; 1 << 20]).unwrap();
            canceller.cancel();
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let _serving = line.slot.serve(&token);
        let hang_guard = Duration::from_secs(60);
        let socket = TcpSocket::connect(&[address], hang_guard, &line.slot).unwrap();
        let mut connection = Connection::new(Stream::Plain(socket), Arc::clone(&line), hang_guard).unwrap();
        // Making its bytes takes longer than sending them.
        let file = Arc::new(File::open("/dev/urandom").unwrap());
        let (offset, source_offset, length) = (0, 0, LENGTH);
        let sent = connection.send_file(FilePiece {
            file,
            offset,
            source_offset,
            length,
        });
        assert!(matches!(sent, Err(TaskFailure::Cancelled)), "{sent:?}");
        let written = connection.stream.socket().written();
        assert!(written < LENGTH / 4, "{written} bytes were sent");
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
