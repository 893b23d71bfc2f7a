//! What follows from what: the state machine against answers written down one by one.

mod beginning;
mod checkpoint;
mod ending;
mod memory;
mod script;
mod slices;
