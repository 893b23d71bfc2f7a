//! Many cases side by side, each thread with an emulator of its own, and what must be left when they are over.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use cos_emulator::RequestRecord;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::Object;
use cos_slice::upload::status::Status;

use crate::faults::{self, Fault};
use crate::journeys::{self, BUCKET, Bench, HANG_GUARD, Journey, Kind, Point};

/// Most cases wait for something most of the time.
const THREADS: usize = 8;
/// Asks for every case. Without it each fault strikes each operation with and without hashing, in one of the uploads
/// that have it.
const EVERY_CASE: &str = "COS_SLICE_EVERY_FAULT";

/// How often a fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    Once,
    Always,
}

/// A fault at a request of an upload.
pub struct Case<'a> {
    pub journey: Journey,
    /// The requests without the fault.
    pub points: &'a [Point],
    pub point: &'a Point,
    pub fault: &'a Fault,
    times: Times,
}

/// Says of a run of a case, with the requests that were sent, whether that is as it must be.
type Judge = fn(&Case, &Result<Object, Error>, &[RequestRecord]) -> Result<(), String>;

/// Runs the cases, and fails with those that fail.
pub fn run_all(name: &str, times: Times, judge: Judge) {
    let (journeys, faults) = (journeys_and_points(), faults::all());
    // After the first emulator, whose libraries keep a pair of sockets for all that follow.
    let before = Resources::now();
    let mut cases = product(&journeys, &faults, times);
    if std::env::var_os(EVERY_CASE).is_none() {
        cases = sample(cases);
    }
    let failures = run_side_by_side(&cases, judge);
    let left = Resources::now().beyond(&before);
    // A line that `scripts/faults.sh` reads.
    println!("figure {name}.cases={}", cases.len());
    assert!(
        failures.is_empty(),
        "{} of {} cases failed:\n{}",
        failures.len(),
        cases.len(),
        failures[..failures.len().min(40)].join("\n")
    );
    assert!(left.is_empty(), "left when all was over: {left}");
}

fn journeys_and_points() -> Vec<(Journey, Vec<Point>)> {
    let bench = Bench::new();
    let journeys = journeys::all().into_iter().enumerate();
    journeys
        .map(|(number, journey)| (journey, bench.points(journey, &format!("points-{number}"))))
        .collect()
}

fn product<'a>(journeys: &'a [(Journey, Vec<Point>)], faults: &'a [Fault], times: Times) -> Vec<Case<'a>> {
    let mut cases = Vec::new();
    for (journey, points) in journeys {
        for point in points {
            // The order of connections is that of the requests only while there is one at a time.
            let fits = |fault: &&Fault| !fault.of_connection || journey.connections == 1;
            cases.extend(faults.iter().filter(fits).map(|fault| Case {
                journey: *journey,
                points,
                point,
                fault,
                times,
            }));
        }
    }
    cases
}

/// Of the cases with the same fault, operation and hashing one each, and of another fault another one.
fn sample(cases: Vec<Case>) -> Vec<Case> {
    let mut alike: HashMap<(*const Fault, String, bool), Vec<Case>> = HashMap::new();
    let mut order = Vec::new();
    for case in cases {
        let key = (
            std::ptr::from_ref(case.fault),
            case.point.operation.clone(),
            case.journey.hash,
        );
        let group = alike.entry(key.clone()).or_insert_with(|| {
            order.push(key);
            Vec::new()
        });
        group.push(case);
    }
    let groups = order.iter().filter_map(|key| alike.remove(key)).enumerate();
    groups
        .map(|(number, mut group)| group.swap_remove(number % group.len()))
        .collect()
}

