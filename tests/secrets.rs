//! Where a secret could come to light: the records of a logger, errors, and what types show of themselves. Secrets are
//! planted, everything that can be caused is caused, and everything that is said is searched.
//!
//! A test program of its own, because a process has one logger.

#[path = "support/planted.rs"]
mod planted;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::signer::{self, Sign, SignRequest, Signer};
use cos_slice::engine::source::{Identity, MemorySource, Source};
use cos_slice::protocol::dialect::{Dialect, TokenPlace, Word};
use cos_slice::protocol::signature::{Kind, Scope, SecretKey};
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::options::RetryPolicy;
use cos_slice::upload::status::Status;
use zeroize::Zeroizing;

const APP_ID: &str = "1251668577";
const SECRET_ID: &str = "AKIDtest";
const SECRET_KEY: &str = "PlantedSecretKey0123456789abcdef";
const PASSWORD: &str = "PlantedPassword0123456789";
/// The beginning of `user:` and the password in Base64.
const LOGIN: &str = "dXNlcjpQbGFudGVk";
const BUCKET: &str = "videos";
/// What a store's form field and its header hold.
const FIELD: &str = "PlantedField0123456789";
const HEADER: &str = "PlantedHeader0123456789";
const PATH: &str = "some/path";

/// The tests go one after another: what a server says back in one would be in another's log.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> std::sync::MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
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

/// A string that is no signature of the service, as stores of other habits may have them.
const AUTHORIZATION: &str = "PlantedAuthorization0123456789abcdef";

/// A callback that signs, or gives a planted string.
struct AppServer {
    is_good: bool,
}

impl Sign for AppServer {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        match self.is_good {
            true => signer::sign(&key(), Scope::Path, request).map_err(|error| error.to_string()),
            false => Ok(Zeroizing::new(AUTHORIZATION.to_owned())),
        }
    }
}

/// Each kind of signer, by the right key.
fn signers() -> [Signer; 3] {
    let request = SignRequest {
        operation: "",
        app_id: APP_ID,
        bucket: BUCKET,
        path: PATH,
        kind: Kind::MultiEffect,
        lifetime: Duration::from_secs(600),
    };
    let made = signer::sign(&key(), Scope::Path, &request).unwrap();
    [
        key().into(),
        Signer::fixed(APP_ID, &made).unwrap(),
        Signer::callback(APP_ID, Arc::new(AppServer { is_good: true })).unwrap(),
    ]
}

/// Signers that give the planted string.
fn planted_signers() -> [Signer; 2] {
    [
        Signer::fixed(APP_ID, AUTHORIZATION).unwrap(),
        Signer::callback(APP_ID, Arc::new(AppServer { is_good: false })).unwrap(),
    ]
}

fn config(endpoint: &str) -> ClientConfig {
    config_of(endpoint, key())
}

