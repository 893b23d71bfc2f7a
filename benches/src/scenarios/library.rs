//! The shared library as it is installed: its size, and what it shows.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::{Bench, read, row};
use crate::process::Broken;
use crate::statistics::Summary;
use crate::table::{Findings, Goal};

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let library = bench.programs.prefix.join("lib/libcos_slice.so");
    let stripped = bench.files.path("stripped.so");
    said(
        Command::new("strip")
            .arg("--strip-unneeded")
            .arg("-o")
            .arg(&stripped)
            .arg(&library),
    )?;
    let size = std::fs::metadata(&stripped)?.len();
    let (list, shown) = (read(&bench.programs.exports)?, exported(&library)?);
    let ours: BTreeSet<&str> = list
        .lines()
        .filter(|line| line.starts_with("cos_slice_"))
        .collect();
    let foreign: Vec<&String> = shown
        .iter()
        .filter(|&name| !ours.contains(name.as_str()))
        .collect();
    let missing = ours.iter().filter(|&&name| !shown.contains(name)).count();
    if missing > 0 {
        return Err(Broken(format!(
            "{}: {missing} functions are not exported",
            library.display()
        )));
    }
    let rows = vec![
        row(
            "shared library with TLS, stripped",
            Goal::AtMost(2.5),
            Summary::of([size as f64 / 1e6]),
            "MB",
            format!("{size} bytes"),
        )?,
        row(
            "… symbols that it exports and that are not ours",
            Goal::AtMost(0.0),
            Summary::of([foreign.len() as f64]),
            "",
            format!("{} are ours", ours.len()),
        )?,
    ];
    Ok(Findings {
        rows,
        samples: Vec::new(),
    })
}

/// The names of the functions and variables that it exports, without their versions.
fn exported(library: &Path) -> Result<BTreeSet<String>, Broken> {
    let text = said(
        Command::new("nm")
            .args(["--dynamic", "--defined-only", "--format=posix"])
            .arg(library),
    )?;
    let names = text.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (name, kind) = (words.next()?, words.next()?);
        // "A" is the name of the version itself.
        (kind != "A").then(|| name.split('@').next().unwrap_or(name).to_owned())
    });
    Ok(names.collect())
}

fn said(command: &mut Command) -> Result<String, Broken> {
    let output = command
        .output()
        .map_err(|error| Broken(format!("{command:?}: {error}")))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(Broken(format!(
            "{command:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))),
    }
}
