//! What a process has: threads, descriptors, files.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

use crate::events::HANG_GUARD;

/// How many threads this process has, and what its descriptors are of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Belongings {
    threads: usize,
    descriptors: Vec<PathBuf>,
}

impl Belongings {
    /// What there is now.
    pub fn now() -> Self {
        let list = |folder| fs::read_dir(folder).expect("Linux's account of this process");
        // The one for this very listing can't be looked at any more.
        let target = |entry: io::Result<fs::DirEntry>| fs::read_link(entry.ok()?.path()).ok();
        let mut descriptors: Vec<_> = list("/proc/self/fd").filter_map(target).collect();
        descriptors.sort_unstable();
        Self {
            threads: list("/proc/self/task").count(),
            descriptors,
        }
    }
}

/// What the library calls its threads.
const OF_THE_LIBRARY: [&str; 3] = ["cos-slice work", "cos-slice calls", "cos-resolve"];

/// The names of the threads that the library has now.
fn threads_of_the_library() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux's account of this process");
    let name = |task: io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks
        .filter_map(name)
        .filter(|name| OF_THE_LIBRARY.contains(&name.trim_end()))
        .collect()
}

/// That nothing is left of a client.
pub fn check_no_thread_of_the_library_is_left() {
    settle(threads_of_the_library, &Vec::new());
}

/// That this process has no more and no less than it had.
pub fn check_there_is_only(before: &Belongings) {
    settle(Belongings::now, before);
}

/// The kernel takes a thread off its list a moment after it was joined, and tells nobody; so the list is read again.
fn settle<T: Debug + PartialEq>(look: impl Fn() -> T, wanted: &T) {
    let began = Instant::now();
    loop {
        let found = look();
        if found == *wanted {
            return;
        }
        assert!(
            began.elapsed() < HANG_GUARD,
            "something was left behind: there is {found:?}, and was {wanted:?}"
        );
        thread::yield_now();
    }
}

/// That no file was left where programs put temporary ones, nor where the process runs.
pub fn check_no_file_is_left() {
    for folder in [
        std::env::temp_dir(),
        std::env::current_dir().expect("a working folder"),
    ] {
        let mut files = fs::read_dir(&folder).expect("a folder of this run");
        if let Some(file) = files.next() {
            panic!("a file was left behind: {:?}", file.expect("an entry").path());
        }
    }
}
