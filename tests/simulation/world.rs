//! One run: a source, the state machine, a network that misbehaves and a model of the service, in virtual time,
//! all drawn from one seed.

use std::cmp::Reverse;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::hash::{Hash, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::codes::{Class, lookup_http};
use cos_slice::protocol::{Operation, Refusal};
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};
use cos_slice::upload::machine::Object;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::progress::Progress;
use cos_slice::upload::random::Random;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Memory, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

use crate::model::{Manner, Model, Serial};

/// More events than any run may need.
const MOST_EVENTS: u32 = 200_000;
/// Faults stop here, so that what happens afterwards must end well.
const FAULTS_UNTIL: Duration = Duration::from_secs(20);

/// What the network or the server does to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    None,
    NoConnection,
    LostRequest,
    LostAnswer,
    Duplicated,
    ServerError,
    ServerErrorAfterEffect,
    Overload,
    NotUnderstood,
    SessionLost,
    /// Somebody else's upload takes the place of the unfinished one.
    Replaced,
    PartForgotten,
    PartCorrupted,
    Stale,
}

const FAULTS: [Fault; 13] = [
    Fault::NoConnection,
    Fault::LostRequest,
    Fault::LostAnswer,
    Fault::Duplicated,
    Fault::ServerError,
    Fault::ServerErrorAfterEffect,
    Fault::Overload,
    Fault::NotUnderstood,
    Fault::SessionLost,
    Fault::Replaced,
    Fault::PartForgotten,
    Fault::PartCorrupted,
    Fault::Stale,
];

/// How often each thing took effect, over all runs: a simulation in which nothing happens proves nothing.
#[derive(Default, Debug)]
pub struct Tally {
    pub operations: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<Fault, u64>,
    pub statuses: BTreeMap<&'static str, u64>,
    pub deaths: u64,
}

struct Scenario {
    content: Arc<Vec<u8>>,
    options: UploadOptions,
    connections: u32,
    fault_percent: u64,
    /// The faults that occur in this run: uniform choice never meets the corners.
    faults: Vec<Fault>,
    deaths: u64,
    other_object: bool,
    other_upload: bool,
}

enum Event {
    /// The server executes the request of a task, or executes it again.
    Effect(Operation),
    /// A task comes back to the client of this life.
    Return {
        life: u64,
        task: Box<Task>,
        answer: Answered,
    },
}

enum Answered {
    /// With what the server said when it executed the operation.
    Executed,
    Failed(TaskFailure),
    Hashed,
}

pub struct World<'a> {
    random: Random,
    scenario: Scenario,
    model: Model,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, u64)>>,
    pending: BTreeMap<u64, Event>,
    scheduled: u64,
    life: u64,
    last_answers: BTreeMap<u64, Result<cos_slice::protocol::Answer, Refusal>>,
    tally: &'a mut Tally,
    trace: String,
}

/// What a run came to.
pub struct Ending {
    pub trace: String,
    pub trace_hash: u64,
}

