//! `cos-slice-ledger add FILE NAME=NUMBER…` adds a run to a ledger; `page PAGE LEDGERS` brings the figures of a
//! page up to date, and with `--check` says whether they are.

use std::path::Path;
use std::process::ExitCode;

mod page;

const USAGE: &str =
    "usage: cos-slice-ledger add FILE NAME=NUMBER…, or cos-slice-ledger page [--check] PAGE LEDGERS";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["add", file, figures @ ..] if !figures.is_empty() => add(file, figures),
        ["page", page, ledgers] => write_page(Path::new(page), Path::new(ledgers), false),
        ["page", "--check", page, ledgers] => write_page(Path::new(page), Path::new(ledgers), true),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("cos-slice-ledger: {text}");
            ExitCode::FAILURE
        }
    }
}

fn add(file: &str, figures: &[&str]) -> Result<(), String> {
    let parse = |figure: &&str| {
        let (name, number) = figure.split_once('=')?;
        Some((name.to_owned(), number.parse::<u64>().ok()?))
    };
    let figures: Option<Vec<_>> = figures.iter().map(parse).collect();
    let figures = figures.ok_or(USAGE)?;
    cos_slice_ledger::append(file, figures).map_err(|error| error.to_string())
}

fn write_page(path: &Path, ledgers: &Path, check: bool) -> Result<(), String> {
    let name = path.display();
    let old = std::fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
    let new = page::with_figures(&old, ledgers).map_err(|error| format!("{name}: {error}"))?;
    match (new == old, check) {
        (true, _) => Ok(()),
        (false, true) => Err(format!("{name} is not what the ledgers say; run `make figures`")),
        (false, false) => std::fs::write(path, new).map_err(|error| format!("{name}: {error}")),
    }
}
