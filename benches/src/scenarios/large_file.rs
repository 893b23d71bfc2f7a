//! A large file without hashing: how near the engine comes to the system calls alone.

use super::{Bench, DEFAULT_CONNECTIONS, GIB, figures, findings, row, speed_of, variant};
use crate::files::Written;
use crate::process::Broken;
use crate::rounds::{Connections, Measured};
use crate::statistics::Summary;
use crate::table::{Findings, Goal};

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let mut all = Findings::default();
    for how in [Written::InPages, Written::InMebibytes] {
        let of_file = against_floor(bench, how)?;
        all.rows.extend(of_file.rows);
        all.samples.extend(of_file.samples);
    }
    Ok(all)
}

fn against_floor(bench: &Bench, how: Written) -> Result<Findings, Broken> {
    let size = bench.sizes.large;
    let file = bench.files.written(size, how)?;
    let engine = || bench.engine("engine", &file, &[]);
    let variants = [
        variant("engine", engine(), Connections::Best, size),
        variant("engine without settings", engine(), DEFAULT_CONNECTIONS, size),
        variant(
            "C sendfile",
            bench.floor("sendfile", &file, 1),
            Connections::Best,
            size,
        ),
        variant(
            "C pread and send",
            bench.floor("send", &file, 1),
            Connections::Best,
            size,
        ),
    ];
    let measured = bench.runner.measure(&variants)?;
    let [engine, default, sendfile, send] = &measured[..] else {
        unreachable!("one for each variant");
    };
    let called = match how {
        Written::InPages => format!("{} written by pages, no hashing", name(size)),
        Written::InMebibytes => format!("{} written by mebibytes, no hashing", name(size)),
    };
    let rows = vec![
        row(
            &format!("{called}: throughput against C with sendfile"),
            Goal::AtLeast(0.75),
            speed_of(engine, sendfile),
            "",
            format!("{}; {}", figures(engine), figures(sendfile)),
        )?,
        row(
            "… CPU time against it",
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
