//! Who waits does nothing: whatever an upload is held up by, its threads sleep until something happens.
//!
//! Counted are the times that the library's threads gave up the processor, which a thread does each time that it waits: a
//! loop that looks at something every now and then shows as one each time, however short its looks are. By itself, because
//! the threads of all clients of a process have the same names.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault, RequestRecord};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::status::Status;

/// How long it is watched, once it has come to rest.
const WATCHED: Duration = Duration::from_secs(3);
/// How long it may take to come to rest after the last thing that happened.
const SETTLING: Duration = Duration::from_secs(1);
const HANG_GUARD: Duration = Duration::from_secs(60);
const SLICE: u64 = 3 << 20;

struct Stage {
    folder: tempfile::TempDir,
    emulator: Emulator,
    client: Client,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(Config::new(folder.path().join("data"))).unwrap();
        let key = SecretKey::new("1251668577", "AKIDtest", "secret").unwrap();
        let endpoint = Endpoint::parse(&emulator.endpoint()).unwrap();
        let client = Client::new(ClientConfig::new(endpoint, key)).unwrap();
        Self {
            folder,
            emulator,
            client,
        }
    }

    /// An upload of three slices, with callbacks for all there is.
    fn upload(&self, path: &str) -> Upload {
        let file = self.folder.path().join("file");
        fs::write(&file, vec![7; 3 * usize::try_from(SLICE).unwrap()]).unwrap();
        let upload = self.client.upload("videos", path).unwrap();
        upload.set_file(file).unwrap();
        upload
            .set_options(|options| (options.hash, options.slice_size) = (false, SLICE))
            .unwrap();
        upload
    }

    fn fault(&self, operation: &str, action: &str) {
        let json = format!(r#"{{"operation":"{operation}","times":0,"action":{action}}}"#);
        self.emulator.add_fault(Fault::from_json(&json).unwrap());
    }

    /// Waits until the service has seen so many requests of an operation.
    fn wait_for(&self, operation: &str, count: usize) {
        let enough = |records: &[RequestRecord]| {
            let is_it = |record: &&RequestRecord| record.operation.as_deref() == Some(operation);
            records.iter().filter(is_it).count() >= count
        };
        assert!(
            self.emulator.wait_for_requests(enough, HANG_GUARD),
            "no {operation}"
        );
    }

    /// Watches the library's threads, which have nothing to do.
    fn assert_idle(&self, while_it: &str) {
        let seen = self.emulator.requests().len();
        let more = |records: &[RequestRecord]| records.len() > seen;
        let is_quiet = |time| !self.emulator.wait_for_requests(more, time);
        assert!(is_quiet(SETTLING), "{while_it}: another request");
        let before = waits();
        assert!(
            before.len() >= 2,
            "{while_it}: the library's threads are {before:?}"
        );
        assert!(is_quiet(WATCHED), "{while_it}: another request");
        let after = waits();
        let count = |waits: &BTreeMap<String, u64>| waits.values().sum::<u64>();
        // One of each thread would be a look once in all the time.
        assert!(
            count(&after) - count(&before) <= 2,
            "{while_it}: waits before {before:?}, after {after:?}"
        );
    }
}

/// How often each of the library's threads has waited so far.
fn waits() -> BTreeMap<String, u64> {
    let of_thread = |task: std::io::Result<fs::DirEntry>| {
        let folder = task.ok()?.path();
        let name = fs::read_to_string(folder.join("comm")).ok()?;
        let status = fs::read_to_string(folder.join("status")).ok()?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        let number = folder.file_name()?.to_string_lossy().into_owned();
        let waits = line.trim().parse().ok()?;
        name.starts_with("cos-slice")
            .then(|| (format!("{} {number}", name.trim()), waits))
    };
    fs::read_dir("/proc/self/task")
        .unwrap()
        .filter_map(of_thread)
        .collect()
}

#[test]
fn an_upload_that_waits_and_a_client_that_has_nothing_to_do_let_every_thread_sleep() {
    let stage = Stage::new();
    let quiet = || Some(Box::new(|_: &_| 0) as Box<_>);

    for (while_it, operation, action, seen) in [
        (
            "no answer comes",
            "upload_slice_data",
            r#"{"hang":"before"}"#,
            ("upload_slice_data", 3),
        ),
        // Such requests are told of at their end.
        (
            "the server takes nothing",
            "upload_slice_data",
            r#"{"slow_read_bytes_per_second":1}"#,
            ("upload_slice_init", 1),
        ),
        (
            "a request waits to be repeated",
            "upload_slice_init",
            r#"{"status":503,"code":-1,"headers":{"Retry-After":"60"}}"#,
            ("upload_slice_init", 1),
        ),
    ] {
        stage.emulator.clear_requests();
        stage.fault(operation, action);
        let upload = stage.upload(while_it);
        upload.start(quiet()).unwrap();
        stage.wait_for(seen.0, seen.1);
        stage.assert_idle(while_it);
        upload.cancel();
        let error = upload.wait(Some(HANG_GUARD)).unwrap_err();
        assert_eq!(error.status, Status::Cancelled, "{while_it}: {error}");
        stage.emulator.clear_faults();
    }

    stage.emulator.clear_requests();
    stage.fault("upload_slice_finish", r#"{"hang":"before"}"#);
    let upload = stage.upload("the last one");
    upload.set_options(|options| options.overwrite = true).unwrap();
    std::thread::scope(|scope| {
        let run = || upload.run(Some(&mut |_| 0));
        let caller = std::thread::Builder::new().name("cos-slice caller".to_owned());
        let caller = caller.spawn_scoped(scope, run).unwrap();
        stage.wait_for("upload_slice_finish", 1);
        stage.assert_idle("who runs an upload waits for its finish");
        upload.cancel();
        caller.join().unwrap().unwrap_err();
    });
    stage.emulator.clear_faults();

    stage.emulator.clear_requests();
    upload.start(quiet()).unwrap();
    upload.wait(Some(HANG_GUARD)).unwrap();
    stage.assert_idle("nothing is uploaded any more, and connections are kept");
}
