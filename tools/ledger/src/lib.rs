//! The ledgers of the test campaigns: what was run, when, against which commit, and with what figures.
//!
//! One JSON file per campaign in `tests/ledger`, written by the tools and by nobody else; `docs/testing.md` is
//! generated from them, so that it can't say what was not run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Named numbers, such as `kills.hashing` = 61.
pub type Figures = BTreeMap<String, u64>;

/// One run of a campaign.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The day, in UTC, as `2026-01-31`.
    pub date: String,
    /// The commit that was run, with a `+` where files differed from it.
    pub commit: String,
    /// What came of it.
    pub figures: Figures,
}

/// Reads the runs of a ledger; none where there is no file yet.
///
/// # Errors
/// The file can't be read, or is not a ledger.
pub fn read(path: &Path) -> io::Result<Vec<Run>> {
    match fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("{}: {error}", path.display()))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Adds a run of today, against the commit that is checked out. One tool at a time writes a ledger.
///
/// # Errors
/// The ledger can't be read or written; then it stays as it was.
pub fn append<Name: Into<String>>(
    path: impl AsRef<Path>,
    figures: impl IntoIterator<Item = (Name, u64)>,
) -> io::Result<()> {
    let path = path.as_ref();
    let mut runs = read(path)?;
    runs.push(Run {
        date: today(),
        commit: commit(),
        figures: figures
            .into_iter()
            .map(|(name, value)| (name.into(), value))
            .collect(),
    });
    let mut text = serde_json::to_string_pretty(&runs)?;
    text.push('\n');
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::rename(&new, path)
}

/// A figure's sum over all runs.
pub fn total(runs: &[Run], name: &str) -> u64 {
    runs.iter().filter_map(|run| run.figures.get(name)).sum()
}

/// The largest that a figure was in any run; 0 where it never was.
pub fn largest(runs: &[Run], name: &str) -> u64 {
    runs.iter()
        .filter_map(|run| run.figures.get(name))
        .copied()
        .max()
        .unwrap_or(0)
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(commit) = git(&["rev-parse", "--short=10", "HEAD"]) else {
        return "unknown".to_owned();
    };
    // The ledgers themselves are being written, so they don't count.
    let changed = git(&["status", "--porcelain", "--", ":/", ":(top,exclude)tests/ledger"]);
    let mark = if changed.is_none_or(|changes| !changes.is_empty()) {
        "+"
    } else {
        ""
    };
    commit + mark
}

fn today() -> String {
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    date_of_day(seconds / 86_400)
}

/// The date of a day counted from 1970-01-01.
fn date_of_day(mut day: u64) -> String {
    let is_leap = |year: u64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut year = 1970;
    while day >= 365 + u64::from(is_leap(year)) {
        day -= 365 + u64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + u64::from(is_leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if day < length {
            break;
        }
        day -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", day + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_accumulate_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kills.json");
        assert_eq!(read(&path).unwrap(), []);
        append(&path, [("kills", 3), ("kills.init", 1)]).unwrap();
        append(&path, [("kills", 4)]).unwrap();
        let runs = read(&path).unwrap();
        assert_eq!(
            (runs.len(), total(&runs, "kills"), largest(&runs, "kills")),
            (2, 7, 4)
        );
        assert_eq!(total(&runs, "kills.init"), 1);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_ledger_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kills.json");
        fs::write(&path, "{").unwrap();
        append(&path, [("kills", 3)]).unwrap_err();
        assert_eq!(fs::read(&path).unwrap(), b"{");
    }

    #[test]
    fn days_have_dates() {
        for (day, date) in [
            (0, "1970-01-01"),
            (59, "1970-03-01"),
            (789, "1972-02-29"),
            (11_016, "2000-02-29"),
            (20_818, "2026-12-31"),
            (20_819, "2027-01-01"),
        ] {
            assert_eq!(date_of_day(day), date);
        }
    }
}
