//! The inputs that fuzzing found worth keeping, and those that once found a defect, given to their targets again.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cos_slice_fuzz::{TARGETS, run};

const CORPORA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus");

#[test]
fn no_kept_input_finds_a_defect() {
    for (target, _) in TARGETS {
        let mut inputs: Vec<_> = fs::read_dir(Path::new(CORPORA).join(target))
            .unwrap_or_else(|error| panic!("the corpus of {target}: {error}"))
            .map(|entry| entry.unwrap().path())
            .collect();
        inputs.sort();
        assert!(inputs.len() >= 10, "{target} has only {} inputs", inputs.len());
        for input in inputs {
            // Shown by the test harness where the input fails.
            println!("{}", input.display());
            run(target, &fs::read(&input).unwrap());
        }
    }
}

#[test]
fn every_corpus_has_its_target_and_every_target_its_program() {
    let names: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let folders = fs::read_dir(CORPORA).unwrap();
    let folders: BTreeSet<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders, names);
    let programs = fs::read_dir(Path::new(CORPORA).join("../fuzz_targets")).unwrap();
    let programs: BTreeSet<String> = programs
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    assert_eq!(programs, names);
}

#[test]
fn every_function_of_the_c_interface_is_among_the_calls() {
    let calls = concat!(
        include_str!("../src/abi/calls.c"),
        include_str!("../src/abi/dialect.c"),
        include_str!("../src/abi/log.c"),
        include_str!("../src/abi/operations.c"),
        include_str!("../src/abi/sign.c"),
        include_str!("../src/abi/sources.c")
    );
    let exported = include_str!("../../../abi/exports.txt");
    let is_called = |name: &&str| {
        calls
            .split(|character: char| !character.is_ascii_alphanumeric() && character != '_')
            .any(|word| word == *name)
    };
    let functions = exported.lines().filter(|line| !line.starts_with('#'));
    let uncalled: Vec<&str> = functions.filter(|name| !is_called(name)).collect();
    assert!(
        uncalled.is_empty(),
        "tests/fuzz/src/abi does not call {uncalled:?}"
    );
}
