//! The uploads that faults are put into, and the requests that each consists of.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cos_emulator::{Config, Emulator, Fault, RequestRecord};
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::protocol::Api;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::options::RetryPolicy;

/// The smallest that the service takes.
pub const SLICE: u64 = 512 << 10;
pub const BUCKET: &str = "videos";

/// Bounds one run; nothing is expected to take a fraction of it.
pub const HANG_GUARD: Duration = Duration::from_secs(60);

/// What kind of upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing is there.
    Fresh,
    /// Half of the slices are there from an earlier run of the same handle; of one slice all, where there is a finish.
    Resumed,
    /// An unfinished upload of other content is there, and may be thrown away.
    Replacing,
    /// One request in place of slices.
    Single,
    /// The object is in two directories that have to be made first.
    IntoDirectories,
}

/// One upload.
#[derive(Clone, Copy, Debug)]
pub struct Journey {
    pub api: Api,
    pub kind: Kind,
    pub slices: u64,
    pub hash: bool,
    pub connections: u32,
}

/// A request of an upload: the n-th of this operation, or of this slice.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    pub operation: String,
    pub offset: Option<u64>,
    pub nth: u64,
    /// Its place among all requests of the upload, from 1.
    pub position: u64,
    /// The last look at the object, which success does not depend on.
    pub is_verification: bool,
    /// Whether the answer is a success; to an init that finds an unfinished upload, or no directory, it isn't.
    pub succeeds: bool,
}

impl Journey {
    /// The object's path, of which `top` is the first segment.
    pub fn object(&self, top: &str) -> String {
        match self.kind {
            Kind::IntoDirectories => format!("{top}/inner/file"),
            _ => top.to_owned(),
        }
    }
}

impl Point {
    /// Whether the request has a slice.
    pub fn is_slice(&self) -> bool {
        is_slice(&self.operation)
    }

    /// The operation's name in requests and error texts.
    pub fn wire_name(&self) -> &str {
        match &*self.operation {
            "v1_control" | "v1_data" => "upload_slice",
            name => name,
        }
    }
}

/// Whether requests of this operation have a slice.
pub fn is_slice(operation: &str) -> bool {
    ["upload_slice_data", "v1_data"].contains(&operation)
}

/// Every journey of 1, 2 and 3 slices by each API, with and without hashing where that can be turned off.
pub fn all() -> Vec<Journey> {
    let mut journeys = Vec::new();
    for (api, hash) in [(Api::FilesV2, true), (Api::FilesV2, false), (Api::FilesV1, true)] {
        let mut add = |kind, slices, connections| {
            journeys.push(Journey {
                api,
                kind,
                slices,
                hash,
                connections,
            });
        };
        for slices in 1..=3 {
            add(Kind::Fresh, slices, 1);
            add(Kind::Resumed, slices, 1);
        }
        add(Kind::Single, 1, 1);
        add(Kind::Replacing, 2, 1);
        if api.rules().parallel {
            add(Kind::Fresh, 3, 3);
        }
        if hash {
            add(Kind::IntoDirectories, 1, 1);
        }
    }
    journeys
}

