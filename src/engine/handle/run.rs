//! The runs of an upload: made in one go, or started and waited for; cancelled; and what became of them taken, once each.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::callback::{inside_callback, is_inside_callback};
use crate::engine::cancel::CancelToken;
use crate::engine::job::Ended;
use crate::engine::report::{Due, Ending, Pace, ProgressFn, aborted};
use crate::upload::error::Error;
use crate::upload::machine::Object;
use crate::upload::progress::Progress;
use crate::upload::status::Status;

use super::{Active, Upload, snapshot};

impl Upload {
    /// Runs the upload and blocks until it is over. `progress` is called on this thread.
    ///
    /// # Errors
    /// Why it failed; [`Status::Busy`] where it is running already or this is a callback.
    pub fn run(&self, mut progress: Option<&mut dyn FnMut(&Progress) -> i32>) -> Result<Object, Error> {
        let active = self.begin(false, None)?;
        let unwinding = StopAndWait {
            upload: self,
            active: &active,
        };
        let shared = self.client.shared();
        let mut pace = Pace::new(active.first);
        let mut state = shared.lock();
        loop {
            state = shared.tell(state, Some(active.id));
            let (now, over) = (shared.now(), !state.jobs.contains_key(&active.id));
            if over && !state.ended.contains_key(&active.id) {
                // Another thread waited for it, and has taken and told how it ended; no call may follow that.
                break;
            }
            let snapshot = snapshot(&state, active.id);
            let due = match &progress {
                Some(_) => pace.due(&snapshot, over, now),
                None => Due::Nothing,
            };
            state = match (due, &mut progress) {
                (Due::Now(progress), Some(callback)) => {
                    drop(state);
                    let value = inside_callback(|| callback(&progress));
                    pace.told(progress, now);
                    if value != 0 && !over {
                        shared.stop(active.id, aborted(&self.name, value));
                    }
                    shared.lock()
                }
                _ if over => break,
                (Due::At(at), _) => shared.wait_for_change(state, active.id, &active.job, Some(at)),
                (Due::Nothing, Some(_)) => {
                    active.job.is_watched.store(true, Ordering::Relaxed);
                    shared.wait_for_change(state, active.id, &active.job, None)
                }
                _ => shared.wait_for_change(state, active.id, &active.job, None),
            };
        }
        // Looked up with the lock that the loop ended under: another thread that waits may take it at once.
        let result = state.ended.get(&active.id).map(Ended::upload_result);
        drop(state);
        if let (Some(completion), Some(result)) = (&active.completion, result) {
            let warning = active.job.close_checkpoint(result.is_ok()).warning;
            inside_callback(|| completion(&Ending { result, warning }));
        }
        std::mem::forget(unwinding);
        self.finish(&active)
    }

    /// Starts the upload and returns; [`Upload::wait`] tells how it ended. `progress` is called on the client's
    /// callback thread.
    ///
    /// # Errors
    /// Why it could not be started.
    pub fn start(&self, progress: Option<Box<ProgressFn>>) -> Result<(), Error> {
        self.begin(true, progress).map(drop)
    }

