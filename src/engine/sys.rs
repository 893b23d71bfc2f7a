//! What differs between systems, and the only `unsafe` of the engine: waiting for a socket, waking that wait,
//! threads that take no signals, what a file is, and files that are this user's alone.
//!
//! This file is for Unix. Another system needs the same items over its own calls.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, FileType, Metadata, OpenOptions, remove_file};
use std::io::{self, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

pub use std::os::fd::{AsFd as AsSocket, BorrowedFd as BorrowedSocket};

use super::source::Identity;

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
/// The thread must not take SIGPIPE, which a peer that is gone gives rise to; [`spawn`] sees to that.
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

/// Starts a thread that blocks all signals from its first moment on: the host program's handlers must run on its own
/// threads. The signals that a fault of the thread itself raises stay, since a crash handler wants them. The name is cut
/// after 15 bytes by Linux.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    // A thread inherits the mask of the one that starts it.
    let _blocked = BlockedSignals::new();
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// The same within a scope, which waits for the thread.
pub fn spawn_in<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    name: &str,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, ()>> {
    let _blocked = BlockedSignals::new();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, body)
}

/// All signals but those of faults are blocked in the calling thread until this is dropped.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn new() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initialises the set before it is used; the numbers are signals; pthread_sigmask writes the old
        // mask. The calls can't fail with these arguments.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for fault in [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGFPE,
                libc::SIGILL,
                libc::SIGTRAP,
                libc::SIGABRT,
                libc::SIGSYS,
            ] {
                libc::sigdelset(set.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
            Self {
                before: before.assume_init(),
            }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the mask is one that the system gave; the null pointer says that the old one isn't wanted.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

/// What a path can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A file with content of its own.
    Regular,
    /// A folder.
    Directory,
    /// A named pipe.
    Fifo,
    /// A local socket.
    Socket,
    /// A terminal, a disk, and whatever else there is.
    Device,
}

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> Self {
        match kind {
            kind if kind.is_file() => Self::Regular,
            kind if kind.is_dir() => Self::Directory,
            kind if kind.is_fifo() => Self::Fifo,
            kind if kind.is_socket() => Self::Socket,
            _ => Self::Device,
        }
    }
}

/// The path of these bytes: the system's names of files are bytes, and need not be text.
pub fn path_of(bytes: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes))
}

/// Opens a file for reading; doesn't block where the path names a FIFO, and makes no terminal the process's
/// own.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)
}

/// How many descriptors this process may have at present.
pub fn descriptor_limit() -> usize {
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: the call writes to the place given, which is zeroed: 0 is a limit, too, should it fail.
    let limit = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr());
        limit.assume_init()
    };
    usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
}

/// What to do about an error of the system, to follow what it says; empty where that says it all.
pub fn advice(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EMFILE) => {
            ". This process may have no more files and connections open: have that limit raised (RLIMIT_NOFILE, ulimit -n)"
        }
        _ => "",
    }
}

/// The lowest number that is none of standard input, output and error.
const FIRST_FREE: RawFd = libc::STDERR_FILENO + 1;

/// A descriptor of its own for what another descriptor has open; a program that this process starts does not get it. It is
/// none of the standard ones, should the program have closed those: what it prints is not to go into the file.
pub fn duplicate(descriptor: RawFd) -> io::Result<File> {
    // SAFETY: of a number that is no open descriptor this is an error, and nothing else happens.
    let own = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, FIRST_FREE) };
    if own < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just made it, and nobody else knows of it.
    Ok(unsafe { File::from_raw_fd(own) })
}

/// Whether a file was opened so that it can be read.
pub fn is_readable(file: &File) -> io::Result<bool> {
    // SAFETY: the descriptor is open for the time of the call, because it is borrowed.
    let flags = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETFL) };
    if flags < 0 {
        return Err(io::Error::last_os_error());
    }
    #[cfg(target_os = "linux")]
    let is_name_only = flags & libc::O_PATH != 0;
    #[cfg(not(target_os = "linux"))]
    let is_name_only = false;
    Ok(!is_name_only && flags & libc::O_ACCMODE != libc::O_WRONLY)
}

/// Reads at a place in a file without moving its position, so that threads can share it.
pub fn read_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// What the system says of a file.
pub fn identity(metadata: &Metadata) -> Identity {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Identity {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        part: None,
    }
}

/// The mode of a file that only its owner may read and write.
const PRIVATE: u32 = 0o600;
/// A link could lead to somebody else's file, and a FIFO could block.
const AS_NAMED: libc::c_int = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;

