//! How a cancel reaches a worker that is blocked on the network.
//!
//! A worker only ever blocks in [`Slot::wait`], whatever it waits for: a name, a connection, room for output,
//! an answer. While it works for an upload its slot is entered with that upload's [`CancelToken`]; `cancel`
//! sets the flag and then wakes the slots entered. Nothing polls, and no other upload's socket is touched.
//!
//! No wake-up is lost: a slot is entered before it looks at the flag, and the flag is set before the slots
//! are looked at, both sides under the token's lock.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use super::sys::{self, BorrowedSocket, Interest, Waker};

/// Says that an upload is to stop. Once set it stays set; any thread may set or ask it at any time.
#[derive(Clone, Default)]
pub struct CancelToken(Arc<Shared>);

#[derive(Default)]
struct Shared {
    cancelled: AtomicBool,
    /// From this moment on the token counts as cancelled.
    expires_at: OnceLock<Instant>,
    /// The slots of the workers that serve the upload now; more than one where slices go in parallel.
    serving: Mutex<Vec<Arc<Waker>>>,
}

impl CancelToken {
    /// A token that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the token and wakes every worker that serves it. Never blocks for long; may be called again.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        for waker in lock(&self.0.serving).iter() {
            waker.wake();
        }
    }

    /// Has the token count as cancelled from that moment on; to be said once, before anybody serves it.
    pub fn expire_at(&self, moment: Instant) {
        let _ = self.0.expires_at.set(moment);
    }

    /// Whether [`cancel`](Self::cancel) was called, or the moment of [`expire_at`](Self::expire_at) has come.
    pub fn is_cancelled(&self) -> bool {
        let is_expired = || self.expires_at().is_some_and(|moment| Instant::now() >= moment);
        self.0.cancelled.load(Ordering::SeqCst) || is_expired()
    }

    fn expires_at(&self) -> Option<Instant> {
        self.0.expires_at.get().copied()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CancelToken")
            .field("cancelled", &self.is_cancelled())
            .finish_non_exhaustive()
    }
}

/// Where one worker blocks.
#[derive(Debug)]
pub struct Slot {
    waker: Arc<Waker>,
    token: Mutex<Option<CancelToken>>,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The socket is ready, or [`Slot::waker`] was used: look again.
    Ready {
        /// A read would not block.
        readable: bool,
        /// A write would not block.
        writable: bool,
    },
    /// The deadline has passed.
    TimedOut,
    /// The token was cancelled.
    Cancelled,
}

impl Slot {
    /// Takes two descriptors.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            waker: Arc::new(Waker::new()?),
            token: Mutex::new(None),
        })
    }

    /// Enters the slot with a token: waits end when it is cancelled, until the guard is dropped.
    pub fn serve(&self, token: &CancelToken) -> Serving<'_> {
        // The wakes of an earlier token end here: it was left under its lock, so it sends no more.
        self.waker.reset();
        lock(&token.0.serving).push(Arc::clone(&self.waker));
        *lock(&self.token) = Some(token.clone());
        Serving {
            slot: self,
            token: token.clone(),
        }
    }

    /// What another thread may use to have the waiting worker look again.
    pub fn waker(&self) -> &Arc<Waker> {
        &self.waker
    }

    /// Waits for a socket, where one is given, for [`waker`](Self::waker), for cancel or for the deadline.
    pub fn wait(
        &self,
        socket: Option<(BorrowedSocket<'_>, Interest)>,
        deadline: Instant,
    ) -> io::Result<Wait> {
        if self.is_cancelled() {
            return Ok(Wait::Cancelled);
        }
        let expires_at = lock(&self.token).as_ref().and_then(CancelToken::expires_at);
        let until = expires_at.map_or(deadline, |moment| moment.min(deadline));
        let ready = sys::poll(socket, &self.waker, until)?;
        if ready.woken {
            self.waker.drain();
        }
        if self.is_cancelled() {
            return Ok(Wait::Cancelled);
        }
        if ready == sys::Ready::default() {
            return Ok(Wait::TimedOut);
        }
        Ok(Wait::Ready {
            readable: ready.readable,
            writable: ready.writable,
        })
    }

    /// Whether the token that is served was cancelled.
    pub fn is_cancelled(&self) -> bool {
        lock(&self.token).as_ref().is_some_and(CancelToken::is_cancelled)
    }
}

