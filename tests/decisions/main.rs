//! What follows from what: the state machine against answers written down one by one.

mod beginning;
mod calls;
mod checkpoint;
mod ending;
mod errors;
mod events;
mod memory;
mod offsets;
mod parents;
mod progress;
mod script;
mod sharing;
mod signing;
mod slices;
mod streams;
mod unmade;
mod window;
