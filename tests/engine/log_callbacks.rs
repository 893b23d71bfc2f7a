//! What a log may do when it is told something, who tells it, and that nobody waits for ever.

use std::sync::{Arc, Condvar, Mutex, Weak, mpsc};
use std::thread;

use cos_slice::engine::client::Client;
use cos_slice::engine::handle::{Ending, Upload};
use cos_slice::engine::log::{Level, Logger};
use cos_slice::engine::source::{MemorySource, Source};
use cos_slice::upload::progress::Progress;
use cos_slice::upload::status::Status;

use crate::log::{HANG_GUARD, Recorder, client};
use crate::support::{BUCKET, MIB, PATH, Stage};

#[test]
fn inside_a_log_an_upload_may_be_asked_and_cancelled_and_not_waited_for() {
    let stage = Stage::new();
    let handle: Arc<Mutex<Weak<Upload>>> = Arc::default();
    let inside = handle.clone();
    let statuses: Arc<Mutex<Vec<Status>>> = Arc::default();
    let seen = statuses.clone();
    let log = Recorder::that(move |told| {
        let Some(upload) = inside.lock().unwrap().upgrade() else {
            return;
        };
        upload.progress();
        let refused = [
            upload.run(None).unwrap_err().status,
            upload.wait(None).unwrap_err().status,
        ];
        seen.lock().unwrap().extend(refused);
        if told.offset.is_some() {
            upload.cancel();
        }
    });
    let upload = Arc::new(stage.upload(&client(&stage, Level::Debug, &log), &stage.file(9 * MIB, 1)));
    *handle.lock().unwrap() = Arc::downgrade(&upload);
    assert_eq!(upload.run(None).unwrap_err().status, Status::Cancelled);
    let statuses = statuses.lock().unwrap();
    assert!(
        statuses.len() >= 6 && statuses.iter().all(|status| *status == Status::Busy),
        "{statuses:?}"
    );
}

#[test]
fn the_last_handle_may_go_inside_a_log() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"hang":"before"}}"#);
    let handle: Arc<Mutex<Option<Upload>>> = Arc::default();
    let inside = handle.clone();
    let (held_by_log, gone) = mpsc::channel::<()>();
    let log = Recorder::that(move |told| {
        let _ = &held_by_log;
        if told.operation.is_some() {
            drop(inside.lock().unwrap().take());
        }
    });
    let upload = stage.upload(&client(&stage, Level::Debug, &log), &stage.file(3 * MIB, 1));
    let mut held = handle.lock().unwrap();
    upload.start(None).unwrap();
    *held = Some(upload);
    drop(held);
    drop(log);
    let ended = gone.recv_timeout(HANG_GUARD).unwrap_err();
    assert_eq!(
        ended,
        mpsc::RecvTimeoutError::Disconnected,
        "the log goes with the last thread"
    );
}

#[test]
fn a_log_that_panics_does_no_harm() {
    let stage = Stage::new();
    let log = Recorder::that(|_| panic!("a panic that the test wants"));
    let file = stage.file(3 * MIB, 1);
    stage
        .upload(&client(&stage, Level::Debug, &log), &file)
        .run(None)
        .unwrap();
    stage.assert_object_is(&file);
    assert!(log.lock().len() >= 8);
}

#[test]
fn several_threads_are_inside_a_log_at_once() {
    let stage = Stage::new();
    let (inside, changed): (Mutex<u32>, Condvar) = Default::default();
    let log = Recorder::that(move |told| {
        if told.operation.as_deref() == Some("upload_slice_data") {
            let mut count = inside.lock().unwrap();
            *count += 1;
            changed.notify_all();
            // Each waits for another one, which comes while this one is here.
            let waited = changed.wait_timeout_while(count, HANG_GUARD, |count| *count < 2);
            assert!(!waited.unwrap().1.timed_out(), "no other thread came");
        }
    });
    let upload = stage.upload(&client(&stage, Level::Debug, &log), &stage.file(2 * MIB, 1));
    upload.run(None).unwrap();
    assert_eq!(log.of_level(Level::Debug).len(), 5);
}

#[test]
fn a_started_upload_is_told_of_to_its_end_though_nobody_waits() {
    let stage = Stage::new();
    let log = Recorder::new();
    let upload = stage.upload(&client(&stage, Level::Info, &log), &stage.file(MIB, 1));
    upload.start(None).unwrap();
    log.wait_until("told of its end", |told| {
        told.last()
            .is_some_and(|told| told.message.contains(": uploaded: "))
    });
    upload.wait(None).unwrap();
    assert_eq!(log.lock().len(), 2);
}