/// A slot in use for a token; leaves it when dropped.
#[derive(Debug)]
pub struct Serving<'a> {
    slot: &'a Slot,
    token: CancelToken,
}

impl Drop for Serving<'_> {
    fn drop(&mut self) {
        let mut serving = lock(&self.token.0.serving);
        // One entry only: the same worker is in the list once for each time it serves.
        if let Some(index) = serving
            .iter()
            .position(|waker| Arc::ptr_eq(waker, &self.slot.waker))
        {
            serving.swap_remove(index);
        }
        *lock(&self.slot.token) = None;
    }
}

/// Locks also after a panic elsewhere: what these locks guard is whole between any two statements.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    const HANG_GUARD: Duration = Duration::from_secs(60);

    fn wait(slot: &Slot) -> Wait {
        slot.wait(None, Instant::now() + HANG_GUARD).unwrap()
    }

    #[test]
    fn a_cancel_wakes_every_slot_that_serves_the_token() {
        let token = CancelToken::new();
        let (entered, wait_for_entry) = mpsc::channel();
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let (token, entered) = (token.clone(), entered.clone());
                thread::spawn(move || {
                    let slot = Slot::new().unwrap();
                    let _serving = slot.serve(&token);
                    entered.send(()).unwrap();
                    wait(&slot)
                })
            })
            .collect();
        for _ in 0..4 {
            wait_for_entry.recv().unwrap();
        }
        token.cancel();
        for worker in workers {
            assert_eq!(worker.join().unwrap(), Wait::Cancelled);
        }
    }

    #[test]
    fn a_token_cancelled_before_the_wait_ends_it_at_once() {
        let (slot, token) = (Slot::new().unwrap(), CancelToken::new());
        token.cancel();
        let _serving = slot.serve(&token);
        assert_eq!(wait(&slot), Wait::Cancelled);
        assert_eq!(wait(&slot), Wait::Cancelled, "it stays cancelled");
    }

    #[test]
    fn a_token_that_expires_ends_the_wait_then() {
        let (slot, token) = (Slot::new().unwrap(), CancelToken::new());
        token.expire_at(Instant::now() + Duration::from_millis(20));
        let _serving = slot.serve(&token);
        assert!(!token.is_cancelled());
        assert_eq!(wait(&slot), Wait::Cancelled);
    }

    #[test]
    fn a_cancel_of_one_token_leaves_slots_of_others_alone() {
        let (slot, one, other) = (Slot::new().unwrap(), CancelToken::new(), CancelToken::new());
        drop(slot.serve(&one));
        let _serving = slot.serve(&other);
        one.cancel();
        assert_eq!(slot.wait(None, Instant::now()).unwrap(), Wait::TimedOut);
    }

    #[test]
    fn a_late_wake_of_an_earlier_token_does_not_disturb_the_next() {
        let (slot, one, other) = (Slot::new().unwrap(), CancelToken::new(), CancelToken::new());
        let serving = slot.serve(&one);
        one.cancel();
        drop(serving);
        let _serving = slot.serve(&other);
        assert_eq!(slot.wait(None, Instant::now()).unwrap(), Wait::TimedOut);
    }

    #[test]
    fn other_wakes_make_the_worker_look_again() {
        let (slot, token) = (Slot::new().unwrap(), CancelToken::new());
        let _serving = slot.serve(&token);
        slot.waker().wake();
        assert_eq!(
            wait(&slot),
            Wait::Ready {
                readable: false,
                writable: false
            }
        );
        assert_eq!(slot.wait(None, Instant::now()).unwrap(), Wait::TimedOut);
    }

    #[test]
    fn no_cancel_is_lost_however_it_races_with_the_entry() {
        let slot = Slot::new().unwrap();
        for _ in 0..2000 {
            let token = CancelToken::new();
            let canceller = thread::spawn({
                let token = token.clone();
                move || token.cancel()
            });
            let serving = slot.serve(&token);
            assert_eq!(wait(&slot), Wait::Cancelled);
            drop(serving);
            canceller.join().unwrap();
        }
    }
}