/// Makes a folder, and those above it that are missing, for its owner alone; one that is there stays as it is.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a file that must not be there yet, for its owner alone, to be written.
pub fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(PRIVATE)
        .open(path)
}

/// Makes a file in a folder that has no name there, or soon none, for its owner alone, to be written and read. It is gone when
/// it is closed, also where the process is killed.
pub fn create_unnamed(folder: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(PRIVATE);
    #[cfg(target_os = "linux")]
    match options.clone().custom_flags(libc::O_TMPFILE).open(folder) {
        // What systems of files that can't do this answer, and kernels that don't know it.
        Err(error)
            if [libc::EOPNOTSUPP, libc::EISDIR, libc::EINVAL]
                .map(Some)
                .contains(&error.raw_os_error()) => {}
        result => return result,
    }
    create_and_unlink(&mut options, folder)
}

fn create_and_unlink(options: &mut OpenOptions, folder: &Path) -> io::Result<File> {
    let number = getrandom::u64().map_err(io::Error::other)?;
    let path = folder.join(format!(".cos-slice-{number:016x}"));
    let file = options.create_new(true).open(&path)?;
    remove_file(&path)?;
    Ok(file)
}

/// Opens what a path names itself, for reading; doesn't block where that is a FIFO.
pub fn open_as_named(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(AS_NAMED).open(path)
}

/// Opens a file to be locked, and makes it where it is missing.
pub fn open_lock(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(PRIVATE)
        .custom_flags(AS_NAMED)
        .open(path)
}

/// Whether nobody but this process's user, and the system's administrator, can have written a file.
pub fn is_own(metadata: &Metadata) -> bool {
    // SAFETY: takes nothing and can't fail.
    let user = unsafe { libc::geteuid() };
    metadata.uid() == user && metadata.mode() & 0o022 == 0
}

/// Whether two looks were at the same file.
pub fn is_same_file(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Locks an open file against every other opening of it, in this process too; false where another has it. The lock ends
/// with [`unlock`], or when the last descriptor of this opening is closed, as it is when the process dies.
pub fn try_lock(file: &File) -> io::Result<bool> {
    loop {
        // SAFETY: the descriptor is open for the time of the call, because it is borrowed.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            return Ok(true);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock => return Ok(false),
            io::ErrorKind::Interrupted => {}
            _ => return Err(error),
        }
    }
}

/// Ends a lock also for a child that was forked meanwhile and has the descriptor still.
pub fn unlock(file: &File) {
    // SAFETY: as above. Where it fails, closing the file does it.
    unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_UN) };
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
    fn a_file_without_a_name_is_made_where_the_file_system_knows_no_such_thing_too() {
        let folder = tempfile::tempdir().unwrap();
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(PRIVATE);
        for file in [
            create_unnamed(folder.path()),
            create_and_unlink(&mut options, folder.path()),
        ] {
            let mut file = file.unwrap();
            file.write_all(b"kept").unwrap();
            let mut read = [0; 8];
            assert_eq!(read_at(&file, 1, &mut read).unwrap(), 3);
            assert_eq!(file.metadata().unwrap().mode() & 0o777, PRIVATE);
            assert_eq!(folder.path().read_dir().unwrap().count(), 0);
        }
    }

    #[test]
    fn waits_are_rounded_up_to_whole_milliseconds() {
        assert_eq!(milliseconds(Duration::ZERO), 0);
        assert_eq!(milliseconds(Duration::from_nanos(1)), 1);
        assert_eq!(milliseconds(Duration::from_millis(7)), 7);
        assert_eq!(milliseconds(Duration::MAX), libc::c_int::MAX);
    }

    #[test]
    fn a_spawned_thread_takes_no_signals_but_keeps_faults() {
        let (sender, receiver) = std::sync::mpsc::channel();
        spawn("mask", move || {
            let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
            // SAFETY: with a null set the call only writes the current mask to the place given.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr()) };
            // SAFETY: written by the call above.
            let blocked = |signal| unsafe { libc::sigismember(mask.as_ptr(), signal) } == 1;
            let _ = sender.send((
                blocked(libc::SIGTERM),
                blocked(libc::SIGALRM),
                blocked(libc::SIGSEGV),
            ));
        })
        .unwrap()
        .join()
        .unwrap();
        assert_eq!(receiver.recv().unwrap(), (true, true, false));
    }
}
