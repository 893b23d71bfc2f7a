//! What must hold at every moment, and at the end.

use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::codes::Class;
use cos_slice::protocol::{Answer, Api, Init, Operation};
use cos_slice::upload::Client;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::machine::Object;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Reading, Work};

use crate::scenario::Fault;
use crate::world::World;

/// What is watched over.
#[derive(Default)]
pub struct Watch {
    /// What the source had when this life began.
    size: u64,
    pub before: Progress,
    pub deadline: Option<Duration>,
    /// Every content that the source had during this life.
    pub versions: Vec<Arc<Vec<u8>>>,
    /// … and during the lives before it.
    pub earlier: Vec<Arc<Vec<u8>>>,
    /// Bytes of slices that the server took, each as often as it did.
    slice_bytes: u64,
    /// An earlier life may have completed its object.
    commit_sent_before: bool,
    commit_sent: bool,
    /// Of a request that completes the object it is not known what became of it.
    pub commit_doubtful: bool,
    /// The same of an init.
    pub init_doubtful: bool,
    /// The server answered in this life,
    pub answered: bool,
    /// and was asked for so many lists and inits.
    pub lists: u64,
    pub inits: u64,
    pub stats: u64,
    /// Answers since the last new byte upon which the server is asked what it has.
    pub turns: u64,
    /// The slice that was sent last, and how often, where the server names its offset.
    again: (u64, u32),
    /// Where the last slice failed that was to be sent again.
    failed_at: u64,
    /// The server said that the object is complete.
    pub told_complete: bool,
    /// Directories whose making this life was told of.
    directories: u32,
    /// A life ended without a chance to keep more than its checkpoint.
    pub killed: bool,
}

