//! What must hold at every moment, and at the end.

use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::Api;
use cos_slice::protocol::Operation;
use cos_slice::upload::Client;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::Object;
use cos_slice::upload::options::RetryPolicy;
use cos_slice::upload::progress::Progress;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::JobId;

use crate::scenario::Fault;
use crate::world::World;

/// What is watched over.
#[derive(Default)]
pub struct Watch {
    before: Progress,
    deadline: Option<Duration>,
    /// Every content that the source had during this life.
    pub versions: Vec<Arc<Vec<u8>>>,
    /// … and during the lives before it.
    earlier: Vec<Arc<Vec<u8>>>,
    /// Bytes of slices that the server took, each as often as it did.
    slice_bytes: u64,
    /// An earlier life may have completed its object.
    commit_sent_before: bool,
    commit_sent: bool,
    /// Of a request that completes the object it is not known what became of it.
    commit_doubtful: bool,
    /// The same of an init.
    pub init_doubtful: bool,
    /// The server answered in this life,
    pub answered: bool,
    /// and was asked for so many lists and inits.
    lists: u64,
    inits: u64,
    /// A life ended without a chance to keep more than its checkpoint.
    pub killed: bool,
}

impl World<'_> {
    pub fn begin_watch(&mut self, client: &Client, id: JobId) {
        let watch = &mut self.watch;
        watch.earlier.append(&mut watch.versions);
        watch.versions.push(self.source.clone());
        watch.before = Progress::default();
        (watch.answered, watch.lists, watch.inits) = (false, 0, 0);
        watch.commit_sent_before |= watch.commit_sent;
        watch.commit_doubtful |= watch.commit_sent;
        watch.deadline = client.deadline_at(id);
    }

    /// When a request is sent.
    pub fn watch_request(&mut self, operation: &Operation, fault: Fault) {
        let (watch, disturbed) = (&mut self.watch, fault != Fault::None);
        match operation {
            Operation::Init(_) => {
                watch.inits += 1;
                watch.init_doubtful |= disturbed;
            }
            Operation::List => watch.lists += 1,
            Operation::Finish(_) | Operation::Upload(_) => {
                watch.commit_sent = true;
                watch.commit_doubtful |= disturbed;
            }
            _ => {}
        }
    }

    /// Before the server executes a request of ours.
    pub fn check_request(&mut self, operation: &Operation) {
        match operation {
            Operation::Finish(finish) => {
                // A finish of the present session comes only when every slice has been there.
                let present = self.model.upload.as_ref();
                let of_present = present.filter(|upload| upload.session == finish.session);
                let server_is_sound = ![
                    Fault::PartForgotten,
                    Fault::Duplicated,
                    Fault::Late,
                    Fault::AnswerWithoutEffect,
                    Fault::ListClaimsMore,
                ]
                .into_iter()
                .any(|fault| self.scenario.has(fault));
                if let (Some(upload), true) = (of_present, server_is_sound) {
                    assert_eq!(
                        upload.received(),
                        upload.size,
                        "finish before all slices were there"
                    );
                }
            }
            Operation::Slice(slice) => {
                let size = self.source_size_of(slice.offset + slice.length);
                assert!(slice.length > 0 && size, "a slice beyond the plan: {slice:?}");
            }
            Operation::Delete => self.check_delete(),
            _ => {}
        }
    }

    /// What is not ours is deleted only where that was allowed.
    fn check_delete(&self) {
        let (options, watch) = (&self.scenario.options, &self.watch);
        let mut mine = watch.versions.iter().chain(&watch.earlier);
        let object = self.model.object.as_ref();
        let theirs = object.is_some_and(|object| !mine.any(|content| content[..] == object[..]));
        assert!(!theirs || options.overwrite, "deletes an object that is not ours");
        let theirs = self
            .model
            .upload
            .as_ref()
            .is_some_and(|upload| upload.is_of_others);
        // One that came in the moment before can't be seen; and without digests an empty one that is found after an init
        // whose answer nobody saw is taken for what that init began.
        let mistaken = self.scenario.has(Fault::Replaced) || !options.hash && watch.init_doubtful;
        let allowed = options.discard_unfinished || mistaken;
        assert!(!theirs || allowed, "deletes an upload that is not ours");
    }

    /// Whether some content of the source reached that far.
    fn source_size_of(&self, end: u64) -> bool {
        let watch = &self.watch;
        let mut versions = watch.versions.iter().chain(&watch.earlier);
        versions.any(|content| end <= content.len() as u64)
    }

    pub fn note_effect(&mut self, operation: &Operation, is_ok: bool, bytes: usize) {
        *self
            .tally
            .operations
            .entry(Api::FilesV2.operation_name(operation.kind()))
            .or_default() += 1;
        if let (Operation::Slice(_), true) = (operation, is_ok) {
            self.watch.slice_bytes += bytes as u64;
        }
    }

    pub fn check_progress(&mut self, client: &Client, id: JobId) {
        let Some(now) = client.progress(id) else { return };
        let before = &self.watch.before;
        assert!(now.acknowledged >= before.acknowledged, "progress went back");
        assert!(now.acknowledged <= now.total, "progress passed the total");
        assert!(
            client.in_flight(id) <= self.scenario.connections,
            "too many in flight"
        );
        self.watch.before = *now;
        match (client.result(id), self.watch.deadline) {
            (Some(Ok(_)), _) => assert_eq!(
                now.acknowledged, now.total,
                "success, and not all is acknowledged"
            ),
            (None, Some(deadline)) => assert!(self.now <= deadline, "the deadline passed"),
            _ => {}
        }
    }

    pub fn check_the_end(&mut self, result: &Result<Object, Error>) {
        let object = self.model.object.as_deref();
        let is_a_version = |content: &Arc<Vec<u8>>| object == Some(&content[..]);
        let object_is_ours = self.watch.versions.iter().any(is_a_version);
        match result {
            Ok(found) => {
                assert!(object_is_ours, "success, but the object is not the source");
                assert_eq!(Some(found.size as usize), object.map(<[u8]>::len));
                self.check_work();
            }
            Err(error) => {
                assert!(
                    error.message.starts_with("cos://bucket/path: "),
                    "{}",
                    error.message
                );
                self.check_denial(error, object_is_ours);
                let due = self.is_due(error);
                assert!(
                    due,
                    "{}: {error}, though nothing final happened",
                    error.status.name()
                );
            }
        }
        let held = !self.scenario.has_lasting_harm() && self.knows_its_own() && !self.is_obstructed();
        self.tally.held_to_succeed += u64::from(held);
    }

    /// A death costs no more than what was in flight.
    fn check_work(&self) {
        let scenario = &self.scenario;
        let undisturbed = scenario.fault_percent == 0 && self.watch.earlier.len() as u64 == self.life;
        // Without digests a life can't know that an earlier one completed the object right before its death.
        let begins_anew = self.watch.commit_sent_before && !scenario.options.hash;
        if !undisturbed || !self.knows_its_own() || self.watch.versions.len() > 1 || begins_anew {
            return;
        }
        let in_flight = u64::from(scenario.connections) * self.model.manner.slice_size;
        let most = self.source.len() as u64 + self.life * in_flight;
        let sent = self.watch.slice_bytes;
        assert!(sent <= most, "{sent} bytes were sent, and {most} are enough");
    }

    /// Nobody is told that the object is not there, or not theirs, while it is.
    fn check_denial(&self, error: &Error, object_is_ours: bool) {
        let denies = matches!(error.status, Status::ObjectExists | Status::VerifyFailed);
        let scenario = &self.scenario;
        // What arrives late or twice can complete the object right after it was looked at.
        let moves = [Fault::PartCorrupted, Fault::Late, Fault::Duplicated];
        let holds_still = !moves.into_iter().any(|fault| scenario.has(fault))
            && self.life == 0
            && self.watch.versions.len() == 1;
        let undisturbed = holds_still && scenario.other_object.is_none();
        let has_digests = scenario.options.hash && self.model.manner.tells_sha;
        let knows = undisturbed || has_digests && holds_still;
        assert!(
            !(denies && knows && object_is_ours),
            "{error}, but the object is ours"
        );
    }

    /// Faults stop early, and those that pass leave nothing behind: then only what was there before, what nobody can
    /// know, or a limit that was really spent may make an upload fail, and each of these in its own way.
    fn is_due(&self, error: &Error) -> bool {
        let watch = &self.watch;
        let lasting = self.scenario.has_lasting_harm();
        let changed = watch.versions.len() > 1;
        match error.status {
            Status::Deadline => watch.deadline.is_some_and(|at| self.now >= at),
            Status::SourceChanged => changed,
            Status::Credentials => self.is_spent(error),
            Status::ContentRejected | Status::VerifyFailed => lasting || changed,
            Status::ObjectExists | Status::OtherUpload => {
                lasting || !self.knows_its_own() || self.is_obstructed()
            }
            Status::OutcomeUnknown => {
                let unsettled = self.is_spent(error) || self.went_round() || changed;
                unsettled || lasting || !self.knows_its_own() || self.is_obstructed()
            }
            Status::ServerFailed => self.is_spent(error) || self.went_round(),
            Status::BadReply => self.is_spent(error) || self.scenario.has(Fault::AbsurdSliceSize),
            // An empty upload of others may be taken for ours where nothing tells that it has a digest.
            Status::Refused => lasting || self.scenario.other_upload.is_some(),
            Status::ServerBusy | Status::Connect | Status::ConnectionLost | Status::TimedOut => {
                self.is_spent(error)
            }
            _ => false,
        }
    }

    /// Whether there were as many lists that lead to nothing, or restarts, as there may be.
    fn went_round(&self) -> bool {
        self.watch.lists >= 5 || self.watch.inits > 3
    }

    /// Whether a request was attempted as often as it may be.
    fn is_spent(&self, error: &Error) -> bool {
        let policy = RetryPolicy::default();
        let most = match error.server_code {
            // A signature is made anew once.
            Some(-97) => 2,
            _ if self.watch.answered => policy.attempts,
            _ => policy.attempts_unanswered,
        };
        error.place.attempts >= most
    }

    /// What was there before may be in the way: of others, or of ours from when the source was different.
    fn is_obstructed(&self) -> bool {
        let scenario = &self.scenario;
        let of_others = scenario.other_object.is_some() || scenario.other_upload.is_some();
        let mut versions = self.watch.earlier.iter().chain(&self.watch.versions);
        let changed = versions.any(|content| *content != scenario.content);
        let is_found = scenario.checkpoint && scenario.checkpoint_loss == 0 && !self.watch.init_doubtful;
        // A server that has changed the session meanwhile has nothing by which it is known.
        let keeps_session = !self.model.manner.rotates_on_list && !scenario.has(Fault::SessionRotated);
        // One that lacks nothing looks like a complete object, which is not thrown away unasked.
        let lacks_nothing = self
            .model
            .upload
            .as_ref()
            .is_some_and(|upload| upload.received() == upload.size);
        let object = self.model.object.as_deref();
        let older = self
            .watch
            .earlier
            .iter()
            .any(|content| object == Some(&content[..]));
        of_others
            || changed
                && (!is_found || !keeps_session || lacks_nothing || older && self.source_differs(object))
    }

    fn source_differs(&self, object: Option<&[u8]>) -> bool {
        object != Some(&self.source[..])
    }

    /// Whether a life can recognise what an earlier one began: by digests on both sides; or, on a server that keeps its
    /// sessions, by what the handle or the checkpoint remembers. Without digests a request that completes the object
    /// and whose answer nobody saw stays a question.
    fn knows_its_own(&self) -> bool {
        let (scenario, manner) = (&self.scenario, &self.model.manner);
        let by_digest = scenario.options.hash && manner.tells_sha;
        let keeps_session = !manner.rotates_on_list && !scenario.has(Fault::SessionRotated);
        // With digests here and none there, an init whose answer nobody saw leaves what can't be told from another's.
        let inits_were_answered = !scenario.options.hash || self.life == 0 && !self.watch.init_doubtful;
        let is_kept = scenario.checkpoint && scenario.checkpoint_loss == 0;
        let remembers = is_kept || !self.watch.killed;
        by_digest || keeps_session && inits_were_answered && remembers && !self.watch.commit_doubtful
    }
}
