//! Every single fault that the emulator can make, at every request of every kind of upload, through real files and
//! sockets: once, and for good.
//!
//! The cases are the product of two lists: [`faults`] and the requests of [`journeys`], which are read off a run
//! without faults. A case that fails prints itself.

mod faults;
mod journeys;
mod permanent;
mod single;
mod work;
