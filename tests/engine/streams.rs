//! What is particular to sources that come once.

use std::collections::VecDeque;
use std::io::{self, Cursor, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak, mpsc};
use std::thread;
use std::time::Duration;

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::{CallbackSource, Source, Spool, Stream, StreamSource, of_stream};
use cos_slice::protocol::Api;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

const SLICE: u64 = MIB / 2;
const HANG_GUARD: Duration = Duration::from_secs(60);

fn upload_with(client: &Client, source: Arc<dyn Source>) -> Upload {
    let upload = client.upload(BUCKET, PATH).unwrap();
    upload.set_source(source).unwrap();
    upload
        .set_options(|options| {
            options.slice_size = SLICE;
            options.hash = false;
        })
        .unwrap();
    upload
}

fn stream(reader: impl Read + Send + 'static) -> Arc<Stream> {
    Arc::new(Stream::new("the pipe", reader))
}

fn sent_as(bytes: Vec<u8>, size: u64) -> Arc<StreamSource> {
    Arc::new(StreamSource::new(stream(Cursor::new(bytes)), size))
}

/// Notes at each read how much is in the buffers of the source that it is read for.
struct Watched {
    content: Cursor<Vec<u8>>,
    source: Arc<OnceLock<Weak<StreamSource>>>,
    most: Arc<AtomicU64>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let source = self.source.get().and_then(Weak::upgrade);
        let held = source.map_or(0, |source| {
            let lengths = source.buffered().into_iter().map(|range| range.end - range.start);
            lengths.sum()
        });
        self.most.fetch_max(held, Ordering::Relaxed);
        self.content.read(buffer)
    }
}

#[test]
fn a_stream_is_held_in_one_slice_for_each_connection_and_no_more_whatever_fails() {
    const CONNECTIONS: u32 = 4;
    let stage = Stage::new();
    let bytes = content(64 * SLICE, 1);
    let config = ClientConfig {
        connections: CONNECTIONS.into(),
        ..stage.config()
    };
    let client = Client::new(config).unwrap();
    for action in [r#"{"status":500,"code":-195}"#, r#"{"reset":"after_effect"}"#] {
        let rule =
            format!(r#"{{"operation":"upload_slice_data","probability":0.2,"times":0,"action":{action}}}"#);
        stage.fault(&rule);
        let (most, own) = (Arc::new(AtomicU64::new(0)), Arc::new(OnceLock::new()));
        let watched = Watched {
            content: Cursor::new(bytes.clone()),
            source: own.clone(),
            most: most.clone(),
        };
        let source = Arc::new(StreamSource::new(stream(watched), bytes.len() as u64));
        own.set(Arc::downgrade(&source)).unwrap();
        let upload = upload_with(&client, source.clone());
        upload.set_options(|options| options.overwrite = true).unwrap();
        let object = upload
            .run(None)
            .unwrap_or_else(|error| panic!("{action}: {error}"));
        assert!(object.retries > 0, "nothing failed");
        assert!(stage.object() == bytes);
        let most = most.load(Ordering::Relaxed);
        assert!(most > 0 && most <= u64::from(CONNECTIONS) * SLICE, "{most} bytes");
        stage.emulator.clear_faults();
    }
}

#[test]
fn a_stream_that_the_server_says_to_have_already_is_looked_up_and_not_held_for_ever() {
    let stage = Stage::new();
    let bytes = content(32 * SLICE, 1);
    let (most, own) = (Arc::new(AtomicU64::new(0)), Arc::new(OnceLock::new()));
    let watched = Watched {
        content: Cursor::new(bytes.clone()),
        source: own.clone(),
        most: most.clone(),
    };
    let source = Arc::new(StreamSource::new(stream(watched), bytes.len() as u64));
    own.set(Arc::downgrade(&source)).unwrap();
    let config = ClientConfig {
        connections: 2.into(),
        ..stage.config()
    };
    // Its answer is lost, and the second attempt told that it is there.
    stage.fault(r#"{"operation":"upload_slice_data","nth":2,"action":{"reset":"after_effect"}}"#);
    stage.fault(r#"{"operation":"upload_slice_data","nth":4,"action":{"status":400,"code":-4015}}"#);
    let upload = upload_with(&Client::new(config).unwrap(), source);
    upload.run(None).unwrap();
    assert!(stage.object() == bytes);
    assert!(most.load(Ordering::Relaxed) <= 3 * SLICE);
}

#[test]
fn a_session_that_is_lost_after_slices_were_let_go_is_not_restartable_and_says_what_to_do() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"upload_slice_data","nth":12,"action":{"drop_session":true}}"#);
    let bytes = content(16 * SLICE, 1);
    let upload = upload_with(&stage.client(), sent_as(bytes, 16 * SLICE));
    for _ in 0..2 {
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, Status::NotRestartable, "{error}");
        assert!(
            error.message.contains("the pipe") && error.message.contains("spooled"),
            "{error}"
        );
    }
    assert!(stage.emulator.object(BUCKET, PATH).is_err());
}

