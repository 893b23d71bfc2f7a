//! Compiles the caller of the C interface with the header that users have.

fn main() {
    println!("cargo::rerun-if-changed=src/abi");
    println!("cargo::rerun-if-changed=../../include/cos_slice.h");
    let mut build = cc::Build::new();
    build
        .files(
            [
                "calls",
                "dialect",
                "given",
                "log",
                "operations",
                "sign",
                "sources",
                "take",
            ]
            .map(|name| format!("src/abi/{name}.c")),
        )
        .include("../../include")
        .std("c11");
    // The functions of POSIX that C alone doesn't have.
    build.define("_POSIX_C_SOURCE", "200809L");
    build
        .extra_warnings(true)
        .warnings_into_errors(true)
        .compile("cos_slice_fuzz_calls");
}
