//! `upload_slice_data`: one slice.

use super::{Call, Data, Service, checks, object};
use crate::codes::{self, Refusal};
use crate::form::Form;
use crate::store::Upload;
use crate::switches::{
    DataAfterFinish, DataMd5, DuplicateSlice, LongSlice, MisplacedSlice, SerialUpload, Strictness,
};
use md5::{Digest, Md5};
use serde_json::json;

impl Service<'_> {
    pub(super) fn data(&self, call: &Call) -> Result<Data, Refusal> {
        let form = &call.form;
        let checks::Slice {
            session,
            offset,
            content,
        } = checks::slice(form)?;
        let Some(upload) = self.own_upload(call)? else {
            return self.data_after_finish(call, session);
        };
        self.check_session(&upload, session, call.now)?;
        let missing_sha_allowed = self.switches.sha_in_data == Strictness::Lenient;
        check_whole_file_sha(&upload, checks::sha(form)?.as_deref(), missing_sha_allowed)?;
        self.check_place(&upload, offset, content.len() as u64)?;
        let md5 = self.checked_md5(form, content)?;
        if self.is_new_slice(&upload, offset, content)? {
            self.store.put_slice(&upload, offset, content)?;
        }
        let mut data = object([
            ("session", json!(session)),
            ("offset", json!(offset)),
            ("datalen", json!(content.len())),
        ]);
        if let Some(md5) = md5 {
            data.insert("datamd5".to_owned(), json!(md5));
        }
        self.add_serial_upload(&mut data);
        Ok(data)
    }

    pub(super) fn check_session(&self, upload: &Upload, session: &str, now: u64) -> Result<(), Refusal> {
        if upload.session != session {
            return Err(codes::SESSION_INVALID.because("not the session of this upload; list it"));
        }
        if self.is_session_expired(upload, now) {
            return Err(
                codes::SESSION_INVALID.because("the session has expired; list the upload for a new one")
            );
        }
        Ok(())
    }

    pub(super) fn misplaced(&self, what: String) -> Refusal {
        match self.switches.misplaced_slice {
            MisplacedSlice::Offset => codes::OFFSET.because(what),
            MisplacedSlice::BadParameter => codes::BAD_PARAMETER.because(what),
        }
    }

    pub(super) fn check_slice_length(&self, upload: &Upload, length: u64) -> Result<(), Refusal> {
        if length <= upload.slice_size {
            return Ok(());
        }
        let what = format!(
            "{length} bytes in a slice; the slice size is {}",
            upload.slice_size
        );
        Err(match self.switches.long_slice {
            LongSlice::TooLong => codes::SLICE_TOO_LONG.because(what),
            LongSlice::SliceSize => codes::SLICE_SIZE.because(what),
        })
    }

    fn check_place(&self, upload: &Upload, offset: u64, length: u64) -> Result<(), Refusal> {
        self.check_slice_length(upload, length)?;
        let expected = upload.slice_length(offset).ok_or_else(|| {
            self.misplaced(format!(
                "no slice of {} bytes begins at {offset}",
                upload.slice_size
            ))
        })?;
        if length != expected {
            return Err(self.misplaced(format!(
                "the slice at {offset} has {length} bytes; it must have {expected}"
            )));
        }
        let serial = self.switches.serial_upload == SerialUpload::One;
        if serial && offset > 0 && !self.store.has_slice(&upload.key(), offset - upload.slice_size) {
            return Err(codes::OFFSET.because(format!("serial upload: the slice before {offset} is missing")));
        }
        Ok(())
    }

    /// Whether the slice has to be written; refuses a repeated one as the switch says.
    fn is_new_slice(&self, upload: &Upload, offset: u64, content: &[u8]) -> Result<bool, Refusal> {
        let key = upload.key();
        let repeated =
            || codes::OFFSET_REPEATED.because(format!("the slice at {offset} was received before"));
        match self.switches.duplicate_slice {
            DuplicateSlice::Overwrite => Ok(true),
            DuplicateSlice::Refuse if self.store.has_slice(&key, offset) => Err(repeated()),
            DuplicateSlice::Refuse => Ok(true),
            // There is nothing to compare with.
            DuplicateSlice::RefuseDifferent if upload.discards => Ok(true),
            DuplicateSlice::RefuseDifferent => match self.store.slice(&key, offset)? {
                Some(held) if held == content => Ok(false),
                Some(_) => Err(repeated()),
                None => Ok(true),
            },
        }
    }

    /// The MD5 to echo, if the client sent one and it is right.
    pub(super) fn checked_md5<'a>(&self, form: &'a Form, content: &[u8]) -> Result<Option<&'a str>, Refusal> {
        let sent = form.text("datamd5")?;
        let is_right = |sent: &str| sent.eq_ignore_ascii_case(&hex::encode(Md5::digest(content)));
        match (self.switches.datamd5, sent) {
            (DataMd5::Ignored, _) => Ok(None),
            (DataMd5::Echoed, sent) => Ok(sent),
            (DataMd5::Required, None) => {
                Err(codes::BAD_PARAMETER.because("the form has no field \"datamd5\", the MD5 of the slice"))
            }
            (DataMd5::Checked | DataMd5::Required, Some(sent)) if !is_right(sent) => {
                Err(codes::CHECKSUM_MISMATCH.because("datamd5 is not the MD5 of this slice"))
            }
            (DataMd5::Checked | DataMd5::Required, sent) => Ok(sent),
        }
    }

    pub(super) fn data_after_finish(&self, call: &Call, session: &str) -> Result<Data, Refusal> {
        let finished = self
            .complete_object(call)?
            .is_some_and(|object| object.session.as_deref() == Some(session));
        match self.switches.data_after_finish {
            DataAfterFinish::Success if finished => Ok(self.addresses(call)),
            DataAfterFinish::NotFound if finished => {
                Err(codes::FILE_NOT_EXIST.because("the upload is finished"))
            }
            _ => Err(codes::SESSION_INVALID.because("no upload is under way at this path")),
        }
    }
}

/// The whole-file sha, repeated with data and finish.
pub(super) fn check_whole_file_sha(
    upload: &Upload,
    sent: Option<&str>,
    missing_allowed: bool,
) -> Result<(), Refusal> {
    match (upload.sha.as_deref(), sent) {
        (Some(told), Some(sent)) if told != sent => {
            Err(codes::SHA_MISMATCH.because("sha is not the one told at init"))
        }
        (Some(_), None) if !missing_allowed => {
            Err(codes::SHA_MISSING.because("init had sha, so it must be sent here too"))
        }
        _ => Ok(()),
    }
}