#[test]
fn a_stream_that_is_shorter_or_longer_than_was_said_makes_no_object() {
    let (short, long) = (
        (Status::SourceChanged, "before its size"),
        (Status::TooLarge, "has more than"),
    );
    for (size, (status, said)) in [
        (5 * SLICE + 1, short),
        (5 * SLICE - 1, long),
        (5 * SLICE - 100, long),
        (4 * SLICE, long),
        (0, long),
    ] {
        let stage = Stage::new();
        let upload = upload_with(&stage.client(), sent_as(content(5 * SLICE, 1), size));
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, status, "{size}: {error}");
        assert!(error.message.contains(said), "{size}: {error}");
        assert!(!error.message.contains("file"), "{size}: {error}");
        assert_eq!(stage.count("upload_slice_finish"), 0);
        assert!(stage.emulator.object(BUCKET, PATH).is_err());
    }
}

#[test]
fn what_can_not_be_done_with_a_stream_is_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let client = stage.client();
    let upload = upload_with(&client, sent_as(vec![1], 1));
    upload.set_options(|options| options.hash = true).unwrap();
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
    assert!(
        error.message.contains("hash: ") && error.message.contains("spooled"),
        "{error}"
    );

    let config = ClientConfig {
        api: Api::FilesV1,
        ..stage.config()
    };
    for hash in [true, false] {
        let upload = upload_with(&Client::new(config.clone()).unwrap(), sent_as(vec![1], 1));
        upload.set_options(|options| options.hash = hash).unwrap();
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(
            error.message.contains("files/v1") && error.message.contains("spooled"),
            "{error}"
        );
    }

    let unknown = of_stream(stream(io::empty()), None, None).err().unwrap();
    assert!(
        unknown.starts_with("stream: ") && unknown.contains("spooling"),
        "{unknown}"
    );
    let large = upload_with(&client, sent_as(vec![], (64 << 30) + 1));
    assert_eq!(large.run(None).unwrap_err().status, Status::TooLarge);
    assert!(stage.emulator.requests().is_empty());
}

#[test]
fn files_v1_takes_a_stream_that_is_spooled() {
    let stage = Stage::new();
    let config = ClientConfig {
        api: Api::FilesV1,
        ..stage.config()
    };
    let bytes = content(3 * SLICE + 5, 1);
    let spool = Spool {
        folder: Some(stage.folder.path().into()),
        limit: 4 * SLICE,
    };
    let source = of_stream(stream(Cursor::new(bytes.clone())), None, Some(spool)).unwrap();
    let upload = upload_with(&Client::new(config).unwrap(), source);
    upload.set_options(|options| options.hash = true).unwrap();
    upload.run(None).unwrap();
    assert!(stage.object() == bytes);
}

#[test]
fn the_sha1_that_was_taken_while_a_stream_was_read_is_compared_with_the_server_s() {
    let stage = Stage::new();
    let other = "0123456789012345678901234567890123456789";
    stage.fault(&format!(
        r#"{{"operation":"stat","times":0,"action":{{"replace":{{"data.sha":"{other}"}}}}}}"#
    ));
    let upload = upload_with(&stage.client(), sent_as(content(3 * SLICE, 1), 3 * SLICE));
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::VerifyFailed, "{error}");
    assert!(error.message.contains(other), "{error}");
}

/// Blocks until the gate opens, and then gives its bytes.
struct Gated {
    began: mpsc::Sender<()>,
    gate: mpsc::Receiver<()>,
    content: Cursor<Vec<u8>>,
}

impl Read for Gated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let _ = self.began.send(());
        let _ = self.gate.recv_timeout(HANG_GUARD);
        self.content.read(buffer)
    }
}

fn gated(bytes: Vec<u8>) -> (Gated, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let ((began, has_begun), (opener, gate)) = (mpsc::channel(), mpsc::channel());
    let content = Cursor::new(bytes);
    (Gated { began, gate, content }, has_begun, opener)
}

#[test]
fn a_source_that_blocks_holds_up_no_other_upload_and_a_cancel_only_until_it_returns() {
    for spooled in [false, true] {
        let stage = Stage::new();
        let config = ClientConfig {
            connections: 2.into(),
            ..stage.config()
        };
        let client = Client::new(config).unwrap();
        let (reader, has_begun, opener) = gated(content(3 * SLICE, 1));
        let spool = Spool {
            folder: None,
            limit: 3 * SLICE,
        };
        let source = of_stream(stream(reader), Some(3 * SLICE), spooled.then_some(spool)).unwrap();
        let blocked = upload_with(&client, source);
        blocked.start(None).unwrap();
        has_begun.recv_timeout(HANG_GUARD).expect("it is read");

        let file = stage.file(4 * SLICE, 2);
        let other = client.upload(BUCKET, "other").unwrap();
        other.set_file(&file).unwrap();
        other.start(None).unwrap();
        other.wait(Some(HANG_GUARD)).expect("the other goes on");

        blocked.cancel();
        assert_eq!(
            blocked.wait(Some(Duration::ZERO)).unwrap_err().status,
            Status::StillRunning,
            "the read is waited for"
        );
        drop(opener);
        assert_eq!(
            blocked.wait(Some(HANG_GUARD)).unwrap_err().status,
            Status::Cancelled
        );
        // What was read then is not lost.
        blocked.run(None).unwrap();
        assert!(stage.object() == content(3 * SLICE, 1));
    }
}

