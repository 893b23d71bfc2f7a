//! Files to upload, in a folder that goes with the measurement.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

const PART: usize = 1 << 20;

/// How a file came to be. Where it is written in large pieces, the page cache has it in large pieces too, and `sendfile` hands
/// over more with less work: on some machines at three times the speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A page at a time, as programs do whose output goes through a small buffer.
    InPages,
    /// A mebibyte at a time, as programs do that copy.
    InMebibytes,
}

/// A folder with what was asked for. What is asked for twice is made once.
pub struct Files {
    folder: TempDir,
}

impl Files {
    /// A new folder in this one.
    ///
    /// # Errors
    /// What the system said.
    pub fn in_folder(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        Ok(Self {
            folder: tempfile::Builder::new().prefix("files-").tempdir_in(parent)?,
        })
    }

    /// Where something else may be put.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of bytes without a pattern, which is on the disk and in the page cache.
    ///
    /// # Errors
    /// What the system said.
    pub fn full(&self, size: u64) -> io::Result<PathBuf> {
        self.written(size, Written::InMebibytes)
    }

    /// The same, written in one way or the other.
    ///
    /// # Errors
    /// What the system said.
    pub fn written(&self, size: u64, how: Written) -> io::Result<PathBuf> {
        let (name, piece) = match how {
            Written::InPages => ("in-pages", 4 << 10),
            Written::InMebibytes => ("full", PART),
        };
        let path = self.path(&format!("{name}-{size}"));
        if !path.exists() {
            write(&path, size, size, piece)?;
        }
        warm(&path)?;
        Ok(path)
    }

    /// A file without anything in it but holes, of which so much is in the page cache.
    ///
    /// # Errors
    /// What the system said.
    pub fn sparse(&self, size: u64, warm_bytes: u64) -> io::Result<PathBuf> {
        let path = self.path(&format!("sparse-{size}"));
        File::create(&path)?.set_len(size)?;
        let mut start = File::open(&path)?.take(warm_bytes);
        io::copy(&mut start, &mut io::sink())?;
        Ok(path)
    }

    /// A folder with so many files, all different.
    ///
    /// # Errors
    /// What the system said.
    pub fn many(&self, count: u64, size: u64) -> io::Result<PathBuf> {
        let folder = self.path(&format!("{count}-of-{size}"));
        if !folder.exists() {
            fs::create_dir(&folder)?;
            for index in 0..count {
                write(&folder.join(index.to_string()), size, index, PART)?;
            }
        }
        for entry in fs::read_dir(&folder)? {
            warm(&entry?.path())?;
        }
        Ok(folder)
    }
}

/// Writes bytes that follow from the seed, and waits until they are on the disk: writing them later would disturb.
fn write(path: &Path, size: u64, seed: u64, piece: usize) -> io::Result<()> {
    let mut file = File::create(path)?;
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut left = size;
    let mut part = vec![0; PART];
    while left > 0 {
        for word in part.chunks_exact_mut(8) {
            // Xorshift: no pattern that a file system would find.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes());
        }
        let count = part.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        for piece in part[..count].chunks(piece) {
            file.write_all(piece)?;
        }
        left -= count as u64;
    }
    file.sync_data()
}

/// Reads it, so that it is in the page cache.
fn warm(path: &Path) -> io::Result<()> {
    io::copy(&mut File::open(path)?, &mut io::sink()).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_the_size_that_was_asked_for_and_differ() {
        let parent = tempfile::tempdir().unwrap();
        let files = Files::in_folder(parent.path()).unwrap();
        let full = fs::read(files.full(3_000_001).unwrap()).unwrap();
        assert_eq!(full.len(), 3_000_001);
        assert_ne!(full[..PART], full[PART..2 * PART]);
        assert_eq!(
            fs::metadata(files.sparse(1 << 40, 10).unwrap()).unwrap().len(),
            1 << 40
        );
        let folder = files.many(3, 1000).unwrap();
        let all: Vec<Vec<u8>> = (0..3)
            .map(|index| fs::read(folder.join(index.to_string())).unwrap())
            .collect();
        assert!(all[0] != all[1] && all[1] != all[2] && all[0] != all[2]);
    }
}
