//! Streams: bytes that come once, in their order.
//!
//! A request may have to be repeated, so what was read of a stream is held in a buffer until the server has it for good. A
//! part is read whole before its request begins. Slices are asked for in their order, no more of them at a time than there
//! are connections, and each is let go when it is stored: so there is never more in the buffers than one slice for each
//! connection, and where slices don't end with buffers one slice more.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use sha1::{Digest, Sha1};

use super::{Identity, READ_SIZE, Source, cancelled, failed, overrun};
use crate::engine::cancel::{CancelToken, lock};
use crate::protocol::digest::Sha1Digest;
use crate::upload::failure::{SourceFailure, SourceFault};
use crate::upload::task::Reading;

/// The length of a buffer, in bytes: the smallest slice that the service documents.
const BLOCK: u64 = 512 << 10;

/// Something to read from, once. What was read from it is known here, so that two sources made of one stream don't take
/// the rest of it for the whole.
pub struct Stream {
    name: String,
    input: Mutex<Input>,
}

struct Input {
    reader: Box<dyn Read + Send>,
    position: u64,
    /// A read that did not return: nobody knows what it took.
    in_read: bool,
}

impl Stream {
    /// A stream under the name that error texts are to give it. Reads are made one at a time, on any thread, and may block.
    pub fn new(name: impl Into<String>, reader: impl Read + Send + 'static) -> Self {
        let input = Input {
            reader: Box::new(reader),
            position: 0,
            in_read: false,
        };
        Self {
            name: name.into(),
            input: Mutex::new(input),
        }
    }

    /// What error texts call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bytes that follow those up to `position`; 0 means that there are none.
    pub(super) fn read(&self, position: u64, buffer: &mut [u8]) -> Result<usize, SourceFailure> {
        let mut input = lock(&self.input);
        let name = &self.name;
        if input.position != position {
            let text = format!(
                "the bytes of {name} at offset {position} are gone: it was read to offset {} before",
                input.position
            );
            return Err(SourceFailure::new(SourceFault::Gone, text));
        }
        if input.in_read {
            let text = format!("an earlier read of {name} at offset {position} was torn off by a defect");
            return Err(SourceFailure::new(SourceFault::Gone, text));
        }
        let doing = || format!("reading {name} at offset {position}");
        input.in_read = true;
        let read = loop {
            match input.reader.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        input.in_read = false;
        match read {
            Ok(count) if count > buffer.len() => Err(overrun(&doing(), count, buffer.len())),
            Ok(count) => {
                input.position += count as u64;
                Ok(count)
            }
            Err(error) => Err(failed(&doing(), error)),
        }
    }
}

/// A stream whose length is known, sent while it is read.
pub struct StreamSource {
    stream: Arc<Stream>,
    size: u64,
    /// The length of a buffer.
    block: u64,
    /// Held while the stream is read, which may take its time.
    pull: Mutex<Pull>,
    /// Never held for long.
    kept: Mutex<Kept>,
}

/// How far the stream is read.
struct Pull {
    position: u64,
    hasher: Sha1,
}

#[derive(Default)]
struct Kept {
    /// By their first byte. They end at multiples of the block, where nothing ends them before.
    buffers: BTreeMap<u64, Vec<u8>>,
    /// Of all bytes, once it is sure that they are all.
    digest: Option<Sha1Digest>,
}

impl StreamSource {
    /// The whole of a stream of this many bytes.
    pub fn new(stream: Arc<Stream>, size: u64) -> Self {
        Self::with_blocks(stream, size, BLOCK)
    }

    fn with_blocks(stream: Arc<Stream>, size: u64, block: u64) -> Self {
        let pull = Pull {
            position: 0,
            hasher: Sha1::new(),
        };
        Self {
            stream,
            size,
            block,
            pull: Mutex::new(pull),
            kept: Mutex::default(),
        }
    }

