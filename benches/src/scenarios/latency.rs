//! A distant server: each answer to a slice takes 50 ms, and more connections must help as much as they can.

use std::time::Duration;

use super::{Bench, findings, row, variant};
use crate::process::{Broken, ServerOptions};
use crate::rounds::{Connections, Measured, Sample};
use crate::server::Delay;
use crate::statistics::Summary;
use crate::table::{Findings, Goal, number};

const DELAY: Duration = Duration::from_millis(50);
/// The smallest, so that the time for the bytes themselves counts as little as it can.
const SLICE_SIZE: u64 = 512 << 10;

/// Numbers of connections, with what is wanted of them; the first is what the others are compared with.
const CONNECTIONS: [(u32, Goal); 5] = [
    (1, Goal::None),
    (4, Goal::AtLeast(0.95)),
    (16, Goal::AtLeast(0.95)),
    (32, Goal::AtLeast(0.85)),
    (64, Goal::AtLeast(0.85)),
];

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let mut variants = Vec::new();
    for (connections, _) in CONNECTIONS {
        let size = u64::from(connections) * bench.sizes.slices_each * SLICE_SIZE;
        let file = bench.files.sparse(size, size)?;
        let command = bench.engine("engine", &file, &["--slice-size", &SLICE_SIZE.to_string()]);
        let mut variant = variant("engine", command, Connections::Fixed(connections), size);
        variant.server = ServerOptions {
            delay: Delay::Slices(DELAY),
            ..ServerOptions::default()
        };
        variants.push(variant);
    }
    let measured = bench.runner.measure(&variants)?;
    let one = measured[0].each(slices_per_second);
    let mut rows = Vec::new();
    for (of, (connections, goal)) in measured.iter().zip(CONNECTIONS).skip(1) {
        let perfect: Vec<f64> = one.iter().map(|speed| speed * f64::from(connections)).collect();
        let speed = of.each(slices_per_second);
        rows.push(row(
            &format!(
                "50 ms for each slice, {connections} connections: of {connections} times the speed of one"
            ),
            goal,
            Summary::of_ratios(&speed, &perfect),
            "",
            format!("{} slices/s, one {} slices/s", middle(&speed), middle(&one)),
        )?);
    }
    let per_worker = measured.iter().flat_map(connections_per_worker);
    rows.push(row(
        "… TCP connections for each worker",
        Goal::AtMost(1.0),
        Summary::of(per_worker),
        "",
        "as the server counts them".to_owned(),
    )?);
    Ok(findings(rows, measured))
}

/// From the first slice to the last one, so that init and finish don't count.
fn slices_per_second(sample: &Sample) -> f64 {
    sample.server.slices as f64 / sample.server.slices_seconds
}

fn connections_per_worker(measured: &Measured) -> Vec<f64> {
    measured.each(|sample| sample.server.connections as f64 / f64::from(sample.connections))
}

fn middle(values: &[f64]) -> String {
    number(Summary::of(values.iter().copied()).map_or(f64::NAN, |of| of.median))
}
