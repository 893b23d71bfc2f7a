//! One upload as a state machine: what follows from what happened.
//!
//! ```text
//! hash ─► init ─┬─ instant hit ─────────────────────────────────────────────► verify ─► done
//!               ├─ session ─► slices ─► finish ─┬─ answered ─────────────────────┘
//!               ├─ −4019 ─► list ─► adopt ─► slices …   └─ answer lost ─► finish again ─► list ─► compare
//!               ├─ another upload ─► stat ─► delete ─► init   (only where that was allowed, or it was ours)
//!               └─ exists ─► compare: the same content is success, other content is an error
//! ```
//!
//! Success is only ever concluded from an answer to a finish (or to a one-shot upload or an init with a digest)
//! or from a comparison of the server's own record with the source; see `Machine::compared`.
//!
//! Where the server names the offset to go on at, init takes the place of the list, and where there is no finish the last
//! slice takes its place; see `offsets.rs`.
//!
//! Where there is a checkpoint it is written ahead: before init, and before the first slice of a session. After a failure it
//! is corrected to what is known, and after a success it goes.
//!
//! | question | file |
//! |---|---|
//! | Where does an upload stand? | `step.rs` |
//! | What does it want next? | `wants.rs` |
//! | What comes before the first request? | `beginning.rs` |
//! | What follows from an answer, and from the lack of one? | `slices.rs`, for requests that are made alone `control.rs` |
//! | What if the server names the offset, has something else than was sent, or wants a directory? | `offsets.rs`, `damage.rs`, `parents.rs` |
//! | How does it end, and when is that success? | `conclusion.rs` |
//! | What does a finished upload tell? | `object.rs` |

mod beginning;
mod conclusion;
mod control;
mod damage;
mod object;
mod offsets;
mod parents;
mod slices;
mod step;
mod wants;

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::codes::Class;
use crate::protocol::digest::{Digests, Hasher, Sha1Digest};
use crate::protocol::ranges::Ranges;
use crate::protocol::{
    Answer, Api, Finish, Init, Links, MAX_SINGLE_REQUEST_SIZE, ObjectStatus, Operation, OperationKind,
    Refusal, Rules, Session, SingleUpload, Slice, Stored, Unfinished,
};
use crate::upload::error::{Error, Place};
use crate::upload::event::{Consequence, Event, Events};
use crate::upload::failure::{NetworkFailure, SourceFailure, SourceFault, TaskFailure};
use crate::upload::options::{
    ClientOptions, DEFAULT_SLICE_SIZE, MAX_HASHED_SLICE_SIZE, UploadOptions, validate_size,
};
use crate::upload::plan::{MAX_SLICES, Plan};
use crate::upload::progress::{Phase, Progress};
use crate::upload::rate::Places;
use crate::upload::resume::{self, Ours, Verdict};
use crate::upload::retry::{self, Attempts, Context, Kind, kind_of_network};
use crate::upload::sending::{Leave, Need, Sending};
use crate::upload::status::Status;
use crate::upload::task::{Begun, Content, Done, Memory, Reading, Specification, Work};

pub use object::{Object, Outcome};
pub(crate) use wants::{Free, Want};

use step::{Control, Goal, Local, Saving, Step};

/// How often an upload may begin anew: once because the server lost it, once because digests did not match,
/// and once more for both.
const MAX_RESTARTS: u32 = 3;
/// How often what is in the way is deleted: a server that says so and does not do it is not asked for ever.
const MAX_DISCARDS: u32 = 2;
/// Lists in a row that did not lead to a single new byte on the server.
const MAX_FRUITLESS_LISTS: u32 = 5;
/// Comparisons at the end that may contradict the answer before it is believed: records can lag.
const MAX_CONTRADICTIONS: u32 = 3;

