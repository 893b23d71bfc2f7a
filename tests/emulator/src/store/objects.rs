//! Complete objects and directories.

use super::{Staged, Store, absent_is_fine, lock, read_json};
use crate::codes::{self, Refusal};
use crate::sha1_state::RunningSha1;
use crate::target::ObjectKey;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const READ_BUFFER: usize = 256 * 1024;

/// What is known of an object beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attributes {
    pub(crate) bucket: String,
    pub(crate) path: String,
    /// A directory made on purpose; one that only exists because objects lie in it has no attributes.
    pub(crate) is_directory: bool,
    pub(crate) filesize: u64,
    /// 40 hex digits, empty for a directory.
    pub(crate) sha: String,
    pub(crate) slice_size: u64,
    pub(crate) biz_attr: String,
    /// Unix seconds.
    pub(crate) ctime: u64,
    /// Unix seconds.
    pub(crate) mtime: u64,
    /// The session of the upload that made it, for a repeated finish.
    pub(crate) session: Option<String>,
    /// Its content was digested and not kept: the plain file is empty.
    #[serde(default)]
    pub(crate) discarded: bool,
    /// Modification time of the plain file in nanoseconds: tells when somebody changed the file by hand.
    pub(crate) file_mtime_ns: i128,
}

impl Attributes {
    /// An empty object made now; the rest is filled in with the update syntax.
    pub(crate) fn made_now(key: &ObjectKey, now: u64) -> Attributes {
        Attributes {
            bucket: key.bucket.clone(),
            path: key.path.clone(),
            is_directory: false,
            filesize: 0,
            sha: String::new(),
            slice_size: 0,
            biz_attr: String::new(),
            ctime: now,
            mtime: now,
            session: None,
            discarded: false,
            file_mtime_ns: 0,
        }
    }

    fn key(&self) -> ObjectKey {
        ObjectKey {
            bucket: self.bucket.clone(),
            path: self.path.clone(),
        }
    }

    fn describes(&self, metadata: &fs::Metadata) -> bool {
        let kept = if self.discarded { 0 } else { self.filesize };
        !self.is_directory && kept == metadata.len() && self.file_mtime_ns == mtime_ns(metadata)
    }
}

pub(super) fn mtime_ns(metadata: &fs::Metadata) -> i128 {
    i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec())
}

fn unix_seconds(seconds: i64) -> u64 {
    u64::try_from(seconds).unwrap_or(0)
}

