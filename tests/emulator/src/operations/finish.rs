//! `upload_slice_finish` and the one-shot `upload`: how an object comes into being.

use super::slice::check_whole_file_sha;
use super::start::file_exists;
use super::{Call, Data, MEBIBYTE, SINGLE_UPLOAD_LIMIT, Service, checks};
use crate::api::Api;
use crate::codes::{self, Refusal};
use crate::sha1_state::sha1_hex;
use crate::store::{Attributes, Upload};
use crate::switches::{Content, Dedupe, MissingSlices, OnOff, SameSha, Strictness, WrongFileSize};
use serde_json::json;

impl Service<'_> {
    /// Everything is checked and the object is built aside before anything is given up, so a refused or lost
    /// finish can be sent again.
    pub(super) fn finish(&self, call: &Call) -> Result<Data, Refusal> {
        let form = &call.form;
        let session = form
            .text("session")?
            .ok_or_else(|| codes::SESSION_INVALID.because("the field \"session\" is missing"))?;
        let key = &call.target.key;
        let Some(upload) = self.own_upload(call)? else {
            return self.finish_again(call, session);
        };
        self.check_session(&upload, session, call.now)?;
        self.check_finish_filesize(call, &upload)?;
        let sha = checks::sha(form)?;
        check_whole_file_sha(&upload, sha.as_deref(), false)?;
        self.check_all_received(&upload)?;
        if upload.insert_only && self.complete_object(call)?.is_some() {
            return Err(file_exists(key));
        }
        self.make_object(call, &upload, sha.as_deref().or(upload.sha.as_deref()))
    }

    /// Makes the object of an upload whose slices are all there; `sha` is what it must have.
    pub(super) fn make_object(
        &self,
        call: &Call,
        upload: &Upload,
        sha: Option<&str>,
    ) -> Result<Data, Refusal> {
        let assembled = self.store.assemble(upload)?;
        if self.switches.verify == OnOff::On {
            if let Some(end) = assembled.first_mismatch {
                return Err(codes::SHA_MISMATCH.because(format!(
                    "the running state of the first {end} bytes is not the datasha told at init"
                )));
            }
            if sha.is_some_and(|told| told != assembled.sha) {
                return Err(codes::SHA_MISMATCH.because("the content does not have the sha told"));
            }
        }
        let attributes = Attributes {
            filesize: upload.filesize,
            sha: assembled.sha,
            slice_size: upload.slice_size,
            biz_attr: upload.biz_attr.clone(),
            session: Some(upload.session.clone()),
            discarded: upload.discards,
            ..Attributes::made_now(&upload.key(), call.now)
        };
        // Also removes the slices, once the object is in its place.
        self.store.publish_object(assembled.content, attributes)?;
        Ok(self.addresses(call))
    }

    /// A finish whose answer was lost comes again.
    fn finish_again(&self, call: &Call, session: &str) -> Result<Data, Refusal> {
        let invalid = || codes::SESSION_INVALID.because("no upload is under way at this path");
        let object = self
            .complete_object(call)?
            .filter(|object| object.session.as_deref() == Some(session))
            .ok_or_else(invalid)?;
        match self.switches.finish_grace.0 {
            Some(seconds) if call.now.saturating_sub(object.mtime) <= seconds => Ok(self.addresses(call)),
            _ => Err(invalid()),
        }
    }

    fn check_finish_filesize(&self, call: &Call, upload: &Upload) -> Result<(), Refusal> {
        match call.form.number("filesize")? {
            None if self.switches.finish_filesize == Strictness::Lenient => Ok(()),
            None => Err(codes::BAD_PARAMETER.because("the field \"filesize\" is missing or empty")),
            Some(told) if told == upload.filesize => Ok(()),
            Some(told) => {
                let what = format!("filesize is {told}; init told {}", upload.filesize);
                Err(match self.switches.finish_wrong_filesize {
                    WrongFileSize::Differs => codes::FILE_SIZE_DIFFERS.because(what),
                    WrongFileSize::Unfinished => codes::UPLOAD_UNFINISHED.because(what),
                })
            }
        }
    }

    fn check_all_received(&self, upload: &Upload) -> Result<(), Refusal> {
        let received = self.store.parts(upload)?.len() as u64;
        if received == upload.slice_count() {
            return Ok(());
        }
        let what = format!(
            "{received} of {} slices are here; list the upload",
            upload.slice_count()
        );
        Err(match self.switches.finish_missing_slices {
            MissingSlices::Unfinished => codes::UPLOAD_UNFINISHED.because(what),
            MissingSlices::BadParameter => codes::BAD_PARAMETER.because(what),
        })
    }

    pub(super) fn upload(&self, call: &Call) -> Result<Data, Refusal> {
        let form = &call.form;
        let content = form
            .bytes("filecontent")
            .ok_or_else(|| codes::NO_FILECONTENT.because("the field \"filecontent\" is missing"))?;
        if content.len() > SINGLE_UPLOAD_LIMIT {
            let what = format!(
                "{} bytes in one request; the limit is {SINGLE_UPLOAD_LIMIT}, use slices",
                content.len()
            );
            return Err(codes::FILE_TOO_LARGE.because(what));
        }
        let told = checks::sha(form)?;
        let insert_only = checks::insert_only(form)?;
        let biz_attr = checks::biz_attr(form)?;
        let key = &call.target.key;
        self.store.check_shape(key)?;
        self.check_parent(key)?;
        let sha = sha1_hex(content);
        if told.is_some_and(|told| told != sha) {
            return Err(codes::SHA_MISMATCH.because("the content does not have the sha told"));
        }
        let existing = self.complete_object(call)?;
        if let Some(object) = existing.filter(|_| insert_only) {
            let same = self.switches.dedupe != Dedupe::Off
                && object.sha == sha
                && self.switches.same_sha == SameSha::Success;
            return if same {
                Ok(self.uploaded(call, object.ctime))
            } else {
                Err(file_exists(key))
            };
        }
        let attributes = Attributes {
            filesize: content.len() as u64,
            sha,
            slice_size: MEBIBYTE,
            biz_attr,
            discarded: self.switches.content == Content::Discard,
            ..Attributes::made_now(key, call.now)
        };
        let kept: &[u8] = if attributes.discarded { b"" } else { content };
        self.store
            .publish_object(self.store.stage_bytes(kept)?, attributes)?;
        Ok(self.uploaded(call, call.now))
    }

    /// The answer of a one-shot upload.
    fn uploaded(&self, call: &Call, ctime: u64) -> Data {
        let mut data = self.addresses(call);
        if call.api == Api::V1 {
            data.insert("ctime".to_owned(), json!(ctime));
        }
        data
    }
}
