//! `cos-slice-conformance`: does the same jobs in every language and by the command, against an emulator in this process, and
//! wants of each what is expected, and of all the same. `tests/conformance/README.md` says what a runner is, and what a scenario.
//!
//! `scenario` is what is read, `vocabulary` what there is to say, `contents` and `ground` are what it is done on, with `places`
//! and `authority` around; `runner` and `command` do it, and `verdict` judges.

#![forbid(unsafe_code)]

mod authority;
mod command;
mod contents;
mod ground;
mod places;
mod runner;
mod scenario;
mod verdict;
mod vocabulary;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use command::CommandRunner;
use contents::Contents;
use ground::Ground;
use runner::{Program, Runner};
use scenario::Scenario;
use verdict::Told;
use vocabulary::Vocabulary;

/// What went wrong, in words.
pub type Failure = String;

/// Bounds what would otherwise hang for ever; nothing is expected to take a fraction of it.
pub const HANG_GUARD: Duration = Duration::from_secs(60);

/// Does the scenarios with each runner, and compares.
#[derive(Debug, Parser)]
struct Arguments {
    /// A runner, as often as wanted: its name, and the program that reads jobs. The first is what the others are compared with.
    #[arg(long, value_name = "NAME=PROGRAM", required = true)]
    runner: Vec<Named>,
    /// The command cos-slice, as one more runner.
    #[arg(long, value_name = "PROGRAM")]
    command: Option<PathBuf>,
    /// Only scenarios whose name has this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Where the folder work is made, emptied before [default: build/conformance in the project].
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// `name=program`.
#[derive(Clone, Debug)]
struct Named {
    name: String,
    program: PathBuf,
}

impl FromStr for Named {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, program) = text.split_once('=').ok_or("it is NAME=PROGRAM")?;
        Ok(Self {
            name: name.to_owned(),
            program: program.into(),
        })
    }
}

