//! What the processor does for each slice, a piece at a time: `make bench-micro`.
//!
//! These are times, which differ from machine to machine and from run to run; for what must stay as it is, see tests/costs.

#![expect(missing_docs, reason = "of what criterion's macros make")]

use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

use cos_slice::protocol::dialect::Dialect;
use cos_slice::protocol::digest::Hasher;
use cos_slice::protocol::location::Location;
use cos_slice::protocol::signature::{self, Kind, SecretKey};
use cos_slice::protocol::{
    Answer, Api, Links, ObjectStatus, Operation, OperationKind, Session, Slice, Stored,
};
use cos_slice::upload::options::{ClientOptions, Connections, UploadOptions};
use cos_slice::upload::task::{Done, Memory, Reading, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

const MIB: u64 = 1 << 20;

/// As many as the service's own have.
const SESSION: &str =
    "48d44422-3188-4c6c-b122-6f780742f125+CpzDLtEHAA==48d44422-3188-4c6c-b122-6f780742f125+CpzDLtEHAA";

fn framing(criterion: &mut Criterion) {
    let location = Location::new("1251668577", "videos", "2026/holiday/big.mp4").unwrap();
    let operation = Operation::Slice(Slice {
        session: SESSION.into(),
        offset: 5 * MIB,
        length: MIB,
        sha: Some(Hasher::new(MIB).finish().whole()),
    });
    let dialect = Dialect::default();
    criterion.bench_function("framing of a slice", |bencher| {
        bencher.iter(|| Api::FilesV2.encode(black_box(&operation), &location, &dialect, 7));
    });
}

fn signing(criterion: &mut Criterion) {
    let key = SecretKey::new(
        "1251668577",
        "AKIDUfLUEUigQiXqm7CVSspKJnuaiIKtxqAv",
        "bLcPnl88WU30VY57ipRhSePfPdOfSruK",
    );
    let key = key.unwrap();
    let location = Location::new("1251668577", "videos", "2026/holiday/big.mp4").unwrap();
    let lifetime = Duration::from_secs(600);
    criterion.bench_function("signature", |bencher| {
        bencher.iter(|| {
            let file_id = location.file_id();
            signature::sign(
                &key,
                "videos",
                Kind::MultiEffect,
                black_box(&file_id),
                1_437_995_644,
                lifetime,
                7,
            )
        });
    });
}

fn hashing(criterion: &mut Criterion) {
    let slice = vec![7; MIB as usize];
    let mut group = criterion.benchmark_group("hashing");
    group.throughput(Throughput::Bytes(MIB));
    group.bench_function("running SHA-1 of a slice", |bencher| {
        bencher.iter_batched_ref(
            || Hasher::new(MIB),
            |hasher| hasher.update(black_box(&slice)),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn deciding(criterion: &mut Criterion) {
    for uploads in [1, 1000] {
        let mut machine = Machine::new(uploads);
        criterion.bench_function(
            &format!("next and report of a slice, {uploads} uploads"),
            |bencher| {
                bencher.iter(|| machine.store_a_slice());
            },
        );
    }
}

/// A client whose uploads go on for ever: one that is over is begun again.
struct Machine {
    client: Client,
    /// As many as there are connections.
    in_flight: VecDeque<Task>,
    now: Duration,
}

impl Machine {
    const CONNECTIONS: usize = 16;
    const SIZE: u64 = 1 << 30;

    fn new(uploads: u32) -> Self {
        let options = ClientOptions {
            connections: Connections::Fixed(Self::CONNECTIONS as u32),
            ..ClientOptions::default()
        };
        let mut machine = Self {
            client: Client::new(options, 7),
            in_flight: VecDeque::new(),
            now: Duration::ZERO,
        };
        for _ in 0..uploads {
            machine.begin();
        }
        machine
    }

    fn begin(&mut self) {
        let specification = Specification {
            name: "cos://videos/big.mp4".into(),
            size: Self::SIZE,
            reading: Reading::AtWill,
            blocks: false,
            depth: 0,
            options: UploadOptions {
                hash: false,
                ..UploadOptions::default()
            },
            memory: Memory::default(),
            checkpoint: false,
        };
        self.client.begin(specification, self.now);
    }

    /// Reports the oldest slice under way as stored, and takes tasks until as many are under way as before. Of the rest of
    /// an upload each of its slices has a thousandth part.
    fn store_a_slice(&mut self) {
        loop {
            while self.in_flight.len() < Self::CONNECTIONS {
                let Next::Task(task) = self.client.next(self.now) else {
                    break;
                };
                self.in_flight.push_back(task);
            }
            let task = self
                .in_flight
                .pop_front()
                .expect("there is always something to do");
            let answer = answer(&task);
            let is_slice = matches!(answer, Answer::Stored(_));
            self.client.report(task, Ok(Done::Answered(answer)), self.now);
            for id in self.client.take_finished() {
                assert!(self.client.result(id).is_some_and(Result::is_ok));
                self.client.remove(id);
                self.begin();
            }
            drop(self.client.take_events());
            if is_slice {
                return;
            }
        }
    }
}

fn answer(task: &Task) -> Answer {
    let Work::Request(operation) = &task.work else {
        panic!("{task:?} is no request")
    };
    match operation {
        Operation::Slice(slice) => Answer::Stored(Stored {
            offset: Some(slice.offset),
            length: Some(slice.length),
        }),
        _ if operation.kind() == OperationKind::Init => Answer::Session(Session {
            session: SESSION.into(),
            slice_size: MIB,
            serial: None,
            offset: 0,
        }),
        _ if operation.kind() == OperationKind::Finish => Answer::Complete(Links::default()),
        _ => Answer::Status(ObjectStatus {
            size: Machine::SIZE,
            received: Some(Machine::SIZE),
            sha: None,
            links: Links::default(),
        }),
    }
}

criterion_group!(pieces, framing, signing, hashing, deciding);
criterion_main!(pieces);
