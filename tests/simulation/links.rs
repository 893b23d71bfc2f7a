//! One client and its way to the server, in virtual time: how fast an upload is with a number of connections.
//!
//! What the model has: a link whose bandwidth the connections share fairly; the ceiling of one connection by its window (4 MiB in
//! flight) and by loss (1.22 × 1460 bytes / (round trip × √loss), ± 40 % from slice to slice); two round trips to open one, and
//! slow start after that; a server that takes its time for each request, and may refuse some; a connection that is refused a
//! request is closed. A transfer that gets less than a packet in 30 s is given up, as the engine does it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use cos_slice::protocol::codes::Class;
use cos_slice::protocol::{Answer, Api, Links, Operation, Refusal, Session, Stored};
use cos_slice::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};
use cos_slice::upload::options::{ClientOptions, Connections, UploadOptions};
use cos_slice::upload::random::Random;
use cos_slice::upload::task::{Done, Memory, Reading, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

pub const SLICE: u64 = 1 << 20;
/// The payload of a packet, and what a connection begins with, in bytes.
const PACKET: f64 = 1460.0;
const FIRST_FLIGHT: f64 = 10.0 * PACKET;
/// What a connection has in flight at most, in bytes.
const MOST_IN_FLIGHT: f64 = 4.0 * 1_048_576.0;
/// No byte moved for so long.
const STALL: f64 = 30.0;

/// What refuses requests, or makes them slow, at the other end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Server {
    Willing,
    /// More than so many requests at once are refused.
    AtOnce(u32),
    /// Requests beyond so many a second are refused.
    PerSecond(f64),
    /// So many bytes a second are taken, all connections together.
    Bytes(f64),
    /// This share of requests is refused, however many there are.
    AtRandom(f64),
}

/// A way to a server.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// In bytes a second.
    pub bandwidth: f64,
    /// The round trip, in seconds.
    pub round_trip: f64,
    /// The share of packets that get lost.
    pub loss: f64,
    /// What the server needs for a request in the mean, in seconds.
    pub service: f64,
    pub server: Server,
}

/// How an upload went.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Bytes a second; 0 where the upload failed.
    pub goodput: f64,
    pub requests: u64,
    pub refused: u64,
    pub most_in_flight: usize,
    /// The window at the end of each eighth of the slices; 0 where there is none.
    pub windows: [f64; 8],
    /// When each eighth of the slices was stored, in seconds.
    pub eighths_at: [f64; 8],
}

enum Stage {
    /// Its head comes to the server.
    Arrives,
    /// Its connection is at full speed, and so many bytes are left of the body.
    IsFast(f64, f64),
    /// The server is done with it.
    Leaves,
    /// The client has the answer, or none; whether the connection stays open.
    Returns(Box<Result<Done, TaskFailure>>, bool),
    /// The link is another from now on.
    Changes(Link),
}

struct Request {
    task: Task,
    is_first_of_connection: bool,
}

struct Transfer {
    request: u64,
    left: f64,
    /// The most that its connection can do, in bytes a second.
    ceiling: f64,
    rate: f64,
}

pub struct Path {
    link: Link,
    random: Random,
    now: f64,
    scheduled: u64,
    /// By the bits of the time, which is never negative.
    events: BinaryHeap<Reverse<(u64, u64)>>,
    stages: BTreeMap<u64, (u64, Stage)>,
    requests: BTreeMap<u64, Request>,
    begun: u64,
    most_in_flight: usize,
    transfers: Vec<Transfer>,
    open_connections: u32,
    at_server: u32,
    tokens: f64,
    tokens_at: f64,
    refused: u64,
}

impl Path {
    fn new(link: Link, seed: u64) -> Self {
        Self {
            link,
            random: Random::new(seed),
            now: 0.0,
            scheduled: 0,
            events: BinaryHeap::new(),
            stages: BTreeMap::new(),
            requests: BTreeMap::new(),
            begun: 0,
            most_in_flight: 0,
            transfers: Vec::new(),
            open_connections: 0,
            at_server: 0,
            tokens: 1.0,
            tokens_at: 0.0,
            refused: 0,
        }
    }

    /// Uploads so many slices over a link, which becomes another at some moments.
    pub fn upload(
        link: Link,
        changes: &[(f64, Link)],
        connections: Connections,
        slices: u64,
        seed: u64,
    ) -> Run {
        let mut path = Self::new(link, seed);
        for &(at, link) in changes {
            path.schedule(at, 0, Stage::Changes(link));
        }
        let options = ClientOptions {
            connections,
            ..ClientOptions::default()
        };
        let mut client = Client::new(options, seed);
        let id = client.begin(specification(slices * SLICE), Duration::ZERO);
        let (mut windows, mut eighths_at) = ([0.0; 8], [0.0; 8]);
        let done = path.run(&mut client, |client, now| {
            let progress = client.progress(id).copied().unwrap_or_default();
            let eighth = (progress.slices_done * 8 / slices) as usize;
            if let (Some(window), Some(size)) = (windows.get_mut(eighth), client.window()) {
                *window = size;
            }
            for at in eighths_at[..eighth].iter_mut().filter(|at| **at == 0.0) {
                *at = now;
            }
            client.result(id).is_some()
        });
        let succeeded = done && matches!(client.result(id), Some(Ok(_)));
        Run {
            goodput: if succeeded {
                (slices * SLICE) as f64 / path.now
            } else {
                0.0
            },
            requests: path.begun,
            most_in_flight: path.most_in_flight,
            refused: path.refused,
            windows,
            eighths_at,
        }
    }

