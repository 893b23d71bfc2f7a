//! Where the bytes of an upload come from.

mod callback;
mod file;
mod memory;
mod range;
mod reach;
mod spool;
mod stream;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::protocol::digest::Sha1Digest;
use crate::upload::failure::{SourceFailure, SourceFault};
use crate::upload::task::Reading;

use super::cancel::CancelToken;
use super::sys;

pub use super::sys::path_of;
pub use callback::CallbackSource;
pub use file::{FileSource, OpenFile};
pub use memory::MemorySource;
pub use range::RangeSource;
pub use reach::{LEAST_KEPT_OPEN, most_kept_open};
pub use spool::{Spool, SpoolSource};
pub use stream::{Stream, StreamSource};

/// How much of a stream is asked for at once, in bytes: a cancel is looked for between two such reads.
const READ_SIZE: usize = 64 << 10;

/// Bytes to be uploaded. Of those that can be read at will, any place may be read any number of times and from several
/// threads; [`Source::reading`] tells the others.
pub trait Source: Send + Sync {
    /// How many bytes there are; 0 as long as that is not known, before they were spooled.
    fn size(&self) -> u64;

    /// Reads bytes from `offset` on into the buffer; may read fewer than fit. 0 means that the source ends
    /// there.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// The file that has the bytes, and where in it those from `offset` on are, where the system may send them from there by
    /// itself. It then takes them when they leave, and not before: [`Source::verify_unchanged`] has to be asked after that.
    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        let _ = offset;
        None
    }

    /// Where it reads a file that doesn't stay open: that file, open for as long as somebody has it. Whoever reads much of it, or
    /// in many steps, should.
    fn hold(&self) -> Option<Arc<File>> {
        None
    }

    /// Whether the source still is what it was when it was opened.
    fn verify_unchanged(&self) -> Result<(), SourceFailure>;

    /// What tells this content from any that the source had before; `None` where nothing does.
    fn identity(&self) -> Option<Identity>;

    /// The same where it also tells what was read so far, and is read from now on, from any content that the source may
    /// have later: what it is remembered by.
    fn lasting_identity(&self) -> Option<Identity> {
        self.identity()
    }

    /// Whether two runs that are given this very source are given the same bytes, though it has no identity.
    fn keeps_its_content(&self) -> bool {
        false
    }

    /// How the bytes can be read.
    fn reading(&self) -> Reading {
        Reading::AtWill
    }

    /// Whether a read may last for as long as it likes, because the program does it.
    fn may_block(&self) -> bool {
        false
    }

    /// Takes all bytes to where they can be read at will, and tells how many there are; for [`Reading::AfterSpooling`].
    /// What was taken stays taken: after a failure or a cancel the next call goes on.
    ///
    /// # Errors
    /// The bytes could not be read or kept, or the token was cancelled.
    fn spool(&self, token: &CancelToken) -> Result<u64, SourceFailure> {
        let _ = token;
        Ok(self.size())
    }

    /// Reads this part into a buffer, and what lies before it, from which [`Source::read_at`] then gives it until it is
    /// released; for [`Reading::Once`]. A request's part is loaded before anything of it is sent, so that no server waits
    /// for a slow stream.
    ///
    /// # Errors
    /// The bytes could not be read, or are gone, or there are fewer or more of them than was said.
    fn load(&self, range: Range<u64>, token: &CancelToken) -> Result<(), SourceFailure> {
        let _ = (range, token);
        Ok(())
    }

    /// The parts that are held in buffers.
    fn buffered(&self) -> Vec<Range<u64>> {
        Vec::new()
    }

    /// This part is on the server for good, and will not be read again.
    fn release(&self, range: Range<u64>) {
        let _ = range;
    }

    /// The SHA-1 of all bytes, where it was taken while they were read.
    fn digest(&self) -> Option<Sha1Digest> {
        None
    }

    /// What error texts call the source.
    fn name(&self) -> String {
        "the source".to_owned()
    }
}

/// The source that a stream is: of unknown size it has to be spooled, and of known size it is where that is wanted.
///
/// # Errors
/// It has to be spooled, and may not be, or is too long for that.
pub fn of_stream(
    stream: Arc<Stream>,
    size: Option<u64>,
    spool: Option<Spool>,
) -> Result<Arc<dyn Source>, String> {
    match (size, spool) {
        (size, Some(spool)) => Ok(Arc::new(SpoolSource::new(stream, size, spool)?)),
        (Some(size), None) => Ok(Arc::new(StreamSource::new(stream, size))),
        (None, None) => Err(format!(
            "stream: the size of {} is not known, so it has to be spooled to a file first, and spooling is off; \
             give the size, or turn spooling on",
            stream.name()
        )),
    }
}