fn config_of(endpoint: &str, signer: impl Into<Signer>) -> ClientConfig {
    let mut config = ClientConfig::new(Endpoint::parse(endpoint).unwrap(), signer);
    config.retry = RetryPolicy {
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(1),
        attempts: 2,
        ..RetryPolicy::default()
    };
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
    let upload = client.upload(BUCKET, PATH)?;
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
    let secrets = [SECRET_KEY, PASSWORD, LOGIN, FIELD, HEADER, AUTHORIZATION];
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
    log::set_logger(&Recorder).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
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
        for signer in signers() {
            stage.emulator.add_fault(Fault::from_json(fault).unwrap());
            let mut config = config_of(&stage.emulator.endpoint(), signer);
            config.dialect = dialects.next().unwrap();
            texts.push(words(upload(config, three_slices())));
            stage.emulator.clear_faults();
        }
        // Each signer meets each way of a store in turn.
        dialects.next();
    }
    let signatures = stage.signatures();
    let planted = Stage::new();
    for signer in planted_signers() {
        for dialect in &all_dialects {
            let mut config = config_of(&planted.emulator.endpoint(), signer.clone());
            config.dialect = dialect.clone();
            let error = upload(config, three_slices()).unwrap_err();
            assert_eq!(error.server_code, Some(-97), "{error}");
            texts.push(words(Err(error)));
        }
    }
    assert!(signatures.len() >= 36, "{} requests", signatures.len());
    let requests = stage.emulator.requests();
    let has = |is: fn(&cos_emulator::RequestRecord) -> bool| requests.iter().any(is);
    assert!(has(|request| request.header("x-store") == Some(HEADER)));
    assert!(has(|request| request.field("tenant") == Some(FIELD)));
    assert!(has(|request| {
        let query = request.query.as_ref();
        query.is_some_and(|query| query.contains("sign="))
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
        for signer in signers().into_iter().chain(planted_signers()) {
            for dialect in dialects() {
                let (address, seen) = echoing(answer);
                let mut config = config_of(&format!("http://{address}"), signer.clone());
                config.dialect = dialect;
                let name = format!("error {number} of {signer:?}, {:?}", config.dialect.token);
                let result = upload(config, three_slices());
                let error = result.expect_err("no answer of these is a success");
                let seen = seen.lock().unwrap().clone();
                let plain = seen.iter().map(|signature| {
                    let plain = signature.replace("%2B", "+").replace("%2F", "/");
                    plain.replace("%3D", "=").trim_start_matches("COS ").to_owned()
                });
                let signatures: Vec<_> = plain.collect();
                let is_sent = |sent: &String| sent.len() > 100 || sent == AUTHORIZATION;
                assert!(signatures.iter().any(is_sent), "{name}: it was sent");
                assert_silent(&words(Err(error)), &signatures, &name);
            }
        }
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

    let userinfo = Endpoint::parse(&format!("https://user:{PASSWORD}@store.example")).unwrap_err();
    assert_silent(&format!("{userinfo} {userinfo:?}"), &[], "an endpoint's error");
    let bad_key = SecretKey::new(APP_ID, SECRET_ID, &format!("{SECRET_KEY}\n")).unwrap_err();
    assert_silent(&format!("{bad_key} {bad_key:?}"), &[], "a key's error");
    for dialect in dialects() {
        let mut config = config(&endpoint);
        config.dialect = dialect;
        assert_silent(&format!("{:?} {config:?}", key()), &[], "a type");
    }
    for signer in signers().into_iter().chain(planted_signers()) {
        let shown = format!("{signer:?} {:?}", config_of(&endpoint, signer.clone()));
        assert!(shown.contains(APP_ID), "{shown}");
        assert_silent(&shown, &signatures, "a signer");
    }
    for wrong in [format!("{AUTHORIZATION}\n"), AUTHORIZATION.repeat(300)] {
        let error = Signer::fixed(APP_ID, &wrong).unwrap_err();
        assert_silent(&format!("{error} {error:?}"), &[], "a fixed string's error");
    }
}

#[test]
fn no_checkpoint_has_a_string_that_signs() {
    let _alone = alone();
    let stage = Stage::new();
    stage.emulator.add_fault(
        Fault::from_json(
            r#"{"operation":"upload_slice_data","nth":2,"times":0,"action":{"status":400,"code":-5999}}"#,
        )
        .unwrap(),
    );
    for signer in signers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![7; 3 << 20]).unwrap();
        let mut config = config_of(&stage.emulator.endpoint(), signer);
        config.checkpoint_dir = Some(folder.path().join("checkpoints"));
        let upload = Client::new(config).unwrap().upload(BUCKET, PATH).unwrap();
        upload.set_file(&file).unwrap();
        upload.run(None).unwrap_err();
        let mut kept = 0;
        for entry in std::fs::read_dir(folder.path().join("checkpoints")).unwrap() {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_silent(&text, &stage.signatures(), &path.display().to_string());
            kept += text.len();
        }
        assert!(kept > 100, "{kept} bytes are kept");
    }
}
