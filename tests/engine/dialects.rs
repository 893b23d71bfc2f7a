//! Stores that speak the protocol and want something otherwise: each thing alone, told and not told, and all at once.

use cos_emulator::RequestRecord;
use cos_slice::engine::client::{Client, ClientConfig, Inspection};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::protocol::dialect::{Dialect, SliceSizes, TokenPlace, Word};
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage};

/// A store with these switches.
fn store(switches: &[&str]) -> Stage {
    Stage::with(|config| {
        for switch in switches {
            config.switches.assign(switch).expect("a switch");
        }
    })
}

/// A client that knows this of its store.
fn config(stage: &Stage, tell: impl FnOnce(&mut Dialect)) -> ClientConfig {
    let mut config = stage.config();
    tell(&mut config.dialect);
    config
}

fn run(stage: &Stage, config: ClientConfig, size: u64) -> Result<Object, Error> {
    let file = stage.file(size, 1);
    let upload = stage.upload(&Client::new(config)?, &file);
    let object = upload.run(None)?;
    stage.assert_object_is(&file);
    assert!(object.verified);
    Ok(object)
}

/// What a client that was told nothing is told by the store.
fn refused(stage: &Stage) -> Error {
    let error = run(stage, stage.config(), 3 * MIB).expect_err("it was told nothing");
    assert_eq!(stage.count("upload_slice_finish"), 0, "{error}");
    error
}

fn requests(stage: &Stage, operation: &str) -> Vec<RequestRecord> {
    let requests = stage.emulator.requests();
    let of_it = requests
        .into_iter()
        .filter(|request| request.operation.as_deref() == Some(operation));
    of_it.collect()
}

#[test]
fn a_store_with_everything_otherwise_gets_the_file_and_tells_its_state() {
    let stage = Stage::with(|config| {
        config.path_prefix = "/store/cos".to_owned();
        for switch in [
            "slice_sizes=4194304,8388608",
            "required_field=tenant=acme corporation",
            "required_header=X-Store=blue",
            "token_word=COS",
            "datamd5=required",
        ] {
            config.switches.assign(switch).unwrap();
        }
    });
    let mut config = config(&stage, |dialect| {
        dialect.slice_sizes = SliceSizes::own(&[4 * MIB, 8 * MIB]).unwrap();
        dialect.add_form_field("tenant", "acme corporation").unwrap();
        dialect.add_header("X-Store", "blue").unwrap();
        dialect.token = TokenPlace::HeaderAfterWord(Word::new("COS").unwrap());
        dialect.slice_md5 = true;
    });
    config.endpoint = Endpoint::parse(&format!("{}/store/cos/", stage.emulator.endpoint())).unwrap();
    let object = run(&stage, config.clone(), 9 * MIB).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        (object.outcome, object.slices_sent, object.retries),
        (Outcome::Uploaded, 3, 0)
    );
    let access_url = object.links.access_url.expect("it tells one");
    assert!(access_url.contains("/store/cos/"), "{access_url}");

    let again = run(&stage, config.clone(), 9 * MIB).unwrap();
    assert_eq!(again.outcome, Outcome::Instant);
    let client = Client::new(config).unwrap();
    let inspection = client.inspect(BUCKET, PATH).unwrap();
    assert!(matches!(inspection, Inspection::Complete { size: Some(size), .. } if size == 9 * MIB));

    for request in stage.emulator.requests() {
        assert!(
            request.path.starts_with("/store/cos/files/v2/"),
            "{}",
            request.path
        );
        assert_eq!(request.header("x-store"), Some("blue"));
        assert_eq!(
            request.code,
            Some(0).filter(|_| request.status == Some(200)),
            "{request:?}"
        );
    }
    for operation in ["upload_slice_init", "upload_slice_data", "upload_slice_finish"] {
        for request in requests(&stage, operation) {
            assert_eq!(request.field("tenant"), Some("acme corporation"), "{operation}");
        }
    }
}