impl World<'_> {
    pub fn begin_watch(&mut self, client: &Client, id: JobId) {
        let watch = &mut self.watch;
        watch.earlier.append(&mut watch.versions);
        watch.versions.push(self.source.clone());
        watch.before = Progress::default();
        watch.size = self.source.len() as u64;
        (watch.lists, watch.inits, watch.stats) = (0, 0, 0);
        (watch.answered, watch.turns, watch.again, watch.directories) = (false, 0, (0, 0), 0);
        (watch.failed_at, watch.told_complete) = (0, false);
        watch.commit_sent_before |= watch.commit_sent;
        watch.commit_doubtful |= watch.commit_sent;
        watch.deadline = client.deadline_at(id);
    }

    /// When a request is sent.
    pub fn watch_request(&mut self, operation: &Operation, fault: Fault) {
        let (watch, disturbed) = (&mut self.watch, fault != Fault::None);
        let has_finish = self.scenario.manner.api.rules().has_finish;
        match operation {
            Operation::Init(_) => {
                watch.inits += 1;
                watch.init_doubtful |= disturbed;
            }
            Operation::List => watch.lists += 1,
            Operation::Stat => watch.stats += 1,
            Operation::Finish(_) | Operation::Upload(_) => {
                watch.commit_sent = true;
                watch.commit_doubtful |= disturbed;
            }
            Operation::Slice(slice) if !has_finish => {
                let completes = slice.offset + slice.length == watch.size;
                watch.commit_sent |= completes;
                watch.commit_doubtful |= completes && disturbed;
                watch.again = match watch.again {
                    (offset, times) if offset == slice.offset => (offset, times + 1),
                    _ => (slice.offset, 1),
                };
                // Ten attempts by the policy; a kept connection that broke and a signature are worth one each.
                assert!(watch.again.1 <= 12, "a slice is sent again and again: {slice:?}");
            }
            _ => {}
        }
    }

    /// When a task comes back.
    pub fn watch_result(&mut self, work: &Work, result: &Result<Done, TaskFailure>) {
        let (api, size, watch) = (self.scenario.manner.api, self.watch.size, &mut self.watch);
        watch.answered |= match result {
            Ok(Done::Answered(_)) => true,
            Err(TaskFailure::Refused(refusal)) => refusal.code.is_some(),
            _ => false,
        };
        match (work, result) {
            (Work::Request(Operation::CreateDirectory(level)), Ok(_)) => {
                assert_eq!(
                    *level,
                    watch.directories + 1,
                    "directories are made once, and in order"
                );
                watch.directories = *level;
            }
            (Work::Request(Operation::Slice(slice)), Ok(Done::Answered(Answer::Stored(stored)))) => {
                if stored.offset.is_some_and(|offset| offset != slice.offset) {
                    watch.failed_at = slice.offset;
                }
                watch.turns += u64::from(slice.offset + slice.length == size);
            }
            (Work::Request(operation), Ok(Done::Answered(Answer::Complete(_)))) => {
                watch.told_complete |= match operation {
                    Operation::Finish(_) | Operation::Upload(_) => true,
                    Operation::Slice(slice) => slice.offset + slice.length == size,
                    _ => false,
                };
            }
            (Work::Request(Operation::Init(_)), Ok(Done::Answered(Answer::Session(session)))) => {
                let went_back = session.offset < std::mem::take(&mut watch.failed_at);
                watch.turns += u64::from(went_back || session.offset >= size);
            }
            (Work::Request(operation), Err(TaskFailure::Refused(refusal))) => {
                // That a session is not known any more leads to the same question without it.
                let asks = match operation {
                    Operation::Init(init) => init.session.is_none(),
                    Operation::Slice(_) => true,
                    _ => false,
                };
                let turns = asks && !matches!(refusal.class, Class::Retry | Class::Overload | Class::Resign);
                watch.turns += u64::from(turns);
                if let (Operation::Slice(slice), false) = (operation, turns) {
                    watch.failed_at = slice.offset;
                }
                if turns && api == Api::FilesV1 {
                    watch.again = (0, 0);
                }
            }
            (Work::Request(Operation::Slice(slice)), Err(_)) => watch.failed_at = slice.offset,
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
            Operation::Init(init) => self.check_init(init),
            Operation::Delete => self.check_delete(),
            _ => {}
        }
    }

    /// A session is given where the server names offsets, and only with the content that it was begun for.
    fn check_init(&self, init: &Init) {
        let Some(session) = &init.session else { return };
        assert_eq!(self.scenario.manner.api, Api::FilesV1, "init has a session");
        let upload = self
            .model
            .upload
            .as_ref()
            .filter(|upload| upload.session == *session);
        let sha = init.digests.as_ref().map(|digests| digests.whole());
        assert!(
            upload.is_none_or(|upload| upload.sha == sha && upload.size == init.size),
            "the session of other content"
        );
    }

    /// What is not ours is deleted only where that was allowed.
    fn check_delete(&self) {
        let (options, watch) = (&self.scenario.options, &self.watch);
        let mut mine = watch.versions.iter().chain(&watch.earlier);
        let object = self.model.object.as_ref();
        let theirs = object.is_some_and(|object| !mine.any(|content| content[..] == object[..]));
        // Init may have said that none was there, and been wrong; without a digest nothing else would tell.
        let misled = self.scenario.has(Fault::AnswerWithoutEffect) && !self.model.manner.tells_sha;
        assert!(
            !theirs || options.overwrite || misled,
            "deletes an object that is not ours"
        );
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
        let name = match (self.scenario.manner.api, operation) {
            (Api::FilesV1, Operation::Init(_)) => "upload_slice without data",
            (Api::FilesV1, Operation::Slice(_)) => "upload_slice with data",
            (api, operation) => api.operation_name(operation.kind()),
        };
        *self.tally.operations.entry(name).or_default() += 1;
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
            client.in_flight(id) <= self.most_in_flight(now),
            "too many in flight"
        );
        if now.acknowledged > before.acknowledged {
            self.watch.turns = 0;
        }
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

    fn most_in_flight(&self, progress: &Progress) -> u32 {
        let scenario = &self.scenario;
        if scenario.manner.api == Api::FilesV1 && progress.phase == Phase::Sending {
            return 1;
        }
        match scenario.source.blocks {
            true => (scenario.connections.most() / 2).max(1),
            false => scenario.connections.most(),
        }
    }

    pub fn check_the_end(&mut self, result: &Result<Object, Error>) {
        let object = self.model.object.as_deref();
        let is_a_version = |content: &Arc<Vec<u8>>| object == Some(&content[..]);
        let object_is_ours = self.watch.versions.iter().any(is_a_version);
        match result {
            Ok(found) => {
                // A stream has no digest that the server could compare with before the last look.
                let unseen = self.scenario.source.reading == Reading::Once
                    && self.scenario.has(Fault::PartCorrupted)
                    && !found.verified;
                // Without a digest nothing but init's word tells whether somebody else's object of this size was there before.
                let misled = !self.scenario.options.hash
                    && self.scenario.has(Fault::AnswerWithoutEffect)
                    && self.scenario.other_object.is_some();
                assert!(
                    object_is_ours || unseen || misled,
                    "success, but the object is not the source"
                );
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
        let manner = &self.model.manner;
        let sees_completion = match manner.api {
            Api::FilesV2 => scenario.options.hash,
            Api::FilesV1 => manner.v1.tells_same_content,
        };
        // Where the session is the only way to an unfinished upload, it must have been kept.
        let finds_unfinished = manner.api == Api::FilesV2 || manner.v1.knows_content || self.remembers();
        let begins_anew = self.watch.commit_sent_before && !sees_completion || !finds_unfinished;
        if !undisturbed || !self.knows_its_own() || self.watch.versions.len() > 1 || begins_anew {
            return;
        }
        let in_flight = u64::from(scenario.connections.most()) * manner.slice_size;
        let most = self.source.len() as u64 + self.life * in_flight;
        let sent = self.watch.slice_bytes;
        assert!(sent <= most, "{sent} bytes were sent, and {most} are enough");
    }

    /// Nobody is told that the object is not there, or not theirs, while it is.
    fn check_denial(&self, error: &Error, object_is_ours: bool) {
        let denies = matches!(error.status, Status::ObjectExists | Status::VerifyFailed);
        let scenario = &self.scenario;
        // What arrives late or twice can complete the object right after it was looked at.
        // And a record that lags says what was there before.
        let moves = [
            Fault::PartCorrupted,
            Fault::Late,
            Fault::Duplicated,
            Fault::StatLags,
        ];
        let holds_still = !moves.into_iter().any(|fault| scenario.has(fault))
            && self.life == 0
            && self.watch.versions.len() == 1;
        // An init that says that nothing is there, and is wrong, makes whatever is there somebody else's.
        let misled = self.scenario.manner.api == Api::FilesV1 && scenario.has(Fault::AnswerWithoutEffect);
        let undisturbed = holds_still && scenario.other_object.is_none() && !misled;
        let has_digests = scenario.options.hash && self.model.manner.tells_sha;
        let knows = undisturbed || has_digests && holds_still;
        assert!(
            !(denies && knows && object_is_ours),
            "{error}, but the object is ours"
        );
    }
}
