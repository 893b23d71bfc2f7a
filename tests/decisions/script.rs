//! One upload whose every request the test sees and answers.

use std::time::Duration;

use cos_slice::protocol::Api;
use cos_slice::protocol::codes::{self, lookup_http};
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::ranges::Ranges;
use cos_slice::protocol::{
    Answer, Links, ObjectStatus, Operation, OperationKind, Refusal, Session, Slice, Stored, Unfinished,
};
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};
use cos_slice::upload::machine::Object;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Memory, Reading, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

pub const SIZE: u64 = 250;
pub const SLICE: u64 = 100;
/// Waits one after another, without a task between them, that are more than any upload has.
pub const MOST_WAITS: u32 = 1000;

/// One upload of [`SIZE`] bytes whose every request the test sees and answers.
pub struct Script {
    pub client: Client,
    pub id: JobId,
    pub now: Duration,
    pub sha: Option<Sha1Digest>,
}

impl Script {
    pub fn new(options: UploadOptions) -> Self {
        Self::with(options, Memory::default())
    }

    pub fn with(options: UploadOptions, memory: Memory) -> Self {
        Self::of(options, memory, false)
    }

    pub fn with_checkpoint(options: UploadOptions, memory: Memory) -> Self {
        Self::of(options, memory, true)
    }

    fn of(options: UploadOptions, memory: Memory, checkpoint: bool) -> Self {
        let specification = Specification {
            memory,
            checkpoint,
            ..specification(options)
        };
        Self::specified(client_options(), specification)
    }

    /// Any upload of a client of its own.
    pub fn specified(client: ClientOptions, specification: Specification) -> Self {
        let mut client = Client::new(client, 7);
        let id = client.begin(specification, Duration::ZERO);
        Self {
            client,
            id,
            now: Duration::ZERO,
            sha: None,
        }
    }

    /// The next task; time passes as far as the machine asks for.
    pub fn task(&mut self) -> Task {
        for _ in 0..MOST_WAITS {
            match self.client.next(self.now) {
                Next::Task(task) => return task,
                Next::WakeAt(at) => self.now = at,
                Next::Idle => panic!("no task, result {:?}", self.client.result(self.id)),
            }
        }
        panic!("it only ever waits, now until {:?}", self.now)
    }

    pub fn hash(&mut self) -> &mut Self {
        let mut task = self.task();
        let Work::Hash { hasher, length } = &mut task.work else {
            panic!("{task:?} is not hashing")
        };
        hasher.update(&vec![1; usize::try_from(*length).unwrap()]);
        self.sha = Some(hasher.clone().finish().whole());
        self.client.report(task, Ok(Done::Hashed), self.now);
        self
    }

    /// Takes what is to be saved; it counts as saved.
    pub fn save(&mut self) -> Memory {
        let task = self.task();
        let Work::Save(memory) = &task.work else {
            panic!("{task:?} is not saving")
        };
        let memory = Memory::clone(memory);
        self.client.report(task, Ok(Done::Saved), self.now);
        memory
    }

    pub fn forget(&mut self) -> &mut Self {
        let task = self.task();
        assert!(matches!(task.work, Work::Forget), "{task:?} is not forgetting");
        self.client.report(task, Ok(Done::Saved), self.now);
        self
    }

    pub fn request(&mut self, kind: OperationKind) -> Task {
        let task = self.task();
        match &task.work {
            Work::Request(operation) if operation.kind() == kind => task,
            other => panic!("{other:?} in place of {}", Api::FilesV2.operation_name(kind)),
        }
    }

    pub fn answer(&mut self, kind: OperationKind, answer: Answer) -> &mut Self {
        let task = self.request(kind);
        self.client.report(task, Ok(Done::Answered(answer)), self.now);
        self
    }

    pub fn refuse(&mut self, kind: OperationKind, code: i64) -> &mut Self {
        let task = self.request(kind);
        self.client
            .report(task, Err(TaskFailure::Refused(refusal(code))), self.now);
        self
    }

    pub fn lose(&mut self, kind: OperationKind) -> &mut Self {
        let task = self.request(kind);
        self.client.report(task, Err(lost()), self.now);
        self
    }

    /// Takes the slices that are ready at once, in the order of their offsets.
    pub fn slices(&mut self) -> Vec<(Task, Slice)> {
        let mut slices = Vec::new();
        while let Next::Task(task) = self.client.next(self.now) {
            let Work::Request(Operation::Slice(slice)) = &task.work else {
                panic!("{task:?}")
            };
            let slice = slice.clone();
            slices.push((task, slice));
        }
        slices
    }

    /// Refuses the slices that are ready at once.
    pub fn refuse_slices(&mut self, code: i64) {
        for (task, _) in self.slices() {
            self.client
                .report(task, Err(TaskFailure::Refused(refusal(code))), self.now);
        }
    }

