//! Two clocks, and whether their difference is why a signature was refused.

use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

use super::codes;

/// The largest difference that a signature is corrected by. Whoever sends a `Date` far ahead gets signatures that are good
/// until then, so there must be an end to it: a week is more than a wrong date or time zone. Over https no larger
/// difference ever gets here, since certificates would have been refused.
const LARGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The last second that a date can be written for.
const LAST_SECOND: u64 = 253_402_300_799;

/// What this machine and the server said the time was, at the same moment, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocks {
    /// By this machine, or by whatever signatures were made by.
    pub local: u64,
    /// By the `Date` header of the server's answer.
    pub server: u64,
}

impl Clocks {
    /// Whether a refusal with this code can come from the clocks' difference, for signatures that are good for `lifetime`.
    ///
    /// The code must be one that says that a signature has expired, or that it is not valid, which is also said of those that
    /// are not valid yet. The difference must be more than a twentieth of the lifetime: less makes no fresh signature expire,
    /// no service can demand that clocks agree so closely, and an answer may have been under way for as long.
    pub fn explain(&self, code: Option<i64>, lifetime: Duration) -> bool {
        let is_about_time = matches!(
            code,
            Some(codes::SIGNATURE_EXPIRED | codes::OLD_SIGNATURE_EXPIRED | codes::SIGNATURE_INVALID)
        );
        is_about_time && self.difference() > lifetime / 20
    }

    /// Whether signing by the server's clock instead is acceptable: not where the difference is absurd.
    pub fn can_be_corrected(&self) -> bool {
        self.difference() <= LARGEST
    }

    fn difference(&self) -> Duration {
        Duration::from_secs(self.local.abs_diff(self.server))
    }
}

impl fmt::Display for Clocks {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = |seconds: u64| {
            let since = Duration::from_secs(seconds.min(LAST_SECOND));
            httpdate::fmt_http_date(UNIX_EPOCH + since)
        };
        let direction = match self.local < self.server {
            true => "behind",
            false => "ahead",
        };
        write!(
            out,
            "this machine's clock says {}, the server's {}: it is {} s {direction}",
            date(self.local),
            date(self.server),
            self.local.abs_diff(self.server)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_500_000_000;
    const LIFETIME: Duration = Duration::from_secs(600);

    fn clocks(ahead: i64) -> Clocks {
        Clocks {
            local: NOW.saturating_add_signed(ahead),
            server: NOW,
        }
    }

    #[test]
    fn a_difference_of_more_than_a_twentieth_of_the_lifetime_explains_a_refusal() {
        for sign in [1, -1] {
            assert!(!clocks(0).explain(Some(-59), LIFETIME));
            assert!(!clocks(sign * 30).explain(Some(-59), LIFETIME));
            assert!(clocks(sign * 31).explain(Some(-59), LIFETIME));
        }
    }

    #[test]
    fn only_codes_about_time_are_explained() {
        for code in [-59, -96, -97] {
            assert!(clocks(3600).explain(Some(code), LIFETIME), "{code}");
        }
        for code in [None, Some(0), Some(-61), Some(-77), Some(-71)] {
            assert!(!clocks(3600).explain(code, LIFETIME), "{code:?}");
        }
    }

    #[test]
    fn a_week_can_be_corrected_and_more_is_absurd() {
        const WEEK: i64 = 7 * 86_400;
        for sign in [1, -1] {
            assert!(clocks(sign * WEEK).can_be_corrected());
            assert!(!clocks(sign * (WEEK + 1)).can_be_corrected());
        }
        let no_clock = Clocks {
            local: 0,
            server: u64::MAX,
        };
        assert!(no_clock.explain(Some(-59), LIFETIME) && !no_clock.can_be_corrected());
    }

    #[test]
    fn both_clocks_and_their_difference_are_told() {
        assert_eq!(
            clocks(-3600).to_string(),
            "this machine's clock says Fri, 14 Jul 2017 01:40:00 GMT, the server's Fri, 14 Jul 2017 02:40:00 GMT: \
             it is 3600 s behind"
        );
        assert!(clocks(90).to_string().ends_with("it is 90 s ahead"));
        let absurd = Clocks {
            local: u64::MAX,
            server: 0,
        };
        assert!(absurd.to_string().contains("31 Dec 9999"), "{absurd}");
    }
}
