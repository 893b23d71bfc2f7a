//! The slices of one upload under way: a window that slides over the plan.

use std::sync::Arc;
use std::time::Duration;

use super::plan::Plan;
use super::retry::Attempts;

/// Slices under way. At most `window` of them are in flight or waiting for another attempt, so one slow slice
/// holds one place and never the others, and a server that fails everything is not asked for ever new slices.
#[derive(Debug)]
pub(crate) struct Sending {
    pub session: Arc<str>,
    pub plan: Plan,
    /// Slices must go one after another.
    pub serial: bool,
    /// Nothing more is handed out; once nothing is in flight, this follows.
    pub leave: Option<Leave>,
    /// The server said of a slice that it has it already, which the list must confirm before finish.
    pub unproven: bool,
    window: usize,
    in_flight: Vec<(u64, Attempts)>,
    waiting: Vec<Waiting>,
    /// What the slice that is sent next has gone through before.
    carried: Option<Attempts>,
}

#[derive(Debug)]
struct Waiting {
    index: u64,
    attempts: Attempts,
    ready_at: Duration,
}

/// Why sending ends before all slices are there; of two reasons the later one in this list counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Leave {
    /// Ask the server what it has.
    List,
    /// Begin anew with fresh bytes: what the server has does not match its digests.
    Restart,
}

/// What the slices need now.
#[derive(Debug, PartialEq)]
pub(crate) enum Need {
    /// Send this slice, for the n-th time.
    Send { index: u64, attempt: u32 },
    /// Nothing before then.
    WaitUntil(Duration),
    /// A slice could be sent, and no more requests may be in flight.
    Place,
    /// Nothing until something in flight comes back.
    Answers,
    /// Nothing is in flight any more, and this is to follow.
    Leave(Leave),
    /// Every slice is there.
    Finish,
}

impl Sending {
    pub(crate) fn new(session: Arc<str>, plan: Plan, serial: bool, window: u32) -> Self {
        let window = window.max(1) as usize;
        let (in_flight, waiting) = (Vec::new(), Vec::new());
        Self {
            session,
            plan,
            serial,
            leave: None,
            unproven: false,
            window,
            in_flight,
            waiting,
            carried: None,
        }
    }

    /// From now on so many slices may be in flight or waiting; those that are more remain.
    pub(crate) fn set_window(&mut self, window: u32) {
        self.window = window.max(1) as usize;
    }

    /// The same, where the first slice was attempted before.
    pub(crate) fn carrying(self, carried: Option<Attempts>) -> Self {
        Self { carried, ..self }
    }

    /// What to do now; a slice that is to be sent counts as in flight from here on.
    pub(crate) fn need(&mut self, now: Duration, place_is_free: bool) -> Need {
        if let Some(leave) = self.leave {
            return if self.in_flight.is_empty() {
                Need::Leave(leave)
            } else {
                Need::Answers
            };
        }
        if let Some(position) = self.ready_retry(now) {
            if !place_is_free {
                return Need::Place;
            }
            let waiting = self.waiting.swap_remove(position);
            return self.send(waiting.index, waiting.attempts, waiting.ready_at, now);
        }
        let window = if self.serial { 1 } else { self.window };
        if self.in_flight.len() + self.waiting.len() < window {
            if !place_is_free && self.plan.next_index().is_some() {
                return Need::Place;
            }
            if let Some(index) = self.plan.hand_out() {
                let attempts = self.carried.take().unwrap_or_default();
                return self.send(index, attempts, now, now);
            }
        }
        if let Some(ready_at) = self.waiting.iter().map(|waiting| waiting.ready_at).min() {
            return Need::WaitUntil(ready_at);
        }
        match (self.in_flight.is_empty(), self.plan.is_complete(), self.unproven) {
            (false, ..) => Need::Answers,
            (true, true, false) => Need::Finish,
            // Everything was handed out, yet something is missing or unproven: the server must say what.
            (true, ..) => Need::Leave(Leave::List),
        }
    }

    /// The slice whose wait was over first, so that old slices go before new ones, and none of them is repeated until it counts as
    /// failed while others wait, where there are few places.
    fn ready_retry(&self, now: Duration) -> Option<usize> {
        if self.serial && !self.in_flight.is_empty() {
            return None;
        }
        let ready = self
            .waiting
            .iter()
            .enumerate()
            .filter(|(_, waiting)| waiting.ready_at <= now);
        ready
            .min_by_key(|(_, waiting)| (waiting.ready_at, waiting.index))
            .map(|(position, _)| position)
    }

    fn send(&mut self, index: u64, mut attempts: Attempts, ready_at: Duration, now: Duration) -> Need {
        let attempt = attempts.begin(ready_at, now);
        self.in_flight.push((index, attempts));
        Need::Send { index, attempt }
    }

