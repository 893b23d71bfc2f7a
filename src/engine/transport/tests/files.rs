//! Files that the system takes to the socket by itself, where it can.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::engine::source::{Identity, RangeSource};
use crate::engine::sys::SENDS_FILES;
use crate::protocol::reply::ReplyError;
use crate::upload::failure::{SourceFailure, SourceFault};

use super::*;

const KIB: u64 = 1 << 10;

/// A file of so many bytes, no two pieces of which are the same.
fn file(size: u64) -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let content: Vec<u8> = (0..size / 8 + 1)
        .flat_map(u64::to_le_bytes)
        .take(size as usize)
        .collect();
    fs::write(&path, &content).unwrap();
    (folder, path, content)
}

/// Moves the modification time, as a change does, and no byte.
fn touch(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
}

fn part(offset: u64, length: u64) -> Segment {
    Segment::Source { offset, length }
}

fn around(segments: Vec<Segment>) -> Request {
    let text = |text: &str| Segment::Text(text.as_bytes().to_vec());
    let inside = segments.into_iter();
    post(
        [text("head")]
            .into_iter()
            .chain(inside)
            .chain([text("tail")])
            .collect(),
    )
}

fn framed(content: &[u8]) -> Vec<u8> {
    [b"head", content, b"tail"].concat()
}

/// Answers so many requests of one connection, and sends on the body of each.
fn echoing(times: usize) -> (Server, Receiver<Vec<u8>>) {
    let (sender, bodies) = mpsc::channel();
    let server = Server::once(move |mut stream, _| {
        for _ in 0..times {
            let length = content_length(&read_head(&mut stream));
            let mut body = Vec::new();
            (&mut stream).take(length).read_to_end(&mut body).unwrap();
            sender.send(body).unwrap();
            answer(&mut stream, "200 OK", "{}");
        }
    });
    (server, bodies)
}

fn changed(result: Result<(u16, String), TaskFailure>) -> SourceFailure {
    let Err(TaskFailure::Source(failure)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(failure.kind, SourceFault::Changed, "{failure:?}");
    failure
}

/// Counts what is read of it.
struct Counting<S>(S, AtomicU64);

impl<S> Counting<S> {
    fn new(source: S) -> Self {
        Self(source, AtomicU64::new(0))
    }
}

impl<S: Source> Source for Counting<S> {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read_at(offset, buffer)?;
        self.1.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        self.0.in_file(offset)
    }
    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.0.verify_unchanged()
    }
    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn any_part_of_a_file_arrives_as_it_is_between_the_texts_around_it() {
    let (_folder, path, content) = file(3_000_001);
    let source = FileSource::open(&path).unwrap();
    let parts = [
        (0, 3_000_001),
        (1, 3_000_000),
        (4096, 65_536),
        (2_999_000, 1001),
        (77, 40_000),
        (5, 1),
    ];
    let (server, bodies) = echoing(parts.len());
    let mut transport = server.transport();
    for (offset, length) in parts {
        let request = around(vec![part(offset, length)]);
        assert_eq!(call(&mut transport, &request, &source).said(), ok("{}"));
        let sent = &content[offset as usize..][..length as usize];
        assert!(
            bodies.recv().unwrap() == framed(sent),
            "{length} bytes at {offset}"
        );
    }
}

#[test]
fn two_parts_of_a_part_of_a_file_arrive_in_their_order() {
    let (_folder, path, content) = file(400_000);
    let whole = Arc::new(FileSource::open(&path).unwrap());
    let source = RangeSource::new(whole, 1000, Some(300_000)).unwrap();
    let (server, bodies) = echoing(1);
    let request = around(vec![part(200_000, 100_000), part(7, 100_000)]);
    assert_eq!(call(&mut server.transport(), &request, &source).said(), ok("{}"));
    let sent = [&content[201_000..301_000], &content[1007..101_007]].concat();
    assert!(bodies.recv().unwrap() == framed(&sent));
}

