//! Many uploads at once on one client.

use super::{Bench, MIB, SLICE_SIZE, figures, findings, row, speed_of, variant};
use crate::process::Broken;
use crate::rounds::{Connections, Measured};
use crate::statistics::Summary;
use crate::table::{Findings, Goal, number};

const CONNECTIONS: Connections = Connections::Fixed(16);
const SLICES_EACH: u64 = 2;

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let (count, each) = (bench.sizes.at_once, SLICES_EACH * SLICE_SIZE);
    let folder = bench.files.many(count, each)?;
    let big = bench.files.full(count * each)?;
    let many = bench.engine("at-once", &folder, &[]);
    let mut many = variant("many uploads", many, CONNECTIONS, count * each);
    many.server.hold = true;
    // So that it has nearly as many requests as the many have with their inits, finishes and stats.
    let half = (SLICE_SIZE / 2).to_string();
    let one = |name, options: &[&str]| {
        variant(
            name,
            bench.engine("engine", &big, options),
            CONNECTIONS,
            count * each,
        )
    };
    let same_slices = one("one upload", &[]);
    let half_slices = one("one upload, half slices", &["--slice-size", &half]);
    let measured = bench.runner.measure(&[many, same_slices, half_slices])?;
    let [many, same_slices, half_slices] = &measured[..] else {
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
            "… requests a second against one upload with slices of the same size",
            Goal::AtLeast(0.9),
            Summary::of_ratios(&request_rates(many), &request_rates(same_slices)),
            "",
            format!("{}; {}", rate(many), rate(same_slices)),
        )?,
        row(
            "… bytes a second against it",
            Goal::None,
            speed_of(many, same_slices),
            "",
            format!("{}; {}", figures(many), figures(same_slices)),
        )?,
        row(
            "… bytes a second against one upload with slices of half the size",
            Goal::None,
            speed_of(many, half_slices),
            "",
            format!("{}; {}", figures(half_slices), rate(half_slices)),
        )?,
    ];
    Ok(findings(rows, measured))
}

fn request_rates(of: &Measured) -> Vec<f64> {
    of.each(|sample| sample.server.requests as f64 / sample.report.seconds)
}

/// How many requests it has, and how many a second, for context.
fn rate(of: &Measured) -> String {
    let (name, requests) = of
        .samples
        .first()
        .map_or(("", 0), |sample| (&*sample.variant, sample.server.requests));
    let rate = Summary::of(request_rates(of)).map_or(f64::NAN, |of| of.median);
    format!("{name} {requests} requests, {} a second", number(rate))
}
