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

/// A connection with so much room for files in the buffer, which it sends by itself or not; by default neither. And how many bytes
/// are said to be of them.
#[derive(Default)]
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
        let keep = Roomy::default();
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
    let keep = Roomy::default();
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
    let keep = Roomy::default();
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
    let keep = Roomy::default();
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
