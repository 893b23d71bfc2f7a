//! Writes the man pages and shell completions of both programs below a folder, in the places that such have below a
//! `share` folder.
//!
//! They are made of the programs' own tables of options, so that they can't say anything else. What those tables don't
//! have, `pages` adds: the files that are used, and examples, which are checked against the tables.

mod page;
mod pages;

#[allow(
    dead_code,
    reason = "only the table is wanted here, not what the program does with the options"
)]
#[path = "../../../src/bin/cos-slice/arguments.rs"]
mod arguments;
#[allow(dead_code, reason = "as above")]
#[path = "../../../tests/emulator/src/arguments.rs"]
mod emulator_arguments;
#[allow(dead_code, reason = "as above")]
#[path = "../../../src/bin/cos-slice/store.rs"]
mod store;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Command, CommandFactory};
use clap_complete::aot::{Bash, Fish, Generator, Zsh};

fn main() -> ExitCode {
    let [folder] = &std::env::args_os().skip(1).map(PathBuf::from).collect::<Vec<_>>()[..] else {
        eprintln!("usage: cos-slice-manual FOLDER");
        return ExitCode::from(2);
    };
    match write_all(folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cos-slice-manual: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_all(share: &Path) -> Result<(), Box<dyn Error>> {
    for page in pages::all(
        &built(arguments::Arguments::command()),
        &built(emulator_arguments::Arguments::command()),
    ) {
        write(&share.join("man/man1").join(page.file_name()), &page.render()?)?;
    }
    for mut command in [
        arguments::Arguments::command(),
        emulator_arguments::Arguments::command(),
    ] {
        let name = command.get_name().to_owned();
        let completions = share.join("bash-completion/completions").join(&name);
        write(&completions, &completion(Bash, &mut command, &name))?;
        let completions = share.join("zsh/site-functions").join(format!("_{name}"));
        write(&completions, &completion(Zsh, &mut command, &name))?;
        let completions = share
            .join("fish/vendor_completions.d")
            .join(format!("{name}.fish"));
        write(&completions, &completion(Fish, &mut command, &name))?;
    }
    Ok(())
}

/// With the names that clap gives to subcommands when it reads a command line, and without its subcommand `help`, which
/// would have a page of its own.
fn built(command: Command) -> Command {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    command
}

fn completion(shell: impl Generator, command: &mut Command, name: &str) -> Vec<u8> {
    let mut text = Vec::new();
    clap_complete::generate(shell, command, name, &mut text);
    text
}

fn write(path: &Path, text: &[u8]) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}