#[test]
fn a_path_before_the_apis_own_is_that_of_the_endpoint() {
    let stage = Stage::with(|config| config.path_prefix = "/store".to_owned());
    let told = |path: &str| {
        let mut config = stage.config();
        config.endpoint = Endpoint::parse(&format!("{}{path}", stage.emulator.endpoint())).unwrap();
        run(&stage, config, MIB)
    };
    for wrong in ["", "/other", "/store/store"] {
        let error = told(wrong).expect_err(wrong);
        assert!(
            error.message.contains("there is nothing at this path"),
            "{wrong}: {error}"
        );
    }
    told("/store").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_stores_own_slice_sizes_hold_in_the_place_of_the_services() {
    let stage = store(&["slice_sizes=4194304,65536"]);
    let error = refused(&stage);
    assert_eq!((error.status, error.server_code), (Status::Refused, Some(-284)));
    assert!(
        error
            .message
            .contains("Set the slice size to one that the store takes"),
        "{error}"
    );

    let own = |dialect: &mut Dialect| dialect.slice_sizes = SliceSizes::own(&[4 * MIB, 65_536]).unwrap();
    let object = run(&stage, config(&stage, own), 9 * MIB).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        object.slices_sent, 3,
        "of 4 MiB, the first that was told, with hashing"
    );

    let file = stage.file(MIB, 2);
    let client = Client::new(config(&stage, own)).unwrap();
    let upload = client.upload(BUCKET, "small/slices").unwrap();
    upload.set_file(&file).unwrap();
    upload.set_options(|options| options.slice_size = 65_536).unwrap();
    assert_eq!(upload.run(None).unwrap().slices_sent, 16);
    upload.set_options(|options| options.slice_size = MIB).unwrap();
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument);
    assert!(
        error
            .message
            .contains("slice_size: 1048576 is not one of 4194304, 65536"),
        "{error}"
    );
}

#[test]
fn a_mebibyte_is_asked_for_in_the_place_of_a_refused_size_only_where_the_store_takes_it() {
    let stage = store(&["slice_policy=only_1m"]);
    let told = |sizes: &[u64]| {
        let sizes = SliceSizes::own(sizes).unwrap();
        let asked = stage.count("upload_slice_init");
        let result = run(
            &stage,
            config(&stage, |dialect| dialect.slice_sizes = sizes),
            3 * MIB,
        );
        (result, stage.count("upload_slice_init") - asked)
    };
    let (result, asked) = told(&[2 * MIB, 512 << 10]);
    assert_eq!((result.unwrap_err().server_code, asked), (Some(-284), 1));
    let (result, asked) = told(&[2 * MIB, MIB]);
    assert_eq!((result.unwrap().slices_sent, asked), (3, 2));
}

#[test]
fn a_field_that_the_store_demands_is_in_every_form() {
    let stage = store(&["required_field=tenant=acme"]);
    let error = refused(&stage);
    assert_eq!((error.status, error.server_code), (Status::Refused, Some(-5999)));
    assert!(error.message.contains("tenant"), "{error}");

    let tenant =
        |value: &'static str| move |dialect: &mut Dialect| dialect.add_form_field("tenant", value).unwrap();
    let error = run(&stage, config(&stage, tenant("a planted value")), MIB).unwrap_err();
    assert_eq!(error.server_code, Some(-5999), "{error}");
    assert!(!error.message.contains("planted"), "{error}");
    run(&stage, config(&stage, tenant("acme")), 3 * MIB).unwrap_or_else(|error| panic!("{error}"));
    let mut empty = config(&stage, tenant("acme"));
    empty.connections = 1.into();
    let upload = stage.upload(&Client::new(empty).unwrap(), &stage.file(0, 0));
    upload.set_options(|options| options.overwrite = true).unwrap();
    upload.run(None).unwrap();
    assert_eq!(requests(&stage, "upload")[0].field("tenant"), Some("acme"));
}

#[test]
fn a_header_that_the_store_demands_is_in_every_request() {
    let stage = store(&["required_header=X-Store=blue"]);
    let error = refused(&stage);
    assert_eq!((error.status, error.server_code), (Status::Refused, Some(-5999)));
    assert!(error.message.contains("X-Store"), "{error}");
    let blue = |dialect: &mut Dialect| dialect.add_header("x-store", "blue").unwrap();
    run(&stage, config(&stage, blue), 3 * MIB).unwrap_or_else(|error| panic!("{error}"));
}

