//! The most memory that is resident, through the C interface, whatever the size of the file.

use super::large_file::name;
use super::{Bench, MIB, SLICE_SIZE, findings, read, row, variant};
use crate::process::Broken;
use crate::rounds::{Connections, Measured};
use crate::statistics::Summary;
use crate::table::{Findings, Goal, Row, number};

const CONNECTIONS: u32 = 8;

pub(super) fn run(bench: &Bench) -> Result<Findings, Broken> {
    let formula = Formula::of_header(&read(&bench.programs.prefix.join("include/cos_slice.h"))?)?;
    let (mut rows, mut all) = (Vec::new(), Vec::new());
    for hash in [false, true] {
        let measured = measure(bench, hash)?;
        let hashing = if hash { "hashing" } else { "no hashing" };
        rows.extend(tell(bench, &measured, hashing, formula)?);
        all.extend(measured);
    }
    Ok(findings(rows, all))
}

/// A file of one slice, a large one and the largest.
fn measure(bench: &Bench, hash: bool) -> Result<Vec<Measured>, Broken> {
    let file_of = |path, size| {
        let called = format!("C interface, {}", name(size));
        variant(
            &called,
            bench.language("c", path, hash),
            Connections::Fixed(CONNECTIONS),
            size,
        )
    };
    let (one, large) = (bench.files.full(MIB)?, bench.files.full(bench.sizes.large)?);
    let mut measured = bench
        .runner
        .measure(&[file_of(&one, MIB), file_of(&large, bench.sizes.large)])?;
    let largest = bench.files.sparse(bench.sizes.largest, 0)?;
    // Once: it takes a minute, and memory varies little.
    let once = bench
        .runner
        .measure_rounds(&[file_of(&largest, bench.sizes.largest)], 1);
    // With it go its pages, which the page cache has need of for others.
    std::fs::remove_file(&largest)?;
    measured.extend(once?);
    Ok(measured)
}

fn tell(bench: &Bench, measured: &[Measured], hashing: &str, formula: Formula) -> Result<Vec<Row>, Broken> {
    let peaks: Vec<Vec<f64>> = measured
        .iter()
        .map(|of| of.each(|sample| sample.peak_rss as f64 / MIB as f64))
        .collect();
    let [one, large, largest] = &peaks[..] else {
        unreachable!("one for each file");
    };
    let middle = |values: &[f64]| Summary::of(values.iter().copied()).map_or(f64::NAN, |of| of.median);
    let slices = bench.sizes.largest.div_ceil(SLICE_SIZE);
    let context = format!(
        "{} MiB, {} MiB, {} MiB",
        number(middle(one)),
        number(middle(large)),
        number(middle(largest))
    );
    let what = format!("most memory resident, 8 connections, {hashing}");
    let (large_name, largest_name) = (name(bench.sizes.large), name(bench.sizes.largest));
    Ok(vec![
        row(
            &format!("{what}: {large_name} above 1 MiB"),
            Goal::AtMost(1.0),
            Summary::of(large.iter().zip(one).map(|(large, one)| large - one)),
            "MiB",
            context,
        )?,
        row(
            &format!("… {largest_name} above {large_name}"),
            Goal::AtMost(2.0),
            Summary::of(largest.iter().map(|largest| largest - middle(large))),
            "MiB",
            String::new(),
        )?,
        row(
            "… of the largest",
            Goal::AtMost(12.0),
            Summary::of(largest.iter().copied()),
            "MiB",
            String::new(),
        )?,
        row(
            "… against the formula of the header",
            Goal::AtMost(1.0),
            Summary::of(largest.iter().map(|largest| largest / formula.mebibytes(slices))),
            "",
            format!("the formula gives {} MiB", number(formula.mebibytes(slices))),
        )?,
    ])
}

/// What the header promises.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Formula {
    /// In MiB.
    base: f64,
    /// In KiB.
    each_connection: f64,
    /// In bytes.
    each_slice: f64,
}

impl Formula {
    /// Out of the header's own words.
    fn of_header(header: &str) -> Result<Self, Broken> {
        let number_behind = |words: &str| {
            let (_, rest) = header.split_once(words)?;
            rest.split_whitespace().next()?.parse::<f64>().ok()
        };
        let formula = || {
            Some(Self {
                base: number_behind("A client takes at most ")?,
                each_connection: number_behind(" MiB + connections x ")?,
                each_slice: number_behind("Add ")?,
            })
        };
        formula().ok_or_else(|| {
            Broken("the header does not say how much memory a client takes, in the words known".into())
        })
    }

    fn mebibytes(self, slices: u64) -> f64 {
        let connections = self.each_connection * f64::from(CONNECTIONS) / 1024.0;
        self.base + connections + self.each_slice * slices as f64 / MIB as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_is_the_header_s() {
        let formula = Formula::of_header(include_str!("../../../include/cos_slice.h")).unwrap();
        assert!(
            formula.base >= 1.0 && formula.each_connection >= 64.0 && formula.each_slice >= 8.0,
            "{formula:?}"
        );
        let other = "A client takes at most 6 MiB + connections x 256 KiB, so. Add 24 bytes for each slice";
        assert_eq!(
            Formula::of_header(other).unwrap().mebibytes(1 << 20),
            6.0 + 2.0 + 24.0
        );
        assert!(Formula::of_header("").is_err());
    }
}
