//! Rate limits, measured where the bytes come out.
//!
//! That nothing is too fast is checked for every window of time, however short: a busy machine only makes that slower. How
//! slow it may be is left wide here; the arithmetic's own tests have the narrow bounds, in virtual time.

use std::collections::HashSet;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::Object;
use cos_slice::upload::options::MIN_RATE_LIMIT;
use cos_slice::upload::rate::BURST;
use cos_slice::upload::status::Status;

use crate::operations::{begin, call_of};
use crate::relay::{Arrival, Relay, most_above, total};
use crate::support::{BUCKET, MIB, Stage};

/// More than a busy machine needs for what takes no time, and far less than a slice takes at the lowest rate.
const HANG_GUARD: Duration = Duration::from_secs(60);

/// What a connection may have been granted and not have sent when its thread had to let others run.
const PIECE: Duration = Duration::from_millis(10);

struct Ground {
    stage: Stage,
    relay: Relay,
}

impl Ground {
    fn new() -> Self {
        Self::with(false)
    }

    fn with(tls: bool) -> Self {
        let stage = Stage::with(|config| config.tls = tls);
        let relay = Relay::to(stage.emulator.address());
        Self { stage, relay }
    }

    /// A client that goes through the relay.
    fn config(&self, connections: u32) -> ClientConfig {
        let scheme = match self.stage.emulator.ca_pem() {
            Some(_) => "https",
            None => "http",
        };
        ClientConfig {
            endpoint: Endpoint::parse(&format!("{scheme}://{}", self.relay.address())).unwrap(),
            ca_pem: self.stage.emulator.ca_pem().map(|pem| pem.as_bytes().to_vec()),
            connections: connections.into(),
            ..self.stage.config()
        }
    }

    fn client(&self, connections: u32, rate_limit: Option<u64>) -> Client {
        let config = self.config(connections);
        Client::new(ClientConfig { rate_limit, ..config }).unwrap()
    }

    /// An upload of so many bytes without a hash.
    fn upload(&self, client: &Client, bytes: u64) -> Upload {
        let upload = self.stage.upload(client, &self.stage.file(bytes, 1));
        upload.set_options(|options| options.hash = false).unwrap();
        upload
    }
}

/// Fails where more came in any window than the rate allows for its time, and the burst.
fn assert_within(rate: u64, connections: u32, arrivals: &[Arrival]) {
    let slack = BURST + PIECE * connections;
    // Of TLS come the handshakes, too, and a little with each record.
    let most = rate as f64 * slack.as_secs_f64() + 4096.0 * f64::from(connections);
    let above = most_above(arrivals, rate + rate / 100);
    assert!(
        above <= most,
        "{above:.0} bytes more than {rate} per second allow in some window"
    );
}

/// Waits for an upload that was started.
fn end_of(upload: &Upload) -> Result<Object, Error> {
    upload.wait(Some(HANG_GUARD))
}

/// Runs an upload of two seconds under the limits, and looks at every window.
fn check(tls: bool, connections: u32, of_client: Option<u64>, of_upload: Option<u64>) {
    let ground = Ground::with(tls);
    let client = ground.client(connections, of_client);
    let rate = of_client.into_iter().chain(of_upload).min().unwrap();
    let upload = ground.upload(&client, 2 * rate);
    upload.set_rate_limit(of_upload).unwrap();
    let begun = Instant::now();
    upload.run(None).unwrap();
    let took = begun.elapsed();
    let arrivals = ground.relay.arrivals();
    let reached = total(&arrivals) as f64 / took.as_secs_f64() / rate as f64;
    println!("tls {tls}, {connections} connections, {of_client:?} {of_upload:?}: {reached:.3} of the rate");
    assert_within(rate, connections, &arrivals);
    assert!(reached <= 1.03, "{reached:.3} of the rate");
    assert!(reached >= 0.1, "{reached:.3} of the rate");
}

#[test]
fn a_client_keeps_to_its_limit_on_one_connection() {
    check(false, 1, Some(2_000_000), None);
}

#[test]
fn a_client_keeps_to_its_limit_on_several_connections() {
    check(false, 8, Some(20_000_000), None);
}

#[test]
fn an_upload_keeps_to_its_limit_on_one_connection() {
    check(false, 1, None, Some(20_000_000));
}

#[test]
fn an_upload_keeps_to_its_limit_on_several_connections() {
    check(false, 8, None, Some(2_000_000));
}

#[test]
fn where_there_are_two_limits_both_hold() {
    check(false, 4, Some(10_000_000), Some(2_000_000));
    check(false, 4, Some(2_000_000), Some(10_000_000));
}

