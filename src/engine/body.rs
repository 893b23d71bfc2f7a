//! A request's body as it goes to the socket: read straight from the source into the output buffer.

use std::io::{self, Read};
use std::slice;

use sha1::{Digest, Sha1};

use crate::protocol::digest::{Digests, Sha1Digest};
use crate::protocol::md5::{Md5Digest, Md5Hasher};
use crate::protocol::{Body, Segment};
use crate::upload::failure::{SourceFailure, TaskFailure};

use super::socket::FilePiece;
use super::source::{self, Source};
use super::transport::failure::Stopped;

/// Reads a body to exactly its declared length. A source that ends early, fails or has changed is an error
/// that carries the [`SourceFailure`]; after a short body the HTTP library would ask for more for ever.
pub struct BodyReader<'a> {
    source: &'a dyn Source,
    way: &'a dyn Way,
    segments: slice::Iter<'a, Segment>,
    current: Piece<'a>,
    /// The SHA-1 of the source's bytes so far, where the body has it further on.
    sha: Option<Sha1>,
    /// The same by MD5.
    md5: Option<Md5Hasher>,
    sent_md5: Option<Md5Digest>,
}

/// What a body's reader asks of the connection that takes it.
pub trait Way {
    /// Whether it takes no more of this body. What is left is then not read but only counted.
    fn is_abandoned(&self) -> bool;

    /// How many bytes at the end of the buffer are for files that it sends by itself, and for nothing that is read.
    fn unwritten(&self) -> usize;

    /// Has it send bytes of a file by itself, behind what is read into the buffer that is being filled. False where it can't.
    fn send_file(&self, piece: FilePiece) -> bool;

    /// So many of the bytes that are said to be at the end of the buffer are of such a file, and are not there.
    fn claim(&self, count: usize);
}

/// Files are sent by themselves where that spares more than the calls for it cost, in bytes.
const MIN_FILE_PIECE: u64 = 32 << 10;

/// What is left of a segment. It holds what is not known without effort, so that no length is computed twice.
enum Piece<'a> {
    Text(&'a [u8]),
    Parts {
        digests: &'a Digests,
        next: usize,
        pending: Vec<u8>,
        left: u64,
    },
    Source {
        offset: u64,
        left: u64,
        /// How many of them the connection sends by itself, and were not claimed yet.
        handed_over: u64,
    },
    Digest(Vec<u8>),
}

impl Piece<'_> {
    fn left(&self) -> u64 {
        match self {
            Self::Text(text) => text.len() as u64,
            Self::Parts { left, .. } | Self::Source { left, .. } => *left,
            Self::Digest(text) => text.len() as u64,
        }
    }
}

impl<'a> BodyReader<'a> {
    /// A reader of the whole body.
    pub fn new(body: &'a Body, source: &'a dyn Source, way: &'a dyn Way) -> Self {
        let wants = |is: fn(&Segment) -> bool| body.segments.iter().any(is);
        Self {
            source,
            way,
            segments: body.segments.iter(),
            current: Piece::Text(&[]),
            sha: wants(|segment| matches!(segment, Segment::SourceSha)).then(Sha1::new),
            md5: wants(|segment| matches!(segment, Segment::SourceMd5)).then(Md5Hasher::default),
            sent_md5: None,
        }
    }

    /// The MD5 that was sent behind the source's bytes; `None` where none was.
    pub fn sent_md5(&self) -> Option<Md5Digest> {
        self.sent_md5
    }

