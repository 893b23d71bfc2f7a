//! Where a server makes an upload end otherwise than in the default positions, and why that is right.

use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::ground::{Ending, Mode};

/// One exception.
pub struct Exception {
    /// Positions that the server has, all of them.
    pub positions: &'static [&'static str],
    modes: &'static [Mode],
    /// Empty: every one.
    pub scenarios: &'static [&'static str],
    ending: Ending,
    /// Why that is right.
    pub reason: &'static str,
}

const UPLOADED: Ending = Ending::Done(Outcome::Uploaded);
const INSTANT: Ending = Ending::Done(Outcome::Instant);

const fn failed(status: Status) -> Ending {
    Ending::Failed(status)
}

const ALL: &[Mode] = &Mode::ALL;
const HASHING: &[Mode] = &[Mode::Hashing];
const PLAIN: &[Mode] = &[Mode::Plain];
const V1: &[Mode] = &[Mode::V1];

macro_rules! exceptions {
    ($([$($position:literal),+] $modes:ident [$($scenario:literal),*] => $ending:expr, $reason:literal;)+) => {
        /// The first that fits counts.
        pub const EXCEPTIONS: &[Exception] = &[$(Exception {
            positions: &[$($position),+],
            modes: $modes,
            scenarios: &[$($scenario),*],
            ending: $ending,
            reason: $reason,
        }),+];
    };
}

exceptions! {
    ["require_parent_dir=on"] ALL ["below_no_directory"] => failed(Status::NotFound),
        "the service wants the directory to be there, and nothing told the library to make it";
    ["signature_lifetime=60"] ALL [] => failed(Status::Credentials),
        "the library signs for longer than this service allows";
    ["sha_slice_size=strict", "slice_policy=only_1m"] HASHING ["in_half_slices"] => UPLOADED,
        "the size is refused before it is combined with anything, with a code that tells the right one";
    ["sha_slice_size=strict"] HASHING ["in_half_slices"] => failed(Status::Refused),
        "half a mebibyte was asked for by name, and this service does not combine that with a digest";
    ["rotate_on_list=on", "duplicate_slice=refuse"] PLAIN ["every_answer_lost_once"] => failed(Status::OtherUpload),
        "only a list tells whether the slice is there, and after it nothing proves whose upload that is";
    ["rotate_on_list=on"] PLAIN ["resumed_by_the_handle", "overwriting_interrupted", "inspected"]
        => failed(Status::OtherUpload),
        "an upload in another session need not be ours, and there is no digest to tell";
    ["session_ttl=0"] ALL ["empty", "in_one_request", "same_content_again_in_one_request"] => UPLOADED,
        "what goes in one request has no session";
    ["session_ttl=0"] HASHING [] => failed(Status::ServerFailed),
        "this server forgets each session before a slice can come, so the lists lead to nothing";
    ["session_ttl=0"] PLAIN ["same_content_elsewhere"] => failed(Status::ServerFailed),
        "its first upload has a digest";
    ["session_ttl=0"] PLAIN [] => failed(Status::OtherUpload),
        "an upload in another session need not be ours, and there is no digest to tell";
    ["listparts=missing"] ALL
        ["resumed_by_the_handle", "overwriting_interrupted", "inspected"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["listparts=missing"] HASHING ["resumed_by_another_handle"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["listparts=null"] ALL
        ["resumed_by_the_handle", "overwriting_interrupted", "inspected"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["listparts=null"] HASHING ["resumed_by_another_handle"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["same_sha=conflict"] HASHING ["same_content_again_in_one_request"] => INSTANT,
        "the server refuses it, and its record is of the same digest";
    ["same_sha=conflict"] PLAIN ["same_content_again_in_one_request"] => failed(Status::ObjectExists),
        "the server refuses it, and there is no digest to compare";
    ["dedupe=off"] HASHING ["same_content_again_in_one_request"] => INSTANT,
        "the server refuses it, and its record is of the same digest";
    ["dedupe=off"] PLAIN ["same_content_again_in_one_request"] => failed(Status::ObjectExists),
        "the server refuses it, and there is no digest to compare";
    ["dedupe=bucket"] HASHING ["same_content_elsewhere"] => INSTANT,
        "that is what the switch says";
    ["finish_grace=none"] PLAIN ["every_answer_lost_once"] => failed(Status::OutcomeUnknown),
        "the object is there, and without a digest nothing proves whose it is";
}

/// What is otherwise when a scenario is played against a server.
pub fn of(server: &[String], scenario: &str, mode: Mode) -> Option<Ending> {
    let fits = |exception: &&Exception| {
        let has = |position: &&str| server.iter().any(|set| set == position);
        exception.positions.iter().all(has)
            && (exception.scenarios.is_empty() || exception.scenarios.contains(&scenario))
            && exception.modes.contains(&mode)
    };
    EXCEPTIONS.iter().find(fits).map(|exception| exception.ending)
}
