//! What a client tells of its work.

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use cos_slice::engine::client::Client;
use cos_slice::engine::log::{Level, Log, LogEntry, Logger};
use cos_slice::engine::signer::{self, Sign, SignRequest, Signer};
use cos_slice::engine::source::{Spool, Stream, of_stream};
use cos_slice::protocol::Api;
use cos_slice::protocol::signature::Scope;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;
use zeroize::Zeroizing;

use crate::support::{BUCKET, MIB, PATH, Stage, content, key};

pub const HANG_GUARD: Duration = Duration::from_secs(60);

/// An entry that was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub level: Level,
    pub message: String,
    pub operation: Option<String>,
    pub offset: Option<u64>,
    attempt: u32,
    server_code: Option<i64>,
    http_status: Option<u16>,
    request_id: Option<String>,
}

type Act = dyn Fn(&Told) + Send + Sync;

/// Remembers what it is told, and does something besides.
pub struct Recorder {
    told: Mutex<Vec<Told>>,
    changed: Condvar,
    act: Box<Act>,
}

impl Log for Recorder {
    fn log(&self, entry: &LogEntry<'_>) {
        assert_eq!((entry.bucket, entry.path), (Some(BUCKET), Some(PATH)));
        let line = entry.message;
        assert!(line.starts_with(&format!("cos://{BUCKET}/{PATH}: ")), "{line}");
        assert!(!line.chars().any(char::is_control), "{line}");
        let told = Told {
            level: entry.level,
            message: line.to_owned(),
            operation: entry.operation.map(str::to_owned),
            offset: entry.offset,
            attempt: entry.attempt,
            server_code: entry.server_code,
            http_status: entry.http_status,
            request_id: entry.request_id.map(str::to_owned),
        };
        self.lock().push(told.clone());
        self.changed.notify_all();
        (self.act)(&told);
    }
}

impl Recorder {
    pub fn new() -> Arc<Self> {
        Self::that(|_| {})
    }

    pub fn that(act: impl Fn(&Told) + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            told: Mutex::default(),
            changed: Condvar::new(),
            act: Box::new(act),
        })
    }

    pub fn lock(&self) -> MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap()
    }

    pub fn of_level(&self, level: Level) -> Vec<Told> {
        let told = self.lock();
        told.iter().filter(|told| told.level == level).cloned().collect()
    }

    /// What was told of a level, without the name before it.
    fn said(&self, level: Level) -> Vec<String> {
        let name = format!("cos://{BUCKET}/{PATH}: ");
        let said = self.of_level(level).into_iter();
        said.map(|told| told.message.strip_prefix(&name).unwrap().to_owned())
            .collect()
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn(&[Told]) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), HANG_GUARD, |told| !is_so(told));
        assert!(!waited.unwrap().1.timed_out(), "not {what}");
    }
}

pub fn client(stage: &Stage, level: Level, log: &Arc<Recorder>) -> Client {
    client_of(stage, Api::default(), level, log)
}

fn client_of(stage: &Stage, api: Api, level: Level, log: &Arc<Recorder>) -> Client {
    let mut config = stage.config();
    config.api = api;
    config.log = Some(Logger {
        level,
        log: log.clone(),
    });
    Client::new(config).unwrap()
}

fn assert_begins(said: &str, beginning: &str) {
    assert!(said.starts_with(beginning), "{said}");
}

