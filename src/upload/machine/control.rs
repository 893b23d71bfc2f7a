//! Requests that are made alone: what follows from their answers, and from the lack of one.

use super::*;

impl Machine {
    pub(super) fn answered(&mut self, answer: Answer, context: &mut Context) {
        let Step::Control(control) = &self.step else {
            return;
        };
        match (&control.goal, answer) {
            (Goal::Init, Answer::Session(session)) if self.rules.server_names_offset => {
                self.go_on_at(session);
            }
            (Goal::Init, Answer::Session(session)) => {
                self.absent_before = !self.options.overwrite;
                self.distrust = false;
                (self.commit_unanswered, self.commit_sent) = (false, false);
                self.memory.sent = Ranges::default();
                self.memory.serial = session.serial;
                self.remember(&session.session);
                let serial = session.serial.unwrap_or(false);
                self.send_slices(session.session, session.slice_size, &Ranges::default(), serial);
            }
            (Goal::Init, Answer::Complete(links)) if self.options.hash => {
                if !self.builds_on_damage(None) {
                    self.complete(self.outcome(), links);
                }
            }
            (Goal::CreateParent(level), Answer::Created) => {
                let level = *level;
                self.parent_is_there(level);
            }
            (Goal::Init | Goal::List, Answer::Complete(_)) => self.compare(true),
            (Goal::List, Answer::Unfinished(listed)) => self.listed(listed),
            (Goal::List, Answer::Absent) if self.commit_unanswered => self.compare(false),
            (Goal::List, Answer::Absent) => {
                // What we began is gone; what may come to be there by somebody else's hand is not ours.
                (self.memory.began, self.memory.sent) = (None, Ranges::default());
                self.memory.init_unanswered = None;
                self.restart(false);
            }
            (Goal::Finish(_), Answer::Complete(links)) => {
                self.complete(self.outcome(), links);
            }
            (Goal::Upload, Answer::Complete(links)) => {
                (self.bytes_sent, self.progress.phase) = (self.size, Phase::Finishing);
                self.complete(Outcome::Uploaded, links);
            }
            (Goal::Compare, Answer::Status(status)) => self.compared(&status),
            (Goal::Compare, Answer::Absent) => self.restart(false),
            (Goal::BeforeDiscard, Answer::Status(status)) => self.weigh_discard(&status),
            (Goal::BeforeDiscard, Answer::Absent) => self.control(Goal::Discard),
            (Goal::Discard, Answer::Deleted | Answer::Absent) => {
                self.memory = Memory {
                    digests: self.memory.digests.take(),
                    ..Memory::default()
                };
                (self.distrust, self.progress.resumed) = (false, 0);
                self.discards += 1;
                self.events.add(|| Event::Discarded);
                if self.discards > MAX_DISCARDS {
                    return self.in_the_way("it is still there after it was deleted");
                }
                self.control(Goal::Init);
            }
            (Goal::Verify(..), Answer::Status(status)) => self.verified(Some(&status), context),
            (Goal::Verify(..), Answer::Absent) => self.verified(None, context),
            (_, answer) => self.does_not_fit(&answer),
        }
    }

    pub(super) fn does_not_fit(&mut self, answer: &Answer) {
        let text = format!(
            "{}: the server's answer does not fit the request: {answer:?}",
            self.name
        );
        self.fail(Error::new(Status::BadReply, text));
    }

    pub(super) fn send_slices(&mut self, session: Arc<str>, slice_size: u64, present: &Ranges, serial: bool) {
        // A slice of a stream is held in memory, and how much that is must not be the server's choice.
        let largest = self.options.slice_sizes.all().iter().copied().max();
        let most = largest.unwrap_or(0).max(self.options.slice_size);
        if self.reading == Reading::Once && slice_size > most {
            let text = format!(
                "{}: the server wants slices of {slice_size} bytes, and of a stream at most {most} are held in memory",
                self.name
            );
            let advice = "Have the stream spooled, or name the store's slice sizes.";
            return self.fail(Error::new(Status::BadReply, text).with_note(advice));
        }
        let Some(plan) = Plan::new(self.size, slice_size, present) else {
            let text = format!(
                "{}: the server answered a slice size of {slice_size}, which is absurd (more than {MAX_SLICES} slices)",
                self.name
            );
            return self.fail(Error::new(Status::BadReply, text));
        };
        let serial = serial || !self.rules.parallel;
        self.send(Sending::new(session, plan, serial, self.places.count()), true);
    }