/// A source that blocks its readers until it is told to go on.
struct Gate {
    open: Mutex<bool>,
    changed: Condvar,
    read: mpsc::Sender<()>,
}

impl Source for Gate {
    fn size(&self) -> u64 {
        MIB
    }

    fn read_at(&self, _: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let _ = self.read.send(());
        let open = self.open.lock().unwrap();
        // After a failure nobody opens it, and whoever is dropped then waits for this.
        let waited = self
            .changed
            .wait_timeout_while(open, 2 * HANG_GUARD, |open| !*open);
        drop(waited.unwrap());
        buffer.fill(7);
        Ok(buffer.len())
    }

    fn verify_unchanged(&self) -> Result<(), cos_slice::upload::failure::SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<cos_slice::engine::source::Identity> {
        None
    }
}

/// A client whose only worker is held up by an upload, until the gate is opened.
struct HeldUp {
    client: Client,
    log: Arc<Recorder>,
    gate: Arc<Gate>,
    holding: Upload,
}

impl HeldUp {
    fn new(stage: &Stage, level: Level) -> Self {
        let log = Recorder::new();
        let mut config = stage.config();
        config.log = Some(Logger {
            level,
            log: log.clone(),
        });
        config.connections = 1.into();
        let client = Client::new(config).unwrap();
        let (read, reads) = mpsc::channel();
        let (open, changed) = (Mutex::new(false), Condvar::new());
        let gate = Arc::new(Gate { open, changed, read });
        let holding = client.upload(BUCKET, PATH).unwrap();
        holding.set_source(gate.clone()).unwrap();
        holding.start(None).unwrap();
        reads.recv_timeout(HANG_GUARD).expect("the only worker reads");
        Self {
            client,
            log,
            gate,
            holding,
        }
    }

    /// Another upload, for which there is no worker.
    fn upload(&self) -> Upload {
        let upload = self.client.upload(BUCKET, PATH).unwrap();
        upload
            .set_source(Arc::new(MemorySource::new(vec![1; 9])))
            .unwrap();
        upload
    }

    /// The other one was told of while the worker was held up; now that ends.
    fn end(self) {
        assert_eq!(self.log.of_level(Level::Error).len(), 1);
        *self.gate.open.lock().unwrap() = true;
        self.gate.changed.notify_all();
        self.holding.wait(None).unwrap();
    }
}

#[test]
fn who_waits_for_a_cancelled_upload_tells_of_its_end_where_all_workers_are_held_up() {
    // Without events of the state machine, and with them.
    for level in [Level::Error, Level::Debug] {
        let stage = Stage::new();
        let held_up = HeldUp::new(&stage, level);
        let upload = held_up.upload();
        upload.start(None).unwrap();
        upload.cancel();
        let ended = upload.wait(Some(HANG_GUARD)).unwrap_err();
        assert_eq!(ended.status, Status::Cancelled);
        held_up.end();
    }
}

#[test]
fn who_runs_a_cancelled_upload_tells_of_its_end_where_all_workers_are_held_up() {
    // Without events of the state machine, and with them.
    for level in [Level::Error, Level::Debug] {
        let stage = Stage::new();
        let held_up = HeldUp::new(&stage, level);
        let upload = Arc::new(held_up.upload());
        let ((begun, begins), (ended, ends)) = (mpsc::channel(), mpsc::channel());
        let running = upload.clone();
        thread::spawn(move || {
            let mut progress = |_: &Progress| {
                let _ = begun.send(());
                0
            };
            let _ = ended.send(running.run(Some(&mut progress)).unwrap_err().status);
        });
        begins.recv_timeout(HANG_GUARD).expect("it runs");
        upload.cancel();
        assert_eq!(ends.recv_timeout(HANG_GUARD), Ok(Status::Cancelled));
        held_up.end();
    }
}

#[test]
fn the_callback_thread_tells_of_the_end_where_nobody_waits_and_all_workers_are_held_up() {
    // Without events of the state machine, and with them.
    for level in [Level::Error, Level::Debug] {
        let stage = Stage::new();
        let held_up = HeldUp::new(&stage, level);
        let upload = held_up.upload();
        let (ended, ends) = mpsc::channel();
        upload
            .set_completion(Some(Arc::new(move |ending: &Ending| {
                let _ = ended.send(ending.result.as_ref().unwrap_err().status);
            })))
            .unwrap();
        upload.start(None).unwrap();
        upload.cancel();
        assert_eq!(ends.recv_timeout(HANG_GUARD), Ok(Status::Cancelled));
        held_up.end();
    }
}
