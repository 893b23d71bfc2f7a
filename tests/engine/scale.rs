//! Many uploads at once on one client, and many small ones.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use cos_emulator::RequestRecord;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::handle::{Ending, Upload};
use cos_slice::engine::source::{Identity, MemorySource, Source, most_kept_open};
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::options::{Connections, UploadOptions};

use crate::support::{BUCKET, MIB, Stage};

const HANG_GUARD: Duration = Duration::from_secs(300);

fn client(stage: &Stage, connections: u32) -> Client {
    let config = ClientConfig {
        connections: Connections::Fixed(connections),
        ..stage.config()
    };
    Client::new(config).unwrap()
}

/// So many files of a size, none like another, and the object that each becomes.
fn files(stage: &Stage, count: u64, size: u64) -> Vec<(PathBuf, String)> {
    let file = |number| (stage.file(size, number), format!("many/{number}"));
    (0..count).map(file).collect()
}

/// Which upload ended, and how.
type End = (usize, Result<(), String>);

/// Starts an upload of each; as each of them ends, the channel tells which it is and how it went.
fn start_all(
    client: &Client,
    files: &[(PathBuf, String)],
    set: impl Fn(&mut UploadOptions),
) -> (Vec<Upload>, Receiver<End>) {
    let (sender, ends) = mpsc::channel();
    let start = |(number, (file, path)): (usize, &(PathBuf, String))| {
        let upload = client.upload(BUCKET, path).unwrap();
        upload.set_file(file).unwrap();
        upload.set_options(&set).unwrap();
        let sender = sender.clone();
        let completion = move |ending: &Ending| {
            let result = ending.result.as_ref().map(drop).map_err(ToString::to_string);
            let _ = sender.send((number, result));
        };
        upload.set_completion(Some(Arc::new(completion))).unwrap();
        upload.start(None).unwrap();
        upload
    };
    (files.iter().enumerate().map(start).collect(), ends)
}

/// In which order they ended; all of them well.
fn ends_of_all(uploads: &[Upload], ends: &Receiver<(usize, Result<(), String>)>) -> Vec<usize> {
    let end = |_| {
        let (number, result) = ends.recv_timeout(HANG_GUARD).expect("an upload ends");
        result.unwrap_or_else(|error| panic!("upload {number}: {error}"));
        number
    };
    uploads.iter().map(end).collect()
}

fn connections(requests: &[RequestRecord]) -> usize {
    requests
        .iter()
        .map(|request| request.connection)
        .collect::<HashSet<_>>()
        .len()
}

#[test]
fn small_files_take_one_request_each_over_as_many_connections_as_the_client_may_have() {
    let stage = Stage::new();
    let files = files(&stage, 200, 4096);
    let (uploads, ends) = start_all(&client(&stage, 4), &files, |options| {
        (options.single_request_limit, options.verify) = (MIB, false);
    });
    ends_of_all(&uploads, &ends);

    let requests = stage.emulator.requests();
    let operations: Vec<_> = requests
        .iter()
        .filter_map(|request| request.operation.as_deref())
        .collect();
    assert_eq!(operations, ["upload"; 200]);
    assert!(connections(&requests) <= 4, "{}", connections(&requests));
    for (file, path) in &files {
        assert!(
            stage.emulator.object(BUCKET, path).unwrap() == std::fs::read(file).unwrap(),
            "{path}"
        );
    }
}

#[test]
fn small_files_one_after_another_take_one_connection_and_one_worker() {
    let stage = Stage::new();
    let client = client(&stage, 8);
    for (file, path) in files(&stage, 20, 4096) {
        let upload = client.upload(BUCKET, &path).unwrap();
        upload.set_file(file).unwrap();
        upload.run(None).unwrap();
    }
    let requests = stage.emulator.requests();
    assert_eq!(requests.len(), 20 * 4, "init, slice, finish and stat of each");
    assert_eq!(connections(&requests), 1);
}

/// Uploads that hold every connection of a client, in the midst of their slices, until the gate opens.
struct Gate {
    open: Arc<(Mutex<bool>, Condvar)>,
    _uploads: Vec<Upload>,
}

/// Memory that is not given before the gate opens.
struct Gated {
    memory: MemorySource,
    open: Arc<(Mutex<bool>, Condvar)>,
    arrived: mpsc::Sender<()>,
}

impl Source for Gated {
    fn size(&self) -> u64 {
        self.memory.size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let _ = self.arrived.send(());
        let (open, opened) = &*self.open;
        drop(opened.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
        self.memory.read_at(offset, buffer)
    }
    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }
    fn identity(&self) -> Option<Identity> {
        None
    }
}

impl Gate {
    fn of(client: &Client, connections: u32) -> Self {
        let open = Arc::new((Mutex::new(false), Condvar::new()));
        let (arrived, arrivals) = mpsc::channel();
        let upload = |number| {
            let upload = client.upload(BUCKET, &format!("gate/{number}")).unwrap();
            let source = Gated {
                memory: MemorySource::new(vec![1]),
                open: open.clone(),
                arrived: arrived.clone(),
            };
            upload.set_source(Arc::new(source)).unwrap();
            upload.set_options(|options| options.hash = false).unwrap();
            upload.start(None).unwrap();
            upload
        };
        let uploads = (0..connections).map(upload).collect();
        for _ in 0..connections {
            arrivals
                .recv_timeout(HANG_GUARD)
                .expect("each connection is held");
        }
        Self {
            open,
            _uploads: uploads,
        }
    }

