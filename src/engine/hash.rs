//! Reading a source for its digest.

use crate::protocol::digest::Hasher;
use crate::upload::failure::{SourceFailure, SourceFault, TaskFailure};

use super::cancel::CancelToken;
use super::source::Source;

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
        let got = source.read_at(hasher.position(), &mut buffer[..room]);
        let got = got.map_err(|error| {
            TaskFailure::Source(SourceFailure {
                kind: SourceFault::Unreadable,
                detail: format!(
                    "reading {} at offset {} failed: {error}",
                    source.name(),
                    hasher.position()
                ),
                os_errno: error.raw_os_error(),
            })
        })?;
        if got == 0 {
            return Err(TaskFailure::Source(SourceFailure {
                kind: SourceFault::Changed,
                detail: format!(
                    "{} ends at offset {}, before its size",
                    source.name(),
                    hasher.position()
                ),
                os_errno: None,
            }));
        }
        hasher.update(&buffer[..got]);
    }
    source.verify_unchanged().map_err(TaskFailure::Source)
}
