//! How many bytes a second may be sent, by one upload or by all of a client, and how workers wait for their turn.
//!
//! The arithmetic is [`crate::upload::rate`]'s. A worker that has to wait has a place in the queue of one limiter, and waits in
//! its [`Slot`](super::cancel::Slot) for the moment it was told. Whatever makes that moment an earlier one wakes it: another
//! rate, or allowance that somebody gave back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::upload::rate::{Allowance, Turn};

use super::cancel::lock;
use super::sys::Waker;

/// A rate that can change at any time.
#[derive(Debug)]
pub struct Limiter {
    /// The moment from which the allowance counts its time.
    begun: Instant,
    /// Whether there is a rate. Only a hint, which spares those without a limit the lock.
    is_limited: AtomicBool,
    allowance: Mutex<Allowance<Asker>>,
}

/// A worker that wants to send, by what wakes it.
#[derive(Clone, Debug)]
struct Asker(Arc<Waker>);

impl PartialEq for Asker {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Default for Limiter {
    /// No limit.
    fn default() -> Self {
        Self::new(None)
    }
}

impl Limiter {
    /// A limit from the beginning; `None` for none.
    pub fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            begun: Instant::now(),
            is_limited: AtomicBool::new(bytes_per_second.is_some()),
            allowance: Mutex::new(Allowance::new(bytes_per_second)),
        }
    }

    /// Another limit from now on, also for those who wait; `None` for none.
    pub fn set(&self, bytes_per_second: Option<u64>) {
        let mut allowance = lock(&self.allowance);
        self.is_limited
            .store(bytes_per_second.is_some(), Ordering::SeqCst);
        wake(&allowance.set_rate(bytes_per_second, self.begun.elapsed()));
    }

    fn give_back(&self, bytes: u64) {
        if bytes > 0 && self.is_limited() {
            wake(&lock(&self.allowance).give_back(bytes));
        }
    }

    fn leave(&self, asker: &Asker) {
        // Who waited while there was a limit was taken out of the queue when there was none any more.
        if self.is_limited() {
            wake(&lock(&self.allowance).leave(asker));
        }
    }

    /// Whether there is a limit.
    pub fn is_limited(&self) -> bool {
        self.is_limited.load(Ordering::SeqCst)
    }
}

fn wake(askers: &[Asker]) {
    for Asker(waker) in askers {
        waker.wake();
    }
}

/// The limits that one request goes by: both hold.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// That of the upload.
    pub upload: Arc<Limiter>,
    /// That of the client.
    pub client: Arc<Limiter>,
}

/// Whether a worker may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// So many bytes, which are taken from both allowances. What is not sent is to be given back.
    Granted(usize),
    /// Not before this moment, by the limit of one of the two; it has a place in a queue, which it keeps until it asks again or
    /// gives up.
    From(Instant, LimitOf),
}

/// Whose limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitOf {
    Upload,
    Client,
}

impl Limits {
    /// Takes some of the `wanted` bytes, of which there is at least one, from both allowances, or takes a place in the queue of
    /// the one that has too little: in one only, since nobody may hold up an allowance while it waits for another.
    pub fn take(&self, waker: &Arc<Waker>, wanted: usize) -> Leave {
        if !self.upload.is_limited() && !self.client.is_limited() {
            return Leave::Granted(wanted);
        }
        let asker = Asker(Arc::clone(waker));
        let wanted = wanted as u64;
        // Always in this order.
        let mut upload = lock(&self.upload.allowance);
        let mut client = lock(&self.client.allowance);
        let granted = match upload.ask(&asker, wanted, self.upload.begun.elapsed()) {
            Turn::Now(granted) => granted,
            Turn::At(moment) => {
                wake(&client.leave(&asker));
                return Leave::From(self.upload.begun + moment, LimitOf::Upload);
            }
        };
        match client.ask(&asker, granted, self.client.begun.elapsed()) {
            Turn::Now(granted) => {
                upload.take(&asker, granted);
                client.take(&asker, granted);
                Leave::Granted(usize::try_from(granted).unwrap_or(usize::MAX))
            }
            Turn::At(moment) => {
                wake(&upload.leave(&asker));
                Leave::From(self.client.begun + moment, LimitOf::Client)
            }
        }
    }

