//! Every kind of source, of every awkward size, whole and with slices that have to be sent again.

use std::fs::File;
use std::io::{self, Cursor, Read};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::{
    CallbackSource, FileSource, MemorySource, OpenFile, Source, Spool, Stream, of_stream,
};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

const HANG_GUARD: Duration = Duration::from_secs(60);
const SLICE: u64 = MIB / 2;
/// Bytes around those of which only a part is uploaded.
const MARGIN: u64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    File,
    Descriptor,
    Memory,
    ReadAt,
    Stream,
    SpooledStream,
    StreamOfUnknownSize,
    PartOfFile,
    PartOfDescriptor,
    PartOfMemory,
    PartOfReadAt,
}

const KINDS: [Kind; 11] = [
    Kind::File,
    Kind::Descriptor,
    Kind::Memory,
    Kind::ReadAt,
    Kind::Stream,
    Kind::SpooledStream,
    Kind::StreamOfUnknownSize,
    Kind::PartOfFile,
    Kind::PartOfDescriptor,
    Kind::PartOfMemory,
    Kind::PartOfReadAt,
];

impl Kind {
    fn is_part(self) -> bool {
        use Kind::{PartOfDescriptor, PartOfFile, PartOfMemory, PartOfReadAt};
        matches!(self, PartOfFile | PartOfDescriptor | PartOfMemory | PartOfReadAt)
    }

    /// Has the upload send these bytes.
    fn set(self, upload: &Upload, folder: &Path, bytes: &[u8]) {
        let size = bytes.len() as u64;
        let mut whole = bytes.to_vec();
        if self.is_part() {
            whole = [content(MARGIN, 77), whole, content(MARGIN, 78)].concat();
            upload.set_range(Some((MARGIN, Some(size)))).unwrap();
        }
        let path = folder.join(format!("{self:?}"));
        std::fs::write(&path, &whole).unwrap();
        let stream = || Arc::new(Stream::new("the stream", Uneven(Cursor::new(bytes.to_vec()), 0)));
        let spool = Spool {
            folder: Some(folder.into()),
            limit: size + 1,
        };
        let source: Arc<dyn Source> = match self {
            Self::File | Self::PartOfFile => return upload.set_file(path).unwrap(),
            Self::Descriptor | Self::PartOfDescriptor => {
                let file = File::open(&path).unwrap();
                let open = OpenFile::duplicate(file.as_raw_fd()).unwrap();
                return upload.set_open_file(open).unwrap();
            }
            Self::Memory | Self::PartOfMemory => Arc::new(MemorySource::new(whole)),
            Self::ReadAt | Self::PartOfReadAt => Arc::new(read_at(whole)),
            Self::Stream => of_stream(stream(), Some(size), None).unwrap(),
            Self::SpooledStream => of_stream(stream(), Some(size), Some(spool)).unwrap(),
            Self::StreamOfUnknownSize => of_stream(stream(), None, Some(spool)).unwrap(),
        };
        upload.set_source(source).unwrap();
        upload
            .set_options(|options| options.hash = self != Self::Stream)
            .unwrap();
    }
}

/// Gives no more than 10,000 bytes at a time, and an error where it should not have been asked.
fn read_at(bytes: Vec<u8>) -> CallbackSource {
    CallbackSource::new(bytes.len() as u64, move |offset, buffer| {
        let rest = &bytes[offset as usize..];
        let count = rest.len().min(buffer.len()).min(10_000);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    })
}

/// Reads in pieces of different lengths, as a pipe does.
struct Uneven<R>(R, usize);

impl<R: Read> Read for Uneven<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = (self.1 * 7 + 4099) % 60_000;
        let room = buffer.len().min(self.1 + 1);
        self.0.read(&mut buffer[..room])
    }
}

fn upload(stage: &Stage) -> Upload {
    let upload = stage.client().upload(BUCKET, PATH).unwrap();
    upload
        .set_options(|options| {
            options.slice_size = SLICE;
            options.overwrite = true;
        })
        .unwrap();
    upload
}

#[test]
fn every_kind_of_source_of_every_size_becomes_the_object() {
    for kind in KINDS {
        let stage = Stage::new();
        for size in [0, 1, SLICE - 1, 2 * SLICE, 2 * SLICE + 1, 5 * SLICE + 12_345] {
            let upload = upload(&stage);
            let bytes = content(size, size + 3);
            kind.set(&upload, stage.folder.path(), &bytes);
            let object = upload
                .run(None)
                .unwrap_or_else(|error| panic!("{kind:?}, {size}: {error}"));
            assert_eq!(
                (object.outcome, object.size, object.verified),
                (Outcome::Uploaded, size, true),
                "{kind:?}"
            );
            assert_eq!(object.slices_sent, size.div_ceil(SLICE), "{kind:?}, {size}");
            assert!(stage.object() == bytes, "{kind:?}, {size}");
        }
    }
}

