//! Ctrl-C and SIGTERM.

use std::{process, thread};

use cos_slice::upload::error::Error;
use cos_slice::upload::status::Status;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::output::INTERRUPTED;

/// From now on until the process ends: the first signal calls back, on a thread of its own, and the second one ends
/// the process, also when it is stuck.
///
/// # Errors
/// The system refused a thread or a signal handler.
pub fn watch(first: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    let refused = |error| Error::new(Status::Resources, format!("signals can't be watched: {error}"));
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(refused)?;
    let watching = thread::Builder::new().name("signals".into()).spawn(move || {
        let mut first = Some(first);
        for _ in signals.forever() {
            match first.take() {
                Some(first) => first(),
                None => process::exit(INTERRUPTED.into()),
            }
        }
    });
    watching.map(drop).map_err(refused)
}
