//! Bytes next to the values that they mean: what `protocol` writes and reads, without any I/O.

mod codes;
mod dialects;
mod digest;
mod framing;
mod hostile;
mod listings;
mod replies;

#[path = "../support/body.rs"]
mod body;
