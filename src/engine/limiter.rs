//! How many bytes a second may be sent, by one upload or by all of a client.

use std::sync::{Mutex, PoisonError};

/// A rate that can change at any time.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    bytes_per_second: Mutex<Option<u64>>,
}

impl Limiter {
    /// A limit from the beginning; `None` for none.
    pub(super) fn new(bytes_per_second: Option<u64>) -> Self {
        Self {
            bytes_per_second: Mutex::new(bytes_per_second),
        }
    }

    /// Another limit from now on; `None` for none.
    pub(super) fn set(&self, bytes_per_second: Option<u64>) {
        *self
            .bytes_per_second
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = bytes_per_second;
    }
}