    /// Waits until a started upload is over and its last callback has returned; `None` waits without end. Once it
    /// has told the result it tells the same again until the next run.
    ///
    /// # Errors
    /// Why the upload failed; [`Status::StillRunning`] where the time was too short, [`Status::NotStarted`],
    /// [`Status::Busy`] inside a callback.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<Object, Error> {
        if is_inside_callback() {
            return Err(self.busy("waiting inside a callback would never end"));
        }
        let active = {
            let inner = self.lock();
            match (&inner.active, &inner.last) {
                (Some(active), _) => active.clone(),
                (None, Some(last)) => return last.clone(),
                (None, None) => {
                    let text = format!("{}: there is nothing to wait for; start it first", self.name);
                    return Err(Error::new(Status::NotStarted, text));
                }
            }
        };
        if !self.wait_for_end(&active, timeout) {
            return Err(Error::new(
                Status::StillRunning,
                format!("{}: still running", self.name),
            ));
        }
        self.finish(&active)
    }

    /// Stops the present run, or the next one if none is running. Any thread, any time, any number of times.
    pub fn cancel(&self) {
        let inner = self.lock();
        inner.token.cancel();
        if let Some(active) = &inner.active {
            self.client.shared().stop(active.id, Error::cancelled(&self.name));
        }
    }

    /// Cancels what is running, and waits for it and its last callback; inside a callback it can't wait.
    pub fn end(&self) {
        self.cancel();
        let active = self.lock().active.clone();
        if let Some(active) = active.filter(|_| !is_inside_callback()) {
            self.wait_for_end(&active, None);
            self.take(&active);
        }
    }

    /// Whether the upload was over, and its last callback back, before the time ran out.
    fn wait_for_end(&self, active: &Active, timeout: Option<Duration>) -> bool {
        let shared = self.client.shared();
        let until = timeout.and_then(|timeout| shared.now().checked_add(timeout));
        let mut state = shared.lock();
        loop {
            state = shared.tell(state, Some(active.id));
            if !state.jobs.contains_key(&active.id) {
                break;
            }
            if until.is_some_and(|until| shared.now() >= until) {
                return false;
            }
            state = shared.wait_for_change(state, active.id, &active.job, until);
        }
        drop(state);
        let left = until.map(|until| until.saturating_sub(shared.now()));
        active
            .last_call
            .as_ref()
            .is_none_or(|last_call| last_call.wait(left))
    }

    /// Takes what became of a run that is over. Of several threads that wait one takes it, the others are told.
    fn finish(&self, active: &Active) -> Result<Object, Error> {
        self.take(active);
        let inner = self.lock();
        inner
            .last
            .clone()
            .unwrap_or_else(|| Err(self.busy("another run has begun meanwhile")))
    }

    fn take(&self, active: &Active) {
        let shared = self.client.shared();
        let is_success = shared.lock().ended.get(&active.id).map(Ended::is_success);
        let Some(is_success) = is_success else {
            return;
        };
        // Before another run may begin, which would find it in use; and without the lock, since the disk may be slow.
        let closed = active.job.close_checkpoint(is_success);
        let mut inner = self.lock();
        let Some(ended) = shared.lock().ended.remove(&active.id) else {
            return;
        };
        (inner.running, inner.active, inner.token) = (false, None, CancelToken::new());
        inner.last_progress = ended.progress;
        inner.remembered = active.job.source.lasting_identity();
        inner.content.ran();
        (inner.warning, inner.left) = (closed.warning, closed.left);
        inner.last = Some(ended.upload_result());
        inner.memory = Some(ended.memory);
    }

    /// Takes what became of a started run that is over though nobody waited for it, so that another may follow.
    pub(super) fn take_what_ended(&self) {
        let active = self.lock().active.clone();
        let Some(active) = active.filter(|active| active.started) else {
            return;
        };
        if active
            .last_call
            .as_ref()
            .is_none_or(|last_call| last_call.is_done())
        {
            self.take(&active);
        }
    }
}

/// Ends a run whose caller unwinds out of its callback.
struct StopAndWait<'a> {
    upload: &'a Upload,
    active: &'a Active,
}

impl Drop for StopAndWait<'_> {
    fn drop(&mut self) {
        self.upload.cancel();
        self.upload.wait_for_end(self.active, None);
        let _ = self.upload.finish(self.active);
    }
}

impl Drop for Upload {
    /// As [`Upload::end`]; but inside a callback it can't wait: then the run ends by itself, without another call.
    fn drop(&mut self) {
        self.end();
        let Some(active) = self.lock().active.take() else {
            return;
        };
        if let Some(last_call) = &active.last_call {
            last_call.abandon();
        }
        self.client.shared().abandon(active.id);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::Arc;

    use super::*;
    use crate::engine::client::{Client, ClientConfig};
    use crate::engine::endpoint::Endpoint;
    use crate::engine::source::MemorySource;
    use crate::protocol::signature::SecretKey;
    use crate::upload::Next;

    const HANG_GUARD: Duration = Duration::from_secs(60);

    /// A client of a service that is not there.
    fn client() -> Client {
        let nobody_listens = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoint = Endpoint::parse(&format!("http://{nobody_listens}")).unwrap();
        let config = ClientConfig::new(endpoint, SecretKey::new("1", "id", "key").unwrap());
        Client::new(config).unwrap()
    }

    fn upload(client: &Client) -> Upload {
        let upload = client.upload("bucket", "path").unwrap();
        upload.set_source(Arc::new(MemorySource::new(vec![1]))).unwrap();
        upload
    }

    #[test]
    fn an_upload_that_is_over_may_be_started_again_though_nobody_waited() {
        let upload = upload(&client());
        for _ in 0..2 {
            upload.start(None).unwrap();
            assert_eq!(upload.set_options(|_| ()).unwrap_err().status, Status::Busy);
            let active = upload.lock().active.clone().unwrap();
            assert!(upload.wait_for_end(&active, None));
            upload.set_options(|_| ()).unwrap();
            assert_eq!(upload.result().unwrap().unwrap_err().status, Status::Connect);
        }
    }

    #[test]
    fn a_cancel_does_not_wait_for_a_worker_to_begin_what_was_drawn() {
        let client = client();
        let shared = client.shared();
        // As if all were at work for long.
        shared.lock().workers = u32::MAX;
        let upload = upload(&client);
        upload.start(None).unwrap();
        {
            let mut state = shared.lock();
            let Next::Task(task) = state.core.next(shared.now()) else {
                panic!("the upload has nothing to do");
            };
            state.drawn = Some(task);
        }
        upload.cancel();
        let status = upload.wait(Some(HANG_GUARD)).unwrap_err().status;
        // Whoever fails here must not wait for the upload's end.
        shared.collapse();
        assert_eq!(status, Status::Cancelled);
    }
}
