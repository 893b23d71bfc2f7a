//! What signatures are bound to and for how long, and strings that were made elsewhere.

use std::time::Duration;

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::signer::{self, SignRequest, Signer};
use cos_slice::protocol::signature::{Kind, MAX_LIFETIME, Scope};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, key};

/// What the requests that reached the service were signed for.
fn bound_to(stage: &Stage) -> Vec<String> {
    let requests = stage.emulator.requests();
    let fields = requests.iter().flat_map(|request| &request.signature);
    let bound = fields
        .filter(|(name, _)| name == "f")
        .map(|(_, file_id)| file_id.clone());
    let mut bound: Vec<_> = bound.collect();
    bound.dedup();
    bound
}

#[test]
fn signatures_are_bound_as_wide_as_was_set_and_the_service_takes_them() {
    for (scope, bound, exact) in [
        (Scope::Path, "/1251668577/videos/2026/big.mp4", Ok(())),
        (Scope::Directory, "/1251668577/videos/2026/", Err(-63)),
        (Scope::Bucket, "/1251668577/videos/", Err(-63)),
        (Scope::Unbound, "", Ok(())),
    ] {
        let stage = Stage::new();
        let config = ClientConfig {
            signature_scope: scope,
            ..stage.config()
        };
        let client = Client::new(config).unwrap();
        let file = stage.file(3 * MIB, 1);
        stage
            .upload(&client, &file)
            .run(None)
            .unwrap_or_else(|error| panic!("{scope:?}: {error}"));
        assert_eq!(bound_to(&stage), [bound]);
        stage.assert_object_is(&file);

        // A service that takes no prefixes says so, and is believed.
        stage.emulator.set("fileid_scope", "exact").unwrap();
        let other = stage.upload(&client, &stage.file(2 * MIB, 2));
        other.set_options(|options| options.overwrite = true).unwrap();
        let ended = other.run(None).map(drop);
        let ended = ended.map_err(|error| {
            assert_eq!(error.status, Status::Credentials, "{error}");
            assert!(
                error.message.contains("the signature is for another path"),
                "{error}"
            );
            error.server_code.unwrap()
        });
        assert_eq!(ended, exact, "{scope:?}");
    }
}

#[test]
fn deletion_is_signed_for_the_object_alone_whatever_the_scope() {
    let stage = Stage::new();
    stage
        .fault(r#"{"operation":"upload_slice_data","nth":2,"times":0,"action":{"status":400,"code":-5999}}"#);
    stage
        .upload(&stage.client(), &stage.file(4 * MIB, 1))
        .run(None)
        .unwrap_err();
    stage.emulator.clear_faults();
    let config = ClientConfig {
        signature_scope: Scope::Bucket,
        ..stage.config()
    };
    let upload = stage.upload(&Client::new(config).unwrap(), &stage.file(3 * MIB, 2));
    upload
        .set_options(|options| options.discard_unfinished = true)
        .unwrap();
    upload.run(None).unwrap();
    let requests = stage.emulator.requests();
    let deletion = requests
        .iter()
        .find(|request| request.operation.as_deref() == Some("delete"));
    let file_id = ("f".to_owned(), "/1251668577/videos/2026/big.mp4".to_owned());
    assert!(deletion.unwrap().signature.contains(&file_id));
}

#[test]
fn ninety_days_are_good_and_a_second_more_is_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let with = |signature_lifetime| {
        Client::new(ClientConfig {
            signature_lifetime,
            ..stage.config()
        })
    };
    for lifetime in [MAX_LIFETIME, Duration::from_secs(60)] {
        let upload = stage.upload(&with(lifetime).unwrap(), &stage.file(MIB, 1));
        upload
            .run(None)
            .unwrap_or_else(|error| panic!("{lifetime:?}: {error}"));
    }
    stage.emulator.clear_requests();
    for lifetime in [
        MAX_LIFETIME + Duration::from_secs(1),
        Duration::ZERO,
        Duration::MAX,
    ] {
        let error = with(lifetime).map(drop).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(error.message.contains("signature_lifetime: "), "{error}");
        assert!(
            error.message.contains("1 to 7776000 seconds (90 days)"),
            "{error}"
        );
    }
    assert!(stage.emulator.requests().is_empty());
}