#[test]
fn limits_hold_over_tls() {
    check(true, 4, Some(5_000_000), None);
}

#[test]
fn uploads_share_their_client_s_limit_and_none_is_left_out() {
    const RATE: u64 = 4_000_000;
    let ground = Ground::new();
    let client = ground.client(4, Some(RATE));
    let file = ground.stage.file(MIB, 1);
    let uploads: Vec<_> = (0..6)
        .map(|number| {
            let upload = client.upload(BUCKET, &format!("shared/{number}")).unwrap();
            upload.set_file(&file).unwrap();
            upload.start(None).unwrap();
            upload
        })
        .collect();
    for upload in &uploads {
        end_of(upload).unwrap();
    }
    assert_within(RATE, 4, &ground.relay.arrivals());
}

#[test]
fn a_limit_that_is_lifted_lets_go_at_once_who_waits_for_it() {
    for of_upload in [false, true] {
        let ground = Ground::new();
        let client = ground.client(8, Some(MIN_RATE_LIMIT).filter(|_| !of_upload));
        let upload = ground.upload(&client, 16 * MIB);
        upload
            .set_rate_limit(Some(MIN_RATE_LIMIT).filter(|_| of_upload))
            .unwrap();
        upload.start(None).unwrap();
        ground.relay.wait_for(2000);
        // From another thread than the one that has set it.
        thread::scope(|scope| {
            scope.spawn(|| match of_upload {
                true => upload.set_rate_limit(None).unwrap(),
                false => client.set_rate_limit(None).unwrap(),
            });
        });
        assert_eq!(end_of(&upload).unwrap().retries, 0);
    }
}

/// Each of the first upload's slices would take a quarter of an hour.
#[test]
fn an_upload_with_a_limit_of_its_own_leaves_connections_to_the_others() {
    let ground = Ground::new();
    let client = ground.client(4, None);
    let limited = ground.upload(&client, 16 * MIB);
    limited.set_rate_limit(Some(MIN_RATE_LIMIT)).unwrap();
    limited.start(None).unwrap();
    ground.relay.wait_for(2000);
    let other = client.upload(BUCKET, "another/path").unwrap();
    other.set_file(ground.stage.file(8 * MIB, 2)).unwrap();
    other.start(None).unwrap();
    end_of(&other).unwrap();
    limited.set_rate_limit(None).unwrap();
    end_of(&limited).unwrap();
}

/// What each connection brings is far below the limit, since the server takes its time.
#[test]
fn an_upload_with_a_limit_of_its_own_takes_the_connections_that_it_needs() {
    let ground = Ground::new();
    ground
        .stage
        .fault(r#"{"operation":"upload_slice_data","times":0,"action":{"delay_ms":100}}"#);
    let upload = ground.upload(&ground.client(8, None), 32 * MIB);
    upload.set_rate_limit(Some(1 << 30)).unwrap();
    upload.run(None).unwrap();
    let requests = ground.stage.emulator.requests();
    let connections: HashSet<_> = requests.iter().map(|request| request.connection).collect();
    assert!(connections.len() > 2, "{} connections", connections.len());
}

#[test]
fn a_lower_limit_that_the_progress_callback_sets_holds_from_then_on() {
    const LOWER: u64 = 2_000_000;
    let ground = Ground::new();
    let client = ground.client(4, Some(8_000_000));
    let upload = ground.upload(&client, 8 * MIB);
    let mut lowered = None;
    let mut progress = |progress: &cos_slice::upload::progress::Progress| {
        if progress.acknowledged > 0 && lowered.is_none() {
            client.set_rate_limit(Some(LOWER)).unwrap();
            lowered = Some(Instant::now());
        }
        0
    };
    upload.run(Some(&mut progress)).unwrap();
    let lowered = lowered.expect("there is progress before the end");
    let arrivals = ground.relay.arrivals();
    let since: Vec<_> = arrivals
        .into_iter()
        .filter(|arrival| arrival.after >= lowered)
        .collect();
    assert!(total(&since) > MIB, "too little was left to tell anything");
    assert_within(LOWER, 4, &since);
}

#[test]
fn a_limit_that_is_refused_leaves_the_one_that_holds() {
    let ground = Ground::new();
    let client = ground.client(4, Some(2_000_000));
    let upload = ground.upload(&client, 2 * MIB);
    for wrong in [0, MIN_RATE_LIMIT - 1, (1 << 53) + 1] {
        let error = client.set_rate_limit(Some(wrong)).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
        assert!(error.message.contains("rate_limit: "), "{error}");
        let error = upload.set_rate_limit(Some(wrong)).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
    }
    upload.run(None).unwrap();
    assert_within(2_000_000, 4, &ground.relay.arrivals());
}

#[test]
fn cancelling_ends_the_wait_for_the_limit_and_leaves_nobody_in_the_way() {
    let ground = Ground::new();
    let client = ground.client(8, Some(MIN_RATE_LIMIT));
    let cancelled = ground.upload(&client, 16 * MIB);
    cancelled.start(None).unwrap();
    ground.relay.wait_for(2000);
    cancelled.cancel();
    assert_eq!(end_of(&cancelled).unwrap_err().status, Status::Cancelled);
    // Still with a limit: what the cancelled one had of the queue would hold it up.
    client.set_rate_limit(Some(20_000_000)).unwrap();
    let next = client.upload(BUCKET, "another/path").unwrap();
    next.set_file(ground.stage.file(3 * MIB, 2)).unwrap();
    next.start(None).unwrap();
    end_of(&next).unwrap();
}

#[test]
fn the_deadline_of_an_upload_ends_the_wait_for_the_limit() {
    let ground = Ground::new();
    let upload = ground.upload(&ground.client(2, Some(MIN_RATE_LIMIT)), 2 * MIB);
    upload
        .set_options(|options| options.deadline = Some(Duration::from_secs(1)))
        .unwrap();
    upload.start(None).unwrap();
    assert_eq!(end_of(&upload).unwrap_err().status, Status::Deadline);
}

#[test]
fn a_refusal_that_comes_while_the_limit_is_waited_for_is_heard() {
    let ground = Ground::new();
    ground
        .stage
        .fault(r#"{"operation":"upload_slice_data","times":0,"action":{"early":{"status":403,"code":-63}}}"#);
    let upload = ground.upload(&ground.client(1, Some(10 * MIN_RATE_LIMIT)), MIB);
    upload.start(None).unwrap();
    let error = end_of(&upload).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::Credentials, Some(-63)),
        "{error}"
    );
}

