//! Files as sources.

use std::fs::{File, Metadata};
use std::io::{self, Seek};
use std::os::fd::RawFd;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use super::reach::Reach;
use super::{Identity, Source, failed};
use crate::engine::sys::{self, FileKind};
use crate::upload::failure::{SourceFailure, SourceFault};

/// A regular file, read by position, so that any number of connections share the one descriptor.
#[derive(Debug)]
pub struct FileSource {
    reach: Reach,
    /// What error texts call it.
    name: String,
    opened: Identity,
    first_read: OnceLock<SystemTime>,
}

/// A regular file that the program has open, by a descriptor of our own: the program may close its own at once. Its position
/// is neither used nor moved.
#[derive(Clone, Debug)]
pub struct OpenFile {
    file: Arc<File>,
    name: String,
}

impl FileSource {
    /// Opens a regular file; symbolic links are followed.
    ///
    /// # Errors
    /// The file can't be opened, or is a directory, a FIFO, a device or a socket.
    pub fn open(path: &Path) -> Result<Self, SourceFailure> {
        let name = format!("{path:?}");
        // Looked at before it is opened: opening a device can have effects. And looked at once more when it
        // is open, since the path may name something else by then.
        let metadata = std::fs::metadata(path).map_err(|error| cannot("looking at", &name, &error))?;
        require_regular(&name, &metadata)?;
        let file = sys::open(path).map_err(|error| cannot("opening", &name, &error))?;
        let open = OpenFile {
            file: Arc::new(file),
            name,
        };
        Ok(Self {
            reach: Reach::of_path(path, open.file.clone()),
            ..Self::of(&open)?
        })
    }

    /// The content that an open file has now.
    ///
    /// # Errors
    /// It can't be looked at, or is no regular file.
    pub fn of(open: &OpenFile) -> Result<Self, SourceFailure> {
        let metadata = open.metadata()?;
        require_regular(&open.name, &metadata)?;
        Ok(Self {
            reach: Reach::of_open(open.file.clone()),
            name: open.name.clone(),
            opened: sys::identity(&metadata),
            first_read: OnceLock::new(),
        })
    }

    fn file(&self) -> io::Result<Arc<File>> {
        self.reach.file(&self.opened, &self.name)
    }
}

impl OpenFile {
    /// Duplicates a descriptor of a regular file that is open for reading.
    ///
    /// # Errors
    /// It is none, or the system has no more descriptors.
    pub fn duplicate(descriptor: RawFd) -> Result<Self, SourceFailure> {
        let name = format!("descriptor {descriptor}");
        let fail = |error| cannot("duplicating", &name, &error);
        let file = Arc::new(sys::duplicate(descriptor).map_err(fail)?);
        let is_readable = sys::is_readable(&file).map_err(fail)?;
        let open = Self { file, name };
        require_regular(&open.name, &open.metadata()?)?;
        if !is_readable {
            let text = format!("{} is not open for reading", open.name);
            return Err(SourceFailure::new(SourceFault::Unreadable, text));
        }
        Ok(open)
    }

    /// Where the program is in it, in bytes from its beginning.
    ///
    /// # Errors
    /// The system does not say.
    pub fn position(&self) -> Result<u64, SourceFailure> {
        let position = (&*self.file).stream_position();
        position.map_err(|error| cannot("looking at", &self.name, &error))
    }

    fn metadata(&self) -> Result<Metadata, SourceFailure> {
        let metadata = self.file.metadata();
        metadata.map_err(|error| cannot("looking at", &self.name, &error))
    }
}

fn cannot(doing: &str, name: &str, error: &io::Error) -> SourceFailure {
    let advice = sys::advice(error);
    let text = format!("{doing} {name} failed: {error}{advice}");
    SourceFailure::new(SourceFault::Unreadable, text).of_system(error.raw_os_error())
}

fn require_regular(name: &str, metadata: &Metadata) -> Result<(), SourceFailure> {
    let what = match FileKind::from(metadata.file_type()) {
        FileKind::Regular => return Ok(()),
        FileKind::Directory => "a directory; only files can be uploaded, one by one",
        FileKind::Fifo => {
            "a pipe (FIFO), whose size is not known; upload it as a stream, or write it to a file first"
        }
        FileKind::Socket => "a socket, whose size is not known; upload what it gives as a stream",
        FileKind::Device => "a device, whose size is not known; upload what it gives as a stream",
    };
    let text = format!("{name} is {what}");
    Err(SourceFailure::new(SourceFault::Unreadable, text))
}

