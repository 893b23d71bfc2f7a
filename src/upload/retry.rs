//! When a failed request is tried again, and when it is given up.

use std::time::Duration;

use crate::protocol::Refusal;
use crate::protocol::codes::Class;

use super::failure::{Cause, NetworkFailure};
use super::options::RetryPolicy;
use super::random::Random;

/// The longest `Retry-After` that is obeyed; a server that asks for more gets this much.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(120);

/// How a request failed, as far as repeating it is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same request again after a back-off.
    Again,
    /// The server or the way to it is overloaded: also pay from the client's budget.
    Overload,
    /// A kept-alive connection broke before an answer: at once on a fresh one, the first time.
    Stale,
    /// The signature was not accepted: at once with a new one, the first time.
    Resign,
}

/// How a request without an answer is repeated; `None` where repeating can't help.
pub(crate) fn kind_of_network(failure: &NetworkFailure) -> Option<Kind> {
    match failure.cause {
        _ if failure.stale => Some(Kind::Stale),
        Cause::TimedOut => Some(Kind::Overload),
        Cause::NoAddress | Cause::Broken | Cause::Malformed => Some(Kind::Again),
        Cause::Untrusted | Cause::TooLarge => None,
    }
}

/// How a refused request is repeated; `None` where the refusal stands, or asks for something else.
pub(crate) fn kind_of_refusal(refusal: &Refusal) -> Option<Kind> {
    match refusal.class {
        Class::Retry | Class::Damaged => Some(Kind::Again),
        Class::Overload => Some(Kind::Overload),
        Class::Resign => Some(Kind::Resign),
        Class::Relist
        | Class::BadOffset
        | Class::OtherUpload
        | Class::Exists
        | Class::Absent
        | Class::SliceSize
        | Class::Delivered
        | Class::Restart
        | Class::Final => None,
    }
}

/// What to do about a failed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then, and not before.
    At(Duration),
    /// Enough.
    GiveUp,
}

/// What one request has gone through.
#[derive(Clone, Debug, Default)]
pub struct Attempts {
    /// Attempts that have begun.
    pub begun: u32,
    failures: u32,
    failing_since: Option<Duration>,
    freshened: bool,
    resigned: bool,
}

/// What decides beside the request's own history: shared by all requests of a client.
pub struct Context<'a> {
    /// The policy.
    pub policy: &'a RetryPolicy,
    /// Where jitter comes from.
    pub random: &'a mut Random,
    /// What overload may still spend; none where the window paces requests after overload.
    pub budget: Option<&'a mut Budget>,
    /// Whether the server has ever answered this client.
    pub answered: bool,
    /// The present.
    pub now: Duration,
}

impl Attempts {
    /// An attempt begins that could have begun at `ready_at`; which it is. That it had to wait for its turn since is not its failing.
    pub fn begin(&mut self, ready_at: Duration, now: Duration) -> u32 {
        if let Some(since) = &mut self.failing_since {
            *since += now.saturating_sub(ready_at);
        }
        self.begun += 1;
        self.begun
    }

    /// Takes note of a failure and decides.
    pub fn failed(&mut self, kind: Kind, retry_after: Option<Duration>, context: &mut Context) -> Next {
        if kind == Kind::Stale && !self.freshened {
            self.freshened = true;
            return Next::At(context.now);
        }
        if kind == Kind::Resign {
            if self.resigned {
                return Next::GiveUp;
            }
            self.resigned = true;
            return Next::At(context.now);
        }
        self.failures += 1;
        let since = *self.failing_since.get_or_insert(context.now);
        if self.is_enough(since, context) {
            return Next::GiveUp;
        }
        let back_off = self.back_off(context);
        let mut delay = back_off;
        if let (Kind::Overload, Some(budget)) = (kind, &mut context.budget) {
            delay += budget.spend(context.now);
        }
        if let Some(asked) = retry_after {
            delay = delay.max(asked.min(LONGEST_RETRY_AFTER));
        }
        // What others impose is not this request's failing.
        self.failing_since = Some(since + (delay - back_off));
        Next::At(context.now + delay)
    }

    fn is_enough(&self, since: Duration, context: &Context) -> bool {
        let policy = context.policy;
        let most = if context.answered {
            policy.attempts
        } else {
            policy.attempts_unanswered
        };
        self.failures >= most || context.now.saturating_sub(since) >= policy.failing_for
    }

