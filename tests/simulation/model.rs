//! A model of the service in values: what it would answer, and what it would have on its disk.
//!
//! It knows the protocol by itself; of the library it only uses the vocabulary of requests and answers.

use std::sync::Arc;

use cos_slice::protocol::Api;
use cos_slice::protocol::codes::{self, Class};
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::ranges::Ranges;
use cos_slice::protocol::{Answer, Links, ObjectStatus, Operation, Refusal, Session, Stored, Unfinished};
use sha1::{Digest, Sha1};

use crate::model_v1;

/// How this service differs from another of its kind.
#[derive(Clone, Debug)]
pub struct Manner {
    /// What it speaks.
    pub api: Api,
    /// How it speaks `files/v1`.
    pub v1: model_v1::Manner,
    /// Whether it wants the directories above an object, and how many there are at first.
    pub directories: Option<u32>,
    /// The slice size that it answers, whatever was asked.
    pub slice_size: u64,
    /// Whether it wants slices in order, and whether it says so.
    pub serial: Option<Serial>,
    /// Whether a slice sent twice is refused as a duplicate.
    pub refuses_duplicates: bool,
    /// Whether each list makes a new session.
    pub rotates_on_list: bool,
    /// Whether list and stat tell digests.
    pub tells_sha: bool,
    /// Whether a second finish, or a second completing slice, with the last session is answered as the first.
    pub repeats_finish: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Serial {
    Announced,
    Silent,
}

#[derive(Debug)]
pub struct Model {
    pub manner: Manner,
    pub object: Option<Vec<u8>>,
    /// What was there in its place before; a stat that lags tells that.
    earlier_object: Option<Vec<u8>>,
    pub upload: Option<Upload>,
    /// How many directories the object is to be in, and how many of these are there.
    pub depth: u32,
    directories: u32,
    sessions: u64,
    pub(crate) finished: Option<Arc<str>>,
}

#[derive(Debug)]
pub struct Upload {
    pub session: Arc<str>,
    pub size: u64,
    pub slice_size: u64,
    pub sha: Option<Sha1Digest>,
    /// Somebody else began it.
    pub is_of_others: bool,
    content: Vec<u8>,
    there: Ranges,
}

impl Upload {
    pub fn received(&self) -> u64 {
        self.there.covered()
    }

    /// How much is there without a gap.
    pub fn in_order(&self) -> u64 {
        let first = self.there.iter().next().filter(|first| first.start == 0);
        first.map_or(0, |first| first.end)
    }

    pub fn content_is_right(&self) -> bool {
        self.sha.is_none_or(|sha| sha == digest_of(&self.content))
    }

    pub fn forget_all(&mut self) {
        self.there = Ranges::new();
    }

    pub fn store(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset + bytes.len() as u64;
        self.content[offset as usize..end as usize].copy_from_slice(bytes);
        self.there.insert(offset..end);
    }

    /// Loses the last bytes that are there, one slice or less.
    pub fn forget_part(&mut self) {
        let Some(last) = self.there.iter().last() else {
            return;
        };
        let kept = last.start.max(last.end.saturating_sub(self.slice_size));
        let ranges = self.there.iter().map(|range| (range.start, range.end.min(kept)));
        self.there = Ranges::from_unsorted(ranges.collect());
    }

    pub fn corrupt_part(&mut self) {
        if let Some(first) = self.there.iter().next() {
            let byte = &mut self.content[first.start as usize];
            *byte = byte.wrapping_add(1);
        }
    }
}

pub type Outcome = Result<Answer, Refusal>;

pub fn refusal(api: Api, http_status: u16, code: i64) -> Outcome {
    let class = codes::lookup(api, code).map_or(Class::Final, |row| row.class);
    Err(Refusal {
        http_status,
        code: Some(code),
        message: "ERROR_OF_THE_MODEL".into(),
        request_id: Some("bW9kZWw=".into()),
        class,
        retry_after: None,
        ambiguous: class == Class::Retry,
        clocks: None,
        api,
        has_fixed_signature: false,
    })
}

pub fn digest_of(content: &[u8]) -> Sha1Digest {
    Sha1Digest::from_bytes(Sha1::digest(content).into())
}

pub fn links() -> Links {
    Links {
        access_url: Some("http://model/object".into()),
        ..Links::default()
    }
}

impl Model {
    /// A service whose object is to be in so many directories.
    pub fn new(manner: Manner, depth: u32) -> Self {
        Self {
            directories: manner.directories.unwrap_or(depth).min(depth),
            manner,
            object: None,
            earlier_object: None,
            upload: None,
            depth,
            sessions: 0,
            finished: None,
        }
    }