/// The metadata of what lies at a path, `None` when nothing does.
fn metadata(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Store {
    /// The complete object at a path. A file that was put or changed by hand is taken as it is, and hashed.
    pub(crate) fn object(&self, key: &ObjectKey) -> io::Result<Option<Attributes>> {
        let path = self.layout.object(key);
        let Some(found) = metadata(&path)?.filter(fs::Metadata::is_file) else {
            return Ok(None);
        };
        let recorded: Option<Attributes> = read_json(&self.layout.attributes(key))?;
        if let Some(recorded) = recorded.as_ref().filter(|recorded| recorded.describes(&found)) {
            return Ok(Some(recorded.clone()));
        }
        let attributes = Attributes {
            filesize: found.len(),
            sha: hash_file(&path)?,
            slice_size: recorded.map_or(0, |recorded| recorded.slice_size),
            mtime: unix_seconds(found.mtime()),
            file_mtime_ns: mtime_ns(&found),
            ..Attributes::made_now(key, unix_seconds(found.ctime()))
        };
        self.stage_json(&attributes)?
            .publish(&self.layout.attributes(key))?;
        Ok(Some(attributes))
    }

    /// Whether the object of this plain file was made without keeping its content.
    pub(crate) fn is_discarded(&self, key: &ObjectKey, file: &fs::Metadata) -> io::Result<bool> {
        let recorded: Option<Attributes> = read_json(&self.layout.attributes(key))?;
        Ok(recorded.is_some_and(|recorded| recorded.discarded && recorded.describes(file)))
    }

    /// The opened file of an object of the bucket with this content, if any; `sha` in lower case.
    pub(crate) fn find_content(&self, bucket: &str, sha: &str, filesize: u64) -> io::Result<Option<File>> {
        let entries = match fs::read_dir(self.layout.bucket_attributes(bucket)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let attributes = read_json::<Attributes>(&entry?.path())?;
            let same =
                |found: &Attributes| found.sha == sha && found.filesize == filesize && !found.discarded;
            let Some(attributes) = attributes.filter(same) else {
                continue;
            };
            // Other requests may replace or remove that object; what was opened stays what was looked at.
            if let Ok(file) = File::open(self.layout.object(&attributes.key())) {
                if attributes.describes(&file.metadata()?) {
                    return Ok(Some(file));
                }
            }
        }
        Ok(None)
    }

    /// Refuses a path where a file would have to be a directory, or the other way round.
    pub(crate) fn check_shape(&self, key: &ObjectKey) -> Result<(), Refusal> {
        let conflict = |what: String| Err(codes::PATH_CONFLICT.because(what));
        if metadata(&self.layout.object(key))?.is_some_and(|found| found.is_dir()) {
            return conflict(format!("{:?} is a directory", key.path));
        }
        let mut above = key.path.as_str();
        while let Some((parent, _)) = above.rsplit_once('/') {
            let parent_key = ObjectKey {
                bucket: key.bucket.clone(),
                path: parent.to_owned(),
            };
            if metadata(&self.layout.object(&parent_key))?.is_some_and(|found| found.is_file()) {
                return conflict(format!("{parent:?} is a file, so nothing can be below it"));
            }
            above = parent;
        }
        Ok(())
    }

    /// Whether the directory above a path exists; the bucket itself always does.
    pub(crate) fn parent_exists(&self, key: &ObjectKey) -> io::Result<bool> {
        let Some((parent, _)) = key.path.rsplit_once('/') else {
            return Ok(true);
        };
        let parent = ObjectKey {
            bucket: key.bucket.clone(),
            path: parent.to_owned(),
        };
        Ok(metadata(&self.layout.object(&parent))?.is_some_and(|found| found.is_dir()))
    }

    /// Makes `content` the object of its path, in the place of what was there.
    ///
    /// Order: the content and its description are put into one folder, which gets its name under `publishing`
    /// in one step; from there on the object is decided, and a start after a kill finishes the rest.
    pub(crate) fn publish_object(&self, content: Staged, mut attributes: Attributes) -> Result<(), Refusal> {
        let key = attributes.key();
        let _tree = lock(&self.tree);
        self.check_shape(&key)?;
        attributes.file_mtime_ns = mtime_ns(&fs::metadata(content.path())?);
        let folder = self.stage_directory()?;
        content.publish(&folder.path().join("content"))?;
        self.stage_json(&attributes)?
            .publish(&folder.path().join("attributes.json"))?;
        let publication = self.layout.publication(&key);
        if publication.is_dir() {
            // An earlier one that the disk's fault stopped half-way.
            self.finish_publication(&publication)?;
        }
        folder.publish(&publication)?;
        Ok(self.finish_publication(&publication)?)
    }

    /// Finishes what a killed process had decided.
    pub(super) fn finish_publications(&self) -> io::Result<()> {
        match fs::read_dir(self.layout.publishing()) {
            Ok(entries) => entries
                .into_iter()
                .try_for_each(|entry| self.finish_publication(&entry?.path())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Each step leaves a folder from which this function can go on.
    pub(super) fn finish_publication(&self, publication: &Path) -> io::Result<()> {
        let description = publication.join("attributes.json");
        if let Some(attributes) = read_json::<Attributes>(&description)? {
            let key = attributes.key();
            let object = self.layout.object(&key);
            if let Some(parent) = object.parent() {
                fs::create_dir_all(parent)?;
            }
            absent_is_fine(fs::rename(publication.join("content"), object))?;
            if self
                .upload(&key)?
                .is_some_and(|upload| Some(&upload.session) == attributes.session.as_ref())
            {
                self.remove_upload(&key)?;
            }
            self.stage_json(&attributes)?
                .publish(&self.layout.attributes(&key))?;
            fs::remove_file(description)?;
        }
        fs::remove_dir(publication)
    }

    /// Removes a complete object and the directories that only existed for it.
    pub(crate) fn remove_object(&self, key: &ObjectKey) -> io::Result<()> {
        let _tree = lock(&self.tree);
        fs::remove_file(self.layout.object(key))?;
        absent_is_fine(fs::remove_file(self.layout.attributes(key)))?;
        self.prune_above(key)
    }

    fn prune_above(&self, key: &ObjectKey) -> io::Result<()> {
        let mut above = key.path.as_str();
        while let Some((parent, _)) = above.rsplit_once('/') {
            let parent_key = ObjectKey {
                bucket: key.bucket.clone(),
                path: parent.to_owned(),
            };
            if self.directory(&parent_key)?.is_some_and(|made| made.is_directory) {
                break;
            }
            // Not empty is the usual reason why this fails, and the reason to stop.
            if fs::remove_dir(self.layout.object(&parent_key)).is_err() {
                break;
            }
            above = parent;
        }
        Ok(())
    }

    /// The attributes of a directory; a directory that was not made on purpose has default ones with
    /// `is_directory` false.
    pub(crate) fn directory(&self, key: &ObjectKey) -> io::Result<Option<Attributes>> {
        let Some(found) = metadata(&self.layout.object(key))?.filter(fs::Metadata::is_dir) else {
            return Ok(None);
        };
        if let Some(attributes) =
            read_json::<Attributes>(&self.layout.attributes(key))?.filter(|made| made.is_directory)
        {
            return Ok(Some(attributes));
        }
        Ok(Some(Attributes::made_now(key, unix_seconds(found.ctime()))))
    }

    /// Makes a directory.
    pub(crate) fn create_directory(
        &self,
        key: &ObjectKey,
        biz_attr: String,
        now: u64,
    ) -> Result<(), Refusal> {
        let _tree = lock(&self.tree);
        let path = self.layout.object(key);
        if metadata(&path)?.is_some_and(|found| found.is_file()) {
            return Err(codes::PATH_CONFLICT.because(format!("{:?} is a file", key.path)));
        }
        if self.directory(key)?.is_some_and(|made| made.is_directory) || key.path.is_empty() {
            return Err(codes::PATH_CONFLICT.because(format!("the directory {:?} exists", key.path)));
        }
        if !path.is_dir() {
            self.check_shape(key)?;
        }
        fs::create_dir_all(&path)?;
        let attributes = Attributes {
            is_directory: true,
            biz_attr,
            ..Attributes::made_now(key, now)
        };
        Ok(self
            .stage_json(&attributes)?
            .publish(&self.layout.attributes(key))?)
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&self, key: &ObjectKey) -> Result<(), Refusal> {
        let _tree = lock(&self.tree);
        let path = self.layout.object(key);
        if metadata(&path)?.filter(fs::Metadata::is_dir).is_none() || key.path.is_empty() {
            return Err(codes::FILE_NOT_EXIST.because(format!("no directory {:?}", key.path)));
        }
        fs::remove_dir(&path).map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty => {
                codes::DIRECTORY_NOT_EMPTY.because(format!("the directory {:?} is not empty", key.path))
            }
            _ => error.into(),
        })?;
        absent_is_fine(fs::remove_file(self.layout.attributes(key)))?;
        Ok(self.prune_above(key)?)
    }
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; READ_BUFFER];
    let mut hash = RunningSha1::default();
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.digest()),
            count => hash.update(&buffer[..count]),
        }
    }
}
