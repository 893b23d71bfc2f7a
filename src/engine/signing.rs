//! How a request gets its authorization: from the signer, by the time that signatures are made by.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::protocol::clock::Clocks;
use crate::protocol::location::Location;
use crate::protocol::reply::escape;
use crate::protocol::signature::{self, Kind, Scope, token};
use crate::protocol::{Api, Operation};
use crate::upload::error::Error;
use crate::upload::failure::TaskFailure;

use super::callback::inside_callback;
use super::cancel::lock;
use super::clock::{SigningClock, unix_seconds};
use super::signer::{Fixed, SignRequest, Signer};

/// How long before a string expires another one is asked for: a slice that is under way by then should still arrive in time.
const MARGIN: Duration = Duration::from_secs(30);

/// The most of a callback's message that an error shows, in bytes.
const MAX_MESSAGE: usize = 512;

/// What a client signs with.
pub(super) struct Signing {
    signer: Signer,
    scope: Scope,
    lifetime: Duration,
    clock: SigningClock,
}

/// What a request is to be authorized for.
pub(super) struct Subject<'a> {
    /// The operation's name on the wire.
    operation: &'static str,
    location: &'a Location,
    /// The object's path, or a directory's, unencoded.
    path: Cow<'a, str>,
    kind: Kind,
    /// Whether other requests go with the same string.
    is_shared: bool,
}

impl<'a> Subject<'a> {
    pub(super) fn of(operation: &Operation, location: &'a Location, api: Api) -> Self {
        Self {
            operation: api.operation_name(operation.kind()),
            location,
            path: operation.path(location),
            kind: operation.kind().signature(),
            is_shared: operation.shares_signature(),
        }
    }
}

/// A string that a callback gave to a job, and what for.
struct Given {
    path: String,
    kind: Kind,
    authorization: Zeroizing<String>,
}

/// The strings that a job has from a callback: the newest for each path and kind.
#[derive(Default)]
pub(super) struct Held(Mutex<Vec<Given>>);

impl Held {
    fn keep(&self, subject: &Subject<'_>, authorization: Zeroizing<String>) {
        let mut held = lock(&self.0);
        held.retain(|given| !given.is_for(subject));
        held.push(Given {
            path: subject.path.clone().into_owned(),
            kind: subject.kind,
            authorization,
        });
    }

    /// The string for a request; one that is for this request alone is not kept any longer.
    fn for_request(&self, subject: &Subject<'_>) -> Option<Zeroizing<String>> {
        let mut held = lock(&self.0);
        let position = held.iter().position(|given| given.is_for(subject))?;
        match subject.is_shared {
            true => Some(held[position].authorization.clone()),
            false => Some(held.swap_remove(position).authorization),
        }
    }
}

impl Given {
    fn is_for(&self, subject: &Subject<'_>) -> bool {
        self.path == subject.path && self.kind == subject.kind
    }
}

impl Signing {
    /// # Errors
    /// A lifetime that is not acceptable.
    pub(super) fn new(signer: Signer, scope: Scope, lifetime: Duration) -> Result<Self, Error> {
        signature::check_lifetime(lifetime).map_err(Error::invalid)?;
        Ok(Self {
            signer,
            scope,
            lifetime,
            clock: SigningClock::default(),
        })
    }

    pub(super) fn app_id(&self) -> &str {
        self.signer.app_id()
    }

    /// Whether strings are asked for, by tasks of their own.
    pub(super) fn asks(&self) -> bool {
        matches!(self.signer, Signer::Callback(_))
    }

    /// The authorization of one attempt. Of a callback's strings it is the one that was asked for last.
    pub(super) fn authorization(
        &self,
        subject: &Subject<'_>,
        held: &Held,
    ) -> Result<Zeroizing<String>, TaskFailure> {
        match &self.signer {
            Signer::Fixed(Fixed { authorization, .. }) => Ok(authorization.clone()),
            Signer::Callback(_) => held
                .for_request(subject)
                .ok_or_else(|| TaskFailure::Defect("a request was to be made before it was signed".into())),
            Signer::SecretKey(key) => {
                let random = getrandom::u32().map_err(|error| {
                    TaskFailure::Resources(format!("the system gives no random numbers: {error}"))
                })?;
                let file_id = subject.location.file_id_of(&subject.path);
                Ok(signature::sign(
                    key,
                    subject.location.bucket(),
                    subject.kind,
                    self.scope.bind(subject.kind, &file_id),
                    self.clock.now(),
                    self.lifetime,
                    random,
                ))
            }
        }
    }

    /// Asks the callback for a string, and says how long it may be used for: no longer than one request where that is nothing.
    /// Blocks for as long as the callback does.
    pub(super) fn ask(&self, subject: &Subject<'_>, held: &Held) -> Result<Duration, TaskFailure> {
        let Signer::Callback(callback) = &self.signer else {
            return Ok(self.lifetime);
        };
        let request = SignRequest {
            operation: subject.operation,
            app_id: self.app_id(),
            bucket: subject.location.bucket(),
            path: &subject.path,
            kind: subject.kind,
            lifetime: self.lifetime,
        };
        let call = AssertUnwindSafe(|| inside_callback(|| callback.sign.sign(&request)));
        let authorization = catch_unwind(call)
            .map_err(|_| TaskFailure::Defect("the signer panicked in place of returning an error".into()))?
            .map_err(|message| {
                let message = escape(message.as_bytes(), MAX_MESSAGE);
                TaskFailure::Signer(format!("the signer failed: {message}"))
            })?;
        token::check(&authorization).map_err(|problem| {
            TaskFailure::Signer(format!(
                "the signer gave no usable authorization string: {problem}"
            ))
        })?;
        let good_for = self.good_for(subject.kind, &authorization)?;
        held.keep(subject, authorization);
        Ok(good_for)
    }

