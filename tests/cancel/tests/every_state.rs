//! A few cancels in every state: whatever the time they take, nothing may be left behind or broken.

use std::process::Command;

/// Three for each of the eight ways in which a batch can be made.
const CANCELS: &str = "24";

#[test]
fn a_cancel_in_any_state_leaves_nothing_behind_and_nothing_broken() {
    let output = Command::new(env!("CARGO_BIN_EXE_cos-slice-cancel"))
        .args(["--cancels", CANCELS, "--no-goal"])
        .output()
        .expect("the tool can be run");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let states = said
        .lines()
        .skip(1)
        .filter(|line| line.split_whitespace().nth(1) == Some(CANCELS));
    assert_eq!(states.count(), 15, "{said}");
}
