//! Cancel, callbacks that stop, and handles that go away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use crate::support::{MIB, Stage};

/// Short against the time limits that would end the wait otherwise, of a minute and more, and long enough for any machine, under
/// ThreadSanitizer and with others at work beside it.
const PROMPT: Duration = Duration::from_secs(30);

fn held(stage: &Stage, operation: &str) -> bool {
    let arrived = |requests: &[cos_emulator::RequestRecord]| {
        requests
            .iter()
            .any(|request| request.operation.as_deref() == Some(operation))
    };
    stage.emulator.wait_for_requests(arrived, Duration::from_secs(30))
}

#[test]
fn cancel_from_another_thread_ends_an_upload_that_waits_for_an_answer() {
    for operation in ["upload_slice_init", "upload_slice_data", "upload_slice_finish"] {
        let stage = Stage::new();
        stage.fault(&format!(
            r#"{{"operation":"{operation}","times":0,"action":{{"hang":"before"}}}}"#
        ));
        let file = stage.file(3 * MIB, 1);
        let upload = Arc::new(stage.upload(&stage.client(), &file));
        let running = std::thread::spawn({
            let upload = upload.clone();
            move || upload.run(None)
        });
        assert!(held(&stage, operation));
        let began = Instant::now();
        upload.cancel();
        let error = running.join().unwrap().unwrap_err();
        assert_eq!(error.status, Status::Cancelled, "{operation}: {error}");
        assert!(began.elapsed() < PROMPT, "{operation}: {:?}", began.elapsed());

        stage.emulator.clear_faults();
        upload
            .run(None)
            .unwrap_or_else(|error| panic!("{operation}: {error}"));
        stage.assert_object_is(&file);
    }
}

#[test]
fn cancel_while_a_complete_object_is_looked_at_leaves_it_complete() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"stat","times":0,"action":{"hang":"before"}}"#);
    let file = stage.file(3 * MIB, 1);
    let upload = stage.upload(&stage.client(), &file);
    upload.start(None).unwrap();
    assert!(held(&stage, "stat"));
    upload.cancel();
    assert!(!upload.wait(None).unwrap().verified);
    stage.assert_object_is(&file);
}

#[test]
fn a_back_off_is_not_kept_waiting_by_a_later_moment() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_finish","times":2,"action":{"status":500,"code":-195}}"#);
    let upload = stage.upload(&stage.client(), &file);
    let deadline = Some(Duration::from_secs(60));
    upload.set_options(|options| options.deadline = deadline).unwrap();
    let began = Instant::now();
    upload.run(None).unwrap();
    assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
}

#[test]
fn a_deadline_ends_requests_that_hang() {
    for connections in [1, 8] {
        let stage = Stage::new();
        let file = stage.file(12 * MIB, 1);
        stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"hang":"before"}}"#);
        let config = ClientConfig {
            connections: connections.into(),
            ..stage.config()
        };
        let upload = stage.upload(&Client::new(config).unwrap(), &file);
        let deadline = Some(Duration::from_secs(1));
        upload.set_options(|options| options.deadline = deadline).unwrap();
        let began = Instant::now();
        assert_eq!(upload.run(None).unwrap_err().status, Status::Deadline);
        assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
    }
}

#[test]
fn waiting_has_its_limit_even_while_the_last_callback_runs() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    let upload = stage.upload(&stage.client(), &file);
    let (go_on, wait_for_it) = std::sync::mpsc::channel::<()>();
    upload
        .start(Some(Box::new(move |progress| {
            if progress.phase == Phase::Done {
                let _ = wait_for_it.recv();
            }
            0
        })))
        .unwrap();
    let short = Some(Duration::from_millis(300));
    assert_eq!(upload.wait(short).unwrap_err().status, Status::StillRunning);
    go_on.send(()).unwrap();
    upload.wait(None).unwrap();
}

#[test]
fn cancel_before_run_is_kept_for_that_run_and_for_no_other() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    let upload = stage.upload(&stage.client(), &file);
    upload.cancel();
    upload.cancel();
    assert_eq!(upload.run(None).unwrap_err().status, Status::Cancelled);
    assert!(stage.emulator.requests().is_empty());
    upload.run(None).unwrap();
}

#[test]
fn cancelling_one_upload_leaves_the_others_of_its_client_alone() {
    let stage = Stage::new();
    let client = stage.client();
    let file = stage.file(8 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_data","nth":1,"action":{"hang":"before"}}"#);
    let first = stage.upload(&client, &file);
    first.start(None).unwrap();
    assert!(held(&stage, "upload_slice_data"));
    let second = client.upload("videos", "second").unwrap();
    second.set_file(&file).unwrap();
    second.start(None).unwrap();
    first.cancel();
    assert_eq!(first.wait(None).unwrap_err().status, Status::Cancelled);
    second.wait(None).unwrap();
}

#[test]
fn a_callback_that_returns_anything_but_0_stops_the_upload() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    let upload = stage.upload(&stage.client(), &file);
    let error = upload.run(Some(&mut |_: &Progress| 42)).unwrap_err();
    assert_eq!(
        (error.status, error.callback_value),
        (Status::AbortedByCallback, 42)
    );
    upload.run(None).unwrap();
}

