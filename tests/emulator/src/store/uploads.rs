//! Unfinished uploads: one folder each, one file per slice.
//!
//! A slice gets its name by a rename when all its bytes are there, so a listing of the folder is the list of
//! received slices, and a slice sent twice is never a mixture.

use super::layout::UploadLayout;
use super::{Staged, Store, read_json};
use crate::api::Api;
use crate::sha1_state::RunningSha1;
use crate::target::ObjectKey;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;

const COPY_BUFFER: usize = 256 * 1024;

/// The description of an unfinished upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) bucket: String,
    pub(crate) path: String,
    /// The API that began it, and alone goes on with it.
    #[serde(default)]
    pub(crate) api: Api,
    pub(crate) session: String,
    /// Unix seconds when the session was given out.
    pub(crate) session_since: u64,
    pub(crate) filesize: u64,
    pub(crate) slice_size: u64,
    /// 40 lower-case hex digits, if init had it.
    pub(crate) sha: Option<String>,
    /// Bytes between two running states; 0 when init had no `uploadparts`.
    pub(crate) granularity: u64,
    pub(crate) biz_attr: String,
    pub(crate) insert_only: bool,
    /// Its content is digested and not kept.
    #[serde(default)]
    pub(crate) discards: bool,
}

impl Upload {
    pub(crate) fn key(&self) -> ObjectKey {
        ObjectKey {
            bucket: self.bucket.clone(),
            path: self.path.clone(),
        }
    }

    /// The length that the slice at `offset` must have; `None` when no slice begins there.
    pub(crate) fn slice_length(&self, offset: u64) -> Option<u64> {
        let begins = offset < self.filesize && offset % self.slice_size == 0;
        begins.then(|| self.slice_size.min(self.filesize - offset))
    }

    /// How many slices the file has.
    pub(crate) fn slice_count(&self) -> u64 {
        self.filesize.div_ceil(self.slice_size)
    }
}

/// The received slices of an upload: offset and length, ascending.
pub(crate) type Parts = Vec<(u64, u64)>;

/// What the assembled content turned out to be.
pub(crate) struct Assembled {
    pub(crate) content: Staged,
    pub(crate) sha: String,
    /// The end of the first stretch whose running state is not the one told at init.
    pub(crate) first_mismatch: Option<u64>,
}

impl Store {
    /// The unfinished upload of a path.
    pub(crate) fn upload(&self, key: &ObjectKey) -> io::Result<Option<Upload>> {
        read_json(&self.layout.upload(key).description())
    }

    /// Begins an upload; the path must have none. `running_states` are 40 hex digits each.
    pub(crate) fn create_upload(&self, upload: &Upload, running_states: &[String]) -> io::Result<()> {
        let folder = self.stage_directory()?;
        let inside = UploadLayout(folder.path().to_owned());
        fs::create_dir(inside.slices())?;
        fs::write(inside.running_states(), running_states.join("\n"))?;
        self.stage_json(upload)?.publish(&inside.description())?;
        folder.publish(&self.layout.upload(&upload.key()).0)
    }

    /// Replaces the description of an upload.
    pub(crate) fn update_upload(&self, upload: &Upload) -> io::Result<()> {
        self.stage_json(upload)?
            .publish(&self.layout.upload(&upload.key()).description())
    }

    /// Forgets an upload with all its slices.
    pub(crate) fn remove_upload(&self, key: &ObjectKey) -> io::Result<()> {
        self.discard_directory(&self.layout.upload(key).0)
    }

    /// Keeps one slice; when this returns, the slice outlives the process.
    pub(crate) fn put_slice(&self, upload: &Upload, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if upload.discards {
            return self.digest_slice(upload, offset, bytes);
        }
        self.stage_bytes(bytes)?
            .publish(&self.layout.upload(&upload.key()).slice(offset))
    }

    /// Whether the slice at `offset` was received.
    pub(crate) fn has_slice(&self, key: &ObjectKey, offset: u64) -> bool {
        self.layout.upload(key).slice(offset).is_file()
    }

