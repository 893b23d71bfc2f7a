//! What `--verbose` shows, line by line.

use std::fs::File;
use std::io::Write;
use std::process::Stdio;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use cos_emulator::{Action, Fault};

use crate::support::{OBJECT, Service, Watcher, content, finish, run};

const MIB: usize = 1 << 20;

/// The lines on stderr that begin with a level, without their object's name.
fn told<'a>(stderr: &'a str, level: &str) -> Vec<&'a str> {
    let beginning = format!("cos-slice: {level}: ");
    let lines = stderr.lines().filter_map(|line| line.strip_prefix(&beginning));
    lines
        .map(|line| line.strip_prefix(OBJECT).unwrap().strip_prefix(": ").unwrap())
        .collect()
}

#[test]
fn once_it_tells_how_uploads_begin_and_end_and_what_was_repeated() {
    let service = Service::new();
    let fault = Fault::new("upload_slice_data", Action::answer(503, -71));
    service.emulator.add_fault(fault.nth(1));
    let outcome = run(&mut service.upload(&service.file("big.mp4", &content(2 * MIB, 1)), &["-v"]));
    outcome.success();
    let infos = told(&outcome.stderr, "info");
    assert_eq!(infos.len(), 2, "{outcome:?}");
    assert_eq!(infos[0], "begins: 2097152 bytes");
    assert!(infos[1].starts_with("uploaded: 2097152 bytes in "), "{outcome:?}");
    let warnings = told(&outcome.stderr, "warning");
    assert_eq!(warnings.len(), 1, "{outcome:?}");
    assert!(
        warnings[0].contains("code -71") && warnings[0].contains("; again "),
        "{outcome:?}"
    );
    assert!(told(&outcome.stderr, "debug").is_empty(), "{outcome:?}");
}

#[test]
fn twice_it_tells_each_request_and_without_it_nothing() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(2 * MIB, 1));
    let outcome = run(&mut service.upload(&file, &["-vv"]));
    outcome.success();
    let requests = told(&outcome.stderr, "debug");
    for operation in [
        "upload_slice_init: HTTP 200 ",
        "upload_slice_data at offset 1048576: HTTP 200 ",
        "stat: HTTP 200 ",
    ] {
        assert!(
            requests.iter().any(|line| line.starts_with(operation)),
            "no {operation}: {outcome:?}"
        );
    }
    assert_eq!(requests.len(), 5, "{outcome:?}");

    let outcome = run(service
        .command()
        .args(["status", OBJECT, "--verbose", "--verbose"]));
    assert!(outcome.success().starts_with("complete"), "{outcome:?}");
    let requests = told(&outcome.stderr, "debug");
    assert_eq!(requests.len(), 2, "{outcome:?}");
    assert!(
        requests[0].starts_with("upload_slice_list: ") && requests[1].starts_with("stat: "),
        "{outcome:?}"
    );

    let outcome = run(&mut service.upload(&file, &[]));
    outcome.success();
    for level in ["error", "warning", "info", "debug"] {
        assert!(told(&outcome.stderr, level).is_empty(), "{outcome:?}");
    }
}

#[test]
fn a_failure_and_a_warning_are_told_once() {
    let service = Service::new();
    let file = service.file("big.mp4", &content(MIB, 1));
    // No folder can be made below a file.
    let state = file.join("state");
    for options in [&[][..], &["-v"], &["-vv"]] {
        service.emulator.clear_faults();
        service
            .emulator
            .add_fault(Fault::new("upload_slice_init", Action::answer(400, -5999)).times(0));
        let mut command = service.upload(&file, options);
        let outcome = run(command.env("XDG_STATE_HOME", &state));
        assert_eq!(outcome.status, Some(1), "{outcome:?}");
        assert_eq!(outcome.stderr.matches("checkpoint: ").count(), 1, "{outcome:?}");
        let ends = outcome
            .stderr
            .lines()
            .filter(|line| line.contains("code -5999") && !line.contains(": debug: "));
        assert_eq!(ends.count(), 1, "{outcome:?}");
    }
}

#[test]
fn on_a_terminal_each_entry_has_a_line_of_its_own_above_the_bar() {
    let service = Service::new();
    let bytes = content(20 * MIB, 2);
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    let size = Winsize {
        ws_row: 24,
        ws_col: 400,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&terminal, size).unwrap();
    let mut command = service.upload("-".as_ref(), &["-vv", "--size", "20M"]);
    let mut child = command
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stderr(Stdio::from(terminal))
        .spawn()
        .unwrap();
    // It holds a descriptor of the terminal, which would keep the watcher waiting for more.
    drop(command);
    let mut screen = Watcher::new(File::from(controller));
    // It can't end before the bar is there.
    let mut input = child.stdin.take().unwrap();
    input.write_all(&bytes[..19 * MIB]).unwrap();
    screen.wait_for("sending [");
    input.write_all(&bytes[19 * MIB..]).unwrap();
    drop(input);
    finish(child).success();
    let seen = screen.all();
    let lines: Vec<_> = seen
        .split("\r\n")
        .filter(|line| line.contains(": debug: "))
        .collect();
    assert_eq!(lines.len(), 23, "{seen:?}");
    for line in lines {
        // What was there before is taken away, and nothing comes behind.
        let last = line
            .rsplit("\x1b[2K")
            .next()
            .unwrap()
            .trim_start_matches(['\r', '\n']);
        assert!(last.starts_with("cos-slice: debug: cos://"), "{line:?}");
        assert!(
            !last.contains("sending [") && !last.contains("hashing ["),
            "{line:?}"
        );
    }
}
