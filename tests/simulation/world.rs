//! One run: a source, the state machine, a network that misbehaves and a model of the service, in virtual time,
//! all drawn from one seed.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::Operation;
use cos_slice::protocol::codes::Class;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::machine::Object;
use cos_slice::upload::options::ClientOptions;
use cos_slice::upload::random::Random;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Memory, Reading, Specification, Task};
use cos_slice::upload::{Client, Next};

use crate::checks::Watch;
use crate::model::{Model, Outcome};
use crate::network::{Distortion, other_init};
use crate::scenario::{Fault, Scenario};
use crate::signer::{Given, Signature};
use crate::stream::Stream;

/// More events than any run may need.
const MOST_EVENTS: u32 = 200_000;

/// How often each thing took effect, over all runs: a simulation in which nothing happens proves nothing.
#[derive(Default, Debug)]
pub struct Tally {
    pub operations: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<Fault, u64>,
    pub statuses: BTreeMap<&'static str, u64>,
    pub kills: u64,
    pub cancels: u64,
    pub changes: u64,
    pub signatures: u64,
    pub spooled: u64,
    /// Digests of what was read once.
    pub digests: u64,
    /// Runs in which every failure would have been a defect.
    pub held_to_succeed: u64,
}

pub enum Event {
    Effect(Effect),
    /// A task comes back to the client of this life.
    Return {
        life: u64,
        task: Box<Task>,
        answer: Answered,
        /// The signature of a request that shares it with others.
        signature: Option<u64>,
    },
}

/// What happens outside of the client, whether it lives or not.
pub enum Effect {
    /// The server executes a request, with these bytes of the source.
    Request(Operation, Vec<u8>),
    Save(Box<Memory>),
    Forget,
}

pub enum Answered {
    /// With what the server said when it executed the operation, or with something else.
    Executed(Option<Distortion>),
    Said(Outcome),
    Failed(TaskFailure),
    Signed(Signature),
    /// What needs no server.
    Done(Done),
}

/// How a life went.
enum Life {
    /// The upload came to its end.
    Over(Box<Result<Object, Error>>),
    /// It did not, and this is left of it.
    Died(Option<Box<Kept>>),
}

/// What outlives a life, with the identity that the source had then.
#[derive(Clone)]
pub struct Kept {
    memory: Memory,
    identity: u64,
}

pub struct World<'a> {
    pub random: Random,
    pub scenario: Scenario,
    pub model: Model,
    pub now: Duration,
    pub events: BinaryHeap<Reverse<(Duration, u64)>>,
    pub pending: BTreeMap<u64, Event>,
    pub scheduled: u64,
    pub life: u64,
    pub last_answers: BTreeMap<u64, Outcome>,
    /// What this life has of its signer, and of its source where that is no file.
    pub given: Given,
    pub stream: Stream,
    /// Signatures that were ever made, and the number of the shared one that the request that is being sent goes with.
    pub signatures: u64,
    pub sending: Option<u64>,
    pub tally: &'a mut Tally,
    /// Faults that do not occur after all, by their number.
    pub suppressed: &'a BTreeSet<u64>,
    pub faults_drawn: u64,
    /// The source as it is now, and what tells it from what it was when a life opens it.
    pub source: Arc<Vec<u8>>,
    pub identity: u64,
    /// That of the life's beginning.
    opened: u64,
    /// The life has a way to notice that the source changed.
    pub seen_to_change: bool,
    checkpoint: Option<Box<Kept>>,
    pub watch: Watch,
    trace: Option<&'a RefCell<String>>,
}

impl Tally {
    pub fn add(&mut self, other: Tally) {
        fn sum<K: Ord>(counts: &mut BTreeMap<K, u64>, others: BTreeMap<K, u64>) {
            for (key, count) in others {
                *counts.entry(key).or_default() += count;
            }
        }
        sum(&mut self.operations, other.operations);
        sum(&mut self.faults, other.faults);
        sum(&mut self.statuses, other.statuses);
        self.kills += other.kills;
        self.cancels += other.cancels;
        self.changes += other.changes;
        self.signatures += other.signatures;
        self.spooled += other.spooled;
        self.digests += other.digests;
        self.held_to_succeed += other.held_to_succeed;
    }
}

