//! Sockets: waiting for one, waking that wait, and sending.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use std::os::fd::{AsFd as AsSocket, BorrowedFd as BorrowedSocket};

/// The flags of every send: a peer that is gone must be an error of the call, not a signal to the host
/// program. Apple's systems have no such flag; there the socket itself is told so when it is made.
#[cfg(not(target_vendor = "apple"))]
pub const SEND_FLAGS: i32 = libc::MSG_NOSIGNAL;
/// See above.
#[cfg(target_vendor = "apple")]
pub const SEND_FLAGS: i32 = 0;

/// The same where more follows at once, so that both may leave together. Apple's systems have no such flag either.
#[cfg(target_os = "linux")]
pub const SEND_MORE_FLAGS: i32 = SEND_FLAGS | libc::MSG_MORE;
/// See above.
#[cfg(not(target_os = "linux"))]
pub const SEND_MORE_FLAGS: i32 = SEND_FLAGS;

/// What a socket is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Input, the end of input, or an error.
    Read,
    /// Room for output, or an error.
    Write,
    /// Either.
    Both,
}

impl Interest {
    fn events(self) -> libc::c_short {
        match self {
            Self::Read => libc::POLLIN,
            Self::Write => libc::POLLOUT,
            Self::Both => libc::POLLIN | libc::POLLOUT,
        }
    }
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ready {
    /// A read would not block: there is input, its end, or an error.
    pub readable: bool,
    /// A write would not block: there is room, or an error.
    pub writable: bool,
    /// The [`Waker`] was used.
    pub woken: bool,
}

/// Waits for a socket, where one is given, for the waker, or for the deadline, whichever is first. Nothing
/// ready means that the deadline has passed.
pub fn poll(
    socket: Option<(BorrowedSocket<'_>, Interest)>,
    waker: &Waker,
    deadline: Instant,
) -> io::Result<Ready> {
    // A negative descriptor is one that poll passes over.
    let (descriptor, events) = socket.map_or((-1, 0), |(socket, interest)| {
        (socket.as_raw_fd(), interest.events())
    });
    let mut entries = [
        libc::pollfd {
            fd: waker.receiver.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        },
        libc::pollfd {
            fd: descriptor,
            events,
            revents: 0,
        },
    ];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // SAFETY: the array lives across the call, its length is the count given, and both descriptors are
        // open for that long, because they are borrowed.
        let count = unsafe { libc::poll(entries.as_mut_ptr(), 2, milliseconds(left)) };
        if count < 0 {
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        } else if count > 0 || left.is_zero() {
            break;
        }
    }
    let [wake, socket] = entries.map(|entry| entry.revents);
    // Errors and hang-ups are reported whatever was asked for; the read or write that follows tells which.
    let failed = socket & (libc::POLLERR | libc::POLLHUP | libc::POLLNVAL) != 0;
    Ok(Ready {
        readable: failed || socket & libc::POLLIN != 0,
        writable: failed || socket & libc::POLLOUT != 0,
        woken: wake != 0,
    })
}

/// Rounded up: rounding down would wait zero milliseconds over and over until the deadline.
fn milliseconds(duration: Duration) -> libc::c_int {
    libc::c_int::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(libc::c_int::MAX)
}

/// Whether the error of a connect that doesn't block means that it goes on by itself.
pub fn is_connecting(error: &io::Error) -> bool {
    // An interrupted connect goes on too.
    error.raw_os_error() == Some(libc::EINPROGRESS) || error.kind() == io::ErrorKind::Interrupted
}

/// How many bytes the system took to send, and the peer has not acknowledged yet; 0 where the system doesn't tell.
#[cfg(target_os = "linux")]
pub fn unacknowledged(socket: BorrowedSocket<'_>) -> u64 {
    let mut count: libc::c_int = 0;
    // SAFETY: of a TCP socket, which is open because it is borrowed, this request writes one int (tcp(7), SIOCOUTQ, which has
    // the number of TIOCOUTQ).
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut count) };
    match result {
        0 => u64::try_from(count).unwrap_or(0),
        _ => 0,
    }
}

