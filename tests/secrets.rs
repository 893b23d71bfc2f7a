//! Where a secret could come to light: the records of a logger, a client's own log, errors, and what types show of themselves. Secrets are
//! planted, everything that can be caused is caused, and everything that is said is searched.
//!
//! A test program of its own, because a process has one logger.

#[path = "support/planted.rs"]
mod planted;
#[path = "secrets/signers.rs"]
mod signers;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::thread;
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::log::{Level, Log, LogEntry, Logger};
use cos_slice::engine::source::{Identity, MemorySource, Source};
use cos_slice::protocol::dialect::{Dialect, TokenPlace, Word};
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::options::RetryPolicy;
use cos_slice::upload::status::Status;

const APP_ID: &str = "1251668577";
const SECRET_ID: &str = "AKIDtest";
const SECRET_KEY: &str = "PlantedSecretKey0123456789abcdef";
const PASSWORD: &str = "PlantedPassword0123456789";
/// The beginning of `user:` and the password in Base64.
const LOGIN: &str = "dXNlcjpQbGFudGVk";
const BUCKET: &str = "videos";
/// The answer to a deletion.
const DELETED: &str = r#"{"code":0,"message":"SUCCESS","data":{}}"#;
/// What a store's form field and its header hold.
const FIELD: &str = "PlantedField0123456789";
const HEADER: &str = "PlantedHeader0123456789";

/// Everything that clients told their logs.
static ENTRIES: Mutex<String> = Mutex::new(String::new());

/// A client's own log.
struct Keeper;

impl Log for Keeper {
    fn log(&self, entry: &LogEntry<'_>) {
        let mut entries = ENTRIES.lock().unwrap_or_else(PoisonError::into_inner);
        entries.push_str(&format!("{entry:?}\n"));
    }
}

