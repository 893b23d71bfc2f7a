//! What an upload shows of itself while it runs.

use crate::protocol::numbers::numbered;

numbered! {
    /// What an upload is busy with.
    #[derive(Default)]
    pub enum Phase {
        #[default]
        Waiting = 0, "waiting", "Not begun.";
        Hashing = 1, "hashing", "Taking the SHA-1 of the source.";
        Sending = 2, "sending", "Asking the server what there is, and sending slices.";
        Finishing = 3, "finishing", "All bytes are there; the server is making the object.";
        Verifying = 4, "verifying", "Comparing the server's record with the source.";
        Done = 5, "done", "Over, one way or the other.";
        Spooling = 6, "spooling", "Reading a stream to its end, into a temporary file.";
    }
}

/// A snapshot of an upload's progress. All byte counts are of the object, not of HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Progress {
    /// What the upload is busy with.
    pub phase: Phase,
    /// The object's size.
    pub total: u64,
    /// Bytes that the server has acknowledged, each counted once. Never falls, never exceeds `total`; after a
    /// restart it stays where it was until the new attempt passes it.
    pub acknowledged: u64,
    /// How many of these were there before this run.
    pub resumed: u64,
    /// Bytes hashed so far.
    pub hashed: u64,
    /// Slices acknowledged, those found on the server included; counts the current plan.
    pub slices_done: u64,
    /// Slices of the current plan; 0 before the server chose the slice size.
    pub slices_total: u64,
    /// Requests that were repeated.
    pub retries: u64,
}

impl Progress {
    /// Raises `acknowledged` to `bytes`, never past the total and never back.
    pub(crate) fn acknowledge(&mut self, bytes: u64) {
        self.acknowledged = self.acknowledged.max(bytes.min(self.total));
    }
}