    /// Reads on up to `end`.
    fn read_to(&self, pull: &mut Pull, end: u64, token: &CancelToken) -> Result<(), SourceFailure> {
        let name = self.stream.name();
        let mut buffer = vec![0; READ_SIZE];
        while pull.position < end {
            if token.is_cancelled() {
                return Err(cancelled(name));
            }
            let left = end.min(self.block_end(pull.position)) - pull.position;
            let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let count = self.stream.read(pull.position, &mut buffer[..room])?;
            if count == 0 {
                return Err(super::ended(self, pull.position));
            }
            pull.hasher.update(&buffer[..count]);
            self.keep(pull.position, &buffer[..count]);
            pull.position += count as u64;
        }
        Ok(())
    }

    /// Where the buffer of the byte at this place ends at the latest.
    fn block_end(&self, position: u64) -> u64 {
        (position - position % self.block + self.block).min(self.size)
    }

    /// Keeps what was read at the end of the newest buffer, or where that is full, or let go, in another one.
    fn keep(&self, position: u64, bytes: &[u8]) {
        let mut kept = lock(&self.kept);
        if let Some(mut newest) = kept.buffers.last_entry() {
            let ends_here = newest.key() + newest.get().len() as u64 == position;
            if ends_here && position % self.block != 0 {
                return newest.get_mut().extend_from_slice(bytes);
            }
        }
        let room = self.block_end(position) - position;
        let mut buffer = Vec::with_capacity(usize::try_from(room).unwrap_or(0));
        buffer.extend_from_slice(bytes);
        kept.buffers.insert(position, buffer);
    }

    /// Makes sure that nothing follows the last byte: it is the last chance to say so before that byte leaves.
    fn find_end(&self, pull: &Pull) -> Result<(), SourceFailure> {
        if lock(&self.kept).digest.is_some() {
            return Ok(());
        }
        if self.stream.read(self.size, &mut [0])? > 0 {
            let name = self.stream.name();
            let text = format!(
                "{name} has more than the {} bytes that it was said to have",
                self.size
            );
            return Err(SourceFailure::new(SourceFault::TooLarge, text));
        }
        let digest = Sha1Digest::from_bytes(pull.hasher.clone().finalize().into());
        lock(&self.kept).digest = Some(digest);
        Ok(())
    }

    fn require_kept(&self, range: &Range<u64>) -> Result<(), SourceFailure> {
        let mut missing = range.start;
        for (start, bytes) in &lock(&self.kept).buffers {
            if *start <= missing {
                missing = missing.max(start + bytes.len() as u64);
            }
        }
        if missing < range.end {
            return Err(self.gone(missing));
        }
        Ok(())
    }

    fn gone(&self, offset: u64) -> SourceFailure {
        let name = self.stream.name();
        SourceFailure::new(
            SourceFault::Gone,
            format!(
                "the bytes of {name} at offset {offset} are needed once more, and are gone: they were read, sent and let go"
            ),
        )
    }
}

impl Source for StreamSource {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.size {
            return Ok(0);
        }
        let kept = lock(&self.kept);
        let found = kept.buffers.range(..=offset).next_back();
        let bytes = found.and_then(|(start, bytes)| {
            let skip = usize::try_from(offset - start).ok()?;
            bytes.get(skip..).filter(|bytes| !bytes.is_empty())
        });
        let bytes = bytes.ok_or_else(|| io::Error::other(self.gone(offset)))?;
        let count = bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&bytes[..count]);
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

    fn reading(&self) -> Reading {
        Reading::Once
    }

    fn may_block(&self) -> bool {
        true
    }

    fn load(&self, range: Range<u64>, token: &CancelToken) -> Result<(), SourceFailure> {
        let mut pull = lock(&self.pull);
        // What lies before it is read too: whoever was given that will ask for it.
        self.read_to(&mut pull, range.end, token)?;
        if range.end == self.size {
            self.find_end(&pull)?;
        }
        self.require_kept(&range)
    }

    fn buffered(&self) -> Vec<Range<u64>> {
        let kept = lock(&self.kept);
        let range = |(start, bytes): (&u64, &Vec<u8>)| *start..start + bytes.len() as u64;
        kept.buffers.iter().map(range).collect()
    }

    fn release(&self, range: Range<u64>) {
        let is_released =
            |start: &u64, bytes: &Vec<u8>| range.start <= *start && start + bytes.len() as u64 <= range.end;
        lock(&self.kept)
            .buffers
            .retain(|start, bytes| !is_released(start, bytes));
    }

