//! Where an upload stands: each step with what belongs to it alone.

use super::*;

pub(super) enum Step {
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

pub(super) enum Local {
    /// Read the source to its end.
    Spool,
    /// Ask for the digest that was taken while the source was read, and then have the object made.
    Digest(Arc<str>),
}

/// Whether the checkpoint must be written before anything else may be asked for. Nothing is in flight then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saving {
    NotNeeded,
    Wanted,
    InFlight,
}

/// A request that is made alone.
pub(super) struct Control {
    pub(super) goal: Goal,
    pub(super) attempts: Attempts,
    pub(super) ready_at: Duration,
    pub(super) in_flight: bool,
    pub(super) contradictions: u32,
}

pub(super) enum Goal {
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
