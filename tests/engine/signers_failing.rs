//! Signers that say nothing of use: what the upload ends with, and that another run resumes.

use std::sync::{Arc, Mutex};

use cos_slice::engine::client::Client;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;
use zeroize::Zeroizing;

use crate::app_server::{AppServer, client, config, refused, sign_at, sign_for, upload_to};
use crate::support::{MIB, PATH, Stage};

#[test]
fn a_signer_that_fails_ends_the_upload_with_its_words_and_another_run_resumes() {
    let long = format!("a line\r\nend, and {}", "x".repeat(1000));
    for (answer, status, told) in [
        (
            Err("the licence has expired".to_owned()),
            Status::Signer,
            "the signer failed: the licence has expired",
        ),
        (Err(long), Status::Signer, "a line\\r\\nend, and xxx"),
        (Ok(String::new()), Status::Signer, "it is empty"),
        (Ok("planted\n".to_owned()), Status::Signer, "a line end at byte 7"),
        (Ok("planted".repeat(2000)), Status::Signer, "it has 14000 bytes"),
        (Err("panic".to_owned()), Status::Panic, "the signer panicked"),
    ] {
        let stage = Stage::new();
        let failing = Arc::new(Mutex::new(false));
        let fails = failing.clone();
        let server = AppServer::new(move |request| {
            if !*fails.lock().unwrap() {
                return sign_for(30)(request);
            }
            *fails.lock().unwrap() = false;
            match answer.clone() {
                Err(text) if text == "panic" => panic!("a panic that the test wants"),
                answer => answer.map(Zeroizing::new),
            }
        });
        let mut config = config(&stage, &server);
        config.connections = 1.into();
        let upload = upload_to(&Client::new(config).unwrap(), PATH, 6 * MIB);
        // The service waits with the third slice until the signer is out of order.
        stage.fault(
            r#"{"operation":"upload_slice_data","nth":3,"times":0,"action":{"status":400,"code":-5999}}"#,
        );
        upload.run(None).unwrap_err();
        stage.emulator.clear_faults();
        *failing.lock().unwrap() = true;
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, status, "{error}");
        assert!(error.message.contains(told), "{error}");
        assert!(
            !error.message.contains("planted") && !error.message.contains(char::is_control),
            "{error}"
        );
        assert!(error.message.len() < 700, "{error}");
        assert_eq!(error.is_retryable(), status == Status::Signer);
        let object = upload.run(None).unwrap();
        assert_eq!(
            (object.outcome, object.bytes_resumed),
            (Outcome::Resumed, 2 * MIB),
            "{told}"
        );
    }
}

#[test]
fn a_string_that_has_expired_is_the_signers_failure_once_the_servers_time_is_known() {
    let stage = Stage::new();
    let server = AppServer::new(sign_at(-1000, 100));
    let upload = upload_to(&client(&stage, &server), PATH, MIB);
    for run in 1..=2 {
        let error = upload.run(None).unwrap_err();
        assert_eq!(error.status, Status::Signer, "{error}");
        assert!(error.message.contains("expired 90"), "{error}");
        // The first time this machine's clock might have been wrong, so the server was left to judge.
        assert_eq!(
            (server.count(), refused(&stage)),
            (1 + run, vec![-59]),
            "run {run}"
        );
    }
}