#[test]
fn waiting_for_the_limit_is_no_stall() {
    let ground = Ground::new();
    let mut config = ground.config(64);
    config.rate_limit = Some(MIN_RATE_LIMIT);
    // Far less than each of the connections waits for its turn.
    config.timeouts.stall = Duration::from_millis(100);
    let client = Client::new(config).unwrap();
    let upload = ground.upload(&client, 64 * MIB / 2);
    upload
        .set_options(|options| options.slice_size = MIB / 2)
        .unwrap();
    upload.start(None).unwrap();
    ground.relay.wait_for(3000);
    client.set_rate_limit(None).unwrap();
    assert_eq!(end_of(&upload).unwrap().retries, 0);
}

#[test]
fn what_is_repeated_counts_as_it_is_sent_and_no_more() {
    const RATE: u64 = 3_000_000;
    let ground = Ground::new();
    ground
        .stage
        .fault(r#"{"operation":"upload_slice_data","times":4,"action":{"status":500,"code":-195}}"#);
    let upload = ground.upload(&ground.client(4, Some(RATE)), 4 * MIB);
    let object = upload.run(None).unwrap();
    assert_eq!(object.retries, 4);
    let arrivals = ground.relay.arrivals();
    assert!(total(&arrivals) >= 8 * MIB, "{} bytes", total(&arrivals));
    assert_within(RATE, 4, &arrivals);
}

#[test]
fn of_requests_that_are_refused_early_only_what_was_sent_is_charged() {
    let ground = Ground::new();
    ground.stage.fault(
        r#"{"operation":"upload_slice_data","times":0,"action":{"early":{"status":500,"code":-195}}}"#,
    );
    // Nine slices, had they been sent or charged, would take as many minutes.
    let upload = ground.upload(&ground.client(1, Some(20_000)), MIB);
    upload.start(None).unwrap();
    let error = end_of(&upload).unwrap_err();
    assert_eq!(
        (error.status, error.place.attempts),
        (Status::ServerFailed, 10),
        "{error}"
    );
}

#[test]
fn requests_by_themselves_keep_to_their_client_s_limit() {
    const RATE: u64 = 1_000_000;
    let ground = Ground::new();
    let client = ground.client(2, Some(RATE));
    let call = Arc::new(call_of(&client, &ground.stage.file(2 * MIB, 1)));
    begin(&call);
    let before = ground.relay.arrivals().len();
    call.slice(0, MIB).unwrap();
    call.slice(MIB, MIB).unwrap();
    call.finish().unwrap();
    let arrivals = &ground.relay.arrivals()[before..];
    assert!(total(arrivals) > 2 * MIB);
    assert_within(RATE, 2, arrivals);
}
