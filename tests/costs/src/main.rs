//! `cos-slice-costs`: what one slice costs, in counts that no other load of the machine changes: calls of the system at a socket
//! that follows a script, allocations, and instructions. They are held against `tests/costs/figures.json`.
//!
//! A program of one upload on one connection runs twice, with some slices and with twice as many; the difference is what the
//! slices cost, without the beginning and the end of it.

#![forbid(unsafe_code)]

mod figures;
mod program;
mod runs;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use figures::Compared;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Fail where what is counted is not what the file says; 3 where the instructions were not compared
    Check {
        /// The figures
        file: PathBuf,
    },
    /// Write what is counted into the file
    Renew {
        /// The figures
        file: PathBuf,
    },
    /// The program that is counted
    Upload(program::Settings),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().action {
        Action::Check { file } => figures::check(&file),
        Action::Renew { file } => figures::renew(&file).map(|()| Compared::All),
        Action::Upload(settings) => program::upload(&settings).map(|()| Compared::All),
    };
    match done {
        Ok(Compared::All) => ExitCode::SUCCESS,
        Ok(Compared::NotInstructions) => ExitCode::from(3),
        Err(error) => {
            eprintln!("cos-slice-costs: {error}");
            ExitCode::FAILURE
        }
    }
}
