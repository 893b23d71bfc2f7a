//! `page FILE` brings the table of switches in a page up to date.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: page FILE");
        return ExitCode::from(2);
    };
    let written = std::fs::read_to_string(&path)
        .map_err(|error| error.to_string())
        .and_then(|page| cos_emulator::Switches::page_with_table(&page))
        .and_then(|page| std::fs::write(&path, page).map_err(|error| error.to_string()));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("page: {}: {problem}", path.display());
            ExitCode::FAILURE
        }
    }
}