/// An upload that meets an unfinished one of other content, so that it asks, deletes, and begins anew.
fn discard(stage: &Stage, config: ClientConfig) {
    let client = Client::new(config).unwrap();
    let older = stage.upload(&client, &stage.file(3 * MIB, 7));
    stage.fault(r#"{"operation":"upload_slice_data","offset":2097152,"times":0,"action":{"status":400,"code":-5999}}"#);
    older.run(None).expect_err("it can't be finished");
    stage.emulator.clear_faults();
    let file = stage.file(2 * MIB, 8);
    let upload = Client::upload(&client, BUCKET, PATH).unwrap();
    upload.set_file(&file).unwrap();
    upload
        .set_options(|options| options.discard_unfinished = true)
        .unwrap();
    upload.run(None).unwrap_or_else(|error| panic!("{error}"));
    stage.assert_object_is(&file);
    assert_eq!(stage.count("delete"), 1, "which has a token for one request");
}

#[test]
fn the_token_goes_where_the_store_looks_for_it() {
    let after_word = || TokenPlace::HeaderAfterWord(Word::new("COS").unwrap());
    for (switches, right) in [
        (&["token_place=header"][..], TokenPlace::Header),
        (&["token_place=header", "token_word=COS"], after_word()),
        (&["token_place=query"], TokenPlace::Query),
    ] {
        let stage = store(switches);
        for wrong in [TokenPlace::Header, after_word(), TokenPlace::Query] {
            if wrong == right {
                continue;
            }
            let error = run(
                &stage,
                config(&stage, |dialect| dialect.token = wrong.clone()),
                MIB,
            );
            let error = error.expect_err("the token is elsewhere");
            assert_eq!(
                error.status,
                Status::Credentials,
                "{wrong:?} in place of {right:?}: {error}"
            );
        }
        discard(&stage, config(&stage, |dialect| dialect.token = right.clone()));
        let last = stage.emulator.requests().pop().unwrap();
        assert!(!last.signature.is_empty(), "{right:?}");
        let in_query = last.query.is_some_and(|query| query.contains("sign="));
        assert_eq!(in_query, right == TokenPlace::Query, "{right:?}");
    }
}

#[test]
fn each_slice_goes_with_its_md5_where_the_store_demands_it() {
    let stage = store(&["datamd5=required"]);
    let error = refused(&stage);
    assert_eq!((error.status, error.server_code), (Status::Refused, Some(-5999)));
    assert!(error.message.contains("datamd5"), "{error}");
    let object = run(
        &stage,
        config(&stage, |dialect| dialect.slice_md5 = true),
        3 * MIB,
    );
    assert_eq!(object.unwrap_or_else(|error| panic!("{error}")).retries, 0);
}

#[test]
fn a_store_that_says_nothing_of_the_md5_is_as_good() {
    for switch in ["datamd5=ignored", "datamd5=echoed", "datamd5=checked"] {
        let stage = store(&[switch]);
        let object = run(
            &stage,
            config(&stage, |dialect| dialect.slice_md5 = true),
            3 * MIB,
        );
        assert_eq!(
            object.unwrap_or_else(|error| panic!("{switch}: {error}")).retries,
            0
        );
    }
}

const DAMAGED: &str = r#"{"replace":{"data.datamd5":"d41d8cd98f00b204e9800998ecf8427e"}}"#;

#[test]
fn a_slice_of_which_the_store_tells_another_md5_is_sent_again() {
    let stage = store(&[]);
    stage.fault(&format!(
        r#"{{"operation":"upload_slice_data","offset":1048576,"times":2,"action":{DAMAGED}}}"#
    ));
    let object = run(
        &stage,
        config(&stage, |dialect| dialect.slice_md5 = true),
        3 * MIB,
    )
    .unwrap();
    assert_eq!((object.slices_sent, object.retries), (3, 2));
    assert_eq!(
        stage
            .stored_offsets()
            .iter()
            .filter(|offset| **offset == MIB)
            .count(),
        3
    );
}

#[test]
fn a_slice_that_is_damaged_again_and_again_ends_the_upload_with_both_digests() {
    let stage = store(&[]);
    stage.fault(&format!(
        r#"{{"operation":"upload_slice_data","times":0,"action":{DAMAGED}}}"#
    ));
    let mut config = config(&stage, |dialect| dialect.slice_md5 = true);
    config.retry.attempts = 3;
    let error = run(&stage, config, MIB).unwrap_err();
    assert_eq!(
        (error.status, error.place.attempts),
        (Status::ContentRejected, 3),
        "{error}"
    );
    assert!(
        error.message.contains("d41d8cd98f00b204e9800998ecf8427e"),
        "{error}"
    );
    assert_eq!(stage.count("upload_slice_finish"), 0);
}

#[test]
fn a_store_is_spoken_to_in_files_v1_too() {
    let stage = store(&[
        "required_field=tenant=acme",
        "required_header=X-Store",
        "token_place=query",
    ]);
    let mut config = config(&stage, |dialect| {
        dialect.add_form_field("tenant", "acme").unwrap();
        dialect.add_header("X-Store", "blue").unwrap();
        dialect.token = TokenPlace::Query;
        dialect.slice_md5 = true;
    });
    config.api = cos_slice::protocol::Api::FilesV1;
    let object = run(&stage, config, 3 * MIB).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(object.slices_sent, 3);
    let md5s = stage
        .emulator
        .requests()
        .iter()
        .filter(|request| request.field("datamd5").is_some())
        .count();
    assert_eq!(md5s, 3);
}
