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
const V2: &[Mode] = &[Mode::Hashing, Mode::Plain];
const DIGEST: &[Mode] = &[Mode::Hashing, Mode::V1];

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

    // Private stores, of which the library was not told.
    ["token_word=COS"] ALL [] => failed(Status::Credentials), "the word is missing";
    ["token_place=query"] ALL [] => failed(Status::Credentials), "the signature is in the header";
    ["required_field=store=blue"] ALL [] => failed(Status::Refused), "the field is missing";
    ["required_header=X-Store=blue"] ALL [] => failed(Status::Refused), "the header field is missing";
    ["slice_sizes=4194304,8388608"] ALL ["empty", "in_one_request", "same_content_again_in_one_request"]
        => UPLOADED, "there are no slices";
    ["slice_sizes=4194304,8388608"] ALL [] => failed(Status::Refused), "none of these sizes was asked for";
    ["datamd5=required"] ALL ["empty", "in_one_request", "same_content_again_in_one_request"]
        => UPLOADED, "there are no slices";
    ["datamd5=required"] ALL [] => failed(Status::Refused), "the MD5 is missing";

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
        "there is no session";
    ["session_ttl=0"] DIGEST [] => failed(Status::ServerFailed),
        "this server forgets each session before a slice can come";
    ["session_ttl=0"] PLAIN ["same_content_elsewhere"] => failed(Status::ServerFailed),
        "its first upload has a digest";
    ["session_ttl=0"] PLAIN [] => failed(Status::OtherUpload),
        "an upload in another session need not be ours, and there is no digest to tell";
    ["listparts=missing"] V2 ["resumed_by_the_handle", "overwriting_interrupted", "inspected"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["listparts=missing"] HASHING ["resumed_by_another_handle"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["listparts=null"] V2 ["resumed_by_the_handle", "overwriting_interrupted", "inspected"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["listparts=null"] HASHING ["resumed_by_another_handle"] => UPLOADED,
        "the server does not tell what it has, so all of it is sent";
    ["v1_resume=by_session"] V1 ["resumed_by_another_handle"] => UPLOADED,
        "without the session, which nothing kept, the server begins anew";
    ["same_sha=conflict"] DIGEST ["same_content_again_in_one_request"] => INSTANT,
        "the server refuses it, and its record is of the same digest";
    ["same_sha=conflict"] PLAIN ["same_content_again_in_one_request"] => failed(Status::ObjectExists),
        "the server refuses it, and there is no digest to compare";
    ["dedupe=off"] DIGEST ["same_content_again_in_one_request"] => INSTANT,
        "the server refuses it, and its record is of the same digest";
    ["dedupe=off"] PLAIN ["same_content_again_in_one_request"] => failed(Status::ObjectExists),
        "the server refuses it, and there is no digest to compare";
    ["dedupe=bucket"] DIGEST ["same_content_elsewhere"] => INSTANT,
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
