//! A number of cancels of one client's uploads in one state, and what must be true after them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cos_emulator::{Action, Answer, Config, Emulator, Fault, RequestRecord};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::engine::transport::Timeouts;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::options::RetryPolicy;
use cos_slice::upload::random::Random;
use cos_slice::upload::status::Status;

use crate::events::{Awaited, Event, Events, HANG_GUARD, channel};
use crate::gate::{Gate, Stop};
use crate::hooks::{HELD_HOST, Hooks};
use crate::leftovers::{self, Belongings};
use crate::states::{End, Handles, HeldBy, State};
use crate::upload::{Callback, WatchedFile, Way, run};

const BUCKET: &str = "cancel";
const SLICE: u64 = 1 << 20;

/// The latest moment of a cancel after the state was seen.
const LATEST_MICROSECONDS: u64 = 2000;

/// Hashing can't be held, so now and then the run has left it when the cancel comes, and that cancel does not count. On a
/// machine on which this often in a row is not enough it can't be measured.
const MOST_MISSES: u32 = 100;

/// What varies from batch to batch.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Connections of the client.
    pub connections: u32,
    /// How uploads are run.
    pub way: Way,
    /// Whether they are hashed.
    pub hash: bool,
}

impl Shape {
    /// How many shapes there are.
    pub const COUNT: u32 = 8;

    /// The shape of a batch: eight in a row have every number of connections, and all ways to run.
    pub fn of(batch: u32, state: &State) -> Self {
        Self {
            connections: 1 + batch % Self::COUNT,
            way: if batch % 2 == 0 { Way::Run } else { Way::Start },
            hash: state.held_by == HeldBy::Hashing || state.api.rules().needs_digest || batch / 2 % 2 == 0,
        }
    }
}

/// Cancels so many times, checks that nothing is left and nothing is broken, and tells how long each took.
pub fn cancel(
    state: &State,
    shape: Shape,
    cancels: u32,
    hooks: &Hooks,
    random: &mut Random,
) -> Vec<Duration> {
    let before = Belongings::now();
    let (events, awaited) = channel();
    hooks.tell(Some(events.clone()));
    let mut stage = Stage::new(state, shape, events, awaited, hooks);
    let client = stage.client();
    let mut upload = stage.upload(&client, 0);
    stage.prepare(&upload.0);
    let mut took = Vec::new();
    let (mut number, mut misses) = (0, 0);
    while took.len() < cancels as usize {
        number += 1;
        if state.handles == Handles::One {
            upload = stage.upload(&client, number);
        }
        match stage.cancel_once(&upload, random) {
            Some(time) => (took.push(time), misses = 0).1,
            None => misses += 1,
        }
        assert!(
            misses < MOST_MISSES,
            "{}: the state is over before it is cancelled",
            state.name
        );
    }
    stage.open();
    stage.check_that_it_succeeds_after_all(&upload.0);
    drop(upload);
    drop(client);
    leftovers::check_no_thread_of_the_library_is_left();
    drop(stage);
    hooks.tell(None);
    leftovers::check_there_is_only(&before);
    leftovers::check_no_file_is_left();
    took
}

/// The first emulator of a process leaves a pair of sockets, where its runtime hears of signals; they are nobody's leftovers.
pub fn have_the_emulator_make_what_it_keeps() {
    let folder = tempfile::tempdir_in("..").expect("a temporary folder");
    drop(Emulator::start(Config::new(folder.path())).expect("an emulator"));
}

/// An upload, its path, and its file.
type Watched = (Arc<Upload>, String, Arc<WatchedFile>);

/// The server's side and the file of one batch.
struct Stage<'a> {
    state: &'a State,
    shape: Shape,
    events: Events,
    awaited: Awaited,
    hooks: &'a Hooks,
    gate: Option<Gate>,
    emulator: Emulator,
    file: PathBuf,
    path: String,
    folder: tempfile::TempDir,
}

impl<'a> Stage<'a> {
    fn new(state: &'a State, shape: Shape, events: Events, awaited: Awaited, hooks: &'a Hooks) -> Self {
        // Not where temporary files are looked for.
        let folder = tempfile::tempdir_in("..").expect("a temporary folder");
        let config = Config {
            tls: state.held_by == HeldBy::Gate(Stop::FirstByte),
            ..Config::new(folder.path().join("store"))
        };
        let emulator = Emulator::start(config).expect("an emulator");
        let stop = match state.held_by {
            HeldBy::Gate(stop) => Some(stop),
            // It tells when the client has closed the connection, and so has read the answer.
            HeldBy::RetryAfter => Some(Stop::Never),
            _ => None,
        };
        let gate = stop.map(|stop| Gate::new(stop, emulator.address(), events.clone()));
        let file = folder.path().join("file");
        std::fs::write(&file, content(state.size)).expect("a file");
        Self {
            state,
            shape,
            events,
            awaited,
            hooks,
            gate,
            emulator,
            file,
            path: String::new(),
            folder,
        }
    }

