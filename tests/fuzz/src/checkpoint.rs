//! Checkpoints: what was written is read back, what is damaged is refused, and what can be read harms nobody.

use std::sync::Arc;
use std::time::Duration;

use cos_slice::engine::checkpoint::{Contents, Destination, decode, encode};
use cos_slice::engine::source::Identity;
use cos_slice::protocol::digest::{Digests, Hasher, Sha1Digest};
use cos_slice::protocol::ranges::Ranges;
use cos_slice::protocol::{Answer, Links, ObjectStatus, Operation, Session, Stored, Unfinished};
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::task::{Begun, Content, Done, Memory, Reading, Specification, Work};
use cos_slice::upload::{Client, Next};

use crate::input::Input;

/// The source of the uploads that take up what a checkpoint says, in bytes.
const SIZE: u64 = 300;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        0 => any_bytes(input.rest(), input_options(0)),
        1 => {
            let options = input_options(input.byte());
            any_bytes(&with_checksum(input.rest()), options);
        }
        _ => round_trip(input),
    }
}

/// Bytes whose checksum is right, so that what lies behind it is reached.
fn with_checksum(body: &[u8]) -> Vec<u8> {
    let mut bytes = [b"cos-slice checkpoint 1\n", body].concat();
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

fn any_bytes(bytes: &[u8], options: UploadOptions) {
    if let Ok(contents) = decode(bytes) {
        assert_eq!(decode(&encode(&contents)).as_ref(), Ok(&contents));
        upload_with(contents.memory, options);
    }
}

fn round_trip(mut input: Input<'_>) {
    let contents = contents(&mut input);
    let (place, change) = (input.number(), input.byte().max(1));
    let options = input_options(input.byte());
    let whole = encode(&contents);
    assert_eq!(decode(&whole).as_ref(), Ok(&contents));

    let place = (place % whole.len() as u64) as usize;
    assert!(decode(&whole[..place]).is_err(), "cut to {place} bytes");
    let mut damaged = whole;
    damaged[place] ^= change;
    assert!(decode(&damaged).is_err(), "byte {place} changed by {change:#x}");
    upload_with(contents.memory, options);
}

fn contents(input: &mut Input<'_>) -> Contents {
    let flags = input.byte();
    let mut text = || input.text().into_owned();
    let destination = Destination {
        endpoint: text(),
        app_id: text(),
        bucket: text(),
        path: text(),
    };
    let session = text();
    let source = (flags & 1 != 0).then(|| Identity {
        device: input.number(),
        inode: input.number(),
        size: input.number(),
        mtime_ns: i128::from(input.number()) << 32,
        ctime_ns: -i128::from(input.number()),
        part: (flags & 16 != 0).then(|| (input.number(), input.number())),
    });
    let began = (flags & 2 != 0).then(|| Begun {
        session: session.into(),
        content: content(input),
    });
    let init_unanswered = (flags & 4 != 0).then(|| content(input));
    let digests = (flags & 8 != 0).then(|| Arc::new(digests(input)));
    let parts = usize::from(input.byte() % 8);
    let sent = (0..parts).map(|_| (input.number(), input.number())).collect();
    let memory = Memory {
        digests,
        began,
        init_unanswered,
        sent: Ranges::from_unsorted(sent),
        serial: [None, Some(false), Some(true)][usize::from(flags >> 6) % 3],
    };
    Contents {
        destination,
        source,
        memory,
    }
}

fn content(input: &mut Input<'_>) -> Content {
    let size = input.number();
    let sha = (input.byte() % 2 == 1).then(|| Sha1Digest::from_bytes(input.bytes()));
    Content { size, sha }
}

fn digests(input: &mut Input<'_>) -> Digests {
    let (size, granularity) = (input.number() % 4096, 64 * (1 + input.number() % 8));
    let mut hasher = Hasher::new(granularity);
    hasher.update(&vec![input.byte(); size as usize]);
    hasher.finish()
}

fn input_options(flags: u8) -> UploadOptions {
    UploadOptions {
        hash: flags & 1 == 0,
        overwrite: flags & 2 != 0,
        discard_unfinished: flags & 4 != 0,
        ..UploadOptions::default()
    }
}

/// An upload takes up what was read, believes of it what it likes, and comes to an end.
fn upload_with(memory: Memory, options: UploadOptions) {
    let mut client = Client::new(ClientOptions::default(), 7);
    let session: Arc<str> = memory
        .began
        .as_ref()
        .map_or_else(|| "session".into(), |begun| begun.session.clone());
    let specification = Specification {
        name: "cos://b/p".into(),
        size: SIZE,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options,
        memory,
        checkpoint: true,
    };
    let mut now = Duration::ZERO;
    let id = client.begin(specification, now);
    let mut listed = false;
    for _ in 0..1000 {
        match client.next(now) {
            Next::Task(mut task) => {
                let done = match &mut task.work {
                    Work::Hash { hasher, length } => {
                        hasher.update(&vec![0; usize::try_from(*length).expect("a short source")]);
                        Done::Hashed
                    }
                    Work::Sign(_) | Work::Spool | Work::Digest => {
                        unreachable!("{:?} was not set up", task.work)
                    }
                    Work::Save(_) | Work::Forget => Done::Saved,
                    Work::Request(operation) => Done::Answered(answer(operation, &session, &mut listed)),
                };
                client.report(task, Ok(done), now);
            }
            Next::WakeAt(at) => now = at,
            Next::Idle => break,
        }
    }
    assert!(client.result(id).is_some(), "the upload never ended");
}

/// What a service answers that has half of the upload.
fn answer(operation: &Operation, session: &Arc<str>, listed: &mut bool) -> Answer {
    let links = Links {
        access_url: Some("http://x/y".to_owned()),
        ..Links::default()
    };
    match operation {
        Operation::Init(_) => Answer::Session(Session {
            session: session.clone(),
            slice_size: 64,
            serial: None,
            offset: 0,
        }),
        Operation::List if std::mem::replace(listed, true) => Answer::Absent,
        Operation::List => Answer::Unfinished(Unfinished {
            session: session.clone(),
            size: SIZE,
            slice_size: 64,
            sha: None,
            serial: None,
            parts: Ranges::from_unsorted(vec![(0, 128)]),
        }),
        Operation::Slice(slice) => Answer::Stored(Stored {
            offset: Some(slice.offset),
            length: Some(slice.length),
        }),
        Operation::Finish(_) | Operation::Upload(_) => Answer::Complete(links),
        Operation::CreateDirectory(_) => Answer::Created,
        Operation::Stat => Answer::Status(ObjectStatus {
            size: SIZE,
            received: Some(SIZE),
            sha: None,
            links,
        }),
        Operation::Delete => Answer::Deleted,
    }
}
