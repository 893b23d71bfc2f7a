//! The table of switches as pages and help texts show it.

use super::Switches;
use std::fmt::Write as _;

/// What the table stands between, in a page.
const OPEN: &str = "<!-- switches -->\n";
const CLOSE: &str = "<!-- end of switches -->";

impl Switches {
    /// A page in Markdown with the table of switches brought up to date.
    ///
    /// # Errors
    /// The marks that the table stands between are not there.
    pub fn page_with_table(page: &str) -> Result<String, String> {
        let missing = |mark: &str| format!("no line {:?}", mark.trim_end());
        let (before, rest) = page.split_once(OPEN).ok_or_else(|| missing(OPEN))?;
        let (_, after) = rest.split_once(CLOSE).ok_or_else(|| missing(CLOSE))?;
        let mut table =
            String::from("\n| name | values | default | basis | what it decides |\n|---|---|---|---|---|\n");
        for row in Switches::table() {
            let _ = writeln!(
                table,
                "| `{}` | {} | `{}` | {} | {} |",
                row.name, row.values, row.default, row.basis, row.text
            );
        }
        Ok(format!("{before}{OPEN}{table}\n{CLOSE}{after}"))
    }

    /// The table of switches for a terminal.
    pub fn help() -> String {
        let mut text = String::from(
            "Switches for --set, in their default positions, and what those rest on: a page of the service's\n\
             documentation, clients that depend on it, or a choice made here:\n",
        );
        for row in Switches::table() {
            let _ = write!(
                text,
                "\n  {}={}  ({})\n      {}\n      Values: {}.\n",
                row.name, row.default, row.basis, row.text, row.values
            );
        }
        text
    }
}
