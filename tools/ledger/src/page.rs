//! The page about testing: words by hand, figures between marks, from the ledgers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use cos_slice_ledger::{Run, largest, read, total};

/// What opens a block of figures, `<!-- figures: simulation -->`, and what closes it.
const OPEN: &str = "<!-- figures: ";
const CLOSE: &str = "<!-- end of figures -->";

/// The page with the figures that the ledgers in a folder have now.
pub fn with_figures(page: &str, ledgers: &Path) -> io::Result<String> {
    let mut written = String::with_capacity(page.len());
    let mut rest = page;
    while let Some(at) = rest.find(OPEN) {
        let (before, block) = rest.split_at(at);
        let wrong = |what: &str| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{what} in the page's block of figures"),
            )
        };
        let (mark, inner) = block.split_once("-->").ok_or_else(|| wrong("no -->"))?;
        let name = mark[OPEN.len()..].trim();
        let (_, after) = inner.split_once(CLOSE).ok_or_else(|| wrong("no end"))?;
        let runs = read(&ledgers.join(format!("{name}.json")))?;
        let figures = figures(name, &runs).ok_or_else(|| wrong("an unknown name"))?;
        write!(written, "{before}{mark}-->\n{figures}{CLOSE}").map_err(io::Error::other)?;
        rest = after;
    }
    Ok(written + rest)
}

fn figures(name: &str, runs: &[Run]) -> Option<String> {
    let table: fn(&[Run]) -> String = match name {
        "simulation" => simulation,
        "faults" => |runs| latest(runs, "case"),
        "kill" => kills,
        "cancel" => cancels,
        "fuzz" => fuzz,
        "mutants" => |runs| latest(runs, "mutants"),
        _ => return None,
    };
    Some(match runs.last() {
        None => "\nNot run yet.\n\n".to_owned(),
        Some(last) => format!(
            "\n{}\nLast run: {}, commit {}.\n\n",
            table(runs),
            last.date,
            last.commit
        ),
    })
}

fn simulation(runs: &[Run]) -> String {
    sums(
        runs,
        &[
            ("seeds", "seeds run, none failing"),
            ("requests", "requests that the model server executed"),
            ("faults", "faults"),
            ("kills", "deaths of the process"),
            ("cancels", "cancels in the middle, then run again"),
            ("source_changes", "changes of the source"),
            (
                "held_to_succeed",
                "runs in which any failure would have been a defect",
            ),
        ],
    )
}

fn kills(runs: &[Run]) -> String {
    let mut text = sums(
        runs,
        &[
            ("kills", "SIGKILLs to a program that uploads"),
            ("kills.hashing", "of these while it hashes"),
            ("kills.init", "while it begins the upload"),
            ("kills.slices", "while it sends slices"),
            (
                "kills.checkpoint",
                "before a call on the checkpoint or its folder",
            ),
            ("kills.finish", "while the object is being completed"),
            ("kills.v1", "of all these in uploads by files/v1"),
            ("emulator_kills", "SIGKILLs to the emulator"),
            ("uploads", "uploads, each brought to its end"),
        ],
    );
    let worst = largest(runs, "resent_bytes.worst_percent_of_bound");
    line(
        &mut text,
        format_args!("| sent twice, in percent of what deaths may cost, at worst | {worst} |"),
    );
    text
}

/// Sums over all runs of figures and what they count.
fn sums(runs: &[Run], rows: &[(&str, &str)]) -> String {
    let mut text = "| | in all |\n|---|---:|\n".to_owned();
    for (name, what) in rows {
        line(
            &mut text,
            format_args!("| {what} | {} |", grouped(total(runs, name))),
        );
    }
    text
}

/// The last run's figures, as they are named.
fn latest(runs: &[Run], what: &str) -> String {
    let mut text = format!("| {what} | last run |\n|---|---:|\n");
    for (name, value) in runs.last().into_iter().flat_map(|run| &run.figures) {
        line(
            &mut text,
            format_args!("| {} | {} |", words(name), grouped(*value)),
        );
    }
    text
}

fn cancels(runs: &[Run]) -> String {
    let mut states: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
    for (name, value) in runs.last().into_iter().flat_map(|run| &run.figures) {
        if let Some((state, figure)) = name.rsplit_once('.') {
            states.entry(words(state)).or_default().insert(figure, *value);
        }
    }
    let mut text = "| cancelled while | cancels | p50 | p99 | max |\n|---|---:|---:|---:|---:|\n".to_owned();
    for (state, figures) in states {
        let of = |figure: &str| figures.get(figure).copied().unwrap_or(0);
        let milliseconds = |figure| of(figure) as f64 / 1000.0;
        let (p50, p99, max) = (
            milliseconds("p50_us"),
            milliseconds("p99_us"),
            milliseconds("max_us"),
        );
        line(
            &mut text,
            format_args!(
                "| {state} | {} | {p50:.1} ms | {p99:.1} ms | {max:.1} ms |",
                grouped(of("cancels"))
            ),
        );
    }
    text
}

fn fuzz(runs: &[Run]) -> String {
    let mut text = "| target | executions in all | minutes in all |\n|---|---:|---:|\n".to_owned();
    for name in names(runs) {
        if let Some(target) = name.strip_suffix(".executions") {
            let minutes = total(runs, &format!("{target}.seconds")) / 60;
            line(
                &mut text,
                format_args!("| {target} | {} | {minutes} |", grouped(total(runs, &name))),
            );
        }
    }
    text
}

fn names(runs: &[Run]) -> Vec<String> {
    let mut names: Vec<String> = runs.iter().flat_map(|run| run.figures.keys().cloned()).collect();
    names.sort();
    names.dedup();
    names
}

fn words(name: &str) -> String {
    name.replace(['_', '.'], " ")
}

fn line(text: &mut String, line: std::fmt::Arguments) {
    let _ = writeln!(text, "{line}");
}

/// 1234567 as 1,234,567.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "a\n<!-- figures: simulation -->\nold\n<!-- end of figures -->\nb";

    #[test]
    fn figures_come_between_their_marks_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let none = with_figures(PAGE, folder.path()).unwrap();
        assert!(
            none.starts_with("a\n<!-- figures: simulation -->\n\nNot run yet.\n"),
            "{none}"
        );
        assert!(none.ends_with("<!-- end of figures -->\nb") && !none.contains("old"));
        for seeds in [1_200_000, 34_567] {
            cos_slice_ledger::append(folder.path().join("simulation.json"), [("seeds", seeds)]).unwrap();
        }
        let page = with_figures(&none, folder.path()).unwrap();
        assert!(page.contains("| seeds run, none failing | 1,234,567 |"), "{page}");
        assert_eq!(with_figures(&page, folder.path()).unwrap(), page);
    }

    #[test]
    fn a_block_that_is_not_closed_or_not_known_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        with_figures("<!-- figures: kill -->", folder.path()).unwrap_err();
        with_figures(&PAGE.replace("simulation", "luck"), folder.path()).unwrap_err();
    }

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
