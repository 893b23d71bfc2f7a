//! What the figures were measured on.

use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde::Serialize;
#[cfg(target_os = "linux")]
use socket2::SockRef;

/// The machine, as far as it matters.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
    /// What decides how fast a connection over loopback sends.
    pub congestion_control: String,
    /// How busy the machine was when the measurement began: processes that ran or wanted to, over the last minute.
    pub load: f64,
}

impl Machine {
    /// This one, as it is now.
    pub fn this() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let processor = read("/proc/cpuinfo").lines().find_map(|line| {
            line.strip_prefix("model name")?
                .split_once(':')
                .map(|(_, name)| name.trim().to_owned())
        });
        let load = read("/proc/loadavg");
        Self {
            processor: processor.unwrap_or_else(|| "unknown processor".to_owned()),
            cores: thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            congestion_control: congestion_control().unwrap_or_else(|error| format!("unknown ({error})")),
            load: load
                .split(' ')
                .next()
                .and_then(|load| load.parse().ok())
                .unwrap_or(f64::NAN),
        }
    }

    /// In one line.
    pub fn text(&self) -> String {
        let Self {
            processor,
            cores,
            kernel,
            congestion_control,
            load,
        } = self;
        format!(
            "{processor}, {cores} cores, Linux {kernel}, congestion control {congestion_control}, load {load:.1} at the beginning"
        )
    }
}

/// That of a connection over loopback, which need not be the system's default.
#[cfg(target_os = "linux")]
fn congestion_control() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let connection = TcpStream::connect(listener.local_addr()?)?;
    let name = SockRef::from(&connection).tcp_congestion()?;
    let name = String::from_utf8_lossy(&name).into_owned();
    Ok(name.trim_end_matches('\0').to_owned())
}

#[cfg(not(target_os = "linux"))]
fn congestion_control() -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}
