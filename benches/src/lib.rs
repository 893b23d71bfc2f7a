//! Measures cos-slice: how near it comes to what the machine can do, as ratios of figures from one run.
//!
//! [`server`] answers as the service does and keeps nothing, so that what is measured is the client. It imports nothing of
//! what it measures.

pub mod client;
pub mod files;
pub mod machine;
pub mod process;
pub mod report;
pub mod rounds;
pub mod scenarios;
pub mod server;
pub mod statistics;
pub mod table;
