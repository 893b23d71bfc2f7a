//! Whole uploads through real files and real sockets to the emulator.

mod app_server;
mod callbacks;
mod cancel;
mod changed_between_runs;
mod changes;
mod checkpoint_owner;
mod checkpoints;
mod clocks;
mod connections;
mod dialects;
mod faults;
mod files_v1;
mod files_v1_faults;
mod files_v1_resume;
mod injection;
mod log;
mod log_callbacks;
mod operations;
mod operations_cancel;
mod operations_v1;
mod parents;
mod rate_limits;
mod relay;
mod resume;
mod scale;
mod scenarios;
mod signers;
mod signers_blocking;
mod signers_failing;
mod signing;
mod sources;
mod strangers;
mod streams;
mod support;

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use cos_slice::engine::client::{Client, Inspection};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::source::MemorySource;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use support::{BUCKET, MIB, PATH, Stage, content};

#[test]
fn files_of_every_size_become_identical_objects() {
    let stage = Stage::new();
    let client = stage.client();
    for size in [0, 1, 36_864, 524_288, MIB, MIB + 1, 20 * MIB + 1] {
        let file = stage.file(size, size);
        let upload = stage.upload(&client, &file);
        upload.set_options(|options| options.overwrite = true).unwrap();
        let object = upload.run(None).unwrap_or_else(|error| panic!("{size}: {error}"));
        assert_eq!(
            (object.outcome, object.size, object.verified),
            (Outcome::Uploaded, size, true)
        );
        assert_eq!(object.bytes_sent, size);
        stage.assert_object_is(&file);
        assert!(
            object
                .links
                .access_url
                .is_some_and(|url| url.starts_with("http://127.0.0.1:"))
        );
    }
}

#[test]
fn files_go_up_without_hashing_too() {
    let stage = Stage::new();
    let file = stage.file(5 * MIB + 17, 1);
    let upload = stage.upload(&stage.client(), &file);
    upload
        .set_options(|options| {
            options.hash = false;
            options.slice_size = 2 * MIB;
        })
        .unwrap();
    let object = upload.run(None).unwrap();
    assert_eq!((object.slices_sent, object.sha), (3, None));
    stage.assert_object_is(&file);
}

#[test]
fn memory_goes_up_as_a_file_does() {
    let stage = Stage::new();
    let bytes = content(3 * MIB + 5, 9);
    let upload = stage.client().upload(BUCKET, PATH).unwrap();
    upload
        .set_source(Arc::new(MemorySource::new(bytes.clone())))
        .unwrap();
    upload.run(None).unwrap();
    assert!(stage.object() == bytes);
}

#[test]
fn the_same_content_again_is_an_instant_hit_and_other_content_is_refused_until_overwriting_is_on() {
    let stage = Stage::new();
    let client = stage.client();
    let (first, second) = (stage.file(3 * MIB, 1), stage.file(3 * MIB, 2));
    stage.upload(&client, &first).run(None).unwrap();
    stage.emulator.clear_requests();

    let object = stage.upload(&client, &first).run(None).unwrap();
    assert_eq!((object.outcome, object.slices_sent), (Outcome::Instant, 0));
    assert_eq!(stage.count("upload_slice_data"), 0);

    let error = stage.upload(&client, &second).run(None).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::ObjectExists, Some(-177))
    );
    assert!(error.request_id.is_some());
    stage.assert_object_is(&first);

    let upload = stage.upload(&client, &second);
    upload.set_options(|options| options.overwrite = true).unwrap();
    upload.run(None).unwrap();
    stage.assert_object_is(&second);
}

#[test]
fn an_empty_file_that_the_server_refuses_because_it_has_it_is_an_instant_hit() {
    let stage = Stage::new();
    let client = stage.client();
    let file = stage.file(0, 1);
    assert_eq!(
        stage.upload(&client, &file).run(None).unwrap().outcome,
        Outcome::Uploaded
    );
    stage.fault(r#"{"operation":"upload","action":{"status":409,"code":-177}}"#);
    let object = stage.upload(&client, &file).run(None).unwrap();
    assert_eq!((object.outcome, object.verified), (Outcome::Instant, true));
}

#[test]
fn connections_are_kept_and_no_more_than_allowed_are_opened() {
    let stage = Stage::new();
    let file = stage.file(40 * MIB, 1);
    stage.upload(&stage.client(), &file).run(None).unwrap();
    let requests = stage.emulator.requests();
    let connections: std::collections::HashSet<_> =
        requests.iter().map(|request| request.connection).collect();
    assert!(
        requests.len() >= 43 && connections.len() <= 16,
        "{} on {}",
        requests.len(),
        connections.len()
    );
    for request in &requests {
        assert!(request.header("expect").is_none() && request.header("transfer-encoding").is_none());
        assert!(request.header("accept-encoding").is_none());
    }
}

#[test]
fn many_uploads_share_one_client() {
    let stage = Stage::new();
    let client = stage.client();
    let file = stage.file(MIB + 3, 1);
    let uploads: Vec<_> = (0..50)
        .map(|number| {
            let upload = client.upload(BUCKET, &format!("many/{number}")).unwrap();
            upload.set_file(&file).unwrap();
            upload.start(None).unwrap();
            upload
        })
        .collect();
    for (number, upload) in uploads.iter().enumerate() {
        upload.wait(None).unwrap();
        let object = stage.emulator.object(BUCKET, &format!("many/{number}")).unwrap();
        assert!(object == std::fs::read(&file).unwrap());
    }
}

#[test]
fn progress_rises_to_the_total_and_names_its_phases() {
    let stage = Stage::new();
    let file = stage.file(9 * MIB, 1);
    let mut seen: Vec<Progress> = Vec::new();
    let mut watch = |progress: &Progress| {
        seen.push(*progress);
        0
    };
    stage
        .upload(&stage.client(), &file)
        .run(Some(&mut watch))
        .unwrap();
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].acknowledged <= pair[1].acknowledged)
    );
    let last = seen.last().unwrap();
    assert_eq!(
        (last.phase, last.acknowledged, last.slices_done),
        (Phase::Done, 9 * MIB, 9)
    );
    assert!(seen.iter().all(|progress| progress.total == 9 * MIB));
}

