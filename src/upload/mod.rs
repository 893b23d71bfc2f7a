//! What to do next: a client with many uploads as one state machine, without effects.
//!
//! [`Client::next`] gives a worker a task or the time to wake; [`Client::report`] takes what came of it.
//! Time is a [`std::time::Duration`] since any fixed moment and must not run backwards; randomness comes from
//! the seed. So the same calls give the same decisions, and whole uploads, faults included, run in
//! microseconds in a test.
//!
//! | question | file |
//! |---|---|
//! | What is handed out, and what follows for the client from what comes back? | [`client`] |
//! | Which upload is served next? | `client/turns.rs` |
//! | What follows from this answer? | [`machine`], for a request alone [`call`] |
//! | Is the server's unfinished upload ours? | [`resume`] |
//! | Which slice is next? | [`plan`] |
//! | How many requests may be in flight? | `window.rs` |
//! | When is the signer asked? | `signing.rs` |
//! | When is it tried again, and when is enough? | [`retry`] |
//! | How fast may be sent? | [`rate`] |
//! | What does the caller see? | [`progress`], [`status`], [`error`] |
//! | What is told to a log? | [`event`] |
//! | What can be set, and what if it is not? | [`options`] |

pub mod call;
pub mod client;
pub mod error;
pub mod event;
pub mod failure;
mod job;
pub mod machine;
pub mod options;
pub mod plan;
pub mod progress;
pub mod random;
pub mod rate;
pub mod resume;
pub mod retry;
mod sending;
mod signing;
pub mod status;
pub mod task;
mod window;

pub use client::{Client, Next};