    pub(super) fn send(&mut self, sending: Sending, save_first: bool) {
        if self.builds_on_damage(Some(&sending.plan)) {
            return;
        }
        self.progress.phase = Phase::Sending;
        self.step = Step::Send(sending);
        if save_first {
            self.save_first();
        }
        self.note_plan();
    }

    pub(super) fn note_plan(&mut self) {
        let Step::Send(sending) = &self.step else { return };
        self.progress.slices_total = sending.plan.count();
        self.progress.slices_done = sending.plan.done_count();
        if !sending.unproven {
            self.progress.acknowledge(sending.plan.done_bytes());
        }
        if sending.plan.done_bytes() > self.best_done_bytes {
            self.best_done_bytes = sending.plan.done_bytes();
            self.fruitless_lists = 0;
        }
    }

    /// Asks the server what it has: by the list, or by init where that tells the offset.
    pub(super) fn ask_for_list(&mut self) {
        if !self.is_stuck() {
            self.control(match self.rules.server_names_offset {
                true => Goal::Init,
                false => Goal::List,
            });
        }
    }

    /// Counts that the server was asked what it has, or told, without a new byte since the last time; whether that was once too
    /// often, which ends the upload.
    pub(super) fn is_stuck(&mut self) -> bool {
        self.fruitless_lists += 1;
        if self.fruitless_lists > MAX_FRUITLESS_LISTS {
            let text = format!(
                "{}: the server says again and again that the upload is unfinished, and takes none of what it lacks. {}",
                self.name, "Run it again later to resume."
            );
            self.fail(Error::new(Status::ServerFailed, text));
            return true;
        }
        false
    }

    pub(super) fn listed(&mut self, listed: Unfinished) {
        let began = self.memory.began.as_ref();
        let is_ours = began.is_some_and(|begun| begun.has_session_of(&listed));
        let may_be_ours = is_ours || began.is_some_and(|begun| begun.has_content_of(&listed));
        if self.distrust && may_be_ours {
            return self.control(Goal::BeforeDiscard);
        }
        // Where somebody else's upload is there since, somebody else's object may be too.
        self.absent_before &= may_be_ours;
        // Only what is wanted, or was begun from here, is ever thrown away; others may upload the same content.
        let may_go = self.options.discard_unfinished || is_ours;
        let (content, memory) = (self.content(), &self.memory);
        match resume::decide(&listed, &Ours { content, memory }) {
            Verdict::Adopt(present) => self.adopt(listed, &present),
            Verdict::Other(_) if may_go => self.control(Goal::BeforeDiscard),
            Verdict::Other(why) => self.in_the_way(&why),
        }
    }

    pub(super) fn adopt(&mut self, listed: Unfinished, present: &Ranges) {
        self.remember(&listed.session);
        // Not known means together: a server that wants slices in order says so with a bad-offset code.
        self.memory.serial = listed.serial.or(self.memory.serial);
        let serial = self.memory.serial.unwrap_or(false);
        for range in present.iter() {
            self.memory.sent.insert(range);
        }
        self.send_slices(listed.session, listed.slice_size, present, serial);
        if let (Step::Send(sending), false) = (&self.step, self.tried_slices) {
            let bytes = sending.plan.done_bytes();
            self.found(bytes);
        }
    }

    /// So many bytes were there before this run.
    pub(super) fn found(&mut self, bytes: u64) {
        self.progress.resumed = bytes;
        if bytes > 0 {
            let total = self.size;
            self.events.add(|| Event::Resumes { bytes, total });
        }
    }

    fn compare(&mut self, is_complete: bool) {
        self.is_complete = is_complete;
        self.control(Goal::Compare);
    }

    /// An init of this content may take effect without our seeing its answer.
    pub(super) fn expect_init(&mut self) {
        let content = self.content();
        self.memory.init_unanswered.get_or_insert(content);
    }

    pub(super) fn content(&self) -> Content {
        let (size, sha) = (self.size, self.sha());
        Content { size, sha }
    }

    /// From here on this is the upload that is ours.
    pub(super) fn remember(&mut self, session: &Arc<str>) {
        let (session, content) = (session.clone(), self.content());
        let before = self.memory.began.as_ref();
        if before.is_some_and(|begun| begun.content == content && begun.session != session) {
            self.events.add(|| Event::SessionRenewed);
        }
        self.memory.began = Some(Begun { session, content });
        self.memory.init_unanswered = None;
    }

