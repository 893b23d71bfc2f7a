//! What a finished upload has to tell.

use crate::protocol::Links;
use crate::protocol::digest::Sha1Digest;
use crate::protocol::numbers::numbered;

/// What a finished upload has to tell.
#[derive(Clone, Debug)]
pub struct Object {
    /// How the object came to be there.
    pub outcome: Outcome,
    /// Its addresses, as the server told them.
    pub links: Links,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-1, where hashing was on.
    pub sha: Option<Sha1Digest>,
    /// Bytes of slices acknowledged in this run.
    pub bytes_sent: u64,
    /// Bytes that were there before this run.
    pub bytes_resumed: u64,
    /// Slices acknowledged in this run.
    pub slices_sent: u64,
    /// Requests that were repeated.
    pub retries: u64,
    /// Whether a stat at the end confirmed the size, and the SHA-1 where both sides have one.
    pub verified: bool,
}

numbered! {
    /// How an object came to be there.
    pub enum Outcome {
        Uploaded = 1, "uploaded", "All of it was sent in this run.";
        Resumed = 2, "resumed", "Part of it was there from an unfinished upload.";
        Instant = 3, "instant", "The server had the same content; no slice was sent.";
    }
}
