//! The C boundary: pointers in, pointers out, no upload logic. `include/cos_slice.h` is generated from here.
//!
//! | question | file |
//! |---|---|
//! | What happens on NULL, on a panic, on an error? | `boundary.rs` |
//! | How do texts and numbers cross? | `strings.rs`, `numbers.rs` |
//! | What can be done with a client, an upload, an error? | `client.rs`, `network.rs`, `dialect.rs`; `upload.rs`, `rate_limit.rs`, `source.rs` and `result.rs`; `error.rs` |
//! | How is an upload set up, and how is it run? | `upload/settings.rs`, `upload/run.rs` |
//! | Who is told what a client does? | `log.rs` |
//! | Who signs, and how does one sign for others? | `signer.rs` |
//! | What are requests one at a time? | `operation.rs`, `verbs.rs`; `answer.rs` |
//! | How is a callback held, and when is it dropped? | `progress.rs`, `completion.rs`, `source.rs`, `log.rs`, `user_data.rs` |
//! | What are the versions? | `version.rs` |
//!
//! Handles are reference counted: C holds one reference, and each entry point takes another while it lasts. So a handle
//! that is freed inside its own callback, or used from two threads against the rules, is never a dangling pointer; its
//! state is behind a lock, and entry points only ever have shared references.

mod answer;
mod boundary;
mod client;
mod completion;
mod dialect;
mod error;
mod log;
mod network;
mod numbers;
mod operation;
mod progress;
mod rate_limit;
mod result;
mod signer;
mod source;
mod strings;
mod upload;
mod user_data;
mod verbs;
mod version;

pub use version::{ABI_VERSION, VERSION_NUMBER};
