//! What a person sees while it runs.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::Duration;

use cos_emulator::{Action, Fault};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::support::{Service, Watcher, content, finish};

const MIB: usize = 1 << 20;

/// Makes a service answer three slices and no more, so that an upload stays where it is.
fn answer_three_slices(service: &Service) {
    let silence = Fault::new("upload_slice_data", Action::Hang { after_effect: false });
    service.emulator.add_fault(silence.nth(4).times(0));
}

fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

#[test]
fn on_a_terminal_there_is_a_bar_that_makes_room_for_the_result() {
    let service = Service::new();
    answer_three_slices(&service);
    let file = service.file("big.mp4", &content(5 * MIB, 41));
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap().into_string().unwrap();
    let terminal = File::options().read(true).write(true).open(name).unwrap();
    tcsetwinsize(
        &terminal,
        Winsize {
            ws_row: 24,
            ws_col: 100,
            ws_xpixel: 0,
            ws_ypixel: 0,
        },
    )
    .unwrap();

    let mut command = service.upload(&file, &["--deadline", "50"]);
    let child = command
        .env("TERM", "xterm")
        .stderr(Stdio::from(terminal))
        .spawn()
        .unwrap();
    // It holds a descriptor of the terminal, which would keep the watcher waiting for more.
    drop(command);
    let mut screen = Watcher::new(File::from(controller));
    screen.wait_for("sending [");
    screen.wait_for("3.00 MiB/5.00 MiB");
    interrupt(&child);
    assert_eq!(finish(child).status, Some(130));
    let seen = screen.all();
    let last_line = seen.rsplit("\x1b[2K").next().unwrap();
    assert!(
        last_line.starts_with("cos-slice: ") && last_line.contains("cancelled"),
        "{last_line:?}"
    );
}

#[test]
fn elsewhere_there_are_plain_lines_of_what_was_there_and_what_is_sent() {
    let mut service = Service::new();
    answer_three_slices(&service);
    let file = service.file("big.mp4", &content(20 * MIB, 42));
    let child = service.upload(&file, &[]).spawn().unwrap();
    service.wait_for_slices(3);
    interrupt(&child);
    let outcome = finish(child);
    assert!(
        outcome
            .stderr
            .starts_with("cos-slice: hashing 0 B of 20.00 MiB\n"),
        "{outcome:?}"
    );

    service.restart();
    answer_three_slices(&service);
    // So what was there turns out when sending has been announced already.
    service.emulator.add_fault(Fault::new(
        "upload_slice_list",
        Action::Delay(Duration::from_millis(500)),
    ));
    // Long before the service's silence would make it speak again.
    let mut child = service.upload(&file, &["--deadline", "50"]).spawn().unwrap();
    let mut lines = Watcher::new(child.stderr.take().unwrap());
    lines.wait_for("of 20.00 MiB (3.00 MiB were there)");
    interrupt(&child);
    assert_eq!(finish(child).status, Some(130));
    let seen = lines.all();
    assert!(seen.lines().all(|line| line.starts_with("cos-slice: ")), "{seen}");
    assert!(!seen.contains(['\r', '\x1b']), "{seen}");
}
