//! A client whose clock is wrong. It is the emulator's that is set here: only the difference counts.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, SystemTime};

use cos_emulator::RequestRecord;
use cos_slice::engine::client::{Client, Inspection};
use cos_slice::engine::source::{CallbackSource, Source};
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::progress::Progress;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// A server that takes signatures neither after their time nor more than 5 minutes before it, and a client whose clock is
/// so many seconds ahead of the server's.
fn stage(client_ahead: i64) -> Stage {
    let stage = Stage::new();
    stage.emulator.set("clock_skew", "300").unwrap();
    set_ahead(&stage, client_ahead);
    stage
}

fn set_ahead(stage: &Stage, client_ahead: i64) {
    let offset = (-client_ahead).to_string();
    stage.emulator.set("clock_offset", &offset).unwrap();
}

fn refused(stage: &Stage) -> Vec<i64> {
    let requests = stage.emulator.requests();
    let code = |request: &RequestRecord| request.code.filter(|code| [-59, -96, -97].contains(code));
    requests.iter().filter_map(code).collect()
}

#[test]
fn a_wrong_clock_costs_one_refused_request_and_no_waiting() {
    for (ahead, expired_code, told) in [
        (HOUR, "-59", -97),
        (-HOUR, "-59", -59),
        (-HOUR, "-96", -96),
        (DAY, "-59", -97),
        (-DAY, "-59", -59),
    ] {
        let stage = stage(ahead);
        stage.emulator.set("expired_code", expired_code).unwrap();
        let (client, file) = (stage.client(), stage.file(3 * MIB, 1));
        let upload = stage.upload(&client, &file);
        let object = upload
            .run(None)
            .unwrap_or_else(|error| panic!("{ahead}: {error}"));
        assert_eq!(
            (object.outcome, object.verified, object.retries),
            (Outcome::Uploaded, true, 1),
            "{ahead}"
        );
        stage.assert_object_is(&file);
        let again = stage.upload(&client, &file).run(None).unwrap();
        assert_eq!(again.outcome, Outcome::Instant);
        assert_eq!(
            refused(&stage),
            [told],
            "{ahead}: once for the client, whatever it uploads"
        );
    }
}

#[test]
fn the_operations_beside_uploads_are_corrected_too() {
    let stage = stage(-HOUR);
    assert!(matches!(
        stage.client().inspect(BUCKET, PATH).unwrap(),
        Inspection::None
    ));
    assert_eq!(refused(&stage), [-59]);
}

#[test]
fn uploads_that_begin_together_have_a_refused_request_each_at_most() {
    let stage = stage(HOUR);
    let (client, file) = (stage.client(), stage.file(MIB / 4, 1));
    let uploads: Vec<_> = (0..30)
        .map(|number| {
            let upload = client.upload(BUCKET, &format!("many/{number}")).unwrap();
            upload.set_file(&file).unwrap();
            upload.start(None).unwrap();
            upload
        })
        .collect();
    for upload in &uploads {
        upload.wait(None).unwrap();
    }
    let refused = refused(&stage).len();
    assert!(
        (1..=8).contains(&refused),
        "{refused} refusals of 8 requests that can be in flight before the first answer"
    );
}

/// Bytes of which the last slices are not to be had before something has happened.
fn source_that_waits(happened: &Arc<(Mutex<bool>, Condvar)>) -> Arc<dyn Source> {
    let happened = happened.clone();
    Arc::new(CallbackSource::new(10 * MIB, move |offset, buffer| {
        if offset >= 8 * MIB {
            let (happened, changed) = &*happened;
            let waited = changed.wait_while(happened.lock().unwrap(), |happened| !*happened);
            drop(waited.unwrap());
        }
        let left = usize::try_from(10 * MIB - offset).unwrap();
        let size = buffer.len().min(left);
        buffer[..size].fill(7);
        Ok(size)
    }))
}

#[test]
fn a_clock_that_jumps_in_the_middle_of_an_upload_does_no_harm() {
    let stage = stage(0);
    let client = stage.client();
    for (number, ahead) in [-HOUR, HOUR, -DAY].into_iter().enumerate() {
        stage.emulator.clear_requests();
        let jumped = Arc::new((Mutex::new(false), Condvar::new()));
        let mut jump = |progress: &Progress| {
            if progress.acknowledged > 0 {
                set_ahead(&stage, ahead);
                *jumped.0.lock().unwrap() = true;
                jumped.1.notify_all();
            }
            0
        };
        let upload = client.upload(BUCKET, &format!("jump/{number}")).unwrap();
        upload.set_source(source_that_waits(&jumped)).unwrap();
        // Taking the SHA-1 would read to the end before anything is sent.
        upload.set_options(|options| options.hash = false).unwrap();
        let object = upload.run(Some(&mut jump)).unwrap();
        assert!(object.verified);
        let refused = refused(&stage).len();
        assert!(
            (1..=8).contains(&refused),
            "{refused} refusals, and 8 requests can be in flight at the jump"
        );
    }
}

