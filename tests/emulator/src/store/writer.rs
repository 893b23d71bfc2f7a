//! The one way bytes get into the folder: written under a temporary name, then renamed to where they belong.
//! A file that is dropped before that is removed.

use super::Store;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// A file or folder under a temporary name.
pub(crate) struct Staged {
    path: PathBuf,
    published: bool,
}

impl Staged {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its real name, in one step; the folder above is created if need be.
    pub(super) fn publish(mut self, destination: &Path) -> io::Result<()> {
        if let Some(parent) = destination.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&self.path, destination)?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.published {
            return;
        }
        // What cannot be removed now goes at the next start.
        let _ = if self.path.is_dir() {
            fs::remove_dir_all(&self.path)
        } else {
            fs::remove_file(&self.path)
        };
    }
}

impl Store {
    fn temporary_path(&self) -> PathBuf {
        let number = self.temporary_names.fetch_add(1, Ordering::Relaxed);
        self.layout.temporary().join(number.to_string())
    }

    /// A new temporary file, filled by `fill`.
    pub(crate) fn stage_file(&self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Staged> {
        let staged = Staged {
            path: self.temporary_path(),
            published: false,
        };
        fill(&mut File::create_new(&staged.path)?)?;
        Ok(staged)
    }

    /// A new temporary file that holds `bytes`.
    pub(crate) fn stage_bytes(&self, bytes: &[u8]) -> io::Result<Staged> {
        self.stage_file(|file| file.write_all(bytes))
    }

    pub(super) fn stage_json<T: serde::Serialize>(&self, value: &T) -> io::Result<Staged> {
        self.stage_bytes(&serde_json::to_vec_pretty(value)?)
    }

    pub(super) fn stage_directory(&self) -> io::Result<Staged> {
        let staged = Staged {
            path: self.temporary_path(),
            published: false,
        };
        fs::create_dir(&staged.path)?;
        Ok(staged)
    }

    /// Takes a folder out of sight in one step, then removes it.
    pub(super) fn discard_directory(&self, directory: &Path) -> io::Result<()> {
        let staged = Staged {
            path: self.temporary_path(),
            published: false,
        };
        super::absent_is_fine(fs::rename(directory, staged.path()))
    }
}
