//! Requests of one job that wait for their signature, where a signer has to be asked.

use std::collections::VecDeque;
use std::time::Duration;

use crate::protocol::Operation;

use super::task::Work;

/// What a job's requests are signed with, as far as the state machine knows: not the signature itself, but until when.
#[derive(Default)]
pub(crate) struct Signing {
    /// Requests that their job has handed out, with their attempts.
    waiting: VecDeque<(Operation, u32)>,
    asking: bool,
    /// Until when the signature that requests share is good.
    good_until: Option<Duration>,
    /// A signature was made for the request that waits first, and for no other.
    is_for_one: bool,
    generation: u32,
}

/// What is to be done for the requests that wait.
pub(crate) enum Turn {
    /// None waits, or the signer is being asked.
    Nothing,
    /// Ask the signer for this operation.
    Ask(Operation),
    /// This request goes out.
    Send(Operation, u32),
    /// One waits, and no more requests may be in flight.
    Place,
}

impl Signing {
    pub(crate) fn is_asking(&self) -> bool {
        self.asking
    }

    /// Whether requests wait that their job has handed out.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Which signature requests go out with now.
    pub(crate) fn generation(&self) -> u32 {
        self.generation
    }

    /// A request waits for its turn.
    pub(crate) fn wait(&mut self, operation: Operation, attempt: u32) {
        self.waiting.push_back((operation, attempt));
    }

    pub(crate) fn turn(&mut self, now: Duration, place_is_free: bool) -> Turn {
        let Some((operation, _)) = self.waiting.front().filter(|_| !self.asking) else {
            return Turn::Nothing;
        };
        let shares = operation.shares_signature() && self.good_until.is_some_and(|until| now < until);
        if !place_is_free {
            // Until there is one, a signature that is good for no time at all is over.
            self.is_for_one &= !operation.shares_signature();
            return Turn::Place;
        }
        if !shares && !self.is_for_one {
            return Turn::Ask(operation.clone());
        }
        self.is_for_one = false;
        match self.waiting.pop_front() {
            Some((operation, attempt)) => Turn::Send(operation, attempt),
            None => Turn::Nothing,
        }
    }

    /// The signer is asked from here on.
    pub(crate) fn ask(&mut self) {
        self.asking = true;
    }

    /// The signer made a signature for the request that waits first. One that is good for no time at all serves that request
    /// alone; another may be over before it is the request's turn, and then counts as none.
    pub(crate) fn made(&mut self, operation: &Operation, now: Duration, good_for: Duration) {
        self.asking = false;
        self.is_for_one = !operation.shares_signature() || good_for.is_zero();
        if operation.shares_signature() {
            self.good_until = Some(now.saturating_add(good_for));
            self.generation += 1;
        }
    }

    /// The signer made none; the requests that waited for it.
    pub(crate) fn failed(&mut self) -> impl Iterator<Item = Work> + use<> {
        self.asking = false;
        std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|(operation, _)| Work::Request(operation))
    }

    /// No request of the job is to go out any more.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
        self.asking = false;
    }

    /// A request that went out with this signature was told that it is not, or no longer, good.
    pub(crate) fn refused(&mut self, generation: u32) {
        if generation == self.generation {
            self.good_until = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_good_for_no_time_is_made_anew_for_a_request_that_had_to_wait_for_its_place() {
        let mut signing = Signing::default();
        let now = Duration::from_secs(1);
        signing.wait(Operation::List, 1);
        assert!(matches!(signing.turn(now, true), Turn::Ask(_)));
        signing.ask();
        signing.made(&Operation::List, now, Duration::ZERO);
        assert!(matches!(signing.turn(now, false), Turn::Place));
        assert!(matches!(signing.turn(now, true), Turn::Ask(_)));
        signing.ask();
        signing.made(&Operation::List, now, Duration::ZERO);
        assert!(matches!(signing.turn(now, true), Turn::Send(..)));
    }

    #[test]
    fn a_signature_for_one_request_alone_waits_with_it() {
        let mut signing = Signing::default();
        let now = Duration::from_secs(1);
        signing.wait(Operation::Delete, 1);
        signing.made(&Operation::Delete, now, Duration::ZERO);
        assert!(matches!(signing.turn(now, false), Turn::Place));
        assert!(matches!(signing.turn(now, true), Turn::Send(..)));
    }
}
