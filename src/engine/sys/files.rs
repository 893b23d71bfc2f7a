//! Files: what one is, opening and reading it, and those that are this user's alone.

use std::ffi::OsString;
use std::fs::{DirBuilder, File, FileType, Metadata, OpenOptions, remove_file};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::engine::source::Identity;

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
/// it is closed, also where the process is killed. Only where it gets a name first, a kill at that very moment leaves it empty.
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
    use std::io::Write;

    use super::*;

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
}
