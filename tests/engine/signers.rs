//! Signatures from a callback: when it is asked, and for what.

use cos_emulator::RequestRecord;
use cos_slice::engine::client::{Client, Inspection};
use cos_slice::protocol::Api;
use cos_slice::protocol::signature::Kind;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;
use zeroize::Zeroizing;

use crate::app_server::{AppServer, HANG_GUARD, client, config, refused, sign_at, sign_for, upload_to};
use crate::support::{BUCKET, MIB, PATH, Stage};

#[test]
fn one_string_serves_all_requests_of_an_upload() {
    let (stage, server) = (Stage::new(), AppServer::good());
    let client = client(&stage, &server);
    for (number, path) in ["a b/one", "two", PATH].into_iter().enumerate() {
        stage.emulator.clear_requests();
        let object = upload_to(&client, path, 20 * MIB).run(None).unwrap();
        assert_eq!(
            (object.verified, object.retries, object.slices_sent),
            (true, 0, 20)
        );
        assert_eq!(server.count(), number + 1);
        let asked = server.asked().pop().unwrap();
        assert_eq!((asked.path.as_str(), asked.kind), (path, Kind::MultiEffect));
        assert_eq!(asked.operation, "upload_slice_init");
        let requests = stage.emulator.requests();
        let first = &requests[0].signature;
        assert!(requests.len() > 20 && requests.iter().all(|request| request.signature == *first));
    }
}

#[test]
fn a_string_that_is_refused_is_replaced_at_once() {
    for operation in [
        "upload_slice_init",
        "upload_slice_data",
        "upload_slice_finish",
        "stat",
    ] {
        for code in [-59, -96, -97] {
            let (stage, server) = (Stage::new(), AppServer::good());
            stage.fault(&format!(
                r#"{{"operation":"{operation}","action":{{"status":403,"code":{code}}}}}"#
            ));
            let upload = upload_to(&client(&stage, &server), PATH, 3 * MIB);
            let object = upload
                .run(None)
                .unwrap_or_else(|error| panic!("{operation} {code}: {error}"));
            assert_eq!((object.verified, object.retries), (true, 1), "{operation} {code}");
            assert_eq!((server.count(), refused(&stage)), (2, vec![code]), "{operation}");
        }
    }
}

#[test]
fn strings_that_are_always_refused_end_the_upload_and_are_not_asked_for_without_end() {
    let (stage, server) = (Stage::new(), AppServer::good());
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"status":403,"code":-97}}"#);
    let upload = upload_to(&client(&stage, &server), PATH, 3 * MIB);
    let error = upload.run(None).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::Credentials, Some(-97))
    );
    assert!(
        error.message.contains("have the signer make a new signature"),
        "{error}"
    );
    assert!(
        (2..=4).contains(&server.count()),
        "{} times for 3 slices",
        server.count()
    );
    stage.emulator.clear_faults();
    assert!(upload.run(None).unwrap().verified);
}

#[test]
fn another_string_is_asked_for_thirty_seconds_before_one_expires() {
    let stage = Stage::new();
    let server = AppServer::new(sign_for(31));
    let mut config = config(&stage, &server);
    config.connections = 1.into();
    // Six slices, one after another: 2.4 seconds at least, and each string is good for one.
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"delay_ms":400}}"#);
    let object = upload_to(&Client::new(config).unwrap(), PATH, 6 * MIB)
        .run(None)
        .unwrap();
    assert_eq!(
        (object.verified, object.retries, refused(&stage)),
        (true, 0, vec![])
    );
    let requests = stage.emulator.requests().len();
    assert!(
        (2..requests).contains(&server.count()),
        "{} of {requests}",
        server.count()
    );
}

#[test]
fn a_string_with_less_than_thirty_seconds_to_live_serves_one_request() {
    let stage = Stage::new();
    let server = AppServer::new(sign_for(30));
    let object = upload_to(&client(&stage, &server), PATH, 10 * MIB)
        .run(None)
        .unwrap();
    assert_eq!((object.verified, object.retries), (true, 0));
    assert_eq!(server.count(), stage.emulator.requests().len());
    let most = server.inside_by_path()[PATH].1;
    assert_eq!(
        most, 1,
        "one call at a time for an upload, whatever its connections"
    );
}

#[test]
fn a_string_of_another_form_is_good_for_the_time_that_was_asked_for() {
    let stage = Stage::new();
    let server = AppServer::new(|_| Ok(Zeroizing::new("no signature".to_owned())));
    let upload = upload_to(&client(&stage, &server), PATH, MIB);
    let error = upload.run(None).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::Credentials, Some(-97)),
        "{error}"
    );
    assert_eq!(server.count(), 2);
}