#[test]
fn at_the_finest_level_each_request_is_told_between_the_beginning_and_the_end() {
    let stage = Stage::new();
    let log = Recorder::new();
    let mut config = stage.config();
    let level = Level::Debug;
    config.log = Some(Logger {
        level,
        log: log.clone(),
    });
    // So that all goes over one connection.
    config.connections = 1.into();
    let upload = stage.upload(&Client::new(config).unwrap(), &stage.file(3 * MIB + 5, 1));
    upload.run(None).unwrap();
    let all = log.lock().clone();
    assert_begins(&log.said(Level::Info)[0], "begins: 3145733 bytes");
    assert_eq!((all[0].level, all[0].operation.as_deref()), (Level::Info, None));
    let last = all.last().unwrap();
    assert_eq!(last.level, Level::Info);
    let end = log.said(Level::Info).pop().unwrap();
    assert_begins(&end, "uploaded: 3145733 bytes in ");
    assert!(
        end.contains("4 slices sent, 0 bytes were there, 0 requests repeated, verified"),
        "{end}"
    );

    let requests = log.of_level(Level::Debug);
    let mut named: Vec<_> = requests
        .iter()
        .map(|told| (told.operation.clone().unwrap(), told.offset))
        .collect();
    named.sort();
    let slice = |number: u64| ("upload_slice_data".to_owned(), Some(number * MIB));
    let other = |name: &str| (name.to_owned(), None);
    let expected = [
        other("stat"),
        slice(0),
        slice(1),
        slice(2),
        slice(3),
        other("upload_slice_finish"),
        other("upload_slice_init"),
    ];
    assert_eq!(named, expected);
    let ids: HashSet<_> = requests
        .iter()
        .map(|told| told.request_id.clone().unwrap())
        .collect();
    assert_eq!(ids.len(), 7, "each request has its own");
    for told in &requests {
        assert_eq!(
            (told.attempt, told.http_status, told.server_code),
            (1, Some(200), None),
            "{told:?}"
        );
        let id = told.request_id.as_ref().unwrap();
        for part in [": HTTP 200 in ", " connection", id] {
            assert!(told.message.contains(part), "{told:?}");
        }
    }
    assert!(
        requests[0].message.contains("on a new connection"),
        "{requests:?}"
    );
    assert!(
        requests.last().unwrap().message.contains("on a kept connection"),
        "{requests:?}"
    );
    assert_eq!(all.len(), requests.len() + 2);
}

#[test]
fn a_log_of_a_level_has_nothing_that_is_less_important() {
    let stage = Stage::new();
    for (level, entries) in [(Level::Error, 0), (Level::Warning, 0), (Level::Info, 2)] {
        let log = Recorder::new();
        let upload = stage.upload(
            &client(&stage, level, &log),
            &stage.file(MIB, level.number() as u64),
        );
        upload.set_options(|options| options.overwrite = true).unwrap();
        upload.run(None).unwrap();
        assert_eq!(log.lock().len(), entries, "{:?}", log.lock());
    }
}

#[test]
fn a_failed_attempt_that_is_repeated_is_a_warning_with_its_reason_and_the_wait() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"upload_slice_data","offset":1048576,"action":{"status":503,"code":-71}}"#);
    stage.fault(r#"{"operation":"upload_slice_finish","action":{"reset":"before"}}"#);
    let log = Recorder::new();
    let upload = stage.upload(&client(&stage, Level::Warning, &log), &stage.file(3 * MIB, 1));
    assert_eq!(upload.run(None).unwrap().retries, 2);
    let warnings = log.of_level(Level::Warning);
    let [slice, finish] = &warnings[..] else {
        panic!("{warnings:?}")
    };
    assert_eq!(slice.operation.as_deref(), Some("upload_slice_data"));
    assert_eq!((slice.offset, slice.attempt), (Some(MIB), 1));
    assert_eq!((slice.http_status, slice.server_code), (Some(503), Some(-71)));
    assert!(slice.request_id.is_some());
    assert!(
        slice.message.contains("HTTP 503, code -71") && slice.message.contains("; again "),
        "{slice:?}"
    );
    assert_eq!(finish.operation.as_deref(), Some("upload_slice_finish"));
    assert_eq!((finish.offset, finish.http_status), (None, None));
    assert!(
        finish.message.contains(" failed: ") && finish.message.contains("; again "),
        "{finish:?}"
    );
    assert!(
        !finish.message.contains("Check the network"),
        "advice is for those who are asked to act: {finish:?}"
    );
}

#[test]
fn a_failure_is_one_error_in_the_errors_own_words_and_the_last_entry() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"upload_slice_data","times":0,"action":{"status":400,"code":-5999}}"#);
    let log = Recorder::new();
    let upload = stage.upload(&client(&stage, Level::Debug, &log), &stage.file(20 * MIB, 1));
    let error = upload.run(None).unwrap_err();
    let errors = log.of_level(Level::Error);
    let [told] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(told.message, error.message);
    assert_eq!((told.server_code, told.http_status), (Some(-5999), Some(400)));
    assert_eq!(
        (told.operation.as_deref(), told.offset),
        (Some("upload_slice_data"), error.place.offset)
    );
    assert_eq!(told.request_id, error.request_id);
    assert_eq!(log.lock().last().unwrap().level, Level::Error, "{:?}", log.lock());
}

