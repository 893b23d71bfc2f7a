//! How many slices of an upload that has a rate limit of its own are in flight at once.

use std::time::Duration;

/// So many slices are sent at once even where one would do, so that one is under way while another waits for its answer.
const FEWEST: u32 = 2;

/// The places that an upload may take of its client's connections. One with a limit takes no more than serve its rate: a slice
/// that mostly waits for leave would only keep other uploads from a connection.
#[derive(Debug)]
pub(crate) struct Places {
    most: u32,
    now: u32,
    is_limited: bool,
}

impl Places {
    /// Those of an upload without a limit: `most`, at least 1.
    pub fn new(most: u32) -> Self {
        let is_limited = false;
        let most = most.max(1);
        let now = most;
        Self {
            most,
            now,
            is_limited,
        }
    }

    /// How many slices may be in flight.
    pub fn count(&self) -> u32 {
        self.now
    }

    /// Whether the upload has a limit from now on.
    pub fn limit(&mut self, is_limited: bool) {
        if self.is_limited != is_limited {
            self.is_limited = is_limited;
            self.now = if is_limited { self.fewest() } else { self.most };
        }
    }

    /// A slice has arrived: of the time that it took it waited so long for leave by the upload's limit. Where that is more
    /// than half, half of the places would do; where it is less than a quarter, another one may bring the rate nearer. In
    /// between is room enough for neither to follow from the other.
    pub fn note(&mut self, waited: Duration, took: Duration) {
        if !self.is_limited {
            return;
        }
        if waited > took / 2 {
            self.now = (self.now - 1).max(self.fewest());
        } else if waited < took / 4 {
            self.now = (self.now + 1).min(self.most);
        }
    }

    fn fewest(&self) -> u32 {
        FEWEST.min(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn without_a_limit_it_is_all_of_them() {
        let mut places = Places::new(8);
        places.note(SECOND, SECOND);
        assert_eq!(places.count(), 8);
    }

    #[test]
    fn with_a_limit_it_is_two_until_more_are_needed_and_all_again_without() {
        let mut places = Places::new(8);
        places.limit(true);
        assert_eq!(places.count(), 2);
        for _ in 0..20 {
            places.note(Duration::ZERO, SECOND);
        }
        assert_eq!(places.count(), 8);
        places.limit(true);
        assert_eq!(places.count(), 8, "another rate is no other limit");
        for _ in 0..20 {
            places.note(SECOND * 9 / 10, SECOND);
        }
        assert_eq!(places.count(), 2);
        places.limit(false);
        assert_eq!(places.count(), 8);
    }

    #[test]
    fn one_connection_is_one_place() {
        let mut places = Places::new(1);
        places.limit(true);
        places.note(SECOND, SECOND);
        assert_eq!(places.count(), 1);
    }

    /// Where a connection alone brings `of_rate` of the rate, the number settles where the rate is reached.
    #[test]
    fn it_settles_at_a_number_that_brings_the_rate() {
        for of_rate in [0.03, 0.1, 0.3, 0.45, 0.7, 1.0, 5.0] {
            let mut places = Places::new(64);
            places.limit(true);
            let mut last = Vec::new();
            for slice in 0..400 {
                // All wait for what is more than the rate.
                let wanted = f64::from(places.count()) * of_rate;
                let waited = f64::max(0.0, 1.0 - 1.0 / wanted);
                places.note(SECOND.mul_f64(waited), SECOND);
                if slice >= 300 {
                    last.push(places.count());
                }
            }
            let (fewest, most) = (*last.iter().min().unwrap(), *last.iter().max().unwrap());
            assert_eq!(fewest, most, "{of_rate}");
            assert!(f64::from(fewest) * of_rate >= 1.0, "{of_rate}: {fewest}");
            assert!(
                f64::from(most) * of_rate <= 2.0 + of_rate || most == FEWEST,
                "{of_rate}: {most}"
            );
        }
    }
}
