//! How many requests are of use: found by trying more, and fewer, and comparing how long they take.
//!
//! While a number of requests is always in flight, goodput is that number by the time that one of them takes. So another number
//! is compared with the present one by the durations of like requests, kind by kind and size by size: then it makes no difference
//! which requests happened to be made meanwhile, and the many short ones of small files count as the slices of large ones do.
//!
//! It begins with a few, and doubles while that brings something. From then on it tries now half as many again, now two thirds, and
//! keeps what is better; what brings nothing is tried ever more rarely.

use std::time::Duration;

use crate::protocol::{Operation, OperationKind};

/// Where it begins.
const FIRST: u32 = 4;
/// The gain at which doubling goes on, and that at which the larger number is at least kept. Twice is all that it can be.
const DOUBLING_PAYS: f64 = 1.25;
const MORE_PAYS: f64 = 1.1;
/// The part of what more could bring at best that it must bring.
const LEAST_GAIN: f64 = 0.12;
/// What is left of goodput where fewer are kept.
const LEAST_LEFT: f64 = 0.97;
/// The least number of requests that are compared once doubling is over: the more, the less it is left to chance.
const LEAST_ROUND: u32 = 48;
/// The most measurements from one trial to the next.
const MOST_PATIENCE: u32 = 32;
/// Kinds of requests that are alike: each operation without data, and each power of two of the length of data.
const KINDS: usize = 8 + 32;

/// The number of requests that are of use.
#[derive(Debug)]
pub(super) struct Growth {
    most: u32,
    window: u32,
    stage: Stage,
    round: Round,
    /// What was measured before, to be compared with.
    reference: Option<Reference>,
    /// How many measurements there are before the next trial, and whether that is of more.
    patience: u32,
    tries_more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Each number is twice the one before.
    Doubling,
    /// The number stays, for so many measurements more.
    Staying(u32),
    /// Another number than this one is tried.
    Trying(u32),
}

/// How long requests of each kind took with one number in flight.
#[derive(Clone, Debug)]
struct Reference {
    window: u32,
    sums: Box<[Sum; KINDS]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u32,
    seconds: f64,
}

/// A measurement: of the requests that begin after a change so many are left out, and then so many are taken. All that belong to
/// it count, the slow ones too, unless they outlast three times as many others.
#[derive(Debug)]
struct Round {
    number: u32,
    left_out: u32,
    wanted: u32,
    begun: u32,
    landed: u32,
    /// Requests that landed since it began, whether they belong to it or not.
    passed: u32,
    sums: Box<[Sum; KINDS]>,
    /// How many times as long as in the reference each took, and both sums of those that can be compared.
    ratios: Vec<f32>,
    took: f64,
    took_before: f64,
}

impl Growth {
    pub fn new(most: u32) -> Self {
        let mut growth = Self {
            most,
            window: FIRST.min(most),
            stage: Stage::Doubling,
            round: Round {
                number: 0,
                left_out: 0,
                wanted: 0,
                begun: 0,
                landed: 0,
                passed: 0,
                sums: Box::new([Sum::default(); KINDS]),
                ratios: Vec::new(),
                took: 0.0,
                took_before: 0.0,
            },
            reference: None,
            patience: 1,
            tries_more: true,
        };
        growth.begin_round();
        growth
    }

    pub fn window(&self) -> u32 {
        self.window
    }

    /// The server refused a request, so that for a while it says how many there may be.
    pub fn interrupt(&mut self) {
        self.begin_round();
    }

    /// What was measured is of another time.
    pub fn start_over(&mut self) {
        if let Stage::Trying(before) = self.stage {
            self.window = before;
            self.stage = Stage::Staying(self.patience);
        }
        self.reference = None;
        self.begin_round();
    }

    fn begin_round(&mut self) {
        let window = self.window;
        let round = &mut self.round;
        round.number = round.number.wrapping_add(1);
        (round.left_out, round.wanted) = match self.stage {
            Stage::Doubling => (0, window),
            Stage::Staying(_) => (0, LEAST_ROUND.max(window)),
            // Another number needs time to show: the connections that are added are slow at first.
            Stage::Trying(_) => (window, LEAST_ROUND.max(window)),
        };
        (round.begun, round.landed, round.passed) = (0, 0, 0);
        *round.sums = [Sum::default(); KINDS];
        round.ratios.clear();
        (round.took, round.took_before) = (0.0, 0.0);
    }

    /// A request begins, and with it so many are in flight; the measurement that it belongs to, if it does.
    pub fn enter(&mut self, in_flight: u32, is_last: bool) -> Option<u32> {
        // Doubling is in a hurry: what fills up the new places counts.
        let counts = is_last || (self.stage == Stage::Doubling && in_flight > self.window / 2);
        let round = &mut self.round;
        if !counts {
            return None;
        }
        if round.left_out > 0 {
            round.left_out -= 1;
            return None;
        }
        if round.begun >= round.wanted {
            return None;
        }
        round.begun += 1;
        Some(round.number)
    }

