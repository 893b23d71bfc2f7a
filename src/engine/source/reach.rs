//! How a file stays within reach while its upload runs, where a process may not have as many open as it uploads.

use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::SystemTime;

use super::Identity;
use crate::engine::cancel::lock;
use crate::engine::sys;
use crate::upload::failure::{SourceFailure, SourceFault};

/// The least of [`most_kept_open`]. A system may let a process have only 256 descriptors.
pub const LEAST_KEPT_OPEN: usize = 64;

/// How many files that were opened by their path the process keeps open: a quarter of the descriptors that it may have, which
/// belong to the whole program, and [`LEAST_KEPT_OPEN`] in any case.
pub fn most_kept_open() -> usize {
    (sys::descriptor_limit() / 4).max(LEAST_KEPT_OPEN)
}

static KEPT_OPEN: AtomicUsize = AtomicUsize::new(0);

/// One of the places for a file that stays open.
#[derive(Debug)]
pub(super) struct Place(());

impl Place {
    fn take() -> Option<Self> {
        let most = most_kept_open();
        let one_more = |taken| (taken < most).then_some(taken + 1);
        let taken = KEPT_OPEN.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        taken.ok().map(|_| Self(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        KEPT_OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A file that was open once.
#[derive(Debug)]
pub(super) enum Reach {
    /// It stays open; in one of the places unless the program opened it.
    Open { file: Arc<File>, _place: Option<Place> },
    /// It is opened by its path, which is absolute, for as long as somebody holds it.
    ByPath {
        path: PathBuf,
        /// When the file was made, where the system tells that.
        created: Option<SystemTime>,
        open: Mutex<Weak<File>>,
    },
}

impl Reach {
    /// A file that the program opened.
    pub(super) fn of_open(file: Arc<File>) -> Self {
        Self::Open { file, _place: None }
    }

    /// A file that was opened by this path: it stays open if there is a place.
    pub(super) fn of_path(path: &Path, file: Arc<File>) -> Self {
        match (Place::take(), std::path::absolute(path)) {
            (None, Ok(path)) => Self::ByPath {
                path,
                created: created(file.metadata()),
                open: Mutex::new(Arc::downgrade(&file)),
            },
            (place, _) => Self::Open { file, _place: place },
        }
    }

    /// The file; closed by and by where it doesn't stay open.
    ///
    /// # Errors
    /// It can't be opened once more, or the path names another file by now, or other content; as a [`SourceFailure`] in this
    /// case.
    pub(super) fn file(&self, opened: &Identity, name: &str) -> io::Result<Arc<File>> {
        let (path, created, open) = match self {
            Self::Open { file, .. } => return Ok(file.clone()),
            Self::ByPath { path, created, open } => (path, *created, open),
        };
        // Under the lock, so that it is opened once for all connections.
        let mut open = lock(open);
        if let Some(file) = open.upgrade() {
            return Ok(file);
        }
        let file = sys::open(path)?;
        require_same(opened, created, &file.metadata()?, name)?;
        let file = Arc::new(file);
        *open = Arc::downgrade(&file);
        Ok(file)
    }
}

fn created(metadata: io::Result<Metadata>) -> Option<SystemTime> {
    metadata.and_then(|metadata| metadata.created()).ok()
}

/// The number of a file that was removed may be the next one's, whose size and time of modification may be copies. When it was
/// made can't be; where that is not known, whatever touched the file since counts.
fn require_same(
    opened: &Identity,
    created: Option<SystemTime>,
    metadata: &Metadata,
    name: &str,
) -> io::Result<()> {
    let now = sys::identity(metadata);
    let is_as_old = match (created, metadata.created().ok()) {
        (Some(then), Some(now)) => then == now,
        _ => now.ctime_ns == opened.ctime_ns,
    };
    if is_as_old && (now.device, now.inode) == (opened.device, opened.inode) {
        // Whether it was written to is for `verify_unchanged` to say, as of any file.
        return Ok(());
    }
    let text = format!(
        "{name} is another file than when its upload began. Where very many files are uploaded at once (more than {}) \
         the later ones are opened again when it is their turn, so each must stay in its place until its upload is over",
        most_kept_open()
    );
    Err(io::Error::other(SourceFailure::new(SourceFault::Changed, text)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::{Duration, Instant};

    use crate::engine::source::{FileSource, Source};

    use super::*;

    /// More than a tick of the clock of any file system that tells when a file was made.
    const TICK_NS: i128 = 50_000_000;

    /// A file that was open once, and is by its path alone.
    fn by_path(path: &Path) -> (Reach, Identity) {
        let identity = FileSource::open(path).unwrap().identity().unwrap();
        let created = created(fs::metadata(path));
        let (path, open) = (path.to_owned(), Mutex::default());
        (Reach::ByPath { path, created, open }, identity)
    }

    #[test]
    fn a_file_that_does_not_stay_open_is_opened_once_for_all_who_hold_it_at_the_same_time() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (reach, opened) = by_path(file.path());
        let open = || reach.file(&opened, "it").unwrap();
        let (one, other) = (open(), open());
        assert!(Arc::ptr_eq(&one, &other));
        let number = Arc::downgrade(&one);
        drop((one, other));
        assert!(number.upgrade().is_none(), "closed when nobody holds it");
        open();
    }

    #[test]
    fn a_file_that_took_the_place_of_one_that_was_closed_is_a_changed_source_and_none_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let (path, another) = (folder.path().join("file"), folder.path().join("another"));
        fs::write(&path, "content").unwrap();
        fs::write(&another, "content").unwrap();
        let (reach, opened) = by_path(&path);
        fs::rename(&another, &path).unwrap();
        let error = reach.file(&opened, "the file").unwrap_err();
        let failure = error.downcast::<SourceFailure>().unwrap();
        assert_eq!(failure.kind, SourceFault::Changed);
        assert!(
            failure.detail.contains("the file is another file"),
            "{}",
            failure.detail
        );

        fs::remove_file(&path).unwrap();
        let error = reach.file(&opened, "the file").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_file_that_was_removed_and_made_anew_is_another_one_though_all_that_can_be_copied_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "content").unwrap();
        let then = fs::metadata(&path).unwrap();
        let (reach, opened) = by_path(&path);
        // Later than within the same tick of the file system's clock; and with the same number, unless it gives none twice.
        let long_enough = Instant::now() + Duration::from_secs(1);
        while Instant::now() < long_enough {
            fs::remove_file(&path).unwrap();
            fs::write(&path, "another").unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(then.modified().unwrap()).unwrap();
            let now = sys::identity(&file.metadata().unwrap());
            if now.inode == opened.inode && now.ctime_ns - opened.ctime_ns > TICK_NS {
                break;
            }
        }
        let error = reach.file(&opened, "the file").unwrap_err();
        assert!(error.downcast::<SourceFailure>().is_ok());
    }

    #[test]
    fn a_file_whose_mode_was_changed_while_it_was_closed_is_the_same() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (reach, opened) = by_path(file.path());
        let mut permissions = fs::metadata(file.path()).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(file.path(), permissions).unwrap();
        let is_known = fs::metadata(file.path()).unwrap().created().is_ok();
        assert_eq!(reach.file(&opened, "it").is_ok(), is_known);
    }
}