    fn good_for(&self, kind: Kind, authorization: &str) -> Result<Duration, TaskFailure> {
        let times = token::times(authorization).filter(|_| kind == Kind::MultiEffect);
        let left = left(times, self.lifetime, self.clock.now(), self.clock.follows());
        left.map(|left| left.saturating_sub(MARGIN)).map_err(|ago| {
            TaskFailure::Signer(format!(
                "the signer gave an authorization string that expired {ago} s ago by the server's clock"
            ))
        })
    }

    /// Takes note of what an answer says of the time.
    pub(super) fn note_date(&self, server_date: Option<u64>) {
        let machine = unix_seconds();
        let clocks = server_date.map(|server| Clocks {
            local: machine,
            server,
        });
        if let Some(clocks) = clocks.filter(|clocks| self.asks() && clocks.can_be_corrected()) {
            self.clock.follow(clocks.server);
        }
    }

    /// Adds to a refusal what is known here. Where it comes from a wrong clock, the next signature is made by the server's: the
    /// state machine repeats a request once whose signature was refused, so a key that is wrong besides makes no loop.
    pub(super) fn explain(&self, failure: TaskFailure, server_date: Option<u64>) -> TaskFailure {
        let mut failure = failure;
        let TaskFailure::Refused(refusal) = &mut failure else {
            return failure;
        };
        refusal.has_fixed_signature = matches!(self.signer, Signer::Fixed(_));
        if let Some(server) = server_date {
            let compared = |local| Clocks { local, server };
            let explains = |clocks: &Clocks| clocks.explain(refusal.code, self.lifetime);
            let machine = compared(unix_seconds());
            // The bound is on the difference from the machine's clock: from a corrected one, each false `Date` would lead further.
            if explains(&compared(self.clock.now())) && machine.can_be_corrected() {
                self.clock.follow(server);
            }
            refusal.clocks = Some(machine).filter(explains);
        }
        failure
    }
}

/// How long a string is good from now on, as far as that can be told, or since how many seconds it is not.
///
/// Until the server has told the time, this machine's clock may be the one that is wrong: then a string that seems to have
/// expired is believed to live as long as it says from when it was made, and the server is left to judge.
fn left(
    times: Option<token::Times>,
    wanted: Duration,
    now: u64,
    is_servers_time: bool,
) -> Result<Duration, u64> {
    let Some(token::Times { signed, expiry }) = times else {
        return Ok(wanted);
    };
    let whole = signed.map_or(wanted.as_secs(), |signed| expiry.saturating_sub(signed));
    let left = match expiry.checked_sub(now).filter(|left| *left > 0) {
        Some(left) => left.min(whole),
        None if is_servers_time => return Err(now - expiry),
        None => whole,
    };
    Ok(Duration::from_secs(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_500_000_000;
    const WANTED: Duration = Duration::from_secs(600);

    fn left_of(signed: Option<u64>, expiry: u64, is_servers_time: bool) -> Result<u64, u64> {
        let times = Some(token::Times { signed, expiry });
        left(times, WANTED, NOW, is_servers_time).map(|left| left.as_secs())
    }

    #[test]
    fn a_string_is_good_until_it_expires_and_never_longer_than_from_when_it_was_made() {
        for is_servers_time in [false, true] {
            assert_eq!(left_of(Some(NOW), NOW + 180, is_servers_time), Ok(180));
            assert_eq!(
                left_of(Some(NOW - 100), NOW + 80, is_servers_time),
                Ok(80),
                "made before"
            );
            // Whoever made it has a clock that is an hour ahead of ours.
            assert_eq!(left_of(Some(NOW + 3600), NOW + 3780, is_servers_time), Ok(180));
            assert_eq!(left_of(None, NOW + 180, is_servers_time), Ok(180));
        }
    }

    #[test]
    fn a_string_that_says_nothing_is_good_for_as_long_as_was_wanted() {
        assert_eq!(left(None, WANTED, NOW, true), Ok(WANTED));
    }

    #[test]
    fn a_string_has_expired_by_the_servers_clock_and_not_by_one_that_may_be_wrong() {
        assert_eq!(left_of(Some(NOW - 180), NOW, true), Err(0));
        assert_eq!(left_of(Some(NOW - 280), NOW - 100, true), Err(100));
        assert_eq!(left_of(Some(NOW - 280), NOW - 100, false), Ok(180));
        assert_eq!(left_of(None, NOW - 100, false), Ok(600));
    }

    #[test]
    fn times_that_make_no_sense_are_those_of_a_string_for_one_request() {
        assert_eq!(left_of(Some(NOW + 500), NOW + 100, true), Ok(0));
        assert_eq!(left_of(Some(u64::MAX), u64::MAX, false), Ok(0));
    }
}
