//! The figures: what is measured, what is checked in, and what of it may differ.

use std::collections::{BTreeMap, BTreeSet};
use std::env::consts;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::runs::{Ground, Upload};

/// What is counted, by name.
pub type Counts = BTreeMap<String, u64>;

/// How much instructions and bytes may differ, in percent. Everything else is counted exactly.
const MARGIN: u64 = 5;

/// Of the counts, those that are no number of calls.
const BYTES: &str = "allocated_bytes";

/// What one slice costs.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Figures {
    /// By the way that the upload is made.
    counts: BTreeMap<String, Counts>,
    instructions: Instructions,
}

/// Another compiler makes others.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
struct Instructions {
    compiler: String,
    architecture: String,
    per_slice: u64,
}

/// How a comparison ended that found nothing wrong.
pub enum Compared {
    /// Everything.
    All,
    /// All but the instructions.
    NotInstructions,
}

const SMALL: &str = "512 KiB";
const LARGE: &str = "3 MiB";

/// The ways that are counted.
fn ways() -> [(&'static str, Upload); 5] {
    let plain = Upload::default();
    let sized = |slice_size| Upload { slice_size, ..plain };
    [
        ("1 MiB", plain),
        (
            "1 MiB to a socket that takes 256 KiB at a time",
            Upload {
                room: Some(256 << 10),
                ..plain
            },
        ),
        ("1 MiB with hashing", Upload { hash: true, ..plain }),
        (SMALL, sized(512 << 10)),
        (LARGE, sized(3 << 20)),
    ]
}

fn measure() -> Result<Figures, String> {
    let ground = Ground::new()?;
    let mut counts = BTreeMap::new();
    for (name, upload) in ways() {
        counts.insert(name.to_owned(), ground.counts(upload)?);
    }
    Ok(Figures {
        counts,
        instructions: Instructions {
            compiler: compiler()?,
            architecture: consts::ARCH.to_owned(),
            per_slice: ground.instructions(Upload::default())?,
        },
    })
}

fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").arg("--version").output();
    let output = output.map_err(|error| format!("rustc --version: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Writes what is measured.
///
/// # Errors
/// What could not be measured or written.
pub fn renew(file: &Path) -> Result<(), String> {
    let figures = measure()?;
    let text = serde_json::to_string_pretty(&figures).map_err(|error| error.to_string())?;
    fs::write(file, text.clone() + "\n").map_err(|error| format!("{}: {error}", file.display()))?;
    println!("{text}");
    Ok(())
}

/// Compares what is measured.
///
/// # Errors
/// What could not be measured or read, and what differs.
pub fn check(file: &Path) -> Result<Compared, String> {
    let of_file = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = fs::read_to_string(file).map_err(|error| of_file(&error))?;
    let expected: Figures = serde_json::from_str(&text).map_err(|error| of_file(&error))?;
    let found = measure()?;
    println!(
        "{}",
        serde_json::to_string_pretty(&found).map_err(|error| of_file(&error))?
    );
    let mut wrong = found.differences(&expected);
    wrong.extend(found.growth());
    if !wrong.is_empty() {
        return Err(format!(
            "a slice costs something else than {} says; have it cost that again, or run: make costs\n{}",
            file.display(),
            wrong.join("\n")
        ));
    }
    let (by, with) = (&found.instructions, &expected.instructions);
    if by.is_comparable(with) {
        return Ok(Compared::All);
    }
    eprintln!(
        "cos-slice-costs: the instructions were NOT COMPARED: they were counted for {} on {}, and this is {} on {}",
        with.compiler, with.architecture, by.compiler, by.architecture
    );
    Ok(Compared::NotInstructions)
}

impl Figures {
    fn differences(&self, expected: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let none = Counts::new();
        for way in names(&self.counts, &expected.counts) {
            let found = self.counts.get(way).unwrap_or(&none);
            let expected = expected.counts.get(way).unwrap_or(&none);
            for name in names(found, expected) {
                let (found, expected) = (found.get(name).unwrap_or(&0), expected.get(name).unwrap_or(&0));
                let is_same = match name.as_str() {
                    BYTES => is_near(*found, *expected),
                    _ => found == expected,
                };
                if !is_same {
                    differences.push(format!("{way}: {name}: {found} instead of {expected}"));
                }
            }
        }
        let (found, expected) = (&self.instructions, &expected.instructions);
        if found.is_comparable(expected) && !is_near(found.per_slice, expected.per_slice) {
            let (found, expected) = (found.per_slice, expected.per_slice);
            differences.push(format!("instructions: {found} instead of {expected}"));
        }
        differences
    }

    /// What is allocated in proportion to the size of the slice.
    fn growth(&self) -> Option<String> {
        let bytes = |way| self.counts.get(way).and_then(|counts| counts.get(BYTES)).copied();
        let (small, large) = (bytes(SMALL).unwrap_or(0), bytes(LARGE).unwrap_or(0));
        let text =
            format!("{large} bytes are allocated for a slice of {LARGE}, and {small} for one of {SMALL}");
        (!is_near(large, small)).then_some(text)
    }
}

impl Instructions {
    fn is_comparable(&self, other: &Self) -> bool {
        (&self.compiler, &self.architecture) == (&other.compiler, &other.architecture)
    }
}

fn names<'a, T>(one: &'a BTreeMap<String, T>, other: &'a BTreeMap<String, T>) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

fn is_near(found: u64, expected: u64) -> bool {
    100 * found.abs_diff(expected) <= MARGIN * expected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(sends: u64, bytes: u64, instructions: u64) -> Figures {
        let counts = |bytes| Counts::from([("send".to_owned(), sends), (BYTES.to_owned(), bytes)]);
        Figures {
            counts: [
                (SMALL.to_owned(), counts(1000)),
                (LARGE.to_owned(), counts(bytes)),
            ]
            .into(),
            instructions: Instructions {
                compiler: "a compiler".to_owned(),
                architecture: "a machine".to_owned(),
                per_slice: instructions,
            },
        }
    }

    #[test]
    fn one_call_more_is_a_difference_and_bytes_and_instructions_have_a_margin() {
        let expected = figures(2, 1000, 100_000);
        assert_eq!(
            figures(2, 1050, 105_000).differences(&expected),
            Vec::<String>::new()
        );
        assert_eq!(
            figures(3, 1051, 94_999).differences(&expected),
            [
                "3 MiB: allocated_bytes: 1051 instead of 1000",
                "3 MiB: send: 3 instead of 2",
                "512 KiB: send: 3 instead of 2",
                "instructions: 94999 instead of 100000",
            ]
        );
    }

    #[test]
    fn a_call_or_a_way_that_only_one_of_them_has_is_a_difference() {
        let (expected, mut found) = (figures(2, 1000, 1), figures(2, 1000, 1));
        found.counts.remove(SMALL);
        found.counts.get_mut(LARGE).unwrap().insert("read".to_owned(), 1);
        let differences = found.differences(&expected);
        assert_eq!(differences.len(), 3, "{differences:?}");
        assert!(differences.contains(&"3 MiB: read: 1 instead of 0".to_owned()));
        assert!(differences.contains(&"512 KiB: send: 0 instead of 2".to_owned()));
    }

    #[test]
    fn instructions_of_another_compiler_are_not_compared() {
        let (expected, mut found) = (figures(2, 1000, 1), figures(2, 1000, 999));
        found.instructions.compiler = "another compiler".to_owned();
        assert_eq!(found.differences(&expected), Vec::<String>::new());
        assert!(!found.instructions.is_comparable(&expected.instructions));
    }

    #[test]
    fn allocating_in_proportion_to_the_slice_is_noticed_whatever_the_figures_say() {
        assert_eq!(figures(2, 1000, 1).growth(), None);
        let text = figures(2, 6000, 1).growth().unwrap();
        assert!(text.contains("6000") && text.contains("1000"), "{text}");
    }
}
