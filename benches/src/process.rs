//! Measured programs, and the server that each run has to itself, as processes.

use std::io::{self, BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use wait4::Wait4;

use crate::client::Report;
use crate::server::{Delay, Totals};

/// Longer than anything takes that is measured: what hangs is to fail.
const HANG: Duration = Duration::from_secs(600);

/// What made a measurement worthless.
#[derive(Debug)]
pub struct Broken(pub String);

impl Broken {
    fn new(what: &Command, why: impl ToString) -> Self {
        Self(format!("{what:?}: {}", why.to_string()))
    }
}

/// What a program told, and what the system tells of its process.
#[derive(Clone, Debug)]
pub struct Run {
    /// What it told.
    pub report: Report,
    /// User and system time of the whole process, in seconds.
    pub cpu_seconds: f64,
    /// The most memory that was resident, in bytes. A process begins with what its parent had, so that figures below that of the
    /// measuring program, a few MiB, are not to be had.
    pub peak_rss: u64,
}

/// Runs a program to its end.
///
/// # Errors
/// It can't be run, failed, hung, or did not print a report.
pub fn run(mut command: Command) -> Result<Run, Broken> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| Broken::new(&command, error))?;
    let output = child
        .stdout
        .take()
        .ok_or_else(|| Broken::new(&command, "no output"))?;
    let said = read_to_end(output);
    let killed = said.is_none() && child.kill().is_ok();
    let used = child.wait4().map_err(|error| Broken::new(&command, error))?;
    if killed {
        return Err(Broken::new(&command, format!("not over after {HANG:?}")));
    }
    if !used.status.success() {
        return Err(Broken::new(&command, used.status));
    }
    let report = serde_json::from_str::<Report>(&said.unwrap_or_default());
    let report = report.map_err(|error| Broken::new(&command, format!("no report: {error}")))?;
    let whole = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok(Run {
        cpu_seconds: whole - report.cpu_seconds_before,
        peak_rss: used.rusage.maxrss,
        report,
    })
}

/// All that a program prints; `None` where it goes on for too long.
fn read_to_end(mut output: ChildStdout) -> Option<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        // What can't be read is no report, which is noticed.
        let _ = output.read_to_string(&mut text);
        let _ = sender.send(text);
    });
    receiver.recv_timeout(HANG).ok()
}

/// How a server is to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServerOptions {
    /// Which answers are held back.
    pub delay: Delay,
    /// Over TLS; the authority to trust goes into this file.
    pub tls: Option<PathBuf>,
    /// Nothing is answered until the client has begun all its uploads, and says so.
    pub hold: bool,
}

/// A running `discard-server`, which ends with this.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    child: Child,
    output: BufReader<ChildStdout>,
    /// It ends when this is closed.
    input: Option<ChildStdin>,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// Why it did not start.
    pub fn start(program: &Path, options: &ServerOptions) -> io::Result<Self> {
        let mut command = Command::new(program);
        let milliseconds = |time: Duration| time.as_millis().to_string();
        match options.delay {
            Delay::None => &mut command,
            Delay::Slices(time) => command.args(["--delay", &milliseconds(time), "--delayed", "slices"]),
            Delay::All(time) => command.args(["--delay", &milliseconds(time), "--delayed", "all"]),
        };
        if let Some(authority) = &options.tls {
            command.arg("--tls").arg(authority);
        }
        if options.hold {
            command.arg("--hold");
        }
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut server = Self {
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            child,
            output: BufReader::new(output),
            input,
        };
        let line = server.line()?;
        let address = line.strip_prefix("listening ").unwrap_or_default();
        server.address = address
            .parse()
            .map_err(|_| io::Error::other(format!("the server did not say where it listens but {line:?}")))?;
        Ok(server)
    }

    /// Ends it, and tells what it received.
    ///
    /// # Errors
    /// It did not say.
    pub fn finish(mut self) -> io::Result<Totals> {
        drop(self.input.take());
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.input.take());
        // It ends by itself now; without this it would stay a zombie.
        let _ = self.child.wait();
    }
}
