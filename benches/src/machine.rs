//! What the figures were measured on.

use std::fs;
use std::thread;

use serde::Serialize;

/// The machine, as far as it matters.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor, as it calls itself.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
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
            load,
        } = self;
        format!("{processor}, {cores} cores, Linux {kernel}, load {load:.1} at the beginning")
    }
}