/// A string for an object, made as a server would.
fn made(path: &str, kind: Kind, seconds: u64) -> Signer {
    let request = SignRequest {
        operation: "",
        app_id: "1251668577",
        bucket: BUCKET,
        path,
        kind,
        lifetime: Duration::from_secs(seconds),
    };
    let authorization = signer::sign(&key(), Scope::Path, &request).unwrap();
    Signer::fixed("1251668577", &authorization).unwrap()
}

/// One request at a time: none is still under way when an upload has failed.
fn client_of(stage: &Stage, signer: Signer) -> Client {
    Client::new(ClientConfig {
        signer,
        connections: 1.into(),
        ..stage.config()
    })
    .unwrap()
}

#[test]
fn a_string_made_elsewhere_serves_an_upload_and_when_it_expires_a_new_one_resumes_it() {
    for code in [-59, -96, -97] {
        let stage = Stage::new();
        let file = stage.file(6 * MIB, 1);
        stage.fault(&format!(
            r#"{{"operation":"upload_slice_data","nth":4,"times":0,"action":{{"status":403,"code":{code}}}}}"#
        ));
        let client = client_of(&stage, made(PATH, Kind::MultiEffect, 600));
        let error = stage.upload(&client, &file).run(None).unwrap_err();
        assert_eq!(
            (error.status, error.server_code),
            (Status::Credentials, Some(code))
        );
        assert!(error.message.contains("set one that was made anew"), "{error}");
        stage.emulator.clear_faults();
        let client = client_of(&stage, made(PATH, Kind::MultiEffect, 600));
        let object = stage.upload(&client, &file).run(None).unwrap();
        assert_eq!(
            (object.outcome, object.bytes_resumed),
            (Outcome::Resumed, 3 * MIB)
        );
    }
}

#[test]
fn a_string_for_something_else_is_an_error_that_says_what_is_wrong() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);
    for (signer, code, told) in [
        (
            made("another/path", Kind::MultiEffect, 600),
            -63,
            "Sign for the app id, the bucket and the path",
        ),
        (
            made(PATH, Kind::OneTime, 600),
            -74,
            "everything else a multi-effect one",
        ),
        (
            Signer::fixed("1251668577", "no signature").unwrap(),
            -97,
            "set one that was made anew",
        ),
    ] {
        let error = stage
            .upload(&client_of(&stage, signer), &file)
            .run(None)
            .unwrap_err();
        assert_eq!(
            (error.status, error.server_code),
            (Status::Credentials, Some(code)),
            "{error}"
        );
        assert!(error.message.contains(told), "{error}");
    }
    for (app_id, authorization, told) in [
        ("my app", "x", "app_id: an app id is decimal digits"),
        ("1251668577", "", "authorization: it is empty"),
        (
            "1251668577",
            "planted\n",
            "authorization: it has a line end at byte 7",
        ),
    ] {
        let error = Signer::fixed(app_id, authorization).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(
            error.message.starts_with(told) && !error.message.contains("planted"),
            "{error}"
        );
    }
}

#[test]
fn what_a_server_can_not_sign_is_refused_by_the_argument_s_name() {
    let request = SignRequest {
        operation: "",
        app_id: "1251668577",
        bucket: BUCKET,
        path: PATH,
        kind: Kind::MultiEffect,
        lifetime: MAX_LIFETIME,
    };
    let told =
        |request: SignRequest<'_>| signer::sign(&key(), Scope::Path, &request).map_err(|error| error.message);
    assert!(told(request).is_ok());
    assert!(
        told(SignRequest {
            path: "a/b/",
            ..request
        })
        .is_ok()
    );
    for (request, argument) in [
        (
            SignRequest {
                app_id: "1",
                ..request
            },
            "app_id: ",
        ),
        (
            SignRequest {
                bucket: "../other",
                ..request
            },
            "bucket: ",
        ),
        (
            SignRequest {
                path: "a//",
                ..request
            },
            "path: ",
        ),
        (
            SignRequest {
                path: "a/../b",
                ..request
            },
            "path: ",
        ),
        (
            SignRequest {
                lifetime: MAX_LIFETIME * 2,
                ..request
            },
            "signature_lifetime: ",
        ),
    ] {
        let problem = told(request).unwrap_err();
        assert!(problem.starts_with(argument), "{problem}");
    }
}