/// An emulator, and files of each number of slices.
pub struct Bench {
    pub emulator: Emulator,
    folder: tempfile::TempDir,
    /// Of the files of 1, 2 and 3 slices.
    contents: [Vec<u8>; 3],
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let emulator = Emulator::start(Config::new(folder.path().join("data"))).unwrap();
        let contents = [1, 2, 3].map(content);
        for (slices, content) in (1..).zip(&contents) {
            std::fs::write(file(folder.path(), slices), content).unwrap();
            let reversed: Vec<u8> = content.iter().rev().copied().collect();
            std::fs::write(other_file(folder.path(), slices), reversed).unwrap();
        }
        Self {
            emulator,
            folder,
            contents,
        }
    }

    /// A client that repeats quickly, and waits for answers as long as it is told.
    pub fn client(&self, journey: Journey, answer: Duration, attempts: u32) -> Client {
        let endpoint = Endpoint::parse(&self.emulator.endpoint()).unwrap();
        let key = SecretKey::new("1251668577", "AKIDtest", "secret").unwrap();
        let mut config = ClientConfig::new(endpoint, key);
        config.api = journey.api;
        config.connections = journey.connections.into();
        config.timeouts.answer = answer;
        config.timeouts.finish_answer = answer;
        config.retry = RetryPolicy {
            first_delay: Duration::from_millis(1),
            longest_delay: Duration::from_millis(5),
            attempts,
            attempts_unanswered: attempts,
            ..RetryPolicy::default()
        };
        Client::new(config).unwrap()
    }

    /// An upload at its beginning, and the service as that journey finds it.
    pub fn prepare(&self, client: &Client, journey: Journey, path: &str) -> Upload {
        let parents = journey.kind == Kind::IntoDirectories;
        let demanded = if parents { "on" } else { "off" };
        self.emulator.set("require_parent_dir", demanded).unwrap();
        let upload = self.upload(client, journey, path, &file(self.folder.path(), journey.slices));
        match journey.kind {
            Kind::Fresh | Kind::Single => {}
            Kind::IntoDirectories => upload
                .set_options(|options| options.create_parents = true)
                .unwrap(),
            Kind::Resumed => self.interrupt(&upload, journey),
            Kind::Replacing => {
                let other = other_file(self.folder.path(), journey.slices);
                self.interrupt(&self.upload(client, journey, path, &other), journey);
                upload
                    .set_options(|options| options.discard_unfinished = true)
                    .unwrap();
            }
        }
        upload
    }

    fn upload(&self, client: &Client, journey: Journey, path: &str, file: &Path) -> Upload {
        let upload = client.upload(BUCKET, path).unwrap();
        upload.set_file(file).unwrap();
        upload
            .set_options(|options| {
                options.slice_size = SLICE;
                // An upload that goes on for ever is a failure, not a campaign that hangs.
                options.deadline = Some(HANG_GUARD);
                options.hash = journey.hash;
                if journey.kind == Kind::Single {
                    options.single_request_limit = SLICE;
                }
            })
            .unwrap();
        upload
    }

    /// Lets an upload fail for good when half of its slices are there.
    fn interrupt(&self, upload: &Upload, journey: Journey) {
        let mut rule = serde_json::json!({"times": 0, "action": {"status": 400, "code": -5999}});
        let (slice, last) = match journey.api {
            Api::FilesV2 => ("upload_slice_data", "upload_slice_finish"),
            // The last slice is what finish is elsewhere.
            Api::FilesV1 => ("v1_data", "v1_data"),
        };
        if journey.slices == 1 {
            rule["operation"] = last.into();
        } else {
            rule["operation"] = slice.into();
            rule["offset"] = (journey.slices / 2 * SLICE).into();
        }
        self.add_fault(&rule);
        upload.run(None).unwrap_err();
        self.emulator.clear_faults();
    }

    pub fn add_fault(&self, rule: &serde_json::Value) {
        self.emulator
            .add_fault(Fault::from_json(&rule.to_string()).unwrap_or_else(|error| panic!("{error}")));
    }

    /// The requests of a journey without any fault, to a path with this first segment.
    pub fn points(&self, journey: Journey, top: &str) -> Vec<Point> {
        let client = self.client(journey, HANG_GUARD, 10);
        let upload = self.prepare(&client, journey, &journey.object(top));
        self.emulator.clear_requests();
        upload
            .run(None)
            .unwrap_or_else(|error| panic!("{journey:?}: {error}"));
        points(&self.requests(top))
    }

    /// The journal's records of one object and its directories.
    pub fn requests(&self, top: &str) -> Vec<RequestRecord> {
        let mut requests = self.emulator.requests();
        requests.retain(|request| request.path.split('/').any(|segment| segment == top));
        requests
    }

    pub fn object_is_the_file(&self, journey: Journey, path: &str) -> bool {
        let object = self.emulator.object(BUCKET, path);
        object.is_ok_and(|object| object == self.contents[journey.slices as usize - 1])
    }

    pub fn has_object(&self, path: &str) -> bool {
        self.emulator.object_file(BUCKET, path).exists()
    }
}

fn points(requests: &[RequestRecord]) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::new();
    for (position, request) in (1..).zip(requests) {
        let operation = request.operation.clone().unwrap();
        let earlier = points
            .iter()
            .filter(|point| point.operation == operation && point.offset == request.offset);
        points.push(Point {
            nth: earlier.count() as u64 + 1,
            offset: request.offset,
            position,
            succeeds: request.code == Some(0),
            is_verification: operation == "stat" && position == requests.len() as u64,
            operation,
        });
    }
    points
}

fn file(folder: &Path, slices: u64) -> PathBuf {
    folder.join(format!("file-{slices}"))
}

fn other_file(folder: &Path, slices: u64) -> PathBuf {
    folder.join(format!("other-{slices}"))
}

/// A last slice that is shorter than the others, and no two slices alike.
fn content(slices: u64) -> Vec<u8> {
    let size = (slices - 1) * SLICE + 77_777;
    let mut bytes = Vec::with_capacity(size as usize + 8);
    for word in 1..=size.div_ceil(8) {
        bytes.extend_from_slice(&word.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    }
    bytes.truncate(size as usize);
    bytes
}