    /// Executes an operation. `content` is the source as the request carries it.
    pub fn execute(&mut self, operation: &Operation, content: &[u8]) -> Outcome {
        let is_v1 = self.manner.api == Api::FilesV1;
        match operation {
            Operation::Init(_) | Operation::Upload(_) if self.directories < self.depth => {
                self.refuse(404, -197)
            }
            Operation::Init(init) if is_v1 => self.control(init),
            Operation::Slice(slice) if is_v1 => self.data(&slice.session, slice.offset, content),
            Operation::List | Operation::Finish(_) if is_v1 => self.refuse(400, -5999),
            Operation::Init(init) => {
                let sha = init.digests.as_ref().map(|digests| digests.whole());
                self.init(init.size, sha, init.overwrite)
            }
            Operation::List => self.list(),
            Operation::Slice(slice) => self.slice(&slice.session, slice.offset, content),
            Operation::Finish(finish) => self.finish(&finish.session, finish.size, finish.sha),
            Operation::Upload(upload) => self.upload(content, upload.overwrite),
            Operation::Stat => self.stat(self.object.as_deref()),
            Operation::Delete => {
                (self.object, self.earlier_object, self.upload) = (None, None, None);
                Ok(Answer::Deleted)
            }
            Operation::CreateDirectory(level) => self.create_directory(*level),
        }
    }

    pub fn refuse(&self, http_status: u16, code: i64) -> Outcome {
        refusal(self.manner.api, http_status, code)
    }

    /// What a stat answers that does not know of the last change yet.
    pub fn lagging_stat(&self) -> Outcome {
        self.stat(self.earlier_object.as_deref())
    }

    fn create_directory(&mut self, level: u32) -> Outcome {
        if level > self.directories + 1 {
            return self.refuse(404, -197);
        }
        self.directories = self.directories.max(level);
        Ok(Answer::Created)
    }

    /// There is an object since long ago.
    pub fn hold(&mut self, content: Option<Vec<u8>>) {
        (self.object, self.earlier_object) = (content.clone(), content);
    }

    pub fn replace_object(&mut self, content: Vec<u8>) {
        self.earlier_object = self.object.replace(content);
    }

    /// Forgets the unfinished upload, and has another client begin one and send its first slices.
    pub fn replace_upload(&mut self, init: &Operation, content: &[u8], slices: u64) {
        if content.is_empty() {
            return;
        }
        self.upload = None;
        let directories = std::mem::replace(&mut self.directories, self.depth);
        let _ = self.execute(init, content);
        self.directories = directories;
        let Some(upload) = &mut self.upload else { return };
        upload.is_of_others = true;
        let stored = content.len().min((slices * upload.slice_size) as usize);
        upload.store(0, &content[..stored]);
    }

    /// Gives the unfinished upload another session.
    pub fn rotate_session(&mut self) {
        let session = self.new_session();
        if let Some(upload) = &mut self.upload {
            upload.session = session;
        }
    }

    pub fn change_slice_size(&mut self, slice_size: u64) {
        self.manner.slice_size = slice_size;
        if let Some(upload) = &mut self.upload {
            upload.slice_size = slice_size;
        }
    }

    pub fn new_session(&mut self) -> Arc<str> {
        self.sessions += 1;
        format!("session-{}", self.sessions).into()
    }

    fn init(&mut self, size: u64, sha: Option<Sha1Digest>, overwrite: bool) -> Outcome {
        if let Some(upload) = &self.upload {
            let differs = upload.sha.zip(sha).is_some_and(|(theirs, ours)| theirs != ours);
            return self.refuse(409, if differs { -4020 } else { -4019 });
        }
        if let Some(object) = &self.object {
            if sha == Some(digest_of(object)) {
                return Ok(Answer::Complete(links()));
            }
            if !overwrite {
                return self.refuse(409, -177);
            }
        }
        let (session, slice_size) = self.begin_upload(size, sha);
        let serial = (self.manner.serial == Some(Serial::Announced)).then_some(true);
        Ok(Answer::Session(Session {
            session,
            slice_size,
            serial,
            offset: 0,
        }))
    }

