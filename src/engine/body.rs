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
mod tests;
