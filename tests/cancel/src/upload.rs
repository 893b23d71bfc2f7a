//! The upload that is cancelled, watched from inside: its file and its callback say what happens and when.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::{FileSource, Identity, Source};
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::machine::Object;
use cos_slice::upload::progress::Progress;

use crate::events::{Event, Events};

/// When calls of the caller's own code took place: their beginnings and their ends.
#[derive(Default)]
pub struct Spans(Mutex<Vec<(Instant, Instant)>>);

impl Spans {
    fn note(&self, began: Instant) {
        lock(&self.0).push((began, Instant::now()));
    }

    /// When the calls that were under way at that moment were over; that moment itself where none was.
    pub fn end_of_those_at(&self, moment: Instant) -> Instant {
        let spans = lock(&self.0);
        let under_way = spans.iter().filter(|(began, _)| *began <= moment);
        under_way.map(|(_, ended)| *ended).fold(moment, Instant::max)
    }
}

/// A file that tells of its being read.
pub struct WatchedFile {
    file: FileSource,
    events: Events,
    /// Bytes that are yet to be hashed; what is read after them is sent.
    to_hash: AtomicU64,
    /// Pieces hashed.
    hashed: AtomicU64,
    /// Where the reads of what is sent ended.
    body_ends: Mutex<Vec<u64>>,
    reads: Spans,
}

impl WatchedFile {
    /// A file that is read once to be hashed, where `hash` is on, and then to be sent.
    pub fn open(path: &Path, hash: bool, events: Events) -> Self {
        let file = FileSource::open(path).unwrap_or_else(|failure| panic!("{}", failure.detail));
        Self {
            to_hash: AtomicU64::new(if hash { file.size() } else { 0 }),
            file,
            events,
            hashed: AtomicU64::new(0),
            body_ends: Mutex::default(),
            reads: Spans::default(),
        }
    }

    /// When the reads took place.
    pub fn reads(&self) -> &Spans {
        &self.reads
    }

    /// Where the reads of what is sent ended.
    pub fn body_ends(&self) -> Vec<u64> {
        lock(&self.body_ends).clone()
    }
}

impl Source for WatchedFile {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let began = Instant::now();
        let count = self.file.read_at(offset, buffer)?;
        self.reads.note(began);
        // Nothing is sent before all is hashed, so no two threads are here with anything left to hash.
        let to_hash = self.to_hash.load(Ordering::SeqCst);
        if to_hash > 0 {
            self.to_hash
                .store(to_hash.saturating_sub(count as u64), Ordering::SeqCst);
            self.events
                .happen(Event::Hashed(self.hashed.fetch_add(1, Ordering::SeqCst)));
        } else {
            lock(&self.body_ends).push(offset + count as u64);
        }
        Ok(count)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.file.verify_unchanged()
    }

    fn identity(&self) -> Option<Identity> {
        self.file.identity()
    }
}

/// What the progress callback of one run does and sees.
pub struct Callback {
    events: Events,
    /// Where its first call waits, if it does.
    hold: Mutex<Option<Receiver<()>>>,
    calls: Spans,
    /// Whether `run` or `wait` has returned.
    over: AtomicBool,
    late: AtomicBool,
}

/// Keeps the first call of a callback until it is dropped.
pub struct Hold {
    _keeps: Sender<()>,
}

impl Callback {
    /// A callback that only watches.
    pub fn new(events: Events) -> Arc<Self> {
        Arc::new(Self {
            events,
            hold: Mutex::default(),
            calls: Spans::default(),
            over: AtomicBool::new(false),
            late: AtomicBool::new(false),
        })
    }

    /// Has the first call wait.
    pub fn hold(&self) -> Hold {
        let (keeps, released) = channel();
        *lock(&self.hold) = Some(released);
        Hold { _keeps: keeps }
    }

    /// When the calls took place.
    pub fn calls(&self) -> &Spans {
        &self.calls
    }

    /// Whether there was a call after `run` or `wait` had returned.
    pub fn came_too_late(&self) -> bool {
        self.late.load(Ordering::SeqCst)
    }

    fn call(&self, _: &Progress) -> i32 {
        let began = Instant::now();
        if self.over.load(Ordering::SeqCst) {
            self.late.store(true, Ordering::SeqCst);
        }
        let hold = lock(&self.hold).take();
        if let Some(released) = hold {
            self.events.happen(Event::CallbackHeld);
            // Nothing is ever sent: it ends when the hold is dropped.
            let _ = released.recv();
        }
        self.calls.note(began);
        0
    }
}

/// How a run is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `run`, whose thread makes the calls.
    Run,
    /// `start` and `wait`.
    Start,
}

/// A run that is over.
pub struct Returned {
    /// What it returned.
    pub result: Result<Object, Error>,
    /// When.
    pub at: Instant,
}

/// Runs an upload on a thread of its own.
pub fn run(upload: &Arc<Upload>, way: Way, callback: &Arc<Callback>) -> JoinHandle<Returned> {
    let (upload, callback) = (Arc::clone(upload), Arc::clone(callback));
    thread::spawn(move || {
        let result = match way {
            Way::Run => upload.run(Some(&mut |progress: &Progress| callback.call(progress))),
            Way::Start => {
                let called = Arc::clone(&callback);
                let started = upload.start(Some(Box::new(move |progress: &Progress| called.call(progress))));
                started.and_then(|()| upload.wait(None))
            }
        };
        let at = Instant::now();
        callback.over.store(true, Ordering::SeqCst);
        Returned { result, at }
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
