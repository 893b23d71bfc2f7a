//! Whole uploads in virtual time against a model of the service, faults and deaths included, each from one seed.
//!
//! `make simulate SEEDS=n` goes on with seeds that were not run before, and notes in `tests/ledger/simulation.json`
//! how many those were. `make links` compares adaptive connections with fixed numbers on many more links than the tests do.
//! `SIMULATION_SEED=n cargo test --test simulation` repeats one seed and prints its trace.

mod adaptive;
mod campaign;
mod checks;
mod crowd;
mod excuses;
mod fleet;
mod grid;
mod links;
mod model;
mod model_v1;
mod network;
mod refusals;
mod scenario;
mod signer;
mod stream;
mod tasks;
mod world;

use std::collections::BTreeSet;
use std::panic;

use scenario::Fault;
use world::Tally;

const SEEDS: u64 = 20_000;

#[test]
fn no_schedule_of_faults_makes_an_upload_lie_hang_or_fail_without_reason() {
    if let Some(seed) = number_of("SIMULATION_SEED") {
        campaign::hold_back_panics();
        println!("{}", campaign::trace(seed, &BTreeSet::new()));
        return;
    }
    if let Some(seeds) = number_of("SIMULATION_SEEDS") {
        return campaign::run_new_seeds(seeds);
    }
    let tally = campaign::run(0..SEEDS);
    println!("{tally:#?}");
    assert_everything_happened(&tally);
}

fn number_of(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
    )
}

#[test]
fn uploads_that_take_long_leave_half_of_the_workers_to_the_others() {
    if let Some(seed) = number_of("SIMULATION_SEED") {
        return crowd::Crowd::new(seed).run();
    }
    for seed in 0..2000 {
        let run = panic::catch_unwind(|| crowd::Crowd::new(seed).run());
        assert!(run.is_ok(), "repeat with SIMULATION_SEED={seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let all = BTreeSet::new();
    for seed in 0..500 {
        let first = campaign::trace(seed, &all);
        assert!(!first.is_empty());
        assert_eq!(campaign::trace(seed, &all), first, "seed {seed}");
    }
}

/// A run in which nothing happens would pass; so everything must have happened, and often.
fn assert_everything_happened(tally: &Tally) {
    let operations = [
        "upload_slice_init",
        "upload_slice_list",
        "upload_slice_data",
        "upload_slice_finish",
        "upload",
        "stat",
        "delete",
        "create",
        "upload_slice without data",
        "upload_slice with data",
    ];
    for operation in operations {
        let count = tally.operations.get(operation).copied().unwrap_or(0);
        assert!(count > SEEDS / 100, "{operation} was executed only {count} times");
    }
    for &(fault, _) in Fault::ALL {
        let count = tally.faults.get(&fault).copied().unwrap_or(0);
        assert!(count > SEEDS / 100, "{fault:?} occurred only {count} times");
    }
    for status in [
        "OK",
        "ERR_OBJECT_EXISTS",
        "ERR_OTHER_UPLOAD",
        "ERR_DEADLINE",
        "ERR_SOURCE_CHANGED",
        "ERR_CREDENTIALS",
        "ERR_NOT_FOUND",
        "ERR_NOT_RESTARTABLE",
        "ERR_SIGNER",
        "ERR_TOO_LARGE",
    ] {
        let count = tally.statuses.get(status).copied().unwrap_or(0);
        assert!(count > SEEDS / 1000, "{status} was the end only {count} times");
    }
    assert!(tally.signatures > SEEDS && tally.spooled > SEEDS / 10 && tally.digests > SEEDS / 50);
    assert!(tally.statuses["OK"] > SEEDS / 2, "most uploads succeed");
    assert!(tally.kills > SEEDS / 10 && tally.cancels > SEEDS / 20 && tally.changes > SEEDS / 50);
    assert!(
        tally.held_to_succeed > SEEDS / 10,
        "only {} runs had no excuse",
        tally.held_to_succeed
    );
}
