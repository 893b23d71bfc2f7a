//! What is known of an exchange on both sides of the HTTP library.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::engine::cancel::{Slot, lock};
use crate::engine::limiter::{Leave, Limits};
use crate::protocol::dialect::HiddenHead;
use crate::upload::failure::TaskFailure;

/// What a worker's exchange and its connection tell each other. Only that worker's thread uses it; it is
/// shared because the HTTP library stands between the two.
#[derive(Debug)]
pub struct Line {
    /// Where the worker blocks.
    pub slot: Slot,
    state: Mutex<LineState>,
}

/// What happened in an exchange so far.
#[derive(Debug)]
pub struct LineState {
    /// What is still to be done about the request's head; taken when it is sent.
    pub head: Option<PendingHead>,
    /// How fast may be sent.
    limits: Limits,
    /// How long the head of the answer may take after the last byte sent, and the rest of it after its head.
    pub answer_limit: Duration,
    /// When that is over, once it has begun.
    pub answer_deadline: Option<Instant>,
    /// How much of the request had not arrived when that time began.
    pub unacknowledged: u64,
    /// Whether the answer's head is complete.
    pub has_head: bool,
    /// Whether a connection was opened, as against one that was kept.
    pub opened: bool,
    /// How many bytes of the answer have come.
    pub received: u64,
    /// Why the request was not sent whole, though the exchange went on to see whether there is an answer.
    pub cut: Option<TaskFailure>,
}

/// A request's head before it is sent.
pub struct PendingHead {
    /// The token and what else the HTTP library never sees: it logs what it writes, and keeps copies that nobody overwrites.
    pub hidden: HiddenHead,
    /// Whether a body follows, so that both can leave together.
    pub has_body: bool,
}

impl fmt::Debug for PendingHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("PendingHead")
            .field("has_body", &self.has_body)
            .finish_non_exhaustive()
    }
}

impl LineState {
    fn new(head: Option<PendingHead>, answer_limit: Duration, limits: Limits) -> Self {
        Self {
            head,
            limits,
            answer_limit,
            answer_deadline: None,
            unacknowledged: 0,
            has_head: false,
            opened: false,
            received: 0,
            cut: None,
        }
    }

    /// The answer's head is complete; the time for the rest begins.
    pub fn head_is_complete(&mut self) {
        self.has_head = true;
        self.answer_deadline = Some(Instant::now() + self.answer_limit);
    }

    /// From now on the answer is only waited for this much longer.
    pub fn wait_no_longer_than(&mut self, limit: Duration) {
        self.answer_limit = limit;
        self.answer_deadline = Some(Instant::now() + limit);
    }
}

impl Line {
    /// Takes two descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            slot: Slot::new()?,
            state: Mutex::new(LineState::new(None, Duration::ZERO, Limits::default())),
        })
    }

    /// A new exchange begins.
    pub fn begin(&self, head: PendingHead, answer_limit: Duration, limits: Limits) {
        *self.state() = LineState::new(Some(head), answer_limit, limits);
    }

    /// How much of `wanted` bytes may be sent now, or when to ask again. What is not sent of it is to be
    /// [given back](Self::give_back).
    pub fn take_allowance(&self, wanted: usize) -> Leave {
        self.state().limits.take(self.slot.waker(), wanted)
    }

    /// So much of what was allowed was not sent.
    pub fn give_back(&self, bytes: usize) {
        self.state().limits.give_back(bytes);
    }

    /// What happened so far.
    pub fn state(&self) -> MutexGuard<'_, LineState> {
        lock(&self.state)
    }
}

/// While it lives a request is being sent, which may have a place in a queue for allowance.
pub struct Sending(pub Arc<Line>);

impl Drop for Sending {
    fn drop(&mut self) {
        self.0.state().limits.give_up(self.0.slot.waker());
    }
}
