//! TCP without blocking calls: whoever would block waits in the worker's [`Slot`], where cancel reaches it.

use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::engine::cancel::{Slot, Wait};
use crate::engine::sys::{self, AsSocket, BorrowedSocket, Interest, SEND_FLAGS, SEND_MORE_FLAGS};
use crate::engine::transport::failure::{network, network_io};
use crate::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};

/// A connected socket whose reads and writes never block: they fail with `WouldBlock`.
#[derive(Debug)]
pub struct TcpSocket {
    socket: Socket,
    written: u64,
}

impl TcpSocket {
    /// Opens a connection to the first of the addresses that takes it. Each has an equal share of the time
    /// that is left.
    ///
    /// * `addresses`: at least 1.
    /// * `limit`: for all addresses together.
    pub fn connect(addresses: &[SocketAddr], limit: Duration, slot: &Slot) -> Result<Self, TaskFailure> {
        let deadline = Instant::now() + limit;
        let mut last = network(Phase::Connect, Cause::Broken, "there is no address to connect to");
        for (tried, address) in addresses.iter().enumerate() {
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
            match connect_one(address, share, slot) {
                Ok(socket) => return Ok(Self { socket, written: 0 }),
                Err(TaskFailure::Network(failure)) => last = describe(failure, address, tried),
                Err(failure) => return Err(failure),
            }
        }
        Err(last)
    }

    /// How many bytes the system took so far: whoever waits for progress compares two moments.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// How many of those bytes have not arrived yet, as far as the system knows.
    pub fn unacknowledged(&self) -> u64 {
        sys::unacknowledged(self.as_fd())
    }

    /// Waits until the socket is ready.
    pub fn wait(&self, interest: Interest, deadline: Instant, slot: &Slot) -> io::Result<Wait> {
        slot.wait(Some((self.as_fd(), interest)), deadline)
    }

    /// Whether the connection is as it should be between two requests: open, and nothing to be read.
    pub fn is_quiet(&self) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 1];
        matches!(self.socket.peek(&mut buffer), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Writes some bytes that others follow at once.
    pub fn write_more(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.socket.send_with_flags(bytes, SEND_MORE_FLAGS);
        self.count(result)
    }

    /// Has the system send some bytes of a file; 0 where it ends.
    pub fn send_file(&mut self, file: &File, offset: u64, length: usize) -> io::Result<usize> {
        let result = sys::send_file(self.as_fd(), file, offset, length);
        self.count(result)
    }

    /// Has the end of the connection take back what has not arrived yet, which the system else goes on to send.
    pub fn forget_unsent_when_closed(&self) {
        // Where it fails, the system has closed the connection already.
        let _ = self.socket.set_linger(Some(Duration::ZERO));
    }

    fn count(&mut self, result: io::Result<usize>) -> io::Result<usize> {
        if let Ok(count) = result {
            self.written = self.written.saturating_add(count as u64);
        }
        result
    }
}

impl AsSocket for TcpSocket {
    fn as_fd(&self) -> BorrowedSocket<'_> {
        self.socket.as_fd()
    }
}

impl Read for TcpSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for TcpSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.socket.send_with_flags(bytes, SEND_FLAGS);
        self.count(result)
    }

    fn write_vectored(&mut self, bytes: &[IoSlice<'_>]) -> io::Result<usize> {
        let result = self.socket.send_vectored_with_flags(bytes, SEND_FLAGS);
        self.count(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn connect_one(address: &SocketAddr, limit: Duration, slot: &Slot) -> Result<Socket, TaskFailure> {
    let broken = |error: io::Error| network_io(Phase::Connect, Cause::Broken, &error);
    let deadline = Instant::now() + limit;
    let socket =
        Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP)).map_err(broken)?;
    socket.set_nonblocking(true).map_err(broken)?;
    // The last segment of a request must not wait for the acknowledgement of those before it.
    socket.set_tcp_nodelay(true).map_err(broken)?;
    match socket.connect(&SockAddr::from(*address)) {
        Ok(()) => return Ok(socket),
        Err(error) if sys::is_connecting(&error) => {}
        Err(error) => return Err(broken(error)),
    }
    loop {
        match slot
            .wait(Some((socket.as_fd(), Interest::Write)), deadline)
            .map_err(broken)?
        {
            Wait::Ready { writable: true, .. } => break,
            Wait::Ready { .. } => {}
            Wait::Cancelled => return Err(TaskFailure::Cancelled),
            Wait::TimedOut => {
                return Err(network(
                    Phase::Connect,
                    Cause::TimedOut,
                    format!("no answer within {limit:.1?}"),
                ));
            }
        }
    }
    match socket.take_error().map_err(broken)? {
        None => Ok(socket),
        Some(error) => Err(broken(error)),
    }
}

/// The failure of the address tried last stands for all, and says where it was.
fn describe(mut failure: NetworkFailure, address: &SocketAddr, tried: usize) -> TaskFailure {
    failure.detail = match tried {
        0 => format!("{address}: {}", failure.detail),
        _ => format!(
            "none of {} addresses answers; the last, {address}: {}",
            tried + 1,
            failure.detail
        ),
    };
    TaskFailure::Network(failure)
}