pub(crate) struct Machine {
    name: Arc<str>,
    api: Api,
    rules: Rules,
    size: u64,
    reading: Reading,
    /// The source has yet to be read to its end, and its size is not known.
    unspooled: bool,
    /// How many directories the object is in, and whether they were made.
    depth: u32,
    parents_made: bool,
    options: UploadOptions,
    places: Places,
    memory: Memory,
    step: Step,
    progress: Progress,
    deadline_at: Option<Duration>,
    digests: Option<Arc<Digests>>,
    /// The SHA-1 that was taken while the source was read, once all of it was; for comparisons alone.
    sha_while_read: Option<Sha1Digest>,
    /// They were remembered, not taken in this run.
    digests_remembered: bool,
    /// The digest that a clean restart must find again.
    hashed_before: Option<Sha1Digest>,
    checkpoint: bool,
    saving: Saving,
    /// The checkpoint was written in this run.
    saved: bool,
    slice_size: u64,
    /// A finish or one-shot upload may have had its effect without an answer.
    commit_unanswered: bool,
    /// A finish was sent, whatever came of it, since a proxy may have sent it twice; or a one-shot upload, and it may have
    /// had its effect.
    commit_sent: bool,
    /// The server did not know the session that was remembered, where init is asked to go on with it.
    session_refused: bool,
    /// The slice that was not answered as stored, and what it has gone through; for when the server names its offset again.
    carried: Option<(u64, Attempts)>,
    /// The server said, before anything of ours was finished, that no object was there.
    absent_before: bool,
    /// The server just said that a complete object is there. A stat alone does not: it may be of an unfinished upload
    /// that has all its bytes.
    is_complete: bool,
    /// The server's words about an object that is in the way.
    conflict: Option<Error>,
    /// The unfinished upload at the path is ours and its bytes are wrong.
    distrust: bool,
    damage: Option<damage::Damage>,
    /// The one clean restart was made.
    cleaned: bool,
    /// A slice was sent in this run.
    tried_slices: bool,
    restarts: u32,
    discards: u32,
    fruitless_lists: u32,
    best_done_bytes: u64,
    bytes_sent: u64,
    slices_sent: u64,
    result: Option<Result<Object, Error>>,
    events: Events,
}

impl Machine {
    pub(crate) fn new(specification: Specification, client: &ClientOptions, now: Duration) -> Self {
        let api = client.api;
        let Specification {
            name,
            size,
            reading,
            blocks: _,
            depth,
            options,
            memory,
            checkpoint,
        } = specification;
        let granularity = options.slice_size.min(MAX_HASHED_SLICE_SIZE);
        let digests = memory
            .digests
            .clone()
            .filter(|digests| options.hash && digests.size() == size && digests.granularity() == granularity);
        let mut machine = Self {
            name,
            api,
            rules: api.rules(),
            size,
            reading,
            unspooled: reading == Reading::AfterSpooling,
            depth,
            parents_made: false,
            slice_size: options.slice_size,
            deadline_at: options.deadline.map(|deadline| now + deadline),
            options,
            places: Places::new(client.connections.most()),
            memory,
            step: Step::Over,
            progress: Progress {
                total: size,
                ..Progress::default()
            },
            digests_remembered: digests.is_some(),
            digests,
            sha_while_read: None,
            session_refused: false,
            carried: None,
            hashed_before: None,
            checkpoint,
            saving: Saving::NotNeeded,
            saved: false,
            commit_unanswered: false,
            commit_sent: false,
            absent_before: false,
            is_complete: false,
            conflict: None,
            distrust: false,
            damage: None,
            cleaned: false,
            tried_slices: false,
            restarts: 0,
            discards: 0,
            fruitless_lists: 0,
            best_done_bytes: 0,
            bytes_sent: 0,
            slices_sent: 0,
            result: None,
            events: Events::new(client.events),
        };
        let size = (!machine.unspooled).then_some(machine.size);
        machine.events.add(|| Event::Begins { size });
        machine.begin();
        machine
    }

    pub(crate) fn progress(&self) -> &Progress {
        &self.progress
    }

    pub(crate) fn result(&self) -> Option<&Result<Object, Error>> {
        self.result.as_ref()
    }

    pub(crate) fn events(&mut self) -> &mut Events {
        &mut self.events
    }