#[test]
fn every_kind_of_source_sends_slices_again_however_they_failed() {
    let size = 5 * SLICE + 12_345;
    let bytes = content(size, 1);
    for kind in KINDS {
        let faults = [
            (2, r#"{"reset":"during_body"}"#),
            (3, r#"{"reset":"after_effect"}"#),
            (3, r#"{"close":"before"}"#),
            (4, r#"{"status":500,"code":-195}"#),
            (4, r#"{"status":400,"code":-4019}"#),
            (5, r#"{"rotate_session":true}"#),
        ];
        // Without a digest nothing proves that the upload in the other session is this one.
        let provable = if kind == Kind::Stream { 5 } else { 6 };
        for (nth, action) in &faults[..provable] {
            let stage = Stage::new();
            stage.fault(&format!(
                r#"{{"operation":"upload_slice_data","nth":{nth},"action":{action}}}"#
            ));
            let upload = upload(&stage);
            kind.set(&upload, stage.folder.path(), &bytes);
            upload
                .run(None)
                .unwrap_or_else(|error| panic!("{kind:?}, {action}: {error}"));
            assert!(stage.object() == bytes, "{kind:?}, {action}");
        }
    }
}

#[test]
fn every_kind_of_source_whose_upload_failed_is_gone_on_with_by_the_same_handle() {
    let size = 12 * SLICE;
    let bytes = content(size, 1);
    for kind in KINDS {
        let stage = Stage::new();
        let upload = upload(&stage);
        kind.set(&upload, stage.folder.path(), &bytes);
        stage.fault(r#"{"operation":"upload_slice_data","nth":5,"action":{"status":400,"code":-5999}}"#);
        assert_eq!(upload.run(None).unwrap_err().status, Status::Refused, "{kind:?}");
        let object = upload
            .run(None)
            .unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert!(
            object.bytes_resumed > 0 && object.outcome == Outcome::Resumed,
            "{kind:?}: {object:?}"
        );
        assert!(stage.object() == bytes, "{kind:?}");
    }
}

#[test]
fn a_descriptor_may_be_closed_before_the_upload_is_run_and_its_position_stays() {
    use std::io::{Seek, SeekFrom};
    let stage = Stage::new();
    let path = stage.file(3 * SLICE + 5, 1);
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::Start(1234)).unwrap();
    let upload = upload(&stage);
    let open = OpenFile::duplicate(file.as_raw_fd()).unwrap();
    upload.set_open_file(open.clone()).unwrap();
    upload.run(None).unwrap();
    assert_eq!(file.stream_position().unwrap(), 1234);
    stage.assert_object_is(&path);
    drop(file);
    std::fs::remove_file(&path).unwrap();
    upload.set_open_file(open).unwrap();
    assert_eq!(upload.run(None).unwrap().outcome, Outcome::Instant);
}

#[test]
fn parts_that_reach_beyond_the_end_and_parts_of_streams_are_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let path = stage.file(1000, 1);
    let upload = upload(&stage);
    upload.set_file(&path).unwrap();
    for range in [
        (1001, None),
        (0, Some(1001)),
        (1000, Some(1)),
        (u64::MAX, Some(1)),
    ] {
        upload.set_range(Some(range)).unwrap();
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument, "{range:?}");
        assert!(
            error.message.contains("range: ") && error.message.contains("1000 bytes"),
            "{error}"
        );
    }
    for kind in [Kind::Stream, Kind::StreamOfUnknownSize] {
        kind.set(&upload, stage.folder.path(), &content(1000, 1));
        upload.set_range(Some((1, None))).unwrap();
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument, "{error}");
    }
    assert!(stage.emulator.requests().is_empty());
}

/// Every part of a file is content of its own: what is remembered of one is not taken for another's.
#[test]
fn two_parts_of_one_file_are_not_taken_for_each_other() {
    let stage = Stage::new();
    let path = stage.old_file(4 * SLICE, 1);
    let mut config = stage.config();
    config.checkpoint_dir = Some(stage.folder.path().join("state"));
    let client = cos_slice::engine::client::Client::new(config).unwrap();
    let part = |offset: u64| {
        let upload = client.upload(BUCKET, PATH).unwrap();
        upload.set_file(&path).unwrap();
        upload.set_range(Some((offset, Some(2 * SLICE)))).unwrap();
        upload
            .set_options(|options| {
                options.slice_size = SLICE;
                options.hash = false;
            })
            .unwrap();
        upload
    };
    stage.fault(r#"{"operation":"upload_slice_data","nth":2,"action":{"status":400,"code":-5999}}"#);
    assert_eq!(part(0).run(None).unwrap_err().status, Status::Refused);
    // The same part would go on with it.
    let object = part(SLICE).run(None).unwrap();
    assert_eq!((object.outcome, object.bytes_resumed), (Outcome::Uploaded, 0));
    let all = std::fs::read(&path).unwrap();
    assert!(stage.object() == all[SLICE as usize..3 * SLICE as usize]);
}

#[test]
fn the_same_part_of_a_file_is_gone_on_with_by_its_checkpoint() {
    let stage = Stage::new();
    let path = stage.old_file(6 * SLICE, 1);
    let mut config = stage.config();
    config.checkpoint_dir = Some(stage.folder.path().join("state"));
    let client = cos_slice::engine::client::Client::new(config).unwrap();
    let run = || {
        let upload = client.upload(BUCKET, PATH).unwrap();
        upload.set_file(&path).unwrap();
        upload.set_range(Some((7, Some(5 * SLICE)))).unwrap();
        let options = |options: &mut cos_slice::upload::options::UploadOptions| {
            options.slice_size = SLICE;
            options.hash = false;
        };
        upload.set_options(options).unwrap();
        upload.run(None)
    };
    stage.fault(r#"{"operation":"upload_slice_data","nth":4,"action":{"status":400,"code":-5999}}"#);
    assert_eq!(run().unwrap_err().status, Status::Refused);
    assert!(run().unwrap().bytes_resumed > 0);
    let all = std::fs::read(&path).unwrap();
    assert!(stage.object() == all[7..7 + 5 * SLICE as usize]);
}

#[test]
fn a_part_of_a_file_that_changes_anywhere_ends_the_upload() {
    let stage = Stage::new();
    let path = stage.file(4 * SLICE, 1);
    let source = FileSource::open(&path).unwrap();
    let size = source.size();
    let upload = upload(&stage);
    upload.set_source(Arc::new(source)).unwrap();
    upload.set_range(Some((0, Some(SLICE)))).unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(size + 1)
        .unwrap();
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::SourceChanged, "{error}");
}

#[test]
fn a_callback_that_fails_lies_or_ends_early_ends_the_upload_with_what_it_did() {
    type Answer = fn(&mut [u8]) -> io::Result<usize>;
    let cases: [(Answer, Status, &str); 3] = [
        (
            |_| Err(io::Error::other("no more tape")),
            Status::FileRead,
            "no more tape",
        ),
        (
            |buffer| Ok(buffer.len() + 1),
            Status::FileRead,
            "where there was room for",
        ),
        (|_| Ok(0), Status::SourceChanged, "before its size"),
    ];
    for (answer, status, said) in cases {
        for hash in [true, false] {
            let stage = Stage::new();
            let upload = upload(&stage);
            let source = CallbackSource::new(5 * SLICE, move |offset, buffer| match offset {
                0..SLICE => {
                    buffer.fill(1);
                    Ok(buffer.len())
                }
                _ => answer(buffer),
            });
            upload.set_source(Arc::new(source)).unwrap();
            upload.set_options(|options| options.hash = hash).unwrap();
            let error = upload.run(None).unwrap_err();
            assert_eq!(error.status, status, "{error}");
            assert!(error.message.contains(said), "{error}");
            assert!(stage.emulator.object(BUCKET, PATH).is_err());
        }
    }
}

/// Ends, without a byte, when it is told to.
struct Held(mpsc::Receiver<()>);

impl Read for Held {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        let _ = self.0.recv_timeout(HANG_GUARD);
        Ok(0)
    }
}

#[test]
fn a_spooled_stream_is_told_of_in_a_phase_of_its_own() {
    let stage = Stage::new();
    let upload = upload(&stage);
    let (told, held) = mpsc::channel();
    // Nothing comes before the program was told what is waited for.
    let reader = Held(held).chain(Cursor::new(content(SLICE, 1)));
    let spool = Spool {
        folder: Some(stage.folder.path().into()),
        limit: SLICE,
    };
    let stream = Arc::new(Stream::new("the stream", reader));
    upload
        .set_source(of_stream(stream, None, Some(spool)).unwrap())
        .unwrap();
    let mut phases = Vec::new();
    let mut note = |progress: &Progress| {
        phases.push((progress.phase, progress.total));
        let _ = told.send(());
        0
    };
    upload.run(Some(&mut note)).unwrap();
    assert_eq!(phases.first(), Some(&(Phase::Spooling, 0)), "{phases:?}");
    assert_eq!(phases.last(), Some(&(Phase::Done, SLICE)), "{phases:?}");
}