    /// A slice came back; what it has gone through.
    pub(crate) fn land(&mut self, index: u64) -> Option<Attempts> {
        let position = self.in_flight.iter().position(|(flying, _)| *flying == index)?;
        Some(self.in_flight.swap_remove(position).1)
    }

    /// How often a slice in flight was attempted.
    pub(crate) fn attempts(&self, index: u64) -> u32 {
        self.in_flight
            .iter()
            .find(|(flying, _)| *flying == index)
            .map_or(0, |(_, attempts)| attempts.begun)
    }

    /// A slice that landed is to be sent again then.
    pub(crate) fn retry_at(&mut self, index: u64, attempts: Attempts, ready_at: Duration) {
        self.waiting.push(Waiting {
            index,
            attempts,
            ready_at,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::ranges::Ranges;

    fn sending(slices: u64, window: u32, serial: bool) -> Sending {
        let plan = Plan::new(slices * 10, 10, &Ranges::default()).unwrap();
        Sending::new("s".into(), plan, serial, window)
    }

    fn sent(sending: &mut Sending) -> u64 {
        match sending.need(Duration::ZERO, true) {
            Need::Send { index, .. } => index,
            other => panic!("{other:?}"),
        }
    }

    fn store(sending: &mut Sending, index: u64) {
        sending.land(index).unwrap();
        sending.plan.mark_done(index);
    }

    #[test]
    fn one_slow_slice_does_not_hold_the_others() {
        let mut slices = sending(100, 4, false);
        for expected in 0..4 {
            assert_eq!(sent(&mut slices), expected);
        }
        assert_eq!(slices.need(Duration::ZERO, true), Need::Answers);
        for index in 1..97 {
            store(&mut slices, index);
            assert_eq!(sent(&mut slices), index + 3);
        }
    }

    #[test]
    fn a_slice_that_waits_for_its_retry_keeps_its_place_in_the_window() {
        let mut slices = sending(100, 2, false);
        let (first, second) = (sent(&mut slices), sent(&mut slices));
        for index in [first, second] {
            let attempts = slices.land(index).unwrap();
            slices.retry_at(index, attempts, Duration::from_secs(7 + index));
        }
        assert_eq!(
            slices.need(Duration::ZERO, true),
            Need::WaitUntil(Duration::from_secs(7))
        );
        assert_eq!(
            slices.need(Duration::from_secs(9), true),
            Need::Send { index: 0, attempt: 2 }
        );
    }

    #[test]
    fn with_one_place_slices_that_are_to_be_repeated_take_turns() {
        let mut slices = sending(100, 3, false);
        for index in 0..3 {
            assert_eq!(sent(&mut slices), index);
            let attempts = slices.land(index).unwrap();
            slices.retry_at(index, attempts, Duration::from_secs(1 + index));
        }
        let mut repeated = Vec::new();
        for second in 10..16 {
            let now = Duration::from_secs(second);
            let Need::Send { index, .. } = slices.need(now, true) else {
                panic!("nothing to send")
            };
            let attempts = slices.land(index).unwrap();
            slices.retry_at(index, attempts, now);
            repeated.push(index);
        }
        assert_eq!(repeated, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn serial_means_one_at_a_time_and_in_order() {
        let mut slices = sending(3, 8, true);
        assert_eq!(sent(&mut slices), 0);
        assert_eq!(slices.need(Duration::ZERO, true), Need::Answers);
        let attempts = slices.land(0).unwrap();
        slices.retry_at(0, attempts, Duration::ZERO);
        assert_eq!(sent(&mut slices), 0);
        store(&mut slices, 0);
        assert_eq!(sent(&mut slices), 1);
    }

    #[test]
    fn finish_comes_only_after_all_and_list_in_its_place_while_something_is_unproven() {
        let mut slices = sending(1, 8, false);
        assert_eq!(sent(&mut slices), 0);
        store(&mut slices, 0);
        assert_eq!(slices.need(Duration::ZERO, true), Need::Finish);
        slices.unproven = true;
        assert_eq!(slices.need(Duration::ZERO, true), Need::Leave(Leave::List));
    }

    #[test]
    fn leaving_waits_for_what_is_in_flight_and_sends_nothing_more() {
        let mut slices = sending(9, 2, false);
        assert_eq!((sent(&mut slices), sent(&mut slices)), (0, 1));
        slices.leave = Some(Leave::List);
        store(&mut slices, 0);
        assert_eq!(slices.need(Duration::ZERO, true), Need::Answers);
        store(&mut slices, 1);
        assert_eq!(slices.need(Duration::ZERO, true), Need::Leave(Leave::List));
    }
}