impl Source for FileSource {
    fn size(&self) -> u64 {
        self.opened.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.first_read.get_or_init(SystemTime::now);
        sys::read_at(&*self.file()?, offset, buffer)
    }

    fn hold(&self) -> Option<Arc<File>> {
        // What is wrong with it is told where it is read.
        self.file().ok()
    }

    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        self.first_read.get_or_init(SystemTime::now);
        Some((self.file().ok()?, offset))
    }

    /// Compares size and modification time of the open file with those at its opening.
    ///
    /// The time of change (ctime) is not compared here, though it is part of [`Identity`]: renaming the file,
    /// giving it another mode and removing it all move it, and none of these changes a byte. Nor is the path
    /// looked up again while the file is open: where another one took it over by rename, this one is still whole, the one that
    /// the upload began with.
    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        let metadata = self.file().and_then(|file| file.metadata());
        let metadata = metadata.map_err(|error| failed(&format!("looking at {}", self.name), error))?;
        let (then, now) = (&self.opened, sys::identity(&metadata));
        let how = if now.size != then.size {
            format!("its size was {} bytes and is {}", then.size, now.size)
        } else if now.mtime_ns != then.mtime_ns {
            "it was written to".to_owned()
        } else {
            return Ok(());
        };
        let text = format!("{} changed while it was being uploaded: {how}", self.name);
        Err(SourceFailure::new(SourceFault::Changed, text))
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
        self.name.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions};
    use std::io::SeekFrom;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::PathBuf;
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
            assert_eq!(failure.kind, SourceFault::Unreadable);
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

    fn descriptor(file: &impl AsRawFd) -> Result<FileSource, SourceFailure> {
        FileSource::of(&OpenFile::duplicate(file.as_raw_fd())?)
    }

    #[test]
    fn a_descriptor_is_read_by_place_after_it_was_closed_and_its_position_stays() {
        let (_folder, path) = folder_with_file(b"0123456789");
        let mut file = File::open(&path).unwrap();
        file.seek(SeekFrom::Start(7)).unwrap();
        let source = descriptor(&file).unwrap();
        let mut buffer = [0; 10];
        assert_eq!(
            (source.read_at(0, &mut buffer).unwrap(), &buffer),
            (10, b"0123456789")
        );
        assert_eq!(file.stream_position().unwrap(), 7);
        drop(file);
        assert_eq!(source.read_at(4, &mut buffer).unwrap(), 6);
        assert_eq!(
            source.identity(),
            FileSource::open(&path).unwrap().identity(),
            "as by its path"
        );
    }

    #[test]
    fn what_a_descriptor_has_when_it_is_looked_at_counts() {
        let (_folder, path) = folder_with_file(b"0123456789");
        let open = OpenFile::duplicate(File::open(&path).unwrap().as_raw_fd()).unwrap();
        fs::write(&path, b"012345").unwrap();
        let source = FileSource::of(&open).unwrap();
        assert_eq!(source.size(), 6);
        source.verify_unchanged().unwrap();
        touch(&path);
        assert_eq!(source.verify_unchanged().unwrap_err().kind, SourceFault::Changed);
    }

    #[test]
    fn a_descriptor_that_is_no_readable_regular_file_is_refused_with_its_kind() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, _writer) = rustix::pipe::pipe().unwrap();
        let (socket, _other) = UnixStream::pair().unwrap();
        let directory = File::open(folder.path()).unwrap();
        let device = File::open("/dev/null").unwrap();
        let write_only = File::create(folder.path().join("file")).unwrap();
        for (refused, said) in [
            (descriptor(&pipe), "as a stream"),
            (descriptor(&socket), "as a stream"),
            (descriptor(&device), "as a stream"),
            (descriptor(&directory), "a directory"),
            (descriptor(&write_only), "not open for reading"),
        ] {
            let failure = refused.err().unwrap();
            assert!(failure.detail.contains(said), "{failure}");
        }
        let closed = OpenFile::duplicate(i32::MAX).unwrap_err();
        assert_eq!(closed.os_errno, Some(libc::EBADF), "{closed}");
    }
}