    fn open(&self) {
        *self.open.0.lock().unwrap() = true;
        self.open.1.notify_all();
    }
}

impl Drop for Gate {
    /// The uploads can't end before it is open.
    fn drop(&mut self) {
        self.open();
    }
}

/// The requests of the uploads that were started, by the number in the object's path.
fn order_of_requests(stage: &Stage) -> Vec<usize> {
    let requests = stage.emulator.requests();
    let number = |request: &RequestRecord| request.path.split_once("/many/")?.1.parse().ok();
    requests.iter().filter_map(number).collect()
}

#[test]
fn of_many_uploads_begun_together_the_slowest_takes_at_most_twice_as_long_as_the_fastest() {
    let stage = Stage::new();
    let client = client(&stage, 4);
    let gate = Gate::of(&client, 4);
    let files = files(&stage, 60, MIB);
    let (uploads, ends) = start_all(&client, &files, |options| {
        (options.hash, options.slice_size) = (false, MIB / 2);
    });
    gate.open();
    ends_of_all(&uploads, &ends);

    // Counted in the requests that the service saw meanwhile, so that a busy machine makes no difference.
    let order = order_of_requests(&stage);
    assert_eq!(order.len(), 60 * 5, "init, two slices, finish and stat of each");
    let last_of = |upload| 1 + order.iter().rposition(|number| *number == upload).unwrap();
    let (fastest, slowest) = ((0..60).map(last_of).min().unwrap(), order.len());
    assert!(
        slowest <= 2 * fastest,
        "the first is over after {fastest} requests of {slowest}"
    );
}

/// What this process has open of the files in a folder.
fn open_within(folder: &Path) -> HashSet<PathBuf> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    links.filter(|link| link.starts_with(folder)).collect()
}

#[test]
fn of_more_files_than_stay_open_all_go_up_but_those_that_were_replaced_meanwhile() {
    // So that a quarter of it is soon reached; no test needs more.
    let limit = getrlimit(Resource::Nofile);
    let current = Some(1024.min(limit.maximum.unwrap_or(u64::MAX)));
    setrlimit(Resource::Nofile, Rlimit { current, ..limit }).unwrap();

    let stage = Stage::new();
    let client = client(&stage, 4);
    let gate = Gate::of(&client, 4);
    let folder = stage.folder.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    let mut files = files(&stage, most_kept_open() as u64 + 20, 4096);
    for (file, _) in &mut files {
        let place = folder.join(file.file_name().unwrap());
        std::fs::rename(&*file, &place).unwrap();
        *file = place;
    }
    let (uploads, ends) = start_all(&client, &files, |_| ());
    let open = open_within(&folder);
    assert!(
        open.len() <= most_kept_open(),
        "{} of {} files are open",
        open.len(),
        files.len()
    );

    let mut closed = (0..files.len()).filter(|number| !open.contains(&files[*number].0));
    let (replaced, intact) = (closed.next().unwrap(), closed.next().unwrap());
    let another = stage.file(4096, 9999);
    std::fs::rename(another, &files[replaced].0).unwrap();
    gate.open();
    for _ in &uploads {
        match ends.recv_timeout(HANG_GUARD).expect("an upload ends") {
            (number, result) if number == replaced => {
                let error = result.unwrap_err();
                assert!(
                    error.contains("is another file than when its upload began"),
                    "{error}"
                );
            }
            (number, result) => result.unwrap_or_else(|error| panic!("upload {number}: {error}")),
        }
    }
    let (file, path) = &files[intact];
    assert!(stage.emulator.object(BUCKET, path).unwrap() == std::fs::read(file).unwrap());
}

#[test]
fn small_uploads_are_not_held_up_by_a_large_one() {
    let stage = Stage::new();
    let client = client(&stage, 4);
    let mut files = files(&stage, 40, 4096);
    let gate = Gate::of(&client, 4);
    // Begun first; its number is that of the first of the small ones, which gives way.
    files[0].0 = stage.file(50 * MIB, 99);
    let (uploads, ends) = start_all(&client, &files, |options| {
        (options.hash, options.slice_size, options.single_request_limit) = (false, MIB / 2, MIB);
    });
    gate.open();
    let ended = ends_of_all(&uploads, &ends);
    assert_eq!(ended.last(), Some(&0), "the large one is the last");

    let order = order_of_requests(&stage);
    let last_small = order.iter().rposition(|number| *number > 0).unwrap();
    let of_large = order[..last_small].iter().filter(|number| **number == 0).count();
    // Each small one has two turns, upload and stat, and the large one as many meanwhile.
    assert!(
        of_large <= 2 * 40,
        "{of_large} requests of the large upload went before the last of a small one"
    );
}
