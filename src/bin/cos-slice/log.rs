//! What `--verbose` shows: the client's own log, on stderr.

use std::sync::Arc;

use cos_slice::engine::log::{Level, Log, LogEntry, Logger};

use crate::progress::Console;

/// Shows entries as lines.
struct Lines(Console);

impl Log for Lines {
    fn log(&self, entry: &LogEntry<'_>) {
        // What failed is told at the end, with or without a log.
        if entry.level != Level::Error {
            self.0.note(&format!("{}: {}", entry.level.name(), entry.message));
        }
    }
}

/// The log of a client for this many `--verbose`.
pub fn logger(verbose: u8, console: Console) -> Option<Logger> {
    let level = match verbose {
        0 => return None,
        1 => Level::Info,
        _ => Level::Debug,
    };
    let log = Arc::new(Lines(console));
    Some(Logger { level, log })
}
