//! What a checkpoint says, as bytes.
//!
//! ```text
//! cos-slice checkpoint 1\n      the kind of file and its version
//! {"destination":…}\n           everything but the running states of the SHA-1, as JSON
//! 20 bytes for each state       as `uploadparts` has them, unprinted: there may be 131072
//! 4 bytes                       CRC-32 of all before, highest byte first
//! ```
//!
//! What is read back is exactly what was written, or is refused: there is no half of a checkpoint.

use std::fmt;
use std::sync::Arc;

use crc::{CRC_32_ISO_HDLC, Crc, Table};
use serde::{Deserialize, Serialize};

use crate::engine::source::Identity;
use crate::protocol::digest::{Digests, Sha1Digest};
use crate::protocol::ranges::Ranges;
use crate::upload::task::{Begun, Content, Memory};

/// The most bytes that are read: the digests of the largest object in the smallest steps have 2.6 MB, and a session is
/// no longer than the reply that told it.
pub const MAX_SIZE: u64 = 16 << 20;

const KIND: &[u8] = b"cos-slice checkpoint ";
const VERSION: u32 = 1;
/// The length of one running state, in bytes.
const STATE: usize = 20;
/// With the small table: it takes 7 ms for the largest checkpoint, and few are made of one upload.
static CHECKSUM: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISO_HDLC);

/// What a checkpoint says. Nothing in it is a secret: a session is of no use without the key.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// The object that it is about.
    pub destination: Destination,
    /// The source whose bytes the memory is about; `None` where nothing would tell it from others.
    pub source: Option<Identity>,
    /// What the next life is to know.
    pub memory: Memory,
}

/// The object that a checkpoint is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Destination {
    /// Where the service is, as its address.
    pub endpoint: String,
    /// The account.
    pub app_id: String,
    /// The bucket.
    pub bucket: String,
    /// The path within the bucket, without a leading slash.
    pub path: String,
}