#[test]
fn many_uploads_at_once_are_signed_for_each_and_never_twice_at_once_for_one() {
    let stage = Stage::new();
    let server = AppServer::new(sign_for(30));
    let client = client(&stage, &server);
    let uploads: Vec<_> = (0..12)
        .map(|number| {
            let upload = upload_to(&client, &format!("many/{number}"), 2 * MIB);
            upload.start(None).unwrap();
            upload
        })
        .collect();
    for upload in &uploads {
        upload.wait(Some(HANG_GUARD)).unwrap();
    }
    let inside = server.inside_by_path();
    assert_eq!(inside.len(), 12);
    assert!(inside.values().all(|inside| *inside == (0, 1)), "{inside:?}");
}

#[test]
fn each_deletion_is_signed_by_a_string_of_its_own() {
    let (stage, server) = (Stage::new(), AppServer::good());
    let client = client(&stage, &server);
    // Somebody else's upload of other content, which stops in the middle.
    stage
        .fault(r#"{"operation":"upload_slice_data","nth":3,"times":0,"action":{"status":400,"code":-5999}}"#);
    upload_to(&client, PATH, 5 * MIB).run(None).unwrap_err();
    stage.emulator.clear_faults();

    stage.emulator.clear_requests();
    stage.fault(r#"{"operation":"delete","action":{"status":403,"code":-77}}"#);
    let upload = upload_to(&client, PATH, 3 * MIB);
    upload
        .set_options(|options| options.discard_unfinished = true)
        .unwrap();
    assert_eq!(upload.run(None).unwrap().outcome, Outcome::Uploaded);
    let asked = server.asked();
    let kinds: Vec<_> = asked[1..]
        .iter()
        .map(|asked| (asked.operation.as_str(), asked.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            ("upload_slice_init", Kind::MultiEffect),
            ("delete", Kind::OneTime),
            ("delete", Kind::OneTime),
        ]
    );
    let requests = stage.emulator.requests();
    let deletions = requests
        .iter()
        .filter(|request| request.operation.as_deref() == Some("delete"));
    let [first, second]: [&RequestRecord; 2] = deletions.collect::<Vec<_>>().try_into().unwrap();
    assert_ne!(first.signature, second.signature);
}

#[test]
fn directories_are_signed_for_by_their_own_paths() {
    let (stage, server) = (Stage::new(), AppServer::good());
    stage.emulator.set("require_parent_dir", "on").unwrap();
    stage.emulator.set("fileid_scope", "exact").unwrap();
    let upload = upload_to(&client(&stage, &server), "a b/c/object", MIB);
    upload
        .set_options(|options| options.create_parents = true)
        .unwrap();
    upload.run(None).unwrap();
    let paths: Vec<_> = server
        .asked()
        .into_iter()
        .map(|asked| (asked.operation, asked.path))
        .collect();
    let expected = [
        ("upload_slice_init", "a b/c/object"),
        ("create", "a b/"),
        ("create", "a b/c/"),
    ];
    assert_eq!(
        paths,
        expected.map(|(operation, path)| (operation.to_owned(), path.to_owned()))
    );
}

#[test]
fn the_older_api_is_signed_in_the_same_way() {
    let (stage, server) = (Stage::new(), AppServer::good());
    let mut config = config(&stage, &server);
    config.api = Api::FilesV1;
    stage.fault(r#"{"operation":"v1_data","nth":3,"action":{"status":403,"code":-96}}"#);
    let object = upload_to(&Client::new(config).unwrap(), PATH, 5 * MIB)
        .run(None)
        .unwrap();
    assert_eq!(
        (object.verified, server.count(), refused(&stage)),
        (true, 2, vec![-96])
    );
    assert_eq!(server.asked()[0].operation, "upload_slice");
}

#[test]
fn the_operations_beside_uploads_are_signed_too() {
    let (stage, server) = (Stage::new(), AppServer::good());
    let client = client(&stage, &server);
    assert!(matches!(client.inspect(BUCKET, PATH).unwrap(), Inspection::None));
    upload_to(&client, PATH, MIB).run(None).unwrap();
    let inspection = client.inspect(BUCKET, PATH).unwrap();
    assert!(matches!(inspection, Inspection::Complete { size: Some(MIB), .. }));
}

#[test]
fn a_wrong_clock_of_this_machine_does_not_matter_to_strings_made_elsewhere() {
    const DAY: i64 = 86_400;
    for ahead in [3600, -DAY] {
        let stage = Stage::new();
        stage.emulator.set("clock_skew", "300").unwrap();
        stage.emulator.set("clock_offset", &(-ahead).to_string()).unwrap();
        let server = AppServer::new(sign_at(-ahead, 31));
        let mut config = config(&stage, &server);
        config.connections = 1.into();
        stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"delay_ms":600}}"#);
        let upload = upload_to(&Client::new(config).unwrap(), PATH, 3 * MIB);
        let object = upload
            .run(None)
            .unwrap_or_else(|error| panic!("{ahead}: {error}"));
        assert_eq!((object.verified, refused(&stage)), (true, vec![]), "{ahead}");
        let requests = stage.emulator.requests().len();
        assert!(
            (2..requests).contains(&server.count()),
            "{ahead}: asked again near the end"
        );
    }
}
