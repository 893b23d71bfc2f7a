//! Many uploads at once on one client.

use super::{Bench, MIB, SLICE_SIZE, figures, findings, row, speed_of, variant};
use crate::process::Broken;
use crate::rounds::Connections;
use crate::statistics::Summary;
use crate::table::{Findings, Goal, number};

const CONNECTIONS: Connections = Connections::Fixed(16);
const SLICES_EACH: u64 = 2;

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let (count, each) = (bench.sizes.at_once, SLICES_EACH * SLICE_SIZE);
    let folder = bench.files.many(count, each)?;
    let big = bench.files.full(count * each)?;
    let variants = [
        variant(
            "many uploads",
            bench.engine("at-once", &folder, &[]),
            CONNECTIONS,
            count * each,
        ),
        variant(
            "one upload",
            bench.engine("engine", &big, &[]),
            CONNECTIONS,
            count * each,
        ),
    ];
    let measured = bench.runner.measure(&variants)?;
    let [many, one] = &measured[..] else {
        unreachable!("one for each variant");
    };
    let slowest = many.each(|sample| sample.report.slowest_seconds);
    let fastest = many.each(|sample| sample.report.fastest_seconds);
    let longest = Summary::of(slowest.iter().copied()).map_or(f64::NAN, |of| of.median);
    let what = format!("{count} uploads of 2 MiB at once, 16 connections");
    let rows = vec![
        row(
            &format!("{what}: threads of the process"),
            Goal::AtMost(24.0),
            Summary::of(many.each(|sample| sample.report.threads as f64)),
            "",
            String::new(),
        )?,
        row(
            "… most memory resident",
            Goal::AtMost(48.0),
            Summary::of(many.each(|sample| sample.peak_rss as f64 / MIB as f64)),
            "MiB",
            String::new(),
        )?,
        row(
            "… time of the slowest against the fastest",
            Goal::AtMost(2.0),
            Summary::of_ratios(&slowest, &fastest),
            "",
            format!("the slowest took {} s", number(longest)),
        )?,
        row(
            "… throughput against one upload of as many slices",
            Goal::AtLeast(0.9),
            speed_of(many, one),
            "",
            format!("{}; {}", figures(many), figures(one)),
        )?,
    ];
    Ok(findings(rows, measured))
}
