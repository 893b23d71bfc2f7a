//! The rules of the house, read off the sources: which room may use which, and what stays out of the pure ones.

use std::path::{Path, PathBuf};

/// Every source below `src/` as its path from there and its text without comments.
fn sources(below: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.join(below)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code: String = text
                    .lines()
                    .filter(|line| !line.trim_start().starts_with("//"))
                    .flat_map(|line| [line, "\n"])
                    .collect();
                sources.push((
                    path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
                    code,
                ));
            }
        }
    }
    assert!(sources.len() >= 5, "{below} was not read");
    sources
}

fn assert_without(room: &str, words: &[&str]) {
    for (path, code) in sources(room) {
        for word in words {
            assert!(!code.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn each_room_uses_only_those_to_its_left() {
    assert_without("protocol", &["crate::upload", "crate::engine", "crate::ffi"]);
    assert_without("upload", &["crate::engine", "crate::ffi"]);
    assert_without("engine", &["crate::ffi"]);
}

#[test]
fn the_pure_rooms_have_no_clock_no_chance_no_file_no_socket_and_no_thread() {
    let impure = [
        "Instant::now",
        "time::Instant",
        "SystemTime",
        "getrandom",
        "rand::",
        "std::fs",
        "std::net",
        "std::thread",
        "std::env",
        "std::process",
        "println!",
        "static mut",
        "Mutex",
    ];
    assert_without("protocol", &impure);
    assert_without("upload", &impure);
}

#[test]
fn unsafe_code_is_only_at_the_c_boundary_and_where_systems_differ() {
    for (path, code) in sources("") {
        if !path.starts_with("ffi/") && !path.starts_with("engine/sys/") {
            assert!(!code.contains("unsafe "), "{path} has unsafe code");
        }
    }
}

#[test]
fn the_http_library_is_named_by_the_transport_and_its_sockets_alone() {
    for (path, code) in sources("") {
        let may = path.starts_with("engine/transport") || path.starts_with("engine/socket");
        assert!(may || !code.contains("ureq::"), "{path} names ureq");
    }
}

#[test]
fn nothing_in_the_library_writes_to_the_terminal() {
    for (path, code) in sources("") {
        if !path.starts_with("bin/") {
            for word in ["println!", "eprintln!", "print!(", "dbg!"] {
                let tests_only = code
                    .find("#[cfg(test)]")
                    .is_some_and(|tests| code.find(word) > Some(tests));
                assert!(tests_only || !code.contains(word), "{path} has {word}");
            }
        }
    }
}