#[test]
fn only_the_last_byte_is_read_of_what_the_system_sends() {
    let (_folder, path, _) = file(1 << 20);
    let source = Counting::new(FileSource::open(&path).unwrap());
    let (server, bodies) = echoing(1);
    let request = around(vec![part(0, 1 << 20)]);
    assert_eq!(call(&mut server.transport(), &request, &source).said(), ok("{}"));
    assert_eq!(bodies.recv().unwrap().len(), (1 << 20) + 8);
    let read = source.1.into_inner();
    assert_eq!(read, if SENDS_FILES { 1 } else { 1 << 20 });
}

#[test]
fn what_must_be_final_when_it_leaves_or_is_digested_meanwhile_is_read() {
    let (_folder, path, content) = file(100 * KIB);
    let (server, bodies) = echoing(3);
    let mut transport = server.transport();
    let completing = Request {
        may_complete: true,
        ..around(vec![part(0, 100 * KIB)])
    };
    let with_sha = around(vec![part(0, 100 * KIB), Segment::SourceSha]);
    let with_md5 = around(vec![part(0, 100 * KIB), Segment::SourceMd5]);
    for request in [completing, with_sha, with_md5] {
        let source = Counting::new(FileSource::open(&path).unwrap());
        assert_eq!(call(&mut transport, &request, &source).said(), ok("{}"));
        assert_eq!(source.1.into_inner(), 100 * KIB, "{request:?}");
        assert_eq!(bodies.recv().unwrap()[4..][..content.len()], content);
    }
}

#[test]
fn a_file_that_loses_its_end_while_it_is_sent_is_a_changed_one_and_never_a_short_body() {
    let (_folder, path, _) = file(64 << 20);
    let source = FileSource::open(&path).unwrap();
    let server = Server::once(move |mut stream, _| {
        let length = content_length(&read_head(&mut stream));
        // The system has sent a few MiB at most.
        OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(60 << 20)
            .unwrap();
        let received = io::copy(&mut (&mut stream).take(length), &mut io::sink()).unwrap_or(0);
        assert!(received < length, "the server never has the whole body");
    });
    let failure = changed(call(&mut server.transport(), &send(&source), &source));
    assert!(failure.detail.contains("its size was"), "{}", failure.detail);
}

#[test]
fn a_file_written_to_while_it_is_sent_is_noticed_before_its_last_byte_leaves() {
    let (_folder, path, _) = file(64 << 20);
    let source = FileSource::open(&path).unwrap();
    let server = Server::once(move |mut stream, _| {
        let length = content_length(&read_head(&mut stream));
        touch(&path);
        let received = io::copy(&mut (&mut stream).take(length), &mut io::sink()).unwrap_or(0);
        assert!(received < length, "the server never has the whole body");
    });
    changed(call(&mut server.transport(), &send(&source), &source));
}

#[test]
fn a_file_written_to_before_its_bytes_were_acknowledged_is_a_changed_one() {
    let (_folder, path, _) = file(100 * KIB);
    for may_complete in [false, true] {
        let source = FileSource::open(&path).unwrap();
        let path = path.clone();
        let server = Server::once(move |mut stream, _| {
            read_request(&mut stream);
            // All of it has arrived, but the system may have taken it from the file only just now.
            fs::write(&path, vec![7; 100 * KIB as usize]).unwrap();
            touch(&path);
            answer(&mut stream, "200 OK", "{}");
        });
        let request = Request {
            may_complete,
            ..send(&source)
        };
        let result = call(&mut server.transport(), &request, &source);
        match SENDS_FILES && !may_complete {
            true => drop(changed(result)),
            // It was copied before the change.
            false => assert_eq!(result.said(), ok("{}")),
        }
    }
}

