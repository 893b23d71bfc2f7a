//! What a process that died leaves to the next one: a file for each object that is being uploaded.
//!
//! A checkpoint is an accelerator, and with hashing off the proof of what was sent. It is never needed: whatever is wrong
//! with it or its folder is a warning, and the upload goes on as if there had been none. What it says is believed for the
//! same object only, and what it says of bytes only while the source's identity is the one it was taken with.
//!
//! In the folder there are, under a name made of the object's, `.checkpoint`, while it is written `.new`, and while
//! somebody uses it `.lock`. After a success there is nothing.
//!
//! # What a crash leaves
//!
//! Only who has the lock writes. A save makes these calls in this order:
//!
//! | call | when the process dies after it, there is |
//! |---|---|
//! | `unlink` what an earlier death left of `.new` | the checkpoint from before |
//! | `open` a new `.new`, mode 0600 | the same, and an empty `.new` |
//! | `write` it | the same, and a part or all of `.new` |
//! | `fsync` it | the same, and all of `.new` |
//! | `rename` it to `.checkpoint` | the new checkpoint; after a power failure it or the one from before |
//! | `fsync` the folder | the new checkpoint, whatever happens |
//!
//! Each time `.lock` is left as well, which hinders nobody. Who comes next uses `.checkpoint`, and the next save or success
//! removes the rest. The folder itself is not made durable, nor is the removal after a success: without its folder a checkpoint is
//! as good as none, and one that comes back is of an upload that the service has no more.

mod format;
mod lock;

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::protocol::digest::Hasher;
use crate::upload::task::Memory;

use super::source::Identity;
use super::sys;

pub use format::{Contents, Destination, Flaw, MAX_SIZE, decode, encode};
use lock::Lock;

/// The checkpoint of one upload while that runs. Dropping it lets others have it.
#[derive(Debug)]
pub struct Checkpoint {
    destination: Destination,
    /// `None` where there is none to be had, and when it is done with.
    place: Option<Place>,
    /// The file as it was when this was done with.
    left: Option<Version>,
    warnings: Vec<String>,
}

/// Tells one state of a checkpoint's file from another: each save makes another file, which is never written to again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Identity);

/// The files of a checkpoint, and the right to change them.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    file: PathBuf,
    new: PathBuf,
    lock: Lock,
}

/// Somebody else uses the checkpoint: another process, or another upload of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    /// The checkpoint's file.
    pub file: PathBuf,
}

impl Checkpoint {
    /// Takes the checkpoint of an object in a folder, which is made where it is missing. Where that can't be done this
    /// one keeps nothing, and says so.
    ///
    /// # Errors
    /// Somebody else uses it.
    pub fn open(folder: &Path, destination: Destination) -> Result<Self, InUse> {
        let mut checkpoint = Self {
            destination,
            place: None,
            left: None,
            warnings: Vec::new(),
        };
        let path = |extension: &str| folder.join(checkpoint.destination.file_name(extension));
        let (file, new, lock) = (path("checkpoint"), path("new"), path("lock"));
        match sys::create_private_folder(folder).and_then(|()| Lock::take(&lock)) {
            Ok(Some(lock)) => {
                let folder = folder.to_owned();
                checkpoint.place = Some(Place {
                    folder,
                    file,
                    new,
                    lock,
                });
                Ok(checkpoint)
            }
            Ok(None) => Err(InUse { file }),
            Err(error) => {
                checkpoint.warn(format!(
                    "there is none, because {folder:?} can't be used: {error}"
                ));
                Ok(checkpoint)
            }
        }
    }

    /// Whether it keeps anything.
    pub fn is_usable(&self) -> bool {
        self.place.is_some()
    }

    /// What an earlier life left for an upload of this source; nothing where it left nothing that can be used.
    pub fn load(&mut self, source: Option<&Identity>) -> Option<Memory> {
        let place = self.place.as_ref()?;
        match place.read(&self.destination) {
            Ok(None) => None,
            Ok(Some(contents)) if source.is_some() && contents.source.as_ref() == source => {
                Some(contents.memory)
            }
            Ok(Some(contents)) => Some(contents.memory.for_other_content()),
            Err(why) => {
                let text = format!("{:?} is ignored: {why}", place.file);
                self.warn(text);
                None
            }
        }
    }