    /// Goes on until `is_done`; false where nothing is left to happen before.
    fn run(&mut self, client: &mut Client, mut is_done: impl FnMut(&Client, f64) -> bool) -> bool {
        loop {
            if is_done(client, self.now) {
                return true;
            }
            let wake_at = match client.next(Duration::from_secs_f64(self.now)) {
                Next::Task(task) => {
                    self.begin(task);
                    continue;
                }
                Next::WakeAt(at) => Some(at.as_secs_f64() + 1e-9),
                Next::Idle => None,
            };
            if is_done(client, self.now) {
                return true;
            }
            if !self.advance(client, wake_at) {
                return false;
            }
        }
    }

    fn schedule(&mut self, after: f64, request: u64, stage: Stage) {
        self.scheduled += 1;
        let at = self.now + after;
        self.events.push(Reverse((at.to_bits(), self.scheduled)));
        self.stages.insert(self.scheduled, (request, stage));
    }

    fn begin(&mut self, task: Task) {
        assert!(matches!(task.work, Work::Request(_)), "{task:?} is no request");
        self.begun += 1;
        let is_first_of_connection = self.open_connections == 0;
        self.open_connections = self.open_connections.saturating_sub(1);
        let opening = if is_first_of_connection { 2.0 } else { 0.0 };
        let arrives = (opening + 0.5) * self.link.round_trip;
        self.schedule(arrives, self.begun, Stage::Arrives);
        self.requests.insert(
            self.begun,
            Request {
                task,
                is_first_of_connection,
            },
        );
        self.most_in_flight = self.most_in_flight.max(self.requests.len());
    }

    fn refuses(&mut self) -> bool {
        match self.link.server {
            Server::Willing | Server::Bytes(_) => false,
            Server::AtRandom(share) => (self.random.up_to(999_999) as f64) < share * 1e6,
            Server::AtOnce(most) => self.at_server >= most,
            Server::PerSecond(rate) => {
                let earned = (self.now - self.tokens_at) * rate;
                self.tokens = (self.tokens + earned).min((rate / 2.0).max(1.0));
                self.tokens_at = self.now;
                let refuses = self.tokens < 1.0;
                self.tokens -= f64::from(!refuses);
                refuses
            }
        }
    }

    fn arrives(&mut self, number: u64) {
        if self.refuses() {
            self.refused += 1;
            return self.returns(number, Err(TaskFailure::Refused(overload())), false);
        }
        self.at_server += 1;
        let request = &self.requests[&number];
        match &request.task.work {
            Work::Request(Operation::Slice(slice)) => {
                let (length, is_first) = (slice.length as f64, request.is_first_of_connection);
                self.transfer(number, length, is_first);
            }
            _ => self.serve(number),
        }
    }

    fn returns(&mut self, number: u64, result: Result<Done, TaskFailure>, stays_open: bool) {
        let stage = Stage::Returns(Box::new(result), stays_open);
        self.schedule(self.link.round_trip / 2.0, number, stage);
    }

    /// How many bytes a second one connection can do, for this slice.
    fn ceiling(&mut self) -> f64 {
        let link = self.link;
        let by_window = MOST_IN_FLIGHT / link.round_trip;
        if link.loss == 0.0 {
            return by_window;
        }
        let varies = 0.6 + 0.8 * self.random.up_to(1_000_000) as f64 / 1e6;
        (varies * 1.22 * PACKET / (link.round_trip * link.loss.sqrt())).min(by_window)
    }

    fn transfer(&mut self, number: u64, length: f64, is_first: bool) {
        let ceiling = self.ceiling();
        let share = self.bandwidth() / (self.transfers.len() + 1) as f64;
        if share < PACKET / STALL {
            self.at_server -= 1;
            let stage = Stage::Returns(Box::new(Err(TaskFailure::Network(stall()))), false);
            return self.schedule(STALL, number, stage);
        }
        if !is_first {
            return self.join(number, length, ceiling);
        }
        // It sends twice as much in each round trip until it is at its ceiling.
        let target = (ceiling.min(self.bandwidth()) * self.link.round_trip).min(length);
        let rounds = (target / FIRST_FLIGHT + 1.0).log2().floor();
        let sent = (FIRST_FLIGHT * (rounds.exp2() - 1.0)).min(length);
        let stage = Stage::IsFast(length - sent, ceiling);
        self.schedule(rounds * self.link.round_trip, number, stage);
    }

