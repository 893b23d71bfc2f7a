//! What happens to uploads in the world, one after the other: each ends in intact success, or in a clear error where
//! success is impossible.

use std::net::Ipv4Addr;
use std::time::Duration;

use cos_emulator::{Config, Emulator};
use cos_slice::engine::client::Client;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::options::RetryPolicy;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage};

const SLICES: u64 = 12;
const SIZE: u64 = (SLICES - 1) * MIB + 4_321;

/// Uploads a file under these fault rules, with hashing or without.
fn upload_under(rules: &[String], hash: bool) -> (Stage, Result<Object, Error>) {
    let stage = Stage::new();
    let file = stage.file(SIZE, 1);
    rules.iter().for_each(|rule| stage.fault(rule));
    let upload = stage.upload(&stage.client(), &file);
    upload.set_options(|options| options.hash = hash).unwrap();
    let result = upload.run(None);
    if result.is_ok() {
        stage.assert_object_is(&file);
    }
    (stage, result)
}

fn assert_survived(name: &str, rules: &[String]) {
    for hash in [true, false] {
        let (stage, result) = upload_under(rules, hash);
        let object = result.unwrap_or_else(|error| panic!("{name}, hash {hash}: {error}"));
        assert!(object.verified, "{name}, hash {hash}");
        let unused = stage.emulator.unused_faults();
        assert!(
            unused.is_empty(),
            "{name}, hash {hash}: {unused:?} did not happen"
        );
    }
}

