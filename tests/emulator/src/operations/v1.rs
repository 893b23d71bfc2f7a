//! `upload_slice` of `files/v1`: one `op` for two requests. Control, without file content, tells the offset to
//! begin at; data brings the slice at that offset. There is no list and no finish: the slice that completes the
//! file makes the object.

use super::start::file_exists;
use super::{Call, Data, Service, checks, object};
use crate::codes::{self, Refusal};
use crate::form::Form;
use crate::sha1_state::sha1_hex;
use crate::store::Upload;
use crate::switches::{Dedupe, V1OtherContent, V1RepeatedOffset, V1Resume, V1SliceSha, V1StaleSession};
use serde_json::json;

impl Service<'_> {
    pub(super) fn v1_control(&self, call: &Call) -> Result<Data, Refusal> {
        let form = &call.form;
        let filesize = self.init_filesize(form)?;
        let sha = whole_file_sha(form)?;
        let slice_size = self.slice_size(call)?;
        let insert_only = checks::insert_only(form)?;
        let biz_attr = checks::biz_attr(form)?;
        let key = &call.target.key;
        self.store.check_shape(key)?;
        self.check_parent(key)?;

        let existing = self.existing(call, Some(&sha), filesize, insert_only)?;
        if existing.is_same_content() {
            return Ok(self.addresses(call));
        }
        if let Some(unfinished) = self.v1_resumable(call, &sha, filesize)? {
            let upload = Upload {
                biz_attr,
                insert_only,
                ..unfinished
            };
            self.store.update_upload(&upload)?;
            return self.v1_state(call, &upload);
        }
        if self.switches.dedupe == Dedupe::Bucket
            && self.copy_within_bucket(call, Some(&sha), filesize, &biz_attr)?
        {
            return Ok(self.addresses(call));
        }
        self.make_room(call, &existing)?;
        let upload = Upload {
            filesize,
            slice_size,
            sha: Some(sha),
            biz_attr,
            insert_only,
            ..self.new_upload(call)
        };
        self.store.create_upload(&upload, &[])?;
        self.v1_state(call, &upload)
    }

    /// The unfinished upload that this control goes on with; `None` when it begins anew.
    fn v1_resumable(&self, call: &Call, sha: &str, filesize: u64) -> Result<Option<Upload>, Refusal> {
        let same = |upload: &Upload| upload.sha.as_deref() == Some(sha) && upload.filesize == filesize;
        let is_expired = |upload: &Upload| self.is_session_expired(upload, call.now);
        let unfinished = self.own_upload(call)?;
        if let Some(session) = call.form.text("session")? {
            let known = |upload: &Upload| upload.session == session && same(upload) && !is_expired(upload);
            return match (unfinished.filter(known), self.switches.v1_stale_session) {
                (Some(upload), _) => Ok(Some(upload)),
                (None, V1StaleSession::New) => Ok(None),
                (None, V1StaleSession::SessionInvalid) => {
                    Err(codes::SESSION_INVALID
                        .because("not the session of an unfinished upload of this file"))
                }
            };
        }
        let Some(upload) = unfinished else {
            return Ok(None);
        };
        match (
            same(&upload),
            self.switches.v1_resume,
            self.switches.v1_other_content,
        ) {
            (true, V1Resume::ByContent, _) if is_expired(&upload) => {
                self.rotate_session(upload, call.now).map(Some)
            }
            (true, V1Resume::ByContent, _) => Ok(Some(upload)),
            (true, V1Resume::BySession, _) | (false, _, V1OtherContent::New) => Ok(None),
            (false, _, V1OtherContent::OffsetReset) => {
                self.store.remove_upload(&upload.key())?;
                Err(codes::V1_OFFSET_RESET
                    .because("an upload of another file was here; it is gone, begin again"))
            }
        }
    }

    /// Where to go on. A file that is all there already becomes the object now: its last slice was kept, and then
    /// the emulator was killed.
    fn v1_state(&self, call: &Call, upload: &Upload) -> Result<Data, Refusal> {
        let offset = self.store.contiguous_end(upload)?;
        if offset == upload.filesize {
            return self.v1_complete(call, upload);
        }
        Ok(object([
            ("session", json!(upload.session)),
            ("offset", json!(offset)),
            ("slice_size", json!(upload.slice_size)),
        ]))
    }

    pub(super) fn v1_data(&self, call: &Call) -> Result<Data, Refusal> {
        let form = &call.form;
        let slice = checks::slice(form)?;
        let Some(upload) = self.own_upload(call)? else {
            return self.data_after_finish(call, slice.session);
        };
        self.check_session(&upload, slice.session, call.now)?;
        let length = slice.content.len() as u64;
        self.check_slice_length(&upload, length)?;
        let end = slice.offset.saturating_add(length);
        if length == 0 || end > upload.filesize {
            let (offset, size) = (slice.offset, upload.filesize);
            return Err(self.misplaced(format!("{length} bytes at {offset} of a file of {size}")));
        }
        self.check_slice_sha(form, slice.content)?;
        let md5 = self.checked_md5(form, slice.content)?;
        let mut data = object([("session", json!(slice.session)), ("offset", json!(slice.offset))]);
        data.extend(md5.map(|md5| ("datamd5".to_owned(), json!(md5))));
        if !self.is_next_slice(&upload, slice.offset, end)? {
            return Ok(data);
        }
        let completes = end == upload.filesize;
        if completes && upload.insert_only && self.complete_object(call)?.is_some() {
            return Err(file_exists(&call.target.key));
        }
        self.store.put_slice(&upload, slice.offset, slice.content)?;
        if completes {
            data.extend(self.v1_complete(call, &upload)?);
        }
        Ok(data)
    }

    /// Whether the slice is the one to be written next; one that was received before is refused, or has no effect.
    fn is_next_slice(&self, upload: &Upload, offset: u64, end: u64) -> Result<bool, Refusal> {
        let last = self.store.last_slice(upload)?;
        let next = last.map_or(0, |(offset, length)| offset + length);
        if offset == next {
            return Ok(true);
        }
        if offset > next {
            return Err(codes::OFFSET.because(format!("offset is {offset}; the next one is {next}")));
        }
        match self.switches.v1_repeated_offset {
            V1RepeatedOffset::Accept if end <= next => Ok(false),
            V1RepeatedOffset::Repeated if last.is_some_and(|(last, _)| last == offset) => {
                Err(codes::OFFSET_REPEATED.because(format!("the slice at {offset} was received before")))
            }
            _ => Err(codes::OFFSET_WENT_BACK
                .because(format!("offset went back to {offset}; the next one is {next}"))),
        }
    }

    /// The sha of this slice, which the documentation calls not enabled.
    fn check_slice_sha(&self, form: &Form, content: &[u8]) -> Result<(), Refusal> {
        if self.switches.v1_slice_sha == V1SliceSha::Ignored {
            return Ok(());
        }
        match checks::sha(form)? {
            Some(sha) if sha != sha1_hex(content) => {
                Err(codes::SLICE_SHA_MISMATCH.because("sha is not the SHA-1 of this slice"))
            }
            _ => Ok(()),
        }
    }

    /// Makes the object. Content that is not what control told cannot become right by any further slice, so such
    /// an upload goes.
    fn v1_complete(&self, call: &Call, upload: &Upload) -> Result<Data, Refusal> {
        let made = self.make_object(call, upload, upload.sha.as_deref());
        if made
            .as_ref()
            .is_err_and(|refusal| refusal.code == codes::SHA_MISMATCH)
        {
            self.store.remove_upload(&upload.key())?;
        }
        made
    }
}

/// The field `sha` of a control, which this API demands.
fn whole_file_sha(form: &Form) -> Result<String, Refusal> {
    match checks::sha(form) {
        Ok(Some(sha)) => Ok(sha),
        Ok(None) => Err(codes::SHA_ABSENT.because("the field \"sha\" is missing")),
        Err(refusal) if refusal.code == codes::SHA_MALFORMED => {
            Err(codes::V1_CHECK_TYPE.because(refusal.detail))
        }
        Err(refusal) => Err(refusal),
    }
}