    /// Full jitter: anything from nothing to the doubled bound, so that clients that failed together do not
    /// come back together.
    fn back_off(&self, context: &mut Context) -> Duration {
        let doublings = self.failures.saturating_sub(1).min(30);
        let bound = context.policy.first_delay.saturating_mul(1 << doublings);
        let bound = bound.min(context.policy.longest_delay);
        Duration::from_micros(
            context
                .random
                .up_to(u64::try_from(bound.as_micros()).unwrap_or(u64::MAX)),
        )
    }
}

/// What a client may spend on repeating requests that failed by overload, so that many uploads together do
/// not keep an overloaded server down. It delays; it never makes a request fail.
#[derive(Clone, Debug)]
pub struct Budget {
    tokens: f64,
    refilled_at: Duration,
}

/// Retries that may come in one burst.
const BUDGET_BURST: f64 = 10.0;
/// The most that is owed: an outage's debt does not outlive it by more than this many retries.
const BUDGET_DEBT: f64 = 120.0;
/// Retries earned by one success: at most a tenth of the traffic is repetition.
const BUDGET_PER_SUCCESS: f64 = 0.1;
/// Retries earned by one second, so that a client without any success still tries.
const BUDGET_PER_SECOND: f64 = 1.0;

impl Default for Budget {
    fn default() -> Self {
        Self {
            tokens: BUDGET_BURST,
            refilled_at: Duration::ZERO,
        }
    }
}

impl Budget {
    /// A request succeeded.
    pub fn earn(&mut self) {
        self.tokens = (self.tokens + BUDGET_PER_SUCCESS).min(BUDGET_BURST);
    }

