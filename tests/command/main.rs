//! The command `cos-slice` as its users run it: the real program against the emulator.

mod checkpoints;
mod failures;
mod interruptions;
mod progress;
mod support;
mod uploads;
