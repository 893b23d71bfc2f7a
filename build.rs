//! Names the shared library for the dynamic linker, which cargo does not do by itself.

use std::env;

/// Raised only when a program built against an older header would break with this library. A program names the library
/// it was linked with by this number.
const ABI_VERSION: u32 = 0;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=COS_SLICE_ABI_VERSION={ABI_VERSION}");
    let target = |key: &str| env::var(key).unwrap_or_default();
    if target("CARGO_CFG_TARGET_OS") == "linux" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libcos_slice.so.{ABI_VERSION}");
        // A name lookup that the system will not let go may outlive the last client, and its code must stay mapped.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    } else if target("CARGO_CFG_TARGET_VENDOR") == "apple" {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-install_name,@rpath/libcos_slice.{ABI_VERSION}.dylib");
    }
}
