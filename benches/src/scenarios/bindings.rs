//! The same large file through the C interface, Go and Swift.

use super::large_file::name;
use super::{Bench, figures, findings, row, speed_of, variant};
use crate::process::Broken;
use crate::rounds::Connections;
use crate::table::{Findings, Goal};

/// The same for all: the best number would be another one by chance, which makes more difference than a binding does.
const CONNECTIONS: Connections = Connections::Fixed(2);
const LANGUAGES: [(&str, &str); 3] = [("c", "the C interface"), ("go", "Go"), ("swift", "Swift")];

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let size = bench.sizes.large;
    let file = bench.files.full(size)?;
    let mut variants = vec![variant(
        "engine",
        bench.engine("engine", &file, &[]),
        CONNECTIONS,
        size,
    )];
    for (language, called) in LANGUAGES {
        let command = bench.language(language, &file, false);
        variants.push(variant(called, command, CONNECTIONS, size));
    }
    let measured = bench.runner.measure(&variants)?;
    let (engine, others) = measured
        .split_first()
        .ok_or_else(|| Broken("nothing was measured".into()))?;
    let mut rows = Vec::new();
    for (other, (_, called)) in others.iter().zip(LANGUAGES) {
        rows.push(row(
            &format!(
                "{}, no hashing: throughput by {called} against the Rust engine",
                name(size)
            ),
            Goal::AtLeast(0.97),
            speed_of(other, engine),
            "",
            format!("{}; {}", figures(other), figures(engine)),
        )?);
    }
    Ok(findings(rows, measured))
}