#[test]
fn what_keeps_an_upload_from_beginning_is_an_error_too_and_a_second_run_meanwhile_is_none() {
    let stage = Stage::new();
    let log = Recorder::new();
    let client = client(&stage, Level::Debug, &log);
    let upload = stage.upload(&client, &stage.folder.path().join("absent"));
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::FileOpen);
    let told = log.lock().clone();
    assert_eq!((told.len(), &told[0].message), (1, &error.message));

    stage.fault(r#"{"operation":"upload_slice_init","action":{"hang":"before"}}"#);
    upload.set_file(stage.file(MIB, 1)).unwrap();
    upload.start(None).unwrap();
    assert_eq!(upload.run(None).unwrap_err().status, Status::Busy);
    upload.cancel();
    assert_eq!(upload.wait(None).unwrap_err().status, Status::Cancelled);
    let errors = log.said(Level::Error);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert_begins(&errors[1], "cancelled");
}

#[test]
fn what_was_found_is_told_when_it_is_found() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"upload_slice_finish","action":{"status":400,"code":-5999}}"#);
    stage.upload(&stage.client(), &file).run(None).unwrap_err();
    let log = Recorder::new();
    let resumed = stage
        .upload(&client(&stage, Level::Info, &log), &file)
        .run(None)
        .unwrap();
    assert_eq!(resumed.outcome, Outcome::Resumed);
    let said = log.said(Level::Info);
    assert_eq!(said.len(), 3, "{said:?}");
    assert_eq!(said[1], "resumes: 3145728 of 3145728 bytes are there already");
    assert_begins(&said[2], "resumed: 3145728 bytes in ");

    let log = Recorder::new();
    stage
        .upload(&client(&stage, Level::Info, &log), &file)
        .run(None)
        .unwrap();
    assert_begins(&log.said(Level::Info)[1], "instant: 3145728 bytes in ");

    // An unfinished upload of other content, which is thrown away.
    let other = stage.file(4 * MIB, 2);
    stage.fault(r#"{"operation":"upload_slice_finish","action":{"status":400,"code":-5999}}"#);
    let upload = stage.upload(&stage.client(), &other);
    upload.set_options(|options| options.overwrite = true).unwrap();
    upload.run(None).unwrap_err();
    let log = Recorder::new();
    let upload = stage.upload(&client(&stage, Level::Info, &log), &stage.file(5 * MIB, 3));
    upload
        .set_options(|options| (options.overwrite, options.discard_unfinished) = (true, true))
        .unwrap();
    upload.run(None).unwrap();
    assert!(
        log.said(Level::Info)
            .contains(&"an unfinished upload that was in the way was thrown away".to_owned()),
        "{:?}",
        log.said(Level::Info)
    );
}

#[test]
fn directories_that_are_made_are_told_by_name() {
    let stage = Stage::new();
    stage.emulator.set("require_parent_dir", "on").unwrap();
    let log = Recorder::new();
    let upload = stage.upload(&client(&stage, Level::Info, &log), &stage.file(MIB, 1));
    upload
        .set_options(|options| options.create_parents = true)
        .unwrap();
    upload.run(None).unwrap();
    let said = log.said(Level::Info);
    assert_eq!(said[1], "the directory 2026/ is there", "{said:?}");
}

struct AppServer;

impl Sign for AppServer {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        signer::sign(&key(), Scope::Path, request).map_err(|error| error.to_string())
    }
}