/// Why bytes are no checkpoint that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Something else.
    Foreign,
    /// Of another version of this library, most likely a later one.
    Version,
    /// Torn, cut off or changed.
    Damaged,
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Foreign => "it is not a checkpoint",
            Self::Version => "it is of another version",
            Self::Damaged => "it is damaged",
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    destination: Destination,
    source: Option<Identity>,
    digests: Option<DigestsRecord>,
    began: Option<BegunRecord>,
    init_unanswered: Option<ContentRecord>,
    /// Starts and ends.
    sent: Vec<(u64, u64)>,
    serial: Option<bool>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestsRecord {
    size: u64,
    granularity: u64,
    sha: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BegunRecord {
    session: String,
    content: ContentRecord,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentRecord {
    size: u64,
    sha: Option<String>,
}

/// The bytes of a checkpoint.
pub fn encode(contents: &Contents) -> Vec<u8> {
    let memory = &contents.memory;
    let states = memory
        .digests
        .as_ref()
        .map_or(&[][..], |digests| digests.states());
    let record = Record {
        destination: contents.destination.clone(),
        source: contents.source.clone(),
        digests: memory.digests.as_deref().map(DigestsRecord::from),
        began: memory.began.as_ref().map(BegunRecord::from),
        init_unanswered: memory.init_unanswered.as_ref().map(ContentRecord::from),
        sent: memory.sent.iter().map(|range| (range.start, range.end)).collect(),
        serial: memory.serial,
    };
    let mut bytes = Vec::with_capacity(1024 + states.len() * STATE);
    bytes.extend_from_slice(KIND);
    bytes.extend_from_slice(VERSION.to_string().as_bytes());
    bytes.push(b'\n');
    serde_json::to_writer(&mut bytes, &record).expect("numbers, texts and lists always can be JSON");
    bytes.push(b'\n');
    bytes.extend_from_slice(states.as_flattened());
    let checksum = CHECKSUM.checksum(&bytes);
    bytes.extend_from_slice(&checksum.to_be_bytes());
    bytes
}

/// What bytes say.
///
/// # Errors
/// They are not, whole and unchanged, what [`encode`] wrote.
pub fn decode(bytes: &[u8]) -> Result<Contents, Flaw> {
    let rest = bytes.strip_prefix(KIND).ok_or(Flaw::Foreign)?;
    let (version, _) = split_line(rest).ok_or(Flaw::Damaged)?;
    if version != VERSION.to_string().as_bytes() {
        return Err(Flaw::Version);
    }
    let (checked, checksum) = bytes.split_last_chunk().ok_or(Flaw::Damaged)?;
    if CHECKSUM.checksum(checked) != u32::from_be_bytes(*checksum) {
        return Err(Flaw::Damaged);
    }
    read_checked(checked).ok_or(Flaw::Damaged)
}

fn read_checked(checked: &[u8]) -> Option<Contents> {
    let (_, rest) = split_line(checked)?;
    let (record, states) = split_line(rest)?;
    let record: Record = serde_json::from_slice(record).ok()?;
    let digests = match record.digests {
        Some(digests) => Some(Arc::new(digests.with(states)?)),
        None if states.is_empty() => None,
        None => return None,
    };
    let began = match record.began {
        Some(began) => Some(Begun {
            session: began.session.into(),
            content: began.content.read()?,
        }),
        None => None,
    };
    let init_unanswered = match record.init_unanswered {
        Some(content) => Some(content.read()?),
        None => None,
    };
    let memory = Memory {
        digests,
        began,
        init_unanswered,
        sent: Ranges::from_unsorted(record.sent),
        serial: record.serial,
    };
    Some(Contents {
        destination: record.destination,
        source: record.source,
        memory,
    })
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|&byte| byte == b'\n')?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

impl From<&Digests> for DigestsRecord {
    fn from(digests: &Digests) -> Self {
        Self {
            size: digests.size(),
            granularity: digests.granularity(),
            sha: digests.whole().to_string(),
        }
    }
}

impl DigestsRecord {
    fn with(&self, states: &[u8]) -> Option<Digests> {
        let whole = self.sha.parse().ok()?;
        let chunks = states.chunks_exact(STATE);
        if !chunks.remainder().is_empty() {
            return None;
        }
        let states = chunks.map(|state| state.try_into().ok());
        Digests::from_parts(self.size, self.granularity, states.collect::<Option<_>>()?, whole)
    }
}

impl From<&Begun> for BegunRecord {
    fn from(begun: &Begun) -> Self {
        Self {
            session: begun.session.to_string(),
            content: ContentRecord::from(&begun.content),
        }
    }
}

impl From<&Content> for ContentRecord {
    fn from(content: &Content) -> Self {
        Self {
            size: content.size,
            sha: content.sha.as_ref().map(Sha1Digest::to_string),
        }
    }
}

impl ContentRecord {
    fn read(self) -> Option<Content> {
        let sha = self.sha.map(|sha| sha.parse()).transpose().ok()?;
        let size = self.size;
        Some(Content { size, sha })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::digest::Hasher;
    use proptest::prelude::*;

    fn destination() -> Destination {
        Destination {
            endpoint: "https://gz.file.myqcloud.com".into(),
            app_id: "1251668577".into(),
            bucket: "videos".into(),
            path: "2026/big.mp4".into(),
        }
    }

    /// As an upload of 200 bytes in steps of 64 would leave it.
    fn small() -> Contents {
        let mut hasher = Hasher::new(64);
        hasher.update(&[7; 200]);
        let digests = hasher.finish();
        let content = Content {
            size: 200,
            sha: Some(digests.whole()),
        };
        let began = Begun {
            session: "session\"\n\u{e9}".into(),
            content: content.clone(),
        };
        Contents {
            destination: destination(),
            source: Some(Identity {
                device: 2049,
                inode: 77,
                size: 200,
                mtime_ns: 1_700_000_000_123_456_789,
                ctime_ns: -1,
                part: None,
            }),
            memory: Memory {
                digests: Some(Arc::new(digests)),
                began: Some(began),
                init_unanswered: Some(content),
                sent: Ranges::from_unsorted(vec![(0, 64), (128, 200)]),
                serial: Some(false),
            },
        }
    }

    fn digest() -> impl Strategy<Value = Sha1Digest> {
        any::<[u8; 20]>().prop_map(Sha1Digest::from_bytes)
    }

    fn digests() -> impl Strategy<Value = Digests> {
        let sizes = (1_u64..64, 0_u64..40);
        let counts = sizes.prop_map(|(blocks, parts)| (blocks * 64, parts * blocks * 64 / 2));
        (counts, digest()).prop_flat_map(|((granularity, size), whole)| {
            let states = usize::try_from(size.div_ceil(granularity).saturating_sub(1)).unwrap();
            proptest::collection::vec(any::<[u8; 20]>(), states)
                .prop_map(move |states| Digests::from_parts(size, granularity, states, whole).unwrap())
        })
    }

    fn content() -> impl Strategy<Value = Content> {
        let parts = (any::<u64>(), proptest::option::of(digest()));
        parts.prop_map(|(size, sha)| Content { size, sha })
    }

    fn memory() -> impl Strategy<Value = Memory> {
        let began = (".*", content()).prop_map(|(session, content)| Begun {
            session: session.into(),
            content,
        });
        let sent = proptest::collection::vec(any::<(u64, u64)>(), 0..20).prop_map(Ranges::from_unsorted);
        let serial = proptest::option::of(any::<bool>());
        let parts = (
            proptest::option::of(digests()),
            proptest::option::of(began),
            proptest::option::of(content()),
            sent,
            serial,
        );
        parts.prop_map(|(digests, began, init_unanswered, sent, serial)| Memory {
            digests: digests.map(Arc::new),
            began,
            init_unanswered,
            sent,
            serial,
        })
    }

    fn contents() -> impl Strategy<Value = Contents> {
        let texts = (".*", ".*", ".*", ".*");
        let destination = texts.prop_map(|(endpoint, app_id, bucket, path)| Destination {
            endpoint,
            app_id,
            bucket,
            path,
        });
        let numbers = any::<(u64, u64, u64, i128, i128, Option<(u64, u64)>)>();
        let source = numbers.prop_map(|(device, inode, size, mtime_ns, ctime_ns, part)| Identity {
            device,
            inode,
            size,
            mtime_ns,
            ctime_ns,
            part,
        });
        (destination, proptest::option::of(source), memory()).prop_map(|(destination, source, memory)| {
            Contents {
                destination,
                source,
                memory,
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_read_back_is_what_was_written(contents in contents()) {
            prop_assert_eq!(decode(&encode(&contents)), Ok(contents));
        }

        #[test]
        fn no_bytes_whatever_are_read_without_their_checksum(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes).is_err());
            let mut framed = [KIND, b"1\n", &bytes].concat();
            prop_assert!(decode(&framed).is_err());
            // With it they still must be what this file's head says.
            let checksum = CHECKSUM.checksum(&framed).to_be_bytes();
            framed.extend_from_slice(&checksum);
            prop_assert_eq!(decode(&framed), Err(Flaw::Damaged));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let whole = encode(&small());
        assert_eq!(decode(&whole), Ok(small()));
        for index in 0..whole.len() {
            for bit in 0..8 {
                let mut flipped = whole.clone();
                flipped[index] ^= 1 << bit;
                assert!(decode(&flipped).is_err(), "bit {bit} of byte {index}");
            }
        }
    }

    #[test]
    fn every_cut_and_every_addition_is_noticed() {
        let whole = encode(&small());
        for length in 0..whole.len() {
            assert!(decode(&whole[..length]).is_err(), "{length} bytes");
            // What a file has whose length reached the disk before its bytes did.
            let mut zeros = whole[..length].to_vec();
            zeros.resize(whole.len(), 0);
            assert!(
                zeros == whole || decode(&zeros).is_err(),
                "{length} bytes and zeros"
            );
        }
        assert_eq!(decode(&[&whole[..], b"\n"].concat()), Err(Flaw::Damaged));
        assert_eq!(decode(&[&whole[..], &whole[..]].concat()), Err(Flaw::Damaged));
    }

    #[test]
    fn other_files_and_other_versions_are_told_apart() {
        let mut later = encode(&small());
        later[KIND.len()] = b'2';
        assert_eq!(decode(&later), Err(Flaw::Version));
        assert_eq!(decode(b""), Err(Flaw::Foreign));
        assert_eq!(decode(b"#!/bin/sh\nexit 0\n"), Err(Flaw::Foreign));
    }

    /// The largest object in the smallest steps.
    #[test]
    fn the_digests_of_64_gib_fit() {
        let (size, granularity) = (64 << 30, 512 << 10);
        let states = vec![[255; 20]; (1 << 17) - 1];
        let whole = Sha1Digest::from_bytes([1; 20]);
        let mut contents = small();
        contents.memory.digests = Digests::from_parts(size, granularity, states, whole).map(Arc::new);
        let bytes = encode(&contents);
        assert!((bytes.len() as u64) < MAX_SIZE / 4);
        assert_eq!(decode(&bytes), Ok(contents));
    }
}
