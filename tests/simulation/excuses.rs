//! What may make an upload fail, and how.

use cos_slice::protocol::Api;
use cos_slice::upload::error::Error;
use cos_slice::upload::options::RetryPolicy;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::Reading;

use crate::scenario::Fault;
use crate::world::World;

impl World<'_> {
    /// Faults stop early, and those that pass leave nothing behind: then only what was there before, what nobody can
    /// know, or a limit that was really spent may make an upload fail, and each of these in its own way.
    pub fn is_due(&self, error: &Error) -> bool {
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
                let unsettled = self.is_spent(error) || self.went_round() || changed || self.given.failed;
                unsettled || lasting || !self.knows_its_own() || self.is_obstructed()
            }
            Status::ServerFailed => self.is_spent(error) || self.went_round(),
            Status::BadReply => self.is_spent(error) || self.scenario.has(Fault::AbsurdSliceSize),
            // An empty upload of others may be taken for ours where nothing tells that it has a digest.
            Status::Refused => lasting || self.scenario.other_upload.is_some(),
            // What is complete stays so, whether or not it can be looked at.
            Status::Signer => self.given.failed && !self.watch.told_complete,
            Status::TooLarge => self.scenario.source.too_large,
            Status::NotFound => self.lacks_a_directory(),
            Status::NotRestartable => {
                let reads_once = self.scenario.source.reading == Reading::Once;
                let begins_anew = lasting || self.scenario.has(Fault::SliceSizeChanged);
                reads_once && (begins_anew || !self.knows_its_own() || self.is_obstructed())
            }
            Status::ServerBusy | Status::Connect | Status::ConnectionLost | Status::TimedOut => {
                self.is_spent(error)
            }
            _ => false,
        }
    }

    /// Whether there were as many lists that lead to nothing, or restarts, as there may be.
    fn went_round(&self) -> bool {
        let is_v1 = self.scenario.manner.api == Api::FilesV1;
        // Each look that finds nothing, where the server says that something is there, begins anew; so does wrong content, once.
        let looked_in_vain = (is_v1 || self.scenario.has(Fault::StatLags)) && self.watch.stats >= 3;
        let asked = match is_v1 {
            true => self.watch.turns >= 5,
            false => self.watch.lists >= 5 || self.watch.inits > 3,
        };
        looked_in_vain || asked
    }

    fn lacks_a_directory(&self) -> bool {
        let scenario = &self.scenario;
        let lacks = scenario
            .manner
            .directories
            .is_some_and(|there| there < scenario.depth);
        lacks && (!scenario.options.create_parents || scenario.has(Fault::AnswerWithoutEffect))
    }

    /// Whether a request was attempted as often as it may be.
    fn is_spent(&self, error: &Error) -> bool {
        let policy = RetryPolicy::default();
        let most = match error.server_code {
            // A signature is made anew once.
            Some(-97 | -96 | -59) => 2,
            _ if self.watch.answered => policy.attempts,
            _ => policy.attempts_unanswered,
        };
        error.place.attempts >= most
    }

    /// What was there before may be in the way: of others, or of ours from when the source was different.
    pub fn is_obstructed(&self) -> bool {
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
    pub fn knows_its_own(&self) -> bool {
        let (scenario, manner) = (&self.scenario, &self.model.manner);
        let by_digest = scenario.options.hash && manner.tells_sha;
        if manner.api == Api::FilesV1 {
            // An unfinished upload that it can't find again is begun anew without ado.
            let goes_alone = self.source.len() as u64 <= scenario.options.single_request_limit;
            let begins_anew = scenario.options.overwrite || manner.v1.tells_same_content && !goes_alone;
            return by_digest || begins_anew || !self.watch.commit_doubtful;
        }
        let keeps_session = !manner.rotates_on_list && !scenario.has(Fault::SessionRotated);
        // With digests here and none there, an init whose answer nobody saw leaves what can't be told from another's.
        let inits_were_answered = !scenario.options.hash || self.life == 0 && !self.watch.init_doubtful;
        by_digest || keeps_session && inits_were_answered && self.remembers() && !self.watch.commit_doubtful
    }

    /// Whether each life knows what the one before it did.
    pub fn remembers(&self) -> bool {
        let is_kept = self.scenario.checkpoint && self.scenario.checkpoint_loss == 0;
        is_kept || !self.watch.killed
    }
}
