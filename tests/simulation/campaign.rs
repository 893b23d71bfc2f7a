//! Many seeds on all cores, and what is told of one that fails.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::Instant;

use crate::world::{Tally, World};

/// Seeds that a thread takes at once.
const BATCH: u64 = 500;

thread_local! {
    /// Whether a panic on this thread is a failed run, which is told later.
    static TRIES: Cell<bool> = const { Cell::new(false) };
    /// What the last one said.
    static SAID: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs seeds; panics with the first one that fails, and the shortest way to its failure.
pub fn run(seeds: Range<u64>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let (failed, stop) = (Mutex::new(None), AtomicBool::new(false));
    let tally = Mutex::new(Tally::default());
    hold_back_panics();
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let mut mine = Tally::default();
                while !stop.load(Ordering::Relaxed) {
                    let from = next.fetch_add(BATCH, Ordering::Relaxed);
                    if from >= seeds.end {
                        break;
                    }
                    let batch = from..seeds.end.min(from + BATCH);
                    if let Some(text) = batch.into_iter().find_map(|seed| failure(seed, &mut mine)) {
                        stop.store(true, Ordering::Relaxed);
                        *lock(&failed) = Some(text);
                    }
                }
                lock(&tally).add(mine);
            });
        }
    });
    if let Some(text) = lock(&failed).take() {
        panic!("{text}");
    }
    tally.into_inner().unwrap_or_else(PoisonError::into_inner)
}

pub fn hold_back_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if TRIES.get() {
                SAID.with(|said| *said.borrow_mut() = info.to_string());
            } else {
                default_hook(info);
            }
        }));
    });
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs seeds that no run before had, and notes them in the ledger.
pub fn run_new_seeds(seeds: u64) {
    let ledger = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger/simulation.json");
    let done = cos_slice_ledger::read(&ledger).expect("the ledger can be read");
    let first = cos_slice_ledger::largest(&done, "next_seed");
    let began = Instant::now();
    let tally = run(first..first + seeds);
    println!("{tally:#?}");
    println!(
        "seeds {first} to {}: none failed, {} s",
        first + seeds - 1,
        began.elapsed().as_secs()
    );
    let sum = |counts: &std::collections::BTreeMap<_, u64>| counts.values().sum::<u64>();
    let faults = tally
        .faults
        .iter()
        .filter(|(fault, _)| **fault != crate::Fault::None);
    let figures = [
        ("seeds", seeds),
        ("next_seed", first + seeds),
        ("requests", sum(&tally.operations)),
        ("faults", faults.map(|(_, count)| count).sum()),
        ("kills", tally.kills),
        ("cancels", tally.cancels),
        ("source_changes", tally.changes),
        ("held_to_succeed", tally.held_to_succeed),
    ];
    cos_slice_ledger::append(&ledger, figures).expect("the ledger can be written");
}

/// What is to be told of a seed, if it fails.
fn failure(seed: u64, tally: &mut Tally) -> Option<String> {
    let none = BTreeSet::new();
    let why = attempt(seed, &none, None, tally).err()?;
    let suppressed = minimised(seed);
    let trace = trace(seed, &suppressed);
    Some(format!(
        "seed {seed}: {why}\n\nWith {} of its faults left out it still fails:\n{trace}\n\
         repeat with: SIMULATION_SEED={seed} cargo test --test simulation -- --nocapture",
        suppressed.len(),
    ))
}

fn attempt(
    seed: u64,
    suppressed: &BTreeSet<u64>,
    trace: Option<&RefCell<String>>,
    tally: &mut Tally,
) -> Result<(), String> {
    TRIES.set(true);
    let run = || World::new(seed, suppressed, trace, tally).run();
    let done = panic::catch_unwind(AssertUnwindSafe(run));
    TRIES.set(false);
    done.map_err(|_| SAID.with(|said| said.borrow().clone()))
}

/// The faults without which the seed still fails, tried one by one.
fn minimised(seed: u64) -> BTreeSet<u64> {
    /// No run draws more.
    const MOST_FAULTS: u64 = 400;
    let mut suppressed = BTreeSet::new();
    for number in (0..MOST_FAULTS).rev() {
        suppressed.insert(number);
        if attempt(seed, &suppressed, None, &mut Tally::default()).is_ok() {
            suppressed.remove(&number);
        }
    }
    suppressed
}

/// What happens in a seed's run, up to its end or its failure.
pub fn trace(seed: u64, suppressed: &BTreeSet<u64>) -> String {
    let noted = RefCell::new(String::new());
    let why = attempt(seed, suppressed, Some(&noted), &mut Tally::default()).err();
    noted.into_inner() + &why.unwrap_or_default()
}
