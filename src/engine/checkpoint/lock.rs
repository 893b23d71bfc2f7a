//! One user of a checkpoint at a time.

use std::fs::{self, File, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::engine::sys;

/// How often a lock file may be gone by the time that it is locked. Each time another user was done in between.
const TRIES: u32 = 100;

/// The lock of a checkpoint. It is a file of its own, since each save puts another file in the checkpoint's place.
///
/// The system ends the lock with the process, however that ends; the file may then be left over, and hinders nobody. A
/// child that was forked and runs no other program keeps the lock of a parent that is killed, until it ends itself.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock; `None` where another has it, in this process or another. Never waits.
    ///
    /// # Errors
    /// The file can't be opened or locked, or the file system gives one file another identity each time.
    pub(super) fn take(path: &Path) -> io::Result<Option<Self>> {
        Self::take_where(path, sys::is_same_file)
    }

    fn take_where(path: &Path, is_same: fn(&Metadata, &Metadata) -> bool) -> io::Result<Option<Self>> {
        for _ in 0..TRIES {
            let file = sys::open_lock(path)?;
            if !sys::try_lock(&file)? {
                return Ok(None);
            }
            // Whoever had it may have removed it between our opening and locking it; then it excludes nobody.
            match fs::symlink_metadata(path) {
                Ok(named) if is_same(&named, &file.metadata()?) => {
                    let path = path.to_owned();
                    return Ok(Some(Self { file, path }));
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Err(io::Error::other(format!(
            "the lock {path:?} was another file each of {TRIES} times; file systems without lasting inode numbers can't be used"
        )))
    }

    /// Removes the file, while it is locked: only so can't it be another's. Whoever opened it before looks again.
    pub(super) fn remove(&self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        sys::unlock(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn a_lock_is_had_once_also_within_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::take(&path).unwrap().unwrap();
        assert!(Lock::take(&path).unwrap().is_none());
        drop(first);
        let second = Lock::take(&path).unwrap().unwrap();
        second.remove().unwrap();
        assert!(!path.exists());
        // The removed file is still locked, and excludes nobody.
        assert!(Lock::take(&path).unwrap().is_some());
    }

    #[test]
    fn no_program_that_is_started_meanwhile_keeps_it() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(&folder.path().join("lock")).unwrap().unwrap();
        let flags = rustix::io::fcntl_getfd(&lock.file).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
        // As a child has it that was forked, and runs no other program.
        let forked = lock.file.try_clone().unwrap();
        drop(lock);
        assert!(Lock::take(&folder.path().join("lock")).unwrap().is_some());
        drop(forked);
    }

    #[test]
    fn removing_and_making_it_anew_never_lets_two_have_it() {
        const THREADS: u32 = 4;
        const TRIES: u32 = 3000;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let (inside, had) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..TRIES {
                        if let Some(lock) = Lock::take(&path).unwrap() {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                            had.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                            lock.remove().unwrap();
                        }
                    }
                });
            }
        });
        assert!(had.into_inner() > TRIES / 10);
    }

    #[test]
    fn what_can_not_be_a_lock_is_an_error_and_no_wait() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path().join("elsewhere"), &link).unwrap();
        assert!(Lock::take(&link).is_err());
        assert!(!folder.path().join("elsewhere").exists());
        assert!(Lock::take(folder.path()).is_err());
        assert!(Lock::take(&folder.path().join("absent/lock")).is_err());
    }

    #[test]
    fn a_file_system_on_which_no_file_is_the_same_twice_is_an_error_and_not_another_user() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let error = Lock::take_where(&path, |_, _| false).unwrap_err();
        assert!(error.to_string().contains("inode"), "{error}");
        assert!(Lock::take(&path).unwrap().is_some());
    }
}