    /// The bytes of a received slice.
    pub(crate) fn slice(&self, key: &ObjectKey, offset: u64) -> io::Result<Option<Vec<u8>>> {
        match fs::read(self.layout.upload(key).slice(offset)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The received slices.
    pub(crate) fn parts(&self, upload: &Upload) -> io::Result<Parts> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(self.layout.upload(&upload.key()).slices())? {
            let entry = entry?;
            if let Some(offset) = slice_offset(&entry) {
                parts.push((offset, entry.metadata()?.len()));
            }
        }
        parts.sort_unstable();
        Ok(parts)
    }

    /// The received slice with the highest offset.
    pub(crate) fn last_slice(&self, upload: &Upload) -> io::Result<Option<(u64, u64)>> {
        let inside = self.layout.upload(&upload.key());
        let mut last = None;
        for entry in fs::read_dir(inside.slices())? {
            last = last.max(slice_offset(&entry?));
        }
        last.map(|offset| Ok((offset, fs::metadata(inside.slice(offset))?.len())))
            .transpose()
    }

    /// The end of what was received, of an upload whose slices come one after another.
    pub(crate) fn contiguous_end(&self, upload: &Upload) -> io::Result<u64> {
        Ok(self
            .last_slice(upload)?
            .map_or(0, |(offset, length)| offset + length))
    }

    /// Takes away so many received slices, those with the highest offsets.
    pub(crate) fn forget_slices(&self, upload: &Upload, count: u64) -> io::Result<()> {
        let inside = self.layout.upload(&upload.key());
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let parts = self.parts(upload)?;
        let mut last = parts.iter().rev().take(count);
        last.try_for_each(|(offset, _)| fs::remove_file(inside.slice(*offset)))
    }

    /// All unfinished uploads.
    pub(crate) fn uploads(&self) -> io::Result<Vec<(Upload, Parts)>> {
        let mut uploads = Vec::new();
        let Ok(buckets) = fs::read_dir(self.layout.uploads()) else {
            return Ok(uploads);
        };
        for bucket in buckets {
            for folder in fs::read_dir(bucket?.path())? {
                let inside = UploadLayout(folder?.path());
                // An upload may finish while this loop looks at it.
                let Some(upload) = read_json::<Upload>(&inside.description())? else {
                    continue;
                };
                match self.parts(&upload) {
                    Ok(parts) => uploads.push((upload, parts)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        uploads.sort_by(|(one, _), (other, _)| (&one.bucket, &one.path).cmp(&(&other.bucket, &other.path)));
        Ok(uploads)
    }

    /// Writes all slices one after another into a new file, hashing on the way. The slices stay.
    pub(crate) fn assemble(&self, upload: &Upload) -> io::Result<Assembled> {
        if upload.discards {
            return self.digested(upload);
        }
        let inside = self.layout.upload(&upload.key());
        let states = RunningStates::open(&inside, upload)?;
        let parts = self.parts(upload)?;
        let mut digest = Digest::default();
        let content = self.stage_file(|target| {
            let mut buffer = vec![0; COPY_BUFFER];
            for (offset, _) in &parts {
                let mut slice = File::open(inside.slice(*offset))?;
                loop {
                    let count = slice.read(&mut buffer)?;
                    if count == 0 {
                        break;
                    }
                    target.write_all(&buffer[..count])?;
                    digest.update(&states, &buffer[..count])?;
                }
            }
            Ok(())
        })?;
        Ok(digest.assembled(content))
    }
}

/// The offset that the name of a slice's file tells.
fn slice_offset(entry: &fs::DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.parse().ok()
}

/// The running states told at init.
pub(super) struct RunningStates {
    granularity: u64,
    /// One in a line.
    file: File,
}

/// The digits of a running state.
const STATE_DIGITS: usize = 40;

impl RunningStates {
    pub(super) fn open(inside: &UploadLayout, upload: &Upload) -> io::Result<RunningStates> {
        Ok(RunningStates {
            granularity: upload.granularity,
            file: File::open(inside.running_states())?,
        })
    }

    /// How many bytes there are from `position` to where the next state was told, if any was.
    fn distance(&self, position: u64) -> u64 {
        match self.granularity {
            0 => u64::MAX,
            step => step - position % step,
        }
    }

    /// The state told for the first `position` bytes. A file that ends there has none: its last entry is the digest of
    /// the whole file.
    fn at(&self, position: u64) -> io::Result<Option<[u8; STATE_DIGITS]>> {
        let index = position / self.granularity - 1;
        let mut state = [0; STATE_DIGITS];
        let count = self.file.read_at(&mut state, index * (STATE_DIGITS as u64 + 1))?;
        Ok((count == STATE_DIGITS).then_some(state))
    }
}

/// The digest of a file from its start, and how it compares with the running states told at init.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Digest {
    hash: RunningSha1,
    /// The end of the first stretch whose running state is not the one told.
    first_mismatch: Option<u64>,
}

impl Digest {
    /// How many bytes it covers.
    pub(super) fn position(&self) -> u64 {
        self.hash.length()
    }

    /// Takes the bytes that follow.
    pub(super) fn update(&mut self, states: &RunningStates, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let distance = states.distance(self.position());
            let count = bytes.len().min(usize::try_from(distance).unwrap_or(usize::MAX));
            self.hash.update(&bytes[..count]);
            bytes = &bytes[count..];
            if count as u64 == distance && self.first_mismatch.is_none() {
                self.compare(states.at(self.position())?);
            }
        }
        Ok(())
    }

    fn compare(&mut self, told: Option<[u8; STATE_DIGITS]>) {
        let here = self.hash.state();
        let differs = told.is_some_and(|told| here.as_ref().map(String::as_bytes) != Some(&told[..]));
        self.first_mismatch = differs.then(|| self.position());
    }

    /// The digest of all of it, with the content to publish.
    pub(super) fn assembled(self, content: Staged) -> Assembled {
        Assembled {
            content,
            first_mismatch: self.first_mismatch,
            sha: self.hash.digest(),
        }
    }
}
