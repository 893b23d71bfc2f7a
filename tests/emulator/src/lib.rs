//! A stand-in for the slice-upload API (`files/v2`, and `files/v1` before it) of Tencent Cloud Object Storage, on a disk folder.
//!
//! It keeps objects as plain files, remembers unfinished uploads over restarts, checks signatures, accepts
//! what the official clients send, and can be told to fail in every way a network service fails. Run the
//! program `cos-emulator`, or start it inside a test:
//!
//! ```
//! use cos_emulator::{Action, Config, Emulator, Fault};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! let emulator = Emulator::start(Config::new(directory.path()))?;
//! emulator.set("slice_policy", "only_1m")?;
//! emulator.add_fault(Fault::new("upload_slice_data", Action::answer(500, -195)).nth(3));
//! // … upload something to emulator.endpoint() …
//! for request in emulator.requests() {
//!     println!("{:?} answered {:?}", request.operation, request.code);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Rooms
//!
//! A request goes from `server` (connections, over `socket` and `tls`) through `exchange` (one request, with
//! the points where faults strike) to `operations` (what the service does), which use `store` (the folder).
//! `form` decodes bodies, `target` paths, `signature` signatures; `dialect` finds what else a request must bring; `faults`, `switches` and `codes` are tables;
//! `journal` is the record of requests; `control` and `download` are the other things that can be asked over
//! HTTP.
//!
//! The protocol is written down here from the service's documentation alone, without a line of the library
//! under test, so that a misunderstanding cannot sit on both sides.

#![forbid(unsafe_code)]

mod answer;
mod api;
mod body;
mod codes;
mod config;
mod connection;
mod control;
mod dialect;
mod download;
mod emulator;
mod exchange;
mod faults;
mod form;
mod journal;
mod operations;
/// For the fuzz targets of this workspace alone: what is in here changes as they need it.
#[doc(hidden)]
pub mod parsers;
mod rate_limit;
mod server;
mod sha1_state;
mod signature;
mod socket;
mod store;
mod switches;
mod target;
mod tls;

pub use config::{Config, TlsFiles};
pub use emulator::Emulator;
pub use faults::{ANY_OPERATION, Action, Answer, CONNECTION, Ending, Fault, FaultError, Phase};
pub use journal::RequestRecord;
pub use switches::{Basis, SwitchError, SwitchInfo, Switches};

/// Compiles the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExample;