#[test]
fn callbacks_that_block_take_half_of_the_workers_at_most() {
    const CONNECTIONS: u32 = 4;
    let stage = Stage::new();
    let config = ClientConfig {
        connections: CONNECTIONS.into(),
        ..stage.config()
    };
    let client = Client::new(config).unwrap();
    let (entered, entries) = mpsc::channel();
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock().unwrap();
    let source = {
        let gate = gate.clone();
        CallbackSource::new(16 * SLICE, move |_, buffer| {
            let _ = entered.send(());
            drop(gate.lock());
            buffer.fill(7);
            Ok(buffer.len())
        })
    };
    let blocked = upload_with(&client, Arc::new(source));
    blocked.start(None).unwrap();
    for _ in 0..CONNECTIONS / 2 {
        entries.recv_timeout(HANG_GUARD).expect("it is read");
    }
    let file = stage.file(8 * SLICE, 2);
    let other = client.upload(BUCKET, "other").unwrap();
    other.set_file(&file).unwrap();
    other.start(None).unwrap();
    other.wait(Some(HANG_GUARD)).expect("the other goes on");
    assert!(entries.try_recv().is_err(), "more than half are inside");
    drop(held);
    blocked.wait(Some(HANG_GUARD)).unwrap();
}

#[test]
fn a_stream_that_is_longer_than_may_be_spooled_and_a_folder_that_is_not_there_send_nothing() {
    let stage = Stage::new();
    let there = stage.folder.path().to_owned();
    let absent = there.join("absent");
    for (folder, limit, status, said) in [
        (there, 100, Status::TooLarge, "more than the 100 bytes"),
        (absent, 1000, Status::Resources, "absent"),
    ] {
        let spool = Spool {
            folder: Some(folder),
            limit,
        };
        let source = of_stream(stream(Cursor::new(vec![1; 101])), None, Some(spool)).unwrap();
        let error = upload_with(&stage.client(), source).run(None).unwrap_err();
        assert_eq!(error.status, status, "{error}");
        assert_eq!(error.is_retryable(), status == Status::Resources, "{error}");
        assert!(error.message.contains(said), "{error}");
    }
    assert!(stage.emulator.requests().is_empty());
}

#[test]
fn a_stream_whose_folder_was_not_there_is_uploaded_whole_by_the_next_run() {
    let stage = Stage::new();
    let folder = stage.folder.path().join("later");
    let spool = Spool {
        folder: Some(folder.clone()),
        limit: 3 * SLICE,
    };
    let bytes = content(2 * SLICE + 1, 1);
    let source = of_stream(stream(Cursor::new(bytes.clone())), None, Some(spool)).unwrap();
    let upload = upload_with(&stage.client(), source);
    assert_eq!(upload.run(None).unwrap_err().status, Status::Resources);
    std::fs::create_dir(folder).unwrap();
    upload.run(None).unwrap();
    assert!(stage.object() == bytes);
}

#[test]
fn a_reader_that_fails_ends_the_run_and_the_next_one_goes_on_where_it_stopped() {
    struct Failing(VecDeque<io::Result<Vec<u8>>>);
    impl Read for Failing {
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
    let bytes = content(9 * SLICE, 1);
    for spooled in [false, true] {
        let stage = Stage::new();
        let steps = [
            Ok(bytes[..2_000_000].to_vec()),
            Err(io::Error::other("the tape is torn")),
            Ok(bytes[2_000_000..].to_vec()),
        ];
        let spool = Spool {
            folder: None,
            limit: 9 * SLICE,
        };
        let reader = Failing(steps.into());
        let source = of_stream(stream(reader), Some(9 * SLICE), spooled.then_some(spool)).unwrap();
        let upload = upload_with(&stage.client(), source);
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, Status::FileRead, "{error}");
        assert!(
            error.message.contains("the pipe at offset 2000000")
                && error.message.contains("the tape is torn"),
            "{error}"
        );
        upload.run(None).unwrap();
        assert!(stage.object() == bytes);
    }
}

#[test]
fn a_reader_that_panics_ends_its_own_upload_alone() {
    let stage = Stage::new();
    let client = stage.client();
    struct Panicking;
    impl Read for Panicking {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("on purpose")
        }
    }
    let source = Arc::new(StreamSource::new(stream(Panicking), SLICE));
    let (done, over) = mpsc::channel();
    let upload = upload_with(&client, source);
    thread::spawn(move || {
        let _ = done.send(upload.run(None));
    });
    let error = over.recv_timeout(HANG_GUARD).expect("it hangs").unwrap_err();
    assert_eq!(error.status, Status::Panic, "{error}");
    let other = client.upload(BUCKET, "other").unwrap();
    other.set_file(stage.file(SLICE, 1)).unwrap();
    other.run(None).unwrap();
}
