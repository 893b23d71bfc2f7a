//! The README says what is so: its programs are the ones that are tested, its tables are the library's.

use std::fs;
use std::path::Path;

use cos_slice::upload::status::Status;

const README: &str = include_str!("../README.md");

/// The inside of the fenced blocks of a language, in order.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    text.split(&fence)
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a closing fence").0)
        .collect()
}

/// What stands under a heading, up to the next one of the same level.
fn section(heading: &str) -> &'static str {
    let (_, rest) = README
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading");
    rest.split_once("\n## ").map_or(rest, |(inside, _)| inside)
}

#[test]
fn the_c_program_is_the_example_that_is_built_and_run() {
    assert_eq!(
        blocks(README, "c"),
        [include_str!("../bindings/c/examples/upload.c")]
    );
}

#[test]
fn the_table_of_errors_is_the_library_s() {
    let rows: Vec<&str> = section("Errors")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let expected: Vec<String> = Status::ALL
        .iter()
        .map(|status| {
            let number = status.number().to_string().replace('-', "−");
            let again = if status.is_retryable() { "yes" } else { "no" };
            format!(
                "| `COS_SLICE_{}` | {number} | {} | {again} |",
                status.name(),
                status.meaning()
            )
        })
        .collect();
    assert_eq!(rows, expected);
}

#[test]
fn the_table_of_the_protocol_names_functions_and_tests_that_there_are() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = include_str!("../include/cos_slice.h");
    let mut rows = 0;
    for row in section("The protocol, field by field").lines() {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let [_, _, _, here, held_by, _] = cells[..] else {
            continue;
        };
        let Some((file, function)) = held_by.trim_matches('`').split_once("`: `") else {
            continue;
        };
        rows += 1;
        let source = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(
            source.contains(&format!("#[test]\nfn {function}("))
                || source.contains(&format!("#[test]\n    fn {function}(")),
            "{file} has no test {function}"
        );
        let words = here.split(|character: char| !character.is_alphanumeric() && character != '_');
        for name in words.filter(|word| word.starts_with("cos_slice_") || word.starts_with("COS_SLICE_")) {
            let is_whole = |rest: &str| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_');
            assert!(
                header.split(name).skip(1).any(is_whole) || name.ends_with('_'),
                "the header has no {name}"
            );
        }
    }
    assert!(rows >= 25, "{rows} rows");
}

#[test]
fn the_defaults_are_the_header_s() {
    let header = include_str!("../include/cos_slice.h");
    let (_, rest) = header
        .split_once(" * DEFAULTS\n *\n")
        .expect("the header's defaults");
    let (lines, _) = rest.split_once(" */").expect("the end of the comment");
    let expected: String = lines
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix(" *   ").unwrap()))
        .collect();
    assert_eq!(blocks(section("Defaults"), "text"), [expected]);
}

#[test]
fn the_bound_on_memory_is_the_header_s() {
    let header = include_str!("../include/cos_slice.h")
        .replace("\n *", "")
        .replace(" x ", " × ");
    let formula = "at most 6 MiB + connections × 320 KiB";
    let total = header.split("included, so ").nth(1).unwrap();
    let total = total.split_inclusive(" with").next().unwrap();
    assert!(total.ends_with(" MiB with"), "{total}");
    for text in [formula, total] {
        assert!(
            header.contains(text) && section("Memory").replace('\n', " ").contains(text),
            "{text}"
        );
    }
}

#[test]
fn every_file_that_is_linked_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let targets: Vec<&str> = README
        .split("](")
        .skip(1)
        .map(|rest| rest.split_once(')').expect("a closing bracket").0)
        .collect();
    assert!(targets.len() > 5, "{targets:?}");
    for target in targets
        .into_iter()
        .filter(|target| !target.starts_with("https://"))
    {
        assert!(fs::exists(root.join(target)).unwrap(), "{target}");
    }
}

/// A promise whose test is gone is none.
#[test]
fn the_tests_that_the_security_page_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("SECURITY.md")).unwrap();
    let named: Vec<_> = page.split('`').filter(|word| word.ends_with(".rs")).collect();
    assert!(named.len() > 10, "{named:?}");
    for file in named {
        let text = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains("#[test]"), "{file} has no test");
    }
}