    fn digest(&self) -> Option<Sha1Digest> {
        lock(&self.kept).digest
    }

    fn name(&self) -> String {
        self.stream.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use proptest::prelude::*;

    use crate::protocol::ranges::Ranges;

    use super::*;

    /// Gives what it is told to, in pieces, and whatever the last entry says after them.
    struct Script(VecDeque<io::Result<Vec<u8>>>);

    impl Read for Script {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(step) = self.0.pop_front() else {
                return Ok(0);
            };
            let mut bytes = step?;
            let rest = bytes.split_off(bytes.len().min(buffer.len()));
            buffer[..bytes.len()].copy_from_slice(&bytes);
            if !rest.is_empty() {
                self.0.push_front(Ok(rest));
            }
            Ok(bytes.len())
        }
    }

    fn stream(steps: Vec<io::Result<Vec<u8>>>) -> Arc<Stream> {
        Arc::new(Stream::new("the pipe", Script(steps.into())))
    }

    fn source(content: &[u8], size: u64) -> StreamSource {
        StreamSource::new(stream(vec![Ok(content.to_vec())]), size)
    }

    fn load(source: &StreamSource, range: Range<u64>) -> Result<Vec<u8>, SourceFailure> {
        source.load(range.clone(), &CancelToken::new())?;
        let mut bytes = vec![0; (range.end - range.start) as usize];
        let mut filled = 0;
        while filled < bytes.len() {
            let count = source
                .read_at(range.start + filled as u64, &mut bytes[filled..])
                .unwrap();
            assert_ne!(count, 0, "at {filled} of {range:?}");
            filled += count;
        }
        Ok(bytes)
    }

    fn fault(result: Result<Vec<u8>, SourceFailure>) -> (SourceFault, String) {
        let failure = result.unwrap_err();
        (failure.kind, failure.detail)
    }

    proptest! {
        /// As workers do: slices in their order, some at once in any order, each perhaps more than once.
        #[test]
        fn slices_are_given_however_the_stream_comes_and_are_let_go_when_they_are_stored(
            content in prop::collection::vec(any::<u8>(), 1..3000),
            pieces in prop::collection::vec(1usize..200, 1..40),
            slice in 1u64..400,
            window in 1u64..5,
            block in 1u64..500,
            picks in prop::collection::vec(any::<prop::sample::Index>(), 1..200),
        ) {
            let size = content.len() as u64;
            let mut steps = Vec::new();
            let mut rest = &content[..];
            for piece in pieces.iter().cycle() {
                let (now, later) = rest.split_at(rest.len().min(*piece));
                steps.push(Ok(now.to_vec()));
                rest = later;
                if rest.is_empty() {
                    break;
                }
            }
            let source = StreamSource::with_blocks(stream(steps), size, block);
            let mut next = 0;
            let mut stored = Ranges::new();
            let mut under_way: Vec<Range<u64>> = Vec::new();
            for (turn, pick) in picks.iter().cycle().enumerate() {
                while (under_way.len() as u64) < window && next < size {
                    under_way.push(next..size.min(next + slice));
                    next += slice;
                }
                if under_way.is_empty() {
                    break;
                }
                let index = pick.index(under_way.len());
                let range = under_way[index].clone();
                let expected = &content[range.start as usize..range.end as usize];
                prop_assert_eq!(load(&source, range.clone()).unwrap(), expected);
                let held: u64 = source.buffered().iter().map(|range| range.end - range.start).sum();
                prop_assert!(held <= window * (slice + 2 * block), "{held} bytes");
                // Some are sent once more, and once more.
                if pick.index(2) == 0 || turn >= picks.len() {
                    stored.insert(range);
                    under_way.swap_remove(index);
                    for buffer in source.buffered() {
                        if stored.contains(buffer.clone()) {
                            source.release(buffer);
                        }
                    }
                }
            }
            prop_assert!(source.buffered().is_empty());
            let digest = Sha1Digest::from_bytes(Sha1::digest(&content).into());
            prop_assert_eq!(source.digest(), Some(digest));
        }
    }

    #[test]
    fn a_stream_of_nothing_is_whole() {
        let source = source(b"", 0);
        assert_eq!(source.digest(), None);
        assert_eq!(load(&source, 0..0).unwrap(), b"");
        assert_eq!(
            source.digest().unwrap().to_string(),
            "da39a3ee5e6b4b0d3255bfef95601890afd80709"
        );
    }

