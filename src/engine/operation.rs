//! One request at a time, for programs that have a flow of their own.

mod settings;
mod turn;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::protocol::digest::{Digests, Hasher};
use crate::protocol::location::Location;
use crate::protocol::{
    Answer, Api, Finish, Init, MAX_SINGLE_REQUEST_SIZE, Operation, Rules, SingleUpload, Slice,
};
use crate::upload::error::Error;
use crate::upload::failure::TaskFailure;
use crate::upload::options;
use crate::upload::status::Status;
use crate::upload::task::JobId;

use super::callback::is_inside_callback;
use super::cancel::CancelToken;
use super::client::{Client, name_of};
use super::hash;
use super::source::Source;

pub use settings::{AnswerKind, CallSettings, validate_session};
use turn::Turn;

/// Requests to one object, one at a time, each of which blocks until its answer is there. What they have to say of the
/// object is set on the handle; nothing is remembered of answers. All methods may be called from any thread.
pub struct Call {
    client: Client,
    location: Location,
    name: Arc<str>,
    inner: Mutex<Inner>,
}

struct Inner {
    settings: CallSettings,
    source: Option<SourceSetting>,
    /// The digests of the source.
    digests: Option<Arc<Digests>>,
    /// The token of the present verb, or of the next one.
    token: CancelToken,
    running: bool,
    /// The request that is under way.
    active: Option<JobId>,
}

/// The source as it was set, and from the first verb that needs it on as it was opened.
#[derive(Clone)]
enum SourceSetting {
    Path(PathBuf),
    Open(Arc<dyn Source>),
}

impl Call {
    pub(super) fn new(client: Client, location: Location) -> Self {
        let inner = Inner {
            settings: CallSettings::default(),
            source: None,
            digests: None,
            token: CancelToken::new(),
            running: false,
            active: None,
        };
        Self {
            name: name_of(&location),
            client,
            location,
            inner: Mutex::new(inner),
        }
    }

    /// What error texts call the object: `cos://bucket/path`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes the settings; they are checked by the next verb.
    ///
    /// # Errors
    /// [`Status::Busy`] while a verb is at work.
    pub fn set_settings(&self, change: impl FnOnce(&mut CallSettings)) -> Result<(), Error> {
        self.set(|inner| change(&mut inner.settings))
    }

    /// Takes the object's bytes from a file. It is opened by the first verb that needs it, and must not change from then
    /// on until another source is set.
    ///
    /// # Errors
    /// [`Status::Busy`] while a verb is at work.
    pub fn set_file(&self, path: impl Into<PathBuf>) -> Result<(), Error> {
        self.set(|inner| (inner.source, inner.digests) = (Some(SourceSetting::Path(path.into())), None))
    }

    /// Takes the object's bytes from this source.
    ///
    /// # Errors
    /// [`Status::Busy`] while a verb is at work.
    pub fn set_source(&self, source: Arc<dyn Source>) -> Result<(), Error> {
        self.set(|inner| (inner.source, inner.digests) = (Some(SourceSetting::Open(source)), None))
    }

