//! The command `cos-slice`: uploads a file to Tencent COS by slices, and resumes.
//!
//! It reads the command line and the environment, shows progress and tells the result; everything else is the
//! library's. `arguments` is the one table of options, `store` those for private stores, `settings` what the environment
//! adds, `upload` and `status` the two subcommands, `source` what is uploaded, `progress` what a person sees meanwhile, `log` what `--verbose` adds to that,
//! `output` what scripts read.

mod arguments;
mod interrupt;
mod log;
mod output;
mod progress;
mod settings;
mod source;
mod status;
mod store;
mod upload;

use std::process::ExitCode;

use clap::Parser;

use arguments::{Arguments, Command};

fn main() -> ExitCode {
    // Prints help, or what is wrong with the command line, and leaves with status 0 or 2.
    let arguments = Arguments::parse();
    let verdict = match &arguments.command {
        Command::Upload(upload) => upload::run(upload),
        Command::Status(status) => status::run(status),
    };
    ExitCode::from(verdict)
}