    /// Takes one retry, on credit if need be, and says how long to wait for the debt to be paid by time alone.
    pub fn spend(&mut self, now: Duration) -> Duration {
        let earned = now.saturating_sub(self.refilled_at).as_secs_f64() * BUDGET_PER_SECOND;
        self.tokens = ((self.tokens + earned).min(BUDGET_BURST) - 1.0).max(-BUDGET_DEBT);
        self.refilled_at = now;
        if self.tokens >= 0.0 {
            return Duration::ZERO;
        }
        Duration::from_secs_f64(-self.tokens / BUDGET_PER_SECOND).min(LONGEST_RETRY_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bench {
        policy: RetryPolicy,
        random: Random,
        budget: Budget,
        answered: bool,
        now: Duration,
    }

    impl Bench {
        fn new() -> Self {
            Self {
                policy: RetryPolicy::default(),
                random: Random::new(1),
                budget: Budget::default(),
                answered: true,
                now: Duration::from_secs(100),
            }
        }

        fn failed(&mut self, attempts: &mut Attempts, kind: Kind) -> Next {
            self.failed_asking(attempts, kind, None)
        }

        fn failed_asking(&mut self, attempts: &mut Attempts, kind: Kind, asked: Option<u64>) -> Next {
            let mut context = Context {
                policy: &self.policy,
                random: &mut self.random,
                budget: Some(&mut self.budget),
                answered: self.answered,
                now: self.now,
            };
            attempts.failed(kind, asked.map(Duration::from_secs), &mut context)
        }
    }

    #[test]
    fn waits_are_jittered_below_a_doubling_bound_and_end_at_the_tenth_failure() {
        let mut bench = Bench::new();
        let mut attempts = Attempts::default();
        for failure in 0..9 {
            let bound = Duration::from_millis(200 << failure).min(Duration::from_secs(15));
            match bench.failed(&mut attempts, Kind::Again) {
                Next::At(at) => assert!(at >= bench.now && at <= bench.now + bound, "failure {failure}"),
                Next::GiveUp => panic!("gave up at failure {failure}"),
            }
        }
        assert_eq!(bench.failed(&mut attempts, Kind::Again), Next::GiveUp);
    }

    #[test]
    fn a_request_that_fails_for_two_minutes_is_given_up() {
        let mut bench = Bench::new();
        let mut attempts = Attempts::default();
        assert!(matches!(bench.failed(&mut attempts, Kind::Again), Next::At(_)));
        bench.now += Duration::from_secs(120);
        assert_eq!(bench.failed(&mut attempts, Kind::Again), Next::GiveUp);
    }

    #[test]
    fn waiting_for_its_turn_does_not_use_up_the_time_for_failing() {
        let mut bench = Bench::new();
        let mut attempts = Attempts::default();
        for attempt in 1..10 {
            assert_eq!(attempts.begin(bench.now, bench.now), attempt);
            let Next::At(ready_at) = bench.failed(&mut attempts, Kind::Again) else {
                panic!("given up after {attempt} attempts")
            };
            bench.now = ready_at + Duration::from_secs(100);
            attempts.begin(ready_at, bench.now);
            attempts.begun -= 1;
        }
        assert_eq!(bench.failed(&mut attempts, Kind::Again), Next::GiveUp);
    }

    #[test]
    fn a_server_that_never_answered_is_given_up_after_four_attempts() {
        let mut bench = Bench::new();
        bench.answered = false;
        let mut attempts = Attempts::default();
        for _ in 0..3 {
            assert!(matches!(bench.failed(&mut attempts, Kind::Again), Next::At(_)));
        }
        assert_eq!(bench.failed(&mut attempts, Kind::Again), Next::GiveUp);
    }

    #[test]
    fn a_stale_connection_costs_one_immediate_retry_and_then_counts() {
        let mut bench = Bench::new();
        bench.answered = false;
        let mut attempts = Attempts::default();
        assert_eq!(bench.failed(&mut attempts, Kind::Stale), Next::At(bench.now));
        for _ in 0..3 {
            assert!(matches!(bench.failed(&mut attempts, Kind::Stale), Next::At(_)));
        }
        assert_eq!(bench.failed(&mut attempts, Kind::Stale), Next::GiveUp);
    }

    #[test]
    fn a_refused_signature_is_made_anew_once() {
        let mut bench = Bench::new();
        let mut attempts = Attempts::default();
        assert_eq!(bench.failed(&mut attempts, Kind::Resign), Next::At(bench.now));
        assert_eq!(bench.failed(&mut attempts, Kind::Resign), Next::GiveUp);
    }

    #[test]
    fn retry_after_is_a_lower_bound_and_has_an_upper_one() {
        let mut bench = Bench::new();
        let mut attempts = Attempts::default();
        let Next::At(at) = bench.failed_asking(&mut attempts, Kind::Overload, Some(30)) else {
            panic!()
        };
        assert_eq!(at, bench.now + Duration::from_secs(30));
        let Next::At(at) = bench.failed_asking(&mut attempts, Kind::Overload, Some(86_400)) else {
            panic!()
        };
        assert_eq!(at, bench.now + LONGEST_RETRY_AFTER);
    }

    #[test]
    fn waiting_that_the_server_or_the_budget_imposes_does_not_use_up_the_time_for_failing() {
        let mut bench = Bench::new();
        let mut attempts = Attempts::default();
        for attempt in 1..10 {
            let next = bench.failed_asking(&mut attempts, Kind::Overload, Some(100));
            let Next::At(at) = next else {
                panic!("given up after {attempt} attempts")
            };
            bench.now = at;
        }
        assert_eq!(
            bench.failed_asking(&mut attempts, Kind::Overload, Some(100)),
            Next::GiveUp
        );
    }

    #[test]
    fn the_budget_spaces_overload_retries_a_second_apart_once_the_burst_is_spent() {
        let mut budget = Budget::default();
        let now = Duration::from_secs(5);
        let waits: Vec<_> = (0..13).map(|_| budget.spend(now).as_secs()).collect();
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]);
        for _ in 0..1000 {
            budget.earn();
        }
        assert_eq!(budget.spend(now), Duration::ZERO);
    }

    #[test]
    fn overload_waits_longer_once_the_client_has_spent_what_it_may_and_other_failures_do_not() {
        let longest_wait = |kind| {
            let mut bench = Bench::new();
            let mut wait = Duration::ZERO;
            // Each is another request's first failure, so that no back-off grows.
            for _ in 0..60 {
                match bench.failed(&mut Attempts::default(), kind) {
                    Next::At(at) => wait = wait.max(at - bench.now),
                    Next::GiveUp => panic!("the first failure"),
                }
            }
            wait
        };
        assert!(longest_wait(Kind::Again) <= Duration::from_millis(200));
        let paid = longest_wait(Kind::Overload);
        assert!(
            (Duration::from_secs(50)..Duration::from_secs(51)).contains(&paid),
            "{paid:?}"
        );
    }
}
