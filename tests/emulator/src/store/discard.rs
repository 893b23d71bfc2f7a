//! Uploads whose content is counted and digested, but not kept: for files larger than the disk.
//!
//! The digest runs over the file from its start, and slices may come in any order. So a slice that comes early is kept
//! whole until the digest has reached it. Of one that was digested only a file of its length stays, which takes no room.
//! The digest is written down before that, so a kill in between leaves a slice that is digested and not listed; when it
//! comes again, it is only noted.

use super::layout::UploadLayout;
use super::uploads::{Assembled, Digest, RunningStates, Upload};
use super::{Store, lock, read_json};
use std::fs;
use std::io;

impl Store {
    /// Takes one slice.
    pub(super) fn digest_slice(&self, upload: &Upload, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let inside = self.layout.upload(&upload.key());
        let _one_at_a_time = lock(&self.digesting);
        let mut digest = saved_digest(&inside)?;
        let Some(known) = digest.position().checked_sub(offset) else {
            return self.stage_bytes(bytes)?.publish(&inside.slice(offset));
        };
        let known = usize::try_from(known).unwrap_or(usize::MAX);
        if let Some(new) = bytes.get(known..).filter(|new| !new.is_empty()) {
            digest.update(&RunningStates::open(&inside, upload)?, new)?;
            self.stage_json(&digest)?.publish(&inside.digest())?;
        }
        self.note_slice(&inside, offset, bytes.len() as u64)?;
        self.digest_early_slices(&inside, upload, &mut digest)
    }

    /// Goes on with the slices that came early, as far as there is no gap.
    fn digest_early_slices(
        &self,
        inside: &UploadLayout,
        upload: &Upload,
        digest: &mut Digest,
    ) -> io::Result<()> {
        loop {
            let offset = digest.position();
            let bytes = match fs::read(inside.slice(offset)) {
                Ok(bytes) if !bytes.is_empty() => bytes,
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(error),
            };
            digest.update(&RunningStates::open(inside, upload)?, &bytes)?;
            self.stage_json(digest)?.publish(&inside.digest())?;
            self.note_slice(inside, offset, bytes.len() as u64)?;
        }
    }

    /// Puts a file without content in the place of a slice.
    fn note_slice(&self, inside: &UploadLayout, offset: u64, length: u64) -> io::Result<()> {
        self.stage_file(|file| file.set_len(length))?
            .publish(&inside.slice(offset))
    }

    /// What the whole file was.
    pub(super) fn digested(&self, upload: &Upload) -> io::Result<Assembled> {
        let inside = self.layout.upload(&upload.key());
        let _one_at_a_time = lock(&self.digesting);
        let mut digest = saved_digest(&inside)?;
        // A kill may have come before the last of them.
        self.digest_early_slices(&inside, upload, &mut digest)?;
        if digest.position() != upload.filesize {
            let what = format!("digested {} of {} bytes", digest.position(), upload.filesize);
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(digest.assembled(self.stage_bytes(b"")?))
    }
}

fn saved_digest(inside: &UploadLayout) -> io::Result<Digest> {
    Ok(read_json(&inside.digest())?.unwrap_or_default())
}
