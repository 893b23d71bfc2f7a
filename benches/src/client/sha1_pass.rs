//! The SHA-1 of memory on one core: what hashing a file can't be faster than.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::time::Instant;

use sha1::{Digest, Sha1};

use super::{Outcome, Report};

/// Hashes what a file has, once it is in memory.
///
/// # Errors
/// Why the file can't be read.
pub fn run(file: &Path) -> Outcome {
    let content = fs::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let began = Instant::now();
    black_box(Sha1::digest(&content));
    Ok(Report {
        seconds: began.elapsed().as_secs_f64(),
        ..Report::default()
    })
}
