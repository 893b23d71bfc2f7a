//! Does it: threads, sockets, files and the clock, under the decisions of [`crate::upload`].
//!
//! | question | file |
//! |---|---|
//! | What can a program call? | [`client`], [`handle`] |
//! | What does a worker do with a task? | `worker.rs` |
//! | What do all threads share, and who wakes whom? | `shared.rs` |
//! | Who calls the progress callback, and when? | `report.rs` |
//! | How does a request get over the wire? | [`transport`], `socket.rs`, `resolver.rs`, `body.rs`; the first two alone know ureq |
//! | Who is inside a callback? | `callback.rs` |
//! | How is cancel delivered? | [`cancel`] |
//! | What is left to the next process, and when is it believed? | [`checkpoint`] |
//! | Where do the bytes come from? | [`source`] |
//! | What differs between systems? | `sys.rs` |

mod body;
pub(crate) mod callback;
pub mod cancel;
pub mod checkpoint;
pub mod client;
pub mod endpoint;
pub mod handle;
mod report;
mod resolver;
mod shared;
mod socket;
pub mod source;
#[allow(unsafe_code)]
mod sys;
pub mod transport;
mod worker;
