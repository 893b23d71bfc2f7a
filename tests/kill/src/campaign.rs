//! Rounds, until there are enough kills of each kind.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tempfile::TempDir;

use crate::setup::{self, Api, Source, Tools, said};
use crate::tally::{State, Tally};
use crate::{Failure, round};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Kills in all.
    pub kills: u64,
    /// Kills in each required state.
    pub kills_per_state: u64,
    /// Only uploads by this API.
    pub only: Option<Api>,
    /// Where all rounds come from.
    pub seed: u64,
    /// Only this round.
    pub round: Option<u64>,
    /// Rounds at the same time.
    pub jobs: usize,
    /// Where `cos-slice`, `cos-emulator` and, in the folder `lib`, the library are.
    pub built: PathBuf,
}

/// More rounds than any campaign should need, for each kill that is wanted: when they are over, some state was never
/// reached.
const ROUNDS_PER_KILL: u64 = 20;

/// How many kills there are from one line about them to the next.
const SAID_EVERY: u64 = 500;

struct Progress {
    tally: Tally,
    failure: Option<Failure>,
}

/// Does it.
///
/// # Errors
/// The first round that failed, with its seed and its folder, which is kept; or a state that was not reached.
pub fn run(plan: &Plan, root: &Path) -> Result<Tally, Failure> {
    let folder = said(
        "a temporary folder",
        tempfile::Builder::new().prefix("cos-slice-kill.").tempdir(),
    )?;
    // The files before what takes longer than a tick of the file system's clock: within it a change would not show, and
    // no digest of such a file is kept.
    let sources = setup::make_sources(folder.path(), plan.seed)?;
    let tools = Tools::compile(root, &plan.built, folder.path())?;
    let progress = Mutex::new(Progress {
        tally: Tally::default(),
        failure: None,
    });
    let next = AtomicU64::new(plan.round.unwrap_or(0));
    let last = plan.round.unwrap_or(plan.kills.saturating_mul(ROUNDS_PER_KILL));
    let worker = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number > last || is_over(plan, &progress) {
                return;
            }
            let result = one_round(plan, &tools, &sources, folder.path(), number);
            let mut progress = lock(&progress);
            match result {
                Ok(tally) => {
                    let before = progress.tally.all_kills();
                    progress.tally.add(&tally);
                    let kills = progress.tally.all_kills();
                    if before / SAID_EVERY < kills / SAID_EVERY {
                        println!("{kills} kills in {} uploads", progress.tally.uploads);
                    }
                }
                Err(failure) => progress.failure = progress.failure.take().or(Some(failure)),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..plan.jobs {
            scope.spawn(worker);
        }
    });
    let progress = progress
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    match progress.failure {
        None => enough(plan, progress.tally),
        Some(failure) => Err(format!(
            "{failure}\n  everything is kept in {}",
            keep(folder).display()
        )),
    }
}

fn keep(folder: TempDir) -> PathBuf {
    folder.keep()
}

fn lock(progress: &Mutex<Progress>) -> std::sync::MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn is_over(plan: &Plan, progress: &Mutex<Progress>) -> bool {
    let progress = lock(progress);
    progress.failure.is_some() || (plan.round.is_none() && short_of(plan, &progress.tally).is_none())
}

/// What is still missing.
fn short_of(plan: &Plan, tally: &Tally) -> Option<String> {
    if tally.all_kills() < plan.kills {
        return Some(format!("{} kills of {}", tally.all_kills(), plan.kills));
    }
    let of_v1 = tally.all_kills_of_v1();
    if plan.only != Some(Api::V2) && of_v1 < plan.kills_per_state {
        return Some(format!("{of_v1} kills by files/v1 of {}", plan.kills_per_state));
    }
    let few = State::REQUIRED
        .into_iter()
        .find(|state| tally.kills_in(*state) < plan.kills_per_state);
    few.map(|state| {
        format!(
            "{} kills in {} of {}",
            tally.kills_in(state),
            state.name(),
            plan.kills_per_state
        )
    })
}

fn enough(plan: &Plan, tally: Tally) -> Result<Tally, Failure> {
    match short_of(plan, &tally) {
        Some(short) if plan.round.is_none() => Err(format!("there were only {short}")),
        _ => Ok(tally),
    }
}

fn one_round(
    plan: &Plan,
    tools: &Tools,
    sources: &[Source],
    folder: &Path,
    number: u64,
) -> Result<Tally, Failure> {
    let folder = folder.join(format!("round-{number}"));
    // An address for each round, of those that this machine has for itself.
    let process = std::process::id();
    let host = format!(
        "127.{}.{}.{}",
        1 + process % 250,
        number / 250 % 250,
        1 + number % 250
    );
    // Neighbouring numbers must not give neighbouring draws; the generator's own seeding sees to that.
    let seed = plan.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number);
    let tally = round::run(tools, sources, plan.only, seed, &host, &folder).map_err(|failure| {
        format!(
            "round {number} (repeat it with --seed {} --round {number}{}): {failure}",
            plan.seed,
            match plan.only {
                None => "",
                Some(Api::V1) => " --api v1",
                Some(Api::V2) => " --api v2",
            }
        )
    })?;
    said("the round's folder", std::fs::remove_dir_all(&folder))?;
    Ok(tally)
}