    #[test]
    fn a_stream_that_ends_early_or_goes_on_is_not_what_was_said() {
        let short = source(b"01234", 6);
        let (kind, text) = fault(load(&short, 0..6));
        assert_eq!(kind, SourceFault::Changed);
        assert!(
            text.contains("the pipe ended at offset 5") && text.contains('6'),
            "{text}"
        );
        assert_eq!(fault(load(&short, 0..6)).0, SourceFault::Changed, "asked again");

        let long = source(b"0123456", 6);
        assert_eq!(load(&long, 0..5).unwrap(), b"01234");
        let (kind, text) = fault(load(&long, 5..6));
        assert_eq!(kind, SourceFault::TooLarge);
        assert!(text.contains("more than the 6 bytes"), "{text}");
        assert_eq!(long.digest(), None);
        assert_eq!(fault(load(&source(b"0", 0), 0..0)).0, SourceFault::TooLarge);
    }

    #[test]
    fn what_was_let_go_is_gone_and_what_was_not_is_there() {
        let stream = stream(vec![Ok(b"0123456789".to_vec())]);
        let source = StreamSource::with_blocks(stream, 10, 4);
        load(&source, 0..4).unwrap();
        load(&source, 4..7).unwrap();
        source.release(0..4);
        let kept = source.buffered();
        assert!(kept.len() == 1 && kept[0] == (4..7), "{kept:?}");
        let (kind, text) = fault(load(&source, 0..4));
        assert_eq!(kind, SourceFault::Gone);
        assert!(text.contains("offset 0"), "{text}");
        assert_eq!(load(&source, 4..7).unwrap(), b"456");
        assert_eq!(load(&source, 6..10).unwrap(), b"6789", "over two buffers");
        assert_eq!(source.buffered(), [4..8, 8..10]);
    }

    #[test]
    fn a_read_that_failed_is_made_again_where_it_stopped() {
        let failed = io::Error::from_raw_os_error(libc::EIO);
        let steps = vec![Ok(b"012".to_vec()), Err(failed), Ok(b"345".to_vec())];
        let source = StreamSource::new(stream(steps), 6);
        let failure = load(&source, 0..6).unwrap_err();
        assert_eq!(
            (failure.kind, failure.os_errno),
            (SourceFault::Unreadable, Some(libc::EIO))
        );
        assert!(failure.detail.contains("the pipe at offset 3"), "{failure}");
        assert_eq!(load(&source, 0..6).unwrap(), b"012345");
    }

    #[test]
    fn a_cancel_is_seen_between_two_reads_and_loses_nothing() {
        let token = CancelToken::new();
        let source = source(b"0123", 4);
        token.cancel();
        assert!(source.load(0..4, &token).is_err());
        assert_eq!(load(&source, 0..4).unwrap(), b"0123");
    }

    #[test]
    fn a_reader_that_claims_more_than_fits_or_panics_spoils_no_byte() {
        struct Bad(u32);
        impl Read for Bad {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Ok(buffer.len() + 1),
                    2 => panic!("on purpose"),
                    _ => Ok(buffer.len()),
                }
            }
        }
        let source = StreamSource::new(Arc::new(Stream::new("bad", Bad(0))), 4);
        let (kind, text) = fault(load(&source, 0..4));
        assert_eq!(kind, SourceFault::Unreadable);
        assert!(text.contains("5 bytes") && text.contains("room for 4"), "{text}");
        assert!(catch_unwind(AssertUnwindSafe(|| load(&source, 0..4))).is_err());
        assert_eq!(
            fault(load(&source, 0..4)).0,
            SourceFault::Gone,
            "nobody knows what it took"
        );
    }

    #[test]
    fn the_rest_of_a_stream_is_not_taken_for_the_whole() {
        let stream = stream(vec![Ok(b"0123456789".to_vec())]);
        load(&StreamSource::new(stream.clone(), 10), 0..4).unwrap();
        let other = StreamSource::new(stream, 6);
        assert_eq!(fault(load(&other, 0..6)).0, SourceFault::Gone);
    }
}
