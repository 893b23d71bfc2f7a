//! Kept connections that the server closes, and servers that are slow or gone.

use std::time::{Duration, Instant};

use cos_emulator::{Config, Emulator};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, Stage};

/// Long enough for any machine, short against the back-off and the limits of these tests.
const PROMPT: Duration = Duration::from_secs(60);

/// A client of one connection that all but never repeats a request in time, if it repeats with a back-off.
fn impatient(stage: &Stage) -> ClientConfig {
    let mut config = stage.config();
    config.connections = 1.into();
    (config.retry.first_delay, config.retry.longest_delay) = (PROMPT * 1000, PROMPT * 1000);
    config.retry.failing_for = PROMPT * 10_000;
    config
}

#[test]
fn connections_that_the_server_closed_between_two_uploads_cost_nothing() {
    let mut stage = Stage::new();
    let client = Client::new(ClientConfig {
        connections: 8.into(),
        ..impatient(&stage)
    })
    .unwrap();
    let file = stage.file(9 * MIB, 1);
    stage.upload(&client, &file).run(None).unwrap();

    let address = stage.emulator.address();
    stage.emulator.stop();
    let mut config = Config::new(stage.folder.path().join("data"));
    config.listen = address;
    stage.emulator = Emulator::start(config).expect("the same port");

    let upload = client.upload(BUCKET, "another/path").unwrap();
    upload.set_file(&file).unwrap();
    upload
        .set_options(|options| options.deadline = Some(PROMPT))
        .unwrap();
    let object = upload.run(None).unwrap();
    assert_eq!((object.outcome, object.retries), (Outcome::Uploaded, 0));
}

#[test]
fn a_kept_connection_that_breaks_under_a_request_costs_one_retry_without_a_wait() {
    for operation in ["upload_slice_data", "upload_slice_finish", "stat"] {
        for action in [
            r#"{"close":"before"}"#,
            r#"{"reset":"before"}"#,
            r#"{"close":"headers"}"#,
        ] {
            let stage = Stage::new();
            stage.fault(&format!(r#"{{"operation":"{operation}","action":{action}}}"#));
            // Short enough to be sent whole, whatever becomes of the connection.
            let file = stage.file(1000, 1);
            let upload = stage.upload(&Client::new(impatient(&stage)).unwrap(), &file);
            upload
                .set_options(|options| options.deadline = Some(PROMPT))
                .unwrap();
            let object = upload
                .run(None)
                .unwrap_or_else(|error| panic!("{operation} {action}: {error}"));
            assert_eq!(
                (object.retries, object.verified),
                (1, true),
                "{operation} {action}"
            );
            assert_eq!(stage.count(operation), 2, "{operation} {action}");
            stage.assert_object_is(&file);
        }
    }
}

#[test]
fn a_server_that_always_closes_is_not_retried_in_silence_for_ever() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"close":"before"}}"#);
    let mut config = stage.config();
    config.connections = 1.into();
    let upload = stage.upload(&Client::new(config).unwrap(), &stage.file(1000, 1));
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::ConnectionLost, "{error}");
    assert_eq!(
        error.place.attempts, 11,
        "ten, and the one on the kept connection: {error}"
    );
    assert_eq!(stage.count("upload_slice_data"), 11);
}

#[test]
fn a_link_far_slower_than_the_limits_uploads_all_the_same() {
    // Long beside the half second in which such a receiver makes room again, and what a busy machine adds to that.
    const LIMIT: Duration = Duration::from_secs(3);
    let stage = Stage::new();
    // The slice of 3 MiB takes about twelve seconds.
    let speed = MIB / 4;
    stage.fault(&format!(
        r#"{{"operation":"upload_slice_data","times":0,"action":{{"slow_read_bytes_per_second":{speed}}}}}"#
    ));
    let mut config = stage.config();
    (config.timeouts.stall, config.timeouts.answer) = (LIMIT, LIMIT);
    let file = stage.file(3 * MIB, 1);
    let begun = Instant::now();
    let upload = stage.upload(&Client::new(config).unwrap(), &file);
    upload
        .set_options(|options| (options.hash, options.slice_size) = (false, 3 << 20))
        .unwrap();
    let object = upload.run(None).unwrap();
    assert!(begun.elapsed() > 3 * LIMIT, "{:?}", begun.elapsed());
    assert_eq!(object.retries, 0);
    stage.assert_object_is(&file);
}

#[test]
fn a_finish_has_a_limit_of_its_own() {
    let stage = Stage::new();
    let file = stage.file(1000, 1);
    let slow = |operation: &str| {
        stage.fault(&format!(
            r#"{{"operation":"{operation}","action":{{"delay_ms":1000}}}}"#
        ));
    };
    let mut config = stage.config();
    (config.timeouts.answer, config.timeouts.finish_answer) = (Duration::from_millis(250), PROMPT);
    slow("upload_slice_finish");
    let object = stage
        .upload(&Client::new(config.clone()).unwrap(), &file)
        .run(None)
        .unwrap();
    assert_eq!((object.outcome, object.retries), (Outcome::Uploaded, 0));

    (config.timeouts.answer, config.timeouts.finish_answer) = (PROMPT, Duration::from_millis(250));
    slow("upload_slice_finish");
    let upload = Client::new(config).unwrap().upload(BUCKET, "other").unwrap();
    upload.set_file(&file).unwrap();
    let object = upload.run(None).unwrap();
    assert!(object.retries > 0, "the limit ended the first finish");
}