    /// Init said that the unfinished upload there is of other content.
    fn other_upload(&mut self, refusal: &Refusal) {
        let error = Error::refused(&self.name, self.place(), refusal);
        if self.options.discard_unfinished {
            self.control(Goal::BeforeDiscard);
        } else if self.memory.began.is_some() {
            // Perhaps it is one that was begun from here, of what the source was then.
            self.conflict = Some(error);
            self.ask_for_list();
        } else {
            self.fail(error);
        }
    }

    fn in_the_way(&mut self, why: &str) {
        let error = self.conflict.take().unwrap_or_else(|| {
            let text = format!("{}: an unfinished upload is in the way: {why}", self.name);
            let advice = "Wait for it, choose another path, or turn discarding of unfinished uploads on.";
            Error::new(Status::OtherUpload, text).with_note(advice)
        });
        self.fail(error);
    }

    pub(super) fn weigh_discard(&mut self, status: &ObjectStatus) {
        // A stat that can't tell a complete object from an unfinished one counts as a complete one.
        let unfinished = status.received.is_some_and(|received| received < status.size);
        // The unfinished upload in the way is not of this content, so an object with this content's digest is a complete
        // one: then nothing has to go.
        let same = status.sha.is_some() && status.sha == self.sha() && status.size == self.size;
        if same && !unfinished && !self.distrust {
            return self.finished(Outcome::Instant, status.links.clone(), true);
        }
        // Init said that no object was there; a digest of other content says that there is one by now.
        let of_others = status.sha.is_some() && status.sha != self.sha();
        let none_before = self.absent_before && !self.commit_unanswered && !of_others;
        if unfinished || none_before || self.options.overwrite {
            return self.control(Goal::Discard);
        }
        let text = format!(
            "{}: an unfinished upload is to be discarded, but a complete object may be there too, and overwriting is off",
            self.name
        );
        self.fail(
            Error::new(Status::ObjectExists, text).with_note("Choose another path, or turn overwriting on."),
        );
    }

    /// Begins anew at init; `clean` where the bytes on the server are wrong, so that they must go and the source
    /// be read again.
    pub(super) fn restart(&mut self, clean: bool) {
        self.restarts += 1;
        if self.restarts > MAX_RESTARTS {
            let text = format!(
                "{}: the server lost the upload {MAX_RESTARTS} times over",
                self.name
            );
            return self.fail(Error::new(Status::ServerFailed, text).with_note("Run it again later."));
        }
        self.events.add(|| Event::BeginsAnew);
        (self.commit_unanswered, self.damage) = (false, None);
        self.best_done_bytes = 0;
        if clean {
            (self.distrust, self.cleaned, self.session_refused) = (true, true, true);
            // What was remembered proves nothing about the source: it may be that it was what was wrong.
            let taken = self.digests.take().filter(|_| !self.digests_remembered);
            self.hashed_before = taken.map(|digests| digests.whole());
            self.digests_remembered = false;
            self.memory.digests = None;
            return self.begin();
        }
        self.begin_sending();
    }

    pub(super) fn control_failed(&mut self, failure: TaskFailure, context: &mut Context) {
        match failure {
            TaskFailure::Refused(refusal) => self.control_refused(refusal, context),
            TaskFailure::Network(failure) => self.control_unanswered(failure, context),
            TaskFailure::Source(_)
            | TaskFailure::Argument(_)
            | TaskFailure::Resources(_)
            | TaskFailure::Signer(_)
            | TaskFailure::Defect(_)
            | TaskFailure::Cancelled => self.fail_without_request(failure),
        }
    }

