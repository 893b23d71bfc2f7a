//! Many clients, each with a state machine of its own, against one server that can't do what all of them want.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, Connections};
use cos_slice::upload::random::Random;
use cos_slice::upload::task::{Done, JobId, Task};
use cos_slice::upload::{Client, Next};

use crate::links::{SLICE, answer_to, overload, specification};

/// From a client to the server and back.
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// How a server is overloaded.
#[derive(Clone, Copy, Debug)]
pub enum Capacity {
    /// It does so many requests at once, each of which takes 1 s in the mean, and refuses the others.
    AtOnce(u32),
    /// It takes so many requests a second, each of which takes 0.1 s in the mean, and refuses the others.
    PerSecond(u32),
}

#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    pub clients: usize,
    pub slices: u64,
    pub connections: Connections,
    pub capacity: Capacity,
    /// From then until then the server refuses everything.
    pub outage: Option<(Duration, Duration)>,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    pub requests: u64,
    pub refused: u64,
    /// Uploads that failed.
    pub failed: usize,
    /// When four fifths of all requests were served, in seconds, and how much of what the server could have done until then it did.
    pub mostly_done: f64,
    pub used: f64,
    /// When the last upload was done.
    pub last_done: f64,
}

impl Outcome {
    /// Requests that were sent for each that was served.
    pub fn amplification(&self) -> f64 {
        self.requests as f64 / (self.requests - self.refused) as f64
    }
}

enum Event {
    Wake,
    /// The server is done with a request, or refuses it.
    Served(Task),
    Returns(Task, bool),
}

struct World {
    fleet: Fleet,
    random: Random,
    now: Duration,
    events: BinaryHeap<Reverse<(Duration, usize)>>,
    /// What happens, by its number, and to which client.
    pending: Vec<Option<(usize, Event)>>,
    free: Vec<usize>,
    clients: Vec<(Client, JobId, Option<Duration>)>,
    at_server: u32,
    tokens: f64,
    tokens_at: Duration,
    outcome: Outcome,
    total: u64,
    done: usize,
}

impl Fleet {
    pub fn run(self, seed: u64) -> Outcome {
        let mut random = Random::new(seed);
        let options = ClientOptions {
            connections: self.connections,
            ..ClientOptions::default()
        };
        let clients = (0..self.clients).map(|_| {
            let mut client = Client::new(options, random.draw());
            let id = client.begin(specification(self.slices * SLICE), Duration::ZERO);
            (client, id, None)
        });
        let mut world = World {
            fleet: self,
            clients: clients.collect(),
            random,
            now: Duration::ZERO,
            events: BinaryHeap::new(),
            pending: Vec::new(),
            free: Vec::new(),
            at_server: 0,
            tokens: 0.0,
            tokens_at: Duration::ZERO,
            outcome: Outcome::default(),
            // An init and a finish beside the slices.
            total: self.clients as u64 * (self.slices + 2),
            done: 0,
        };
        for client in 0..self.clients {
            let at = Duration::from_millis(world.random.up_to(1000));
            world.schedule(at, client, Event::Wake);
        }
        world.run()
    }
}

impl World {
    fn schedule(&mut self, at: Duration, client: usize, event: Event) {
        let number = self.free.pop().unwrap_or(self.pending.len());
        if number == self.pending.len() {
            self.pending.push(None);
        }
        self.pending[number] = Some((client, event));
        self.events.push(Reverse((at, number)));
    }

    fn run(mut self) -> Outcome {
        while let Some(Reverse((at, number))) = self.events.pop() {
            self.now = at;
            self.free.push(number);
            let Some((client, event)) = self.pending[number].take() else {
                continue;
            };
            match event {
                Event::Wake => {
                    self.clients[client].2 = None;
                    self.ask(client);
                }
                Event::Served(task) => self.served(client, task),
                Event::Returns(task, accepted) => {
                    let result = match accepted {
                        true => Ok(Done::Answered(answer_to(&task))),
                        false => Err(TaskFailure::Refused(overload())),
                    };
                    self.clients[client].0.report(task, result, at);
                    self.ask(client);
                }
            }
            if self.done == self.clients.len() {
                break;
            }
        }
        self.outcome.last_done = self.now.as_secs_f64();
        self.outcome
    }

    /// Has a client begin what it wants to.
    fn ask(&mut self, number: usize) {
        loop {
            let (client, id, woken_at) = &mut self.clients[number];
            if client.result(*id).is_some() {
                if client.take_finished().is_empty() {
                    return;
                }
                self.done += 1;
                self.outcome.failed += usize::from(matches!(client.result(*id), Some(Err(_))));
                return;
            }
            match client.next(self.now) {
                Next::Task(task) => self.send(number, task),
                _ if client.result(*id).is_some() => {}
                Next::WakeAt(at) => {
                    if woken_at.is_none_or(|earlier| at < earlier) {
                        *woken_at = Some(at);
                        self.schedule(at, number, Event::Wake);
                    }
                    return;
                }
                Next::Idle => return,
            }
        }
    }

    fn send(&mut self, client: usize, task: Task) {
        self.outcome.requests += 1;
        if self.refuses() {
            self.outcome.refused += 1;
            return self.schedule(self.now + ROUND_TRIP, client, Event::Returns(task, false));
        }
        self.at_server += 1;
        let service = match self.fleet.capacity {
            Capacity::AtOnce(_) => Duration::from_millis(500 + self.random.up_to(1000)),
            Capacity::PerSecond(_) => Duration::from_millis(50 + self.random.up_to(100)),
        };
        self.schedule(self.now + service, client, Event::Served(task));
    }

    fn refuses(&mut self) -> bool {
        if self
            .fleet
            .outage
            .is_some_and(|(from, until)| (from..until).contains(&self.now))
        {
            return true;
        }
        match self.fleet.capacity {
            Capacity::AtOnce(most) => self.at_server >= most,
            Capacity::PerSecond(rate) => {
                let rate = f64::from(rate);
                let earned = (self.now - self.tokens_at).as_secs_f64() * rate;
                self.tokens = (self.tokens + earned).min(rate / 10.0);
                self.tokens_at = self.now;
                let refuses = self.tokens < 1.0;
                self.tokens -= f64::from(!refuses);
                refuses
            }
        }
    }

    fn served(&mut self, client: usize, task: Task) {
        self.at_server -= 1;
        let outcome = &mut self.outcome;
        let served = outcome.requests - outcome.refused - u64::from(self.at_server);
        if outcome.mostly_done == 0.0 && served * 5 >= self.total * 4 {
            outcome.mostly_done = self.now.as_secs_f64();
            let rate = match self.fleet.capacity {
                Capacity::AtOnce(rate) | Capacity::PerSecond(rate) => f64::from(rate),
            };
            outcome.used = served as f64 / (rate * outcome.mostly_done);
        }
        self.schedule(self.now + ROUND_TRIP, client, Event::Returns(task, true));
    }
}
