//! Reading a source for its digest.
//!
//! Of a long piece another thread reads the next block while one is hashed: copying a file out of the system's cache takes a
//! third of the SHA-1's time, and reading it from a disk may take more than all of it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, MutexGuard, TryLockError};
use std::thread;

use memmap2::MmapMut;

use crate::protocol::digest::Hasher;
use crate::upload::failure::TaskFailure;

use super::cancel::CancelToken;
use super::pages;
use super::source::{self, Source};
use super::sys;

/// How much is read at once for hashing where nothing is read ahead. Larger blocks are slower where the allocator maps them.
pub(super) const HASH_BUFFER: usize = 64 << 10;

/// How much is read at once where it is read ahead. Shorter blocks are handed over too often: each time a thread is woken. Half of it
/// costs 6 % of the time of an upload, and twice as much saves 2 %.
const AHEAD_BLOCK: usize = 256 << 10;

/// One is hashed while the other is read.
const AHEAD_BLOCKS: usize = 2;

/// The shortest piece that is worth the start of a thread.
const AHEAD_FROM: u64 = 4 << 20;

/// The memory to read ahead with. There is enough for one piece at a time: who hashes meanwhile reads for itself, since the
/// processors have enough to do then. It is mapped at its first use, from the beginning of a page on, to where copies are fastest.
#[derive(Default)]
pub(super) struct AheadMemory(Mutex<Option<MmapMut>>);

impl AheadMemory {
    /// The memory, where nobody else has it and the system gives some.
    fn take(&self) -> Option<MutexGuard<'_, Option<MmapMut>>> {
        let mut memory = match self.0.try_lock() {
            Ok(memory) => memory,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        if memory.is_none() {
            *memory = pages::map(AHEAD_BLOCKS * AHEAD_BLOCK).ok();
        }
        memory.is_some().then_some(memory)
    }
}

/// Feeds `length` bytes of the source to the hasher, from its position on. The buffer is made as large as it has to be where it is
/// used.
///
/// # Errors
/// The source can't be read, ends early or has changed; or the token was cancelled.
pub(super) fn feed(
    source: &dyn Source,
    token: &CancelToken,
    hasher: &mut Hasher,
    length: u64,
    buffer: &mut Vec<u8>,
    ahead: &AheadMemory,
) -> Result<(), TaskFailure> {
    let _open = source.hold();
    let end = hasher.position() + length;
    let piece = Piece { source, token, end };
    // What the program reads is read by no other thread than those that it was told of.
    let is_worth_it = length >= AHEAD_FROM && !source.may_block();
    let memory = is_worth_it.then(|| ahead.take()).flatten();
    let fed = memory.and_then(|mut memory| piece.feed_ahead(hasher, memory.as_mut()?));
    fed.unwrap_or_else(|| piece.feed(hasher, buffer))?;
    source.verify_unchanged().map_err(TaskFailure::Source)
}

/// What is to be hashed in one go.
struct Piece<'a> {
    source: &'a dyn Source,
    token: &'a CancelToken,
    /// Behind its last byte.
    end: u64,
}

/// A block that was read, and how much of it is filled; or why it could not be.
type Block<'a> = Result<(&'a mut [u8], usize), TaskFailure>;

