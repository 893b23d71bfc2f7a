//! How many requests a server tolerates that refuses some because of overload.
//!
//! Some refusals say nothing about how much is asked for: a gateway that fails now and then, a line that is bad. Fewer requests would
//! not have fewer of them, so a few in a hundred are borne: answers earn credit, and what it pays for takes nothing away. Where more
//! requests clearly have more refusals (`dependence.rs`), nothing is borne, and more is tried slowly: a refusal costs a connection,
//! and what that costs grows with the way to the server.
//!
//! Any other refusal takes the place of its request away, so what is left is what the server took; below two it takes half. Answers
//! give back: fast up to most of what was tolerated before, then slowly and only with credit, so that between two refusals there
//! are many answers however many clients do the same, and faster again after a long time without a refusal. Below one request at a
//! time there are pauses. The less there is, the more an answer gives: a server that needs a client to ask so rarely would have
//! to serve very many, and what is over must not be remembered for long.

use std::time::Duration;

use super::dependence::Dependence;
use crate::upload::random::Random;

/// The least: a request, and then a pause of 31 times as long.
const LEAST: f64 = 1.0 / 32.0;
/// The longest time from one request to the next.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// The part of a refusal that an answer pays for, and how many refusals can be paid for in advance.
const EARNED: f64 = 0.06;
const MOST_CREDIT: f64 = 4.0;
/// The credit that it takes to try more; and where there is less than one, which most of many clients of an overloaded server have.
const CREDIT_TO_GROW: f64 = 1.0;
const CREDIT_TO_GROW_PACED: f64 = 2.0;
/// Below this it grows without credit.
const LITTLE: f64 = 0.4;
/// How long a request is taken to last before one was answered.
const UNKNOWN: Duration = Duration::from_secs(1);
/// The part of what was tolerated before a refusal that is sought again fast.
const FAMILIAR: f64 = 0.7;
/// What an answer gives beyond that, in places; and where there is less than one, over the square of what there is.
const STEP: f64 = 0.06;
const PACED_STEP: f64 = 0.002;
/// What it gives where more requests clearly have more refusals.
const WARY_STEP: f64 = 0.01;
/// After so many answers without a refusal the step doubles, and again after as many: as many as there are in some rounds of all places,
/// and never less than this.
const CALM: f64 = 24.0;
const CALM_ROUNDS: f64 = 3.0;
const WARY_CALM_ROUNDS: f64 = 6.0;
/// The weight of one answer in the mean of how long they take.
const SMOOTHING: f64 = 1.0 / 8.0;

/// What the server tolerates, as far as it has let know.
#[derive(Debug, Default)]
pub(super) struct Tolerance {
    /// None while no more than that was refused.
    limit: Option<f64>,
    /// Below this it grows fast.
    familiar: f64,
    /// Answers since the last refusal that was not paid for.
    answers: u32,
    /// Refusals that are paid for.
    credit: f64,
    dependence: Dependence,
    /// How long an answer takes, in seconds, in the mean.
    typical: Option<f64>,
    /// When the last request began, and by how much its pause is longer or shorter than it should be, so that clients that were
    /// refused together do not come back together.
    last_begun: Duration,
    jitter: f64,
    /// Until then the newest place is closed: begun at another moment than the others, its request finds the server less busy.
    opens_at: Duration,
}

impl Tolerance {
    /// How many requests at once; none for any number.
    pub fn limit(&self) -> Option<f64> {
        self.limit
    }

    /// How many requests may be in flight, in whole ones.
    pub fn places(&self, now: Duration) -> Option<u32> {
        // A number of connections is small, and a limit below 1 is one with pauses.
        let whole = self.limit? as u32;
        Some(whole.saturating_sub(u32::from(now < self.opens_at)).max(1))
    }

    /// When there is one more place, at the latest.
    pub fn opens_at(&self) -> Duration {
        self.opens_at
    }

