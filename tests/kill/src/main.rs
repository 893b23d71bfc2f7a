//! `cos-slice-kill`: see the library.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use cos_slice_kill::campaign::{self, Plan};
use cos_slice_kill::setup::Api;

/// Kills uploaders and the emulator with SIGKILL, and holds what comes of it against the file.
#[derive(Debug, Parser)]
struct Arguments {
    /// Kills in all.
    #[arg(long, default_value_t = 30)]
    kills: u64,
    /// Kills in each of hashing, init, slices, checkpoint and finish [default: a fortieth of all, at least 1].
    #[arg(long)]
    kills_per_state: Option<u64>,
    /// Only uploads by this API [default: both].
    #[arg(long, value_enum)]
    api: Option<Api>,
    /// Where everything random comes from [default: the time].
    #[arg(long)]
    seed: Option<u64>,
    /// Only this round, to repeat one that failed; of the same API.
    #[arg(long)]
    round: Option<u64>,
    /// Rounds at the same time.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Where cos-slice, cos-emulator and lib/libcos_slice.so are [default: beside this program].
    #[arg(long)]
    built: Option<PathBuf>,
    /// The ledger to add the figures to.
    #[arg(long)]
    ledger: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let seed = arguments.seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |now| now.as_secs())
    });
    let beside = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.to_owned()));
    let plan = Plan {
        kills: arguments.kills,
        kills_per_state: arguments.kills_per_state.unwrap_or((arguments.kills / 40).max(1)),
        only: arguments.api,
        seed,
        round: arguments.round,
        jobs: arguments.jobs.max(1),
        built: arguments.built.or(beside).unwrap_or_default(),
    };
    println!("seed {seed}");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let figures = match campaign::run(&plan, &root) {
        Ok(tally) => tally.figures(),
        Err(failure) => return fail(&failure),
    };
    for (name, figure) in &figures {
        println!("{name:36} {figure:>14}");
    }
    println!("in {} s", started.elapsed().as_secs());
    match arguments
        .ledger
        .map(|ledger| cos_slice_ledger::append(ledger, figures))
    {
        Some(Err(error)) => fail(&format!("the ledger: {error}")),
        Some(Ok(())) | None => ExitCode::SUCCESS,
    }
}

fn fail(failure: &str) -> ExitCode {
    eprintln!("cos-slice-kill: {failure}");
    ExitCode::FAILURE
}