/// What came of a scenario with a runner: what it told, step by step, or what is wrong.
type Done = Result<Vec<Told>, Vec<Failure>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match conform(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("cos-slice-conformance: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything is as it must be.
fn conform(arguments: &Arguments) -> Result<bool, Failure> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../..");
    let root = root.canonicalize().map_err(|error| error.to_string())?;
    let vocabulary = Vocabulary::read(&root.join("abi"))?;
    let all = scenario::read_all(&here.join("scenarios"))?;
    let folder = arguments.folder.clone();
    let folder = emptied(&folder.unwrap_or_else(|| root.join("build/conformance")))?;
    let mut runners = runners(arguments, &folder);

    let mut faults = vocabulary.faults_of_all(&all);
    faults.extend(runners.iter_mut().flat_map(|runner| runner.faults(&vocabulary)));
    for fault in &faults {
        println!("FAILED  {fault}");
    }
    let is_wanted = |scenario: &&Scenario| {
        arguments
            .only
            .as_ref()
            .is_none_or(|text| scenario.name.contains(text.as_str()))
    };
    let contents = Contents::new(&folder.join("contents"), &all)?;
    let scenarios: Vec<&Scenario> = all.iter().filter(is_wanted).collect();
    let names: Vec<String> = runners.iter().map(|runner| runner.name().to_owned()).collect();
    let began = Instant::now();
    let results = thread::scope(|scope| {
        let started: Vec<_> = runners
            .iter_mut()
            .map(|runner| scope.spawn(|| do_all(runner, &scenarios, &contents, &folder)))
            .collect();
        started
            .into_iter()
            .map(|thread| thread.join())
            .collect::<Vec<_>>()
    });
    let mut by_runner = Vec::new();
    for result in results {
        by_runner.push(result.map_err(|_| "the driver itself failed".to_owned())?);
    }
    for runner in &mut runners {
        faults.extend(runner.end().err());
    }
    let failed = report(&scenarios, &names, &by_runner);
    println!(
        "in {:.0} s, with {}",
        began.elapsed().as_secs_f64(),
        names.join(", ")
    );
    println!(
        "{} passed, {} failed",
        scenarios.len() - failed,
        failed + faults.len()
    );
    Ok(failed + faults.len() == 0)
}

fn runners(arguments: &Arguments, folder: &Path) -> Vec<Runner> {
    let program =
        |named: &Named| Runner::Program(Box::new(Program::new(&named.name, &named.program, folder)));
    let command = |path: &PathBuf| Runner::Command(CommandRunner::new(path.clone()));
    let programs = arguments.runner.iter().map(program);
    programs.chain(arguments.command.iter().map(command)).collect()
}

/// An empty folder in this one; what is in it is this program's, from an earlier run.
fn emptied(folder: &Path) -> Result<PathBuf, Failure> {
    let folder = folder.join("work");
    let said = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.exists() {
        std::fs::remove_dir_all(&folder).map_err(said)?;
    }
    std::fs::create_dir_all(&folder).map_err(said)?;
    folder.canonicalize().map_err(said)
}

/// Does all scenarios with a runner; `None` for one that is not for it.
fn do_all(
    runner: &mut Runner,
    scenarios: &[&Scenario],
    contents: &Contents,
    folder: &Path,
) -> Vec<Option<Done>> {
    let mut results = Vec::new();
    for (number, scenario) in scenarios.iter().enumerate() {
        let folder = folder.join(format!("{}-{number}", runner.name()));
        let excused = scenario.not_with.contains(runner.name());
        results.push(match (runner.cannot(scenario), excused) {
            (Some(_), true) => None,
            (None, true) => Some(Err(vec![
                "it can do it, though it is said that it can't".to_owned(),
            ])),
            (Some(why), false) => Some(Err(vec![format!("it can't do it: {why}")])),
            (None, false) => Some(do_one(runner, scenario, contents, folder)),
        });
    }
    results
}

fn do_one(runner: &mut Runner, scenario: &Scenario, contents: &Contents, folder: PathBuf) -> Done {
    let one = |failure: Failure| vec![failure];
    let ground = Ground::new(scenario, contents, folder.clone()).map_err(one)?;
    let done = do_steps(runner, scenario, &ground);
    // Also where a step failed: the next scenario must not have this one's environment.
    let reset = runner.reset().map_err(one);
    let told = done?;
    reset?;
    drop(ground);
    // What failed stays to be looked at.
    std::fs::remove_dir_all(&folder).map_err(|error| vec![format!("{}: {error}", folder.display())])?;
    Ok(told)
}

fn do_steps(runner: &mut Runner, scenario: &Scenario, ground: &Ground) -> Done {
    let one = |failure: Failure| vec![failure];
    let mut told = Vec::new();
    for (number, step) in scenario.steps.iter().enumerate() {
        let at = |failure: Failure| format!("step {}: {failure}", number + 1);
        ground.begin(step).map_err(one)?;
        let holder = match step.checkpoint_is_held {
            true => Some(
                ground
                    .content("source")
                    .and_then(|content| ground.hold_checkpoint(content))
                    .map_err(one)?,
            ),
            false => None,
        };
        let environment = step.environment.as_ref().map(|environment| {
            let filled = environment
                .iter()
                .map(|(name, value)| Ok((name.clone(), ground.fill(value)?)));
            filled.collect::<Result<BTreeMap<_, _>, Failure>>()
        });
        let environment = environment.transpose().map_err(one)?;
        let job = ground
            .job(&format!("{} {}", scenario.name, number + 1), step)
            .map_err(one)?;
        let answer = runner.run(&job, environment, ground).map_err(at).map_err(one)?;
        let faults = verdict::of_step(step, &answer, ground, runner.name());
        drop(holder);
        if !faults.is_empty() {
            return Err(faults.into_iter().map(at).collect());
        }
        told.push(verdict::normalised(answer, ground));
    }
    Ok(told)
}

/// Prints a line for each scenario, and what is wrong; gives how many failed.
fn report(scenarios: &[&Scenario], names: &[String], by_runner: &[Vec<Option<Done>>]) -> usize {
    println!(
        "{}",
        names.iter().map(|name| format!("{name:8}")).collect::<String>()
    );
    let mut failed = 0;
    for (number, scenario) in scenarios.iter().enumerate() {
        let mut words = Vec::new();
        let mut faults = Vec::new();
        let mut first: Option<(&str, &[Told])> = None;
        for (name, results) in names.iter().zip(by_runner) {
            words.push(match &results[number] {
                None => "-",
                Some(Err(failures)) => {
                    faults.extend(failures.iter().map(|failure| format!("{name}: {failure}")));
                    "FAILED"
                }
                Some(Ok(told)) => {
                    let differences = first.map(|first| verdict::differences(scenario, first, (name, told)));
                    first = first.or(Some((name, told)));
                    match differences {
                        Some(differences) if !differences.is_empty() => {
                            faults.extend(differences);
                            "DIFFERS"
                        }
                        _ => "ok",
                    }
                }
            });
        }
        if words.iter().all(|word| *word == "-") {
            faults.push("no runner did it".into());
        }
        let words: Vec<_> = words.iter().map(|word| format!("{word:8}")).collect();
        println!("{}{}", words.concat(), scenario.name);
        for fault in &faults {
            println!("    {fault}");
        }
        failed += usize::from(!faults.is_empty());
    }
    failed
}
