//! Whole uploads in virtual time against a model of the service, faults and deaths included, each from one seed.
//!
//! `SIMULATION_SEED=n cargo test --test simulation` repeats one seed and prints its trace.

mod model;
mod world;

use world::{Fault, Tally, World};

const SEEDS: u64 = 20_000;

#[test]
fn no_schedule_of_faults_makes_an_upload_lie_hang_or_fail_without_reason() {
    let mut tally = Tally::default();
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        let seed = seed.parse().expect("SIMULATION_SEED is a number");
        println!("{}", World::new(seed, &mut tally).run().trace);
        return;
    }
    for seed in 0..SEEDS {
        run(seed, &mut tally);
    }
    println!("{tally:#?}");
    assert_everything_happened(&tally);
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    let mut tally = Tally::default();
    for seed in 1_000_000..1_000_500 {
        let (first, second) = (run(seed, &mut tally), run(seed, &mut tally));
        assert_eq!(first, second, "seed {seed}");
    }
}

fn run(seed: u64, tally: &mut Tally) -> u64 {
    struct Name(u64);
    impl Drop for Name {
        fn drop(&mut self) {
            if std::thread::panicking() {
                eprintln!(
                    "repeat with: SIMULATION_SEED={} cargo test --test simulation",
                    self.0
                );
            }
        }
    }
    let _name = Name(seed);
    World::new(seed, tally).run().trace_hash
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
    ];
    for operation in operations {
        let count = tally.operations.get(operation).copied().unwrap_or(0);
        assert!(count > SEEDS / 100, "{operation} was executed only {count} times");
    }
    for fault in [
        Fault::None,
        Fault::LostAnswer,
        Fault::SessionLost,
        Fault::PartCorrupted,
        Fault::Stale,
    ] {
        let count = tally.faults.get(&fault).copied().unwrap_or(0);
        assert!(count > SEEDS / 100, "{fault:?} occurred only {count} times");
    }
    for status in ["OK", "ERR_OBJECT_EXISTS", "ERR_OTHER_UPLOAD"] {
        let count = tally.statuses.get(status).copied().unwrap_or(0);
        assert!(count > SEEDS / 1000, "{status} was the end only {count} times");
    }
    assert!(tally.statuses["OK"] > SEEDS / 2, "most uploads succeed");
    assert!(tally.deaths > SEEDS / 10);
}
