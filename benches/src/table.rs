//! What was measured against what is wanted, as a table for people and as JSON.

use std::fmt::Write;

use serde::Serialize;

use crate::rounds::Sample;
use crate::statistics::Summary;

/// What is wanted of a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
    /// Nothing: it is told to put others into proportion.
    None,
}

/// One thing that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// What it is.
    pub what: String,
    /// What is wanted of it.
    pub goal: Goal,
    /// What was measured.
    pub measured: Summary,
    /// What it is counted in; empty for a ratio.
    pub unit: &'static str,
    /// The figures behind it, for context.
    pub context: String,
}

/// What one scenario gave.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Findings {
    /// Its rows of the table.
    pub rows: Vec<Row>,
    /// Every measurement, those included that the rows are not made of.
    pub samples: Vec<Sample>,
}

impl Goal {
    /// Whether a value is as wanted; `None` where nothing is.
    pub fn is_met_by(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::None => None,
        }
    }

    fn text(self, unit: &str) -> String {
        match self {
            Self::AtLeast(least) => format!("≥ {}", quantity(least, unit)),
            Self::AtMost(most) => format!("≤ {}", quantity(most, unit)),
            Self::None => String::new(),
        }
    }
}

impl Row {
    fn verdict(&self) -> &'static str {
        match self.goal.is_met_by(self.measured.median) {
            Some(true) => "met",
            Some(false) => "**missed**",
            None => "",
        }
    }

    fn markdown(&self) -> String {
        let Summary { median, least, most } = self.measured;
        let spread = match least == most {
            true => String::new(),
            false => format!(" ({} to {})", number(least), number(most)),
        };
        format!(
            "| {} | {} | {}{spread} | {} | {} |",
            self.what,
            self.goal.text(self.unit),
            quantity(median, self.unit),
            self.verdict(),
            self.context
        )
    }
}

/// The table of all rows.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = "| what | goal | measured | | figures behind it |\n|---|---|---|---|---|\n".to_owned();
    for row in rows {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{}", row.markdown());
    }
    text
}

/// The rows that have a goal, without the figures behind them.
pub fn short_markdown(rows: &[Row]) -> String {
    let mut text = "| what | goal | measured | |\n|---|---|---|---|\n".to_owned();
    for row in rows.iter().filter(|row| row.goal != Goal::None) {
        let (goal, measured) = (row.goal.text(row.unit), quantity(row.measured.median, row.unit));
        let _ = writeln!(text, "| {} | {goal} | {measured} | {} |", row.what, row.verdict());
    }
    text
}

/// With three significant digits, as many as such measurements have.
pub fn number(value: f64) -> String {
    let decimals = match value.abs() {
        large if large >= 100.0 => 0,
        middle if middle >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

fn quantity(value: f64, unit: &str) -> String {
    let separator = if unit.is_empty() { "" } else { " " };
    format!("{}{separator}{unit}", number(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(goal: Goal, values: &[f64]) -> Row {
        Row {
            what: "throughput".into(),
            goal,
            measured: Summary::of(values.iter().copied()).unwrap(),
            unit: "",
            context: "3 MB/s".into(),
        }
    }

    #[test]
    fn a_row_tells_the_median_with_its_spread_and_whether_the_goal_is_met() {
        let text = row(Goal::AtLeast(0.75), &[0.8, 0.7, 0.9]).markdown();
        assert_eq!(
            text,
            "| throughput | ≥ 0.75 | 0.80 (0.70 to 0.90) | met | 3 MB/s |"
        );
        let text = row(Goal::AtMost(0.75), &[0.8]).markdown();
        assert_eq!(text, "| throughput | ≤ 0.75 | 0.80 | **missed** | 3 MB/s |");
        let text = row(Goal::None, &[123.4]).markdown();
        assert_eq!(text, "| throughput |  | 123 |  | 3 MB/s |");
    }

    #[test]
    fn a_goal_is_met_at_its_very_value() {
        assert_eq!(Goal::AtLeast(0.75).is_met_by(0.75), Some(true));
        assert_eq!(Goal::AtMost(0.75).is_met_by(0.75), Some(true));
        assert_eq!(Goal::AtLeast(0.75).is_met_by(0.749), Some(false));
        assert_eq!(Goal::None.is_met_by(0.0), None);
    }

    #[test]
    fn the_unit_is_told() {
        let row = Row {
            unit: "MiB",
            ..row(Goal::AtMost(12.0), &[8.25])
        };
        assert_eq!(
            row.markdown(),
            "| throughput | ≤ 12.0 MiB | 8.25 MiB | met | 3 MB/s |"
        );
    }
}
