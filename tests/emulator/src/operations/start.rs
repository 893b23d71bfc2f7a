//! `upload_slice_init` and `upload_slice_list`: how an upload begins and how it is found again.

use super::{Call, Data, Service, checks, object};
use crate::codes::{self, Refusal};
use crate::store::{Attributes, Parts, Upload};
use crate::switches::{Content, Dedupe, ListParts, OnOff, Overwrite, SameSha, SerialUpload};
use crate::target::ObjectKey;
use serde_json::{Value, json};

/// Bytes of a session: 96 hex digits on the wire, as in the printed examples.
const SESSION_BYTES: usize = 48;

/// A new session.
fn new_session() -> String {
    hex::encode(rand::random::<[u8; SESSION_BYTES]>())
}

/// What an init finds at its path before it may begin.
pub(super) enum Existing {
    Nothing,
    /// The very content that is to be uploaded.
    SameContent,
    /// Another object, which may be replaced.
    Replaceable,
}

impl Existing {
    pub(super) fn is_same_content(&self) -> bool {
        matches!(self, Existing::SameContent)
    }
}

impl Service<'_> {
    pub(super) fn init(&self, call: &Call) -> Result<Data, Refusal> {
        let form = &call.form;
        let filesize = self.init_filesize(form)?;
        let slice_size = self.slice_size(call)?;
        let sha = checks::sha(form)?;
        let running = self.running_states(form, filesize, slice_size, sha.as_deref())?;
        let insert_only = checks::insert_only(form)?;
        let biz_attr = checks::biz_attr(form)?;
        let key = &call.target.key;
        self.store.check_shape(key)?;
        self.check_parent(key)?;

        let existing = self.existing(call, sha.as_deref(), filesize, insert_only)?;
        if existing.is_same_content() {
            return Ok(self.addresses(call));
        }
        if let Some(unfinished) = self.own_upload(call)? {
            return Err(refuse_second_init(&unfinished, sha.as_deref()));
        }
        if self.switches.dedupe == Dedupe::Bucket
            && self.copy_within_bucket(call, sha.as_deref(), filesize, &biz_attr)?
        {
            return Ok(self.addresses(call));
        }
        self.make_room(call, &existing)?;
        let upload = Upload {
            filesize,
            slice_size,
            sha,
            granularity: running.granularity,
            biz_attr,
            insert_only,
            ..self.new_upload(call)
        };
        self.store.create_upload(&upload, &running.states)?;
        let mut data = object([
            ("session", json!(upload.session)),
            ("slice_size", json!(slice_size)),
        ]);
        self.add_serial_upload(&mut data);
        Ok(data)
    }

    /// Takes away what must not be there while an upload is under way.
    pub(super) fn make_room(&self, call: &Call, existing: &Existing) -> Result<(), Refusal> {
        let key = &call.target.key;
        if matches!(existing, Existing::Replaceable) && self.switches.overwrite == Overwrite::AtInit {
            self.store.remove_object(key)?;
        }
        // Of the other API, or one that this call begins anew.
        if self.store.upload(key)?.is_some() {
            self.store.remove_upload(key)?;
        }
        Ok(())
    }

    /// An upload with a new session; the rest is filled in with the update syntax.
    pub(super) fn new_upload(&self, call: &Call) -> Upload {
        let key = &call.target.key;
        Upload {
            bucket: key.bucket.clone(),
            path: key.path.clone(),
            api: call.api,
            session: new_session(),
            session_since: call.now,
            filesize: 0,
            slice_size: super::MEBIBYTE,
            sha: None,
            granularity: 0,
            biz_attr: String::new(),
            insert_only: true,
            discards: self.switches.content == Content::Discard,
        }
    }

    /// Decides about a complete object at the path.
    pub(super) fn existing(
        &self,
        call: &Call,
        sha: Option<&str>,
        filesize: u64,
        insert_only: bool,
    ) -> Result<Existing, Refusal> {
        let Some(object) = self.complete_object(call)? else {
            return Ok(Existing::Nothing);
        };
        let same =
            self.switches.dedupe != Dedupe::Off && sha == Some(&*object.sha) && filesize == object.filesize;
        match (same, insert_only) {
            (true, true) if self.switches.same_sha == SameSha::Conflict => Err(file_exists(&call.target.key)),
            (true, _) => Ok(Existing::SameContent),
            (false, true) => Err(file_exists(&call.target.key)),
            (false, false) => Ok(Existing::Replaceable),
        }
    }

    /// Makes the object from one of the bucket that has the same content; false when there is none.
    pub(super) fn copy_within_bucket(
        &self,
        call: &Call,
        sha: Option<&str>,
        filesize: u64,
        biz_attr: &str,
    ) -> Result<bool, Refusal> {
        let Some(sha) = sha else { return Ok(false) };
        let key = &call.target.key;
        let Some(mut source) = self.store.find_content(&key.bucket, sha, filesize)? else {
            return Ok(false);
        };
        let content = self
            .store
            .stage_file(|target| std::io::copy(&mut source, target).map(|_| ()))?;
        let attributes = Attributes {
            filesize,
            sha: sha.to_owned(),
            slice_size: super::MEBIBYTE,
            biz_attr: biz_attr.to_owned(),
            ..Attributes::made_now(key, call.now)
        };
        self.store.publish_object(content, attributes)?;
        Ok(true)
    }

    pub(super) fn add_serial_upload(&self, data: &mut Data) {
        let value = match self.switches.serial_upload {
            SerialUpload::Absent => return,
            SerialUpload::Zero => 0,
            SerialUpload::One => 1,
        };
        data.insert("serial_upload".to_owned(), json!(value));
    }

    pub(super) fn list(&self, call: &Call) -> Result<Data, Refusal> {
        let key = &call.target.key;
        let Some(mut upload) = self.own_upload(call)? else {
            return match self.complete_object(call)? {
                Some(_) => Ok(self.addresses(call)),
                None => Err(codes::FILE_NOT_EXIST.because(format!("nothing at {:?}", key.path))),
            };
        };
        if self.switches.rotate_on_list == OnOff::On || self.is_session_expired(&upload, call.now) {
            upload = self.rotate_session(upload, call.now)?;
        }
        let mut data = object([("filesize", json!(upload.filesize))]);
        if let Some(parts) = self.listparts(&self.store.parts(&upload)?) {
            data.insert("listparts".to_owned(), parts);
        }
        data.insert("session".to_owned(), json!(upload.session));
        if let Some(sha) = &upload.sha {
            data.insert("sha".to_owned(), json!(sha));
        }
        data.insert("slice_size".to_owned(), json!(upload.slice_size));
        Ok(data)
    }

    fn listparts(&self, parts: &Parts) -> Option<Value> {
        let entry = |&(offset, length): &(u64, u64)| {
            self.with_number_style(object([("offset", json!(offset)), ("datalen", json!(length))]))
        };
        let array = Value::Array(parts.iter().map(|part| Value::Object(entry(part))).collect());
        match self.switches.listparts {
            ListParts::Array => Some(array),
            ListParts::Text => Some(Value::String(array.to_string())),
            ListParts::Null => Some(Value::Null),
            ListParts::Missing => None,
        }
    }

    /// Whether the session has outlived its time.
    pub(super) fn is_session_expired(&self, upload: &Upload, now: u64) -> bool {
        self.switches
            .session_ttl
            .0
            .is_some_and(|seconds| now.saturating_sub(upload.session_since) >= seconds)
    }

    /// Gives the upload a new session; the old one becomes invalid.
    pub(crate) fn rotate_session(&self, upload: Upload, now: u64) -> Result<Upload, Refusal> {
        let rotated = Upload {
            session: new_session(),
            session_since: now,
            ..upload
        };
        self.store.update_upload(&rotated)?;
        Ok(rotated)
    }
}

pub(super) fn file_exists(key: &ObjectKey) -> Refusal {
    codes::FILE_EXISTS.because(format!("{:?} exists and insertOnly is 1", key.path))
}

/// The same sha, or none to compare, means that the unfinished upload may be taken up again.
fn refuse_second_init(unfinished: &Upload, sha: Option<&str>) -> Refusal {
    match (unfinished.sha.as_deref(), sha) {
        (Some(theirs), Some(ours)) if theirs != ours => {
            codes::UPLOAD_OTHER_SHA.because("an unfinished upload of another sha is at this path")
        }
        _ => codes::UPLOAD_UNFINISHED.because("an unfinished upload is at this path; list it and go on"),
    }
}
