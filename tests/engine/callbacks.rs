//! Progress and completion callbacks of the engine.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use cos_emulator::RequestRecord;
use cos_slice::engine::handle::Ending;
use cos_slice::engine::source::MemorySource;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, Stage};

const HANG_GUARD: Duration = Duration::from_secs(60);

#[test]
fn the_first_progress_is_how_it_began_though_the_callback_thread_comes_late() {
    let stage = Stage::new();
    let client = stage.client();
    // Another upload's callback has the thread until this one is over.
    let (release, released) = mpsc::channel::<()>();
    let (inside, is_inside) = mpsc::channel();
    let mut holds = true;
    let holding = client.upload(BUCKET, "holding").unwrap();
    holding
        .set_source(Arc::new(MemorySource::new(vec![1; 9])))
        .unwrap();
    let hold = move |_: &Progress| {
        if std::mem::take(&mut holds) {
            inside.send(()).unwrap();
            let _ = released.recv_timeout(HANG_GUARD);
        }
        0
    };
    holding.start(Some(Box::new(hold))).unwrap();
    is_inside.recv_timeout(HANG_GUARD).unwrap();

    let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
    let seen = told.clone();
    let upload = stage.upload(&client, &stage.file(3 * MIB, 1));
    let tell = move |progress: &Progress| {
        seen.lock().unwrap().push(*progress);
        0
    };
    upload.start(Some(Box::new(tell))).unwrap();
    let finishes = |requests: &[RequestRecord]| {
        let finishes = requests
            .iter()
            .filter(|request| request.operation.as_deref() == Some("upload_slice_finish"));
        finishes.count() == 2
    };
    assert!(stage.emulator.wait_for_requests(finishes, HANG_GUARD));
    release.send(()).unwrap();
    upload.wait(None).unwrap();
    holding.wait(None).unwrap();

    let told = told.lock().unwrap();
    let (first, last) = (told.first().unwrap(), told.last().unwrap());
    assert_eq!(
        (first.phase, first.hashed, first.total),
        (Phase::Hashing, 0, 3 * MIB)
    );
    assert_eq!((last.phase, last.acknowledged), (Phase::Done, 3 * MIB));
    assert_eq!(told.iter().filter(|told| told.phase == Phase::Done).count(), 1);
}

/// A waiter that is quick takes the end away from under the one that runs; with 300 runs several do.
#[test]
fn a_completion_is_told_the_run_s_own_end_or_nothing_where_other_threads_wait_for_it_too() {
    let stage = Stage::new();
    let upload = Arc::new(stage.upload(&stage.client(), &stage.file(MIB, 1)));
    let deadline = Some(Duration::from_millis(2));
    upload.set_options(|options| options.deadline = deadline).unwrap();
    let told: Arc<Mutex<Vec<Status>>> = Arc::default();
    let seen = Arc::clone(&told);
    let completion = move |ending: &Ending| {
        let status = ending
            .result
            .as_ref()
            .map_or_else(|error| error.status, |_| Status::Ok);
        seen.lock().unwrap().push(status);
    };
    upload.set_completion(Some(Arc::new(completion))).unwrap();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let _ = upload.wait(None);
                }
            });
        }
        for _ in 0..300 {
            let _ = upload.run(None);
        }
        over.store(true, Ordering::Relaxed);
    });
    let told = told.lock().unwrap();
    assert!(!told.contains(&Status::Panic), "{told:?}");
}