    fn client(&self) -> Client {
        let address = self.gate.as_ref().map_or(self.emulator.address(), Gate::address);
        let endpoint = match self.state.held_by {
            HeldBy::LookUp => format!("http://{HELD_HOST}:{}", address.port()),
            HeldBy::Gate(Stop::FirstByte) => format!("https://{address}"),
            _ => format!("http://{address}"),
        };
        let key = SecretKey::new("1251668577", "AKIDtest", "secret").expect("a key");
        let mut config = ClientConfig::new(Endpoint::parse(&endpoint).expect("an endpoint"), key);
        config.api = self.state.api;
        config.connections = self.shape.connections.into();
        config.ca_pem = self.emulator.ca_pem().map(|pem| pem.as_bytes().to_vec());
        // Nothing but the cancel ends a wait.
        let never = 2 * HANG_GUARD;
        config.timeouts = Timeouts {
            resolve: never,
            connect: never,
            tls: never,
            stall: never,
            answer: never,
            finish_answer: never,
        };
        config.retry = RetryPolicy {
            first_delay: Duration::from_millis(5),
            longest_delay: Duration::from_millis(50),
            ..RetryPolicy::default()
        };
        if self.state.held_by == HeldBy::Saving {
            config.checkpoint_dir = Some(self.folder.path().join("checkpoints"));
        }
        Client::new(config).expect("a client")
    }

    /// An upload to a path of its own.
    fn upload(&mut self, client: &Client, number: u32) -> Watched {
        let path = format!("{}/{number}", self.state.name);
        let upload = client.upload(BUCKET, &path).expect("a good path");
        let file = Arc::new(WatchedFile::open(
            &self.file,
            self.shape.hash,
            self.events.clone(),
        ));
        upload.set_source(file.clone()).expect("not running");
        let set = upload.set_options(|options| {
            options.hash = self.shape.hash;
            // A run that was cancelled when the object was complete is followed by one that writes it again.
            options.overwrite = self.state.end == End::Unverified;
        });
        set.expect("not running");
        self.path.clone_from(&path);
        (Arc::new(upload), path, file)
    }

    /// Before the first cancel: the server's faults, and for a listing something that can be listed.
    fn prepare(&self, upload: &Arc<Upload>) {
        if self.state.handles == Handles::Same {
            self.never_answer("upload_slice_data");
            let running = run(upload, Way::Run, &Callback::new(self.events.clone()));
            self.wait_for_request(|request| request.operation.as_deref() == Some("upload_slice_data"));
            upload.cancel();
            running.join().expect("a run does not panic");
            self.emulator.clear_faults();
        }
        match self.state.held_by {
            HeldBy::NoAnswer(operation) => self.never_answer(operation),
            // Under `start` the upload goes on while its callback does not return.
            HeldBy::Callback => self.never_answer("upload_slice_data"),
            HeldBy::RetryAfter => {
                let headers = [("Retry-After", "60"), ("Connection", "close")];
                let headers = headers.map(|(name, value)| (name.to_owned(), value.into()));
                let busy = Answer {
                    status: 503,
                    code: -1,
                    message: None,
                    headers: headers.into_iter().collect(),
                };
                self.emulator
                    .add_fault(Fault::new(self.state.slice(), Action::Answer(busy)).times(0));
            }
            _ => {}
        }
    }

    fn never_answer(&self, operation: &str) {
        self.emulator
            .add_fault(Fault::new(operation, Action::Hang { after_effect: false }).times(0));
    }