impl<'a> World<'a> {
    pub fn new(seed: u64, tally: &'a mut Tally) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let manner = Manner {
            slice_size: 50 + random.up_to(400),
            serial: [None, None, Some(Serial::Announced), Some(Serial::Silent)][random.up_to(3) as usize],
            refuses_duplicates: random.up_to(3) == 0,
            rotates_on_list: random.up_to(1) == 0,
            tells_sha: random.up_to(3) != 0,
            repeats_finish: random.up_to(1) == 0,
        };
        let mut model = Model::new(manner);
        if scenario.other_object {
            let size = if random.up_to(1) == 0 {
                scenario.content.len()
            } else {
                random.up_to(3000) as usize
            };
            model.object = Some(vec![7; size]);
        }
        if scenario.other_upload {
            let other = vec![9; scenario.content.len() + random.up_to(1) as usize];
            let init = other_init(&other, random.up_to(1) == 0);
            let _ = model.execute(&init, &other);
        }
        Self {
            random,
            scenario,
            model,
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            pending: BTreeMap::new(),
            scheduled: 0,
            life: 0,
            last_answers: BTreeMap::new(),
            tally,
            trace: String::new(),
        }
    }

    /// Lives until the upload is over, dies as often as the scenario says, and checks what must always hold.
    pub fn run(mut self) -> Ending {
        let mut result = self.live();
        while result.is_none() {
            self.tally.deaths += 1;
            self.life += 1;
            self.note("death");
            // A delete that is executed long after its sender died could hit what a later life finished; no client
            // can guard against that, and it is not what is tested here.
            self.pending
                .retain(|_, event| !matches!(event, Event::Effect(Operation::Delete)));
            result = self.live();
        }
        let result = result.expect("the loop ends with a result");
        self.check_the_end(&result);
        let name = result.as_ref().map_or_else(|error| error.status.name(), |_| "OK");
        *self.tally.statuses.entry(name).or_default() += 1;
        let mut hasher = DefaultHasher::new();
        self.trace.hash(&mut hasher);
        Ending {
            trace_hash: hasher.finish(),
            trace: self.trace,
        }
    }

    /// One life of the process; `None` if it died.
    fn live(&mut self) -> Option<Result<Object, Error>> {
        let options = ClientOptions {
            connections: self.scenario.connections,
            ..ClientOptions::default()
        };
        let mut client = Client::new(options, self.random.draw());
        let specification = Specification {
            name: "cos://bucket/path".into(),
            size: self.scenario.content.len() as u64,
            options: self.scenario.options.clone(),
            memory: Memory::default(),
            checkpoint: false,
        };
        let id = client.begin(specification, self.now);
        let dies_after = (self.life < self.scenario.deaths).then(|| self.random.up_to(60));
        let mut before = Progress::default();
        for step in 0..MOST_EVENTS {
            if dies_after.is_some_and(|steps| u64::from(step) >= steps) {
                return None;
            }
            self.check_progress(&mut before, &client, id);
            if let Some(result) = client.result(id) {
                return Some(result.clone());
            }
            match client.next(self.now) {
                Next::Task(task) => self.send(task),
                // Asking can itself bring an upload to its end.
                _ if client.result(id).is_some() => {}
                Next::WakeAt(at) => self.advance(&mut client, Some(at)),
                Next::Idle => self.advance(&mut client, None),
            }
        }
        panic!("no end after {MOST_EVENTS} events\n{}", self.trace);
    }

    /// The clock jumps to what happens next: an event, or the client's own moment.
    fn advance(&mut self, client: &mut Client, wake_at: Option<Duration>) {
        let event = self.events.peek().map(|Reverse((at, _))| *at);
        match (event, wake_at) {
            (Some(at), Some(wake)) if wake < at => self.now = self.now.max(wake),
            (Some(_), _) => {
                let Some(Reverse((at, number))) = self.events.pop() else {
                    return;
                };
                self.now = self.now.max(at);
                self.happen(client, number);
            }
            (None, Some(wake)) => self.now = self.now.max(wake),
            (None, None) => panic!("idle with nothing in flight: it would hang\n{}", self.trace),
        }
    }

    fn happen(&mut self, client: &mut Client, number: u64) {
        match self.pending.remove(&number) {
            Some(Event::Effect(operation)) => self.execute(number, &operation),
            Some(Event::Return { life, task, answer }) if life == self.life => {
                let result = match answer {
                    Answered::Hashed => Ok(Done::Hashed),
                    Answered::Failed(failure) => Err(failure),
                    Answered::Executed => match self.last_answers.remove(&number) {
                        Some(Ok(answer)) => Ok(Done::Answered(answer)),
                        Some(Err(refusal)) => Err(TaskFailure::Refused(refusal)),
                        None => panic!("an answer without an effect"),
                    },
                };
                let text = match &result {
                    Ok(done) => format!("{:?} <- {done:?}", task.work),
                    Err(failure) => format!("{:?} <- {failure:?}", task.work),
                };
                self.note(&text);
                client.report(*task, result, self.now);
            }
            _ => {}
        }
    }

    fn execute(&mut self, number: u64, operation: &Operation) {
        let content = match operation {
            Operation::Slice(slice) => {
                let range = slice.offset as usize..(slice.offset + slice.length) as usize;
                self.scenario.content[range].to_vec()
            }
            Operation::Upload(_) => self.scenario.content.to_vec(),
            _ => Vec::new(),
        };
        if let Operation::Finish(finish) = operation {
            // A finish of the present session comes only when every slice has been there.
            let of_present = self
                .model
                .upload
                .as_ref()
                .filter(|upload| upload.session == finish.session);
            if let (Some(upload), false) = (of_present, self.scenario.loses_parts()) {
                let there: usize = upload.parts.values().map(Vec::len).sum();
                assert_eq!(
                    there as u64, upload.size,
                    "finish before all slices were there\n{}",
                    self.trace
                );
            }
        }
        let answer = self.model.execute(operation, &content);
        *self.tally.operations.entry(operation.kind().name()).or_default() += 1;
        // The answer belongs to the return event that follows this effect.
        self.last_answers.insert(number + 1, answer);
    }

    /// Sends a task on its way and decides what happens to it.
    fn send(&mut self, task: Task) {
        let delay = Duration::from_millis(1 + self.random.up_to(200));
        let mut task = task;
        if let Work::Hash { hasher, length } = &mut task.work {
            let start = hasher.position() as usize;
            hasher.update(&self.scenario.content[start..start + *length as usize]);
            return self.later(self.now + delay, None, task, Answered::Hashed);
        }
        let Work::Request(operation) = &task.work else {
            return;
        };
        let operation = operation.clone();
        let fault = match (self.draw_fault(), &operation) {
            // For the same reason a delete is not executed a second time later.
            (Fault::Duplicated, Operation::Delete) => Fault::None,
            (fault, _) => fault,
        };
        *self.tally.faults.entry(fault).or_default() += 1;
        self.note(&format!("{:?} -> {fault:?}", task.work));
        let at = self.now + delay;
        let effect = Some(operation.clone());
        match fault {
            Fault::None => self.later(at, effect, task, Answered::Executed),
            Fault::NoConnection => self.later(at, None, task, broken(Phase::Connect, false, false)),
            Fault::Stale => self.later(at, None, task, broken(Phase::Answer, true, true)),
            Fault::LostRequest => self.later(at, None, task, broken(Phase::Send, true, false)),
            Fault::LostAnswer => self.later(at, effect, task, broken(Phase::Answer, true, false)),
            Fault::Duplicated => {
                let again = at + Duration::from_millis(self.random.up_to(2000));
                self.later(at, effect, task, Answered::Executed);
                let number = self.schedule(again);
                self.pending.insert(number, Event::Effect(operation));
                self.scheduled += 1;
            }
            Fault::ServerError => self.later(at, None, task, status(500, Some(-195))),
            Fault::ServerErrorAfterEffect => self.later(at, effect, task, status(502, None)),
            Fault::Overload => self.later(at, None, task, status(503, Some(-71))),
            Fault::NotUnderstood => self.later(at, effect, task, status(200, None)),
            Fault::SessionLost => {
                self.model.upload = None;
                self.later(at, effect, task, Answered::Executed);
            }
            Fault::Replaced => {
                let (hashed, stored) = (self.random.up_to(1) == 0, self.random.up_to(5));
                let other = vec![9; self.scenario.content.len()];
                self.model
                    .replace_upload(&other_init(&other, hashed), &other, stored);
                self.later(at, effect, task, Answered::Executed);
            }
            Fault::PartForgotten => {
                if let Some(upload) = &mut self.model.upload {
                    upload.parts.pop_last();
                }
                self.later(at, effect, task, Answered::Executed);
            }
            Fault::PartCorrupted => {
                let parts = self.model.upload.as_mut().map(|upload| &mut upload.parts);
                if let Some(byte) = parts.and_then(|parts| parts.values_mut().next()?.first_mut()) {
                    *byte = byte.wrapping_add(1);
                }
                self.later(at, effect, task, Answered::Executed);
            }
        }
    }

    fn draw_fault(&mut self) -> Fault {
        let faults = &self.scenario.faults;
        if self.now >= FAULTS_UNTIL
            || faults.is_empty()
            || self.random.up_to(99) >= self.scenario.fault_percent
        {
            return Fault::None;
        }
        faults[self.random.up_to(faults.len() as u64 - 1) as usize]
    }

    /// An effect at `at`, if there is one, and the task's return some time after it.
    fn later(&mut self, at: Duration, effect: Option<Operation>, task: Task, answer: Answered) {
        let back = at + Duration::from_millis(self.random.up_to(300));
        let number = self.schedule(at);
        if let Some(operation) = effect {
            self.pending.insert(number, Event::Effect(operation));
        }
        let number = self.schedule(back);
        self.pending.insert(
            number,
            Event::Return {
                life: self.life,
                task: Box::new(task),
                answer,
            },
        );
    }

    fn schedule(&mut self, at: Duration) -> u64 {
        self.scheduled += 1;
        self.events.push(Reverse((at, self.scheduled)));
        self.scheduled
    }

    fn note(&mut self, text: &str) {
        let _ = writeln!(self.trace, "{:>9.3} {text}", self.now.as_secs_f64());
    }

    // ---- what must always hold -----------------------------------------------------------------------------

    fn check_progress(&self, before: &mut Progress, client: &Client, id: JobId) {
        let Some(now) = client.progress(id) else { return };
        assert!(
            now.acknowledged >= before.acknowledged,
            "progress went back\n{}",
            self.trace
        );
        assert!(
            now.acknowledged <= now.total,
            "progress passed the total\n{}",
            self.trace
        );
        assert!(
            client.in_flight(id) <= self.scenario.connections,
            "too many in flight\n{}",
            self.trace
        );
        *before = *now;
    }

    fn check_the_end(&self, result: &Result<Object, Error>) {
        let trace = &self.trace;
        let object_is_ours = self.model.object.as_deref() == Some(&self.scenario.content[..]);
        match result {
            Ok(object) => {
                assert!(
                    object_is_ours,
                    "success, but the object is not the source\n{trace}"
                );
                assert_eq!(object.size, self.scenario.content.len() as u64, "{trace}");
            }
            Err(error) => {
                assert!(
                    error.message.starts_with("cos://bucket/path: "),
                    "{}",
                    error.message
                );
                let denies = matches!(error.status, Status::ObjectExists | Status::VerifyFailed);
                let scenario = &self.scenario;
                // Spoilt bytes can become whole again by a slice that arrives twice, and then a finish that does.
                let spoilt = scenario.faults.contains(&Fault::PartCorrupted);
                let undisturbed = scenario.deaths == 0 && !scenario.other_object && !spoilt;
                let knows = undisturbed || self.scenario.options.hash && self.model.manner.tells_sha;
                assert!(
                    !(denies && knows && object_is_ours),
                    "{error}, but the object is ours\n{trace}"
                );
                self.check_that_failure_was_due(error);
            }
        }
    }

    /// Faults stop early and none of them is final, so with hashing on nothing but what was there before may make
    /// an upload fail.
    fn check_that_failure_was_due(&self, error: &Error) {
        let scenario = &self.scenario;
        let obstacle = scenario.other_object || scenario.other_upload;
        // Where half of everything fails, ten attempts in a row may.
        let exhausted = scenario.fault_percent >= 20
            && matches!(
                error.status,
                Status::ServerBusy
                    | Status::ServerFailed
                    | Status::Connect
                    | Status::ConnectionLost
                    | Status::BadReply
                    | Status::OutcomeUnknown
            );
        let excused = obstacle || scenario.hides_the_truth(&self.model) || scenario.damages() || exhausted;
        assert!(
            excused,
            "{}: {error}, though nothing final happened\n{}",
            error.status.name(),
            self.trace
        );
    }
}

