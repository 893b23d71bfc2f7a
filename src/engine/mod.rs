//! Does it: threads, sockets, files and the clock, under the decisions of [`crate::upload`].
//!
//! | question | file |
//! |---|---|
//! | What can a program call? | [`client`], [`handle`]; [`operation`] for one request at a time |
//! | How does a run of an upload begin? Who waits for it, and takes what became of it? | `handle/begin.rs`; `handle/run.rs` |
//! | What does a worker do with a task? | `worker.rs` |
//! | What do all threads share, and what wakes who waits for a job? | `shared.rs` |
//! | When is a thread made or woken, and how do they end? | `shared/threads.rs` |
//! | What is known of a job while it runs, and when it is over? | `job.rs` |
//! | How does a job end, and how does its end reach who waits? | `shared/ending.rs` |
//! | Who calls the progress callback, and when? | `report.rs` |
//! | How does a request get over the wire? | [`transport`], `socket.rs`, `resolver.rs`, `body.rs`; the first two alone know ureq |
//! | Who is inside a callback? | `callback.rs` |
//! | Who signs requests, and by what clock? | [`signer`]; `signing.rs`, `clock.rs` |
//! | What does a client tell of its work? | [`log`] |
//! | How is cancel delivered? | [`cancel`] |
//! | How fast may be sent, and who waits for leave? | `limiter.rs` |
//! | What is left to the next process, and when is it believed? | [`checkpoint`] |
//! | Where do the bytes come from? | [`source`] |
//! | Where is memory that is not resident before it is used? | `pages.rs` |
//! | What differs between systems? | `sys.rs` |
//!
//! Every wait, what ends it at the latest, and what the error then names. [`transport::Timeouts`] has the limits and their
//! defaults; a cancel, and the deadline of the whole upload, end each of them at once.
//!
//! | wait for | limit | error |
//! |---|---|---|
//! | the host's addresses | `resolve`; the look-up itself goes on by itself, with nothing of the client | resolve |
//! | a connection, all addresses together | `connect` | connect |
//! | a proxy's tunnel | `connect` again | connect |
//! | TLS | `tls` | TLS |
//! | room to send | `stall`, anew whenever a byte is taken | send |
//! | leave to send, by the rate limits | the rate: a piece for each connection that waits, of 15 ms at most; another rate at once | none |
//! | the head of the answer | `answer` or `finish_answer`, anew as long as bytes that the system took still arrive | answer |
//! | the rest of the answer | the same again for all of it, however it drips; and sizes | answer |
//! | what follows an answer, to keep the connection | a second and 64 KiB | none |
//! | the moment to repeat a request | back-off of at most 15 s, or what the server asks, at most 120 s | the request's |
//! | the end of the threads, when a client is freed | all of the above; a source that is being read | none |

mod body;
pub(crate) mod callback;
pub mod cancel;
pub mod checkpoint;
pub mod client;
mod clock;
mod echo;
pub mod endpoint;
pub mod handle;
mod hash;
mod job;
mod limiter;
pub mod log;
pub mod operation;
mod pages;
mod report;
mod resolver;
mod shared;
pub mod signer;
mod signing;
mod socket;
pub mod source;
#[allow(unsafe_code)]
mod sys;
pub mod transport;
mod worker;
