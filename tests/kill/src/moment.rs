//! When a run is killed: at a random time, or at a moment that is aimed at.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::log::Record;
use crate::setup::{Api, Home, Setup, Tools};

/// What the preloaded library watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// The file that is uploaded.
    Source,
    /// The checkpoint folder.
    Checkpoints,
}

/// What becomes of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// It comes back after this time, and the uploader has to survive that.
    For(Duration),
    /// The uploader is killed after this time, before it comes back.
    UntilDeath(Duration),
}

/// When a run is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Immediately before the n-th system call on what is watched, or, for a write, half-way through it.
    Call {
        /// What is watched.
        watched: Watched,
        /// Counted from 1.
        number: u64,
        /// Whether half of a write is done.
        torn: bool,
    },
    /// While the emulator keeps back the answer to the n-th request of this operation and all that follow.
    Held {
        /// The operation.
        operation: &'static str,
        /// Counted from 1.
        nth: u64,
        /// Whether it was executed.
        after_effect: bool,
    },
    /// After this time, while each answer is delayed.
    Time {
        /// When.
        after: Duration,
        /// How long each answer takes.
        pace: Duration,
    },
    /// The service is killed after so many answers.
    ServiceGone {
        /// Answers of this run.
        answers: usize,
        /// And then.
        absence: Absence,
    },
    /// Not at all.
    Never,
}

impl Moment {
    /// Draws one that makes sense for this upload; `missing` slices are not there yet.
    pub fn draw(random: &mut StdRng, setup: &Setup, checkpoint_calls: u64, missing: u64) -> Self {
        let held = |operation, nth, random: &mut StdRng| Self::Held {
            operation,
            nth,
            after_effect: random.random_bool(0.5),
        };
        // Of 100.
        match random.random_range(0..100) {
            0..14 if setup.hash => Self::Call {
                watched: Watched::Source,
                number: random.random_range(2..=reads(setup, missing).max(2)),
                torn: false,
            },
            14..36 if setup.checkpoint => Self::Call {
                watched: Watched::Checkpoints,
                number: random.random_range(1..=checkpoint_calls.max(1)),
                torn: random.random_bool(0.5),
            },
            36..46 => held(setup.api.beginning(), 1, random),
            46..50 if missing < setup.slices() => held(setup.api.question(), 1, random),
            50..62 => held(setup.api.slice(), random.random_range(1..=missing.max(1)), random),
            62..70 => match setup.api {
                Api::V2 => held("upload_slice_finish", 1, random),
                Api::V1 => held(setup.api.slice(), missing.max(1), random),
            },
            70..73 => held("stat", 1, random),
            73..83 => Self::ServiceGone {
                answers: random.random_range(1..=missing as usize + 2),
                absence: absence(random),
            },
            _ if setup.source.size == 0 && random.random_bool(0.5) => held("upload", 1, random),
            _ => time(random, setup, missing),
        }
    }

    /// What the emulator has to do for it.
    pub fn faults(&self, api: Api) -> Value {
        // Never strikes. It makes the emulator learn the operation of a request before its whole body is there.
        let mut rules = vec![json!({"operation": api.slice(), "offset": 1, "action": {"expired": true}})];
        match self {
            Self::Held {
                operation,
                nth,
                after_effect,
            } => {
                let phase = if *after_effect { "after_effect" } else { "before" };
                rules
                    .push(json!({"operation": operation, "nth": nth, "times": 0, "action": {"hang": phase}}));
            }
            Self::Time { pace, .. } if !pace.is_zero() => {
                let delay = pace.as_millis() as u64;
                rules.push(json!({"times": 0, "action": {"delay_ms": delay}}));
            }
            _ => {}
        }
        json!(rules)
    }

    /// What the preloaded library has to do for it.
    pub fn preload(
        &self,
        command: &mut Command,
        setup: &Setup,
        tools: &Tools,
        home: &Home,
        report: &PathBuf,
    ) {
        let (watched, at, torn) = match self {
            Self::Call {
                watched,
                number,
                torn,
            } => (*watched, *number, *torn),
            _ if setup.checkpoint => (Watched::Checkpoints, 0, false),
            _ => (Watched::Source, 0, false),
        };
        let path = match watched {
            Watched::Source => setup.source.path.clone(),
            Watched::Checkpoints => home.checkpoints(),
        };
        command.env("LD_PRELOAD", tools.watch()).env("KILL_WATCH", path);
        command
            .env("KILL_AT", at.to_string())
            .env("KILL_TORN", if torn { "1" } else { "0" });
        command.env("KILL_REPORT", report);
    }

    /// Whether these requests of the run show that the moment is there.
    pub fn has_come(&self, records: &[Record]) -> bool {
        match self {
            Self::Held {
                operation,
                after_effect,
                ..
            } => {
                let held = |record: &Record| record.fault && record.is(operation) && record.status.is_none();
                let executed = |record: &Record| !after_effect || record.code.is_some();
                records.iter().any(|record| held(record) && executed(record))
            }
            Self::ServiceGone { answers, .. } => {
                records.iter().filter(|record| record.status.is_some()).count() >= *answers
            }
            Self::Call { .. } | Self::Time { .. } | Self::Never => false,
        }
    }
}

/// About as many calls on the file as there will be: it is opened, read in pieces of 64 KiB for the SHA-1, and again to
/// be sent.
fn reads(setup: &Setup, missing: u64) -> u64 {
    let bytes = setup.source.size + missing * setup.slice_size;
    1 + bytes.div_ceil(64 << 10)
}

fn absence(random: &mut StdRng) -> Absence {
    let time = Duration::from_millis(random.random_range(0..250));
    if random.random_bool(0.5) {
        Absence::For(time)
    } else {
        Absence::UntilDeath(time)
    }
}

/// A time within about as long as the run will take.
fn time(random: &mut StdRng, setup: &Setup, missing: u64) -> Moment {
    let pace = Duration::from_millis([0, 0, 3, 10, 30][random.random_range(0..5)]);
    let hashing = if setup.hash {
        setup.source.size / 500_000
    } else {
        0
    };
    let sending = missing * setup.slice_size / 100_000;
    let answers = 4 + missing.div_ceil(setup.in_flight());
    let whole = 20_000 + 1000 * (hashing + sending) + pace.as_micros() as u64 * answers;
    Moment::Time {
        after: Duration::from_micros(random.random_range(0..=whole)),
        pace,
    }
}
