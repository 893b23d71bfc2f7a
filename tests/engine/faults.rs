//! Faults of the server and the network: intact success, or a true error.

use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::support::{MIB, Stage};

/// Each of these happens once, to the first request of the operation; the upload succeeds all the same.
const SURVIVED: &[&str] = &[
    r#"{"status":500,"code":-195}"#,
    r#"{"status":503,"code":-5997}"#,
    r#"{"status":503,"code":-71}"#,
    r#"{"reset":"before"}"#,
    r#"{"reset":"headers"}"#,
    r#"{"reset":"after_effect"}"#,
    r#"{"reset":"mid_answer"}"#,
    r#"{"close":"before"}"#,
    r#"{"close":"after_effect"}"#,
    r#"{"close":"mid_answer"}"#,
    r#"{"lost_answer":true}"#,
    r#"{"raw":{"status":200,"content_type":"text/html","body":"<html><title>Portal</title></html>"}}"#,
    r#"{"raw":{"status":200,"content_type":"application/json","body":""}}"#,
    r#"{"raw":{"status":200,"content_type":"application/json","body":"{\"code\":\"zero\",\"data\":7}"}}"#,
    r#"{"raw":{"status":502,"content_type":"text/html","body":"<html>Bad Gateway</html>"},"after_effect":true}"#,
    r#"{"truncate":9}"#,
    r#"{"expired":true}"#,
    r#"{"delay_ms":50}"#,
];