    /// The whole of a segment.
    fn piece(&mut self, segment: &'a Segment) -> Piece<'a> {
        let left = segment.len();
        match segment {
            Segment::Text(text) => Piece::Text(text),
            Segment::Parts(digests) => Piece::Parts {
                digests,
                next: 0,
                pending: Vec::new(),
                left,
            },
            Segment::Source { offset, .. } => Piece::Source {
                offset: *offset,
                left,
                handed_over: 0,
            },
            Segment::SourceSha => {
                let sha = self.sha.clone().unwrap_or_default().finalize();
                Piece::Digest(Sha1Digest::from_bytes(sha.into()).to_string().into_bytes())
            }
            Segment::SourceMd5 => {
                let md5 = self.md5.clone().unwrap_or_default().finish();
                // Of a body that nobody reads any more the digest is not that of the bytes.
                self.sent_md5 = Some(md5).filter(|_| !self.way.is_abandoned());
                Piece::Digest(md5.to_string().into_bytes())
            }
        }
    }

    /// Where the current segment is, but for its last byte, one that the connection can send by itself: has it do so once, and
    /// tells how many of the bytes fit where there is room for so many; `None` where it is to be read.
    ///
    /// The last byte is read, and so leaves only when it is sure that the file was not changed until then: see
    /// [`read_source`].
    fn hand_over(&mut self, room: usize) -> Option<usize> {
        let Piece::Source {
            offset,
            left,
            handed_over,
        } = &mut self.current
        else {
            return None;
        };
        if *handed_over == 0 {
            if *left < MIN_FILE_PIECE || self.sha.is_some() || self.md5.is_some() {
                return None;
            }
            let (file, in_file) = self.source.in_file(*offset)?;
            let piece = FilePiece {
                file,
                offset: in_file,
                source_offset: *offset,
                length: *left - 1,
            };
            *handed_over = self.way.send_file(piece).then_some(*left - 1)?;
        }
        let count = usize::try_from(*handed_over).unwrap_or(usize::MAX).min(room);
        *handed_over -= count as u64;
        *left -= count as u64;
        *offset += count as u64;
        self.way.claim(count);
        Some(count)
    }

    /// Reads from the current segment, which isn't at its end, as much as one step brings.
    fn read_piece(&mut self, buffer: &mut [u8]) -> Result<usize, TaskFailure> {
        let room = usize::try_from(self.current.left())
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let buffer = &mut buffer[..room];
        let abandoned = self.way.is_abandoned();
        match &mut self.current {
            Piece::Text(text) => {
                let (now, later) = text.split_at(room);
                buffer.copy_from_slice(now);
                *text = later;
                Ok(room)
            }
            Piece::Parts { left, .. } | Piece::Source { left, .. } if abandoned => {
                *left -= room as u64;
                Ok(room)
            }
            Piece::Parts {
                digests,
                next,
                pending,
                left,
            } => {
                if pending.is_empty() {
                    *pending = digests.upload_part(*next).into_bytes();
                    *next += 1;
                }
                let count = room.min(pending.len());
                if count == 0 {
                    return Err(TaskFailure::Defect(
                        "uploadparts is shorter than its declared length".into(),
                    ));
                }
                buffer[..count].copy_from_slice(&pending[..count]);
                pending.drain(..count);
                *left -= count as u64;
                Ok(count)
            }
            Piece::Source { offset, left, .. } => {
                let count = read_source(self.source, *offset, *left, buffer).map_err(TaskFailure::Source)?;
                if let Some(sha) = &mut self.sha {
                    sha.update(&buffer[..count]);
                }
                if let Some(md5) = &mut self.md5 {
                    md5.update(&buffer[..count]);
                }
                *offset += count as u64;
                *left -= count as u64;
                Ok(count)
            }
            Piece::Digest(text) => {
                buffer.copy_from_slice(&text[..room]);
                text.drain(..room);
                Ok(room)
            }
        }
    }
}

impl Read for BodyReader<'_> {
    /// Fills what is written to of the buffer unless the body ends first. 0 only after the last byte.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        let written = buffer.len().saturating_sub(self.way.unwritten());
        while filled < written {
            if self.current.left() == 0 {
                match self.segments.next() {
                    Some(segment) => self.current = self.piece(segment),
                    None => break,
                }
                continue;
            }
            if let Some(count) = self.hand_over(buffer.len() - filled) {
                // What follows is not read before they are sent.
                return Ok(filled + count);
            }
            filled += self
                .read_piece(&mut buffer[filled..written])
                .map_err(Stopped::error)?;
        }
        Ok(filled)
    }
}