/// See above. Apple's systems count what is in the socket's buffer (getsockopt(2), SO_NWRITE), where TCP keeps what is not
/// acknowledged.
#[cfg(target_vendor = "apple")]
pub fn unacknowledged(socket: BorrowedSocket<'_>) -> u64 {
    let mut count: libc::c_int = 0;
    let mut size = libc::socklen_t::try_from(size_of_val(&count)).unwrap_or(0);
    // SAFETY: the socket is open because it is borrowed, and the option writes one int, for which there is room.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NWRITE,
            (&raw mut count).cast(),
            &raw mut size,
        )
    };
    match result {
        0 => u64::try_from(count).unwrap_or(0),
        _ => 0,
    }
}

/// See above.
#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
pub fn unacknowledged(_: BorrowedSocket<'_>) -> u64 {
    0
}

/// Whether [`send_file`] is there.
pub const SENDS_FILES: bool = cfg!(target_os = "linux");

/// Sends up to `length` bytes of a file from `offset` on to a socket, without a copy of them: the system takes them from the
/// file when they leave, and once more where they have to be sent again. 0 where the file ends there. Moves no position.
///
/// The thread must not take SIGPIPE, which a peer that is gone gives rise to; [`super::spawn`] sees to that.
#[cfg(target_os = "linux")]
pub fn send_file(socket: BorrowedSocket<'_>, file: &File, offset: u64, length: usize) -> io::Result<usize> {
    let mut offset = libc::off64_t::try_from(offset).map_err(io::Error::other)?;
    // SAFETY: both descriptors are open because they are borrowed, and the call writes one off64_t, which lives across it.
    let count = unsafe { libc::sendfile64(socket.as_raw_fd(), file.as_raw_fd(), &raw mut offset, length) };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// See above. Never called here.
#[cfg(not(target_os = "linux"))]
pub fn send_file(_: BorrowedSocket<'_>, _: &File, _: u64, _: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Ends another thread's [`poll`], or its next one if it is in none. Any number of uses until
/// [`Waker::reset`] are one.
#[derive(Debug)]
pub struct Waker {
    sender: UnixStream,
    receiver: UnixStream,
    /// Whether it was used since the last reset, so that one that was not costs no call.
    is_used: AtomicBool,
}

impl Waker {
    /// Takes two descriptors.
    pub fn new() -> io::Result<Self> {
        let (sender, receiver) = UnixStream::pair()?;
        sender.set_nonblocking(true)?;
        receiver.set_nonblocking(true)?;
        Ok(Self {
            sender,
            receiver,
            is_used: AtomicBool::new(false),
        })
    }

    /// Never blocks; from any thread.
    pub fn wake(&self) {
        // The only failure is a full channel, which is as awake as can be.
        let _ = (&self.sender).write(&[1]);
        // After the write: a reset between the two leaves both for the next one.
        self.is_used.store(true, Ordering::Release);
    }

    /// Forgets the wakes so far that have returned. What they announced must be looked at after this, not before.
    pub fn reset(&self) {
        if self.is_used.swap(false, Ordering::AcqRel) {
            self.drain();
        }
    }

    /// As [`Waker::reset`], and also one that was seen and has not returned yet.
    pub fn drain(&self) {
        let mut sink = [0; 64];
        loop {
            match (&self.receiver).read(&mut sink) {
                Ok(count) if count == sink.len() => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_without_anything_ready_ends_at_its_deadline() {
        let waker = Waker::new().unwrap();
        let begun = Instant::now();
        let ready = poll(None, &waker, begun + Duration::from_millis(20)).unwrap();
        assert_eq!(ready, Ready::default());
        assert!(begun.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_wake_before_the_wait_ends_it_until_it_is_reset() {
        let waker = Waker::new().unwrap();
        waker.wake();
        waker.wake();
        let hang_guard = Instant::now() + Duration::from_secs(60);
        assert!(poll(None, &waker, hang_guard).unwrap().woken);
        assert!(poll(None, &waker, hang_guard).unwrap().woken);
        waker.reset();
        assert!(!poll(None, &waker, Instant::now()).unwrap().woken);
    }

    #[test]
    fn more_wakes_than_the_channel_holds_neither_block_nor_are_lost() {
        let waker = Waker::new().unwrap();
        for _ in 0..100_000 {
            waker.wake();
        }
        assert!(poll(None, &waker, Instant::now()).unwrap().woken);
        waker.reset();
        assert!(!poll(None, &waker, Instant::now()).unwrap().woken);
    }

    #[test]
    fn waits_are_rounded_up_to_whole_milliseconds() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(7)), 7);
        assert_eq!(milliseconds(Duration::MAX), libc::c_int::MAX);
    }
}
