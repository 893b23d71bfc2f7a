//! How an upload ends: success only on proof, and failure in words that say what is known.

use super::*;

impl Machine {
    /// The server has every slice.
    pub(super) fn all_is_there(&mut self, session: Arc<str>) {
        if !self.rules.has_finish {
            return self.ask_for_list();
        }
        if self.reading == Reading::Once && self.sha_while_read.is_none() {
            let work = Local::Digest(session);
            self.step = Step::Local {
                work,
                in_flight: false,
            };
            return;
        }
        self.control(Goal::Finish(session));
    }

    /// The digest that was taken while the source was read; none where this run did not read all of it.
    pub(super) fn digest_told(&mut self, sha: Option<Sha1Digest>) {
        if let Step::Local {
            work: Local::Digest(session),
            ..
        } = &self.step
        {
            let session = session.clone();
            self.sha_while_read = sha;
            self.control(Goal::Finish(session));
        }
    }

    /// Decides whether the object at the path is this upload's content. This is the only place where success is
    /// concluded without an answer that says so.
    pub(super) fn compared(&mut self, status: &ObjectStatus) {
        let outcome = self.outcome();
        if status.received.is_some_and(|received| received < status.size) {
            return self.ask_for_list();
        }
        let same = match (status.sha, self.known_sha()) {
            _ if status.size != self.size => Some(false),
            (Some(theirs), Some(ours)) => Some(theirs == ours),
            // Nothing equals nothing.
            _ if self.size == 0 => Some(true),
            // What was not there before our finish, and is complete and has our size after it, is ours, if that finish may have
            // had its effect. One that was refused had none, and then a wrong answer to init would be enough to make
            // somebody else's object ours; as where there is no finish.
            _ if self.rules.has_finish
                && self.commit_unanswered
                && self.absent_before
                && self.is_complete =>
            {
                Some(true)
            }
            _ => None,
        };
        match same {
            Some(true) => self.finished(outcome, status.links.clone(), true),
            Some(false) if self.options.overwrite => self.restart(false),
            None if self.commit_sent => {
                let finish = match self.commit_unanswered {
                    true => "the answer to the request that completes the object was lost",
                    false => "the request that completes the object was refused",
                };
                let text = format!(
                    "{}: {finish}. An object of the same size is there, \
                     but another may have been there before, and there is no digest to tell them apart",
                    self.name
                );
                let advice = "Compare its content before relying on it, or run again with hashing on.";
                self.close(Err(Error::new(Status::OutcomeUnknown, text).with_note(advice)));
            }
            _ => {
                if let Some(conflict) = self.conflict.take() {
                    return self.close(Err(conflict));
                }
                let what = if same.is_none() {
                    "content that can't be compared"
                } else {
                    "other content"
                };
                let text = format!("{}: an object with {what} is already there", self.name);
                let advice = "Choose another path, or turn overwriting on.";
                self.close(Err(Error::new(Status::ObjectExists, text).with_note(advice)));
            }
        }
    }

    /// How the object came to be there, by what was sent.
    pub(super) fn outcome(&self) -> Outcome {
        match (self.commit_sent, self.progress.resumed > 0) {
            (false, _) => Outcome::Instant,
            (true, false) => Outcome::Uploaded,
            (true, true) => Outcome::Resumed,
        }
    }

    pub(super) fn complete(&mut self, outcome: Outcome, links: Links) {
        self.progress.acknowledge(self.size);
        (self.commit_unanswered, self.memory.began) = (false, None);
        if self.options.verify {
            self.control(Goal::Verify(outcome, links));
        } else {
            self.finished(outcome, links, false);
        }
    }

    pub(super) fn verified(&mut self, status: Option<&ObjectStatus>, context: &mut Context) {
        let sha = self.known_sha();
        let agrees = status.is_some_and(|status| {
            let complete = status.received.is_none_or(|received| received == status.size);
            let same_sha = status.sha.zip(sha).is_none_or(|(theirs, ours)| theirs == ours);
            status.size == self.size && complete && same_sha
        });
        let Step::Control(Control {
            goal: Goal::Verify(outcome, links),
            contradictions,
            ..
        }) = &mut self.step
        else {
            return;
        };
        let (outcome, links) = (*outcome, links.clone());
        if agrees {
            return self.finished(outcome, links, true);
        }
        *contradictions += 1;
        if *contradictions < MAX_CONTRADICTIONS {
            if let retry::Next::At(at) = self.try_again(Kind::Again, None, context) {
                let wait = at.saturating_sub(context.now);
                self.events.add(|| Event::Contradicted { wait });
                return self.wait_until(at);
            }
        }
        let found = match status {
            None => "no object".to_string(),
            Some(status) => match status.sha {
                Some(theirs) => format!("{} bytes with SHA-1 {theirs}", status.size),
                None => format!("{} bytes", status.size),
            },
        };
        let sent = sha.map_or_else(String::new, |sha| format!(" with SHA-1 {sha}"));
        let text = format!(
            "{}: the server reported success, but stat shows {found} where {} bytes{sent} were sent",
            self.name, self.size
        );
        let advice = "Do not rely on the object; upload it again with overwriting on.";
        self.close(Err(Error::new(Status::VerifyFailed, text).with_note(advice)));
    }

