//! An uploader as a process: waited for without polling, killed, and looked at when it is dead.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::log::{self, Record};
use crate::{Failure, setup};

/// A started uploader; killed when dropped.
pub struct Uploader {
    child: Child,
    /// Readable when the process is over.
    over: OwnedFd,
}

/// What ended a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The uploader is over.
    Over,
    /// What was waited for is in the log.
    Logged,
    /// The time has passed.
    Time,
}

/// A dead uploader.
#[derive(Clone, Copy, Debug)]
pub struct Remains {
    /// How it ended.
    pub status: ExitStatus,
    /// Bytes that it got from read calls (not from sockets, which are received from).
    pub bytes_read: u64,
}

impl Uploader {
    /// Starts it.
    ///
    /// # Errors
    /// It can't be started.
    pub fn start(command: &mut Command) -> Result<Self, Failure> {
        let child = setup::said("starting the uploader", command.spawn())?;
        let over = setup::said("pidfd", pidfd_open(Pid::from_child(&child), PidfdFlags::empty()))?;
        Ok(Self { child, over })
    }

    /// Waits for its end, but no longer than this.
    ///
    /// # Errors
    /// Waiting is not possible.
    pub fn wait(&self, time: Duration) -> Result<Event, Failure> {
        self.wait_for_any(None, Instant::now() + time)
    }

    /// Waits until the log has what `enough` says, the uploader is over, or the time has passed. `enough` is asked
    /// again whenever the log has grown.
    ///
    /// # Errors
    /// Waiting is not possible, or the log can't be read.
    pub fn wait_for_log(
        &self,
        log: &Path,
        time: Duration,
        enough: impl Fn(&[Record]) -> bool,
    ) -> Result<Event, Failure> {
        let deadline = Instant::now() + time;
        let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
        let grown = setup::said("inotify", inotify::init(flags))?;
        setup::said(
            "inotify",
            inotify::add_watch(&grown, log, inotify::WatchFlags::MODIFY),
        )?;
        let mut file = setup::said("the log", fs::File::open(log))?;
        let mut text = String::new();
        loop {
            // What is half a line now is read again.
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            text.truncate(whole);
            setup::said("the log", file.seek(SeekFrom::Start(whole as u64)))?;
            setup::said("the log", file.read_to_string(&mut text))?;
            if enough(&log::parse(&text)?) {
                return Ok(Event::Logged);
            }
            match self.wait_for_any(Some(&grown), deadline)? {
                Event::Logged => drain(&grown),
                end => return Ok(end),
            }
        }
    }

    fn wait_for_any(&self, grown: Option<&OwnedFd>, deadline: Instant) -> Result<Event, Failure> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Event::Time);
            }
            let timeout = setup::said("the time", Timespec::try_from(left))?;
            let mut fds = vec![PollFd::new(&self.over, PollFlags::IN)];
            fds.extend(grown.map(|grown| PollFd::new(grown, PollFlags::IN)));
            match poll(&mut fds, Some(&timeout)) {
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(format!("poll: {error}")),
                Ok(_) if !fds[0].revents().is_empty() => return Ok(Event::Over),
                Ok(_) if fds.len() > 1 && !fds[1].revents().is_empty() => return Ok(Event::Logged),
                Ok(_) => {}
            }
        }
    }

    /// Sends SIGKILL, which comes too late where the process is over.
    ///
    /// # Errors
    /// The system does not let it.
    pub fn kill(&mut self) -> Result<(), Failure> {
        setup::said("killing the uploader", self.child.kill())
    }

    /// Looks at the process that is over or killed, and takes it away.
    ///
    /// # Errors
    /// It is not over in time, or the system does not tell.
    pub fn bury(&mut self) -> Result<Remains, Failure> {
        if self.wait(Duration::from_secs(60))? != Event::Over {
            return Err("the uploader is not over".to_owned());
        }
        // While nobody has waited for it, the system keeps its counters.
        let counters = setup::said(
            "the counters",
            fs::read_to_string(format!("/proc/{}/io", self.child.id())),
        )?;
        let bytes_read = counters.lines().find_map(|line| line.strip_prefix("rchar: "));
        let bytes_read = bytes_read.and_then(|number| number.parse().ok());
        Ok(Remains {
            status: setup::said("waiting for the uploader", self.child.wait())?,
            bytes_read: bytes_read.ok_or("the counters have no rchar")?,
        })
    }
}

impl Drop for Uploader {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Takes the news that were waited for.
fn drain(grown: &OwnedFd) {
    let mut buffer = [0; 4096];
    while matches!(rustix::io::read(grown, &mut buffer), Ok(1..)) {}
}
