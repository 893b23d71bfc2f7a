//! Values of users and servers that look like what separates values: they arrive as they are, or are refused before
//! anything is sent. The emulator's parser is the judge.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;

use cos_emulator::RequestRecord;
use cos_slice::engine::client::Client;
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::source::MemorySource;
use cos_slice::upload::error::Error;
use cos_slice::upload::status::Status;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::{BUCKET, PATH, Stage};

/// What requests are taken apart by, and what could pass for it.
const SEPARATORS: [&str; 24] = [
    "\r\n",
    "\r\n\r\n",
    "\n",
    "\r",
    "\0",
    "\t",
    "\"",
    "\\\"",
    ";",
    "; name=\"op\"",
    "\r\n------------------------------",
    "--\r\n",
    "Content-Disposition: form-data; name=\"sha\"\r\n\r\nx",
    "Authorization: x",
    "%0d%0a",
    "%00",
    "%2e%2e",
    "..",
    "/",
    "?op=delete",
    "#",
    "&insertOnly=0",
    "=",
    "+ ",
];

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(count)
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(SEPARATORS.as_slice()).prop_map(str::to_owned),
        "[a-z0-9._~-]{1,6}",
        "\\PC{1,3}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

fn run(client: &Client, bucket: &str, path: &str, biz_attr: &str) -> Result<(), Error> {
    let upload = client.upload(bucket, path)?;
    upload.set_source(Arc::new(MemorySource::new(*b"0123456789")))?;
    upload.set_options(|options| options.biz_attr = Some(biz_attr.into()))?;
    upload.run(None).map(drop)
}

fn names(pairs: &[(String, String)]) -> BTreeSet<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}

/// Nothing but what belongs into a request is in it, and each of it once.
fn assert_plain(request: &RequestRecord) {
    let allowed =
        |name: &&str| ["accept", "content-length", "content-type", "host", "user-agent"].contains(name);
    let headers = names(&request.headers);
    assert!(headers.iter().all(allowed), "{headers:?}");
    assert_eq!(headers.len(), request.headers.len(), "{:?}", request.headers);
    let expected: &[&str] = match request.operation.as_deref() {
        Some("upload_slice_init") => &["biz_attr", "filesize", "op", "sha", "slice_size", "uploadparts"],
        // The file's content is no text field.
        Some("upload_slice_data") => &["offset", "op", "session", "sha"],
        Some("upload_slice_finish") => &["filesize", "op", "session", "sha"],
        Some("upload_slice_list") => &["op"],
        Some("stat") => &[],
        other => panic!("no request of an upload: {other:?}"),
    };
    let fields = names(&request.fields);
    assert_eq!(fields, expected.iter().copied().collect(), "{:?}", request.fields);
    assert_eq!(fields.len(), request.fields.len(), "{:?}", request.fields);
}

#[test]
fn bucket_path_and_attribute_arrive_as_they_are_or_are_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let client = stage.client();
    let values = (
        prop_oneof![Just(BUCKET.to_owned()), hostile()],
        prop_oneof![Just(PATH.to_owned()), hostile()],
        hostile(),
    );
    let mut runner = TestRunner::new(cases(200));
    let (sent, refused) = (Cell::new(0), Cell::new(0));
    runner
        .run(&values, |(bucket, path, biz_attr)| {
            stage.emulator.clear_requests();
            let result = run(&client, &bucket, &path, &biz_attr);
            let requests = stage.emulator.requests();
            match result {
                // A bucket's name that can be one for all that is known.
                Err(error) if error.status == Status::NoBucket => {
                    requests.iter().for_each(assert_plain);
                    let name = requests[0].path.split('/').nth(4);
                    prop_assert_eq!(name, Some(bucket.as_str()));
                }
                Err(error) => {
                    prop_assert_eq!(error.status, Status::InvalidArgument, "{}", error);
                    prop_assert!(!error.message.contains(char::is_control), "{}", error);
                    prop_assert!(requests.is_empty());
                    refused.set(refused.get() + 1);
                }
                Ok(()) => {
                    requests.iter().for_each(assert_plain);
                    prop_assert!(stage.emulator.object(&bucket, &path).is_ok());
                    let init = requests
                        .iter()
                        .find(|request| request.operation.as_deref() == Some("upload_slice_init"));
                    prop_assert_eq!(init.unwrap().field("biz_attr"), Some(biz_attr.as_str()));
                    sent.set(sent.get() + 1);
                }
            }
            Ok(())
        })
        .unwrap();
    let (sent, refused) = (sent.get(), refused.get());
    assert!(sent > 5 && refused > 5, "{sent} sent, {refused} refused");
}

#[test]
fn a_session_is_said_back_as_the_server_said_it_or_not_at_all() {
    let stage = Stage::new();
    let mut config = stage.config();
    config.retry.attempts = 1;
    let client = Client::new(config).unwrap();
    let (run_count, said_back) = (Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(cases(120));
    runner
        .run(&hostile(), |session| {
            stage.emulator.clear_requests();
            stage.emulator.clear_faults();
            // A new path for each: one that an earlier run left unfinished would be listed.
            let replaced = serde_json::json!({
                "operation": "upload_slice_init",
                "action": {"replace": {"data.session": session}},
            });
            stage.fault(&replaced.to_string());
            run_count.set(run_count.get() + 1);
            let path = format!("session/{}", run_count.get());
            // The emulator does not know that session, so this may end in many ways; what is sent is what counts.
            let _ = run(&client, BUCKET, &path, "");
            let requests = stage.emulator.requests();
            requests.iter().for_each(assert_plain);
            let slices = requests
                .iter()
                .filter(|request| request.operation.as_deref() == Some("upload_slice_data"));
            let mut sessions = slices.filter_map(|request| request.field("session"));
            if session.is_empty() || session.contains(char::is_control) {
                // None of these can be one; another may have been had by listing.
                prop_assert!(sessions.all(|sent| sent != session));
            } else {
                prop_assert_eq!(sessions.next(), Some(session.as_str()));
                said_back.set(said_back.get() + 1);
            }
            Ok(())
        })
        .unwrap();
    assert!(said_back.get() > 10);
}

#[test]
fn addresses_with_line_ends_or_other_separators_are_refused() {
    let stage = Stage::new();
    for piece in ["\r\n", "\n", "\0", " ", "\t", "\"", "<", "\u{7f}", "\u{e9}"] {
        for address in [
            format!("http://127.0.0.1:1/a{piece}b"),
            format!("http://127.0.0{piece}.1:1"),
            format!("http://127.0.0.1:1{piece}"),
        ] {
            let error = Endpoint::parse(&address).map(|endpoint| endpoint.to_string());
            assert!(error.is_err(), "{address:?} became {error:?}");
        }
        assert!(Endpoint::region(&format!("g{piece}z")).is_err(), "{piece:?}");
        for proxy in [
            format!("http://pro{piece}xy:3128"),
            format!("http://proxy:3128{piece}X: y"),
        ] {
            let mut config = stage.config();
            config.proxy = Some(proxy.clone());
            let Err(error) = Client::new(config) else {
                panic!("{proxy:?} was accepted")
            };
            assert_eq!(error.status, Status::InvalidArgument);
            assert!(!error.message.contains(char::is_control), "{error}");
        }
    }
}
