//! What a handle uploads: what was set, and what a run makes of it.

use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::source::{FileSource, OpenFile, RangeSource, Source};
use crate::protocol::Api;
use crate::upload::error::Error;
use crate::upload::options::{self, OptionError, UploadOptions};
use crate::upload::status::Status;
use crate::upload::task::Reading;

/// Where the bytes come from, and which of them.
#[derive(Clone, Default)]
pub(super) struct Content {
    whole: Option<Whole>,
    /// The first byte and the number of those that are meant; `None` for all that follow.
    range: Option<(u64, Option<u64>)>,
    /// A run was given exactly this.
    was_run: bool,
}

#[derive(Clone)]
pub(super) enum Whole {
    /// To be opened by each run.
    Path(PathBuf),
    Open(OpenFile),
    Source(Arc<dyn Source>),
}

impl Content {
    /// Takes other bytes, or none, and gives back what was set: to drop it may call the program.
    #[must_use]
    pub(super) fn replace(&mut self, whole: Option<Whole>) -> Option<Whole> {
        let is_the_same = match (&self.whole, &whole) {
            (Some(Whole::Source(before)), Some(Whole::Source(now))) => Arc::ptr_eq(before, now),
            _ => false,
        };
        self.was_run &= is_the_same;
        std::mem::replace(&mut self.whole, whole)
    }

    pub(super) fn set_range(&mut self, range: Option<(u64, Option<u64>)>) {
        self.was_run &= self.range == range;
        self.range = range;
    }

    /// A run was made of it.
    pub(super) fn ran(&mut self) {
        self.was_run = true;
    }

    /// Whether this source, opened of it, is known to have the bytes that the last run had.
    pub(super) fn is_as_before(&self, source: &dyn Source) -> bool {
        self.was_run && source.keeps_its_content()
    }

    /// Whether what is asked for can be done with a source that is read but once.
    pub(super) fn check(&self, options: &UploadOptions, api: Api) -> Result<(), OptionError> {
        let Some(Whole::Source(source)) = &self.whole else {
            return Ok(());
        };
        let first = match source.reading() {
            Reading::AtWill | Reading::AfterSpooling => return Ok(()),
            Reading::Once => format!("the SHA-1 of {} before its first byte", source.name()),
        };
        if api.rules().needs_digest {
            return Err(format!("stream: {} demands {first}; have it spooled", api.name()));
        }
        match options.hash {
            true => Err(format!(
                "hash: it would take {first}; turn hashing off, or have it spooled"
            )),
            false => Ok(()),
        }
    }

    /// The source for a run. May block.
    pub(super) fn open(&self, name: &str) -> Result<Arc<dyn Source>, Error> {
        let invalid = |text: &str| Error::invalid(format!("{name}: {text}"));
        let cannot_open = |failure| Error::file_open(name, &failure);
        let mut source: Arc<dyn Source> = match &self.whole {
            None => return Err(invalid("source: nothing to upload was set; set a file first")),
            Some(Whole::Path(path)) => Arc::new(FileSource::open(path).map_err(cannot_open)?),
            Some(Whole::Open(file)) => Arc::new(FileSource::of(file).map_err(cannot_open)?),
            Some(Whole::Source(source)) => source.clone(),
        };
        if let Some((offset, length)) = self.range {
            let part = RangeSource::new(source, offset, length);
            source = Arc::new(part.map_err(|text| invalid(&text))?);
        }
        options::validate_size(source.size()).map_err(|text| Error {
            status: Status::TooLarge,
            ..invalid(&text)
        })?;
        Ok(source)
    }
}
