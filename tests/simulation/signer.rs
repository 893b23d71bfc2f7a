//! A signer that has to be asked. Its signatures are numbers with a life in virtual time.

use std::time::Duration;

use cos_slice::protocol::Operation;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::random::Random;
use cos_slice::upload::task::{Done, Task};

use crate::world::{Answered, World};

#[derive(Clone, Debug)]
pub struct Manner {
    /// How long it says that a signature is good, and how long the server accepts it.
    good_for: Duration,
    accepted_for: Duration,
    /// The longest that it takes.
    slowness: Duration,
    failure_percent: u64,
}

pub fn draw(random: &mut Random) -> Manner {
    let good_for = Duration::from_millis([0, 50, 1000, 10_000, 600_000][random.up_to(4) as usize]);
    Manner {
        good_for,
        accepted_for: match random.up_to(7) {
            0 => good_for / 2,
            _ => good_for + Duration::from_secs(600),
        },
        slowness: Duration::from_millis([10, 10, 30_000][random.up_to(2) as usize]),
        failure_percent: [0, 0, 5][random.up_to(2) as usize],
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Signature {
    number: u64,
    accepted_until: Duration,
}

/// What this life has been given, and what became of it.
#[derive(Default)]
pub struct Given {
    is_asked: bool,
    /// The one that requests share, when it was told, until when it is good, and whether a request went out with it.
    shared: Option<(Signature, Duration, Duration, bool)>,
    /// The one for a request of this kind alone.
    alone: Option<(Signature, String)>,
    refused: Option<u64>,
    /// It was asked, and gave none.
    pub failed: bool,
}

impl World<'_> {
    pub fn ask_signer(&mut self, task: Task, operation: &Operation) {
        let Some(manner) = self.scenario.signer.clone() else {
            panic!("there is no signer to be asked");
        };
        let (now, given) = (self.now, &mut self.given);
        assert!(!given.is_asked, "the signer is asked while it is being asked");
        given.is_asked = true;
        if operation.shares_signature() {
            let is_needed = given.shared.is_none_or(|(signature, _, good_until, _)| {
                now >= good_until || given.refused == Some(signature.number)
            });
            assert!(is_needed, "the signer is asked while its last signature is good");
        } else {
            assert!(given.alone.is_none(), "asked again before the signature was used");
        }
        let at = now + Duration::from_millis(1 + self.random.up_to(manner.slowness.as_millis() as u64));
        if self.random.up_to(99) < manner.failure_percent {
            let failure = TaskFailure::Signer("said by the simulation".into());
            return self.later(at, None, task, Answered::Failed(failure));
        }
        self.signatures += 1;
        let signature = Signature {
            number: self.signatures,
            accepted_until: at + manner.accepted_for,
        };
        self.later(at, None, task, Answered::Signed(signature));
    }

    pub fn signer_answered(&mut self, operation: &Operation, signature: Signature) -> Done {
        let manner = self.scenario.signer.as_ref().expect("who answers is there");
        self.given.is_asked = false;
        self.tally.signatures += 1;
        let good_for = manner.good_for;
        if operation.shares_signature() {
            self.given.shared = Some((signature, self.now, self.now + good_for, false));
        } else {
            self.given.alone = Some((signature, format!("{operation:?}")));
        }
        Done::Signed { good_for }
    }

    /// What a request that begins now goes out with.
    pub fn signature_for(&mut self, operation: &Operation) -> Option<Signature> {
        self.scenario.signer.as_ref()?;
        if !operation.shares_signature() {
            let (signature, made_for) = self
                .given
                .alone
                .take()
                .expect("it was signed for this request alone");
            assert_eq!(
                made_for,
                format!("{operation:?}"),
                "it was signed for something else"
            );
            return Some(signature);
        }
        let shared = self.given.shared.as_mut().expect("the signer was asked before");
        let (signature, told_at, good_until, was_used) = shared;
        let is_the_first = !*was_used && *told_at == self.now;
        assert!(
            self.now < *good_until || is_the_first,
            "a signature is used after its time"
        );
        assert_ne!(
            self.given.refused,
            Some(signature.number),
            "a refused signature is used again"
        );
        *was_used = true;
        Some(*signature)
    }

    pub fn signature_refused(&mut self, signature: u64) {
        // An older one than that of the last refusal says nothing of the present one.
        self.given.refused = self.given.refused.max(Some(signature));
    }
}

impl Signature {
    pub fn number(self) -> u64 {
        self.number
    }

    pub fn is_accepted(self, at: Duration) -> bool {
        at <= self.accepted_until
    }
}
