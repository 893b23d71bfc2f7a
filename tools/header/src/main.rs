//! Writes `include/cos_slice.h`, or with `--check` tells whether it is what the sources say.
//!
//! Declarations and their comments come from `src/ffi/` through cbindgen; statuses, phases, outcomes, versions, defaults
//! and the memory formula come from the library's own tables, so that no number is written down twice. Which pointers may be
//! NULL is told by `nullability.rs`.

mod nullability;
mod tables;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

/// What is fixed of the header's first comment; `{…}` is filled in.
const HEAD: &str = include_str!("head.h");

fn main() -> ExitCode {
    let check = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [option] if option == "--check" => true,
        _ => {
            eprintln!("usage: header [--check]");
            return ExitCode::from(2);
        }
    };
    match run(check) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("header: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
fn run(check: bool) -> Result<bool, Box<dyn Error>> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let path = root.join("include/cos_slice.h");
    let wanted = generate(root)?;
    if !check {
        fs::write(&path, wanted)?;
        return Ok(true);
    }
    let found = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    if found == wanted {
        return Ok(true);
    }
    let difference = similar::TextDiff::from_lines(&found, &wanted);
    eprint!(
        "{}",
        difference
            .unified_diff()
            .header("include/cos_slice.h", "what the sources say")
    );
    eprintln!("header: include/cos_slice.h is not what the sources say; run: cargo run -p cos-slice-header");
    Ok(false)
}

fn generate(root: &Path) -> Result<String, Box<dyn Error>> {
    let mut config = cbindgen::Config::from_file(root.join("cbindgen.toml"))?;
    let head = HEAD
        .trim_end()
        .replace("{version}", env!("CARGO_PKG_VERSION"))
        .replace("{memory}", &tables::memory())
        .replace("{defaults}", tables::defaults().trim_end());
    config.header = Some(head + tables::GUARD);
    config.after_includes = Some(tables::definitions());
    config.trailer = Some(tables::END.into());
    // In this order the functions stand in the header.
    let files = [
        "version",
        "user_data",
        "progress",
        "client",
        "log",
        "network",
        "signer",
        "dialect",
        "upload",
        "upload/settings",
        "upload/run",
        "rate_limit",
        "completion",
        "source",
        "result",
        "operation",
        "verbs",
        "answer",
        "error",
    ];
    let builder = files
        .iter()
        .fold(cbindgen::Builder::new().with_config(config), |builder, name| {
            builder.with_src(root.join(format!("src/ffi/{name}.rs")))
        });
    let mut text = Vec::new();
    builder.generate()?.write(&mut text);
    nullability::annotate(&String::from_utf8(text)?)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_header_is_what_the_sources_say() {
        assert!(
            super::run(true).expect("both can be read"),
            "run: cargo run -p cos-slice-header"
        );
    }
}
