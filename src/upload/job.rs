//! One job of a client: an upload or a call, and where it stands in the queues.

use std::time::Duration;

use super::call::Call;
use super::error::Error;
use super::event::Events;
use super::failure::TaskFailure;
use super::machine::{Free, Machine, Want};
use super::retry::Context;
use super::signing::Signing;
use super::task::{Done, Task, Work};

/// How many tasks under way may take as long as somebody else likes.
#[derive(Default)]
pub(super) struct Blocked {
    pub sources: u32,
    pub signers: u32,
}

impl Blocked {
    /// The count that a task is in, if it is in one.
    pub fn of(&mut self, task: &Task) -> Option<&mut u32> {
        match task.work {
            Work::Sign(_) => Some(&mut self.signers),
            _ => task.blocks.then_some(&mut self.sources),
        }
    }
}

/// A job, and where it stands.
pub(super) struct Entry {
    pub job: Job,
    /// Whether each of its tasks may block.
    pub blocks: bool,
    pub signing: Signing,
    /// Whether the upload stands in one of the queues but that for a place.
    pub queued: bool,
    /// Whether it stands in the queue for a place: once, and it keeps its turn there whatever else it does meanwhile.
    pub waits_for_place: bool,
    pub in_flight: u32,
    pub announced: bool,
    /// The job's timer.
    pub timer_at: Option<Duration>,
}

impl Entry {
    /// Whether its next task may take as long as somebody else likes.
    pub fn blocks(&self) -> bool {
        self.blocks || self.job.is_unspooled()
    }
}

pub(super) enum Job {
    Upload(Box<Machine>),
    Call(Box<Call>),
}

impl Job {
    pub fn is_over(&self) -> bool {
        match self {
            Self::Upload(machine) => machine.result().is_some(),
            Self::Call(call) => call.result().is_some(),
        }
    }

    /// Whether it is decided how it ends, so that no request follows.
    pub fn is_closing(&self) -> bool {
        match self {
            Self::Upload(machine) => machine.is_closing(),
            Self::Call(call) => call.result().is_some(),
        }
    }

    /// Whether its source has yet to be read to its end.
    pub fn is_unspooled(&self) -> bool {
        match self {
            Self::Upload(machine) => machine.is_unspooled(),
            Self::Call(_) => false,
        }
    }

    pub fn deadline_at(&self) -> Option<Duration> {
        match self {
            Self::Upload(machine) => machine.deadline_at(),
            Self::Call(_) => None,
        }
    }

    pub fn want(&mut self, now: Duration, free: Free) -> Want {
        match self {
            Self::Upload(machine) => machine.want(now, free),
            Self::Call(call) => call.want(now, free),
        }
    }

    pub fn report(&mut self, work: Work, result: Result<Done, TaskFailure>, context: &mut Context) {
        match self {
            Self::Upload(machine) => machine.report(work, result, context),
            Self::Call(call) => call.report(result, context),
        }
    }

    pub fn events(&mut self) -> &mut Events {
        match self {
            Self::Upload(machine) => machine.events(),
            Self::Call(call) => call.events(),
        }
    }

    pub fn stop(&mut self, error: Error) {
        match self {
            Self::Upload(machine) => machine.stop(error),
            Self::Call(call) => call.stop(error),
        }
    }
}
