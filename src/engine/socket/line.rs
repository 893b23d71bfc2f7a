//! What is known of an exchange on both sides of the HTTP library.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::engine::body::Way;
use crate::engine::cancel::{Slot, lock};
use crate::engine::limiter::{Leave, Limits};
use crate::engine::socket::buffers;
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
    /// How long the exchange has waited for leave by its upload's limit.
    pub held: Duration,
    /// Whether the exchange's connection sends files by itself.
    pub takes_files: bool,
    /// What is to be sent of a file behind the output that is due next.
    pub file_piece: Option<FilePiece>,
    /// How many bytes the HTTP library believes to be in the output that are of such a piece.
    pub claimed: usize,
    /// Whether anything of a file was sent so.
    pub sent_file: bool,
    /// Why a piece could not be sent whole.
    pub file_fault: Option<FileFault>,
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
    /// Whether files in the body may be sent without a copy of them.
    pub may_send_files: bool,
}

/// Bytes of a file that the system is to take from there to the socket by itself.
#[derive(Debug)]
pub struct FilePiece {
    /// The file.
    pub file: Arc<File>,
    /// Where in it they begin, in bytes.
    pub offset: u64,
    /// Where in the source they begin, in bytes.
    pub source_offset: u64,
    /// How many they are.
    pub length: u64,
}

/// Bytes of a file could not be had. Who knows the source makes a failure of it.
#[derive(Debug)]
pub struct FileFault {
    /// Where in the source, in bytes.
    pub source_offset: u64,
    /// Why; `None` where the file ended there.
    pub error: Option<io::Error>,
}

impl FilePiece {
    /// So many of them are sent.
    pub fn advance(&mut self, count: u64) {
        self.offset += count;
        self.source_offset += count;
        self.length -= count;
    }
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
            held: Duration::ZERO,
            takes_files: false,
            file_piece: None,
            claimed: 0,
            sent_file: false,
            file_fault: None,
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

impl Way for Line {
    fn is_abandoned(&self) -> bool {
        self.state().cut.is_some()
    }

    fn unwritten(&self) -> usize {
        buffers::UNWRITTEN
    }

    fn send_file(&self, piece: FilePiece) -> bool {
        let mut state = self.state();
        let takes = state.takes_files && state.cut.is_none();
        state.file_piece = Some(piece).filter(|_| takes);
        takes
    }

    fn claim(&self, count: usize) {
        self.state().claimed += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::limiter::Limiter;

    #[test]
    fn whoever_ends_while_it_waits_for_leave_holds_up_nobody_after_it() {
        let limits = Limits {
            client: Arc::new(Limiter::new(Some(1024))),
            ..Limits::default()
        };
        let line = || {
            let line = Arc::new(Line::new().unwrap());
            line.state().limits = limits.clone();
            line
        };
        let lines: Vec<_> = std::iter::repeat_with(line).take(30).collect();
        for line in &lines {
            let sending = Sending(Arc::clone(line));
            while let Leave::Granted(_) = line.take_allowance(1 << 20) {}
            drop(sending);
        }
        let last = line();
        let moment = loop {
            if let Leave::From(moment, _) = last.take_allowance(1 << 20) {
                break moment;
            }
        };
        // Behind the places of all of them it would be nearly half a second.
        assert!(moment <= Instant::now() + Duration::from_millis(50));
    }
}