impl<'a> World<'a> {
    /// The world of a seed. What happens is noted in `trace`, where that is wanted.
    pub fn new(
        seed: u64,
        suppressed: &'a BTreeSet<u64>,
        trace: Option<&'a RefCell<String>>,
        tally: &'a mut Tally,
    ) -> Self {
        let mut random = Random::new(seed);
        let scenario = Scenario::draw(&mut random);
        let mut model = Model::new(scenario.manner.clone(), scenario.depth);
        model.hold(scenario.other_object.map(|size| vec![7; size]));
        if let Some((size, hashed)) = scenario.other_upload {
            let other = vec![9; size];
            model.replace_upload(&other_init(&other, hashed), &other, 0);
        }
        let world = Self {
            random,
            source: scenario.content.clone(),
            scenario,
            model,
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            pending: BTreeMap::new(),
            scheduled: 0,
            life: 0,
            last_answers: BTreeMap::new(),
            given: Given::default(),
            stream: Stream::default(),
            signatures: 0,
            sending: None,
            tally,
            suppressed,
            faults_drawn: 0,
            identity: 0,
            opened: 0,
            seen_to_change: false,
            checkpoint: None,
            watch: Watch::default(),
            trace,
        };
        world.describe();
        world
    }

    fn describe(&self) {
        let scenario = &self.scenario;
        self.note(|| {
            format!(
                "{} bytes, {:?}\nserver: {:?}\n{:?}, signer {:?}, {} directories\n{}% of {:?}, {} deaths, \
                 checkpoint {}, connections: {:?}",
                self.source.len(),
                scenario.options,
                scenario.manner,
                scenario.source,
                scenario.signer,
                scenario.depth,
                scenario.fault_percent,
                scenario.faults,
                scenario.deaths,
                scenario.checkpoint,
                scenario.connections,
            )
        });
    }

    /// Lives until the upload is over, dies as often as the scenario says, and checks what must always hold.
    pub fn run(mut self) {
        let mut kept = None;
        let result = loop {
            match self.live(kept) {
                Life::Over(result) => break *result,
                Life::Died(left) => kept = left,
            }
            self.life += 1;
            // A delete that is executed long after its sender died could hit what a later life finished; no client
            // can guard against that, and it is not what is tested here. A write to the disk dies with the process.
            self.pending.retain(|_, event| match event {
                Event::Effect(Effect::Request(operation, _)) => !matches!(operation, Operation::Delete),
                Event::Effect(Effect::Save(_) | Effect::Forget) => false,
                Event::Return { .. } => true,
            });
        };
        self.check_the_end(&result);
        let name = result.as_ref().map_or_else(|error| error.status.name(), |_| "OK");
        *self.tally.statuses.entry(name).or_default() += 1;
    }

    /// One life of the upload, with what an earlier one left.
    fn live(&mut self, kept: Option<Box<Kept>>) -> Life {
        let options = ClientOptions {
            connections: self.scenario.connections,
            api: self.scenario.manner.api,
            asks_signer: self.scenario.signer.is_some(),
            ..ClientOptions::default()
        };
        let mut client = Client::new(options, self.random.draw());
        (self.opened, self.seen_to_change) = (self.identity, false);
        (self.given, self.stream) = (Given::default(), Stream::default());
        let id = client.begin(self.specification(kept), self.now);
        self.begin_watch(&client, id);
        let dies_after = (self.life < self.scenario.deaths).then(|| self.random.up_to(60));
        for step in 0..MOST_EVENTS {
            if dies_after.is_some_and(|steps| u64::from(step) >= steps) {
                return self.die(&mut client, id);
            }
            self.check_progress(&client, id);
            if let Some(result) = client.result(id) {
                return Life::Over(Box::new(result.clone()));
            }
            match client.next(self.now) {
                Next::Task(task) => self.send(task),
                // Asking can itself bring an upload to its end.
                _ if client.result(id).is_some() => {}
                Next::WakeAt(at) => self.advance(&mut client, id, Some(at)),
                Next::Idle => self.advance(&mut client, id, None),
            }
        }
        panic!("no end after {MOST_EVENTS} events");
    }

    fn specification(&self, kept: Option<Box<Kept>>) -> Specification {
        let memory = kept.map_or_else(Memory::default, |kept| {
            let same = kept.identity == self.identity;
            if same {
                kept.memory
            } else {
                kept.memory.for_other_content()
            }
        });
        let source = &self.scenario.source;
        Specification {
            name: "cos://bucket/path".into(),
            // It is not known before spooling, whatever is said.
            size: match source.reading {
                Reading::AfterSpooling => 7777,
                Reading::AtWill | Reading::Once => self.source.len() as u64,
            },
            reading: source.reading,
            blocks: source.blocks,
            depth: self.scenario.depth,
            options: self.scenario.options.clone(),
            memory,
            checkpoint: self.scenario.checkpoint,
        }
    }