#[test]
fn inside_a_callback_blocking_calls_say_that_they_are_not_allowed() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    let upload = Arc::new(stage.upload(&stage.client(), &file));
    let inner = upload.clone();
    let mut statuses = Vec::new();
    let mut call = |_: &Progress| {
        statuses.push(inner.run(None).unwrap_err().status);
        statuses.push(inner.wait(None).unwrap_err().status);
        inner.progress();
        0
    };
    upload.run(Some(&mut call)).unwrap();
    assert!(statuses.len() >= 2 && statuses.iter().all(|&status| status == Status::Busy));
}

#[test]
fn under_start_callbacks_come_one_at_a_time_from_another_thread_and_not_after_wait() {
    let stage = Stage::new();
    let file = stage.file(9 * MIB, 1);
    let upload = stage.upload(&stage.client(), &file);
    let (calls, inside) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let caller = std::thread::current().id();
    let (counted, guard) = (calls.clone(), inside.clone());
    upload
        .start(Some(Box::new(move |progress| {
            assert!(!guard.swap(true, Ordering::SeqCst), "two calls at once");
            assert_ne!(std::thread::current().id(), caller);
            assert!(progress.acknowledged <= progress.total);
            counted.fetch_add(1, Ordering::SeqCst);
            guard.store(false, Ordering::SeqCst);
            0
        })))
        .unwrap();
    upload.wait(None).unwrap();
    let after = calls.load(Ordering::SeqCst);
    assert!(after >= 1);
    drop(upload);
    assert_eq!(calls.load(Ordering::SeqCst), after);
}

#[test]
fn wait_tells_when_the_time_was_too_short_and_the_result_as_often_as_asked() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    let upload = stage.upload(&stage.client(), &file);
    assert_eq!(upload.wait(None).unwrap_err().status, Status::NotStarted);
    stage.fault(r#"{"operation":"upload_slice_init","times":0,"action":{"hang":"before"}}"#);
    upload.start(None).unwrap();
    assert_eq!(upload.start(None).unwrap_err().status, Status::Busy);
    assert_eq!(
        upload.wait(Some(Duration::from_millis(20))).unwrap_err().status,
        Status::StillRunning
    );
    stage.emulator.clear_faults();
    upload.cancel();
    for _ in 0..2 {
        assert_eq!(upload.wait(None).unwrap_err().status, Status::Cancelled);
    }
}

#[test]
fn handles_may_go_in_any_order_while_an_upload_runs() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"hang":"before"}}"#);
    let client = stage.client();
    let upload = stage.upload(&client, &file);
    upload.start(Some(Box::new(|_| 0))).unwrap();
    assert!(held(&stage, "upload_slice_data"));
    drop(client);
    let began = Instant::now();
    drop(upload);
    assert!(began.elapsed() < PROMPT);
}

#[test]
fn an_upload_may_be_dropped_inside_its_own_callback() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_init","times":0,"action":{"hang":"before"}}"#);
    let slot = Arc::new(std::sync::Mutex::new(None));
    let (done, dropped) = std::sync::mpsc::channel();
    let upload = stage.upload(&stage.client(), &file);
    let held_in = slot.clone();
    let mut guard = slot.lock().unwrap();
    upload
        .start(Some(Box::new(move |_| {
            if let Some(upload) = held_in.lock().unwrap().take() {
                drop::<cos_slice::engine::handle::Upload>(upload);
                done.send(()).unwrap();
            }
            0
        })))
        .unwrap();
    *guard = Some(upload);
    drop(guard);
    dropped.recv_timeout(Duration::from_secs(30)).unwrap();
}

#[test]
fn a_callback_that_panics_stops_its_upload_and_nothing_else() {
    let stage = Stage::new();
    let client = stage.client();
    let file = stage.file(3 * MIB, 1);
    let upload = stage.upload(&client, &file);
    stage.fault(r#"{"operation":"upload_slice_init","times":0,"action":{"hang":"before"}}"#);
    upload
        .start(Some(Box::new(|_| panic!("the callback's own defect"))))
        .unwrap();
    assert_eq!(upload.wait(None).unwrap_err().status, Status::AbortedByCallback);
    stage.emulator.clear_faults();
    upload.start(Some(Box::new(|_| 0))).unwrap();
    upload.wait(None).unwrap();

    let running = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = stage
            .upload(&client, &file)
            .run(Some(&mut |_: &Progress| panic!("and another")));
    }));
    assert!(running.is_err());
    stage.upload(&client, &file).run(None).unwrap();
}
