//! The disk folder.
//!
//! What holds at every moment, also when the process is killed between two system calls:
//! - an object is there whole or not at all, and an old object stays readable until the new one takes its
//!   place;
//! - a slice that was answered with success is in its upload's folder; half-written slices lie in `temporary`
//!   and are thrown away at start;
//! - an upload that was begun is there with its description, or not at all.
//!
//! Nothing is synced to the medium: the promise is about killing the process, not about losing power.
//!
//! All functions block; the caller runs them off the async threads.

mod authority;
mod discard;
mod layout;
mod objects;
mod uploads;
mod writer;

pub(crate) use authority::AuthorityFiles;
pub(crate) use objects::Attributes;
pub(crate) use uploads::{Parts, Upload};
pub(crate) use writer::Staged;

use crate::target::ObjectKey;
use layout::Layout;
use rustix::fs::{FlockOperation, flock};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};

/// Above this many entries, locks of paths no longer in use are dropped.
const LOCK_TABLE_SWEEP: usize = 1024;

/// Takes a lock even if a thread panicked while holding it: what the locks here guard stays consistent, since
/// the disk is the truth.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The folder, opened.
pub(crate) struct Store {
    layout: Layout,
    temporary_names: AtomicU64,
    path_locks: Mutex<HashMap<ObjectKey, Weak<RwLock<()>>>>,
    /// Held while the tree of plain files changes shape, so that no one takes a directory away between
    /// another's check and rename.
    tree: Mutex<()>,
    /// Held while a slice is digested whose content is not kept.
    digesting: Mutex<()>,
}

