//! The time that signatures are made by.

use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::cancel::lock;

/// This machine's clock, until the server's `Date` has shown that it is wrong; from then on the server's time and what has
/// passed since, so that nothing that happens to this machine's clock matters any more. Shared by all workers of a client.
///
/// Where the machine was suspended, the time since is too short; then the next refusal corrects it once more.
#[derive(Debug, Default)]
pub(super) struct SigningClock {
    /// What the server said, and when.
    followed: Mutex<Option<(u64, Instant)>>,
}

impl SigningClock {
    /// Seconds since 1970.
    pub(super) fn now(&self) -> u64 {
        self.at(unix_seconds(), Instant::now())
    }

    /// From now on goes by the server's clock, which says this, in seconds since 1970.
    pub(super) fn follow(&self, server: u64) {
        *lock(&self.followed) = Some((server, Instant::now()));
    }

    /// Whether it goes by the server's clock.
    pub(super) fn follows(&self) -> bool {
        lock(&self.followed).is_some()
    }

    fn at(&self, machine: u64, moment: Instant) -> u64 {
        match *lock(&self.followed) {
            None => machine,
            Some((server, then)) => {
                let since: Duration = moment.saturating_duration_since(then);
                server.saturating_add(since.as_secs())
            }
        }
    }
}

/// What this machine's clock says, in seconds since 1970.
pub(super) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_it_is_corrected_it_is_the_machines_clock() {
        let clock = SigningClock::default();
        assert_eq!(clock.at(1000, Instant::now()), 1000);
        assert!(!clock.follows());
        let before = unix_seconds();
        let now = clock.now();
        assert!((before..=unix_seconds()).contains(&now));
    }

    #[test]
    fn once_corrected_it_goes_on_by_itself_however_the_machines_clock_jumps() {
        let clock = SigningClock::default();
        clock.follow(5000);
        assert!(clock.follows());
        let later = Instant::now() + Duration::from_secs(100);
        for machine in [0, 1000, 5000, u64::MAX] {
            let now = clock.at(machine, later);
            assert!((5100..5160).contains(&now), "{now}");
        }
        clock.follow(u64::MAX);
        assert_eq!(clock.at(0, later), u64::MAX);
    }
}