    /// The process is killed, and the checkpoint is what is left; or the upload is cancelled and its handle stays.
    fn die(&mut self, client: &mut Client, id: JobId) -> Life {
        if self.random.up_to(2) > 0 {
            self.tally.kills += 1;
            self.watch.killed = true;
            let knows_session = |kept: &Kept| kept.memory.began.is_some();
            self.watch.init_doubtful |= !self.checkpoint.as_deref().is_some_and(knows_session);
            let is_lost = self.random.up_to(99) < self.scenario.checkpoint_loss;
            if is_lost {
                self.checkpoint = None;
            }
            self.note(|| format!("killed, checkpoint lost: {is_lost}"));
            return Life::Died(self.checkpoint.clone());
        }
        self.tally.cancels += 1;
        self.note(|| "cancelled".into());
        client.stop(id, Error::cancelled("cos://bucket/path"));
        match client.result(id) {
            Some(Err(error)) if error.status == Status::Cancelled => {}
            Some(result) => return Life::Over(Box::new(result.clone())),
            None => panic!("cancelled, and not over"),
        }
        let identity = self.opened;
        let memory = client.memory(id).cloned().unwrap_or_default();
        self.watch.init_doubtful |= memory.began.is_none();
        Life::Died(Some(Box::new(Kept { memory, identity })))
    }

    /// The clock jumps to what happens next: an event, the client's own moment, or the end of its time.
    fn advance(&mut self, client: &mut Client, id: JobId, wake_at: Option<Duration>) {
        let deadline = client.deadline_at(id);
        let wake_at = wake_at.into_iter().chain(deadline).min();
        let event = self.events.peek().map(|Reverse((at, _))| *at);
        match (event, wake_at) {
            (Some(at), Some(wake)) if wake < at => self.pass_until(wake),
            (Some(_), _) => {
                let Some(Reverse((at, number))) = self.events.pop() else {
                    return;
                };
                self.pass_until(at);
                self.happen(client, number);
            }
            (None, Some(wake)) => self.pass_until(wake),
            (None, None) => panic!("idle with nothing in flight: it would hang"),
        }
        client.pass(self.now);
    }

    fn pass_until(&mut self, moment: Duration) {
        self.now = self.now.max(moment);
        if let Some(change) = self.scenario.change.take_if(|change| change.at <= moment) {
            self.note(|| format!("the source changes, visible: {}", change.visible));
            self.tally.changes += 1;
            self.identity += 1;
            self.seen_to_change |= change.visible;
            self.source = change.content;
            self.watch.versions.push(self.source.clone());
        }
    }

    fn happen(&mut self, client: &mut Client, number: u64) {
        match self.pending.remove(&number) {
            Some(Event::Effect(Effect::Request(operation, bytes))) => {
                self.check_request(&operation);
                let answer = self.model.execute(&operation, &bytes);
                self.note_effect(&operation, answer.is_ok(), bytes.len());
                // The answer belongs to the return event that follows this effect.
                self.last_answers.insert(number + 1, answer);
            }
            Some(Event::Effect(Effect::Save(memory))) => {
                let identity = self.opened;
                self.checkpoint = Some(Box::new(Kept {
                    memory: *memory,
                    identity,
                }));
            }
            Some(Event::Effect(Effect::Forget)) => self.checkpoint = None,
            Some(Event::Return {
                life,
                task,
                answer,
                signature,
            }) if life == self.life => {
                let id = task.job;
                let result = self.result_of(number, &task.work, answer);
                self.watch_result(&task.work, &result);
                if let (Err(TaskFailure::Refused(refusal)), Some(signature)) = (&result, signature) {
                    if refusal.class == Class::Resign {
                        self.signature_refused(signature);
                    }
                }
                self.note(|| match &result {
                    Ok(done) => format!("{:?} <- {done:?}", task.work),
                    Err(failure) => format!("{:?} <- {failure:?}", task.work),
                });
                client.report(*task, result, self.now);
                self.release(client, id);
            }
            _ => {}
        }
    }

    pub fn note(&self, text: impl FnOnce() -> String) {
        if let Some(trace) = self.trace {
            let _ = writeln!(trace.borrow_mut(), "{:>9.3} {}", self.now.as_secs_f64(), text());
        }
    }
}
