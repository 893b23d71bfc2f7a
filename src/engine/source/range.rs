//! Part of another source.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::{Identity, Source};
use crate::upload::failure::SourceFailure;
use crate::upload::task::Reading;

/// Some of the bytes of a source that can be read at will: they are the whole object.
pub struct RangeSource {
    whole: Arc<dyn Source>,
    offset: u64,
    length: u64,
}

impl RangeSource {
    /// The bytes from `offset` on: so many of them, or all that there are.
    ///
    /// # Errors
    /// There are not so many, or the source can't be read at any place.
    pub fn new(whole: Arc<dyn Source>, offset: u64, length: Option<u64>) -> Result<Self, String> {
        if whole.reading() != Reading::AtWill {
            return Err(format!(
                "range: {} is a stream, of which no part can be chosen",
                whole.name()
            ));
        }
        let size = whole.size();
        let rest = size
            .checked_sub(offset)
            .filter(|rest| length.unwrap_or(*rest) <= *rest);
        match rest {
            Some(rest) => Ok(Self {
                whole,
                offset,
                length: length.unwrap_or(rest),
            }),
            None => {
                let length = length.map_or_else(|| "the rest".to_owned(), |length| format!("{length} bytes"));
                Err(format!(
                    "range: {length} from offset {offset} on reach beyond the {size} bytes of {}",
                    whole.name()
                ))
            }
        }
    }

    fn part_of(&self, identity: Option<Identity>) -> Option<Identity> {
        let part = Some((self.offset, self.length));
        identity.map(|identity| Identity { part, ..identity })
    }
}

impl Source for RangeSource {
    fn size(&self) -> u64 {
        self.length
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.length.saturating_sub(offset)).unwrap_or(usize::MAX);
        let room = left.min(buffer.len());
        // An offset beyond the end would otherwise be one where the whole source still has bytes.
        if room == 0 {
            return Ok(0);
        }
        self.whole.read_at(self.offset + offset, &mut buffer[..room])
    }

    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        self.whole.in_file(self.offset + offset)
    }

    fn hold(&self) -> Option<Arc<File>> {
        self.whole.hold()
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.whole.verify_unchanged()
    }

    fn identity(&self) -> Option<Identity> {
        self.part_of(self.whole.identity())
    }

    fn lasting_identity(&self) -> Option<Identity> {
        self.part_of(self.whole.lasting_identity())
    }

    fn keeps_its_content(&self) -> bool {
        self.whole.keeps_its_content()
    }

    fn may_block(&self) -> bool {
        self.whole.may_block()
    }

    fn name(&self) -> String {
        format!(
            "{} (the {} bytes from offset {} on)",
            self.whole.name(),
            self.length,
            self.offset
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::source::{FileSource, MemorySource, Stream, StreamSource};

    fn range(offset: u64, length: Option<u64>) -> Result<RangeSource, String> {
        RangeSource::new(Arc::new(MemorySource::new(*b"0123456789")), offset, length)
    }

    #[test]
    fn a_part_is_read_as_if_it_were_the_whole() {
        let mut buffer = [0; 8];
        for (offset, length, expected) in [
            (0, Some(10), "0123456789"),
            (3, Some(4), "3456"),
            (3, None, "3456789"),
            (10, None, ""),
            (10, Some(0), ""),
        ] {
            let part = range(offset, length).unwrap();
            assert_eq!(part.size(), expected.len() as u64);
            let mut read = Vec::new();
            loop {
                let count = part.read_at(read.len() as u64, &mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&buffer[..count]);
            }
            assert_eq!(read, expected.as_bytes());
            assert_eq!(part.read_at(part.size() + 1, &mut buffer).unwrap(), 0);
            assert_eq!(part.read_at(u64::MAX, &mut buffer).unwrap(), 0);
        }
    }

    #[test]
    fn what_reaches_beyond_the_end_is_refused() {
        for (offset, length) in [
            (11, None),
            (10, Some(1)),
            (0, Some(11)),
            (u64::MAX, Some(u64::MAX)),
        ] {
            let refused = range(offset, length).err().unwrap();
            assert!(
                refused.starts_with("range: ") && refused.contains("10 bytes"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_stream_has_no_parts() {
        let stream = StreamSource::new(Arc::new(Stream::new("stdin", io::empty())), 0);
        assert!(RangeSource::new(Arc::new(stream), 0, None).is_err());
    }

    #[test]
    fn two_parts_of_one_file_are_different_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, b"0123456789").unwrap();
        let file: Arc<dyn Source> = Arc::new(FileSource::open(&path).unwrap());
        let identity = |offset, length| {
            let part = RangeSource::new(file.clone(), offset, length).unwrap();
            part.identity().unwrap()
        };
        assert_eq!(identity(2, Some(5)), identity(2, Some(5)));
        assert_eq!(identity(2, Some(8)), identity(2, None));
        assert_ne!(identity(2, Some(5)), identity(3, Some(5)));
        assert_ne!(identity(2, Some(5)), identity(2, Some(4)));
        assert_ne!(Some(identity(0, None)), file.identity());
    }
}