    fn set(&self, change: impl FnOnce(&mut Inner)) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner.running {
            return Err(self.busy("settings can't be changed while a request is under way"));
        }
        change(&mut inner);
        Ok(())
    }

    /// Ends the verb that is at work, or the next one where none is. Any thread, any time, any number of times.
    pub fn cancel(&self) {
        let inner = self.lock();
        if let Some(id) = inner.active {
            self.client.shared().stop(id, self.cancelled());
        }
        inner.token.cancel();
    }

    /// Takes the SHA-1 of the source, and the running states that init wants with it, on the calling thread. The requests
    /// that follow have it.
    ///
    /// # Errors
    /// The source can't be read or has changed; and as of [`Call::stat`], save those of the request.
    pub fn hash(&self) -> Result<Arc<Digests>, Error> {
        let turn = self.begin()?;
        let source = turn.need_source()?;
        let mut hasher = Hasher::new(turn.granularity()?);
        let mut buffer = Vec::new();
        let (size, ahead) = (source.size(), &self.client.shared().ahead);
        let fed = hash::feed(&*source, &turn.token, &mut hasher, size, &mut buffer, ahead);
        fed.map_err(|failure| match failure {
            TaskFailure::Cancelled => self.cancelled(),
            failure => Error::without_request(&self.name, failure),
        })?;
        let digests = Arc::new(hasher.finish());
        self.lock().digests = Some(digests.clone());
        Ok(digests)
    }

    /// Begins a slice upload, or tells that the object is there already. Where the protocol resumes by it, it goes on with
    /// the session that is set, and tells the offset to go on at.
    ///
    /// # Errors
    /// As of [`Call::stat`]; an unfinished upload that is in the way too.
    pub fn init(&self) -> Result<Answer, Error> {
        let turn = self.begin()?;
        let settings = &turn.settings;
        let size = turn.size()?;
        if size == 0 {
            return Err(self.invalid("size: an empty object has no slices; send it in one request by upload"));
        }
        options::validate_size(size).map_err(|text| self.too_large(&text))?;
        let rules = self.rules();
        let digests = turn.digests(size)?;
        if rules.needs_digest && digests.is_none() {
            return Err(self.invalid(&format!(
                "sha1: {} demands it; take it by hash first",
                self.api().name()
            )));
        }
        let init = Init {
            size,
            slice_size: turn.slice_size()?,
            digests,
            biz_attr: settings.biz_attr.clone(),
            overwrite: settings.overwrite,
            session: settings.session.clone().filter(|_| rules.server_names_offset),
        };
        turn.request(Operation::Init(init), None)
    }

    /// Sends the `length` bytes of the source from `offset` on as one slice of the session.
    ///
    /// # Errors
    /// As of [`Call::stat`], and the source's.
    pub fn slice(&self, offset: u64, length: u64) -> Result<Answer, Error> {
        let turn = self.begin()?;
        let source = turn.need_source()?;
        let size = turn.size()?;
        if length == 0 {
            return Err(self.invalid("length: a slice has at least 1 byte"));
        }
        if offset.checked_add(length).is_none_or(|end| end > size) {
            return Err(self.invalid(&format!(
                "offset: {length} bytes from {offset} on are beyond the object's end at {size}"
            )));
        }
        let slice = Slice {
            session: turn.session()?,
            offset,
            length,
            sha: turn.sha1()?,
        };
        turn.request(Operation::Slice(slice), Some(source))
    }

    /// Asks what the service has of an unfinished upload.
    ///
    /// # Errors
    /// As of [`Call::stat`]; [`Status::InvalidArgument`] where the protocol has no list.
    pub fn list(&self) -> Result<Answer, Error> {
        let turn = self.begin()?;
        if self.rules().server_names_offset {
            return Err(self.unknown("list", "init tells where to go on"));
        }
        turn.request(Operation::List, None)
    }

    /// Makes the object out of the slices of the session.
    ///
    /// # Errors
    /// As of [`Call::stat`]; [`Status::InvalidArgument`] where the protocol has no finish.
    pub fn finish(&self) -> Result<Answer, Error> {
        let turn = self.begin()?;
        if !self.rules().has_finish {
            return Err(self.unknown("finish", "the last slice makes the object"));
        }
        let finish = Finish {
            size: turn.size()?,
            session: turn.session()?,
            sha: turn.sha1()?,
        };
        turn.request(Operation::Finish(finish), None)
    }

    /// Sends the whole object in one request.
    ///
    /// # Errors
    /// As of [`Call::stat`], and the source's.
    pub fn upload(&self) -> Result<Answer, Error> {
        let turn = self.begin()?;
        let source = turn.need_source()?;
        let size = turn.size()?;
        if size > MAX_SINGLE_REQUEST_SIZE {
            return Err(self.too_large(&format!(
                "size: {size} bytes are more than the service takes in one request, {MAX_SINGLE_REQUEST_SIZE}; send slices"
            )));
        }
        let upload = SingleUpload {
            size,
            sha: turn.sha1()?,
            biz_attr: turn.settings.biz_attr.clone(),
            overwrite: turn.settings.overwrite,
        };
        turn.request(Operation::Upload(upload), Some(source))
    }

    /// Asks what the service has at the path.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for a setting that is not acceptable, and then nothing was sent; [`Status::Busy`]
    /// while another verb is at work and inside a callback; [`Status::Cancelled`]; what the server or the network said,
    /// of the last attempt.
    pub fn stat(&self) -> Result<Answer, Error> {
        self.begin()?.request(Operation::Stat, None)
    }

    /// Removes what is at the path, finished or not.
    ///
    /// # Errors
    /// As of [`Call::stat`].
    pub fn delete(&self) -> Result<Answer, Error> {
        self.begin()?.request(Operation::Delete, None)
    }

    /// Makes the directory that the path names.
    ///
    /// # Errors
    /// As of [`Call::stat`].
    pub fn create_directory(&self) -> Result<Answer, Error> {
        let whole_path = self.location.depth().saturating_add(1);
        self.begin()?
            .request(Operation::CreateDirectory(whole_path), None)
    }

    fn begin(&self) -> Result<Turn<'_>, Error> {
        if is_inside_callback() {
            return Err(self.busy("a request can't be made inside a callback"));
        }
        let mut inner = self.lock();
        if inner.running {
            return Err(self.busy("another request of this handle is under way"));
        }
        inner.settings.validate().map_err(|text| self.invalid(&text))?;
        inner.running = true;
        let (settings, token) = (inner.settings.clone(), inner.token.clone());
        drop(inner);
        let turn = Turn {
            call: self,
            settings,
            token,
        };
        if turn.token.is_cancelled() {
            return Err(self.cancelled());
        }
        Ok(turn)
    }

    fn api(&self) -> Api {
        self.client.shared().api
    }

    fn rules(&self) -> Rules {
        self.api().rules()
    }

    /// A verb that the protocol does not have.
    fn unknown(&self, verb: &str, instead: &str) -> Error {
        self.invalid(&format!("{verb}: {} has none; {instead}", self.api().name()))
    }

    fn invalid(&self, text: &str) -> Error {
        Error::invalid(format!("{}: {text}", self.name))
    }

    fn too_large(&self, text: &str) -> Error {
        Error {
            status: Status::TooLarge,
            ..self.invalid(text)
        }
    }

    fn busy(&self, why: &str) -> Error {
        Error::new(Status::Busy, format!("{}: {why}", self.name))
    }

    fn cancelled(&self) -> Error {
        let text = format!(
            "{}: cancelled. What became of a request that was under way only the service knows; ask it.",
            self.name
        );
        Error::new(Status::Cancelled, text)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
