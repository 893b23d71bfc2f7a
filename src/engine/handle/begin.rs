//! How a run begins: of what was set, and of what is remembered, a job of the client is made.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::engine::callback::{LastCall, is_inside_callback};
use crate::engine::cancel::CancelToken;
use crate::engine::checkpoint::{Checkpoint, Destination, InUse};
use crate::engine::job::Job;
use crate::engine::log::lines::Line;
use crate::engine::report::{Listener, Pace, ProgressFn};
use crate::engine::signing::Held;
use crate::engine::source::Source;
use crate::upload::error::Error;
use crate::upload::options::UploadOptions;
use crate::upload::status::Status;
use crate::upload::task::{Memory, Specification};

use super::{Active, Inner, Upload};

impl Upload {
    /// Begins a run; why that could not be done is told to the log too.
    pub(super) fn begin(&self, started: bool, progress: Option<Box<ProgressFn>>) -> Result<Active, Error> {
        let begun = self.try_to_begin(started, progress);
        if let Err(error) = &begun {
            // Of a run that goes on nothing failed.
            if error.status != Status::Busy {
                self.client
                    .shared()
                    .log
                    .write(&self.location, &Line::error(error));
            }
        }
        begun
    }

    fn try_to_begin(&self, started: bool, progress: Option<Box<ProgressFn>>) -> Result<Active, Error> {
        if is_inside_callback() {
            return Err(self.busy("an upload can't be run inside a callback"));
        }
        self.take_what_ended();
        let (options, content, left) = {
            let mut inner = self.lock();
            if inner.running {
                return Err(self.busy("it is running already"));
            }
            let api = self.client.shared().api;
            inner.options.slice_sizes = self.client.shared().dialect.slice_sizes.clone();
            let checked = inner.content.check(&inner.options, api);
            checked
                .and_then(|()| inner.options.validate(api))
                .map_err(|text| Error::invalid(format!("{}: {text}", self.name)))?;
            (inner.running, inner.last, inner.warning) = (true, None, None);
            (inner.options.clone(), inner.content.clone(), inner.left.clone())
        };
        // Opening may block, so it happens without the lock; cancel must always get through.
        let begun = content.open(&self.name).and_then(|source| {
            let mut checkpoint = self.open_checkpoint()?;
            let others = checkpoint
                .as_mut()
                .filter(|checkpoint| checkpoint.version() != left);
            let others = others.and_then(|checkpoint| checkpoint.load(source.identity().as_ref()));
            self.begin_job(options, source, checkpoint, others, started, progress)
        });
        if let Err(error) = &begun {
            let mut inner = self.lock();
            (inner.running, inner.last) = (false, Some(Err(error.clone())));
            inner.token = CancelToken::new();
        }
        begun
    }

    /// Takes the checkpoint, where there are any, so that nobody else works on the object by it.
    fn open_checkpoint(&self) -> Result<Option<Checkpoint>, Error> {
        let Some(folder) = self.client.checkpoint_dir() else {
            return Ok(None);
        };
        let destination = Destination {
            endpoint: self.client.service(),
            app_id: self.location.app_id().to_owned(),
            bucket: self.location.bucket().to_owned(),
            path: self.location.path().to_owned(),
        };
        let checkpoint = Checkpoint::open(folder, destination).map_err(|InUse { file }| {
            let text = format!(
                "{}: another upload to it is running by the same checkpoint, {file:?}. \
                 Wait for its end, or give this one another folder for checkpoints",
                self.name
            );
            Error::new(Status::CheckpointBusy, text)
        })?;
        Ok(Some(checkpoint))
    }

    /// Hands the job to the client's workers, unless the run was cancelled by now.
    fn begin_job(
        &self,
        options: UploadOptions,
        source: Arc<dyn Source>,
        checkpoint: Option<Checkpoint>,
        others: Option<Memory>,
        started: bool,
        progress: Option<Box<ProgressFn>>,
    ) -> Result<Active, Error> {
        let mut inner = self.lock();
        if inner.token.is_cancelled() {
            return Err(Error::cancelled(&self.name));
        }
        let memory = inner.memory_for(&*source, others);
        let specification = Specification {
            name: self.name.clone(),
            size: source.size(),
            reading: source.reading(),
            blocks: source.may_block(),
            depth: self.location.depth(),
            options,
            memory,
            checkpoint: checkpoint.as_ref().is_some_and(Checkpoint::is_usable),
        };
        let (location, token) = (self.location.clone(), inner.token.clone());
        let job = Arc::new(Job {
            location,
            source,
            token,
            limiter: Arc::clone(&self.limiter),
            checkpoint: checkpoint.map(|checkpoint| Arc::new(Mutex::new(checkpoint))),
            held: Held::default(),
            begun: Instant::now(),
            changed: Condvar::new(),
            is_watched: AtomicBool::new(false),
        });
        let shared = self.client.shared();
        let (id, first) = shared.begin_upload(&job, specification)?;
        let completion = inner.completion.clone();
        let is_listened_to = started && (progress.is_some() || completion.is_some());
        let last_call = is_listened_to.then(|| Arc::new(LastCall::new()));
        let active = Active {
            id,
            job,
            first,
            started,
            completion,
            last_call,
        };
        inner.active = Some(active.clone());
        if let Err(error) = self.listen(&active, progress) {
            inner.active = None;
            drop(inner);
            shared.abandon(id);
            shared.stop(id, error.clone());
            active.job.close_checkpoint(false);
            return Err(error);
        }
        Ok(active)
    }

    /// Has the client's callback thread tell of a run that was started, where anybody wants to know.
    fn listen(&self, active: &Active, progress: Option<Box<ProgressFn>>) -> Result<(), Error> {
        let Some(last_call) = active.last_call.clone() else {
            return Ok(());
        };
        self.client.shared().listen(Listener {
            id: active.id,
            name: self.name.clone(),
            job: active.job.clone(),
            pace: Pace::new(active.first),
            progress,
            completion: active.completion.clone(),
            last_call,
        })
    }
}

impl Inner {
    /// What is remembered that is good for this source, with what others left in the checkpoint since.
    fn memory_for(&self, source: &dyn Source, others: Option<Memory>) -> Memory {
        let identity = source.identity();
        let is_same = match &identity {
            Some(_) => identity == self.remembered,
            None => self.content.is_as_before(source),
        };
        let own = match &self.memory {
            Some(memory) if is_same => memory.clone(),
            Some(memory) => memory.for_other_content(),
            None => Memory::default(),
        };
        match others {
            // Who wrote it knows more of the upload, and may even have sent other content into ours. Digests stay true.
            Some(others) => Memory {
                digests: others.digests.or(own.digests),
                ..others
            },
            None => own,
        }
    }
}
