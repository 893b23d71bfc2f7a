//! The part of the service's model that speaks `files/v1`: the server names the offset, and the last slice makes the object.

use cos_slice::protocol::{Answer, Init, Session, Stored};

use crate::model::{Model, Outcome, digest_of, links};

/// How a server of this protocol differs from another.
#[derive(Clone, Debug)]
pub struct Manner {
    /// Whether a control request finds the unfinished upload of the same content without its session.
    pub knows_content: bool,
    /// What it says to a session that it does not know, of a slice and of a control request; to the second some just begin
    /// a new upload.
    pub stale_session: i64,
    pub stale_session_to_go_on_with: i64,
    pub begins_for_stale_session: bool,
    /// What it says to a slice before the offset that it waits for, and to one after it.
    pub offset_behind: i64,
    pub offset_ahead: i64,
    /// Whether the answer to the slice that completes the object has its addresses.
    pub tells_completion: bool,
    /// Whether a control request of what is there already is answered with its addresses, not with a refusal.
    pub tells_same_content: bool,
    /// What it says where all is there and its digest is wrong, and whether it keeps that.
    pub wrong_content: i64,
    pub keeps_wrong_content: bool,
}

impl Model {
    /// A request without data: begins an upload, or says where to go on.
    pub fn control(&mut self, init: &Init) -> Outcome {
        let sha = init.digests.as_ref().map(|digests| digests.whole());
        let Some(sha) = sha else {
            return self.refuse(400, -5979);
        };
        if init.size == 0 {
            return self.refuse(400, -5995);
        }
        let manner = self.manner.v1.clone();
        if let Some(session) = &init.session {
            let known = self
                .upload
                .as_ref()
                .is_some_and(|upload| upload.session == *session);
            if known {
                return self.go_on();
            }
            if !manner.begins_for_stale_session {
                return self.refuse(400, manner.stale_session_to_go_on_with);
            }
        }
        let same = |upload: &crate::model::Upload| upload.sha == Some(sha) && upload.size == init.size;
        if manner.knows_content && self.upload.as_ref().is_some_and(same) {
            return self.go_on();
        }
        if let Some(object) = &self.object {
            if manner.tells_same_content && sha == digest_of(object) {
                return Ok(Answer::Complete(links()));
            }
            if !init.overwrite {
                return self.refuse(409, -177);
            }
        }
        self.begin_upload(init.size, Some(sha));
        self.go_on()
    }

    fn go_on(&self) -> Outcome {
        let Some(upload) = &self.upload else {
            return self.refuse(400, self.manner.v1.stale_session);
        };
        Ok(Answer::Session(Session {
            session: upload.session.clone(),
            slice_size: upload.slice_size,
            serial: Some(true),
            offset: upload.in_order(),
        }))
    }

    /// A request with data. A server that appends takes any length up to the slice size.
    pub fn data(&mut self, session: &str, offset: u64, content: &[u8]) -> Outcome {
        let manner = self.manner.v1.clone();
        let Some(upload) = self.upload.as_mut().filter(|upload| &*upload.session == session) else {
            let is_done = self.finished.as_deref() == Some(session);
            return match (is_done, self.manner.repeats_finish) {
                (true, true) if manner.tells_completion => Ok(Answer::Complete(links())),
                (true, true) => self.refuse(400, -4018),
                _ => self.refuse(400, manner.stale_session),
            };
        };
        let (at, length) = (upload.in_order(), content.len() as u64);
        if length > upload.slice_size || length > upload.size - at {
            return self.refuse(400, -284);
        }
        if offset != at {
            let code = if offset < at {
                manner.offset_behind
            } else {
                manner.offset_ahead
            };
            return self.refuse(400, code);
        }
        upload.store(offset, content);
        if upload.in_order() < upload.size {
            return Ok(stored(offset));
        }
        if !upload.content_is_right() {
            if !manner.keeps_wrong_content {
                self.upload = None;
            }
            return self.refuse(409, manner.wrong_content);
        }
        self.complete();
        if manner.tells_completion {
            return Ok(Answer::Complete(links()));
        }
        Ok(stored(offset))
    }

    /// The store sets the offset back; the code that says so.
    pub fn reset_offset(&mut self) -> Outcome {
        if let Some(upload) = &mut self.upload {
            upload.forget_all();
        }
        self.refuse(409, -4019)
    }
}

/// The offset is the request's, as the page has it.
fn stored(offset: u64) -> Answer {
    Answer::Stored(Stored {
        offset: Some(offset),
        length: None,
    })
}
