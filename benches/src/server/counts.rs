//! What the server has received: cheap enough to be counted for each slice.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::request::Operation;

/// Counters that all connections add to.
#[derive(Default)]
pub(super) struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
    /// Connections that brought nothing but a release: they are the measuring's, not the client's.
    releases: AtomicU64,
    with_slices: AtomicU64,
    requests: AtomicU64,
    slices: AtomicU64,
    uploads: AtomicU64,
    bytes: AtomicU64,
    /// When the first slice began to arrive; the next two are counted from there.
    first: OnceLock<Instant>,
    last_nanoseconds: AtomicU64,
}

/// What a server has received since it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// TCP connections that were accepted.
    pub connections: u64,
    /// Those of them that brought at least one slice.
    pub connections_with_slices: u64,
    /// Requests of all kinds that were answered.
    pub requests: u64,
    /// Slices among them.
    pub slices: u64,
    /// Uploads in one request among them.
    pub uploads: u64,
    /// Bytes of content that the slices and uploads had.
    pub bytes: u64,
    /// From the head of the first slice to the answer to the last one, in seconds; 0 without slices.
    pub slices_seconds: f64,
}

impl Counts {
    /// Counts a connection, and tells how many there are now.
    pub(super) fn opened(&self) -> u64 {
        let opened = self.opened.fetch_add(1, Relaxed) + 1;
        opened - self.closed.load(Relaxed)
    }

    pub(super) fn closed(&self) {
        self.closed.fetch_add(1, Relaxed);
    }

    pub(super) fn released(&self) {
        self.releases.fetch_add(1, Relaxed);
    }

    /// A slice begins to arrive.
    pub(super) fn slice_begins(&self, is_first_of_connection: bool) {
        self.first.get_or_init(Instant::now);
        if is_first_of_connection {
            self.with_slices.fetch_add(1, Relaxed);
        }
    }

    /// A request was answered, which had so much content.
    pub(super) fn answered(&self, operation: Operation, content: u64) {
        self.requests.fetch_add(1, Relaxed);
        self.bytes.fetch_add(content, Relaxed);
        match operation {
            Operation::Slice => {
                self.slices.fetch_add(1, Relaxed);
                let since = self.first.get_or_init(Instant::now).elapsed();
                let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
                self.last_nanoseconds.fetch_max(nanoseconds, Relaxed);
            }
            Operation::Upload => {
                self.uploads.fetch_add(1, Relaxed);
            }
            _ => (),
        }
    }

    pub(super) fn totals(&self) -> Totals {
        Totals {
            connections: self.opened.load(Relaxed) - self.releases.load(Relaxed),
            connections_with_slices: self.with_slices.load(Relaxed),
            requests: self.requests.load(Relaxed),
            slices: self.slices.load(Relaxed),
            uploads: self.uploads.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            slices_seconds: Duration::from_nanos(self.last_nanoseconds.load(Relaxed)).as_secs_f64(),
        }
    }
}
