//! What comes before the first request: the source is spooled where it must be, and hashed.

use super::*;

impl Machine {
    pub(super) fn begin(&mut self) {
        if self.unspooled {
            self.progress.phase = Phase::Spooling;
            self.step = Step::Local {
                work: Local::Spool,
                in_flight: false,
            };
            return;
        }
        let wants_digest = self.options.hash && self.digests.is_none();
        if wants_digest {
            let granularity = self.options.slice_size.min(MAX_HASHED_SLICE_SIZE);
            self.progress.phase = Phase::Hashing;
            self.progress.hashed = 0;
            self.step = Step::Hash {
                hasher: Some(Box::new(Hasher::new(granularity))),
            };
            if self.size == 0 {
                self.hashed();
            }
        } else {
            self.progress.hashed = if self.options.hash { self.size } else { 0 };
            self.begin_sending();
        }
    }

    pub(super) fn begin_sending(&mut self) {
        self.progress.phase = Phase::Sending;
        let alone = match self.reading {
            Reading::Once => 0,
            Reading::AtWill | Reading::AfterSpooling => {
                self.options.single_request_limit.min(MAX_SINGLE_REQUEST_SIZE)
            }
        };
        // The protocol has no slice upload of nothing: init refuses a size of 0.
        if self.size <= alone {
            self.control(Goal::Upload);
        } else {
            self.control(Goal::Init);
        }
    }

    /// All of the source was read into a place where it can be read again.
    pub(super) fn spooled(&mut self, size: u64) {
        if let Err(text) = validate_size(size) {
            let text = format!("{}: {text}", self.name);
            return self.fail(Error::new(Status::TooLarge, text));
        }
        (self.unspooled, self.size, self.progress.total) = (false, size, size);
        self.events.add(|| Event::Spooled { size });
        self.begin();
    }

    pub(super) fn hashed_piece(&mut self, finished: Box<Hasher>) {
        self.progress.hashed = finished.position();
        self.step = Step::Hash {
            hasher: Some(finished),
        };
        if self.progress.hashed >= self.size {
            self.hashed();
        }
    }

    pub(super) fn hashed(&mut self) {
        let Step::Hash { hasher: Some(hasher) } = std::mem::replace(&mut self.step, Step::Over) else {
            return;
        };
        let digests = Arc::new(hasher.finish());
        if self.hashed_before.is_some_and(|before| before != digests.whole()) {
            let text = "the source's content is not what it was when the upload began";
            let failure = SourceFailure::new(SourceFault::Changed, text);
            return self.fail(Error::source(&self.name, &failure));
        }
        self.memory.digests = Some(digests.clone());
        self.digests = Some(digests);
        self.begin_sending();
    }
}
