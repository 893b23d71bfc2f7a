//! A large file without hashing: how near the engine comes to the system calls alone.

use super::{Bench, DEFAULT_CONNECTIONS, GIB, figures, findings, row, speed_of, variant};
use crate::process::Broken;
use crate::rounds::{Connections, Measured};
use crate::statistics::Summary;
use crate::table::{Findings, Goal};

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let size = bench.sizes.large;
    let file = bench.files.full(size)?;
    let variants = [
        variant(
            "engine",
            bench.engine("engine", &file, &[]),
            Connections::Best,
            size,
        ),
        variant(
            "engine as it is without settings",
            bench.engine("engine", &file, &[]),
            DEFAULT_CONNECTIONS,
            size,
        ),
        variant(
            "C sendfile",
            bench.floor("sendfile", &file),
            Connections::Best,
            size,
        ),
        variant(
            "C pread and send",
            bench.floor("send", &file),
            Connections::Best,
            size,
        ),
    ];
    let measured = bench.runner.measure(&variants)?;
    let [engine, default, sendfile, send] = &measured[..] else {
        unreachable!("one for each variant");
    };
    let (name, both) = (name(size), |other| {
        format!("{}; {}", figures(engine), figures(other))
    });
    let rows = vec![
        row(
            &format!("{name}, no hashing: throughput against C with sendfile"),
            Goal::AtLeast(0.75),
            speed_of(engine, sendfile),
            "",
            both(sendfile),
        )?,
        row(
            &format!("{name}, no hashing: CPU time against C with sendfile"),
            Goal::AtMost(1.5),
            cpu_of(engine, sendfile),
            "",
            String::new(),
        )?,
        row(
            "… throughput against C with pread and send",
            Goal::None,
            speed_of(engine, send),
            "",
            figures(send),
        )?,
        row(
            "… throughput without a number of connections set, against the best number",
            Goal::None,
            speed_of(default, engine),
            "",
            figures(default),
        )?,
    ];
    Ok(findings(rows, measured))
}

fn cpu_of(one: &Measured, to: &Measured) -> Option<Summary> {
    let cpu = |of: &Measured| of.each(|sample| sample.cpu_seconds);
    Summary::of_ratios(&cpu(one), &cpu(to))
}

/// How a size is called.
pub(super) fn name(size: u64) -> String {
    match size {
        GIB.. => format!("{} GiB", size / GIB),
        _ => format!("{} MiB", size >> 20),
    }
}
