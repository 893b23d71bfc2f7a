//! What the fuzz targets check: for any input whatever, a function that panics where the library is at fault.
//!
//! `fuzz/` drives these with libFuzzer (`make fuzz`); `tests/corpora.rs` replays the inputs that were kept, so that what
//! was found once is checked at each change. An input is read from its beginning to its end by `input::Input`, so a
//! file of a corpus can be read and written by hand.

mod abi;
mod checkpoint;
mod input;
mod listparts;
mod multipart;
mod path;
mod replies;
mod signature;

/// What gives an input to the library, and panics where it finds a defect.
pub type Target = fn(&[u8]);

/// The targets by their names, which the folders of their corpora have too.
pub const TARGETS: &[(&str, Target)] = &[
    ("abi", abi::run),
    ("checkpoint", checkpoint::run),
    ("listparts", listparts::run),
    ("multipart", multipart::run),
    ("path", path::run),
    ("replies", replies::run),
    ("signature", signature::run),
];

/// Gives an input to a target.
///
/// # Panics
///
/// Where the library is at fault, or there is no target of this name.
pub fn run(target: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.unwrap_or_else(|| panic!("there is no target {target}")).1(data);
}
