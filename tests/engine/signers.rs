//! Signatures from a callback: when it is asked, for what, and what comes of what it says.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cos_emulator::RequestRecord;
use cos_slice::engine::client::{Client, ClientConfig, Inspection};
use cos_slice::engine::handle::Upload;
use cos_slice::engine::signer::{self, Sign, SignRequest, Signer};
use cos_slice::engine::source::MemorySource;
use cos_slice::protocol::Api;
use cos_slice::protocol::location::Location;
use cos_slice::protocol::signature::{self, Kind, Scope, SecretKey};
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;
use zeroize::Zeroizing;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

const HANG_GUARD: Duration = Duration::from_secs(60);

pub fn key() -> SecretKey {
    SecretKey::new("1251668577", "AKIDtest", "secret").unwrap()
}

/// What a string came to be asked for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    operation: String,
    path: String,
    kind: Kind,
}

type Answer = dyn Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> + Send + Sync;

/// An application's server: signs by its own key, and remembers who asked.
pub struct AppServer {
    answer: Box<Answer>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// How many calls there are for a path now, and the most that there were.
    inside: BTreeMap<String, (usize, usize)>,
    open: bool,
    let_go: bool,
}

/// What a client has of an app server, which notices when the client lets go of it.
struct Lent(Arc<AppServer>);

impl Sign for Lent {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        self.0.sign(request)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.lock().let_go = true;
        self.0.changed.notify_all();
    }
}

impl AppServer {
    fn new(
        answer: impl Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// One that does what it is for.
    fn good() -> Arc<Self> {
        Self::new(sign)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    fn count(&self) -> usize {
        self.lock().asked.len()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), HANG_GUARD, |state| !is_so(state));
        assert!(!waited.unwrap().1.timed_out(), "not {what}");
    }

    fn wait_until_asked(&self, times: usize) {
        self.wait_until(&format!("asked {times} times"), |state| {
            state.asked.len() >= times
        });
    }

    fn wait_until_let_go(&self) {
        self.wait_until("let go of", |state| state.let_go);
    }

    fn inside(&self) -> usize {
        self.lock().inside.values().map(|(now, _)| now).sum()
    }

    /// Lets those go on that wait inside; see [`gated`].
    fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    fn wait_until_open(&self) {
        self.wait_until("opened", |state| state.open);
    }
}

impl AppServer {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        {
            let mut state = self.lock();
            state.asked.push(Asked {
                operation: request.operation.to_owned(),
                path: request.path.to_owned(),
                kind: request.kind,
            });
            let (now, most) = state.inside.entry(request.path.to_owned()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        self.changed.notify_all();
        let answer = (self.answer)(request);
        self.lock().inside.get_mut(request.path).unwrap().0 -= 1;
        answer
    }
}

/// Signs as asked for.
fn sign(request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
    assert_eq!((request.app_id, request.bucket), ("1251668577", BUCKET));
    signer::sign(&key(), Scope::Path, request).map_err(|error| error.to_string())
}

/// Signs for this long, in place of what is asked for.
fn sign_for(seconds: u64) -> impl Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> {
    move |request| {
        let lifetime = Duration::from_secs(seconds);
        sign(&SignRequest { lifetime, ..*request })
    }
}

/// Signs as if it were another time, in seconds from now.
fn sign_at(seconds: i64, lifetime: u64) -> impl Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> {
    move |request| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let location = Location::new(request.app_id, request.bucket, request.path).unwrap();
        Ok(signature::sign(
            &key(),
            request.bucket,
            request.kind,
            &location.file_id(),
            now.checked_add_signed(seconds).unwrap(),
            Duration::from_secs(lifetime),
            7,
        ))
    }
}

fn config(stage: &Stage, server: &Arc<AppServer>) -> ClientConfig {
    let mut config = stage.config();
    config.signer = Signer::callback("1251668577", Arc::new(Lent(server.clone()))).unwrap();
    config
}

fn client(stage: &Stage, server: &Arc<AppServer>) -> Client {
    Client::new(config(stage, server)).unwrap()
}

/// Uploads of one size have the same content.
fn upload_to(client: &Client, path: &str, size: u64) -> Upload {
    let upload = client.upload(BUCKET, path).unwrap();
    let source = MemorySource::new(content(size, size));
    upload.set_source(Arc::new(source)).unwrap();
    upload
}

fn refused(stage: &Stage) -> Vec<i64> {
    let requests = stage.emulator.requests();
    let code = |request: &RequestRecord| request.code.filter(|code| [-59, -96, -97, -77].contains(code));
    requests.iter().filter_map(code).collect()
}

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
    let most = server.lock().inside[PATH].1;
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
    let state = server.lock();
    assert_eq!(state.inside.len(), 12);
    assert!(
        state.inside.values().all(|inside| *inside == (0, 1)),
        "{:?}",
        state.inside
    );
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

/// Uploads below `blocked/` wait inside the signer until it is opened.
fn gated() -> Arc<AppServer> {
    Arc::new_cyclic(|this: &std::sync::Weak<AppServer>| {
        let this = this.clone();
        let answer = move |request: &SignRequest<'_>| {
            if request.path.starts_with("blocked/") {
                this.upgrade().unwrap().wait_until_open();
            }
            sign(request)
        };
        AppServer {
            answer: Box::new(answer),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    })
}

#[test]
fn signers_that_block_take_half_of_the_workers_and_other_uploads_go_on() {
    for connections in [2_u32, 8] {
        let (stage, server) = (Stage::new(), gated());
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
    let (stage, server) = (Stage::new(), gated());
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
    let (stage, server) = (Stage::new(), gated());
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