    /// Stores every slice that is asked for, and says which they were.
    pub fn store_all(&mut self) -> Vec<u64> {
        let mut offsets = Vec::new();
        for _ in 0..MOST_WAITS {
            match self.client.next(self.now) {
                Next::Task(task) => match &task.work {
                    Work::Request(Operation::Slice(slice)) => {
                        offsets.push(slice.offset);
                        let stored = Stored {
                            offset: Some(slice.offset),
                            length: Some(slice.length),
                        };
                        self.client
                            .report(task, Ok(Done::Answered(Answer::Stored(stored))), self.now);
                        if offsets.len() as u64 == SIZE.div_ceil(SLICE) || self.is_all_there() {
                            return offsets;
                        }
                    }
                    other => panic!("{other:?} in place of a slice"),
                },
                Next::WakeAt(at) => self.now = at,
                Next::Idle => return offsets,
            }
        }
        panic!("it never ends: {offsets:?}")
    }

    pub fn is_all_there(&self) -> bool {
        let progress = self.client.progress(self.id).unwrap();
        progress.slices_done == progress.slices_total
    }

    pub fn begin(&mut self) -> &mut Self {
        self.answer(OperationKind::Init, session(None))
    }

    pub fn verify(&mut self) -> &mut Self {
        let status = object(SIZE, self.sha);
        self.answer(OperationKind::Stat, status)
    }

    pub fn result(&self) -> &Result<Object, Error> {
        self.client.result(self.id).expect("the upload is over")
    }

    pub fn object(&self) -> &Object {
        self.result().as_ref().expect("the upload succeeded")
    }

    pub fn status(&self) -> Status {
        self.result()
            .as_ref()
            .map_or_else(|error| error.status, |_| Status::Ok)
    }
}

/// Two connections.
pub fn client_options() -> ClientOptions {
    ClientOptions {
        connections: 2.into(),
        ..ClientOptions::default()
    }
}

/// [`SIZE`] bytes, nothing remembered.
pub fn specification(options: UploadOptions) -> Specification {
    Specification {
        name: "cos://b/p".into(),
        size: SIZE,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options,
        memory: Memory::default(),
        checkpoint: false,
    }
}

pub fn plain() -> UploadOptions {
    UploadOptions {
        hash: false,
        ..UploadOptions::default()
    }
}

pub fn session(serial: Option<bool>) -> Answer {
    Answer::Session(Session {
        session: "s1".into(),
        slice_size: SLICE,
        serial,
        offset: 0,
    })
}

pub fn links() -> Answer {
    Answer::Complete(Links {
        access_url: Some("http://x/y".into()),
        ..Links::default()
    })
}

pub fn object(size: u64, sha: Option<Sha1Digest>) -> Answer {
    Answer::Status(ObjectStatus {
        size,
        received: Some(size),
        sha,
        links: Links::default(),
    })
}

/// What stat tells of an unfinished upload.
pub fn received(bytes: u64) -> Answer {
    Answer::Status(ObjectStatus {
        size: SIZE,
        received: Some(bytes),
        sha: None,
        links: Links::default(),
    })
}

pub fn unfinished(sha: Option<Sha1Digest>, parts: &[(u64, u64)]) -> Answer {
    Answer::Unfinished(Unfinished {
        session: "listed".into(),
        size: SIZE,
        slice_size: SLICE,
        sha,
        serial: None,
        parts: Ranges::from_unsorted(parts.to_vec()),
    })
}

pub fn refusal(code: i64) -> Refusal {
    Refusal {
        http_status: 400,
        code: Some(code),
        message: "no".into(),
        request_id: Some("id".into()),
        class: codes::lookup(Api::FilesV2, code).unwrap().class,
        retry_after: None,
        ambiguous: false,
        clocks: None,
        api: Api::FilesV2,
        has_fixed_signature: false,
    }
}

pub fn gateway(http_status: u16) -> TaskFailure {
    let class = lookup_http(http_status).class;
    TaskFailure::Refused(Refusal {
        http_status,
        code: None,
        class,
        ambiguous: true,
        ..refusal(-177)
    })
}

pub fn lost() -> TaskFailure {
    TaskFailure::Network(NetworkFailure {
        phase: Phase::Answer,
        cause: Cause::Broken,
        ambiguous: true,
        stale: false,
        detail: "reset".into(),
        os_errno: Some(104),
    })
}

/// What the server lists in the session of [`session`].
pub fn unfinished_of_ours(parts: &[(u64, u64)]) -> Answer {
    let Answer::Unfinished(listed) = unfinished(None, parts) else {
        unreachable!()
    };
    Answer::Unfinished(Unfinished {
        session: "s1".into(),
        ..listed
    })
}

pub fn stopped_in_mid_upload() -> Memory {
    let mut script = Script::new(plain());
    script.begin();
    drop(script.slices());
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    assert_eq!(script.status(), Status::Cancelled);
    script.client.memory(script.id).unwrap().clone()
}
