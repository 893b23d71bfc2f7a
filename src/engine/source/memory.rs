//! Memory as a source.

use std::io;
use std::sync::Arc;

use super::{Identity, Source};
use crate::upload::failure::SourceFailure;

/// Bytes in memory. They can't change while the source exists.
#[derive(Clone)]
pub struct MemorySource(Arc<[u8]>);

impl MemorySource {
    /// A source of these bytes.
    pub fn new(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self(bytes.into())
    }
}

impl Source for MemorySource {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let rest = &self.0[start..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
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

    fn name(&self) -> String {
        "the memory given".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_a_source_without_identity() {
        let source = MemorySource::new(*b"abcdef");
        let mut buffer = [0; 4];
        assert_eq!(
            (source.read_at(4, &mut buffer).unwrap(), &buffer[..2]),
            (2, &b"ef"[..])
        );
        assert_eq!(source.read_at(u64::MAX, &mut buffer).unwrap(), 0);
        assert_eq!((source.size(), source.identity()), (6, None));
    }
}
