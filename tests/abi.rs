//! The binary interface: what the header, the shared library and the checked-in lists say must be the same, and what
//! programs were built against stays.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use cos_slice::protocol::dialect::{
    MAX_ADDED_BYTES, MAX_ADDITIONS, MAX_NAME, MAX_SLICE_SIZE, MAX_SLICE_SIZES, MIN_SLICE_SIZE,
    SERVICE_SLICE_SIZES,
};
use cos_slice::protocol::location::MAX_PATH_BYTES;
use cos_slice::protocol::{MAX_SINGLE_REQUEST_SIZE, regions};
use cos_slice::upload::options::{self, MAX_CONNECTIONS};
use cos_slice::upload::status::Status;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The shared library that was built with this test.
fn shared_library() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    test.with_file_name("libcos_slice.so")
}

/// What a tool of the system prints; a tool that is missing is a failure that says what to install.
fn output(tool: &str, package: &str, arguments: &[&str]) -> String {
    let output = Command::new(tool).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{tool}: {error}; install {package}"));
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{tool} {arguments:?} failed:\n{complaint}"
    );
    String::from_utf8(output.stdout).expect("tools print UTF-8")
}

/// A checked-in list without its comments.
fn list(path: &str) -> BTreeSet<String> {
    let lines = read(path);
    let lines = lines
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// The paths of the files below a folder whose names end like this.
fn files_below(folder: &str, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let mut files = Vec::new();
    for entry in entries.map(|entry| entry.expect("an entry")) {
        let path = format!("{folder}/{}", entry.file_name().into_string().expect("UTF-8"));
        if entry.file_type().expect("a type").is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.ends_with(&format!(".{extension}")) {
            files.push(path);
        }
    }
    files
}

/// The names of functions in C text: what begins with the prefix and stands before a bracket.
fn functions_named_in(text: &str) -> BTreeSet<String> {
    let starts = text.match_indices("cos_slice_").map(|(start, _)| &text[start..]);
    starts
        .filter_map(|rest| {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')?;
            rest[end..].starts_with('(').then(|| rest[..end].to_owned())
        })
        .collect()
}

/// The header without its comments.
fn declarations() -> String {
    let (mut text, header) = (String::new(), read("include/cos_slice.h"));
    for piece in header.split("/*") {
        text.push_str(
            piece
                .split_once("*/")
                .map_or(piece, |(_, declaration)| declaration),
        );
    }
    text
}

fn macro_value(name: &str) -> String {
    let header = read("include/cos_slice.h");
    let prefix = format!("#define {name} ");
    let line = header
        .lines()
        .find(|line| line.starts_with(&prefix))
        .unwrap_or_else(|| panic!("no {name}"));
    line[prefix.len()..].trim_matches(['(', ')']).to_owned()
}

#[test]
fn the_library_exports_what_the_list_says_and_nothing_else() {
    let library = shared_library();
    let symbols = output(
        "nm",
        "binutils",
        &["-D", "--defined-only", library.to_str().expect("UTF-8")],
    );
    let exported: BTreeSet<String> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .map(str::to_owned)
        .collect();
    assert_eq!(
        exported,
        list("abi/exports.txt"),
        "left: the library; right: abi/exports.txt, which may only grow"
    );
}

#[test]
fn the_header_declares_what_the_library_exports() {
    let declared = functions_named_in(&declarations());
    assert_eq!(
        declared,
        list("abi/exports.txt"),
        "left: the header; right: abi/exports.txt"
    );
}

#[test]
fn every_function_is_called_by_a_c_program() {
    let called: String = files_below("tests/capi", "c")
        .iter()
        .map(|file| read(file))
        .collect();
    let uncalled: Vec<_> = list("abi/exports.txt")
        .difference(&functions_named_in(&called))
        .cloned()
        .collect();
    assert!(uncalled.is_empty(), "no program in tests/capi calls {uncalled:?}");
}

#[test]
fn status_numbers_are_those_of_the_list() {
    let table: BTreeSet<String> = Status::ALL
        .iter()
        .map(|status| format!("{} COS_SLICE_{}", status.number(), status.name()))
        .collect();
    assert_eq!(table.len(), Status::ALL.len(), "a number and a name for each");
    assert_eq!(
        table,
        list("abi/status.txt"),
        "left: the table; right: abi/status.txt, which may only grow"
    );
    let numbers: BTreeSet<i32> = Status::ALL.iter().map(|status| status.number()).collect();
    assert_eq!(numbers.len(), Status::ALL.len(), "no number twice");
}

/// Programs were built against the baseline of this soname, which changes only with a release; see CONTRIBUTING.md.
#[test]
fn nothing_of_the_baseline_is_gone_or_has_another_number() {
    let baseline = format!("abi/{}", cos_slice::ABI_VERSION);
    for name in ["exports.txt", "status.txt", "constants.txt"] {
        let (then, now) = (list(&format!("{baseline}/{name}")), list(&format!("abi/{name}")));
        assert!(!then.is_empty(), "{baseline}/{name} is empty");
        let gone: Vec<_> = then.difference(&now).collect();
        assert!(
            gone.is_empty(),
            "abi/{name} lacks {gone:?} of {baseline}/{name}, which programs use"
        );
    }
}

#[test]
fn the_header_defines_each_status() {
    for status in Status::ALL {
        let value = macro_value(&format!("COS_SLICE_{}", status.name()));
        assert_eq!(value, status.number().to_string(), "{status:?}");
    }
}

#[test]
fn the_header_states_the_ranges_that_the_library_checks() {
    let header = read("include/cos_slice.h").replace("\n * ", " ");
    let [smallest, small, large, largest] = SERVICE_SLICE_SIZES;
    assert_eq!(small, options::MAX_HASHED_SLICE_SIZE);
    for stated in [
        format!("at most: 1 to {MAX_CONNECTIONS}."),
        format!(
            "1 to {} milliseconds (a day)",
            options::MAX_TIME_LIMIT.as_millis()
        ),
        format!("With hashing on, {smallest} or {small}; with hashing off {large} and {largest} too"),
        format!("at most {} bytes; copied", options::MAX_BIZ_ATTR),
        format!("0 to {MAX_SINGLE_REQUEST_SIZE};"),
        format!(
            "1 to {MAX_SLICE_SIZES} of them, each a multiple of 64 within {MIN_SLICE_SIZE} to {MAX_SLICE_SIZE}"
        ),
        format!("The name has 1 to {MAX_NAME} visible ASCII"),
        format!("At most {MAX_ADDITIONS} fields, with {MAX_ADDED_BYTES} bytes for all"),
        format!("At most {MAX_ADDITIONS} headers, with {MAX_ADDED_BYTES} bytes for all"),
        format!("The regions are {}.", regions::List),
        format!("The path must have 1 to {MAX_PATH_BYTES} bytes"),
    ] {
        assert!(
            header.to_lowercase().contains(&stated.to_lowercase()),
            "the header lacks: {stated}"
        );
    }
}

#[test]
fn the_version_macros_are_the_package_s_version() {
    let part = |name: &str| macro_value(&format!("COS_SLICE_VERSION_{name}"));
    let (major, minor, patch) = (part("MAJOR"), part("MINOR"), part("PATCH"));
    assert_eq!(format!("{major}.{minor}.{patch}"), env!("CARGO_PKG_VERSION"));
    let number = |text: &str| text.parse::<u32>().expect("a decimal number");
    let combined = number(&major) << 16 | number(&minor) << 8 | number(&patch);
    let stated = part("NUMBER");
    let stated = u32::from_str_radix(stated.trim_start_matches("0x"), 16).expect("a hexadecimal number");
    assert_eq!(stated, combined);
    assert_eq!(stated, cos_slice::VERSION_NUMBER);
    assert_eq!(
        macro_value("COS_SLICE_ABI_VERSION"),
        cos_slice::ABI_VERSION.to_string()
    );
}

#[test]
fn the_header_includes_only_the_standard_headers_for_sizes() {
    let header = read("include/cos_slice.h");
    let includes: Vec<_> = header
        .lines()
        .filter(|line| line.starts_with("#include"))
        .collect();
    assert_eq!(includes, ["#include <stddef.h>", "#include <stdint.h>"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_library_has_its_soname_and_stays_loaded() {
    let library = shared_library();
    let section = output("readelf", "binutils", &["-d", library.to_str().expect("UTF-8")]);
    let soname = format!("soname: [libcos_slice.so.{}]", cos_slice::ABI_VERSION);
    assert!(section.contains(&soname), "{section}");
    assert!(section.contains("NODELETE"), "{section}");
}

/// An entry point that unwinds into C, or that follows NULL, is undefined behaviour; so each begins with what prevents it.
#[test]
fn every_entry_point_goes_through_the_boundary() {
    // These take no pointer and do nothing that could panic.
    let constant = [
        "cos_slice_version",
        "cos_slice_version_number",
        "cos_slice_abi_version",
        "cos_slice_features",
    ];
    let guards = [
        "enter!(",
        "of!(",
        "told_text!(",
        "told_number!(",
        "alone!(",
        "verb!(",
        "caught(",
    ];
    let mut checked = BTreeSet::new();
    for file in files_below("src/ffi", "rs") {
        let source = read(&file);
        for entry in source.split("#[unsafe(no_mangle)]").skip(1) {
            let name = &entry[entry.find("cos_slice_").expect("a name")..];
            let name = &name[..name.find('(').expect("arguments")];
            let body = &entry[..entry.find("\n}").expect("an end")];
            let guarded = guards.iter().any(|guard| body.contains(guard)) || constant.contains(&name);
            assert!(guarded, "{name} in {file} does not go through the boundary");
            checked.insert(name.to_owned());
        }
    }
    assert_eq!(checked, list("abi/exports.txt"));
}