fn run_side_by_side(cases: &[Case], judge: Judge) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let bench = Bench::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(number) else { return };
                    if let Err(failure) = case.run(&bench, &format!("case-{number}"), judge) {
                        let text = format!("{case}: {failure}");
                        failures.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Case<'_> {
    /// The rule that puts the fault at its request.
    fn rule(&self) -> serde_json::Value {
        let times = u32::from(self.times == Times::Once);
        let mut rule = serde_json::json!({"action": self.fault.action, "times": times});
        if self.fault.of_connection {
            rule["operation"] = "connection".into();
            rule["nth"] = self.point.position.into();
        } else {
            rule["operation"] = self.point.operation.clone().into();
            rule["nth"] = self.point.nth.into();
            if let Some(offset) = self.point.offset {
                rule["offset"] = offset.into();
            }
        }
        rule
    }

    /// How long answers are waited for, and how often requests are tried.
    fn patience(&self) -> (Duration, u32) {
        match (self.fault.is("hang"), self.times) {
            (true, Times::Once) => (Duration::from_millis(500), 10),
            (true, Times::Always) => (Duration::from_millis(300), 2),
            (false, Times::Once) => (HANG_GUARD, 10),
            (false, Times::Always) => (HANG_GUARD, 4),
        }
    }

    fn run(&self, bench: &Bench, top: &str, judge: Judge) -> Result<(), String> {
        let path = &self.journey.object(top);
        let (answer, attempts) = self.patience();
        let client = bench.client(self.journey, answer, attempts);
        let keep_alive = if self.fault.of_connection { "off" } else { "on" };
        bench.emulator.set("keep_alive", keep_alive).unwrap();
        let upload = bench.prepare(&client, self.journey, path);
        bench.emulator.clear_requests();
        bench.add_fault(&self.rule());

        let began = Instant::now();
        let result = upload.run(None);
        let elapsed = began.elapsed();
        let happened = bench.emulator.unused_faults().is_empty();
        let sent = bench.requests(top);
        bench.emulator.clear_faults();
        if !happened {
            return Err(format!("the fault did not happen: {result:?}"));
        }
        if elapsed > HANG_GUARD {
            return Err(format!("it took {elapsed:?}"));
        }
        self.is_true(bench, path, &result)?;
        judge(self, &result, &sent)?;
        if result.is_err() {
            // Of an upload without digests nothing can be proven afterwards, so it is allowed to begin anew.
            let anew = self.journey.kind == Kind::Replacing || !self.journey.hash;
            upload
                .set_options(|options| (options.discard_unfinished, options.overwrite) = (anew, anew))
                .unwrap();
            let again = upload.run(None);
            again.as_ref().map_err(|error| format!("the next run: {error}"))?;
            self.is_true(bench, path, &again)?;
        }
        drop((upload, client));
        bench.emulator.clear_requests();
        std::fs::remove_file(bench.emulator.object_file(BUCKET, path)).map_err(|error| error.to_string())
    }

    /// What holds whatever happens: success means that the object is the file, failure that no other object is there
    /// and that the error tells something.
    fn is_true(&self, bench: &Bench, path: &str, result: &Result<Object, Error>) -> Result<(), String> {
        let is_the_file = bench.object_is_the_file(self.journey, path);
        match result {
            Ok(_) if is_the_file => Ok(()),
            Ok(_) => Err("success, and the object is not the file".into()),
            Err(error) if bench.has_object(path) && !is_the_file => {
                Err(format!("an object that is not the file, and {error}"))
            }
            Err(error) if error.status == Status::Panic => Err(format!("a defect: {error}")),
            Err(error) if error.message.starts_with("cos://videos/case-") && error.message.len() > 60 => {
                Ok(())
            }
            Err(error) => Err(format!("an error that says nothing: {error}")),
        }
    }
}

impl fmt::Display for Case<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}; {}", self.journey, self.rule())
    }
}

/// Threads of the library and open descriptors of this process.
struct Resources {
    threads: usize,
    /// What each is.
    descriptors: Vec<String>,
}

impl Resources {
    fn now() -> Self {
        let names = std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            // A thread may end between the two looks.
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        });
        let threads = names.filter(|name| name.starts_with("cos-")).count();
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        Self {
            threads,
            descriptors: links.map(|link| link.display().to_string()).collect(),
        }
    }

    fn beyond(&self, before: &Self) -> String {
        let mut left = String::new();
        if self.threads > before.threads {
            left.push_str(&format!("{} threads; ", self.threads - before.threads));
        }
        if self.descriptors.len() > before.descriptors.len() {
            left.push_str(&format!(
                "{:?}, before {:?}",
                self.descriptors, before.descriptors
            ));
        }
        left
    }
}

/// The matrices one after the other: each looks at what the process has left.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
