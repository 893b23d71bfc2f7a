//! What follows from what came of a slice.

use super::*;

impl Machine {
    pub(super) fn slice_stored(&mut self, slice: &Slice, stored: &Stored, context: &mut Context) {
        let other_offset = stored.offset.is_some_and(|offset| offset != slice.offset);
        let other_length = stored.length.is_some_and(|length| length != slice.length);
        if other_offset || other_length {
            let text = format!(
                "the answer is about offset {:?}, length {:?}",
                stored.offset, stored.length
            );
            let refusal = Refusal {
                http_status: 200,
                code: None,
                message: text,
                request_id: None,
                class: Class::Retry,
                retry_after: None,
                ambiguous: true,
                clocks: None,
                api: self.api,
                has_fixed_signature: false,
            };
            return self.slice_failed(slice, TaskFailure::Refused(refusal), context);
        }
        self.slice_is_there(slice, true);
        self.bytes_sent += slice.length;
        self.slices_sent += 1;
    }

    pub(super) fn slice_is_there(&mut self, slice: &Slice, proven: bool) {
        let Step::Send(sending) = &mut self.step else {
            return;
        };
        let Some(index) = sending.plan.index_at(slice.offset) else {
            return;
        };
        sending.land(index);
        sending.plan.mark_done(index);
        sending.unproven |= !proven;
        if proven {
            self.damage_is_mended(slice);
            self.note_plan();
        }
    }

    pub(super) fn slice_failed(&mut self, slice: &Slice, failure: TaskFailure, context: &mut Context) {
        let place = self.slice_place(slice);
        let told = self.events.are_wanted().then(|| failure.clone());
        let next = self.after_failure(slice, failure, context);
        if let (Some(failure), Some(next)) = (told, next) {
            self.tell_failure(place, || failure, next);
        }
    }

    /// Draws the consequences; what follows, where that is not the upload's end.
    fn after_failure(
        &mut self,
        slice: &Slice,
        failure: TaskFailure,
        context: &mut Context,
    ) -> Option<Consequence> {
        let may_have_come = match &failure {
            TaskFailure::Refused(refusal) => refusal.ambiguous,
            TaskFailure::Network(failure) => failure.ambiguous,
            _ => false,
        };
        self.commit_unanswered |=
            may_have_come && !self.rules.has_finish && slice.offset + slice.length == self.size;
        let (kind, retry_after, error): (Option<Kind>, _, _) = match failure {
            TaskFailure::Refused(refusal) => {
                let error = Error::refused(&self.name, self.slice_place(slice), &refusal);
                match refusal.class {
                    Class::Retry => (Some(Kind::Again), refusal.retry_after, error),
                    Class::Damaged => {
                        self.note_damage(slice, &error);
                        (Some(Kind::Again), refusal.retry_after, error)
                    }
                    Class::Delivered if self.is_damaged(slice) => return self.damage_stays(slice),
                    Class::Overload => (Some(Kind::Overload), refusal.retry_after, error),
                    Class::Resign => (Some(Kind::Resign), refusal.retry_after, error),
                    // Who may forget the slice must know that it is there.
                    Class::Delivered if self.rules.server_names_offset || self.reading == Reading::Once => {
                        return self.leave(slice, Leave::List);
                    }
                    Class::Delivered => {
                        self.slice_is_there(slice, false);
                        return None;
                    }
                    Class::Relist | Class::Absent | Class::Exists | Class::OtherUpload => {
                        return self.leave(slice, Leave::List);
                    }
                    Class::SliceSize => return self.leave(slice, Leave::List),
                    Class::BadOffset => {
                        self.memory.serial = Some(true);
                        return self.leave(slice, Leave::List);
                    }
                    Class::Restart if !self.cleaned => return self.leave(slice, Leave::Restart),
                    Class::Restart | Class::Final => (None, None, error),
                }
            }
            TaskFailure::Network(failure) => {
                let error = Error::network(&self.name, self.slice_place(slice), &failure);
                (kind_of_network(&failure), None, error)
            }
            failure => {
                self.fail_without_request(failure);
                return None;
            }
        };
        let Step::Send(sending) = &mut self.step else {
            return None;
        };
        let index = sending.plan.index_at(slice.offset)?;
        let mut attempts = sending.land(index)?;
        let Some(retry::Next::At(at)) = kind.map(|kind| attempts.failed(kind, retry_after, context)) else {
            self.fail(error);
            return None;
        };
        match self.rules.server_names_offset {
            true => self.ask_for_offset_at(at, slice, attempts),
            false => sending.retry_at(index, attempts, at),
        }
        Some(Consequence::Again(at.saturating_sub(context.now)))
    }

    /// No more slices: once those in flight have come back, something else follows.
    pub(super) fn leave(&mut self, slice: &Slice, leave: Leave) -> Option<Consequence> {
        let Step::Send(sending) = &mut self.step else {
            return None;
        };
        if let Some(index) = sending.plan.index_at(slice.offset) {
            sending.land(index);
        }
        sending.leave = Some(sending.leave.map_or(leave, |before| before.max(leave)));
        Some(match leave {
            Leave::List => Consequence::Ask,
            Leave::Restart => Consequence::BeginAnew,
        })
    }

    pub(super) fn slice_place(&self, slice: &Slice) -> Place {
        let attempts = match &self.step {
            Step::Send(sending) => sending
                .plan
                .index_at(slice.offset)
                .map_or(0, |index| sending.attempts(index)),
            _ => 0,
        };
        Place {
            operation: Some((self.api, OperationKind::Slice)),
            offset: Some(slice.offset),
            attempts,
        }
    }
}