    /// A request came back, with what it was and how long it took where that is known.
    pub fn landed(&mut self, belongs_to: Option<u32>, measured: Option<(&Operation, Duration)>) {
        self.round.passed += 1;
        if belongs_to == Some(self.round.number) {
            self.round.landed += 1;
            if let Some((operation, took)) = measured {
                self.round
                    .measure(kind_of(operation), took, self.reference.as_ref());
            }
        }
        if self.round.is_over(self.stage) {
            self.decide();
            self.begin_round();
        }
    }

    fn decide(&mut self) {
        match self.stage {
            Stage::Doubling => self.decide_on_doubling(),
            Stage::Staying(more) if more > 1 => {
                self.stage = Stage::Staying(more - 1);
                self.keep_as_reference();
            }
            Stage::Staying(_) => {
                self.keep_as_reference();
                self.try_another();
            }
            Stage::Trying(before) => self.decide_on_trial(before),
        }
    }

    fn decide_on_doubling(&mut self) {
        let compared = self.reference.as_ref().map(|reference| reference.window);
        let gain = compared.and_then(|before| {
            let factor = f64::from(self.window) / f64::from(before);
            Some(factor / f64::from(self.round.fast_slowdown()?))
        });
        match (gain, compared) {
            (Some(gain), Some(before)) if gain < MORE_PAYS => self.stay(before),
            (Some(gain), _) if gain < DOUBLING_PAYS => self.stay(self.window),
            _ if self.window == self.most => {
                // Each doubling paid, so fewer would hardly do.
                self.patience = MOST_PATIENCE;
                self.stay(self.window);
            }
            _ => {
                self.keep_as_reference();
                self.window = (2 * self.window).min(self.most);
            }
        }
    }

    fn decide_on_trial(&mut self, before: u32) {
        let factor = f64::from(self.window) / f64::from(before);
        let least = match factor > 1.0 {
            true => 1.0 + (factor - 1.0) * LEAST_GAIN,
            false => LEAST_LEFT,
        };
        let gain = self.round.slowdown().map(|slowdown| factor / slowdown);
        if gain.is_some_and(|gain| gain >= least) {
            self.patience = 1;
            return self.stay(self.window);
        }
        self.patience = (2 * self.patience).min(MOST_PATIENCE);
        self.tries_more = !self.tries_more;
        self.stay(before);
    }

    /// Goes on with this number.
    fn stay(&mut self, window: u32) {
        self.window = window;
        self.stage = Stage::Staying(self.patience);
        self.reference = None;
    }

    fn try_another(&mut self) {
        let before = self.window;
        let more = before + before.div_ceil(2);
        let fewer = before - before.div_ceil(3);
        self.tries_more = (self.tries_more && before < self.most) || fewer == 0;
        self.window = if self.tries_more {
            more.min(self.most)
        } else {
            fewer
        };
        self.stage = match self.window == before {
            true => Stage::Staying(MOST_PATIENCE),
            false => Stage::Trying(before),
        };
    }

    fn keep_as_reference(&mut self) {
        self.reference = Some(Reference {
            window: self.window,
            sums: self.round.sums.clone(),
        });
    }
}

impl Round {
    fn measure(&mut self, kind: usize, took: Duration, reference: Option<&Reference>) {
        let took = took.as_secs_f64();
        self.sums[kind].count += 1;
        self.sums[kind].seconds += took;
        let before = reference
            .map(|reference| reference.sums[kind])
            .unwrap_or_default();
        if before.count > 0 && before.seconds > 0.0 {
            let mean = before.seconds / f64::from(before.count);
            self.ratios.push((took / mean) as f32);
            self.took += took;
            self.took_before += mean;
        }
    }

    /// The faster half is enough for doubling, which compares no others.
    fn is_over(&self, stage: Stage) -> bool {
        let half = 2 * self.landed >= self.wanted;
        self.landed >= self.wanted || (half && (stage == Stage::Doubling || self.passed >= 4 * self.wanted))
    }

    /// How many times as long as before requests take now.
    fn slowdown(&self) -> Option<f64> {
        (self.took_before > 0.0 && self.took > 0.0).then(|| self.took / self.took_before)
    }

    /// The same of the faster ones: with twice as many, half of the connections are new, and slow for that alone.
    fn fast_slowdown(&mut self) -> Option<f32> {
        let middle = self.ratios.len() / 2;
        (middle < self.ratios.len()).then(|| *self.ratios.select_nth_unstable_by(middle, f32::total_cmp).1)
    }
}

fn kind_of(operation: &Operation) -> usize {
    let length = match operation {
        Operation::Slice(slice) => slice.length,
        Operation::Upload(upload) => upload.size,
        _ => 0,
    };
    match operation.kind() {
        OperationKind::Slice | OperationKind::Upload => {
            let power = u64::BITS - length.leading_zeros();
            8 + (power as usize).min(KINDS - 9)
        }
        OperationKind::Init => 0,
        OperationKind::List => 1,
        OperationKind::Finish => 2,
        OperationKind::Stat => 3,
        OperationKind::Delete => 4,
        OperationKind::CreateDirectory => 5,
    }
}