    fn join(&mut self, request: u64, left: f64, ceiling: f64) {
        self.transfers.push(Transfer {
            request,
            left,
            ceiling,
            rate: 0.0,
        });
        self.share();
    }

    fn bandwidth(&self) -> f64 {
        match self.link.server {
            Server::Bytes(most) => self.link.bandwidth.min(most),
            _ => self.link.bandwidth,
        }
    }

    /// Shares the bandwidth: who can't use an equal part leaves the rest to the others.
    fn share(&mut self) {
        self.transfers
            .sort_by(|one, other| one.ceiling.total_cmp(&other.ceiling));
        let (mut left, mut sharing) = (self.bandwidth(), self.transfers.len());
        for transfer in &mut self.transfers {
            transfer.rate = transfer.ceiling.min(left / sharing as f64);
            left -= transfer.rate;
            sharing -= 1;
        }
    }

    /// The server has all of it.
    fn serve(&mut self, request: u64) {
        let varies = 0.5 + self.random.up_to(1_000_000) as f64 / 1e6;
        let service = self.link.service * varies;
        self.schedule(service, request, Stage::Leaves);
    }

    /// Lets time pass until something happens, or the client is to be asked; false where neither will be.
    fn advance(&mut self, client: &mut Client, wake_at: Option<f64>) -> bool {
        let event_at = self.events.peek().map(|Reverse((at, _))| f64::from_bits(*at));
        let ends = |transfer: &Transfer| self.now + transfer.left / transfer.rate;
        let transfer_at = self.transfers.iter().map(ends).min_by(f64::total_cmp);
        let at = [event_at, transfer_at, wake_at]
            .into_iter()
            .flatten()
            .min_by(f64::total_cmp);
        let Some(at) = at else { return false };
        let passed = (at - self.now).max(0.0);
        self.now = self.now.max(at);
        for transfer in &mut self.transfers {
            transfer.left -= transfer.rate * passed;
        }
        while let Some(position) = self.transfers.iter().position(|transfer| transfer.left < 1e-3) {
            let transfer = self.transfers.remove(position);
            self.share();
            self.serve(transfer.request);
        }
        while let Some(&Reverse((at, number))) = self.events.peek() {
            if f64::from_bits(at) > self.now {
                break;
            }
            self.events.pop();
            if let Some((request, stage)) = self.stages.remove(&number) {
                self.happen(client, request, stage);
            }
        }
        true
    }

    fn happen(&mut self, client: &mut Client, number: u64, stage: Stage) {
        match stage {
            Stage::Arrives => self.arrives(number),
            Stage::IsFast(left, ceiling) => self.join(number, left, ceiling),
            Stage::Leaves => {
                self.at_server -= 1;
                let answer = answer_to(&self.requests[&number].task);
                self.returns(number, Ok(Done::Answered(answer)), true);
            }
            Stage::Returns(result, stays_open) => {
                self.open_connections += u32::from(stays_open);
                if let Some(request) = self.requests.remove(&number) {
                    client.report(request.task, *result, Duration::from_secs_f64(self.now));
                }
            }
            Stage::Changes(link) => {
                self.link = link;
                self.share();
            }
        }
    }
}

/// An upload of so many bytes whose requests are all that there is to do.
pub fn specification(size: u64) -> Specification {
    Specification {
        name: "cos://bucket/path".into(),
        size,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options: UploadOptions {
            hash: false,
            verify: false,
            ..UploadOptions::default()
        },
        memory: Memory::default(),
        checkpoint: false,
    }
}

/// What a server says that has not done much else before.
pub fn answer_to(task: &Task) -> Answer {
    match &task.work {
        Work::Request(Operation::Init(_)) => Answer::Session(Session {
            session: "session".into(),
            slice_size: SLICE,
            serial: None,
            offset: 0,
        }),
        Work::Request(Operation::Slice(slice)) => Answer::Stored(Stored {
            offset: Some(slice.offset),
            length: Some(slice.length),
        }),
        Work::Request(Operation::Finish(_)) => Answer::Complete(Links::default()),
        work => panic!("{work:?} was not set up"),
    }
}

pub fn overload() -> Refusal {
    Refusal {
        http_status: 503,
        code: Some(-71),
        message: "said by the simulation".into(),
        request_id: None,
        class: Class::Overload,
        retry_after: None,
        ambiguous: false,
        clocks: None,
        api: Api::FilesV2,
        has_fixed_signature: false,
    }
}

fn stall() -> NetworkFailure {
    NetworkFailure {
        phase: Phase::Send,
        cause: Cause::TimedOut,
        ambiguous: true,
        stale: false,
        detail: String::new(),
        os_errno: None,
    }
}
