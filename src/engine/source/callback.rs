//! A function of the program as a source.

use std::io;

use super::{Identity, Source};
use crate::upload::failure::SourceFailure;

/// Reads bytes from this offset on into the buffer, and tells how many; 0 only at the end.
type ReadAt = dyn Fn(u64, &mut [u8]) -> io::Result<usize> + Send + Sync;

/// Bytes that a function of the program gives, at any place and to several threads at once. For as long as the source
/// exists they must stay the same: nothing but the SHA-1 would tell.
pub struct CallbackSource {
    size: u64,
    read_at: Box<ReadAt>,
}

impl CallbackSource {
    /// A source of this many bytes. The function may give fewer than there is room for. An error of it ends the run.
    pub fn new(
        size: u64,
        read_at: impl Fn(u64, &mut [u8]) -> io::Result<usize> + Send + Sync + 'static,
    ) -> Self {
        let read_at = Box::new(read_at);
        Self { size, read_at }
    }
}

impl Source for CallbackSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        (self.read_at)(offset, buffer)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }

    fn keeps_its_content(&self) -> bool {
        true
    }

    fn may_block(&self) -> bool {
        true
    }

    fn name(&self) -> String {
        "the read_at callback".to_owned()
    }
}
