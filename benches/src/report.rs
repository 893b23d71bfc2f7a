//! All findings as a page and as JSON, and the short table in another page.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::Serialize;

use crate::machine::Machine;
use crate::scenarios::OFTEN;
use crate::table::{Findings, Row, markdown, short_markdown};

const BEGIN: &str = "<!-- measured: written by make bench PUBLISH=1 -->\n";
const END: &str = "<!-- measured: end -->\n";

/// What was found, scenario by scenario.
#[derive(Serialize)]
pub struct Results {
    machine: Machine,
    rounds: u32,
    rows: Vec<Row>,
    samples: BTreeMap<&'static str, Findings>,
}

impl Results {
    /// Nothing yet.
    pub fn new(machine: Machine, rounds: u32) -> Self {
        Self {
            machine,
            rounds,
            rows: Vec::new(),
            samples: BTreeMap::new(),
        }
    }

    /// What a scenario gave.
    pub fn add(&mut self, scenario: &'static str, findings: Findings) {
        self.rows.extend(findings.rows.iter().cloned());
        self.samples.insert(scenario, findings);
    }

    /// All of it, with every measurement.
    pub fn json(&self) -> String {
        // There are no maps whose keys are not text, and nothing else can fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The page for people.
    pub fn page(&self) -> String {
        format!(
            "# Measured\n\nWritten by `make bench`; [README.md](README.md) tells what is measured and how.\n\n{}\n\n{}",
            self.origin(),
            markdown(&self.rows)
        )
    }

    fn origin(&self) -> String {
        let rounds = match self.rounds {
            1 => "one round".to_owned(),
            more => format!(
                "medians of {more} rounds, of {} where they are short, with the least and the most",
                more * OFTEN
            ),
        };
        format!("On {}; {rounds}.", self.machine.text())
    }
}

/// Puts the rows that have a goal between the marks of a page.
///
/// # Errors
/// It can't be read or written, or has no marks.
pub fn publish(page: &Path, results: &Results) -> io::Result<()> {
    let text = fs::read_to_string(page)?;
    let table = format!("{}\n{}\n", short_markdown(&results.rows), results.origin());
    let replaced = replace(&text, &table).ok_or_else(|| io::Error::other(format!("it has no {BEGIN}")))?;
    fs::write(page, replaced)
}

fn replace(text: &str, table: &str) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{table}{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_between_the_marks_is_replaced_and_nothing_else() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let replaced = replace(&page, "new\n").unwrap();
        assert_eq!(replaced, format!("before\n{BEGIN}\nnew\n{END}after\n"));
        assert_eq!(replace(&replaced, "new\n").unwrap(), replaced);
        assert_eq!(replace("no marks", "new\n"), None);
    }
}
