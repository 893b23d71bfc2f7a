//! Small files: what an upload costs beside its requests.

use super::{Bench, DEFAULT_CONNECTIONS, findings, row, variant};
use crate::process::Broken;
use crate::rounds::{Connections, Measured};
use crate::statistics::Summary;
use crate::table::{Findings, Goal, number};

const SIZE: u64 = 4 << 10;
/// Of the batch.
const CONNECTIONS: u32 = 4;

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let (count, batch) = (bench.sizes.one_after_another, bench.sizes.at_once);
    let times = count.to_string();
    let file = bench.files.full(SIZE)?;
    let folder = bench.files.many(batch, SIZE)?;
    let engine = |options: &[&str]| {
        bench.engine(
            "engine",
            &file,
            &[&["--count", &times, "--hash"], options].concat(),
        )
    };
    let (one, all) = (Connections::Fixed(1), u64::from(count) * SIZE);
    let floor = |way, called| variant(called, bench.floor(way, &file, count), one, all);
    let command = bench.engine("at-once", &folder, &["--hash", "--single-request"]);
    let fixed = Connections::Fixed(CONNECTIONS);
    let mut at_once = variant("engine, one request, at once", command, fixed, batch * SIZE);
    at_once.server.hold = true;
    let variants = [
        variant("engine, slices, 1 connection", engine(&[]), one, all),
        variant("engine, slices, default", engine(&[]), DEFAULT_CONNECTIONS, all),
        floor("uploads", "C, the four requests"),
        variant("engine, one request", engine(&["--single-request"]), one, all),
        floor("singles", "C, the two requests"),
        at_once,
    ];
    let measured = bench.runner.measure(&variants)?;
    let [slices, default, four, single, two, at_once] = &measured[..] else {
        unreachable!("one for each variant");
    };
    let each = |of: &Measured| microseconds(of, f64::from(count));
    let what = "upload of one slice: time above the four requests themselves";
    let rows = vec![
        above(what, Goal::AtMost(300.0), &each(slices), &each(four))?,
        above(
            "… with the default of connections",
            Goal::None,
            &each(default),
            &each(four),
        )?,
        above(
            "… in one request, and a stat: time above the two themselves",
            Goal::None,
            &each(single),
            &each(two),
        )?,
        row(
            &format!("{batch} files of 4 KiB at once, {CONNECTIONS} connections: TCP connections"),
            Goal::AtMost(f64::from(CONNECTIONS)),
            Summary::of(at_once.each(|sample| sample.server.connections as f64)),
            "",
            format!(
                "{} µs for each",
                number(middle(&microseconds(at_once, batch as f64)))
            ),
        )?,
        row(
            "… requests for each file, the stat that verifies it included",
            Goal::AtMost(2.0),
            Summary::of(at_once.each(|sample| sample.server.requests as f64 / batch as f64)),
            "",
            String::new(),
        )?,
    ];
    Ok(findings(rows, measured))
}

fn microseconds(of: &Measured, count: f64) -> Vec<f64> {
    of.each(|sample| sample.report.seconds / count * 1e6)
}

fn above(what: &str, goal: Goal, engine: &[f64], floor: &[f64]) -> Result<crate::table::Row, Broken> {
    let context = format!("{} and {} µs", number(middle(engine)), number(middle(floor)));
    let difference = engine.iter().zip(floor).map(|(engine, floor)| engine - floor);
    row(what, goal, Summary::of(difference), "µs", context)
}

fn middle(values: &[f64]) -> f64 {
    Summary::of(values.iter().copied()).map_or(f64::NAN, |of| of.median)
}