    /// One cancel: how long it took to return, or nothing where the run had left the state before.
    fn cancel_once(&self, (upload, path, file): &Watched, random: &mut Random) -> Option<Duration> {
        self.awaited.forget();
        self.emulator.clear_requests();
        let callback = Callback::new(self.events.clone());
        let hold = (self.state.held_by == HeldBy::Callback).then(|| callback.hold());
        let running = run(upload, self.shape.way, &callback);
        self.wait_for_state(path, random);
        thread::sleep(Duration::from_micros(random.draw() % (LATEST_MICROSECONDS + 1)));

        let cancelled = Instant::now();
        upload.cancel();
        drop(hold);
        let released = if self.state.held_by == HeldBy::Saving {
            self.hooks.fail_held();
            Instant::now()
        } else {
            cancelled
        };
        let returned = running.join().expect("a run does not panic");
        // A callback, a read of the file or a write of the checkpoint that was under way is not the library's to end.
        let from = callback
            .calls()
            .end_of_those_at(cancelled)
            .max(file.reads().end_of_those_at(cancelled))
            .max(released);
        let took = returned.at.saturating_duration_since(from);
        assert!(
            took < HANG_GUARD,
            "{}, {:?}: the cancel had no effect",
            self.state.name,
            self.shape
        );

        if !self.was_cancelled_there(path, file) {
            return None;
        }
        match (self.state.end, &returned.result) {
            (End::Cancelled, Err(error)) if error.status == Status::Cancelled => {}
            (End::Unverified, Ok(object)) if !object.verified => {}
            (_, result) => panic!(
                "{}, {:?}: the cancelled run ended so: {result:?}",
                self.state.name, self.shape
            ),
        }
        assert!(
            !callback.came_too_late(),
            "{}: a call came after the end",
            self.state.name
        );
        self.hooks.fail_held();
        Some(took)
    }

    /// Returns when the run is in the state, by the word of whoever it has to do with there.
    fn wait_for_state(&self, path: &str, random: &mut Random) {
        match self.state.held_by {
            HeldBy::Hashing => {
                let pieces = random.draw() % 8;
                self.awaited.wait(|event| event == Event::Hashed(pieces));
            }
            HeldBy::LookUp => self.awaited.wait(|event| event == Event::LookingUp),
            HeldBy::Saving => self.awaited.wait(|event| event == Event::Saving),
            HeldBy::Gate(Stop::Accept) => {
                let port = self.gate.as_ref().expect("there is a gate").address().port();
                self.awaited.wait(|event| event == Event::Connecting(port));
            }
            HeldBy::Gate(Stop::FirstByte) => self.awaited.wait(|event| event == Event::FirstByte),
            HeldBy::Gate(_) => self.awaited.wait(|event| event == Event::BodyHeld),
            HeldBy::NoAnswer(operation) => self.wait_for_request(|request| {
                request.operation.as_deref() == Some(operation) && request.path.ends_with(path)
            }),
            HeldBy::RetryAfter => {
                self.wait_for_request(|request| request.status == Some(503) && request.path.ends_with(path));
                self.awaited.wait(|event| event == Event::ClosedByClient);
            }
            HeldBy::Callback => self.awaited.wait(|event| event == Event::CallbackHeld),
        }
    }

    fn wait_for_request(&self, fits: impl Fn(&RequestRecord) -> bool) {
        let came = self
            .emulator
            .wait_for_requests(|requests| requests.iter().any(&fits), HANG_GUARD);
        assert!(came, "{}: the request never came", self.state.name);
    }

    /// Whether the run was in the state until it ended; where something holds it there it was.
    fn was_cancelled_there(&self, path: &str, file: &WatchedFile) -> bool {
        match self.state.held_by {
            // The first request follows the hashing.
            HeldBy::Hashing => !self
                .emulator
                .requests()
                .iter()
                .any(|request| request.path.ends_with(path)),
            HeldBy::Gate(Stop::After(_)) => {
                let whole = |end: &u64| end % SLICE == 0 || *end == self.state.size;
                assert!(
                    !file.body_ends().iter().any(whole),
                    "a slice fitted into the system's buffers"
                );
                true
            }
            _ => true,
        }
    }

    /// From now on everything works.
    fn open(&mut self) {
        self.emulator.clear_faults();
        self.hooks.open();
        if let Some(gate) = &mut self.gate {
            gate.open();
        }
    }

    fn check_that_it_succeeds_after_all(&self, upload: &Arc<Upload>) {
        let callback = Callback::new(self.events.clone());
        let returned = run(upload, self.shape.way, &callback)
            .join()
            .expect("a run does not panic");
        if let Err(error) = returned.result {
            panic!(
                "{}, {:?}: it does not run again: {error}",
                self.state.name, self.shape
            );
        }
        assert!(
            !callback.came_too_late(),
            "{}: a call came after the end",
            self.state.name
        );
        let object = self.emulator.object(BUCKET, &self.path).expect("the object");
        assert!(
            object == read(&self.file),
            "{}: the object is not the file",
            self.state.name
        );
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("the file")
}

/// Bytes that repeat themselves nowhere.
fn content(size: u64) -> Vec<u8> {
    let mut random = Random::new(size);
    let words = (0..size.div_ceil(8)).flat_map(|_| random.draw().to_le_bytes());
    words.take(usize::try_from(size).expect("a small file")).collect()
}
