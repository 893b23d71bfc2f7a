//! A large file with hashing: both passes together against the hashing alone.

use std::process::Command;

use super::large_file::name;
use super::{Bench, CommandOf, figures, findings, row, variant};
use crate::process::Broken;
use crate::rounds::{Connections, Place};
use crate::statistics::Summary;
use crate::table::{Findings, Goal, number};

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let size = bench.sizes.large;
    let file = bench.files.full(size)?;
    let (client, hashed) = (bench.programs.client.clone(), file.clone());
    let alone: CommandOf = Box::new(move |_: &Place, _| {
        let mut command = Command::new(&client);
        command.arg("sha1").arg(&hashed);
        command
    });
    let variants = [
        variant(
            "engine",
            bench.engine("engine", &file, &["--hash"]),
            Connections::Best,
            size,
        ),
        variant("SHA-1 of memory", alone, Connections::Fixed(1), 0),
    ];
    let measured = bench.runner.measure(&variants)?;
    let [engine, alone] = &measured[..] else {
        unreachable!("one for each variant");
    };
    let seconds = Summary::of(alone.seconds()).map_or(f64::NAN, |of| of.median);
    let rows = vec![row(
        &format!(
            "{} in the page cache, hashing: time of the whole upload against SHA-1 of memory",
            name(size)
        ),
        Goal::AtMost(1.5),
        Summary::of_ratios(&engine.seconds(), &alone.seconds()),
        "",
        format!(
            "{}; SHA-1 alone {} MB/s",
            figures(engine),
            number(size as f64 / 1e6 / seconds)
        ),
    )?];
    Ok(findings(rows, measured))
}
