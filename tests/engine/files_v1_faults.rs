//! What goes wrong in uploads by `files/v1`: intact success, or a clear error where success is impossible. Every fault at
//! every request is in `tests/faults`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::source::{Identity, MemorySource, Source};
use cos_slice::protocol::Api;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

const SLICE: u64 = MIB / 2;
const SLICES: u64 = 4;
const SIZE: u64 = (SLICES - 1) * SLICE + 4_321;
const LAST: u64 = (SLICES - 1) * SLICE;

/// Ends what would go on for ever.
const HANG_GUARD: Duration = Duration::from_secs(60);

fn rule(operation: &str, offset: Option<u64>, action: &str) -> String {
    let offset = offset.map_or_else(String::new, |offset| format!(r#""offset":{offset},"#));
    format!(r#"{{"operation":"{operation}",{offset}"action":{action}}}"#)
}

/// Uploads a file under these switches and rules.
fn upload_under(switches: &[(&str, &str)], rules: &[String]) -> (Stage, Result<Object, Error>) {
    let stage = Stage::new();
    for (name, value) in switches {
        stage.emulator.set(name, value).unwrap();
    }
    rules.iter().for_each(|rule| stage.fault(rule));
    let file = stage.file(SIZE, 1);
    let mut config = ClientConfig {
        api: Api::FilesV1,
        ..stage.config()
    };
    config.timeouts.answer = Duration::from_secs(1);
    let upload = stage.upload(&Client::new(config).unwrap(), &file);
    upload
        .set_options(|options| (options.slice_size, options.deadline) = (SLICE, Some(HANG_GUARD)))
        .unwrap();
    let result = upload.run(None);
    if result.is_ok() {
        stage.assert_object_is(&file);
    } else {
        assert!(stage.emulator.object(BUCKET, PATH).is_err());
    }
    (stage, result)
}

fn assert_survived(name: &str, rule: String) -> Stage {
    let (stage, result) = upload_under(&[], &[rule]);
    let object = result.unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(object.verified, "{name}");
    assert!(stage.emulator.unused_faults().is_empty(), "{name} did not happen");
    stage
}

#[test]
fn any_request_that_fails_once_in_any_way_is_survived() {
    let requests = [
        ("v1_control", None),
        ("v1_data", Some(0)),
        ("v1_data", Some(SLICE)),
        ("v1_data", Some(LAST)),
    ];
    for (name, action) in [
        ("refused", r#"{"status":500,"code":-195}"#),
        ("executed, the answer lost", r#"{"lost_answer":true}"#),
        ("never executed", r#"{"close":"before"}"#),
        ("reset", r#"{"reset":"during_body"}"#),
        ("late", r#"{"delay_ms":300}"#),
        ("too late", r#"{"hang":"after_effect"}"#),
        ("early", r#"{"early":{"status":503,"code":-5997}}"#),
        ("truncated", r#"{"truncate":30}"#),
        (
            "no JSON",
            r#"{"raw":{"status":200,"body":"<html><title>Hotel</title></html>"}}"#,
        ),
        (
            "executed, and no JSON",
            r#"{"raw":{"status":200,"body":"<html>"},"after_effect":true}"#,
        ),
        (
            "JSON of wrong types",
            r#"{"raw":{"status":200,"body":"{\"code\":[],\"data\":3}"}}"#,
        ),
        ("-97", r#"{"status":403,"code":-97}"#),
    ] {
        for (operation, offset) in requests {
            assert_survived(
                &format!("{operation} {offset:?} {name}"),
                rule(operation, offset, action),
            );
        }
    }
}

#[test]
fn refusals_of_a_slice_that_ask_for_the_offset_get_it_asked_for() {
    for code in [-4024, -4015, -4005, -4019, -290] {
        for offset in [0, SLICE, LAST] {
            let action = format!(r#"{{"status":409,"code":{code}}}"#);
            let stage = assert_survived(
                &format!("{code} at {offset}"),
                rule("v1_data", Some(offset), &action),
            );
            assert_eq!(stage.count("v1_control"), 2, "{code} at {offset}");
            assert_eq!(stage.stored_offsets(), [0, SLICE, 2 * SLICE, LAST]);
        }
    }
}

#[test]
fn refusals_of_a_slice_that_never_end_end_the_upload() {
    for (code, status) in [
        (-4024, Status::ServerFailed),
        (-4015, Status::ServerFailed),
        (-4005, Status::ServerFailed),
        (-4019, Status::ServerFailed),
        (-290, Status::ServerFailed),
        (-195, Status::ServerFailed),
        (-97, Status::Credentials),
    ] {
        let rule = format!(
            r#"{{"operation":"v1_data","offset":{SLICE},"times":0,"action":{{"status":409,"code":{code}}}}}"#
        );
        let (stage, result) = upload_under(&[], &[rule]);
        let error = result.unwrap_err();
        assert_eq!(error.status, status, "{code}: {error}");
        assert!(stage.count("v1_data") <= 11, "{code}: {:?}", stage.requests());
    }
}

#[test]
fn the_last_slice_s_answer_is_settled_whether_it_had_its_effect_or_not() {
    for (action, sent) in [(r#"{"lost_answer":true}"#, 1), (r#"{"close":"before"}"#, 2)] {
        let stage = assert_survived(action, rule("v1_data", Some(LAST), action));
        let requests = stage.requests();
        let times = requests
            .iter()
            .filter(|(_, offset)| *offset == Some(LAST))
            .count();
        assert_eq!((times, stage.count("v1_control")), (sent, 2), "{action}");
    }
}

#[test]
fn where_the_last_slice_s_answer_can_not_be_settled_the_outcome_is_unknown() {
    let rules = [
        rule("v1_data", Some(LAST), r#"{"lost_answer":true}"#),
        r#"{"operation":"v1_control","nth":2,"times":0,"action":{"status":500,"code":-195}}"#.into(),
    ];
    let stage = Stage::new();
    rules.iter().for_each(|rule| stage.fault(rule));
    let file = stage.file(SIZE, 1);
    let upload = stage.upload_by_v1(&file);
    upload.set_options(|options| options.slice_size = SLICE).unwrap();
    assert_eq!(upload.run(None).unwrap_err().status, Status::OutcomeUnknown);
    stage.emulator.clear_faults();
    assert_eq!(upload.run(None).unwrap().outcome, Outcome::Instant);
    stage.assert_object_is(&file);
}

/// The server takes what it has already, and names the beginning again whenever it is asked.
#[test]
fn an_offset_that_never_advances_is_not_believed_for_ever() {
    let begins_again = r#"{"operation":"v1_control","times":0,"action":{"replace":{"data.offset":0}}}"#;
    for code in [-195, -4024, -4005, -4019] {
        for repeated in ["accept", "-4024", "-4015"] {
            let refused = format!(
                r#"{{"operation":"v1_data","offset":{},"times":0,"action":{{"status":409,"code":{code}}}}}"#,
                2 * SLICE
            );
            let switches = [("v1_repeated_offset", repeated)];
            let (stage, result) = upload_under(&switches, &[begins_again.into(), refused]);
            let error = result.unwrap_err();
            assert_eq!(error.status, Status::ServerFailed, "{code}, {repeated}: {error}");
            assert!(
                stage.count("v1_control") <= 20,
                "{code}, {repeated}: asked {} times",
                stage.count("v1_control")
            );
        }
    }
}

#[test]
fn an_offset_beyond_the_end_is_refused() {
    let beyond = format!(r#"{{"replace":{{"data.offset":{}}}}}"#, SIZE + 1);
    let (_stage, result) = upload_under(&[], &[rule("v1_control", None, &beyond)]);
    assert_eq!(result.unwrap_err().status, Status::BadReply);
}

#[test]
fn a_session_that_is_lost_on_the_way_is_begun_anew_whatever_the_server_says_to_it() {
    for stale in ["new", "-290"] {
        for resume in ["by_content", "by_session"] {
            for action in ["drop_session", "rotate_session"] {
                let rule = format!(
                    r#"{{"operation":"v1_data","offset":{},"action":{{"{action}":true}}}}"#,
                    2 * SLICE
                );
                let switches = [("v1_stale_session", stale), ("v1_resume", resume)];
                let (stage, result) = upload_under(&switches, &[rule]);
                let object = result.unwrap_or_else(|error| panic!("{stale}, {resume}, {action}: {error}"));
                assert_eq!(object.outcome, Outcome::Uploaded);
                assert!(stage.emulator.unused_faults().is_empty());
                assert!(stage.count("v1_data") <= 7, "{:?}", stage.requests());
            }
        }
    }
}

#[test]
fn slices_that_the_server_forgets_are_sent_again() {
    let rule = format!(r#"{{"operation":"v1_data","offset":{LAST},"action":{{"forget_slices":2}}}}"#);
    let (stage, result) = upload_under(&[], &[rule]);
    assert_eq!(result.unwrap().outcome, Outcome::Uploaded);
    assert_eq!(
        stage.stored_offsets(),
        [0, SLICE, 2 * SLICE, SLICE, 2 * SLICE, LAST]
    );
}

#[test]
fn a_signature_that_has_expired_is_made_anew() {
    for (operation, offset) in [("v1_control", None), ("v1_data", Some(SLICE))] {
        assert_survived(operation, rule(operation, offset, r#"{"expired":true}"#));
    }
}

/// Tells something else than it has, in the first readings that are sent.
struct Lying {
    truth: MemorySource,
    lies: AtomicU32,
}

impl Source for Lying {
    fn size(&self) -> u64 {
        self.truth.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.truth.read_at(offset, buffer)?;
        // The first reading of the second slice is the one that takes the digests.
        if offset == SLICE {
            let left = self
                .lies
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if left.is_ok_and(|left| left % 2 == 1) {
                buffer[0] ^= 1;
            }
        }
        Ok(count)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn content_that_arrived_wrong_is_sent_anew_once_and_then_refused() {
    for stale in ["new", "-290"] {
        for (lies, uploaded) in [(2, true), (4, false)] {
            let stage = Stage::new();
            stage.emulator.set("v1_stale_session", stale).unwrap();
            let bytes = content(SIZE, 1);
            let upload = stage.client_of(Api::FilesV1).upload(BUCKET, PATH).unwrap();
            upload
                .set_source(Arc::new(Lying {
                    truth: MemorySource::new(bytes.clone()),
                    lies: AtomicU32::new(lies),
                }))
                .unwrap();
            upload.set_options(|options| options.slice_size = SLICE).unwrap();
            match upload.run(None) {
                Ok(object) => {
                    assert!(uploaded && object.verified && stage.object() == bytes);
                    assert_eq!(object.outcome, Outcome::Uploaded);
                }
                Err(error) => {
                    assert!(!uploaded, "{error}");
                    assert_eq!(
                        (error.status, error.server_code),
                        (Status::ContentRejected, Some(-4016))
                    );
                }
            }
        }
    }
}
