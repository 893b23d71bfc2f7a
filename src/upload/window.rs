//! How many requests may be in flight: as many as bring goodput, and no more than the server tolerates.
//!
//! Two questions, each with an answer of its own, and the lower one counts:
//!
//! | question | file | moved by |
//! |---|---|---|
//! | How many are of use? | `growth.rs` | how long requests take with more or fewer of them |
//! | How many does the server tolerate? | `tolerance.rs`, `dependence.rs` | refusals because of overload, and answers |
//!
//! All of it is the client's, since its endpoint is one service. Only requests count: hashing and the signer have nothing to do
//! with the server.

mod dependence;
mod growth;
mod tolerance;

use std::time::Duration;

use crate::protocol::Operation;

use super::options::Connections;
use super::random::Random;
use growth::Growth;
use tolerance::Tolerance;

/// Below its number of requests for longer than this, the client has not wanted more: what was measured before is of another time.
const SLACK: Duration = Duration::from_secs(10);

/// The requests of a client that are in flight, and how many may be.
#[derive(Debug)]
pub(super) struct Window {
    in_flight: u32,
    /// Of these, those whose source may take as long as it likes.
    reading: u32,
    /// Since when fewer are in flight than may be.
    slack_since: Option<Duration>,
    adaptive: Option<Box<Adaptive>>,
}

/// What is known of the way to the server, where the number adapts to it.
#[derive(Debug)]
struct Adaptive {
    growth: Growth,
    tolerance: Tolerance,
}

/// Whether one more request may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Free,
    /// When one in flight comes back.
    AfterAnother,
    /// Then, and not before.
    At(Duration),
}

/// What is remembered of a request in flight.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    begun: Duration,
    reads: bool,
    /// No further one could have begun beside it.
    is_last: bool,
    /// How many were allowed when it began.
    allowed: f64,
    /// The measurement it belongs to.
    round: Option<u32>,
}

/// What became of a request, as far as the server's strength is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    /// The server did what it could.
    Answered,
    /// The server, or the way to it, has too much to do.
    Overloaded,
    /// It tells nothing about that.
    Lost,
}

impl Window {
    pub fn new(connections: Connections) -> Self {
        let adaptive = match connections {
            Connections::Fixed(_) => None,
            Connections::Adaptive(most) => Some(Box::new(Adaptive {
                growth: Growth::new(most),
                tolerance: Tolerance::default(),
            })),
        };
        Self {
            in_flight: 0,
            reading: 0,
            slack_since: None,
            adaptive,
        }
    }

    /// How many requests may be in flight; below 1 it is one at a time, with pauses. `None` for no limit but the workers.
    pub fn size(&self) -> Option<f64> {
        self.adaptive.as_ref().map(|adaptive| adaptive.size())
    }

    /// Whether one more request may begin; `reads` where its source may take as long as it likes.
    pub fn place(&self, now: Duration, reads: bool) -> Place {
        let Some(adaptive) = &self.adaptive else {
            return Place::Free;
        };
        if self.is_full(adaptive.places(now), reads) {
            let opens_at = adaptive.tolerance.opens_at();
            return match now < opens_at && !self.is_full(adaptive.places(opens_at), reads) {
                true => Place::At(opens_at),
                false => Place::AfterAnother,
            };
        }
        match adaptive.tolerance.pause_until() {
            Some(until) if until > now => Place::At(until),
            _ => Place::Free,
        }
    }

    /// Sources that hang have half of the places, and what is left of them leaves one to all others.
    fn is_full(&self, places: u32, reads: bool) -> bool {
        match reads {
            true => self.in_flight >= places || self.reading >= (places / 2).max(1),
            false => self.in_flight - self.reading >= places.saturating_sub(self.reading).max(1),
        }
    }

    /// A request begins.
    pub fn begin(&mut self, reads: bool, now: Duration, random: &mut Random) -> Flight {
        self.in_flight += 1;
        self.reading += u32::from(reads);
        let places = self.adaptive.as_ref().map_or(0, |adaptive| adaptive.places(now));
        let is_last = self.is_full(places, reads);
        let Some(adaptive) = &mut self.adaptive else {
            return Flight {
                begun: now,
                reads,
                is_last,
                allowed: 0.0,
                round: None,
            };
        };
        if self
            .slack_since
            .is_some_and(|since| now.saturating_sub(since) > SLACK)
        {
            adaptive.growth.start_over();
        }
        if is_last {
            self.slack_since = None;
        }
        adaptive.tolerance.begin(now, random);
        let held_back = adaptive.is_held_back(now);
        Flight {
            begun: now,
            reads,
            is_last,
            allowed: adaptive.size(),
            round: (!held_back)
                .then(|| adaptive.growth.enter(self.in_flight, is_last))
                .flatten(),
        }
    }

    /// A request came back.
    pub fn end(
        &mut self,
        flight: Flight,
        operation: &Operation,
        landing: Landing,
        now: Duration,
        random: &mut Random,
    ) {
        let in_flight = self.in_flight;
        self.in_flight -= 1;
        self.reading -= u32::from(flight.reads);
        let Some(adaptive) = &mut self.adaptive else {
            return;
        };
        let took = now.saturating_sub(flight.begun);
        match landing {
            Landing::Answered => {
                adaptive
                    .tolerance
                    .answered(took, flight.allowed, flight.is_last, now, random);
                adaptive.tolerance.forget_above(adaptive.growth.window());
                adaptive.growth.landed(flight.round, Some((operation, took)));
            }
            Landing::Overloaded => {
                let shrinks = adaptive.tolerance.refused(in_flight, flight.allowed);
                match shrinks {
                    true => adaptive.growth.interrupt(),
                    false => adaptive.growth.landed(flight.round, None),
                }
            }
            Landing::Lost => adaptive.growth.landed(flight.round, None),
        }
        let places = adaptive.places(now);
        if !self.is_full(places, flight.reads) {
            self.slack_since.get_or_insert(now);
        }
    }
}

impl Adaptive {
    /// How many may be in flight, in parts of a request, too.
    fn size(&self) -> f64 {
        let useful = f64::from(self.growth.window());
        let tolerated = self.tolerance.limit();
        tolerated.map_or(useful, |limit| useful.min(limit))
    }

    /// How many may be in flight, in whole requests.
    fn places(&self, now: Duration) -> u32 {
        let useful = self.growth.window();
        self.tolerance
            .places(now)
            .map_or(useful, |tolerated| useful.min(tolerated))
    }

    /// Whether it is the server that lets no more requests begin.
    fn is_held_back(&self, now: Duration) -> bool {
        self.places(now) < self.growth.window() || self.tolerance.pause_until().is_some()
    }
}
