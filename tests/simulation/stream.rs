//! Sources that are no files: read once, or spooled first.

use std::ops::Range;

use cos_slice::protocol::MAX_OBJECT_SIZE;
use cos_slice::protocol::ranges::Ranges;
use cos_slice::upload::Client;
use cos_slice::upload::failure::{SourceFailure, SourceFault};
use cos_slice::upload::task::{Done, JobId, Reading};

use crate::model::digest_of;
use crate::scenario::Fault;
use crate::world::World;

/// How far it was read in this life, and what of that is still there.
#[derive(Default)]
pub struct Stream {
    read_to: u64,
    kept: Vec<Range<u64>>,
    largest_slice: u64,
    pub is_spooled: bool,
}

impl World<'_> {
    /// Reads what a slice needs: on from where it was read to, or from what was kept.
    pub fn read_once(&mut self, range: Range<u64>) -> Result<(), SourceFailure> {
        // A slice of another size may need two of the pieces that were kept for the old ones.
        let changes = [Fault::SliceSizeChanged, Fault::AnswerWithoutEffect];
        let pieces = if changes.into_iter().any(|fault| self.scenario.has(fault)) {
            2
        } else {
            1
        };
        let most = pieces * (u64::from(self.scenario.connections.most()) + 1);
        let stream = &mut self.stream;
        stream.largest_slice = stream.largest_slice.max(range.end - range.start);
        if range.end > stream.read_to {
            stream.kept.push(stream.read_to..range.end);
            stream.read_to = range.end;
        }
        let kept: u64 = stream.kept.iter().map(|kept| kept.end - kept.start).sum();
        assert!(
            kept <= most * stream.largest_slice,
            "{kept} bytes of a stream have to be kept"
        );
        let pairs = stream.kept.iter().map(|kept| (kept.start, kept.end));
        if Ranges::from_unsorted(pairs.collect()).contains(range.clone()) {
            return Ok(());
        }
        self.note(|| format!("{range:?} is gone"));
        Err(SourceFailure::new(SourceFault::Gone, "it was read, and let go"))
    }

    /// Lets go what the server has for good.
    pub fn release(&mut self, client: &Client, id: JobId) {
        if self.scenario.source.reading == Reading::Once {
            self.stream
                .kept
                .retain(|kept| !client.is_stored(id, kept.clone()));
        }
    }

    /// The digest of what was read, where one was taken.
    pub fn told_digest(&mut self) -> Done {
        let (read_to, size) = (self.stream.read_to, self.source.len() as u64);
        assert_eq!(read_to, size, "asked for the digest before all was read");
        self.tally.digests += 1;
        let is_told = self.scenario.source.tells_digest;
        Done::Digest(is_told.then(|| digest_of(&self.source)))
    }

    pub fn spool(&mut self) -> Done {
        assert!(!self.stream.is_spooled, "spooled twice");
        self.stream.is_spooled = true;
        self.tally.spooled += 1;
        let size = match self.scenario.source.too_large {
            true => MAX_OBJECT_SIZE + 1,
            false => self.source.len() as u64,
        };
        Done::Spooled { size }
    }
}
