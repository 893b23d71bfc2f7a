//! `cos-slice-cancel`: cancels uploads in every state there is, measures how long each takes to return, and checks that
//! nothing is left behind or broken. It prints a table, and fails where one state is slower than promised.

mod batch;
mod events;
mod gate;
mod hooks;
mod leftovers;
mod states;
mod upload;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use clap::Parser;
use cos_slice::upload::random::Random;

use crate::batch::Shape;
use crate::hooks::Hooks;
use crate::states::{STATES, State};

/// Where the preloaded library finds the tool; set in the process that it is loaded into.
const HOOKS: &str = "COS_SLICE_HOOKS";

/// What 99 of 100 cancels must not exceed.
const GOAL: Duration = Duration::from_millis(100);

/// The most cancels of one client.
const BATCH: u32 = 25;

#[derive(Parser)]
#[command(about = "Cancels uploads in every state and measures how long they take to return.")]
struct Arguments {
    /// Cancels in each state, at least.
    #[arg(long, default_value_t = 1000)]
    cancels: u32,
    /// Only this state; may be given several times.
    #[arg(long = "state", value_name = "NAME")]
    states: Vec<String>,
    /// Adds the figures to this ledger.
    #[arg(long, value_name = "FILE", overrides_with = "ledger")]
    ledger: Option<PathBuf>,
    /// The seed of the random moments.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Asserts nothing about time.
    #[arg(long)]
    no_goal: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match std::env::var_os(HOOKS) {
        None => with_hooks(&arguments),
        Some(path) => measure(&arguments, &Hooks::listen(Path::new(&path))),
    }
}

/// Runs the tool once more, with the hooks loaded before everything else, in folders of its own.
fn with_hooks(arguments: &Arguments) -> ExitCode {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let library = folder.path().join("hooks.so");
    let compiled = Command::new("cc")
        .args([
            "-std=c99", "-Wall", "-Wextra", "-Werror", "-O1", "-fPIC", "-shared", "-o",
        ])
        .arg(&library)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks.c"))
        .arg("-ldl")
        .status();
    assert!(
        compiled.expect("a C compiler is needed: install gcc").success(),
        "hooks.c can't be compiled"
    );
    let [temporary, work] = ["temporary", "work"].map(|name| folder.path().join(name));
    std::fs::create_dir(&temporary).expect("a folder");
    std::fs::create_dir(&work).expect("a folder");
    let status = Command::new(std::env::current_exe().expect("this program is a file"))
        .args(std::env::args_os().skip(1))
        .args(arguments.ledger.iter().flat_map(|ledger| {
            let ledger = std::path::absolute(ledger).expect("a path");
            ["--ledger".into(), ledger.into_os_string()]
        }))
        .env("LD_PRELOAD", &library)
        .env(HOOKS, folder.path().join("hooks"))
        .env("TMPDIR", &temporary)
        .current_dir(&work)
        .status();
    match status.expect("this program can be run again").success() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn measure(arguments: &Arguments, hooks: &Hooks) -> ExitCode {
    let wanted = |state: &&State| {
        arguments.states.is_empty() || arguments.states.iter().any(|name| name == state.name)
    };
    let mut random = Random::new(arguments.seed);
    batch::have_the_emulator_make_what_it_keeps();
    let (mut figures, mut slow) = (Vec::new(), Vec::new());
    println!(
        "{:12}{:>9}{:>12}{:>12}{:>12}",
        "state", "cancels", "p50", "p99", "max"
    );
    for state in STATES.iter().filter(wanted) {
        let took = cancel_often(state, arguments.cancels, hooks, &mut random);
        let (p50, p99, max) = (
            percentile(&took, 50),
            percentile(&took, 99),
            percentile(&took, 100),
        );
        println!(
            "{:12}{:>9}{p50:>12.3?}{p99:>12.3?}{max:>12.3?}",
            state.name,
            took.len()
        );
        if p99 > GOAL {
            slow.push(state.name);
        }
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let all = [
            ("cancels", took.len() as u64),
            ("p50_us", micros(p50)),
            ("p99_us", micros(p99)),
            ("max_us", micros(max)),
        ];
        figures.extend(all.map(|(name, value)| (format!("{}.{name}", state.name), value)));
    }
    if figures.is_empty() {
        let names: Vec<_> = STATES.iter().map(|state| state.name).collect();
        eprintln!("no such state; there are: {}", names.join(", "));
        return ExitCode::FAILURE;
    }
    if let Some(ledger) = &arguments.ledger {
        // The ledger notes the commit, of the working folder.
        std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).expect("the source of this program");
        cos_slice_ledger::append(ledger, figures).expect("the ledger can be written");
    }
    if slow.is_empty() || arguments.no_goal {
        return ExitCode::SUCCESS;
    }
    eprintln!(
        "of 100 cancels 99 must return within {GOAL:?}; these do not: {}",
        slow.join(", ")
    );
    ExitCode::FAILURE
}

/// The times of at least so many cancels in a state, sorted.
fn cancel_often(state: &State, cancels: u32, hooks: &Hooks, random: &mut Random) -> Vec<Duration> {
    let batches = cancels.div_ceil(BATCH).max(Shape::COUNT);
    let each = cancels.div_ceil(batches);
    let times =
        (0..batches).flat_map(|batch| batch::cancel(state, Shape::of(batch, state), each, hooks, random));
    let mut took: Vec<_> = times.collect();
    took.sort_unstable();
    took
}

/// The smallest time that so many of a hundred do not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100).max(1) - 1]
}