#[test]
fn inspection_tells_none_unfinished_and_complete_apart() {
    let stage = Stage::new();
    let client = stage.client();
    assert!(matches!(client.inspect(BUCKET, PATH).unwrap(), Inspection::None));

    stage.fault(
        r#"{"operation":"upload_slice_data","offset":1048576,"action":{"status":403,"code":-97},"times":0}"#,
    );
    let file = stage.file(3 * MIB, 1);
    assert_eq!(
        stage.upload(&client, &file).run(None).unwrap_err().status,
        Status::Credentials
    );
    match client.inspect(BUCKET, PATH).unwrap() {
        Inspection::Unfinished {
            size,
            received,
            slices,
        } => {
            assert_eq!(size, 3 * MIB);
            assert_eq!(Some(received), slices.map(|slices| slices * MIB));
            assert!(received < size);
        }
        other => panic!("{other:?}"),
    }

    stage.emulator.clear_faults();
    let object = stage.upload(&client, &file).run(None).unwrap();
    match client.inspect(BUCKET, PATH).unwrap() {
        Inspection::Complete { size, sha1 } => {
            assert_eq!(
                (size, sha1),
                (Some(3 * MIB), object.sha.map(|sha| sha.to_string()))
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_keys_wrong_buckets_and_closed_ports_say_what_to_do() {
    let stage = Stage::new();
    let file = stage.file(MIB, 1);

    let mut config = stage.config();
    config.signer = SecretKey::new("1251668577", "AKIDtest", "not-the-key")
        .unwrap()
        .into();
    let error = stage
        .upload(&Client::new(config).unwrap(), &file)
        .run(None)
        .unwrap_err();
    assert_eq!(error.status, Status::Credentials, "{error}");
    assert!(!error.message.contains("not-the-key"));
    assert_eq!(stage.count("upload_slice_init"), 2, "signed anew once");

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut config = stage.config();
    config.endpoint = Endpoint::parse(&format!("http://{address}")).unwrap();
    let error = stage
        .upload(&Client::new(config).unwrap(), &file)
        .run(None)
        .unwrap_err();
    assert_eq!(error.status, Status::Connect, "{error}");
    assert!(error.message.contains("endpoint"), "{error}");
}

#[test]
fn no_debug_text_of_a_configuration_shows_a_secret() {
    let mut config = Stage::new().config();
    config.signer = SecretKey::new("1251668577", "AKIDtest", "planted-key")
        .unwrap()
        .into();
    config.proxy = Some("http://user:planted-password@127.0.0.1:3128".into());
    let text = format!("{config:?}");
    assert!(text.contains("127.0.0.1") && !text.contains("planted"), "{text}");
}

#[test]
fn sources_that_are_no_regular_files_are_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let client = stage.client();
    let fifo = stage.folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    for path in [
        stage.folder.path().to_path_buf(),
        stage.folder.path().join("absent"),
        fifo,
        "/dev/null".into(),
    ] {
        let error = stage.upload(&client, &path).run(None).unwrap_err();
        assert_eq!(error.status, Status::FileOpen, "{path:?}: {error}");
    }
    assert!(stage.emulator.requests().is_empty());
}

#[test]
fn a_source_above_the_services_limit_is_refused_before_anything_is_sent() {
    let stage = Stage::new();
    let path = stage.folder.path().join("sparse");
    std::fs::File::create(&path)
        .unwrap()
        .set_len((64 << 30) + 1)
        .unwrap();
    let error = stage.upload(&stage.client(), &path).run(None).unwrap_err();
    assert_eq!(error.status, Status::TooLarge);
    assert!(stage.emulator.requests().is_empty());
}

#[test]
fn a_run_ends_though_another_thread_waits_for_it_and_is_told_first() {
    let stage = Stage::new();
    let upload = Arc::new(stage.upload(&stage.client(), &stage.file(MIB, 1)));
    let (done, over) = mpsc::channel();
    let runner = Arc::clone(&upload);
    thread::spawn(move || {
        let mut waited = None;
        // The first call lasts until the other thread has been told.
        let mut progress = |_: &Progress| {
            waited.get_or_insert_with(|| {
                let waiter = Arc::clone(&runner);
                thread::spawn(move || waiter.wait(None)).join().unwrap()
            });
            0
        };
        let ran = runner.run(Some(&mut progress));
        let _ = done.send((ran, waited));
    });
    let (ran, waited) = over.recv_timeout(Duration::from_secs(60)).expect("it hangs");
    let waited = waited.expect("progress is told").unwrap();
    assert_eq!(ran.unwrap().outcome, waited.outcome);
    assert_eq!(upload.progress().phase, Phase::Done);
    upload.run(None).unwrap();
}
