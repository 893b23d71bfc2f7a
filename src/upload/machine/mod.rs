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

mod beginning;
mod conclusion;
mod control;
mod damage;
mod offsets;
mod parents;
mod slices;

use std::sync::Arc;
use std::time::Duration;

use crate::protocol::codes::Class;
use crate::protocol::digest::{Digests, Hasher, Sha1Digest};
use crate::protocol::ranges::Ranges;
use crate::protocol::{
    Answer, Api, Finish, Init, Links, MAX_SINGLE_REQUEST_SIZE, ObjectStatus, Operation, OperationKind,
    Refusal, Rules, Session, SingleUpload, Slice, Stored, Unfinished,
};

use crate::protocol::numbers::numbered;
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
use crate::upload::retry::{self, Attempts, Context, Kind};
use crate::upload::sending::{Leave, Need, Sending};
use crate::upload::status::Status;
use crate::upload::task::{Begun, Content, Done, Memory, Reading, Specification, Work};

/// How much is hashed in one task: long enough to be cheap, short enough to let cancel and others in.
pub const HASH_PIECE: u64 = 8 << 20;
/// How often an upload may begin anew: once because the server lost it, once because digests did not match,
/// and once more for both.
const MAX_RESTARTS: u32 = 3;
/// How often what is in the way is deleted: a server that says so and does not do it is not asked for ever.
const MAX_DISCARDS: u32 = 2;
/// Lists in a row that did not lead to a single new byte on the server.
const MAX_FRUITLESS_LISTS: u32 = 5;
/// Comparisons at the end that may contradict the answer before it is believed: records can lag.
const MAX_CONTRADICTIONS: u32 = 3;

/// What a finished upload has to tell.
#[derive(Clone, Debug)]
pub struct Object {
    /// How the object came to be there.
    pub outcome: Outcome,
    /// Its addresses, as the server told them.
    pub links: Links,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-1, where hashing was on.
    pub sha: Option<Sha1Digest>,
    /// Bytes of slices acknowledged in this run.
    pub bytes_sent: u64,
    /// Bytes that were there before this run.
    pub bytes_resumed: u64,
    /// Slices acknowledged in this run.
    pub slices_sent: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Whether a stat at the end confirmed the size, and the SHA-1 where both sides have one.
    pub verified: bool,
}

numbered! {
    /// How an object came to be there.
    pub enum Outcome {
        Uploaded = 1, "uploaded", "All of it was sent in this run.";
        Resumed = 2, "resumed", "Part of it was there from an unfinished upload.";
        Instant = 3, "instant", "The server had the same content; no slice was sent.";
    }
}

/// What may begin now.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    /// One more hashing task.
    pub hasher: bool,
    /// One more request.
    pub place: bool,
}

/// What an upload wants now.
pub(crate) enum Want {
    /// This to be done.
    Task(Work, u32),
    /// To hash, but no hashing task is free.
    Hasher,
    /// To make a request, but no more may be in flight.
    Place,
    /// Nothing before then.
    WaitUntil(Duration),
    /// Nothing until a task comes back.
    Reports,
}

enum Step {
    Hash {
        hasher: Option<Box<Hasher>>,
    },
    /// Something to be done on this side that brings what is needed next.
    Local {
        work: Local,
        in_flight: bool,
    },
    Control(Control),
    Send(Sending),
    /// It is decided how the upload ended. The checkpoint goes with a success, and after a failure says what is known, no
    /// longer what was only begun.
    Close {
        result: Box<Result<Object, Error>>,
        in_flight: bool,
    },
    Over,
}

enum Local {
    /// Read the source to its end.
    Spool,
    /// Ask for the digest that was taken while the source was read, and then have the object made.
    Digest(Arc<str>),
}

/// Whether the checkpoint must be written before anything else may be asked for. Nothing is in flight then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saving {
    NotNeeded,
    Wanted,
    InFlight,
}

/// A request that is made alone.
struct Control {
    goal: Goal,
    attempts: Attempts,
    ready_at: Duration,
    in_flight: bool,
    contradictions: u32,
}

