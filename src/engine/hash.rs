//! Reading a source for its digest.

use crate::protocol::digest::Hasher;
use crate::upload::failure::TaskFailure;

use super::cancel::CancelToken;
use super::source::{self, Source};

/// How much is read at once for hashing. Larger blocks are slower where the allocator maps them.
pub(super) const HASH_BUFFER: usize = 64 << 10;

/// Feeds `length` bytes of the source to the hasher, from its position on.
///
/// # Errors
/// The source can't be read, ends early or has changed; or the token was cancelled.
pub(super) fn feed(
    source: &dyn Source,
    token: &CancelToken,
    hasher: &mut Hasher,
    length: u64,
    buffer: &mut [u8],
) -> Result<(), TaskFailure> {
    let end = hasher.position() + length;
    while hasher.position() < end {
        if token.is_cancelled() {
            return Err(TaskFailure::Cancelled);
        }
        let left = usize::try_from(end - hasher.position()).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        let offset = hasher.position();
        let got = source::read(source, offset, &mut buffer[..room]).map_err(TaskFailure::Source)?;
        if got == 0 {
            return Err(TaskFailure::Source(source::ended(source, offset)));
        }
        hasher.update(&buffer[..got]);
    }
    source.verify_unchanged().map_err(TaskFailure::Source)
}
