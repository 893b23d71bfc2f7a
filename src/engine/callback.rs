//! Callbacks of the program: which thread is inside one, and whether the last of a run has returned.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

thread_local! {
    static CALLBACKS: Cell<u32> = const { Cell::new(0) };
}

/// Whether the calling thread is inside one of this library's callbacks.
pub(super) fn is_inside_callback() -> bool {
    CALLBACKS.get() > 0
}

/// Calls back; while it lasts, blocking calls of this library answer that they are not allowed.
pub(crate) fn inside_callback<T>(call: impl FnOnce() -> T) -> T {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            CALLBACKS.set(CALLBACKS.get() - 1);
        }
    }
    CALLBACKS.set(CALLBACKS.get() + 1);
    let _leave = Leave;
    call()
}

/// Whether the last callback of a run has returned.
pub(super) struct LastCall {
    done: Mutex<bool>,
    changed: Condvar,
    abandoned: AtomicBool,
}

impl LastCall {
    pub(super) fn new() -> Self {
        Self {
            done: Mutex::new(false),
            changed: Condvar::new(),
            abandoned: AtomicBool::new(false),
        }
    }

    /// Makes a call, unless the handle is gone.
    pub(super) fn inside<R: Default>(&self, call: impl FnOnce() -> R) -> R {
        if self.is_abandoned() {
            R::default()
        } else {
            inside_callback(call)
        }
    }

    /// The handle is gone: no call is made any more.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::Release);
    }

    pub(super) fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::Acquire)
    }

    pub(super) fn complete(&self) {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    pub(super) fn is_done(&self) -> bool {
        *self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is complete, or was before the time ran out.
    pub(super) fn wait(&self, timeout: Option<Duration>) -> bool {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let done = match timeout {
            None => self
                .changed
                .wait_while(done, |done| !*done)
                .unwrap_or_else(PoisonError::into_inner),
            Some(timeout) => {
                let waited = self.changed.wait_timeout_while(done, timeout, |done| !*done);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        *done
    }
}
