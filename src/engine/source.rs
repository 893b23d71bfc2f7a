//! Where the bytes of an upload come from.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::protocol::digest::Sha1Digest;
use crate::upload::failure::{SourceFailure, SourceFault};
use crate::upload::task::Reading;

use super::cancel::CancelToken;
use super::sys::{self, FileKind};

/// Bytes to be uploaded. Unless it says otherwise they can be read at any place, any number of times and from several
/// threads, and their number is known.
pub trait Source: Send + Sync {
    /// How many bytes there are; of no meaning before it is spooled, where it has to be.
    fn size(&self) -> u64;

    /// Reads bytes from `offset` on into the buffer; may read fewer than fit. 0 means that the source ends
    /// there.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Whether the source still is what it was when it was opened.
    fn verify_unchanged(&self) -> Result<(), SourceFailure>;

    /// What tells this content from any that the source had before; `None` where nothing does.
    fn identity(&self) -> Option<Identity>;

    /// The same where it also tells what was read so far, and is read from now on, from any content that the source may
    /// have later: what it is remembered by.
    fn lasting_identity(&self) -> Option<Identity> {
        self.identity()
    }

    /// How it can be read.
    fn reading(&self) -> Reading {
        Reading::AtWill
    }

    /// Whether reading it may take as long as somebody else likes.
    fn may_block(&self) -> bool {
        false
    }

    /// Reads it to its end, into a place where it can be read at will; its size then. Called where that is how it can be
    /// read, before anything else, and again after a failure. Returns soon after the token was cancelled.
    ///
    /// # Errors
    /// Why it can't be read or kept.
    fn spool(&self, token: &CancelToken) -> Result<u64, SourceFailure> {
        let _ = token;
        Ok(self.size())
    }

    /// The SHA-1 of all of it, where that was taken while it was read from beginning to end.
    fn digest(&self) -> Option<Sha1Digest> {
        None
    }

    /// What is kept of it for another attempt, where it can be read only once.
    fn buffered(&self) -> Vec<Range<u64>> {
        Vec::new()
    }

    /// Nobody will read these bytes again.
    fn release(&self, range: Range<u64>) {
        let _ = range;
    }

    /// What error texts call the source.
    fn name(&self) -> String {
        "the source".to_owned()
    }
}

/// A file as the system tells it from others, and this content of it from others. Content is never changed
/// without one of these changing, save within one tick of the file system's clock or by setting that clock
/// back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The file system's device number.
    pub device: u64,
    /// The file's number on it.
    pub inode: u64,
    /// In bytes.
    pub size: u64,
    /// When the content was last modified, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// When content or properties were last changed, in nanoseconds since 1970.
    pub ctime_ns: i128,
}

/// More than a tick of the clock by which file systems note changes: 10 ms at most where the kernel keeps it, and a virtual
/// machine may be late with it.
pub const CLOCK_TICK: Duration = Duration::from_millis(100);
/// The same for file systems that note whole seconds, of which the coarsest notes every other one.
const COARSE_TICK: Duration = Duration::from_millis(2100);

impl Identity {
    /// Whether any change after this moment shows, because it falls into a later tick than the last one did.
    fn shows_changes_after(&self, moment: SystemTime) -> bool {
        let moment = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        self.ctime_ns.saturating_add(nanoseconds(self.tick())) <= nanoseconds(moment)
    }

    fn tick(&self) -> Duration {
        let whole_seconds = self.ctime_ns % 1_000_000_000 == 0;
        if whole_seconds { COARSE_TICK } else { CLOCK_TICK }
    }
}

/// A regular file, read by position, so that any number of connections share the one descriptor.
#[derive(Debug)]
pub struct FileSource {
    file: File,
    path: PathBuf,
    opened: Identity,
    first_read: OnceLock<SystemTime>,
}

impl FileSource {
    /// Opens a regular file; symbolic links are followed.
    ///
    /// # Errors
    /// The file can't be opened, or is a directory, a FIFO, a device or a socket.
    pub fn open(path: &Path) -> Result<Self, SourceFailure> {
        let fail = |doing: &str, error: io::Error| SourceFailure {
            kind: SourceFault::Unreadable,
            detail: format!("{doing} {path:?} failed: {error}"),
            os_errno: error.raw_os_error(),
        };
        // Looked at before it is opened: opening a device can have effects. And looked at once more when it
        // is open, since the path may name something else by then.
        let metadata = std::fs::metadata(path).map_err(|error| fail("looking at", error))?;
        require_regular(path, &metadata)?;
        let file = sys::open(path).map_err(|error| fail("opening", error))?;
        let metadata = file.metadata().map_err(|error| fail("looking at", error))?;
        require_regular(path, &metadata)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            opened: sys::identity(&metadata),
            first_read: OnceLock::new(),
        })
    }
}

fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), SourceFailure> {
    let what = match FileKind::from(metadata.file_type()) {
        FileKind::Regular => return Ok(()),
        FileKind::Directory => "a directory; only files can be uploaded, one by one",
        FileKind::Fifo => {
            "a FIFO, whose size is not known; upload it as a stream, or write it to a file first"
        }
        FileKind::Socket => "a socket; only regular files can be uploaded",
        FileKind::Device => "a device; only regular files can be uploaded",
    };
    Err(SourceFailure {
        kind: SourceFault::Unreadable,
        detail: format!("{path:?} is {what}"),
        os_errno: None,
    })
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.opened.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.first_read.get_or_init(SystemTime::now);
        sys::read_at(&self.file, offset, buffer)
    }

    /// Compares size and modification time of the open file with those at its opening.
    ///
    /// The time of change (ctime) is not compared here, though it is part of [`Identity`]: renaming the file,
    /// giving it another mode and removing it all move it, and none of these changes a byte. Nor is the path
    /// looked up again: where another file took it over by rename, the open one is still whole, the one that
    /// the upload began with.
    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        let metadata = self.file.metadata().map_err(|error| SourceFailure {
            kind: SourceFault::Unreadable,
            detail: format!("looking at {:?} failed: {error}", self.path),
            os_errno: error.raw_os_error(),
        })?;
        let (then, now) = (&self.opened, sys::identity(&metadata));
        let how = if now.size != then.size {
            format!("its size was {} bytes and is {}", then.size, now.size)
        } else if now.mtime_ns != then.mtime_ns {
            "it was written to".to_owned()
        } else {
            return Ok(());
        };
        let detail = format!("{:?} changed while it was being uploaded: {how}", self.path);
        Err(SourceFailure {
            kind: SourceFault::Changed,
            detail,
            os_errno: None,
        })
    }

    fn identity(&self) -> Option<Identity> {
        Some(self.opened.clone())
    }

    /// None for a file that was changed just before it was first read: another change within the same tick of the file
    /// system's clock, after that reading, would leave no trace.
    fn lasting_identity(&self) -> Option<Identity> {
        let first_read = self.first_read.get().copied().unwrap_or_else(SystemTime::now);
        self.identity()
            .filter(|identity| identity.shows_changes_after(first_read))
    }

    fn name(&self) -> String {
        format!("{:?}", self.path)
    }
}

/// Bytes in memory. They can't change while the source exists.
#[derive(Clone)]
pub struct MemorySource(Arc<[u8]>);

impl MemorySource {
    /// A source of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }
}

impl Source for MemorySource {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let rest = &self.0[start..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }

    fn name(&self) -> String {
        "the memory given".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;
    use std::process::Command;
    use std::time::SystemTime;

    use tempfile::TempDir;

    use super::*;

    fn folder_with_file(content: &[u8]) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, content).unwrap();
        (folder, path)
    }

    /// Moves the modification time, so that the test doesn't depend on the tick of the file system's clock.
    fn touch(path: &Path) {
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    }

    #[test]
    fn a_file_is_read_at_any_place_and_ends_at_its_size() {
        let (_folder, path) = folder_with_file(b"0123456789");
        let source = FileSource::open(&path).unwrap();
        let mut buffer = [0; 4];
        assert_eq!(source.size(), 10);
        assert_eq!(
            (source.read_at(8, &mut buffer).unwrap(), &buffer[..2]),
            (2, &b"89"[..])
        );
        assert_eq!((source.read_at(1, &mut buffer).unwrap(), &buffer), (4, b"1234"));
        assert_eq!(source.read_at(10, &mut buffer).unwrap(), 0);
    }

    #[test]
    fn what_is_no_regular_file_is_refused_by_its_kind_and_never_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let (fifo, socket) = (folder.path().join("fifo"), folder.path().join("socket"));
        assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        let _listener = UnixListener::bind(&socket).unwrap();
        for (path, kind) in [
            (folder.path(), "directory"),
            (fifo.as_path(), "FIFO"),
            (socket.as_path(), "socket"),
            (Path::new("/dev/null"), "device"),
        ] {
            let failure = FileSource::open(path).unwrap_err();
            assert!(failure.detail.contains(kind), "{}", failure.detail);
            assert!(failure.kind != SourceFault::Changed);
        }
    }

    #[test]
    fn a_missing_file_is_refused_with_its_name_and_the_system_s_error() {
        let failure = FileSource::open(Path::new("/nonexistent/a\nb")).unwrap_err();
        assert_eq!(failure.os_errno, Some(libc::ENOENT));
        assert!(
            failure.detail.contains("\"/nonexistent/a\\nb\""),
            "{}",
            failure.detail
        );
    }

    #[test]
    fn symbolic_links_are_followed() {
        let (folder, path) = folder_with_file(b"linked");
        let link = folder.path().join("link");
        symlink(&path, &link).unwrap();
        assert_eq!(FileSource::open(&link).unwrap().size(), 6);
    }

    #[test]
    fn a_file_written_to_truncated_or_grown_is_changed() {
        type Change = fn(&Path);
        let changes: [(Change, &str); 3] = [
            (|path| touch(path), "written to"),
            (
                |path| {
                    OpenOptions::new()
                        .write(true)
                        .open(path)
                        .unwrap()
                        .set_len(3)
                        .unwrap()
                },
                "10 bytes and is 3",
            ),
            (
                |path| {
                    OpenOptions::new()
                        .write(true)
                        .open(path)
                        .unwrap()
                        .set_len(11)
                        .unwrap()
                },
                "10 bytes and is 11",
            ),
        ];
        for (change, said) in changes {
            let (_folder, path) = folder_with_file(b"0123456789");
            let source = FileSource::open(&path).unwrap();
            source.verify_unchanged().unwrap();
            change(&path);
            let failure = source.verify_unchanged().unwrap_err();
            assert!(
                failure.kind == SourceFault::Changed && failure.detail.contains(said),
                "{}",
                failure.detail
            );
        }
    }

    #[test]
    fn a_file_renamed_replaced_removed_or_given_a_mode_is_the_same_content() {
        let (folder, path) = folder_with_file(b"0123456789");
        let source = FileSource::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        source.verify_unchanged().unwrap();
        let moved = folder.path().join("moved");
        fs::rename(&path, &moved).unwrap();
        source.verify_unchanged().unwrap();
        fs::write(&path, b"other").unwrap();
        fs::rename(&path, &moved).unwrap();
        source.verify_unchanged().unwrap();
        let mut buffer = [0; 10];
        assert_eq!(
            (source.read_at(0, &mut buffer).unwrap(), &buffer),
            (10, b"0123456789")
        );
    }

    #[test]
    fn identities_tell_contents_apart() {
        let (_folder, path) = folder_with_file(b"0123456789");
        let first = FileSource::open(&path).unwrap().identity().unwrap();
        assert_eq!(FileSource::open(&path).unwrap().identity().unwrap(), first);
        touch(&path);
        let touched = FileSource::open(&path).unwrap().identity().unwrap();
        assert_eq!((touched.inode, touched.mtime_ns), (first.inode, 0));
        assert_ne!(touched, first);
    }

    #[test]
    fn a_change_shows_where_it_falls_into_a_later_tick() {
        let changed_at = |ctime_ns| Identity {
            device: 1,
            inode: 1,
            size: 1,
            mtime_ns: 0,
            ctime_ns,
        };
        let fine = changed_at(1_000_000_004);
        let at = |ns| UNIX_EPOCH + Duration::from_nanos(ns);
        assert!(!fine.shows_changes_after(at(1_000_000_004)));
        assert!(!fine.shows_changes_after(at(1_100_000_003)));
        assert!(fine.shows_changes_after(at(1_100_000_004)));
        assert!(!fine.shows_changes_after(at(0)), "a clock that was set back");
        let coarse = changed_at(2_000_000_000);
        assert!(!coarse.shows_changes_after(at(4_099_999_999)));
        assert!(coarse.shows_changes_after(at(4_100_000_000)));
        assert!(!changed_at(i128::MAX).shows_changes_after(at(u64::MAX)));
    }

    #[test]
    fn what_a_file_is_remembered_by_goes_by_its_first_reading() {
        let (_folder, path) = folder_with_file(b"0123456789");
        let young = FileSource::open(&path).unwrap();
        young.read_at(0, &mut [0; 10]).unwrap();
        let read_at = *young.first_read.get().unwrap();
        std::thread::sleep(young.opened.tick());
        let early = young.opened.shows_changes_after(read_at);
        assert_eq!(
            young.lasting_identity().is_some(),
            early,
            "however late it is asked"
        );
        let old = FileSource::open(&path).unwrap();
        old.read_at(0, &mut [0; 10]).unwrap();
        assert_eq!(old.lasting_identity(), old.identity());
    }

    #[test]
    fn memory_is_a_source_without_identity() {
        let source = MemorySource::new(*b"abcdef");
        let mut buffer = [0; 4];
        assert_eq!(
            (source.read_at(4, &mut buffer).unwrap(), &buffer[..2]),
            (2, &b"ef"[..])
        );
        assert_eq!(source.read_at(u64::MAX, &mut buffer).unwrap(), 0);
        assert_eq!((source.size(), source.identity()), (6, None));
    }
}
