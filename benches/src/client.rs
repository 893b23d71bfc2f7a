//! The programs that are measured: the engine in several ways of use, and what it is compared with where that is not in C.
//! Each runs in a process of its own, so that its CPU time and memory can be told.

pub mod engine;
pub mod rustls_sender;
pub mod sha1_pass;

use serde::{Deserialize, Serialize};

/// What a measured program tells of itself, in one line of JSON. CPU time and memory the system tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// From the beginning of the work to its end, in seconds.
    pub seconds: f64,
    /// CPU time that its process had used before it was this program.
    #[serde(default)]
    pub cpu_seconds_before: f64,
    /// The most threads that were seen, of several uploads at once.
    #[serde(default)]
    pub threads: u64,
    /// When the first upload of several that were begun at once was over, in seconds.
    #[serde(default)]
    pub fastest_seconds: f64,
    /// When the last was.
    #[serde(default)]
    pub slowest_seconds: f64,
}

/// Says what went wrong in words.
pub type Outcome = Result<Report, String>;