/// Reads the source into a buffer no longer than the `left` bytes of the segment.
fn read_source(
    source: &dyn Source,
    offset: u64,
    left: u64,
    buffer: &mut [u8],
) -> Result<usize, SourceFailure> {
    let count = source::read(source, offset, buffer)?;
    if count as u64 == left || count == 0 {
        // The last byte doesn't leave before it is sure that all of the segment is what the upload began
        // with.
        source.verify_unchanged()?;
    }
    if count == 0 {
        return Err(source::ended(source, offset));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs::{self, OpenOptions};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use proptest::prelude::*;

    use crate::engine::source::{FileSource, Identity, MemorySource};
    use crate::protocol::digest::Hasher;
    use crate::upload::failure::SourceFault;

    use super::*;

    fn text(text: &str) -> Segment {
        Segment::Text(text.as_bytes().to_vec())
    }

    fn failure(error: io::Error) -> TaskFailure {
        Stopped::from_error(error).unwrap()
    }

    fn digests_of(content: &[u8], granularity: u64) -> Arc<Digests> {
        let mut hasher = Hasher::new(granularity);
        hasher.update(content);
        Arc::new(hasher.finish())
    }

    /// A connection that sends no files by itself.
    struct Copying;

    impl Way for Copying {
        fn is_abandoned(&self) -> bool {
            false
        }
        fn unwritten(&self) -> usize {
            0
        }
        fn send_file(&self, _: FilePiece) -> bool {
            false
        }
        fn claim(&self, _: usize) {}
    }

    /// One with room for files in the buffer, which it sends by itself or not; and how many bytes are said to be of them.
    struct Roomy {
        unwritten: usize,
        sends_files: bool,
        claimed: Cell<usize>,
    }

    impl Way for Roomy {
        fn is_abandoned(&self) -> bool {
            false
        }
        fn unwritten(&self) -> usize {
            self.unwritten
        }
        fn send_file(&self, _: FilePiece) -> bool {
            self.sends_files
        }
        fn claim(&self, count: usize) {
            self.claimed.set(self.claimed.get() + count);
        }
    }

    /// One that takes no more.
    struct Abandoned;

    impl Way for Abandoned {
        fn is_abandoned(&self) -> bool {
            true
        }
        fn unwritten(&self) -> usize {
            0
        }
        fn send_file(&self, _: FilePiece) -> bool {
            false
        }
        fn claim(&self, _: usize) {}
    }

    /// Reads at most `step` bytes at once.
    struct Slow(MemorySource, usize, AtomicUsize);

    impl Source for Slow {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.2.fetch_add(1, Ordering::Relaxed);
            let room = buffer.len().min(self.1);
            self.0.read_at(offset, &mut buffer[..room])
        }
        fn verify_unchanged(&self) -> Result<(), SourceFailure> {
            Ok(())
        }
        fn identity(&self) -> Option<Identity> {
            None
        }
    }

    proptest! {
        #[test]
        fn any_buffer_size_reads_the_same_bytes_and_exactly_the_declared_length(
            content in prop::collection::vec(any::<u8>(), 1..2000),
            room in 1usize..700,
            step in 1usize..300,
            cut in any::<prop::sample::Index>(),
        ) {
            let offset = cut.index(content.len());
            let digests = digests_of(&content, 64);
            let parts: String = (0..digests.part_count()).map(|index| digests.upload_part(index)).collect();
            let body = Body { segments: vec![
                text("head"),
                Segment::Parts(digests),
                text(""),
                Segment::Source { offset: offset as u64, length: (content.len() - offset) as u64 },
                Segment::SourceMd5,
                text(" "),
                Segment::SourceSha,
                text("tail"),
            ]};
            let sent = &content[offset..];
            let mut md5 = Md5Hasher::default();
            md5.update(sent);
            let md5 = md5.finish();
            let mut expected = format!("head{parts}").into_bytes();
            expected.extend_from_slice(sent);
            expected.extend_from_slice(format!("{md5} {}tail", digests_of(sent, 64).whole()).as_bytes());

            let source = Slow(MemorySource::new(content), step, AtomicUsize::new(0));
            let keep = Copying;
            let mut reader = BodyReader::new(&body, &source, &keep);
            let (mut read, mut buffer) = (Vec::new(), vec![0; room]);
            loop {
                let count = reader.read(&mut buffer).unwrap();
                if count == 0 {
                    break;
                }
                read.extend_from_slice(&buffer[..count]);
            }
            prop_assert_eq!(read.len() as u64, body.len());
            prop_assert_eq!(read, expected);
            prop_assert_eq!(reader.sent_md5(), Some(md5));
        }
    }

    #[test]
    fn text_and_source_share_one_buffer() {
        let body = Body {
            segments: vec![text("ab"), Segment::Source { offset: 1, length: 2 }, text("ef")],
        };
        let source = MemorySource::new(*b"xcdx");
        let keep = Copying;
        let mut buffer = [0; 16];
        let count = BodyReader::new(&body, &source, &keep).read(&mut buffer).unwrap();
        assert_eq!(&buffer[..count], b"abcdef");
    }

    /// What is read into a buffer that ends with so much room for files, step by step, and what is claimed then; nothing may be written
    /// behind what was told, and nothing at all into that room.
    fn steps(body: &Body, source: &dyn Source, buffer: usize, way: &Roomy) -> Vec<(Vec<u8>, usize)> {
        const UNTOUCHED: u8 = 0xaa;
        let mut reader = BodyReader::new(body, source, way);
        let mut steps = Vec::new();
        loop {
            let mut buffer = vec![UNTOUCHED; buffer];
            let count = reader.read(&mut buffer).unwrap();
            if count == 0 {
                return steps;
            }
            let claimed = way.claimed.take();
            let read = count - claimed;
            assert!(read <= buffer.len() - way.unwritten);
            assert!(buffer[read..].iter().all(|byte| *byte == UNTOUCHED));
            steps.push((buffer[..read].to_vec(), claimed));
        }
    }

    #[test]
    fn the_room_for_files_has_what_the_system_sends_and_nothing_that_is_read() {
        const LENGTH: usize = 40 << 10;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'x'; LENGTH]).unwrap();
        let source = FileSource::open(&path).unwrap();
        let (offset, length) = (0, LENGTH as u64);
        let body = Body {
            segments: vec![text("head"), Segment::Source { offset, length }, text("tail")],
        };
        let way = |sends_files| Roomy {
            unwritten: 64 << 10,
            sends_files,
            claimed: Cell::new(0),
        };
        let sent = steps(&body, &source, (64 << 10) + 100, &way(true));
        let expected = [(b"head".to_vec(), LENGTH - 1), (b"xtail".to_vec(), 0)];
        assert_eq!(sent, expected, "all at once, but for the last byte");

        let read = steps(&body, &source, (64 << 10) + 100, &way(false));
        let lengths: Vec<_> = read
            .iter()
            .map(|(bytes, claimed)| (bytes.len(), *claimed))
            .collect();
        let (whole, rest) = ((LENGTH + 8) / 100, (LENGTH + 8) % 100);
        assert_eq!(lengths[..whole], vec![(100, 0); whole]);
        assert_eq!(lengths[whole..], [(rest, 0)]);
    }

    #[test]
    fn a_source_that_ends_early_is_a_changed_source_and_never_a_short_body() {
        let body = Body {
            segments: vec![Segment::Source {
                offset: 0,
                length: 10,
            }],
        };
        let source = MemorySource::new(*b"short");
        let keep = Copying;
        let error = BodyReader::new(&body, &source, &keep)
            .read_to_end(&mut Vec::new())
            .unwrap_err();
        let TaskFailure::Source(failure) = failure(error) else {
            panic!()
        };
        assert!(
            failure.kind == SourceFault::Changed && failure.detail.contains("offset 5"),
            "{}",
            failure.detail
        );
    }

    #[test]
    fn a_file_that_grew_while_it_was_read_is_refused_before_its_last_byte_leaves() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![7; 100]).unwrap();
        let source = FileSource::open(&path).unwrap();
        let body = Body {
            segments: vec![Segment::Source {
                offset: 0,
                length: 50,
            }],
        };
        let keep = Copying;
        let mut reader = BodyReader::new(&body, &source, &keep);
        assert_eq!(reader.read(&mut [0; 49]).unwrap(), 49);
        OpenOptions::new()
            .append(true)
            .open(&path)
            .unwrap()
            .set_len(101)
            .unwrap();
        let TaskFailure::Source(failure) = failure(reader.read(&mut [0; 49]).unwrap_err()) else {
            panic!()
        };
        assert_eq!(failure.kind, SourceFault::Changed, "{}", failure.detail);
    }

    #[test]
    fn an_abandoned_body_reads_no_more_of_its_source_and_keeps_its_length() {
        let source = Slow(MemorySource::new(vec![1; 1000]), 1000, AtomicUsize::new(0));
        let body = Body {
            segments: vec![
                text("head"),
                Segment::Source {
                    offset: 0,
                    length: 1000,
                },
                Segment::SourceMd5,
                text("tail"),
            ],
        };
        let abandoned = Abandoned;
        let mut read = Vec::new();
        let mut reader = BodyReader::new(&body, &source, &abandoned);
        reader.read_to_end(&mut read).unwrap();
        assert_eq!(
            reader.sent_md5(),
            None,
            "nobody is told a digest of bytes that were not read"
        );
        assert_eq!((read.len() as u64, source.2.into_inner()), (body.len(), 0));
    }
}
