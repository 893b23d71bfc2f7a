//! The header as compilers see it: plain C and C++ of every age, with the right number behind every name, and with marks that
//! tell the truth about NULL.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const LANGUAGES: [(&str, &str); 6] = [
    ("c", "c89"),
    ("c", "c99"),
    ("c", "c11"),
    ("c", "c17"),
    ("c++", "c++11"),
    ("c++", "c++17"),
];

/// What reads the header, the Debian package that has it, and the warnings that only it knows.
const COMPILERS: [(&str, &str, &[&str]); 2] = [
    ("gcc", "gcc, g++", &[]),
    ("clang", "clang", &["-Wnullability-completeness"]),
];

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What every compiler says of a program in every language, or nothing where all are content.
fn complaints(program: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let source = folder.path().join("header.c");
    fs::write(&source, program).expect("a file can be written");
    let compile = |compiler: &str, package: &str, language: &str, standard: &str, more: &[&str]| {
        let output = Command::new(compiler)
            .args([
                "-Wall",
                "-Wextra",
                "-Wundef",
                "-pedantic",
                "-Werror",
                "-fsyntax-only",
            ])
            .args(more)
            .arg(format!("-std={standard}"))
            .args(["-x", language])
            .arg(format!("-I{}", root().join("include").display()))
            .arg(&source)
            .output()
            .unwrap_or_else(|error| panic!("{compiler}: {error}; install {package}"));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match output.status.success() {
            true => String::new(),
            false => format!("{compiler} -std={standard}:\n{said}"),
        }
    };
    let mut complaints = String::new();
    for (compiler, package, more) in COMPILERS {
        for (language, standard) in LANGUAGES {
            complaints += &compile(compiler, package, language, standard, more);
        }
    }
    complaints
}

/// The numbers and names of a checked-in list.
fn list(path: &str) -> Vec<(i64, String)> {
    let text = read(path);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (number, name) = line.split_once(' ').expect("a number and a name");
            (number.parse().expect("a number"), name.to_owned())
        })
        .collect()
}

#[test]
fn the_header_stands_alone_and_twice_in_c_and_cpp_of_every_age() {
    let program = "#include <cos_slice.h>\n#include <cos_slice.h>\nint main(void) { return cos_slice_version() == 0; }\n";
    let complaints = complaints(program);
    assert!(complaints.is_empty(), "{complaints}");
}

/// For the preprocessor, and as a constant of an integer type.
#[test]
fn every_number_of_the_lists_is_what_the_header_says() {
    let mut program = String::from("#include <cos_slice.h>\n");
    for (number, name) in [list("abi/status.txt"), list("abi/constants.txt")].concat() {
        program += &format!("#if {name} != {number}\n#error \"{name} is not {number}\"\n#endif\n");
        program += &format!("typedef char is_{name}[({name}) == ({number}) ? 1 : -1];\n");
    }
    let complaints = complaints(&program);
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn the_lists_have_every_number_of_the_header() {
    let header = read("include/cos_slice.h");
    // The version, which tests/abi.rs compares with the package, and what is no number.
    let others = ["VERSION", "ABI_VERSION", "API ", "NULLABLE", "NONNULL"];
    let defined: BTreeSet<_> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define COS_SLICE_"))
        .filter(|rest| *rest != "H" && *rest != "API" && !others.iter().any(|other| rest.starts_with(other)))
        .map(|rest| format!("COS_SLICE_{}", rest.split(' ').next().unwrap_or_default()))
        .collect();
    let listed = [list("abi/status.txt"), list("abi/constants.txt")].concat();
    let listed: BTreeSet<_> = listed.into_iter().map(|(_, name)| name).collect();
    assert_eq!(
        defined, listed,
        "left: the header; right: abi/status.txt and abi/constants.txt"
    );
}

#[test]
fn the_version_number_is_composed_of_the_three_parts_and_is_the_library_s() {
    let program = format!(
        "#include <cos_slice.h>
#if COS_SLICE_VERSION_NUMBER != ((COS_SLICE_VERSION_MAJOR << 16) | (COS_SLICE_VERSION_MINOR << 8) | COS_SLICE_VERSION_PATCH)
#error \"the number is not composed of the parts\"
#endif
#if COS_SLICE_VERSION_NUMBER != {number} || COS_SLICE_ABI_VERSION != {abi}
#error \"the numbers are not those of the library\"
#endif
int unused;
",
        number = cos_slice::VERSION_NUMBER,
        abi = cos_slice::ABI_VERSION,
    );
    let complaints = complaints(&program);
    assert!(complaints.is_empty(), "{complaints}");
}

/// One pointer that is a parameter of a function or a field of a structure that callers fill in.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pointer {
    owner: String,
    name: String,
    nullable: bool,
}