#[test]
fn each_slice_failing_once_in_any_way_is_survived() {
    for (name, action) in [
        ("HTTP 500", r#"{"status":500,"code":-195}"#),
        ("reset", r#"{"reset":"during_body"}"#),
        ("stored but the answer lost", r#"{"lost_answer":true}"#),
        ("-5997", r#"{"status":503,"code":-5997}"#),
        (
            "200 with HTML",
            r#"{"raw":{"status":200,"body":"<html><title>Hotel</title></html>"}}"#,
        ),
        (
            "truncated JSON",
            r#"{"raw":{"status":200,"body":"{\"code\":0,\"data\":{\"off"},"after_effect":true}"#,
        ),
        (
            "JSON of wrong types",
            r#"{"raw":{"status":200,"body":"{\"code\":[],\"data\":3}"}}"#,
        ),
    ] {
        let rule = |slice| {
            let offset = slice * MIB;
            format!(r#"{{"operation":"upload_slice_data","offset":{offset},"action":{action}}}"#)
        };
        assert_survived(name, &(0..SLICES).map(rule).collect::<Vec<_>>());
    }
}

#[test]
fn init_and_finish_failing_or_losing_their_answer_once_are_survived() {
    for operation in ["upload_slice_init", "upload_slice_finish"] {
        for action in [r#"{"status":500,"code":-195}"#, r#"{"lost_answer":true}"#] {
            let rule = format!(r#"{{"operation":"{operation}","action":{action}}}"#);
            assert_survived(&rule.clone(), &[rule]);
        }
    }
}

#[test]
fn a_tenth_of_the_slices_failing_and_a_fifth_of_everything_failing_in_mixed_ways_are_survived() {
    let tenth = r#"{"operation":"upload_slice_data","probability":0.1,"times":0,"action":{"status":500,"code":-195}}"#;
    let mixed = [
        r#"{"status":500,"code":-195}"#,
        r#"{"reset":"during_body"}"#,
        r#"{"lost_answer":true}"#,
        r#"{"raw":{"status":200,"body":"<html>"}}"#,
    ]
    .map(|action| format!(r#"{{"operation":"*","probability":0.05,"times":0,"action":{action}}}"#));
    for (name, rules) in [("10 %", &[tenth.to_owned()][..]), ("20 %", &mixed)] {
        for hash in [true, false] {
            let (_stage, result) = upload_under(rules, hash);
            result.unwrap_or_else(|error| panic!("{name}, hash {hash}: {error}"));
        }
    }
}

#[test]
fn one_slice_that_always_fails_ends_in_an_error_that_names_it_and_the_rest_is_kept() {
    let offset = 3 * MIB;
    let rule = format!(
        r#"{{"operation":"upload_slice_data","offset":{offset},"times":0,"action":{{"status":500,"code":-195}}}}"#
    );
    let (stage, result) = upload_under(&[rule], true);
    let error = result.unwrap_err();
    assert_eq!(
        (
            error.status,
            error.place.offset,
            error.place.attempts,
            error.server_code
        ),
        (Status::ServerFailed, Some(offset), 10, Some(-195)),
        "{error}"
    );
    assert!(
        error.message.contains("offset 3145728") && error.is_retryable(),
        "{error}"
    );
    assert_eq!(stage.count("upload_slice_finish"), 0);
    assert!(stage.emulator.object(BUCKET, PATH).is_err());

    stage.emulator.clear_faults();
    let file = stage.file(SIZE, 1);
    let object = stage.upload(&stage.client(), &file).run(None).unwrap();
    assert_eq!(object.outcome, Outcome::Resumed);
    stage.assert_object_is(&file);
}

/// The server is stopped, its port closed, and started again on its folder.
#[test]
fn a_server_that_is_dead_for_three_seconds_is_outlived_without_sending_again_what_it_has() {
    // An address of its own, so that nobody takes the port while it is closed.
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let mut stage = Stage::at(Ipv4Addr::new(127, 47, high, low.max(1)));
    let file = stage.file(SIZE, 1);
    // The service answers five slices and then no more, so that it dies in the middle.
    stage.fault(r#"{"operation":"upload_slice_data","nth":6,"times":0,"action":{"hang":"before"}}"#);
    let mut config = stage.config();
    config.retry = RetryPolicy::default();
    let upload = stage.upload(&Client::new(config).unwrap(), &file);
    upload.start(None).unwrap();
    let five = |requests: &[cos_emulator::RequestRecord]| {
        requests
            .iter()
            .filter(|request| request.operation.as_deref() == Some("upload_slice_data"))
            .count()
            >= 6
    };
    assert!(stage.emulator.wait_for_requests(five, Duration::from_secs(60)));
    let before = stage.stored_offsets();
    let listen = stage.emulator.address();
    stage.emulator.stop();
    std::thread::sleep(Duration::from_secs(3));
    stage.emulator = Emulator::start(Config {
        listen,
        ..Config::new(stage.folder.path().join("data"))
    })
    .unwrap();
    let object = upload.wait(Some(Duration::from_secs(120))).unwrap();
    assert_eq!((object.outcome, object.verified), (Outcome::Uploaded, true));
    let after = stage.stored_offsets();
    assert!(
        before.iter().all(|offset| !after.contains(offset)),
        "{before:?} then {after:?}"
    );
    stage.assert_object_is(&file);
}

#[test]
fn a_server_that_wants_slices_in_order_gets_them_so_whether_it_says_so_first_or_not() {
    for tells in [true, false] {
        let stage = Stage::new();
        stage.emulator.set("serial_upload", "1").unwrap();
        if !tells {
            // Until a slice out of order is refused the client can't know.
            for operation in ["upload_slice_init", "upload_slice_data", "upload_slice_list"] {
                stage.fault(&format!(
                    r#"{{"operation":"{operation}","times":0,"action":{{"replace":{{"data.serial_upload":null}}}}}}"#
                ));
            }
        }
        let file = stage.file(SIZE, 1);
        stage.upload(&stage.client(), &file).run(None).unwrap();
        let mut offsets = stage.stored_offsets();
        // The emulator takes nothing out of order. What it does not say at first may arrive so, and be read in order.
        if !tells {
            offsets.sort_unstable();
        }
        offsets.dedup();
        assert!(
            offsets.is_sorted() && offsets.len() as u64 == SLICES,
            "{offsets:?}"
        );
        stage.assert_object_is(&file);
    }
}

#[test]
fn a_slice_size_of_512_kib_is_obeyed_from_init_and_from_a_list() {
    for hash in [true, false] {
        let stage = Stage::new();
        stage.emulator.set("slice_policy", "clamp_to_512k").unwrap();
        let file = stage.old_file(SIZE, 1);
        stage.fault(r#"{"operation":"upload_slice_data","nth":9,"action":{"status":400,"code":-5999}}"#);
        let upload = stage.upload(&stage.client(), &file);
        upload.set_options(|options| options.hash = hash).unwrap();
        assert_eq!(upload.run(None).unwrap_err().status, Status::Refused);
        let object = upload.run(None).unwrap();
        assert_eq!(object.outcome, Outcome::Resumed);
        let mut offsets = stage.stored_offsets();
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(
            offsets,
            (0..SIZE.div_ceil(MIB / 2))
                .map(|slice| slice * MIB / 2)
                .collect::<Vec<_>>()
        );
        stage.assert_object_is(&file);
    }
}

#[test]
fn what_finishing_set_off_and_the_preview_s_address_are_passed_on() {
    let stage = Stage::new();
    stage.fault(
        r#"{"operation":"upload_slice_finish","action":{"replace":{"data.vid":"a-name","data.preview_url":"http://p/x"}}}"#,
    );
    let file = stage.file(1000, 1);
    let object = stage.upload(&stage.client(), &file).run(None).unwrap();
    assert_eq!(
        (object.links.vid.as_deref(), object.links.preview_url.as_deref()),
        (Some("a-name"), Some("http://p/x"))
    );
}