/// What clients told their logs since this was asked before.
fn entries() -> String {
    std::mem::take(&mut ENTRIES.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Everything that was logged.
static RECORDS: Mutex<Vec<(String, String)>> = Mutex::new(Vec::new());

struct Recorder;

impl log::Log for Recorder {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = (record.target().to_owned(), record.args().to_string());
        RECORDS.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    fn flush(&self) {}
}

/// One test at a time, with a log of its own: what a server says is logged, and some of these here say secrets on purpose.
fn alone() -> MutexGuard<'static, ()> {
    static ONCE: Once = Once::new();
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    ONCE.call_once(|| {
        log::set_logger(&Recorder).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    RECORDS.lock().unwrap_or_else(PoisonError::into_inner).clear();
    entries();
    alone
}

/// What was logged, as it was, and again as the bytes that dumps show at the end of each record, 16 at a time.
fn logged() -> [String; 2] {
    let records = RECORDS.lock().unwrap_or_else(PoisonError::into_inner);
    let whole: String = records.iter().map(|(_, text)| format!("{text}\n")).collect();
    let dumped = records
        .iter()
        .filter(|(target, _)| target.starts_with("ureq_proto"));
    let dumped = dumped.map(|(_, text)| text.get(text.len().saturating_sub(16)..).unwrap_or_default());
    [whole, dumped.collect()]
}

struct Stage {
    emulator: Emulator,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.secret_key = SECRET_KEY.to_owned();
        Self {
            emulator: Emulator::start(config).unwrap(),
            _folder: folder,
        }
    }

    fn signatures(&self) -> Vec<String> {
        planted::signatures(&self.emulator, &key(), BUCKET)
    }
}

fn key() -> SecretKey {
    SecretKey::new(APP_ID, SECRET_ID, SECRET_KEY).unwrap()
}

fn config(endpoint: &str) -> ClientConfig {
    let mut config = ClientConfig::new(Endpoint::parse(endpoint).unwrap(), key());
    config.retry = RetryPolicy {
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(1),
        attempts: 2,
        ..RetryPolicy::default()
    };
    let (level, log) = (Level::Debug, Arc::new(Keeper));
    config.log = Some(Logger { level, log });
    config.timeouts.answer = Duration::from_secs(2);
    config.timeouts.resolve = Duration::from_secs(2);
    config
}

/// The dialects of stores that put the token anywhere, each with a field and a header of its own.
fn dialects() -> Vec<Dialect> {
    let word = TokenPlace::HeaderAfterWord(Word::new("COS").unwrap());
    let dialects = [TokenPlace::Header, word, TokenPlace::Query].map(|token| {
        let mut dialect = Dialect::default();
        dialect.add_form_field("tenant", FIELD).unwrap();
        dialect.add_header("X-Store", HEADER).unwrap();
        dialect.slice_md5 = true;
        dialect.token = token;
        dialect
    });
    dialects.into()
}

fn percent_encoded(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

fn upload(config: ClientConfig, source: impl Source + 'static) -> Result<String, Error> {
    let client = Client::new(config)?;
    let upload = client.upload(BUCKET, "some/path")?;
    upload.set_source(Arc::new(source))?;
    upload.set_options(|options| {
        options.overwrite = true;
        options.discard_unfinished = true;
    })?;
    upload.run(None).map(|object| format!("{object:?}"))
}

fn three_slices() -> MemorySource {
    MemorySource::new((0..3 << 20).map(|byte: u32| byte as u8).collect::<Vec<_>>())
}

/// All that an error, or a result, says.
fn words(result: Result<String, Error>) -> String {
    match result {
        Ok(object) => object,
        Err(error) => format!("{error} {error:?}"),
    }
}

fn assert_silent(text: &str, signatures: &[String], where_it_was: &str) {
    let secrets = [SECRET_KEY, PASSWORD, LOGIN, FIELD, HEADER];
    planted::assert_silent(text, &secrets, signatures, where_it_was);
    let encoded: Vec<String> = signatures
        .iter()
        .map(|signature| percent_encoded(signature))
        .collect();
    planted::assert_silent(text, &[], &encoded, where_it_was);
}

#[test]
fn no_record_of_a_logger_at_its_finest_level_has_a_secret() {
    let _alone = alone();
    let stage = Stage::new();
    let mut texts = Vec::new();
    let all_dialects = dialects();
    let mut dialects = all_dialects.iter().cycle().cloned();
    for fault in [
        r#"{"operation":"stat","action":{"delay_ms":1}}"#,
        r#"{"operation":"upload_slice_data","action":{"reset":"during_body"}}"#,
        r#"{"operation":"upload_slice_finish","action":{"lost_answer":true}}"#,
        r#"{"operation":"upload_slice_init","times":0,"action":{"status":403,"code":-97}}"#,
        r#"{"operation":"upload_slice_init","times":0,"action":{"status":500,"code":-195}}"#,
        r#"{"operation":"upload_slice_init","times":0,"action":{"early":{"status":403,"code":-63}}}"#,
    ] {
        stage.emulator.add_fault(Fault::from_json(fault).unwrap());
        let mut config = config(&stage.emulator.endpoint());
        config.dialect = dialects.next().unwrap();
        texts.push(words(upload(config, three_slices())));
        stage.emulator.clear_faults();
    }
    let signatures = stage.signatures();
    assert!(signatures.len() >= 12, "{} requests", signatures.len());
    let requests = stage.emulator.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.header("x-store") == Some(HEADER))
    );
    assert!(
        requests
            .iter()
            .any(|request| request.field("tenant") == Some(FIELD))
    );
    assert!(requests.iter().any(|request| {
        request
            .query
            .as_ref()
            .is_some_and(|query| query.contains("sign="))
    }));

    let [whole, dumped] = logged();
    assert!(
        dumped.contains("POST./files/v2/1251668577/videos/some/path.HTTP/1.1"),
        "the logger sees heads"
    );
    for (text, name) in [(&whole, "the log"), (&dumped, "the log's dumps")] {
        assert_silent(text, &signatures, name);
    }
    for text in texts {
        assert_silent(&text, &signatures, "a result");
    }
    let entries = entries();
    for part in [
        "upload_slice_init",
        "HTTP 200",
        "code -97",
        "level: Warning",
        "level: Error",
        "request id",
    ] {
        assert!(entries.contains(part), "no {part} in: {entries}");
    }
    assert_silent(&entries, &signatures, "a client's log");
    // A session goes on with an upload, so it is nobody's business.
    for session in requests.iter().filter_map(|request| request.session.as_ref()) {
        assert!(!entries.contains(session.as_str()), "{session} in: {entries}");
    }
}

/// A server that answers each request with a part of that request, and what it was sent as `Authorization`, or as `sign`.
fn echoing(answer: fn(head: &str, authorization: &str) -> String) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let seen_there = Arc::clone(&seen);
    thread::spawn(move || {
        // Ends when the test's process does.
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|count| count == 1) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head);
            let line = |what: &str| head.lines().find_map(|line| line.split_once(what));
            let header = line("uthorization: ").map(|(_, value)| value);
            let query = line("sign=").and_then(|(_, rest)| rest.split_once(' '));
            let authorization = header.or(query.map(|(value, _)| value)).unwrap_or_default();
            seen_there.lock().unwrap().push(authorization.to_owned());
            let _ = stream.write_all(answer(&head, authorization).as_bytes());
            // What is still being sent is read, or it would be a reset.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        }
    });
    (address, seen)
}

