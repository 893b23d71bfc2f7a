//! Kills uploaders and the service with SIGKILL, again and again, and holds what comes of it against the file.
//!
//! A [`campaign`] is many rounds. A [`round`] is one upload of one file by one program (see [`setup`]) to a
//! `cos-emulator` process on a folder of its own: the program is started, killed at a [`moment`], started again,
//! until it succeeds. Moments are random times, and also aimed: the emulator holds an answer and so the moment
//! open, or a preloaded library ends the uploader before a certain system call. After each death and at the end
//! the round is judged (see [`verdict`]) by the file, the object, the folders and the emulator's log (see [`log`]);
//! the log also tells what each killed run was doing.
//!
//! Linux only: it reads `/proc`, waits with pidfd and inotify, and uses the whole of `127.0.0.0/8`.

#![forbid(unsafe_code)]

pub mod campaign;
pub mod log;
pub mod moment;
pub mod process;
pub mod round;
pub mod service;
pub mod setup;
pub mod tally;
pub mod verdict;

/// Why a round or the campaign failed: what was seen, and where.
pub type Failure = String;

/// The account, the bucket and the object of every round.
pub mod account {
    /// The app id.
    pub const APP_ID: &str = "1251668577";
    /// The secret id.
    pub const SECRET_ID: &str = "AKIDtest";
    /// The secret key; the C examples have it written in them.
    pub const SECRET_KEY: &str = "secret";
    /// The bucket.
    pub const BUCKET: &str = "videos";
    /// The object's path.
    pub const PATH: &str = "/2026/big.bin";
}