    /// Begins an upload; its session and slice size.
    pub fn begin_upload(&mut self, size: u64, sha: Option<Sha1Digest>) -> (Arc<str>, u64) {
        let (session, slice_size) = (self.new_session(), self.manner.slice_size);
        self.upload = Some(Upload {
            session: session.clone(),
            size,
            slice_size,
            sha,
            is_of_others: false,
            content: vec![0; size as usize],
            there: Ranges::new(),
        });
        (session, slice_size)
    }

    fn list(&mut self) -> Outcome {
        if self.upload.is_none() {
            return Ok(self
                .object
                .as_ref()
                .map_or(Answer::Absent, |_| Answer::Complete(links())));
        }
        let session = self.new_session();
        let Some(upload) = &mut self.upload else {
            return Ok(Answer::Absent);
        };
        if self.manner.rotates_on_list {
            upload.session = session;
        }
        Ok(Answer::Unfinished(Unfinished {
            session: upload.session.clone(),
            size: upload.size,
            slice_size: upload.slice_size,
            sha: upload.sha.filter(|_| self.manner.tells_sha),
            serial: None,
            parts: upload.there.clone(),
        }))
    }

    fn slice(&mut self, session: &str, offset: u64, content: &[u8]) -> Outcome {
        let serial = self.manner.serial.is_some();
        let Some(upload) = self.upload.as_mut().filter(|upload| &*upload.session == session) else {
            return self.refuse(400, -290);
        };
        let length = content.len() as u64;
        let expected = upload.slice_size.min(upload.size.saturating_sub(offset));
        if offset % upload.slice_size != 0 || offset >= upload.size || length != expected {
            return self.refuse(400, -4005);
        }
        if serial && offset > upload.in_order() {
            return self.refuse(400, -4005);
        }
        if self.manner.refuses_duplicates && upload.there.contains(offset..offset + length) {
            return self.refuse(400, -4015);
        }
        upload.store(offset, content);
        Ok(Answer::Stored(Stored {
            offset: Some(offset),
            length: Some(length),
        }))
    }

    fn finish(&mut self, session: &str, size: u64, sha: Option<Sha1Digest>) -> Outcome {
        if self.finished.as_deref() == Some(session) && self.manner.repeats_finish {
            return Ok(Answer::Complete(links()));
        }
        let Some(upload) = self.upload.as_ref().filter(|upload| &*upload.session == session) else {
            return self.refuse(400, -290);
        };
        if size != upload.size {
            return self.refuse(400, -175);
        }
        if upload.sha.is_some() && sha != upload.sha {
            return self.refuse(400, -29094);
        }
        if upload.received() != upload.size {
            return self.refuse(409, -4019);
        }
        if !upload.content_is_right() {
            return self.refuse(409, -4016);
        }
        self.complete();
        Ok(Answer::Complete(links()))
    }

    /// Makes the object of the unfinished upload.
    pub fn complete(&mut self) {
        if let Some(upload) = self.upload.take() {
            self.replace_object(upload.content);
            self.finished = Some(upload.session);
        }
    }

    fn upload(&mut self, content: &[u8], overwrite: bool) -> Outcome {
        if self.object.is_some() && !overwrite {
            return self.refuse(409, -177);
        }
        self.replace_object(content.to_vec());
        Ok(Answer::Complete(links()))
    }

    fn stat(&self, object: Option<&[u8]>) -> Outcome {
        if let Some(object) = object {
            let size = object.len() as u64;
            let sha = self.manner.tells_sha.then(|| digest_of(object));
            return Ok(Answer::Status(ObjectStatus {
                size,
                received: Some(size),
                sha,
                links: links(),
            }));
        }
        let Some(upload) = &self.upload else {
            return Ok(Answer::Absent);
        };
        let (size, received) = (upload.size, Some(upload.received()));
        Ok(Answer::Status(ObjectStatus {
            size,
            received,
            sha: None,
            links: Links::default(),
        }))
    }
}
