//! Protocols in which the server names the offset to go on at.
//!
//! Init is asked at the beginning, and again whenever a slice was not answered as stored: its answer says how much is there,
//! whatever became of the slice. Where there is no finish besides, the slice that reaches the end makes the object.

use super::*;

/// How often the server may say that it has all, and be asked again, before what it has is given up.
const MAX_UNMADE: u32 = 2;

impl Machine {
    /// The session that init names to go on with: ours, of this content, unless the server knows it no longer.
    pub(super) fn session_to_go_on_with(&self) -> Option<Arc<str>> {
        let content = self.content();
        let begun = self.memory.began.as_ref();
        begun
            .filter(|begun| {
                self.rules.server_names_offset && !self.session_refused && begun.content == content
            })
            .map(|begun| begun.session.clone())
    }

    /// Init answered: this much is there, go on.
    pub(super) fn go_on_at(&mut self, session: Session) {
        let Session {
            session,
            slice_size,
            offset,
            ..
        } = session;
        let was_known = self.session_to_go_on_with();
        // Init without a session is refused where an object is there and may not be replaced.
        self.absent_before |= was_known.is_none() && !self.options.overwrite;
        if self.distrust && offset > 0 {
            return self.control(Goal::BeforeDiscard);
        }
        // Who has all of it and makes no object of it has found its content wrong, and said so in an answer that was lost.
        if offset == self.size && self.fruitless_lists > MAX_UNMADE && !self.cleaned {
            return self.restart(true);
        }
        self.distrust = false;
        (self.commit_unanswered, self.commit_sent) = (false, false);
        let is_known = was_known.is_some_and(|known| *known == *session);
        self.session_refused = false;
        self.remember(&session);
        let Some(plan) = Plan::after(self.size, slice_size, offset) else {
            let text = format!(
                "{}: the server wants slices of {slice_size} bytes from offset {offset} on, which is absurd for {} bytes",
                self.name, self.size
            );
            return self.fail(Error::new(Status::BadReply, text));
        };
        if !self.tried_slices {
            self.found(offset);
        }
        self.memory.sent.insert(0..offset);
        // What was stored before the slice that failed may be gone again; that has no end of its own.
        let went_back = self.carried.as_ref().is_some_and(|(at, _)| offset < *at);
        if went_back && self.is_stuck() {
            return;
        }
        let carried = self.carried.take().filter(|(at, _)| *at == offset);
        let sending = Sending::new(session, plan, true, 1).carrying(carried.map(|(_, attempts)| attempts));
        self.send(sending, !(is_known && self.saved));
    }

    /// A slice was not answered as stored: once its back-off is over, the server is asked what it has.
    pub(super) fn ask_for_offset_at(&mut self, at: Duration, slice: &Slice, attempts: Attempts) {
        self.carried = Some((slice.offset, attempts));
        self.control(Goal::Init);
        self.wait_until(at);
    }

    /// The answer to a slice has the object's addresses: it is complete, if this was all of it.
    pub(super) fn slice_completed(&mut self, slice: &Slice, links: Links) {
        self.slice_is_there(slice, true);
        self.bytes_sent += slice.length;
        self.slices_sent += 1;
        if slice.offset + slice.length < self.size {
            return self.ask_for_list();
        }
        self.complete(self.outcome(), links);
    }
}
