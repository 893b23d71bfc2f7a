//! `cos-slice-ledger add FILE NAME=NUMBER…` adds a run to a ledger.

use std::process::ExitCode;

const USAGE: &str = "usage: cos-slice-ledger add FILE NAME=NUMBER…";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["add", file, figures @ ..] if !figures.is_empty() => add(file, figures),
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