    /// So much of what was granted was not sent.
    pub fn give_back(&self, bytes: usize) {
        self.upload.give_back(bytes as u64);
        self.client.give_back(bytes as u64);
    }

    /// Waits no longer.
    pub fn give_up(&self, waker: &Arc<Waker>) {
        let asker = Asker(Arc::clone(waker));
        self.upload.leave(&asker);
        self.client.leave(&asker);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;
    use crate::engine::cancel::{CancelToken, Slot, Wait};

    const HANG_GUARD: Duration = Duration::from_secs(60);

    fn limits(upload: Option<u64>, client: Option<u64>) -> Limits {
        Limits {
            upload: Arc::new(Limiter::new(upload)),
            client: Arc::new(Limiter::new(client)),
        }
    }

    /// Takes until there is nothing left for now.
    fn exhaust(limits: &Limits, slot: &Slot) {
        while let Leave::Granted(_) = limits.take(slot.waker(), 1 << 20) {}
    }

    /// Whether a worker that waits for leave, with nothing left, gets it by what is done then, and not by the time.
    fn assert_released(limits: &Limits, release: impl FnOnce()) {
        let slot = Slot::new().unwrap();
        let _serving = slot.serve(&CancelToken::new());
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            scope.spawn(|| {
                exhaust(limits, &slot);
                tell.send(()).unwrap();
                let waited = slot.wait(None, Instant::now() + HANG_GUARD).unwrap();
                assert!(matches!(waited, Wait::Ready { .. }), "{waited:?}");
                let leave = limits.take(slot.waker(), 1 << 20);
                assert!(matches!(leave, Leave::Granted(_)), "{leave:?}");
            });
            told.recv_timeout(HANG_GUARD).unwrap();
            release();
        });
    }

    #[test]
    fn who_waits_is_woken_by_another_rate_whichever_limit_it_waits_for() {
        let of_upload = limits(Some(1024), None);
        assert_released(&of_upload, || of_upload.upload.set(None));
        let of_client = limits(None, Some(1024));
        assert_released(&of_client, || of_client.client.set(None));
    }

    #[test]
    fn who_waits_is_woken_when_something_is_given_back() {
        let limits = limits(None, Some(1024));
        assert_released(&limits, || limits.give_back(1024));
    }

    #[test]
    fn nobody_holds_up_one_allowance_while_it_waits_for_the_other() {
        let client = Arc::new(Limiter::new(Some(1 << 20)));
        let of_upload = |rate| Limits {
            upload: Arc::new(Limiter::new(rate)),
            client: Arc::clone(&client),
        };
        let (slow, fast) = (of_upload(Some(1024)), of_upload(None));
        let slots = [Slot::new().unwrap(), Slot::new().unwrap()];
        exhaust(&slow, &slots[0]);
        assert!(matches!(fast.take(slots[1].waker(), 100), Leave::Granted(100)));
    }

    #[test]
    fn both_allowances_are_charged_and_given_back() {
        let limits = limits(Some(100_000), Some(50_000));
        let slot = Slot::new().unwrap();
        let Leave::Granted(granted) = limits.take(slot.waker(), 1 << 20) else {
            panic!("nothing was used yet");
        };
        assert_eq!(granted, 750, "what the lower one allows at once");
        exhaust(&limits, &slot);
        limits.give_up(slot.waker());
        // The upload's has something left, which the client's has not.
        let alone = Limits {
            upload: Arc::clone(&limits.upload),
            client: Arc::default(),
        };
        assert!(matches!(alone.take(slot.waker(), 500), Leave::Granted(500)));
    }
}
