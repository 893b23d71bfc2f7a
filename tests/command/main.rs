//! The command `cos-slice` as its users run it: the real program against the emulator.

mod checkpoints;
mod failures;
mod files_v1;
mod interruptions;
mod log;
#[path = "../support/planted.rs"]
mod planted;
mod progress;
mod proxies;
mod secrets;
mod signing;
mod standard_input;
mod stores;
mod support;
mod tls;
mod uploads;