fn with_length(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[test]
fn no_error_has_a_secret_though_the_server_says_it() {
    let _alone = alone();
    let answers: [fn(&str, &str) -> String; 11] = [
        |_, _| {
            with_length(
                "400 Bad Request",
                "",
                &format!(r#"{{"code":-1,"message":"tenant {FIELD}"}}"#),
            )
        },
        |_, _| {
            with_length(
                "502 Bad Gateway",
                &format!("x-cos-request-id: {HEADER}\r\n"),
                HEADER,
            )
        },
        |head, _| head.to_owned(),
        |head, _| with_length("400 Bad Request", "", head),
        |head, _| {
            with_length(
                "400 Bad Request",
                "",
                &format!("<html><title>{head}</title></html>"),
            )
        },
        |_, value| {
            with_length(
                "400 Bad Request",
                "",
                &format!(r#"{{"code":-5999,"message":"bad header {value}"}}"#),
            )
        },
        |_, value| {
            with_length(
                "403 Forbidden",
                "",
                &format!(r#"{{"code":-97,"message":"","request_id":"{value}"}}"#),
            )
        },
        |_, value| with_length("502 Bad Gateway", &format!("x-cos-request-id: {value}\r\n"), "no"),
        |_, value| with_length("200 OK", "", &format!(r#"{{"code":0,"data":"{value}"}}"#)),
        |_, value| {
            with_length(
                "400 Bad Request",
                "",
                &format!("<Error><Code>{value}</Code><Message>{value}</Message></Error>"),
            )
        },
        |_, value| format!("HTTP/1.1 200 OK\r\n{value}\r\n\r\n"),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        for dialect in dialects() {
            let (address, seen) = echoing(answer);
            let mut config = config(&format!("http://{address}"));
            config.dialect = dialect;
            let place = config.dialect.token.clone();
            let result = upload(config, three_slices());
            let error = result.expect_err("no answer of these is a success");
            let signatures = seen.lock().unwrap().clone();
            assert!(
                signatures.iter().any(|signature| signature.len() > 100),
                "it was sent"
            );
            let plain = signatures.iter().map(|signature| {
                let plain = signature.replace("%2B", "+").replace("%2F", "/");
                plain.replace("%3D", "=").trim_start_matches("COS ").to_owned()
            });
            let (plain, name) = (plain.collect::<Vec<_>>(), format!("error {number}, {place:?}"));
            assert_silent(&words(Err(error)), &plain, &name);
            let entries = entries();
            assert!(entries.contains("level: Debug"), "{name}: {entries}");
            assert_silent(&entries, &plain, &format!("the log of {name}"));
        }
    }
}

#[test]
fn no_log_has_a_secret_that_comes_back_as_the_name_of_a_request_that_was_answered() {
    let _alone = alone();
    let answers: [fn(&str, &str) -> String; 2] = [
        |_, value| with_length("200 OK", &format!("x-cos-request-id: {value}\r\n"), DELETED),
        |_, _| with_length("200 OK", &format!("x-cos-request-id: a{HEADER}\r\n"), DELETED),
    ];
    for answer in answers {
        for dialect in dialects() {
            let (address, seen) = echoing(answer);
            let mut config = config(&format!("http://{address}"));
            config.dialect = dialect;
            Client::new(config)
                .unwrap()
                .call(BUCKET, "some/path")
                .unwrap()
                .delete()
                .unwrap();
            let signature = seen.lock().unwrap()[0].trim_start_matches("COS ").to_owned();
            let entries = entries();
            assert!(entries.contains("HTTP 200") && signature.len() > 100, "{entries}");
            assert_silent(&entries, &[signature], "a client's log");
        }
    }
}

#[test]
fn no_error_has_a_session_though_the_server_says_it() {
    const SESSION: &str = "PlantedSession0123456789";
    let _alone = alone();
    let (address, _) = echoing(|_, _| {
        let body = format!(r#"{{"code":-290,"message":"no session {SESSION}"}}"#);
        with_length("400 Bad Request", "", &body)
    });
    let client = Client::new(config(&format!("http://{address}"))).unwrap();
    let call = client.call(BUCKET, "some/path").unwrap();
    call.set_settings(|settings| (settings.size, settings.session) = (Some(9), Some(SESSION.into())))
        .unwrap();
    let error = call.finish().unwrap_err();
    assert!(error.message.contains("no session [session]"), "{error}");
    for text in [words(Err(error)), entries()] {
        assert!(!text.contains(SESSION), "{text}");
    }
}

#[test]
fn no_error_has_the_proxys_password_whatever_the_proxy_says() {
    let _alone = alone();
    let answers: [fn(&str, &str) -> String; 3] = [
        |_, _| "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".to_owned(),
        |_, value| format!("HTTP/1.1 403 {value}\r\n\r\n"),
        |head, _| head.to_owned(),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let (address, seen) = echoing(answer);
        let mut config = config("http://store.example");
        config.proxy = Some(format!("http://user:{PASSWORD}@{address}"));
        assert_silent(&format!("{config:?}"), &[], "a configuration");
        let error = upload(config, three_slices()).unwrap_err();
        let told = seen.lock().unwrap().join(" ");
        assert!(told.contains(LOGIN), "the proxy was told the password: {told}");
        assert_eq!(error.status, Status::Connect, "{error}");
        assert_silent(&words(Err(error)), &[], &format!("error {number}"));
        let entries = entries();
        assert!(entries.contains("the proxy"), "{entries}");
        assert_silent(&entries, &[], &format!("the log of error {number}"));
    }
    for wrong in ["socks5://user:", "ftp://user:", "http://user:", "user:"] {
        let mut config = config("http://store.example");
        config.proxy = Some(format!("{wrong}{PASSWORD}@host:99999"));
        let error = upload(config, three_slices()).expect_err(wrong);
        assert_eq!(error.status, Status::InvalidArgument, "{wrong}: {error}");
        assert_silent(&words(Err(error)), &[], wrong);
    }
}

/// A source that panics with a text when it is read.
struct Panicking;

impl Source for Panicking {
    fn size(&self) -> u64 {
        100
    }

    fn read_at(&self, _: u64, _: &mut [u8]) -> std::io::Result<usize> {
        panic!("a panic that the test wants")
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn no_other_failure_and_no_type_shows_a_secret() {
    let _alone = alone();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed_address = closed.local_addr().unwrap();
    drop(closed);
    let stage = Stage::new();
    let endpoint = stage.emulator.endpoint();
    let mut failures = vec![
        (
            upload(config(&format!("http://{closed_address}")), three_slices()),
            Status::Connect,
        ),
        (
            upload(config("http://does-not-exist.invalid"), three_slices()),
            Status::Resolve,
        ),
        (
            upload(config(&endpoint.replace("http://", "https://")), three_slices()),
            Status::Tls,
        ),
        (upload(config(&endpoint), Panicking), Status::Panic),
    ];
    stage
        .emulator
        .add_fault(Fault::from_json(r#"{"operation":"*","times":0,"action":{"hang":"before"}}"#).unwrap());
    failures.push((upload(config(&endpoint), three_slices()), Status::TimedOut));
    let mut over_limit = config(&endpoint);
    over_limit.ca_pem = Some(SECRET_KEY.as_bytes().to_vec());
    over_limit.endpoint = Endpoint::parse("https://store.example").unwrap();
    failures.push((upload(over_limit, three_slices()), Status::InvalidArgument));
    let signatures = stage.signatures();
    for (result, status) in failures {
        let error = result.unwrap_err();
        assert_eq!(error.status, status, "{error}");
        assert_silent(&words(Err(error)), &signatures, "an error");
    }
    assert_silent(&entries(), &signatures, "a client's log");

    let userinfo = Endpoint::parse(&format!("https://user:{PASSWORD}@store.example")).unwrap_err();
    assert_silent(&format!("{userinfo} {userinfo:?}"), &[], "an endpoint's error");
    let bad_key = SecretKey::new(APP_ID, SECRET_ID, &format!("{SECRET_KEY}\n")).unwrap_err();
    assert_silent(&format!("{bad_key} {bad_key:?}"), &[], "a key's error");
    let mut config = config(&endpoint);
    for dialect in dialects() {
        config.dialect = dialect;
        assert_silent(&format!("{:?} {config:?}", key()), &[], "a type");
    }
}