enum Goal {
    Init,
    Upload,
    List,
    /// Is the object at the path ours?
    Compare,
    /// Would a delete remove a complete object?
    BeforeDiscard,
    Discard,
    /// Make the directory that this many segments of the path name.
    CreateParent(u32),
    Finish(Arc<str>),
    /// Does the server's record agree with its answer?
    Verify(Outcome, Links),
}

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

    /// What the checkpoint must say before the next request is made: that it was made. A life that ends in the midst of
    /// it knows nothing better.
    fn memory_ahead(&self) -> Memory {
        let mut memory = self.memory.clone();
        match &self.step {
            Step::Send(_) => memory.sent.insert(0..self.size),
            _ => {
                memory.init_unanswered.get_or_insert(self.content());
            }
        }
        memory
    }

    /// What to do now. A task that is handed out counts as in flight until it is reported.
    pub(crate) fn want(&mut self, now: Duration, free: Free) -> Want {
        self.check_deadline(now);
        match (self.saving, &self.step) {
            (_, Step::Over) | (Saving::NotNeeded, _) => {}
            (Saving::InFlight, _) => return Want::Reports,
            (Saving::Wanted, _) => {
                (self.saving, self.saved) = (Saving::InFlight, true);
                return Want::Task(Work::Save(Box::new(self.memory_ahead())), 1);
            }
        }
        match &mut self.step {
            Step::Over | Step::Close { in_flight: true, .. } => Want::Reports,
            Step::Close { result, in_flight } => {
                *in_flight = true;
                let work = match **result {
                    Ok(_) => Work::Forget,
                    Err(_) => Work::Save(Box::new(self.memory.clone())),
                };
                Want::Task(work, 1)
            }
            Step::Local { in_flight: true, .. } => Want::Reports,
            Step::Local { work, in_flight } => {
                *in_flight = true;
                let work = match work {
                    Local::Spool => Work::Spool,
                    Local::Digest(_) => Work::Digest,
                };
                Want::Task(work, 1)
            }
            Step::Hash { hasher } => match hasher.take_if(|_| free.hasher) {
                Some(taken) => {
                    let length = HASH_PIECE.min(self.size - taken.position());
                    Want::Task(
                        Work::Hash {
                            hasher: taken,
                            length,
                        },
                        1,
                    )
                }
                None if hasher.is_some() => Want::Hasher,
                None => Want::Reports,
            },
            Step::Control(control) => {
                if control.in_flight {
                    return Want::Reports;
                }
                if control.ready_at > now {
                    return Want::WaitUntil(control.ready_at);
                }
                if !free.place {
                    return Want::Place;
                }
                control.in_flight = true;
                let attempt = control.attempts.begin(control.ready_at, now);
                self.commit_sent |= matches!(control.goal, Goal::Finish(_));
                self.progress.retries += u64::from(attempt > 1);
                Want::Task(Work::Request(self.control_operation()), attempt)
            }
            Step::Send(_) => self.want_of_slices(now, free),
        }
    }

    fn want_of_slices(&mut self, now: Duration, free: Free) -> Want {
        let Step::Send(sending) = &mut self.step else {
            return Want::Reports;
        };
        sending.set_window(self.places.count());
        match sending.need(now, free.place) {
            Need::Send { index, attempt } => {
                let (offset, length) = (sending.plan.offset(index), sending.plan.length(index));
                let session = sending.session.clone();
                self.memory.sent.insert(offset..offset + length);
                self.tried_slices = true;
                self.commit_sent |= !self.rules.has_finish && offset + length == self.size;
                self.progress.retries += u64::from(attempt > 1);
                let slice = Slice {
                    session,
                    offset,
                    length,
                    sha: self.sha(),
                };
                Want::Task(Work::Request(Operation::Slice(slice)), attempt)
            }
            Need::Place => Want::Place,
            Need::WaitUntil(at) => Want::WaitUntil(at),
            Need::Answers => Want::Reports,
            Need::Leave(leave) => {
                match leave {
                    Leave::List => self.ask_for_list(),
                    Leave::Restart => self.restart(true),
                }
                // The hashing of a restart waits for the next call, which says whether a hasher is free.
                self.want(
                    now,
                    Free {
                        hasher: false,
                        ..free
                    },
                )
            }
            Need::Finish => {
                let session = sending.session.clone();
                self.all_is_there(session);
                self.want(
                    now,
                    Free {
                        hasher: false,
                        ..free
                    },
                )
            }
        }
    }

    fn control_operation(&self) -> Operation {
        let Step::Control(control) = &self.step else {
            return Operation::Stat;
        };
        let (size, sha) = (self.size, self.sha());
        let (biz_attr, overwrite) = (self.options.biz_attr.clone(), self.options.overwrite);
        match &control.goal {
            Goal::Init => Operation::Init(Init {
                size,
                slice_size: self.slice_size,
                digests: self.digests.clone(),
                biz_attr,
                overwrite,
                session: self.session_to_go_on_with(),
            }),
            Goal::Upload => Operation::Upload(SingleUpload {
                size,
                sha,
                biz_attr,
                overwrite,
            }),
            Goal::List => Operation::List,
            Goal::Compare | Goal::BeforeDiscard | Goal::Verify(..) => Operation::Stat,
            Goal::Discard => Operation::Delete,
            Goal::CreateParent(level) => Operation::CreateDirectory(*level),
            Goal::Finish(session) => Operation::Finish(Finish {
                session: session.clone(),
                size,
                sha,
            }),
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

    /// The server has every slice.
    fn all_is_there(&mut self, session: Arc<str>) {
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
    fn digest_told(&mut self, sha: Option<Sha1Digest>) {
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

/// How a request without an answer is repeated; `None` where repeating can't help.
pub(crate) fn kind_of_network(failure: &NetworkFailure) -> Option<Kind> {
    use crate::upload::failure::Cause;
    match failure.cause {
        _ if failure.stale => Some(Kind::Stale),
        Cause::TimedOut => Some(Kind::Overload),
        Cause::NoAddress | Cause::Broken | Cause::Malformed => Some(Kind::Again),
        Cause::Untrusted | Cause::TooLarge => None,
    }
}
/// How a refused request is repeated; `None` where the refusal stands, or asks for something else.
pub(crate) fn kind_of_refusal(refusal: &Refusal) -> Option<Kind> {
    match refusal.class {
        Class::Retry | Class::Damaged => Some(Kind::Again),
        Class::Overload => Some(Kind::Overload),
        Class::Resign => Some(Kind::Resign),
        Class::Relist
        | Class::BadOffset
        | Class::OtherUpload
        | Class::Exists
        | Class::Absent
        | Class::SliceSize
        | Class::Delivered
        | Class::Restart
        | Class::Final => None,
    }
}