/// Keeps other emulators off the folder while it lives.
pub(crate) struct FolderLock(File);

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing the file would do, were there not a moment in which a child process that another thread
        // starts has it open too.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Store {
    /// Opens the folder, creating it if need be, finishes what a killed process had committed, and throws its
    /// leftovers away.
    pub(crate) fn open(directory: &Path) -> io::Result<(Store, FolderLock)> {
        fs::create_dir_all(directory)?;
        // Absolute, so that the paths handed out stay right when the process changes its directory.
        let layout = Layout::new(&directory.canonicalize()?);
        fs::create_dir_all(layout.state())?;
        let folder_lock = take_folder_lock(&layout)?;
        layout.check_format()?;
        match fs::remove_dir_all(layout.temporary()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::create_dir_all(layout.temporary())?;
        fs::create_dir_all(layout.objects())?;
        fs::create_dir_all(layout.used_signatures())?;
        let store = Store {
            layout,
            temporary_names: AtomicU64::new(0),
            path_locks: Mutex::new(HashMap::new()),
            tree: Mutex::new(()),
            digesting: Mutex::new(()),
        };
        store.finish_publications()?;
        Ok((store, folder_lock))
    }

    /// The lock of one object path: shared for slices, exclusive for everything that changes the upload or
    /// the object.
    pub(crate) fn path_lock(&self, key: &ObjectKey) -> Arc<RwLock<()>> {
        let mut locks = lock(&self.path_locks);
        if let Some(found) = locks.get(key).and_then(Weak::upgrade) {
            return found;
        }
        if locks.len() >= LOCK_TABLE_SWEEP {
            locks.retain(|_, held| held.strong_count() > 0);
        }
        let made = Arc::new(RwLock::new(()));
        locks.insert(key.clone(), Arc::downgrade(&made));
        made
    }

    /// The plain file of an object.
    pub(crate) fn object_file(&self, key: &ObjectKey) -> PathBuf {
        self.layout.object(key)
    }

    /// Whether a one-time signature was used before.
    pub(crate) fn is_signature_used(&self, identifier: &str) -> bool {
        self.layout.used_signature(identifier).exists()
    }

    /// Records the use of a one-time signature; false when it was used before.
    pub(crate) fn use_signature(&self, identifier: &str) -> io::Result<bool> {
        match File::create_new(self.layout.used_signature(identifier)) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes the record of a use back.
    pub(crate) fn forget_signature(&self, identifier: &str) -> io::Result<()> {
        absent_is_fine(fs::remove_file(self.layout.used_signature(identifier)))
    }
}

fn take_folder_lock(layout: &Layout) -> io::Result<FolderLock> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(layout.lock())?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        let error = io::Error::from(error);
        if error.kind() == io::ErrorKind::WouldBlock {
            let folder = layout.root().display();
            io::Error::new(
                error.kind(),
                format!(
                    "another emulator is running on the folder {folder}; stop it or choose another folder"
                ),
            )
        } else {
            error
        }
    })?;
    Ok(FolderLock(file))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Reads and decodes a JSON file; `None` when it is not there.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    // A file where a directory would be is as absent as no directory at all.
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let damaged = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).map(Some).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(path: &str) -> ObjectKey {
        ObjectKey {
            bucket: "b".to_owned(),
            path: path.to_owned(),
        }
    }

    fn upload(path: &str) -> Upload {
        Upload {
            bucket: "b".to_owned(),
            path: path.to_owned(),
            api: crate::api::Api::V2,
            session: "5e55".to_owned(),
            session_since: 0,
            filesize: 3,
            slice_size: 1024,
            sha: None,
            granularity: 0,
            biz_attr: String::new(),
            insert_only: true,
            discards: false,
        }
    }

    /// A folder as it is when the process is killed right after an object was decided, or `later` steps after
    /// that.
    fn killed_while_publishing(directory: &Path, later: impl FnOnce(&Store, &Path)) {
        let (store, _lock) = Store::open(directory).unwrap();
        store.create_upload(&upload("d/x"), &[]).unwrap();
        store.put_slice(&upload("d/x"), 0, b"new").unwrap();
        let publication = store.layout.publication(&key("d/x"));
        fs::create_dir_all(&publication).unwrap();
        fs::write(publication.join("content"), b"new").unwrap();
        let metadata = fs::metadata(publication.join("content")).unwrap();
        let attributes = serde_json::json!({
            "bucket": "b", "path": "d/x", "is_directory": false, "filesize": 3, "sha": crate::sha1_state::sha1_hex(b"new"),
            "slice_size": 1024, "biz_attr": "kept", "ctime": 1, "mtime": 1, "session": "5e55",
            "file_mtime_ns": objects::mtime_ns(&metadata),
        });
        fs::write(publication.join("attributes.json"), attributes.to_string()).unwrap();
        later(&store, &publication);
    }

    fn check_published(directory: &Path) {
        let (store, _lock) = Store::open(directory).unwrap();
        assert_eq!(fs::read(store.object_file(&key("d/x"))).unwrap(), b"new");
        assert_eq!(store.object(&key("d/x")).unwrap().unwrap().biz_attr, "kept");
        assert_eq!(store.upload(&key("d/x")).unwrap(), None);
        assert_eq!(fs::read_dir(store.layout.publishing()).unwrap().count(), 0);
    }

    #[test]
    fn an_object_that_was_decided_is_published_after_a_kill_at_any_later_step() {
        let directory = tempfile::tempdir().unwrap();
        killed_while_publishing(directory.path(), |_, _| {});
        check_published(directory.path());

        let directory = tempfile::tempdir().unwrap();
        killed_while_publishing(directory.path(), |store, publication| {
            let object = store.object_file(&key("d/x"));
            fs::create_dir_all(object.parent().unwrap()).unwrap();
            fs::rename(publication.join("content"), object).unwrap();
        });
        check_published(directory.path());

        let directory = tempfile::tempdir().unwrap();
        killed_while_publishing(directory.path(), |store, publication| {
            store.finish_publication(publication).unwrap();
            // Only the removal of the empty folder did not happen.
            fs::create_dir(publication).unwrap();
        });
        check_published(directory.path());
    }

    #[test]
    fn the_folder_is_free_at_once_even_while_a_new_child_process_has_the_lock_file_open() {
        let directory = tempfile::tempdir().unwrap();
        let (_, folder_lock) = Store::open(directory.path()).unwrap();
        // As a fork duplicates it.
        let _duplicate = folder_lock.0.try_clone().unwrap();
        drop(folder_lock);
        Store::open(directory.path()).unwrap();
    }

    #[test]
    fn leftovers_in_the_temporary_folder_go_at_start() {
        let directory = tempfile::tempdir().unwrap();
        let (store, lock) = Store::open(directory.path()).unwrap();
        fs::write(store.layout.temporary().join("0"), b"half a slice").unwrap();
        drop((store, lock));
        let (store, _lock) = Store::open(directory.path()).unwrap();
        assert_eq!(fs::read_dir(store.layout.temporary()).unwrap().count(), 0);
        store.stage_bytes(b"x").unwrap();
    }

    #[test]
    fn a_staged_file_that_is_not_published_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(directory.path()).unwrap();
        drop(store.stage_bytes(b"x").unwrap());
        drop(store.stage_directory().unwrap());
        assert_eq!(fs::read_dir(store.layout.temporary()).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_of_another_layout_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        drop(Store::open(directory.path()).unwrap());
        fs::write(
            directory.path().join("state/format"),
            "cos-emulator folder, layout 99\n",
        )
        .unwrap();
        let error = Store::open(directory.path()).err().unwrap();
        assert!(error.to_string().contains("layout 99"), "{error}");
    }

    #[test]
    fn of_two_uses_of_a_signature_at_once_one_counts() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(directory.path()).unwrap();
        // Both have looked before either has written.
        assert!(!store.is_signature_used("5e55"));
        assert!(store.use_signature("5e55").unwrap());
        assert!(!store.use_signature("5e55").unwrap());
        assert!(store.is_signature_used("5e55"));
        store.forget_signature("5e55").unwrap();
        assert!(store.use_signature("5e55").unwrap());
    }

    #[test]
    fn locks_of_paths_no_longer_in_use_are_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let (store, _lock) = Store::open(directory.path()).unwrap();
        let held = store.path_lock(&key("held"));
        (0..3 * LOCK_TABLE_SWEEP).for_each(|number| drop(store.path_lock(&key(&number.to_string()))));
        assert!(lock(&store.path_locks).len() <= LOCK_TABLE_SWEEP);
        assert!(Arc::ptr_eq(&held, &store.path_lock(&key("held"))));
    }
}
