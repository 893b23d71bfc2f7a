//! The threads of a client: when one is made or woken, and how all of them end.

use std::cell::Cell;
use std::sync::Arc;

use crate::engine::callback::is_inside_callback;
use crate::engine::report::Listener;
use crate::engine::{report, sys, worker};
use crate::upload::Next;
use crate::upload::error::Error;
use crate::upload::status::Status;

use super::{Shared, State};

thread_local! {
    /// The client that a thread works or calls back for. (Asking the standard library for the current thread would leave a
    /// record of each thread of the program that ever frees a client.)
    static SERVES: Cell<*const Shared> = const { Cell::new(std::ptr::null()) };
}

impl Shared {
    /// Looks for what another worker could do, and has one do it; else that one watches the clock where that needs it. Called by
    /// each worker that begins a task, so that all are at work where there is enough to do, and none is woken for nothing.
    pub(in crate::engine) fn draw_another(self: &Arc<Self>, state: &mut State) {
        let has_another = state.idle > 0 || state.workers < self.workers_wanted;
        if state.drawn.is_some() || state.shutdown || !has_another {
            return;
        }
        let wants_another = match state.core.next(self.now()) {
            Next::Task(task) => {
                state.drawn = Some(task);
                true
            }
            Next::WakeAt(at) => state.watched_until.is_none_or(|watched| at < watched),
            Next::Idle => false,
        };
        if wants_another {
            // Without another worker this one goes on, and finds what was drawn.
            let _ = self.provide_worker(state);
        }
    }

    /// Sees to it that somebody asks for the next task: an idle worker, or a new one while there may be more.
    pub(super) fn provide_worker(self: &Arc<Self>, state: &mut State) -> Result<(), Error> {
        if state.idle > 0 {
            self.work.notify_one();
            return Ok(());
        }
        if state.workers >= self.workers_wanted || state.shutdown {
            return Ok(());
        }
        let shared = self.clone();
        let spawned = sys::spawn("cos-slice work", move || worker::work(&shared));
        match spawned {
            Ok(thread) => {
                state.workers += 1;
                state.threads.push(thread);
                Ok(())
            }
            // With one worker alive everything still gets done.
            Err(_) if state.workers > 0 => Ok(()),
            Err(error) => Err(Error::new(
                Status::Resources,
                format!("the system gives no thread to upload with: {error}"),
            )),
        }
    }

    pub(in crate::engine) fn listen(self: &Arc<Self>, listener: Listener) -> Result<(), Error> {
        let mut state = self.lock();
        if state.callback_thread.is_none() {
            let shared = self.clone();
            let spawned = sys::spawn("cos-slice calls", move || report::deliver(&shared));
            let thread = spawned.map_err(|error| {
                Error::new(
                    Status::Resources,
                    format!("the system gives no thread for callbacks: {error}"),
                )
            })?;
            state.callback_thread = Some(thread);
        }
        state.listeners.add(listener);
        self.news.notify_one();
        Ok(())
    }

    /// The calling thread is one of this client's.
    pub(in crate::engine) fn serve_here(self: &Arc<Self>) {
        SERVES.set(Arc::as_ptr(self));
    }

    /// Ends the threads and waits for them; no job is left by then.
    pub(in crate::engine) fn end(self: &Arc<Self>) {
        let (workers, callback_thread) = {
            let mut state = self.lock();
            state.shutdown = true;
            (std::mem::take(&mut state.threads), state.callback_thread.take())
        };
        self.work.notify_all();
        self.news.notify_all();
        // The last handle may go inside a callback, or with what a callback held. A thread can't wait for itself then, nor for
        // another one that is inside a callback. They all end by themselves.
        if is_inside_callback() || SERVES.get() == Arc::as_ptr(self) {
            return;
        }
        for worker in workers {
            let _ = worker.join();
        }
        drop(self.close_what_is_over(self.lock()));
        if let Some(thread) = callback_thread {
            let _ = thread.join();
        }
    }
}