#[test]
fn a_single_fault_at_any_operation_does_no_harm() {
    for operation in [
        "upload_slice_init",
        "upload_slice_data",
        "upload_slice_finish",
        "stat",
    ] {
        for action in SURVIVED {
            let stage = Stage::new();
            let file = stage.file(2 * MIB + 5, 1);
            stage.fault(&format!(r#"{{"operation":"{operation}","action":{action}}}"#));
            let object = stage.upload(&stage.client(), &file).run(None);
            let object = object.unwrap_or_else(|error| panic!("{operation} {action}: {error}"));
            assert_eq!(object.outcome, Outcome::Uploaded, "{operation} {action}");
            assert!(object.verified, "{operation} {action}");
            assert!(
                stage.emulator.unused_faults().is_empty(),
                "{operation} {action} did not happen"
            );
            stage.assert_object_is(&file);
        }
    }
}

#[test]
fn a_fault_in_the_middle_of_a_slices_body_does_no_harm() {
    for action in [r#"{"reset":"during_body"}"#, r#"{"close":"during_body"}"#] {
        let stage = Stage::new();
        let file = stage.file(3 * MIB, 1);
        stage.fault(&format!(
            r#"{{"operation":"upload_slice_data","times":3,"action":{action}}}"#
        ));
        stage
            .upload(&stage.client(), &file)
            .run(None)
            .unwrap_or_else(|error| panic!("{action}: {error}"));
        stage.assert_object_is(&file);
    }
}

#[test]
fn every_slice_failing_once_does_no_harm() {
    for action in [
        r#"{"status":500,"code":-195}"#,
        r#"{"reset":"before"}"#,
        r#"{"lost_answer":true}"#,
        r#"{"truncate":4}"#,
    ] {
        let stage = Stage::new();
        let file = stage.file(21 * MIB, 1);
        for slice in 0..21 {
            let offset = slice * MIB;
            stage.fault(&format!(
                r#"{{"operation":"upload_slice_data","offset":{offset},"action":{action}}}"#
            ));
        }
        let object = stage.upload(&stage.client(), &file).run(None).unwrap();
        assert!(object.retries >= 21, "{action}: {} retries", object.retries);
        stage.assert_object_is(&file);
    }
}

#[test]
fn a_fifth_of_everything_failing_does_no_harm() {
    let stage = Stage::new();
    let file = stage.file(21 * MIB, 1);
    for action in [r#"{"status":500,"code":-195}"#, r#"{"lost_answer":true}"#] {
        stage.fault(&format!(
            r#"{{"operation":"*","probability":0.1,"times":0,"action":{action}}}"#
        ));
    }
    stage.upload(&stage.client(), &file).run(None).unwrap();
    stage.assert_object_is(&file);
}

#[test]
fn an_answer_before_the_body_is_sent_reaches_the_caller() {
    let stage = Stage::new();
    let file = stage.file(4 * MIB, 1);
    stage
        .fault(r#"{"operation":"upload_slice_data","times":0,"action":{"early":{"status":403,"code":-63}}}"#);
    let error = stage.upload(&stage.client(), &file).run(None).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::Credentials, Some(-63)),
        "{error}"
    );
}

#[test]
fn one_slice_that_always_fails_ends_in_a_clear_error() {
    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    stage.fault(
        r#"{"operation":"upload_slice_data","offset":3145728,"times":0,"action":{"status":500,"code":-195}}"#,
    );
    let error = stage.upload(&stage.client(), &file).run(None).unwrap_err();
    assert_eq!(
        (error.status, error.place.offset),
        (Status::ServerFailed, Some(3 * MIB)),
        "{error}"
    );
    assert_eq!((error.place.attempts, error.server_code), (10, Some(-195)));
    assert!(error.is_retryable());
    assert_eq!(stage.count("upload_slice_finish"), 0);
}

#[test]
fn an_html_page_in_place_of_the_service_is_named() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    let page =
        r#"{"raw":{"status":200,"content_type":"text/html","body":"<html><title>Login</title></html>"}}"#;
    stage.fault(&format!(r#"{{"operation":"*","times":0,"action":{page}}}"#));
    let error = stage.upload(&stage.client(), &file).run(None).unwrap_err();
    assert_eq!(error.status, Status::BadReply, "{error}");
    assert!(
        error.message.contains("HTML") && error.message.contains("endpoint"),
        "{error}"
    );
    assert_eq!(
        error.place.attempts, 4,
        "somebody else's page is no answer of the service"
    );
}

#[test]
fn the_servers_choices_are_obeyed() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_init","action":{"replace":{"data.serial_upload":1}}}"#);
    let upload = stage.upload(&stage.client(), &file);
    upload
        .set_options(|options| options.slice_size = MIB / 2)
        .unwrap();
    upload.run(None).unwrap();
    assert_eq!(
        stage.stored_offsets(),
        (0..6).map(|slice| slice * MIB / 2).collect::<Vec<_>>()
    );
}

#[test]
fn a_session_lost_on_the_way_is_begun_anew() {
    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_data","nth":6,"action":{"drop_session":true}}"#);
    stage.upload(&stage.client(), &file).run(None).unwrap();
    stage.assert_object_is(&file);

    let stage = Stage::new();
    let file = stage.file(12 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_data","nth":6,"action":{"rotate_session":true}}"#);
    stage.upload(&stage.client(), &file).run(None).unwrap();
    stage.assert_object_is(&file);
}

#[test]
fn a_file_that_shrinks_or_changes_during_the_upload_is_an_error_and_no_object() {
    for shrink in [true, false] {
        let stage = Stage::new();
        let file = stage.file(6 * MIB, 1);
        stage.fault(r#"{"operation":"upload_slice_data","nth":1,"action":{"hang":"before"}}"#);
        let mut config = stage.config();
        config.connections = 1;
        config.timeouts.answer = std::time::Duration::from_millis(300);
        let client = cos_slice::engine::client::Client::new(config).unwrap();
        let upload = stage.upload(&client, &file);
        upload.start(None).unwrap();
        let one_slice = |requests: &[cos_emulator::RequestRecord]| {
            requests
                .iter()
                .any(|request| request.operation.as_deref() == Some("upload_slice_data"))
        };
        assert!(
            stage
                .emulator
                .wait_for_requests(one_slice, std::time::Duration::from_secs(30))
        );
        let handle = std::fs::OpenOptions::new().write(true).open(&file).unwrap();
        if shrink {
            handle.set_len(2 * MIB).unwrap();
        } else {
            std::os::unix::fs::FileExt::write_all_at(&handle, b"changed", 5 * MIB).unwrap();
        }
        let error = upload.wait(None).unwrap_err();
        assert_eq!(error.status, Status::SourceChanged, "{error}");
        assert!(
            stage
                .emulator
                .object(crate::support::BUCKET, crate::support::PATH)
                .is_err()
        );
    }
}
