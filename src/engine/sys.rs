//! What differs between systems, and, in the files below, the only `unsafe` of the engine.
//!
//! These files are for Unix. Another system needs the items that are named here over its own calls.

mod files;
mod sockets;
mod threads;

pub use files::{
    FileKind, advice, create_private, create_private_folder, create_unnamed, descriptor_limit, duplicate,
    identity, is_own, is_readable, is_same_file, open, open_as_named, open_lock, path_of, read_at, try_lock,
    unlock,
};
pub use sockets::{
    AsSocket, BorrowedSocket, Interest, Ready, SEND_FLAGS, SEND_MORE_FLAGS, SENDS_FILES, Waker,
    is_connecting, poll, send_file, unacknowledged,
};
pub use threads::{spawn, spawn_in};