#[test]
fn a_wrong_key_is_not_taken_for_a_wrong_clock_and_with_both_wrong_the_clock_is_told() {
    for (ahead, tells_clocks) in [(0, false), (HOUR, true), (-DAY, true)] {
        let stage = stage(ahead);
        let mut config = stage.config();
        config.signer = SecretKey::new("1251668577", "AKIDtest", "not-the-key")
            .unwrap()
            .into();
        let client = Client::new(config).unwrap();
        let upload = stage.upload(&client, &stage.file(MIB, 1));
        for run in 1..=2 {
            let error = upload.run(None).unwrap_err();
            assert_eq!(
                (error.status, error.server_code),
                (Status::Credentials, Some(-97)),
                "{error}"
            );
            assert_eq!(
                error.message.contains("this machine's clock says"),
                tells_clocks,
                "{error}"
            );
            if tells_clocks {
                let direction = if ahead > 0 { "s ahead" } else { "s behind" };
                assert!(error.message.contains(direction), "{error}");
            }
            assert_eq!(refused(&stage), vec![-97; 2 * run], "no loop");
        }
    }
}

#[test]
fn a_date_that_says_nothing_or_something_absurd_corrects_nothing() {
    for (date, tells_clocks) in [
        ("", false),
        ("yesterday", false),
        ("Sun Nov  6 08:49:37 1994", false),
        ("Sun, 06 Nov 1994 08:49:37 GMT", true),
        ("Fri, 31 Dec 9999 23:59:59 GMT", true),
        ("Sat, 99 Nov 2026 08:49:37 GMT", false),
    ] {
        let stage = Stage::new();
        stage.fault(&format!(
            r#"{{"operation":"*","times":0,"action":{{"status":403,"code":-59,"headers":{{"Date":"{date}"}}}}}}"#
        ));
        let client = stage.client();
        let bytes = content(MIB, 1);
        let file = stage.folder.path().join("file");
        std::fs::write(&file, bytes).unwrap();
        let error = stage.upload(&client, &file).run(None).unwrap_err();
        assert_eq!(
            (error.status, error.server_code),
            (Status::Credentials, Some(-59)),
            "{date:?}: {error}"
        );
        assert_eq!(stage.count("upload_slice_init"), 2, "{date:?}");
        assert_eq!(
            error.message.contains("this machine's clock says"),
            tells_clocks,
            "{date:?}: {error}"
        );

        // And the client signs by its own clock as before.
        stage.emulator.clear_faults();
        stage.emulator.clear_requests();
        stage.upload(&client, &file).run(None).unwrap();
        assert!(refused(&stage).is_empty(), "{date:?}");
    }
}

/// Each `Date` is less than a week from what the client signed by before, but not from the machine's clock.
#[test]
fn false_dates_one_after_the_other_lead_no_further_than_a_week_from_the_machines_clock() {
    const WEEK: u64 = 7 * DAY as u64;
    let stage = Stage::new();
    let (client, file) = (stage.client(), stage.file(MIB, 1));
    let now = || {
        SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap()
            .as_secs()
    };
    for days in [6, 12, 18, 24] {
        let ahead = Duration::from_secs(days * DAY as u64);
        let date = httpdate::fmt_http_date(SystemTime::now() + ahead);
        stage.fault(&format!(
            r#"{{"operation":"*","times":0,"action":{{"status":403,"code":-59,"headers":{{"Date":"{date}"}}}}}}"#
        ));
        let error = stage.upload(&client, &file).run(None).unwrap_err();
        assert_eq!(error.status, Status::Credentials, "{error}");
        stage.emulator.clear_faults();
    }
    let requests = stage.emulator.requests();
    let signed = requests.iter().flat_map(|request| &request.signature);
    let times: Vec<u64> = signed
        .filter(|(name, _)| name == "t")
        .map(|(_, time)| time.parse().unwrap())
        .collect();
    assert!(times.len() >= 8, "{times:?}");
    assert!(
        times[1] > now() + 5 * DAY as u64,
        "the first is followed: {times:?}"
    );
    assert!(times.iter().all(|time| *time <= now() + WEEK), "{times:?}");
}
