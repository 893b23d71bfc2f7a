//! What Cargo.toml tells cargo-c, for packagers who have it, is what `make install` does.

use std::process::Command;

use serde_json::Value;

/// What cargo knows of this package, as cargo-c reads it.
fn package() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version=1",
            "--manifest-path",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = told["packages"].as_array().expect("packages");
    let this = packages
        .iter()
        .find(|package| package["name"] == env!("CARGO_PKG_NAME"));
    this.expect("this package is in its workspace").clone()
}

#[test]
fn cargo_c_makes_a_library_of_the_same_name_and_abi_version() {
    let package = package();
    assert_eq!(
        package["features"]["capi"],
        Value::Array(vec![]),
        "cargo-c wants the feature"
    );
    let library = &package["metadata"]["capi"]["library"];
    assert_eq!(library["name"], "cos_slice");
    assert_eq!(library["version_suffix_components"], 1);
    // With one component the number behind .so. is the first of this version.
    let version = library["version"].as_str().unwrap_or(env!("CARGO_PKG_VERSION"));
    let (major, _) = version.split_once('.').expect("a version");
    assert_eq!(major, cos_slice::ABI_VERSION.to_string());
}

#[test]
fn cargo_c_installs_the_checked_in_headers_where_they_are_looked_for() {
    let capi = &package()["metadata"]["capi"];
    assert_eq!(capi["header"]["name"], "cos_slice");
    assert_eq!(capi["header"]["generation"], false, "the header is checked in");
    assert_eq!(capi["header"]["subdirectory"], false, "#include <cos_slice.h>");
    let assets = &capi["install"]["include"]["asset"];
    assert_eq!(*assets, serde_json::json!([{ "from": "include/*", "to": "" }]));
}

#[test]
fn cargo_c_writes_a_file_for_pkg_config_of_the_same_name_and_content() {
    let capi = &package()["metadata"]["capi"];
    let pkg_config = capi["pkg_config"].as_object().expect("a table");
    assert_eq!(pkg_config["name"], "cos_slice");
    assert_eq!(pkg_config["filename"], "cos_slice");
    // The package's description and version, as in packaging/cos_slice.pc.in.
    assert_eq!(pkg_config.len(), 2, "{pkg_config:?}");
}
