//! One verb at work: what its request is made of, and the request.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Instant;

use crate::engine::cancel::CancelToken;
use crate::engine::job::{Job, JobResult};
use crate::engine::signing::Held;
use crate::engine::source::{FileSource, MemorySource, Source};
use crate::protocol::digest::{Digests, Sha1Digest};
use crate::protocol::{Answer, Operation};
use crate::upload::call::CallOptions;
use crate::upload::error::Error;
use crate::upload::options::{self, MAX_HASHED_SLICE_SIZE};
use crate::upload::status::Status;
use crate::upload::task::Reading;

use super::settings::CallSettings;
use super::{Call, SourceSetting};

/// While it lives no other verb begins.
pub(super) struct Turn<'a> {
    pub(super) call: &'a Call,
    pub(super) settings: CallSettings,
    pub(super) token: CancelToken,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut inner = self.call.lock();
        (inner.running, inner.active, inner.token) = (false, None, CancelToken::new());
    }
}

impl Turn<'_> {
    /// The source where one is set, unchanged since it was opened. Opening may block, so it happens without the lock: a
    /// cancel always gets through.
    pub(super) fn source(&self) -> Result<Option<Arc<dyn Source>>, Error> {
        let call = self.call;
        let setting = call.lock().source.clone();
        let source = match setting {
            None => return Ok(None),
            Some(SourceSetting::Open(source)) => source,
            Some(SourceSetting::Path(path)) => {
                let opened =
                    FileSource::open(&path).map_err(|failure| Error::file_open(&call.name, &failure))?;
                let opened: Arc<dyn Source> = Arc::new(opened);
                call.lock().source = Some(SourceSetting::Open(opened.clone()));
                opened
            }
        };
        if source.reading() != Reading::AtWill {
            return Err(call.invalid(
                "source: a stream can't be read at any place and any number of times, which requests by \
                 themselves need; give a file",
            ));
        }
        let unchanged = source.verify_unchanged();
        unchanged.map_err(|failure| Error::source(&call.name, &failure))?;
        Ok(Some(source))
    }

    pub(super) fn need_source(&self) -> Result<Arc<dyn Source>, Error> {
        let none = || {
            self.call
                .invalid("source: nothing to send was set; set a file first")
        };
        self.source()?.ok_or_else(none)
    }

    /// The object's size, as it was set and as the source has it.
    pub(super) fn size(&self) -> Result<u64, Error> {
        let of_source = self.source()?.map(|source| source.size());
        match (self.settings.size, of_source) {
            (Some(set), Some(found)) if set != found => Err(self
                .call
                .invalid(&format!("size: {set} bytes were set, and the source has {found}"))),
            (set, found) => set.or(found).ok_or_else(|| {
                self.call
                    .invalid("size: none was set, and there is no source that has one")
            }),
        }
    }

    pub(super) fn session(&self) -> Result<Arc<str>, Error> {
        let none = || {
            self.call
                .invalid("session: none was set; set the one that init or list answered")
        };
        self.settings.session.clone().ok_or_else(none)
    }

    /// The slice size to ask for, of those that the store takes.
    pub(super) fn slice_size(&self) -> Result<u64, Error> {
        let sizes = &self.call.client.shared().dialect.slice_sizes;
        let slice_size = self.settings.slice_size.unwrap_or(sizes.default_size());
        options::validate_slice_size(slice_size, sizes).map_err(|text| self.call.invalid(&text))?;
        Ok(slice_size)
    }

    /// The length of the parts whose running states go with init.
    pub(super) fn granularity(&self) -> Result<u64, Error> {
        let slice_size = self.slice_size()?;
        let is_own = self.call.client.shared().dialect.slice_sizes.is_own();
        if slice_size > MAX_HASHED_SLICE_SIZE && !is_own {
            return Err(self.call.invalid(&format!(
                "slice_size: {slice_size} is only possible without a SHA-1; with it the largest is {MAX_HASHED_SLICE_SIZE}"
            )));
        }
        Ok(slice_size.min(MAX_HASHED_SLICE_SIZE))
    }

    /// The object's SHA-1, as it was set and as it was taken of the source.
    pub(super) fn sha1(&self) -> Result<Option<Sha1Digest>, Error> {
        let taken = self.call.lock().digests.as_ref().map(|digests| digests.whole());
        match (self.settings.sha1, taken) {
            (Some(set), Some(taken)) if set != taken => Err(self
                .call
                .invalid(&format!("sha1: {set} was set, and the source's is {taken}"))),
            (set, taken) => Ok(set.or(taken)),
        }
    }

    /// What init says of the object's content; `None` where there is no SHA-1.
    pub(super) fn digests(&self, size: u64) -> Result<Option<Arc<Digests>>, Error> {
        let Some(sha1) = self.sha1()? else {
            return Ok(None);
        };
        let granularity = self.granularity()?;
        let taken = self.call.lock().digests.clone();
        match taken.filter(|digests| digests.granularity() == granularity) {
            Some(digests) => Ok(Some(digests)),
            None if size <= granularity || !self.call.rules().wants_states => {
                Ok(Some(Arc::new(Digests::of_one_part(size, sha1))))
            }
            None => Err(self.call.invalid(&format!(
                "sha1: init wants the running states of the source too, each {granularity} bytes; take them by hash"
            ))),
        }
    }

    /// Makes the request, with the repetitions that are allowed.
    pub(super) fn request(
        self,
        operation: Operation,
        source: Option<Arc<dyn Source>>,
    ) -> Result<Answer, Error> {
        let (call, shared) = (self.call, self.call.client.shared());
        let options = CallOptions {
            attempts: self.settings.attempts,
            blocks: source.as_ref().is_some_and(|source| source.may_block()),
        };
        let job = Arc::new(Job {
            location: call.location.clone(),
            source: source.unwrap_or_else(|| Arc::new(MemorySource::new(Vec::new()))),
            token: self.token.clone(),
            limiter: Arc::default(),
            checkpoint: None,
            held: Held::default(),
            begun: Instant::now(),
            changed: Condvar::new(),
            is_watched: AtomicBool::new(false),
        });
        let id = {
            // A cancel comes before, and is seen here, or after, and finds the request.
            let mut inner = call.lock();
            if inner.token.is_cancelled() {
                return Err(call.cancelled());
            }
            let id = shared.begin(&job, |core, _| {
                core.begin_call(call.name.clone(), operation, options)
            })?;
            inner.active = Some(id);
            id
        };
        let mut state = shared.lock();
        loop {
            state = shared.tell(state, Some(id));
            if let Some(ended) = state.ended.remove(&id) {
                return match ended.result {
                    JobResult::Call(result) => result,
                    // Only the end of everything is told in this way.
                    JobResult::Upload(result) => Err(result
                        .err()
                        .unwrap_or_else(|| Error::new(Status::Panic, "a call ended as an upload"))),
                };
            }
            state = job.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