    /// Tells that a request failed, and what follows in place of the end.
    fn tell_failure(&mut self, place: Place, failure: impl FnOnce() -> TaskFailure, next: Consequence) {
        self.events.add(|| Event::Failed {
            place,
            failure: Box::new(failure()),
            next,
        });
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether it is decided how the upload ends.
    pub(crate) fn is_closing(&self) -> bool {
        matches!(self.step, Step::Close { .. } | Step::Over)
    }

    /// Whether the source has yet to be read to its end.
    pub(crate) fn is_unspooled(&self) -> bool {
        self.unspooled
    }

    /// Whether the server has these bytes for good, so that nobody will ask for them again unless it loses them.
    pub(crate) fn is_stored(&self, range: std::ops::Range<u64>) -> bool {
        match &self.step {
            Step::Send(sending) => !sending.unproven && sending.plan.has(range),
            _ => false,
        }
    }

    pub(crate) fn places(&mut self) -> &mut Places {
        &mut self.places
    }

    pub(crate) fn deadline_at(&self) -> Option<Duration> {
        self.deadline_at
    }

    fn control(&mut self, goal: Goal) {
        self.progress.phase = match &goal {
            Goal::Finish(_) => Phase::Finishing,
            Goal::Verify(..) => Phase::Verifying,
            _ => self.progress.phase,
        };
        // A server that names offsets is asked again and again; what is remembered stays the same.
        let asks_again = self.rules.server_names_offset && self.memory.began.is_some() && self.saved;
        if matches!(goal, Goal::Init) && !asks_again {
            self.save_first();
        }
        self.step = Step::Control(Control {
            goal,
            attempts: Attempts::default(),
            ready_at: Duration::ZERO,
            in_flight: false,
            contradictions: 0,
        });
    }

    /// Has the checkpoint written before the next request, which relies on it.
    fn save_first(&mut self) {
        if self.checkpoint {
            self.saving = Saving::Wanted;
        }
    }

    /// The SHA-1 that requests have.
    fn sha(&self) -> Option<Sha1Digest> {
        self.digests.as_ref().map(|digests| digests.whole())
    }

    /// The SHA-1 that the server's record is compared with.
    fn known_sha(&self) -> Option<Sha1Digest> {
        self.sha().or(self.sha_while_read)
    }

    /// Takes what came of a task that this upload handed out.
    pub(crate) fn report(&mut self, work: Work, done: Result<Done, TaskFailure>, context: &mut Context) {
        self.check_deadline(context.now);
        if self.result.is_some() {
            return;
        }
        if matches!(self.step, Step::Close { .. }) {
            // How it ended does not depend on what becomes of the checkpoint, or of other tasks.
            if matches!(work, Work::Save(_) | Work::Forget) {
                self.closed();
            }
            return;
        }
        match (work, done) {
            (Work::Hash { hasher, .. }, Ok(Done::Hashed)) => self.hashed_piece(hasher),
            (Work::Hash { .. }, Err(failure)) => self.fail_without_request(failure),
            (Work::Request(Operation::Slice(slice)), Ok(Done::Answered(Answer::Stored(stored)))) => {
                self.slice_stored(&slice, &stored, context);
            }
            (Work::Request(Operation::Slice(slice)), Ok(Done::Answered(Answer::Complete(links))))
                if !self.rules.has_finish =>
            {
                self.slice_completed(&slice, links);
            }
            (Work::Request(Operation::Slice(_)), Ok(Done::Answered(answer))) => self.does_not_fit(&answer),
            (Work::Request(Operation::Slice(slice)), Err(failure)) => {
                self.slice_failed(&slice, failure, context);
            }
            (Work::Request(_), Ok(Done::Answered(answer))) => self.answered(answer, context),
            (Work::Request(_), Err(failure)) => self.control_failed(failure, context),
            (Work::Save(_), Ok(Done::Saved)) => self.saving = Saving::NotNeeded,
            (Work::Save(_), Err(failure)) => self.fail_without_request(failure),
            (Work::Spool, Ok(Done::Spooled { size })) => self.spooled(size),
            (Work::Digest, Ok(Done::Digest(sha))) => self.digest_told(sha),
            (Work::Spool | Work::Digest | Work::Sign(_), Err(failure)) => self.fail_without_request(failure),
            (_, Ok(_)) | (Work::Forget, Err(_)) => {
                self.fail(Error::new(
                    Status::Panic,
                    "a task was reported with another task's result",
                ));
            }
        }
    }
}