impl Scenario {
    fn draw(random: &mut Random) -> Self {
        let content: Vec<u8> = (0..random.up_to(4000)).map(|_| random.draw() as u8).collect();
        let hash = random.up_to(3) != 0;
        // Nobody notices bytes that the server itself spoils, unless there is a digest.
        let possible = FAULTS
            .iter()
            .copied()
            .filter(|&fault| hash || fault != Fault::PartCorrupted);
        let faults = possible.filter(|_| random.up_to(2) == 0).collect();
        Self {
            content: Arc::new(content),
            options: UploadOptions {
                hash,
                overwrite: random.up_to(2) == 0,
                discard_unfinished: random.up_to(3) == 0,
                verify: random.up_to(3) != 0,
                single_request_limit: if random.up_to(7) == 0 { 1000 } else { 0 },
                ..UploadOptions::default()
            },
            connections: 1 + random.up_to(7) as u32,
            fault_percent: [0, 5, 20, 50][random.up_to(3) as usize],
            faults,
            deaths: random.up_to(5).saturating_sub(2),
            other_object: random.up_to(7) == 0,
            other_upload: random.up_to(7) == 0,
        }
    }

    fn loses_parts(&self) -> bool {
        self.faults
            .iter()
            .any(|fault| matches!(fault, Fault::PartForgotten | Fault::Duplicated))
    }