    pub(super) fn control_refused(&mut self, refusal: Refusal, context: &mut Context) {
        if refusal.ambiguous {
            self.note_unanswered();
        }
        let Step::Control(control) = &self.step else {
            return;
        };
        match (&control.goal, refusal.class) {
            (_, Class::Retry) => self.control_again(Kind::Again, refusal, context),
            (_, Class::Overload) => self.control_again(Kind::Overload, refusal, context),
            (_, Class::Resign) => self.control_again(Kind::Resign, refusal, context),
            // The session that it should go on with is not known there, in whatever words: then without one.
            (Goal::Init, Class::Relist | Class::BadOffset | Class::Absent | Class::Restart)
                if self.session_to_go_on_with().is_some() =>
            {
                self.session_refused = true;
                self.tell_refusal(refusal, Consequence::Again(Duration::ZERO));
                self.control(Goal::Init);
            }
            (Goal::Init, Class::Relist) => self.ask_for_list(),
            (Goal::Init | Goal::Upload, Class::Absent) => self.path_is_missing(&refusal),
            (Goal::Init, Class::OtherUpload) => self.other_upload(&refusal),
            // Without a digest nothing could show that the object is the same, so the refusal is the answer.
            (Goal::Init | Goal::Upload, Class::Exists | Class::Delivered)
                if self.options.hash || self.size == 0 || self.commit_sent =>
            {
                self.conflict = Some(Error::refused(&self.name, self.place(), &refusal));
                self.compare(true);
            }
            (Goal::Init, Class::SliceSize)
                if self.slice_size != DEFAULT_SLICE_SIZE
                    && self.options.slice_sizes.contains(DEFAULT_SLICE_SIZE) =>
            {
                self.slice_size = DEFAULT_SLICE_SIZE;
                self.tell_refusal(refusal, Consequence::Again(Duration::ZERO));
                self.control(Goal::Init);
            }
            // Also of an object that is said to be there already: only the list tells a complete one from an
            // unfinished upload that has all its bytes.
            (
                Goal::Finish(_),
                Class::Relist | Class::BadOffset | Class::Absent | Class::Exists | Class::Delivered,
            ) => {
                self.tell_refusal(refusal, Consequence::Ask);
                self.ask_for_list();
            }
            (Goal::Finish(_), Class::Restart) if !self.cleaned => {
                self.tell_refusal(refusal, Consequence::BeginAnew);
                self.restart(true);
            }
            _ => self.give_up(Error::refused(&self.name, self.place(), &refusal)),
        }
    }

    fn control_again(&mut self, kind: Kind, refusal: Refusal, context: &mut Context) {
        match self.try_again(kind, refusal.retry_after, context) {
            retry::Next::At(at) => {
                let wait = at.saturating_sub(context.now);
                self.tell_refusal(refusal, Consequence::Again(wait));
                self.wait_until(at);
            }
            retry::Next::GiveUp => self.give_up(Error::refused(&self.name, self.place(), &refusal)),
        }
    }

    fn tell_refusal(&mut self, refusal: Refusal, next: Consequence) {
        self.tell_failure(self.place(), || TaskFailure::Refused(refusal), next);
    }

    pub(super) fn control_unanswered(&mut self, failure: NetworkFailure, context: &mut Context) {
        if failure.ambiguous {
            self.note_unanswered();
        }
        let next = match kind_of_network(&failure) {
            Some(kind) => self.try_again(kind, None, context),
            None => retry::Next::GiveUp,
        };
        match next {
            retry::Next::At(at) => {
                let next = Consequence::Again(at.saturating_sub(context.now));
                self.tell_failure(self.place(), || TaskFailure::Network(failure), next);
                self.wait_until(at);
            }
            retry::Next::GiveUp => self.give_up(Error::network(&self.name, self.place(), &failure)),
        }
    }

    pub(super) fn note_unanswered(&mut self) {
        let Step::Control(control) = &self.step else {
            return;
        };
        match control.goal {
            Goal::Init => self.expect_init(),
            Goal::Finish(_) | Goal::Upload => (self.commit_unanswered, self.commit_sent) = (true, true),
            _ => {}
        }
    }

    pub(super) fn try_again(
        &mut self,
        kind: Kind,
        retry_after: Option<Duration>,
        context: &mut Context,
    ) -> retry::Next {
        let Step::Control(control) = &mut self.step else {
            return retry::Next::GiveUp;
        };
        control.attempts.failed(kind, retry_after, context)
    }

    pub(super) fn wait_until(&mut self, at: Duration) {
        if let Step::Control(control) = &mut self.step {
            (control.in_flight, control.ready_at) = (false, at);
        }
    }

    /// A control request can't be had. A verification that can't be had leaves success standing.
    pub(super) fn give_up(&mut self, error: Error) {
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Control(Control {
                goal: Goal::Verify(outcome, links),
                ..
            }) => {
                self.finished(outcome, links, false);
            }
            _ => self.fail(error),
        }
    }
}
