//! How fast may be sent: an allowance of so many bytes a second, and in which order several share it.
//!
//! An allowance grows with the time, and what is sent is charged to it. What was not used does not grow beyond [`BURST`]'s
//! worth, so that no pause is made up for by a flood: within any time `t` no more than `rate × (t + BURST)` is granted, which
//! for a second and more is within 3 %. Who comes while there is too little waits in a queue and is told the moment at which
//! its turn comes if those before it take theirs. Each is granted a piece at a time and then joins at the end, so everybody
//! gets as much as the others. Who comes late keeps its place; meanwhile others have what is beyond its piece.

use std::collections::VecDeque;
use std::time::Duration;

mod places;
#[cfg(test)]
mod tests;

pub(crate) use places::Places;

/// How much time's worth of allowance is kept for later. It makes up for wakes that come late, as they do on a busy machine.
pub const BURST: Duration = Duration::from_millis(30);

/// How much time's worth is granted at once.
const PIECE: Duration = Duration::from_millis(10);

/// A piece is no smaller than this, in bytes, as long as that is no more than [`LONGEST_PIECE`]'s worth: about what a packet
/// carries.
const PACKET: u64 = 1448;

/// See [`PACKET`].
const LONGEST_PIECE: Duration = Duration::from_millis(15);

/// Allowances are counted in billionths of a byte: then a rate in bytes per second times a time in nanoseconds is one, exactly.
const BYTE: u128 = 1_000_000_000;

/// Whether something may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// So many bytes may go now.
    Now(u64),
    /// It is to be asked again at this moment.
    At(Duration),
}

/// The allowance of a rate, and who waits for some of it. `Asker` tells them apart.
///
/// * Time is since any fixed moment.
#[derive(Debug)]
pub struct Allowance<Asker> {
    /// In bytes per second.
    rate: Option<u64>,
    /// What may be sent by `at`.
    level: u128,
    at: Duration,
    /// Who waits, the first to go first, and how many bytes they want. Empty where there is no rate.
    queue: VecDeque<(Asker, u64)>,
}

impl<Asker: PartialEq> Allowance<Asker> {
    /// An allowance that was not used yet.
    ///
    /// * `rate`: in bytes per second; `None` for no limit.
    pub fn new(rate: Option<u64>) -> Self {
        Self {
            rate,
            level: rate.map_or(0, burst),
            at: Duration::ZERO,
            queue: VecDeque::new(),
        }
    }

    /// Another rate from `now` on; `None` for no limit. Gives those who wait: for all of them the moment of their turn is
    /// another one now, so they have to ask again.
    pub fn set_rate(&mut self, rate: Option<u64>, now: Duration) -> Vec<Asker>
    where
        Asker: Clone,
    {
        self.fill(now);
        let most = rate.map_or(0, burst);
        self.level = match self.rate {
            Some(_) => self.level.min(most),
            None => most,
        };
        self.rate = rate;
        let waiting = self.waiting();
        if rate.is_none() {
            self.queue.clear();
        }
        waiting
    }

    /// Whether and how much of `wanted` bytes an asker may send. Who may is to [`take`](Self::take) it, or to leave; who may
    /// not has a place in the queue from now on.
    pub fn ask(&mut self, asker: &Asker, wanted: u64, now: Duration) -> Turn
    where
        Asker: Clone,
    {
        self.fill(now);
        let Some(rate) = self.rate else {
            return Turn::Now(wanted);
        };
        let piece = piece(rate);
        let own = wanted.min(piece);
        let place = self.place(asker);
        let ahead = self.queue.iter().take(place.unwrap_or(self.queue.len()));
        let ahead: u64 = ahead.map(|(_, wanted)| piece.min(*wanted)).sum();
        let missing = (u128::from(ahead + own) * BYTE).saturating_sub(self.level);
        if missing == 0 {
            return Turn::Now(own);
        }
        match place {
            Some(place) => self.queue[place].1 = wanted,
            None => self.queue.push_back((asker.clone(), wanted)),
        }
        let wait = missing.div_ceil(u128::from(rate));
        Turn::At(now + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// An asker takes what it was told it may send.
    pub fn take(&mut self, asker: &Asker, bytes: u64) {
        if let Some(place) = self.place(asker) {
            self.queue.remove(place);
        }
        self.level = self.level.saturating_sub(u128::from(bytes) * BYTE);
    }

    /// Of what was taken so much was not sent. Gives those who wait: their turn comes earlier now.
    pub fn give_back(&mut self, bytes: u64) -> Vec<Asker>
    where
        Asker: Clone,
    {
        let Some(rate) = self.rate.filter(|_| bytes > 0) else {
            return Vec::new();
        };
        self.level = burst(rate).min(self.level + u128::from(bytes) * BYTE);
        self.waiting()
    }

    /// An asker waits no longer. Gives those who waited behind it: their turn comes earlier now.
    pub fn leave(&mut self, asker: &Asker) -> Vec<Asker>
    where
        Asker: Clone,
    {
        let Some(place) = self.place(asker) else {
            return Vec::new();
        };
        self.queue.remove(place);
        self.queue
            .range(place..)
            .map(|(asker, _)| asker.clone())
            .collect()
    }

    fn waiting(&self) -> Vec<Asker>
    where
        Asker: Clone,
    {
        self.queue.iter().map(|(asker, _)| asker.clone()).collect()
    }

    fn place(&self, asker: &Asker) -> Option<usize> {
        self.queue.iter().position(|(other, _)| other == asker)
    }

    /// Adds what the time since the last look has brought.
    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at);
        self.at = self.at.max(now);
        if let Some(rate) = self.rate {
            self.level = burst(rate).min(self.level.saturating_add(worth(rate, passed)));
        }
    }
}

/// What a rate allows in a time.
fn worth(rate: u64, time: Duration) -> u128 {
    u128::from(rate).saturating_mul(time.as_nanos())
}

/// The most that an allowance grows to; never less than what a piece needs.
fn burst(rate: u64) -> u128 {
    worth(rate, BURST).max(BYTE)
}

/// The most that is granted at once, in bytes.
fn piece(rate: u64) -> u64 {
    let bytes = |time| u64::try_from(worth(rate, time) / BYTE).unwrap_or(u64::MAX);
    bytes(PIECE).max(PACKET.min(bytes(LONGEST_PIECE))).max(1)
}
