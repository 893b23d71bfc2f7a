//! Signers that take their time: who is held up by them, and what is allowed inside.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cos_slice::engine::client::Client;
use cos_slice::engine::handle::Upload;
use cos_slice::upload::status::Status;

use crate::app_server::{AppServer, HANG_GUARD, client, config, sign, upload_to};
use crate::support::{MIB, PATH, Stage};

#[test]
fn signers_that_block_take_half_of_the_workers_and_other_uploads_go_on() {
    for connections in [2_u32, 8] {
        let (stage, server) = (Stage::new(), AppServer::gated());
        let mut config = config(&stage, &server);
        config.connections = connections.into();
        config.retry.attempts = u32::MAX;
        let client = Client::new(config).unwrap();
        // Its slices get nowhere until the others are inside the signer.
        stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"status":503,"code":-71}}"#);
        let free = upload_to(&client, PATH, 10 * MIB);
        free.start(None).unwrap();
        server.wait_until_asked(1);
        let blocked: Vec<_> = (0..2 * connections)
            .map(|number| {
                let upload = upload_to(&client, &format!("blocked/{number}"), MIB);
                upload.start(None).unwrap();
                upload
            })
            .collect();
        let half = connections as usize / 2;
        server.wait_until_asked(1 + half);
        stage.emulator.clear_faults();
        free.wait(Some(HANG_GUARD)).unwrap();
        assert_eq!(
            (server.inside(), server.count()),
            (half, 1 + half),
            "{connections} connections"
        );
        server.open();
        for upload in blocked {
            upload.wait(Some(HANG_GUARD)).unwrap();
        }
    }
}

#[test]
fn with_one_connection_a_signer_that_blocks_holds_up_its_own_client_and_no_other() {
    let (stage, server) = (Stage::new(), AppServer::gated());
    let mut config = config(&stage, &server);
    config.connections = 1.into();
    let client = Client::new(config.clone()).unwrap();
    let blocked = upload_to(&client, "blocked/1", MIB);
    blocked.start(None).unwrap();
    server.wait_until_asked(1);
    upload_to(&Client::new(config).unwrap(), PATH, 3 * MIB)
        .run(None)
        .unwrap();
    assert_eq!(server.inside(), 1);
    server.open();
    blocked.wait(Some(HANG_GUARD)).unwrap();
}

#[test]
fn a_cancel_is_heard_when_the_signer_returns_and_what_it_said_is_not_used() {
    let (stage, server) = (Stage::new(), AppServer::gated());
    let upload = upload_to(&client(&stage, &server), "blocked/1", MIB);
    upload.start(None).unwrap();
    server.wait_until_asked(1);
    upload.cancel();
    let error = upload.wait(Some(Duration::from_millis(100))).unwrap_err();
    assert_eq!(error.status, Status::StillRunning, "{error}");
    server.open();
    let error = upload.wait(Some(HANG_GUARD)).unwrap_err();
    assert_eq!(error.status, Status::Cancelled, "{error}");
    assert!(stage.emulator.requests().is_empty());
    upload.run(None).unwrap();
}

#[test]
fn inside_a_signer_nothing_that_waits_is_allowed_and_handles_may_go() {
    let stage = Stage::new();
    let held: Arc<Mutex<Option<(Client, Upload)>>> = Arc::default();
    let told = Arc::new(Mutex::new(Vec::new()));
    let (holder, teller) = (held.clone(), told.clone());
    let server = AppServer::new(move |request| {
        // The test holds the lock until it has put them here.
        let (client, upload) = holder.lock().unwrap().take().unwrap();
        let statuses = [
            upload.run(None).map(drop),
            upload.start(None),
            upload.wait(None).map(drop),
            upload.set_options(|_| ()),
        ];
        teller
            .lock()
            .unwrap()
            .extend(statuses.map(|result| result.unwrap_err().status));
        let _ = upload.progress();
        upload.cancel();
        drop((upload, client));
        // The last handles are gone, and this returns all the same.
        teller.lock().unwrap().push(Status::Ok);
        sign(request)
    });
    let mut holder = held.lock().unwrap();
    let client = client(&stage, &server);
    let upload = upload_to(&client, PATH, MIB);
    upload.start(None).unwrap();
    *holder = Some((client, upload));
    drop(holder);
    server.wait_until_asked(1);
    // The library's threads let go of the signer when they end, which nobody waits for here.
    server.wait_until_let_go();
    let busy = Status::Busy;
    assert_eq!(*told.lock().unwrap(), [busy, busy, busy, busy, Status::Ok]);
    assert!(stage.emulator.requests().is_empty());
}
