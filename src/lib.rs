//! Gets a large file into Tencent COS by slices, and is never wrong about it.
//!
//! The crate is four rooms, and each may only use those to its left:
//!
//! ```text
//! protocol  ◄─  upload  ◄─  engine  ◄─  ffi
//! what bytes    what to     does it     the C boundary
//! mean          do next
//! ```
//!
//! [`protocol`] and [`upload`] are pure: no socket, file, clock or random number. [`engine`] has the threads, the
//! sockets and the files. `ffi` is the C interface of `include/cos_slice.h`, for programs in C and all that can call C; a
//! Rust program uses [`engine::client::Client`] as the command `cos-slice` does.

#![deny(unsafe_code)]

pub mod engine;
#[allow(unsafe_code)]
mod ffi;
pub mod protocol;
pub mod upload;

pub use ffi::{ABI_VERSION, VERSION_NUMBER};