    /// What is there now; `None` where there is nothing.
    pub fn version(&self) -> Option<Version> {
        self.place.as_ref()?.version()
    }

    /// What was there when it was done with. Whoever finds the same later knows that nobody wrote meanwhile.
    pub fn left(&self) -> Option<&Version> {
        self.left.as_ref()
    }

    /// Keeps this durably, in place of what was kept before. Without an identity nothing is kept of the source's bytes.
    pub fn save(&mut self, memory: &Memory, source: Option<Identity>) {
        let Some(place) = &self.place else {
            return;
        };
        let memory = match source {
            Some(_) => memory.clone(),
            None => memory.for_other_content(),
        };
        let destination = self.destination.clone();
        let contents = Contents {
            destination,
            source,
            memory,
        };
        if let Err(error) = place.write(&encode(&contents)) {
            let text = format!("writing {:?} failed: {error}", place.file);
            self.warn(text);
        }
    }

    /// Removes it and all that belongs to it: the object is complete. Nothing is kept from then on.
    pub fn forget(&mut self) {
        let Some(place) = self.place.take() else {
            return;
        };
        for file in [&place.file, &place.new] {
            if let Err(error) = remove(file) {
                self.warn(format!("removing {file:?} failed: {error}"));
            }
        }
    }

    /// Lets others have it. Nothing is kept from then on.
    pub fn close(&mut self) {
        if let Some(place) = self.place.take() {
            self.left = place.version();
        }
    }

    /// What went wrong with it, in one line.
    pub fn warning(&self) -> Option<String> {
        (!self.warnings.is_empty()).then(|| format!("checkpoint: {}", self.warnings.join("; ")))
    }

    fn warn(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}

impl Place {
    fn version(&self) -> Option<Version> {
        let metadata = fs::symlink_metadata(&self.file).ok()?;
        Some(Version(sys::identity(&metadata)))
    }

    /// What the file says; `None` where there is no file.
    fn read(&self, destination: &Destination) -> Result<Option<Contents>, String> {
        let file = match sys::open_as_named(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let metadata = file.metadata().map_err(|error| error.to_string())?;
        if !metadata.is_file() {
            return Err("it is not a file".into());
        }
        if !sys::is_own(&metadata) {
            return Err("others can write to it".into());
        }
        if metadata.len() > MAX_SIZE {
            return Err(format!("it has more than {MAX_SIZE} bytes"));
        }
        let mut bytes = Vec::new();
        let read = file.take(MAX_SIZE).read_to_end(&mut bytes);
        read.map_err(|error| error.to_string())?;
        let contents = decode(&bytes).map_err(|flaw| flaw.to_string())?;
        if contents.destination != *destination {
            return Err("it is of another object".into());
        }
        Ok(Some(contents))
    }

    /// See the table at the head of this file.
    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        remove(&self.new)?;
        let put = || {
            let mut file = sys::create_private(&self.new)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            self.make_room()?;
            fs::rename(&self.new, &self.file)
        };
        if let Err(error) = put() {
            // A full disk should at least not stay full because of this.
            let _ = remove(&self.new);
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()
    }

    /// A folder is the one thing that a file is not renamed over. One with something in it stays where it is.
    fn make_room(&self) -> io::Result<()> {
        match fs::symlink_metadata(&self.file) {
            Ok(metadata) if metadata.is_dir() => fs::remove_dir(&self.file),
            _ => Ok(()),
        }
    }
}

impl Drop for Place {
    /// A lock file by itself is litter; beside a checkpoint it will be wanted again.
    fn drop(&mut self) {
        if !fs::exists(&self.file).unwrap_or(true) {
            let _ = self.lock.remove();
        }
    }
}

/// Removes what is at a path, if there is anything.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Unlike a file, a folder is removed by another call.
        Err(_) if fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir()) => fs::remove_dir(path),
        result => result,
    }
}

impl Destination {
    /// Different for different objects; that it holds no more than letters and digits makes it a name everywhere.
    fn file_name(&self, extension: &str) -> String {
        let mut hasher = Hasher::new(1 << 20);
        // None of these has a line end in it.
        for part in [&self.endpoint, &self.app_id, &self.bucket, &self.path] {
            hasher.update(part.as_bytes());
            hasher.update(b"\n");
        }
        format!("{}.{extension}", hasher.finish().whole())
    }
}

#[cfg(test)]
mod tests;
