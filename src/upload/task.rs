//! What passes between the state machine and whoever carries its decisions out.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::digest::{Digests, Hasher, Sha1Digest};
use crate::protocol::ranges::Ranges;
use crate::protocol::{Answer, Operation, Unfinished};

use super::options::UploadOptions;
use super::window::Flight;

/// Names an upload, or a call, within its client; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// Something to be done for a job; given back to [`super::Client::report`] with what came of it.
#[derive(Debug)]
#[must_use]
pub struct Task {
    /// Whose task it is.
    pub job: JobId,
    /// What is to be done.
    pub work: Work,
    /// Which attempt at this work it is, from 1.
    pub attempt: u32,
    /// Which of the job's signatures a request goes with.
    pub(crate) signature: u32,
    /// Whether it counts as one that may block.
    pub(crate) blocks: bool,
    /// What is remembered of a request while it is in flight.
    pub(crate) flight: Option<Flight>,
}

/// The kinds of work.
pub enum Work {
    /// Read `length` bytes of the source from the hasher's position on, and feed them to it, in place.
    Hash {
        /// The digest so far.
        hasher: Box<Hasher>,
        /// How many bytes to add, at most 8 MiB.
        length: u64,
    },
    /// Make one request.
    Request(Operation),
    /// Have the signer make a signature for this operation, and for those that come after it where it is of the kind that
    /// may be used again. The requests that need it come after.
    Sign(Operation),
    /// Read the source to its end, into a place where it can be read again.
    Spool,
    /// Tell the digest that was taken of the source while it was read.
    Digest,
    /// Keep this in the checkpoint, durably: what is asked for next relies on it after a death. Where it can't be kept
    /// the upload goes on all the same.
    Save(Box<Memory>),
    /// Remove the checkpoint: the object is complete.
    Forget,
}

impl fmt::Debug for Work {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash { hasher, length } => write!(out, "hash {} + {length}", hasher.position()),
            Self::Request(Operation::Slice(slice)) => {
                write!(out, "slice {} + {}", slice.offset, slice.length)
            }
            Self::Request(operation) => write!(out, "{:?}", operation.kind()),
            Self::Sign(operation) => write!(out, "sign {:?}", operation.kind()),
            Self::Spool => out.write_str("spool"),
            Self::Digest => out.write_str("digest"),
            Self::Save(memory) => write!(out, "save {memory:?}"),
            Self::Forget => out.write_str("forget"),
        }
    }
}

/// What a task brought.
#[derive(Debug)]
pub enum Done {
    /// The task's hasher has moved on by the length asked for.
    Hashed,
    /// The server's answer.
    Answered(Answer),
    /// The checkpoint was saved or removed, or could not be.
    Saved,
    /// There is a signature, to be replaced after this time.
    Signed {
        /// How long requests may be begun with it.
        good_for: Duration,
    },
    /// The source can be read at will from here on.
    Spooled {
        /// Its size in bytes.
        size: u64,
    },
    /// The SHA-1 of all of the source; `None` where it was not read from beginning to end.
    Digest(Option<Sha1Digest>),
}

/// How the source can be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// Any part, any time, any number of times.
    #[default]
    AtWill,
    /// Once from beginning to end; of what was read only the newest is there for another attempt.
    Once,
    /// At will once it was read to its end; before, not even its size is known.
    AfterSpooling,
}

/// An upload to be begun.
#[derive(Clone, Debug)]
pub struct Specification {
    /// What error texts call the object, such as `cos://bucket/path`.
    pub name: Arc<str>,
    /// The source's size in bytes; of no meaning where it is not known before spooling.
    pub size: u64,
    /// How the source can be read.
    pub reading: Reading,
    /// Whether reading the source may take as long as somebody else likes. Of such uploads at most half of the workers do
    /// tasks at once.
    pub blocks: bool,
    /// How many directories the object is in, which can be made with [`UploadOptions::create_parents`].
    pub depth: u32,
    /// The settings.
    pub options: UploadOptions,
    /// What is remembered of earlier runs.
    pub memory: Memory,
    /// Whether there is a checkpoint, for [`Work::Save`] and [`Work::Forget`].
    pub checkpoint: bool,
}

/// What outlives a run, so that the next one need not begin anew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// The digests of exactly this content.
    pub digests: Option<Arc<Digests>>,
    /// The unfinished upload that we began, or went on with, and that was not finished.
    pub began: Option<Begun>,
    /// The source of an init that was sent and whose answer was not seen: there may be an unfinished upload of it that
    /// we know nothing of.
    pub init_unanswered: Option<Content>,
    /// The bytes of exactly this content that we sent into it, acknowledged or not.
    pub sent: Ranges,
    /// Whether the server wants slices one after another, if it said so.
    pub serial: Option<bool>,
}

impl Memory {
    /// What is still true once the source has other content: only which unfinished upload is ours.
    pub fn for_other_content(&self) -> Self {
        Self {
            began: self.began.clone(),
            init_unanswered: self.init_unanswered.clone(),
            ..Self::default()
        }
    }
}

/// What is known of an unfinished upload of ours, to know it again.
#[derive(Clone, Debug, PartialEq)]
pub struct Begun {
    /// Its session, as it was told last.
    pub session: Arc<str>,
    /// The source that it is of.
    pub content: Content,
}

/// What tells one source from another on the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Content {
    /// In bytes.
    pub size: u64,
    /// The SHA-1, where hashing was on.
    pub sha: Option<Sha1Digest>,
}

impl Begun {
    /// Whether what the server lists is this upload, by the session that it told. Others may upload the same content.
    pub fn has_session_of(&self, listed: &Unfinished) -> bool {
        *self.session == *listed.session
    }

    /// Whether it may be this upload in another session: by the digest of its content.
    pub fn has_content_of(&self, listed: &Unfinished) -> bool {
        let Content { size, sha } = self.content;
        sha.is_some() && sha == listed.sha && size == listed.size
    }
}