#[test]
fn another_signature_another_session_and_a_new_beginning_are_told() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"upload_slice_data","action":{"status":403,"code":-96}}"#);
    let mut config = stage.config();
    let log = Recorder::new();
    config.log = Some(Logger {
        level: Level::Info,
        log: log.clone(),
    });
    config.signer = Signer::callback("1251668577", Arc::new(AppServer)).unwrap();
    stage
        .upload(&Client::new(config).unwrap(), &stage.file(MIB, 1))
        .run(None)
        .unwrap();
    assert!(
        log.said(Level::Info)
            .contains(&"goes on with another signature".to_owned()),
        "{:?}",
        log.lock()
    );

    for (action, found) in [
        (r#"{"rotate_session":true}"#, "goes on with another session"),
        (r#"{"drop_session":true}"#, "begins anew"),
    ] {
        let stage = Stage::new();
        stage.fault(&format!(
            r#"{{"operation":"upload_slice_data","offset":1048576,"action":{action}}}"#
        ));
        let log = Recorder::new();
        let upload = stage.upload(&client(&stage, Level::Info, &log), &stage.file(2 * MIB, 2));
        upload.run(None).unwrap();
        let said = log.said(Level::Info);
        assert!(said.contains(&found.to_owned()), "{action}: {said:?}");
        let asks = log.said(Level::Warning);
        assert!(
            asks.iter()
                .any(|said| said.ends_with("; the server is asked what it has")),
            "{action}: {asks:?}"
        );
    }
}

#[test]
fn what_is_wrong_with_a_checkpoint_is_a_warning_before_the_end() {
    let stage = Stage::new();
    let log = Recorder::new();
    let mut config = stage.config();
    config.log = Some(Logger {
        level: Level::Info,
        log: log.clone(),
    });
    // No folder can be made below a file.
    config.checkpoint_dir = Some(stage.file(1, 9).join("folder"));
    let upload = stage.upload(&Client::new(config).unwrap(), &stage.file(MIB, 1));
    upload.run(None).unwrap();
    let told = log.lock().clone();
    let [.., warning, end] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!((warning.level, end.level), (Level::Warning, Level::Info));
    assert!(
        warning.message.ends_with(&upload.warning().unwrap()),
        "{warning:?}"
    );
}

#[test]
fn a_stream_that_is_spooled_is_told_before_its_size_is_known_and_after() {
    let stage = Stage::new();
    let log = Recorder::new();
    let upload = client(&stage, Level::Info, &log).upload(BUCKET, PATH).unwrap();
    let stream = Arc::new(Stream::new("a stream", std::io::Cursor::new(content(MIB, 1))));
    let spool = Spool {
        folder: None,
        limit: 2 * MIB,
    };
    upload
        .set_source(of_stream(stream, None, Some(spool)).unwrap())
        .unwrap();
    upload.run(None).unwrap();
    let said = log.said(Level::Info);
    assert_eq!(
        said[..2],
        [
            "begins: reads the stream into a temporary file",
            "the stream has 1048576 bytes"
        ]
    );
}

#[test]
fn with_files_v1_the_offset_to_go_on_at_is_what_was_found() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"v1_data","offset":1048576,"action":{"status":400,"code":-5999}}"#);
    stage
        .upload(&stage.client_of(Api::FilesV1), &file)
        .run(None)
        .unwrap_err();
    let log = Recorder::new();
    let client = client_of(&stage, Api::FilesV1, Level::Debug, &log);
    stage.upload(&client, &file).run(None).unwrap();
    assert_eq!(
        log.said(Level::Info)[1],
        "resumes: 1048576 of 3145728 bytes are there already"
    );
    let operations: Vec<_> = log
        .of_level(Level::Debug)
        .into_iter()
        .filter_map(|told| told.operation)
        .collect();
    assert_eq!(
        operations,
        ["upload_slice", "upload_slice", "upload_slice", "stat"]
    );
}

#[test]
fn requests_by_themselves_are_told_and_an_error_where_they_fail() {
    let stage = Stage::new();
    stage.fault(r#"{"operation":"stat","action":{"status":503,"code":-71}}"#);
    let log = Recorder::new();
    let call = client(&stage, Level::Debug, &log).call(BUCKET, PATH).unwrap();
    call.stat().unwrap();
    let told = log.lock().clone();
    let levels: Vec<_> = told.iter().map(|told| (told.level, told.attempt)).collect();
    assert_eq!(
        levels,
        [(Level::Debug, 1), (Level::Warning, 1), (Level::Debug, 2)],
        "{told:?}"
    );
    assert_eq!(
        told[2].http_status,
        Some(404),
        "nothing is there, which is an answer"
    );

    stage.fault(r#"{"operation":"delete","times":0,"action":{"status":400,"code":-5999}}"#);
    let error = call.delete().unwrap_err();
    let last = log.lock().last().unwrap().clone();
    assert_eq!((last.level, last.message), (Level::Error, error.message));
}