impl Piece<'_> {
    /// Reads and hashes in turn.
    fn feed(&self, hasher: &mut Hasher, buffer: &mut Vec<u8>) -> Result<(), TaskFailure> {
        buffer.resize(HASH_BUFFER, 0);
        while hasher.position() < self.end {
            self.check()?;
            let count = self.read(hasher.position(), buffer)?;
            hasher.update(&buffer[..count]);
        }
        Ok(())
    }

    /// Hashes what another thread reads. `None` where the system gives no thread, and nothing was done.
    fn feed_ahead(&self, hasher: &mut Hasher, memory: &mut [u8]) -> Option<Result<(), TaskFailure>> {
        thread::scope(|scope| {
            // Each side ends where the other has let go of its ends.
            let (free, to_fill) = sync_channel(AHEAD_BLOCKS);
            let (filled, to_hash) = sync_channel(AHEAD_BLOCKS);
            for block in memory.chunks_exact_mut(AHEAD_BLOCK) {
                let _ = free.send(block);
            }
            let begin = hasher.position();
            let reader = sys::spawn_in(scope, "cos-slice read", move || {
                self.read_ahead(begin, &to_fill, &filled)
            });
            reader.ok()?;
            Some(self.hash_blocks(hasher, &to_hash, &free))
        })
    }

    /// Reads block after block into the memory that comes back.
    fn read_ahead<'m>(&self, begin: u64, to_fill: &Receiver<&'m mut [u8]>, filled: &SyncSender<Block<'m>>) {
        let mut offset = begin;
        while offset < self.end {
            let Ok(block) = to_fill.recv() else { return };
            let read = self.read(offset, block);
            offset = read.as_ref().map_or(self.end, |count| offset + *count as u64);
            if filled.send(read.map(|count| (block, count))).is_err() {
                return;
            }
        }
    }

    fn hash_blocks<'m>(
        &self,
        hasher: &mut Hasher,
        to_hash: &Receiver<Block<'m>>,
        free: &SyncSender<&'m mut [u8]>,
    ) -> Result<(), TaskFailure> {
        while hasher.position() < self.end {
            self.check()?;
            // The reader goes before its time only by a defect, which comes to light when it is joined.
            let (block, count) = to_hash.recv().unwrap_or(Err(TaskFailure::Cancelled))?;
            hasher.update(&block[..count]);
            let _ = free.send(block);
        }
        Ok(())
    }

    fn check(&self) -> Result<(), TaskFailure> {
        match self.token.is_cancelled() {
            true => Err(TaskFailure::Cancelled),
            false => Ok(()),
        }
    }

    /// Reads as much as fits, and not beyond the end.
    fn read(&self, offset: u64, buffer: &mut [u8]) -> Result<usize, TaskFailure> {
        let left = usize::try_from(self.end - offset).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        match source::read(self.source, offset, &mut buffer[..room]) {
            Ok(0) => Err(TaskFailure::Source(source::ended(self.source, offset))),
            Ok(count) => Ok(count),
            Err(failure) => Err(TaskFailure::Source(failure)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicU64, Ordering};

    use crate::engine::source::{Identity, MemorySource};
    use crate::protocol::digest::Digests;
    use crate::upload::failure::{SourceFailure, SourceFault};
    use crate::upload::random::Random;

    use super::*;

    const GRANULARITY: u64 = 512 << 10;

    fn content(size: u64) -> Vec<u8> {
        let mut random = Random::new(size);
        let words = std::iter::repeat_with(|| random.draw().to_le_bytes());
        words.flatten().take(usize::try_from(size).unwrap()).collect()
    }

    fn digests_of(content: &[u8]) -> Digests {
        let mut hasher = Hasher::new(GRANULARITY);
        hasher.update(content);
        hasher.finish()
    }

    /// Memory that gives at most so much at once, and does something before each read.
    struct Watched<F: Fn(u64) -> io::Result<()> + Send + Sync> {
        memory: MemorySource,
        at_once: usize,
        before: F,
    }

    impl<F: Fn(u64) -> io::Result<()> + Send + Sync> Source for Watched<F> {
        fn size(&self) -> u64 {
            self.memory.size()
        }
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            (self.before)(offset)?;
            let room = buffer.len().min(self.at_once);
            self.memory.read_at(offset, &mut buffer[..room])
        }
        fn verify_unchanged(&self) -> Result<(), SourceFailure> {
            Ok(())
        }
        fn identity(&self) -> Option<Identity> {
            None
        }
    }

    fn hash(
        source: &dyn Source,
        piece: u64,
        token: &CancelToken,
        ahead: &AheadMemory,
    ) -> Result<Digests, TaskFailure> {
        let mut hasher = Hasher::new(GRANULARITY);
        let mut buffer = Vec::new();
        while hasher.position() < source.size() {
            let length = piece.min(source.size() - hasher.position());
            feed(source, token, &mut hasher, length, &mut buffer, ahead)?;
        }
        Ok(hasher.finish())
    }

    #[test]
    fn what_is_read_ahead_or_in_turn_and_in_whatever_steps_has_the_same_digests() {
        let content = content(2 * AHEAD_FROM + 12_345);
        let expected = digests_of(&content);
        for at_once in [1000, 100_000, usize::MAX] {
            for piece in [AHEAD_FROM - 1, AHEAD_FROM, u64::MAX] {
                let source = Watched {
                    memory: MemorySource::new(content.clone()),
                    at_once,
                    before: |_| Ok(()),
                };
                let ahead = AheadMemory::default();
                let hashed = hash(&source, piece, &CancelToken::new(), &ahead).unwrap();
                assert_eq!(hashed, expected, "{at_once} bytes at once, pieces of {piece}");
                let is_read_ahead = ahead.0.lock().unwrap().is_some();
                assert_eq!(is_read_ahead, piece >= AHEAD_FROM, "pieces of {piece}");
            }
        }
    }

    #[test]
    fn who_hashes_while_another_reads_ahead_reads_for_itself() {
        let content = content(AHEAD_FROM);
        let ahead = AheadMemory::default();
        let _another = ahead.take().unwrap();
        let source = MemorySource::new(content.clone());
        let hashed = hash(&source, AHEAD_FROM, &CancelToken::new(), &ahead).unwrap();
        assert_eq!(hashed, digests_of(&content));
    }

    #[test]
    fn a_read_that_fails_ahead_fails_the_piece_and_a_source_that_ends_early_has_changed() {
        let size = 2 * AHEAD_FROM;
        let broken = Watched {
            memory: MemorySource::new(content(size)),
            at_once: usize::MAX,
            before: |offset| match offset < AHEAD_FROM {
                true => Ok(()),
                false => Err(io::Error::other("the disk is gone")),
            },
        };
        let (token, ahead) = (CancelToken::new(), AheadMemory::default());
        let failure = hash(&broken, size, &token, &ahead).unwrap_err();
        let TaskFailure::Source(failure) = failure else {
            panic!("{failure:?}")
        };
        assert!(failure.detail.contains("the disk is gone"), "{}", failure.detail);

        let mut hasher = Hasher::new(GRANULARITY);
        let short = MemorySource::new(content(AHEAD_FROM - 1));
        let failure = feed(&short, &token, &mut hasher, AHEAD_FROM, &mut Vec::new(), &ahead).unwrap_err();
        let TaskFailure::Source(failure) = failure else {
            panic!("{failure:?}")
        };
        assert_eq!(failure.kind, SourceFault::Changed, "{}", failure.detail);
    }

    #[test]
    fn a_cancel_ends_a_piece_within_the_blocks_that_are_read_ahead() {
        let token = CancelToken::new();
        let read_after = AtomicU64::new(0);
        let source = Watched {
            memory: MemorySource::new(content(4 * AHEAD_FROM)),
            at_once: usize::MAX,
            before: |offset| {
                if offset == AHEAD_FROM {
                    token.cancel();
                }
                read_after.fetch_add(u64::from(token.is_cancelled()), Ordering::Relaxed);
                Ok(())
            },
        };
        let cancelled = hash(&source, u64::MAX, &token, &AheadMemory::default());
        assert!(matches!(cancelled, Err(TaskFailure::Cancelled)), "{cancelled:?}");
        let read_after = read_after.load(Ordering::Relaxed);
        assert!(
            read_after <= 1 + AHEAD_BLOCKS as u64,
            "{read_after} reads after the cancel"
        );
    }
}
