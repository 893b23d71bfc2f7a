//! How many requests may be in flight where that number adapts: who gets the places, and that they never stay closed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::script::*;
use cos_slice::protocol::codes::Class;
use cos_slice::protocol::{Answer, Operation, Refusal, Stored};
use cos_slice::upload::call::CallOptions;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, Connections};
use cos_slice::upload::random::Random;
use cos_slice::upload::task::{Done, JobId, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

const TOOK: Duration = Duration::from_millis(100);
/// More than any of these clients waits for anything.
const MOST_STEPS: u32 = 10_000;

/// A client, and its requests in flight in the order in which they began.
struct Bench {
    client: Client,
    now: Duration,
    flying: VecDeque<Task>,
}

impl Bench {
    fn new(connections: Connections) -> Self {
        let options = ClientOptions {
            connections,
            ..ClientOptions::default()
        };
        Self {
            client: Client::new(options, 7),
            now: Duration::ZERO,
            flying: VecDeque::new(),
        }
    }

    fn upload(&mut self, slices: u64) -> JobId {
        let specification = Specification {
            size: slices * SLICE,
            ..specification(plain())
        };
        self.client.begin(specification, self.now)
    }

    fn call(&mut self) -> JobId {
        let options = CallOptions::default();
        self.client
            .begin_call("cos://b/p".into(), Operation::Stat, options)
    }

    /// Begins all that may begin now; when to ask again.
    fn fill(&mut self) -> Option<Duration> {
        loop {
            match self.client.next(self.now) {
                Next::Task(task) => self.flying.push_back(task),
                Next::WakeAt(at) => {
                    assert!(at > self.now, "it is told to ask again at once");
                    return Some(at);
                }
                Next::Idle => return None,
            }
        }
    }

    /// The request that began first comes back.
    fn land(&mut self, answered: bool) -> JobId {
        let task = self.flying.pop_front().expect("something is in flight");
        let job = task.job;
        let result = match answered {
            true => Ok(Done::Answered(answer_to(&task))),
            false => Err(overload()),
        };
        self.client.report(task, result, self.now);
        job
    }

    /// Waits until a request begins.
    fn wait(&mut self) {
        for _ in 0..MOST_STEPS {
            let wake_at = self.fill();
            if !self.flying.is_empty() {
                return;
            }
            self.now = wake_at.expect("something is to be done");
        }
        panic!("nothing begins until {:?}", self.now);
    }

    /// The server refuses so many requests one after another.
    fn refuse(&mut self, count: u32) {
        for _ in 0..count {
            self.wait();
            self.land(false);
        }
    }
}

fn answer_to(task: &Task) -> Answer {
    match &task.work {
        Work::Request(Operation::Init(_)) => session(None),
        Work::Request(Operation::Slice(slice)) => Answer::Stored(Stored {
            offset: Some(slice.offset),
            length: Some(slice.length),
        }),
        Work::Request(Operation::Finish(_)) => links(),
        Work::Request(Operation::List) => unfinished_of_ours(&[]),
        _ => object(SIZE, None),
    }
}

fn overload() -> TaskFailure {
    TaskFailure::Refused(Refusal {
        http_status: 503,
        class: Class::Overload,
        ..refusal(-177)
    })
}

/// One request at a time, with pauses, where eight workers are free and an answer took so long.
fn overloaded(took: Duration) -> (Bench, JobId) {
    let mut bench = Bench::new(Connections::Adaptive(8));
    let large = bench.upload(1000);
    bench.wait();
    bench.now += took;
    bench.land(true);
    bench.refuse(8);
    let window = bench.client.window().unwrap();
    assert!(window < 1.0, "{window}");
    (bench, large)
}

#[test]
fn a_large_upload_and_many_small_ones_take_turns_where_one_request_may_be_in_flight() {
    let (mut bench, large) = overloaded(TOOK);
    let small: Vec<_> = (0..10).map(|_| bench.call()).collect();
    let mut turns = Vec::new();
    for _ in 0..20 {
        bench.wait();
        assert_eq!(bench.flying.len(), 1, "one at a time");
        turns.push(bench.flying[0].job);
        // Each second one is refused, so that it stays one at a time.
        bench.now += TOOK;
        bench.land(turns.len() % 2 == 0);
    }
    let served = |job: &JobId| turns[..14].contains(job);
    assert!(small.iter().all(served) && served(&large), "{turns:?}");
}

#[test]
fn a_pause_is_one_wait_that_ends_with_a_request() {
    let (mut bench, _) = overloaded(TOOK);
    bench.wait();
    let begun = bench.now;
    bench.land(false);
    let mut waits = 0;
    let at = loop {
        match bench.client.next(bench.now) {
            Next::WakeAt(at) => {
                let before = at - Duration::from_nanos(1);
                assert!(matches!(bench.client.next(before), Next::WakeAt(same) if same == at));
                (bench.now, waits) = (at, waits + 1);
            }
            Next::Task(_) => break bench.now,
            Next::Idle => panic!("it never goes on"),
        }
    };
    assert!(
        waits <= 10,
        "a wait for the pause, and one for each slice's back-off: {waits}"
    );
    // 32 times as long as an answer takes, and half of that at the least.
    assert!(at - begun >= 16 * TOOK, "{:?}", at - begun);
}

#[test]
fn a_pause_is_at_most_a_quarter_of_a_minute() {
    let (mut bench, _) = overloaded(Duration::from_secs(60));
    for _ in 0..20 {
        bench.wait();
        let begun = bench.now;
        bench.land(false);
        bench.wait();
        assert!(
            bench.now - begun <= Duration::from_secs(15),
            "{:?}",
            bench.now - begun
        );
    }
}

#[test]
fn requests_of_small_uploads_make_it_grow() {
    let mut bench = Bench::new(Connections::Adaptive(16));
    for _ in 0..500 {
        bench.call();
    }
    bench.fill();
    assert_eq!(bench.flying.len(), 4, "it begins with a few");
    for _ in 0..10 {
        bench.now += TOOK;
        for _ in 0..bench.flying.len() {
            bench.land(true);
        }
        bench.fill();
    }
    assert_eq!(bench.flying.len(), 16);
}

#[test]
fn what_was_measured_before_an_idle_minute_is_not_compared_with_what_comes_after() {
    let mut bench = Bench::new(Connections::Adaptive(16));
    let serve = |bench: &mut Bench, took: Duration, rounds: u32| {
        for _ in 0..rounds {
            bench.fill();
            bench.now += took;
            for _ in 0..bench.flying.len() {
                bench.land(true);
            }
        }
    };
    for _ in 0..12 {
        bench.call();
    }
    serve(&mut bench, TOOK, 2);
    bench.now += Duration::from_secs(60);
    for _ in 0..500 {
        bench.call();
    }
    // The server is slower for another reason than that more requests are in flight.
    serve(&mut bench, 3 * TOOK, 10);
    assert_eq!(bench.client.window(), Some(16.0));
}

#[test]
fn the_most_may_be_one() {
    let mut bench = Bench::new(Connections::Adaptive(1));
    let id = bench.upload(100);
    while bench.client.result(id).is_none() {
        bench.wait();
        assert_eq!(bench.flying.len(), 1);
        assert!(bench.client.window() <= Some(1.0));
        bench.now += TOOK;
        bench.land(true);
    }
}

#[test]
fn a_fixed_number_is_in_flight_again_after_refusals() {
    let mut bench = Bench::new(Connections::Fixed(6));
    bench.upload(100);
    bench.wait();
    bench.land(true);
    bench.fill();
    for _ in 0..6 {
        bench.land(false);
    }
    bench.now += Duration::from_secs(60);
    bench.fill();
    assert_eq!((bench.flying.len(), bench.client.window()), (6, None));
}

#[test]
fn one_refusal_after_many_answers_changes_nothing() {
    let mut bench = Bench::new(Connections::Adaptive(4));
    bench.upload(1000);
    for _ in 0..100 {
        bench.wait();
        bench.now += TOOK;
        bench.land(true);
    }
    let before = bench.client.window();
    bench.refuse(1);
    assert_eq!(bench.client.window(), before);
    bench.refuse(20);
    assert!(bench.client.window() < before, "many refusals do");
}

#[test]
fn places_of_jobs_that_are_gone_are_free_again_whatever_becomes_of_their_requests() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let most = 1 + random.up_to(15) as u32;
        let mut bench = Bench::new(Connections::Adaptive(most));
        let mut jobs = Vec::new();
        for _ in 0..200 {
            match random.up_to(9) {
                0 | 1 => jobs.push(bench.upload(1 + random.up_to(20))),
                2 => jobs.push(bench.call()),
                3 if !jobs.is_empty() => {
                    let id = jobs[random.up_to(jobs.len() as u64 - 1) as usize];
                    bench.client.stop(id, Error::cancelled("cos://b/p"));
                }
                4 if !jobs.is_empty() => {
                    let position = random.up_to(jobs.len() as u64 - 1) as usize;
                    bench.client.remove(jobs.swap_remove(position));
                }
                _ => {
                    bench.now += Duration::from_millis(random.up_to(2000));
                    bench.fill();
                    if let Some(task) = bench.flying.pop_front() {
                        let result = match random.up_to(3) {
                            0 => Err(lost()),
                            1 => Err(overload()),
                            _ => Ok(Done::Answered(answer_to(&task))),
                        };
                        bench.client.report(task, result, bench.now);
                    }
                }
            }
        }
        for id in jobs {
            bench.client.remove(id);
        }
        while !bench.flying.is_empty() {
            bench.land(random.up_to(1) == 0);
        }
        for _ in 0..400 {
            bench.call();
        }
        for _ in 0..400 {
            bench.wait();
            bench.now += TOOK;
            bench.land(true);
        }
        assert_eq!(bench.fill(), None, "seed {seed}: all are served");
    }
}