/// Reads from a source; what went wrong is told with its name and the place.
pub(super) fn read(source: &dyn Source, offset: u64, buffer: &mut [u8]) -> Result<usize, SourceFailure> {
    match source.read_at(offset, buffer) {
        // A source that claims more than it was given room for would break the count of all that follows.
        Ok(count) if count > buffer.len() => Err(overrun(&reading(source, offset), count, buffer.len())),
        Ok(count) => Ok(count),
        Err(error) => Err(read_failed(source, offset, error)),
    }
}

/// Reading brought an error.
pub(super) fn read_failed(source: &dyn Source, offset: u64, error: io::Error) -> SourceFailure {
    failed(&reading(source, offset), error)
}

fn reading(source: &dyn Source, offset: u64) -> String {
    format!("reading {} at offset {offset}", source.name())
}

/// Reading brought nothing, though bytes were left.
pub(super) fn ended(source: &dyn Source, offset: u64) -> SourceFailure {
    let (name, size) = (source.name(), source.size());
    let text = format!("{name} ended at offset {offset}, before its size of {size} bytes");
    SourceFailure::new(SourceFault::Changed, text)
}

/// What an error that ended a read means: one that carries a [`SourceFailure`] is that.
fn failed(doing: &str, error: io::Error) -> SourceFailure {
    let os_errno = error.raw_os_error();
    match error.downcast::<SourceFailure>() {
        Ok(failure) => failure,
        Err(error) => {
            let advice = sys::advice(&error);
            let text = format!("{doing} failed: {error}{advice}");
            SourceFailure::new(SourceFault::Unreadable, text).of_system(os_errno)
        }
    }
}

fn overrun(doing: &str, count: usize, room: usize) -> SourceFailure {
    SourceFailure::new(
        SourceFault::Unreadable,
        format!("{doing} failed: {count} bytes were claimed where there was room for {room}"),
    )
}

/// The upload was cancelled while it waited for its source; it is looked at no further, for a cancel ends it anyway.
fn cancelled(name: &str) -> SourceFailure {
    SourceFailure::new(SourceFault::Unreadable, format!("reading {name} was cancelled"))
}

/// A file as the system tells it from others, and this content of it from others. Content is never changed
/// without one of these changing, save within one tick of the file system's clock or by setting that clock
/// back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The file system's device number.
    pub device: u64,
    /// The file's number on it.
    pub inode: u64,
    /// In bytes.
    pub size: u64,
    /// When the content was last modified, in nanoseconds since 1970.
    pub mtime_ns: i128,
    /// When content or properties were last changed, in nanoseconds since 1970.
    pub ctime_ns: i128,
    /// Where only part of it is meant: the part's first byte and its length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<(u64, u64)>,
}

/// More than a tick of the clock by which file systems note changes: 10 ms at most where the kernel keeps it, and a virtual
/// machine may be late with it.
pub const CLOCK_TICK: Duration = Duration::from_millis(100);
/// The same for file systems that note whole seconds, of which the coarsest notes every other one.
const COARSE_TICK: Duration = Duration::from_millis(2100);

impl Identity {
    /// Whether any change after this moment shows, because it falls into a later tick than the last one did.
    fn shows_changes_after(&self, moment: SystemTime) -> bool {
        let moment = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
        let nanoseconds = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
        self.ctime_ns.saturating_add(nanoseconds(self.tick())) <= nanoseconds(moment)
    }

    fn tick(&self) -> Duration {
        let whole_seconds = self.ctime_ns % 1_000_000_000 == 0;
        if whole_seconds { COARSE_TICK } else { CLOCK_TICK }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_shows_where_it_falls_into_a_later_tick() {
        let changed_at = |ctime_ns| Identity {
            device: 1,
            inode: 1,
            size: 1,
            mtime_ns: 0,
            ctime_ns,
            part: None,
        };
        let fine = changed_at(1_000_000_004);
        let at = |ns| UNIX_EPOCH + Duration::from_nanos(ns);
        assert!(!fine.shows_changes_after(at(1_000_000_004)));
        assert!(!fine.shows_changes_after(at(1_100_000_003)));
        assert!(fine.shows_changes_after(at(1_100_000_004)));
        assert!(!fine.shows_changes_after(at(0)), "a clock that was set back");
        let coarse = changed_at(2_000_000_000);
        assert!(!coarse.shows_changes_after(at(4_099_999_999)));
        assert!(coarse.shows_changes_after(at(4_100_000_000)));
        assert!(!changed_at(i128::MAX).shows_changes_after(at(u64::MAX)));
    }
}
