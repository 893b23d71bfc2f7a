//! A token bucket.

use std::time::Instant;

/// Holds as many tokens as one second brings.
#[derive(Debug, Default)]
pub(crate) struct RateLimit {
    tokens: f64,
    filled: Option<Instant>,
}

impl RateLimit {
    /// Takes one token of `rate` per second; false when there is none.
    pub(crate) fn take(&mut self, rate: u64, now: Instant) -> bool {
        let capacity = rate as f64;
        self.tokens = match self.filled {
            Some(filled) => {
                (self.tokens + now.saturating_duration_since(filled).as_secs_f64() * capacity).min(capacity)
            }
            None => capacity,
        };
        self.filled = Some(now);
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_burst_of_one_second_then_the_rate() {
        let start = Instant::now();
        let mut limit = RateLimit::default();
        let mut taken = |ms| limit.take(2, start + Duration::from_millis(ms));
        assert_eq!(
            [0, 0, 0, 499, 500, 500, 10_000, 10_000, 10_000].map(&mut taken),
            [true, true, false, false, true, false, true, true, false]
        );
    }
}