#[test]
fn a_refusal_of_a_file_that_changed_meanwhile_is_the_servers() {
    let (_folder, path, _) = file(100 * KIB);
    let source = FileSource::open(&path).unwrap();
    let server = Server::once(move |mut stream, _| {
        read_request(&mut stream);
        touch(&path);
        answer(&mut stream, "403 Forbidden", "no");
    });
    let refused = server.transport().exchange(
        &send(&source),
        hidden("signed"),
        &source,
        HANG_GUARD,
        &CancelToken::new(),
        &mut |_, _| Err::<(), _>(ReplyError::Refused(refusal())),
    );
    assert!(matches!(refused, Err(TaskFailure::Refused(_))), "{refused:?}");
}

/// Bytes of this process's memory as the file that the system shows them in, which it will not send by itself.
#[cfg(target_os = "linux")]
struct Unsendable(Vec<u8>, Arc<File>);

#[cfg(target_os = "linux")]
impl Source for Unsendable {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        MemorySource::new(&self.0[..]).read_at(offset, buffer)
    }
    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        Some((self.1.clone(), self.0.as_ptr() as u64 + offset))
    }
    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }
    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_the_system_does_not_send_is_copied() {
    let (_folder, _, content) = file(300_000);
    let memory = Arc::new(File::open("/proc/self/mem").unwrap());
    let refused = rustix::fs::sendfile(
        OpenOptions::new().write(true).open("/dev/null").unwrap(),
        &memory,
        None,
        1,
    );
    assert!(refused.is_err(), "the system does send it, so this shows nothing");
    let source = Unsendable(content.clone(), memory);
    let (server, bodies) = echoing(2);
    let mut transport = server.transport();
    for _ in 0..2 {
        assert_eq!(call(&mut transport, &send(&source), &source).said(), ok("{}"));
        assert!(bodies.recv().unwrap() == framed(&content));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_error_of_the_file_is_told_with_the_sources_name_and_the_place() {
    let (_folder, path, _) = file(100 * KIB);
    let whole = FileSource::open(&path).unwrap();
    // Neither sent nor read.
    let unreadable = Arc::new(OpenOptions::new().write(true).open(&path).unwrap());
    struct Closed(FileSource, Arc<File>);
    impl Source for Closed {
        fn size(&self) -> u64 {
            self.0.size()
        }
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read_at(offset, buffer)
        }
        fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
            Some((self.1.clone(), offset))
        }
        fn verify_unchanged(&self) -> Result<(), SourceFailure> {
            self.0.verify_unchanged()
        }
        fn identity(&self) -> Option<Identity> {
            None
        }
        fn name(&self) -> String {
            self.0.name()
        }
    }
    let source = Closed(whole, unreadable);
    let server = Server::once(|mut stream, _| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let result = call(
        &mut server.transport(),
        &around(vec![part(4096, 80 * KIB)]),
        &source,
    );
    let Err(TaskFailure::Source(failure)) = result else {
        panic!("{result:?}")
    };
    assert_eq!(
        (failure.kind, failure.os_errno),
        (SourceFault::Unreadable, Some(libc::EBADF))
    );
    let told = format!("reading {path:?} at offset 4096 failed");
    assert!(failure.detail.contains(&told), "{}", failure.detail);
}

#[cfg(target_os = "linux")]
#[test]
fn a_cancel_takes_back_what_the_system_has_not_sent_yet() {
    let (reached, on_reached) = mpsc::channel();
    let (ended, on_ended) = mpsc::channel::<()>();
    let server = Server::once(move |mut stream, _| {
        read_head(&mut stream);
        reached.send(()).unwrap();
        on_ended.recv().unwrap_err();
        let end = io::copy(&mut stream, &mut io::sink());
        let kind = end.map_err(|error| error.kind());
        assert_eq!(kind, Err(io::ErrorKind::ConnectionReset), "not sent to its end");
    });
    let (_folder, source) = large_file();
    let token = CancelToken::new();
    let mut transport = server.transport();
    thread::scope(|scope| {
        let canceller = token.clone();
        scope.spawn(move || {
            on_reached.recv().unwrap();
            canceller.cancel();
        });
        let result = exchange(&mut transport, &send(&source), &source, &token);
        assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
        drop(ended);
    });
}