    /// Without digests on both sides a new life can't know what an old one began.
    fn hides_the_truth(&self, model: &Model) -> bool {
        !self.options.hash || !model.manner.tells_sha
    }

    /// The server itself loses or changes what it has acknowledged.
    fn damages(&self) -> bool {
        let damaging = [
            Fault::SessionLost,
            Fault::Replaced,
            Fault::PartForgotten,
            Fault::PartCorrupted,
            Fault::Duplicated,
        ];
        self.fault_percent > 0 && self.faults.iter().any(|fault| damaging.contains(fault))
    }
}

fn other_init(content: &[u8], hashed: bool) -> Operation {
    let digests = hashed.then(|| {
        let mut hasher = cos_slice::protocol::digest::Hasher::new(64);
        hasher.update(content);
        Arc::new(hasher.finish())
    });
    Operation::Init(cos_slice::protocol::Init {
        size: content.len() as u64,
        slice_size: 1 << 20,
        digests,
        biz_attr: None,
        overwrite: true,
    })
}

fn broken(phase: Phase, ambiguous: bool, stale: bool) -> Answered {
    let (cause, detail, os_errno) = (Cause::Broken, "reset by the simulation".into(), Some(104));
    Answered::Failed(TaskFailure::Network(NetworkFailure {
        phase,
        cause,
        ambiguous,
        stale,
        detail,
        os_errno,
    }))
}

fn status(http_status: u16, code: Option<i64>) -> Answered {
    let row = code.and_then(cos_slice::protocol::codes::lookup);
    let class: Class = row.map_or_else(|| lookup_http(http_status).class, |row| row.class);
    Answered::Failed(TaskFailure::Refused(Refusal {
        http_status,
        code,
        message: "said by the simulation".into(),
        request_id: None,
        class,
        retry_after: None,
        ambiguous: code.is_none(),
    }))
}
