//! `bench`: measures, and leaves `results.md` and `results.json` in a folder. A goal that is missed is told in the table, and is
//! no failure; a measurement that did not work is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use cos_slice_bench::files::Files;
use cos_slice_bench::machine::Machine;
use cos_slice_bench::process::Broken;
use cos_slice_bench::report::{Results, publish};
use cos_slice_bench::rounds::Runner;
use cos_slice_bench::scenarios::{ALL, Bench, Programs, Scenario, Sizes};

#[derive(Parser)]
struct Arguments {
    /// Only this scenario; may be given more than once
    #[arg(long, value_parser = scenario)]
    scenario: Vec<&'static Scenario>,
    /// How often each variant is measured, and nine times as often where that takes fractions of a second
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// The folder with floor, client-c, client-go and client-swift
    #[arg(long)]
    programs: PathBuf,
    /// Where the library is installed
    #[arg(long)]
    prefix: PathBuf,
    /// The list of the symbols that the library exports
    #[arg(long)]
    exports: PathBuf,
    /// Where the results go, and for as long as it takes the files that are uploaded
    #[arg(long)]
    out: PathBuf,
    /// Tiny sizes, to see that everything works
    #[arg(long)]
    smoke: bool,
    /// Puts the short table into this page too, between its marks; not with --scenario or --smoke
    #[arg(long, conflicts_with_all = ["scenario", "smoke"])]
    publish: Option<PathBuf>,
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    let names = || {
        ALL.iter()
            .map(|scenario| scenario.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    ALL.iter()
        .find(|scenario| scenario.name == name)
        .ok_or_else(|| format!("there is none of that name; there are {}", names()))
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Broken(why)) => {
            eprintln!("bench: {why}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), Broken> {
    let mut bench = Bench {
        runner: Runner {
            server: sibling("discard-server")?,
            rounds: arguments.rounds,
            times: 1,
        },
        programs: Programs {
            client: sibling("bench-client")?,
            folder: arguments.programs.clone(),
            prefix: arguments.prefix.clone(),
            exports: arguments.exports.clone(),
        },
        files: Files::in_folder(&arguments.out)?,
        sizes: if arguments.smoke {
            Sizes::SMOKE
        } else {
            Sizes::FULL
        },
    };
    let mut results = Results::new(Machine::this(), arguments.rounds);
    let chosen = arguments.scenario.iter().copied();
    let all = ALL.iter().filter(|_| arguments.scenario.is_empty());
    for scenario in chosen.chain(all) {
        eprintln!("{}", scenario.name);
        bench.runner.times = if arguments.smoke { 1 } else { scenario.times };
        let findings =
            (scenario.run)(&bench).map_err(|Broken(why)| Broken(format!("{}: {why}", scenario.name)))?;
        results.add(scenario.name, findings);
    }
    write(&arguments.out, "results.json", &results.json())?;
    write(&arguments.out, "results.md", &results.page())?;
    println!("{}", results.page());
    match &arguments.publish {
        Some(page) => publish(page, &results).map_err(|error| Broken(format!("{}: {error}", page.display()))),
        None => Ok(()),
    }
}

/// Another program of this package, which is where this one is.
fn sibling(name: &str) -> Result<PathBuf, Broken> {
    Ok(std::env::current_exe()?.with_file_name(name))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Broken> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| Broken(format!("{}: {error}", path.display())))
}
