//! What holds answers back until it is opened.

use std::sync::{Condvar, Mutex, PoisonError};

pub(super) struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    pub fn new(is_open: bool) -> Self {
        Self {
            is_open: Mutex::new(is_open),
            opened: Condvar::new(),
        }
    }

    pub fn open(&self) {
        *self.is_open.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.opened.notify_all();
    }

    /// Waits until it is open; the server's end is the end of the waiting, too.
    pub fn pass(&self) {
        let is_open = self.is_open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.opened.wait_while(is_open, |is_open| !*is_open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}