    pub(super) fn place(&self) -> Place {
        let Step::Control(control) = &self.step else {
            return Place::NOWHERE;
        };
        let operation = Some((self.api, self.control_operation().kind()));
        Place {
            operation,
            offset: None,
            attempts: control.attempts.begun,
        }
    }

    /// Ends the upload if its time is over.
    pub(crate) fn check_deadline(&mut self, now: Duration) {
        if self.deadline_at.is_some_and(|deadline| now >= deadline) {
            let text = format!(
                "{}: the deadline for the whole upload passed. Run it again to resume.",
                self.name
            );
            self.stop(Error::new(Status::Deadline, text));
        }
    }

    /// Ends the upload from outside. What was completed before stays completed: only the look at it is left out.
    pub(crate) fn stop(&mut self, error: Error) {
        if self.result.is_some() {
            return;
        }
        match std::mem::replace(&mut self.step, Step::Over) {
            Step::Control(Control {
                goal: Goal::Verify(outcome, links),
                ..
            }) => {
                self.finished(outcome, links, false);
                // Who stops it does not wait for the disk; what the checkpoint says does no harm later.
                return self.closed();
            }
            Step::Control(Control {
                goal: Goal::Init,
                in_flight: true,
                ..
            }) => {
                self.expect_init();
            }
            Step::Control(Control {
                goal: Goal::Upload,
                in_flight: true,
                ..
            }) => {
                self.commit_sent = true;
            }
            close @ Step::Close { .. } => {
                self.step = close;
                return self.closed();
            }
            _ => {}
        }
        let note = if self.commit_sent {
            "The request that completes the object had been sent; it may be complete."
        } else {
            ""
        };
        self.end(Err(error.with_note(note)));
    }

    pub(super) fn fail_without_request(&mut self, failure: TaskFailure) {
        match failure {
            TaskFailure::Cancelled => self.stop(Error::cancelled(&self.name)),
            failure @ TaskFailure::Defect(_) => self.fail(Error::without_request(&self.name, failure)),
            failure => self.give_up(Error::without_request(&self.name, failure)),
        }
    }

    /// Ends the upload as failed; where the object may be complete all the same, that is what must be said.
    pub(super) fn fail(&mut self, error: Error) {
        if !self.commit_unanswered {
            return self.close(Err(error));
        }
        let text = format!(
            "{}: the answer to the request that completes the object was lost, and whether it had its effect could not be \
             found out. The last thing that happened: {}",
            self.name, error.message
        );
        let unknown = Error {
            status: Status::OutcomeUnknown,
            message: text,
            ..error
        };
        self.close(Err(unknown.with_note(
            "Check the object's size and content before relying on it or sending it again.",
        )));
    }

    pub(super) fn finished(&mut self, outcome: Outcome, links: Links, verified: bool) {
        self.progress.acknowledge(self.size);
        self.memory.began = None;
        let object = Object {
            outcome,
            links,
            size: self.size,
            sha: self.known_sha(),
            bytes_sent: self.bytes_sent,
            bytes_resumed: self.progress.resumed,
            slices_sent: self.slices_sent,
            retries: self.progress.retries,
            verified,
        };
        self.close(Ok(object));
    }

    /// Ends the upload once the checkpoint is as it should be then.
    pub(super) fn close(&mut self, result: Result<Object, Error>) {
        if self.checkpoint && (self.saved || result.is_ok()) {
            let result = Box::new(result);
            self.saving = Saving::NotNeeded;
            self.step = Step::Close {
                result,
                in_flight: false,
            };
        } else {
            self.end(result);
        }
    }

    /// The checkpoint is as it should be, or can't be made so.
    pub(super) fn closed(&mut self) {
        if let Step::Close { result, .. } = std::mem::replace(&mut self.step, Step::Over) {
            self.end(*result);
        }
    }

    pub(super) fn end(&mut self, result: Result<Object, Error>) {
        self.step = Step::Over;
        self.progress.phase = Phase::Done;
        self.result = Some(result);
    }
}
