//! Answers of the server that ask for more than a repetition. Every fault at every request is in `tests/faults`.

use cos_slice::upload::status::Status;

use crate::support::{MIB, Stage};

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
