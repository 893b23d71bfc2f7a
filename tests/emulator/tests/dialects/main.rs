//! The ways in which clients and printed examples write a request: each example to the letter, each peculiarity of a
//! form, and one whole upload as each of the service's own clients sends it, written down by hand. None of their code
//! is here.

mod browser;
mod cpp;
mod dotnet;
mod forms;
mod ios;
mod java;
mod php;
mod printed;
mod python;
#[path = "../support/mod.rs"]
mod support;
mod wire;
