//! Whether refusals have to do with how much the client asks for.
//!
//! A server that takes so much and no more refuses requests while there are many, and few or none while there are fewer. A gateway
//! that fails now and then, or a server that thousands of others overload, refuses as many of either. So requests are counted by
//! how many were allowed when they began, more than in the mean of late or not, and the two parts are compared.

/// The weight of one request in what is remembered: about a thousand count.
const FORGETTING: f64 = 1.0 / 1024.0;
/// How many standard deviations of a count are left to chance on either side.
const CHANCE: f64 = 2.0;

/// What became of late requests, by how many were allowed when they began.
#[derive(Debug, Default)]
pub(super) struct Dependence {
    /// How many are allowed, in the mean.
    mean: Option<f64>,
    with_more: Tally,
    with_fewer: Tally,
}

#[derive(Debug, Default)]
struct Tally {
    requests: f64,
    refusals: f64,
}

impl Dependence {
    /// A request came back that had begun when so many were allowed.
    pub fn count(&mut self, allowed: f64, is_refused: bool) {
        let mean = self.mean.unwrap_or(allowed);
        for tally in [&mut self.with_more, &mut self.with_fewer] {
            tally.requests *= 1.0 - FORGETTING;
            tally.refusals *= 1.0 - FORGETTING;
        }
        let tally = match allowed > mean {
            true => &mut self.with_more,
            false => &mut self.with_fewer,
        };
        tally.requests += 1.0;
        tally.refusals += f64::from(u8::from(is_refused));
        self.mean = Some(mean + (allowed - mean) * FORGETTING);
    }

    /// Whether more requests have clearly more refusals, each.
    pub fn is_clear(&self) -> bool {
        let (more, fewer) = (&self.with_more, &self.with_fewer);
        let at_least = more.refusals - CHANCE * more.refusals.sqrt();
        let at_most = fewer.refusals + CHANCE * fewer.refusals.sqrt() + 1.0;
        at_least * fewer.requests > at_most * more.requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts this many requests, of which every so many are refused; none for 0.
    fn count(dependence: &mut Dependence, requests: u32, allowed: f64, refused_of: u32) {
        for request in 1..=requests {
            let is_refused = refused_of > 0 && request % refused_of == 0;
            dependence.count(allowed, is_refused);
        }
    }

    #[test]
    fn refusals_of_more_requests_alone_are_clear() {
        let mut dependence = Dependence::default();
        for _ in 0..4 {
            count(&mut dependence, 50, 4.0, 0);
            count(&mut dependence, 50, 6.0, 10);
        }
        assert!(dependence.is_clear(), "{dependence:?}");
    }

    #[test]
    fn as_many_refusals_of_more_and_of_fewer_are_not() {
        let mut dependence = Dependence::default();
        for _ in 0..40 {
            count(&mut dependence, 60, 4.0, 20);
            count(&mut dependence, 60, 6.0, 20);
            assert!(!dependence.is_clear(), "{dependence:?}");
        }
    }

    #[test]
    fn what_may_be_chance_is_not_clear() {
        // Of a hundred requests each: how many are refused of fewer at once, and of more.
        for (of_fewer, of_more, is_clear) in [
            (0, 4, false),
            (0, 9, true),
            (4, 14, false),
            (4, 24, true),
            (16, 37, false),
            (16, 44, true),
        ] {
            let mut dependence = Dependence::default();
            for left in (0..100).rev() {
                dependence.count(4.0, left < of_fewer);
                dependence.count(6.0, left < of_more);
            }
            assert_eq!(dependence.is_clear(), is_clear, "{of_fewer} and {of_more}");
        }
    }

    #[test]
    fn one_number_of_requests_tells_nothing() {
        let mut dependence = Dependence::default();
        count(&mut dependence, 2000, 8.0, 5);
        assert!(!dependence.is_clear(), "{dependence:?}");
    }

    #[test]
    fn what_is_long_ago_is_forgotten() {
        let mut dependence = Dependence::default();
        count(&mut dependence, 100, 4.0, 0);
        count(&mut dependence, 100, 6.0, 4);
        assert!(dependence.is_clear(), "{dependence:?}");
        for _ in 0..50 {
            count(&mut dependence, 60, 4.0, 20);
            count(&mut dependence, 60, 6.0, 20);
        }
        assert!(!dependence.is_clear(), "{dependence:?}");
    }
}