fn last_word(text: &str) -> &str {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let text = text.trim_end_matches(|letter| !is_part(letter));
    &text[text.rfind(|letter| !is_part(letter)).map_or(0, |at| at + 1)..]
}

fn pointer(owner: &str, declaration: &str) -> Option<Pointer> {
    let declaration = declaration.trim();
    let name = last_word(declaration);
    let before = declaration
        .trim_end_matches([')', ';'])
        .strip_suffix(name)?
        .trim_end();
    (before.ends_with(['*', 'E', 'L']) || before.ends_with("_fn")).then(|| Pointer {
        owner: owner.to_owned(),
        name: name.to_owned(),
        nullable: before.ends_with("COS_SLICE_NULLABLE"),
    })
}

/// Those that `tests/capi/nullability.c` is about; see there.
fn pointers_of_the_header() -> BTreeSet<Pointer> {
    let header = read("include/cos_slice.h");
    let code: String = header
        .split("/*")
        .map(|part| part.split_once("*/").map_or(part, |(_, code)| code))
        .collect();
    let mut pointers = BTreeSet::new();
    for declaration in code.split("COS_SLICE_API\n").chain(code.split("COS_SLICE_API ")) {
        let Some((head, rest)) = declaration.split_once('(') else {
            continue;
        };
        let owner = last_word(head);
        let parameters = rest.split_once(");").map_or("", |(parameters, _)| parameters);
        if owner.starts_with("cos_slice_") && !parameters.contains("COS_SLICE_API") {
            pointers.extend(
                parameters
                    .split(',')
                    .filter_map(|parameter| pointer(owner, parameter)),
            );
        }
    }
    let is_handle = |pointer: &Pointer| {
        let handles = ["answer", "client", "error", "operation", "signature", "upload"];
        pointer.nullable && handles.contains(&pointer.name.as_str())
    };
    let (begin, end) = ("typedef struct {", "} cos_slice_sign_request;");
    let fields = code
        .split(begin)
        .find_map(|rest| rest.split_once(end))
        .expect("the structure")
        .0;
    pointers.extend(
        fields
            .lines()
            .filter_map(|field| pointer("cos_slice_sign_request", field)),
    );
    pointers.retain(|pointer| !is_handle(pointer) || pointer.owner == "cos_slice_sign_request");
    pointers.retain(|pointer| !(pointer.nullable && ["drop", "user_data"].contains(&pointer.name.as_str())));
    pointers
}

#[test]
fn null_is_tried_for_every_pointer_of_the_header() {
    let program: PathBuf = root().join("tests/capi/nullability.c");
    let program = fs::read_to_string(program).expect("the program");
    let mut tried = BTreeSet::new();
    for (word, nullable) in [("TAKEN(", true), ("REFUSED(", false)] {
        for call in program
            .split(word)
            .skip(1)
            .filter(|call| call.starts_with("cos_slice_"))
        {
            let mut arguments = call.split(',').map(|argument| argument.trim().to_owned());
            let (owner, name) = (
                arguments.next().expect("a function"),
                arguments.next().expect("a parameter"),
            );
            tried.insert(Pointer {
                owner,
                name,
                nullable,
            });
        }
    }
    let header = pointers_of_the_header();
    let untried: Vec<_> = header.difference(&tried).collect();
    let other: Vec<_> = tried.difference(&header).collect();
    assert!(
        untried.is_empty() && other.is_empty(),
        "tests/capi/nullability.c, which passes NULL, lacks {untried:#?} and has what the header has not: {other:#?}"
    );
}