    /// Until when no request may begin, where there is less than one at a time.
    pub fn pause_until(&self) -> Option<Duration> {
        let limit = self.limit.filter(|&limit| limit < 1.0)?;
        let typical = self.typical.unwrap_or(UNKNOWN.as_secs_f64());
        let pause = (typical * self.jitter / limit).min(LONGEST_PAUSE.as_secs_f64());
        Some(self.last_begun + Duration::from_secs_f64(pause))
    }

    /// A request begins.
    pub fn begin(&mut self, now: Duration, random: &mut Random) {
        if self.limit.is_some() {
            self.last_begun = now;
            self.jitter = 0.5 + fraction(random);
        }
    }

    /// A request was refused that began when so many were `allowed`; with it so many were in flight. Whether fewer may be from now on.
    pub fn refused(&mut self, in_flight: u32, allowed: f64) -> bool {
        self.dependence.count(allowed, true);
        if self.dependence.is_clear() {
            self.credit = 0.0;
        }
        if self.credit >= 1.0 {
            self.credit -= 1.0;
            return false;
        }
        let in_flight = f64::from(in_flight);
        let limit = self.limit.unwrap_or(in_flight);
        if self.limit.is_none() || self.answers > 0 {
            self.familiar = limit * FAMILIAR;
        }
        let limit = limit.min(in_flight);
        self.limit = Some((limit - (limit / 2.0).min(1.0)).max(LEAST));
        self.answers = 0;
        true
    }

    /// Whether an answer may give more than what is familiar.
    fn may_grow(&self, limit: f64) -> bool {
        match limit {
            _ if limit < LITTLE => true,
            _ if limit < 1.0 => self.credit >= CREDIT_TO_GROW_PACED,
            _ => self.credit >= CREDIT_TO_GROW,
        }
    }

    /// What an answer gives where it may.
    fn step(&self, limit: f64) -> f64 {
        let (step, rounds) = match self.dependence.is_clear() {
            _ if limit < 1.0 => (PACED_STEP / (limit * limit), CALM_ROUNDS),
            true => (WARY_STEP, WARY_CALM_ROUNDS),
            false => (STEP, CALM_ROUNDS),
        };
        let calm = f64::from(self.answers) / CALM.max(rounds * limit);
        step * calm.floor().min(30.0).exp2()
    }

    /// A request was answered after so long that began when so many were `allowed`; `is_last` where no more could have been in
    /// flight beside it.
    pub fn answered(
        &mut self,
        took: Duration,
        allowed: f64,
        is_last: bool,
        now: Duration,
        random: &mut Random,
    ) {
        self.dependence.count(allowed, false);
        let took = took.as_secs_f64();
        let mean = self.typical.unwrap_or(took);
        let typical = mean + (took - mean) * SMOOTHING;
        self.typical = Some(typical);
        self.credit = (self.credit + EARNED).min(MOST_CREDIT);
        let Some(before) = self.limit else {
            return;
        };
        self.answers = self.answers.saturating_add(1);
        let mut limit = before;
        if before < self.familiar {
            limit = (before + most_more(before)).min(self.familiar);
        } else if is_last && self.may_grow(before) {
            limit += self.step(before).min(most_more(before));
        }
        if limit.floor() > before.floor().max(1.0) {
            self.opens_at = now + Duration::from_secs_f64(typical * fraction(random));
        }
        self.limit = Some(limit);
    }

    /// What is more than can be of use is no limit.
    pub fn forget_above(&mut self, useful: u32) {
        self.limit = self.limit.filter(|&limit| limit < f64::from(useful));
    }
}

/// What one answer gives at most.
fn most_more(limit: f64) -> f64 {
    limit.min(1.0)
}

/// Anything from 0 to 1.
fn fraction(random: &mut Random) -> f64 {
    const PARTS: u32 = 1 << 20;
    random.up_to(u64::from(PARTS)) as f64 / f64::from(PARTS)
}
