//! The client against every position of every switch of the emulator, strict ones and lenient ones: whatever a server of
//! this kind may do, an upload ends in the object that is the file, or in the error that is right there.
//!
//! What happens where all switches are in their default positions stands with the scenarios; what is otherwise where one
//! of them is not, with its reason, stands in `exceptions`. A switch that is new is walked by itself.

mod exceptions;
mod ground;
mod scenarios;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Mutex;
use std::thread;

use cos_emulator::Switches;
use cos_slice::upload::random::Random;

use ground::{Ending, Files, Ground, Mode, Server};
use scenarios::SCENARIOS;

/// What a number or a text is set to, besides its default.
const NUMBERS: [(&str, &[&str]); 10] = [
    ("slice_sizes", &["4194304,8388608"]),
    ("token_word", &["COS"]),
    ("required_field", &["store=blue"]),
    ("required_header", &["X-Store=blue"]),
    // What it refuses would use up a scripted fault: it has a test of its own.
    ("rate_limit", &["none"]),
    ("session_ttl", &["0"]),
    // The library signs for 600 seconds.
    ("signature_lifetime", &["none", "600", "60"]),
    ("clock_skew", &["300"]),
    ("clock_offset", &["-86400", "86400"]),
    ("finish_grace", &["none"]),
];

/// How many servers with a random position of each switch; always the same.
const MIXED: u64 = 6;

/// The position of each switch that takes least; a switch that is not here has none that is stricter than its default.
const STRICT: [&str; 31] = [
    "require_parent_dir=on",
    "field_names=documented",
    "finish_filesize=strict",
    "slice_policy=only_1m",
    "sha_slice_size=strict",
    "sha_without_uploadparts=strict",
    "sha_in_data=strict",
    "list_absent=empty_body",
    "finish_missing_slices=-5999",
    "serial_upload=1",
    "duplicate_slice=refuse",
    "misplaced_slice=-5999",
    "long_slice=-284",
    "rotate_on_list=on",
    "overwrite=at_init",
    "dedupe=off",
    "delete_unfinished=not_found",
    "stat_unfinished=not_found",
    "zero_filesize=-5999",
    "op_place=documented",
    "token_place=header",
    "fileid_scope=exact",
    "clock_skew=300",
    "one_time_use=accepted",
    "data_after_finish=-197",
    "finish_grace=none",
    "verify=on",
    "duplicate_fields=refuse",
    "path_normalisation=refuse",
    "keep_alive=off",
    "oversize=html",
];

/// The position of each switch that takes most, or says least.
const LENIENT: [&str; 22] = [
    "field_names=any_case",
    "finish_filesize=lenient",
    "slice_policy=clamp_to_512k",
    "sha_slice_size=lenient",
    "sha_without_uploadparts=lenient",
    "sha_in_data=lenient",
    "http_status=always_200",
    "finish_wrong_filesize=-4019",
    "duplicate_slice=overwrite",
    "listparts=string",
    "numbers=string",
    "dedupe=bucket",
    "zero_filesize=accept",
    "op_place=any",
    "token_place=any",
    "signature_lifetime=none",
    "expired_code=-96",
    "data_after_finish=success",
    "verify=off",
    "duplicate_fields=last",
    "path_normalisation=collapse",
    "serial_upload=0",
];

/// One server: the switches that are not in their default positions.
type Positions = Vec<String>;

/// The default positions, and each other position alone.
fn one_by_one() -> Vec<Positions> {
    let mut servers = vec![Positions::new()];
    for row in Switches::table() {
        let values = match NUMBERS.iter().find(|(name, _)| *name == row.name) {
            Some((_, numbers)) => numbers.to_vec(),
            None => row.choices,
        };
        assert!(!values.is_empty(), "what is {} to be here?", row.name);
        let others = values.into_iter().filter(|value| *value != row.default);
        servers.extend(others.map(|value| vec![format!("{}={value}", row.name)]));
    }
    servers
}

/// Runs every scenario against a server, in every mode, and tells what ended otherwise than it should.
fn failures(positions: &[String], files: &Files) -> Vec<String> {
    let server = Server::start(positions);
    let mut failures = Vec::new();
    for mode in Mode::ALL {
        for scenario in SCENARIOS {
            let expected =
                exceptions::of(positions, scenario.name, mode).unwrap_or_else(|| scenario.expected(mode));
            let ended = Ground::new(&server, files, scenario.name, mode).run(scenario.run);
            if ended != Ok(expected) {
                let ended = ended.map_or_else(|told| told, |ending: Ending| ending.to_string());
                failures.push(format!(
                    "{positions:?}, {}, {mode:?}: expected {expected}, but {ended}",
                    scenario.name
                ));
            }
        }
    }
    failures
}

/// Servers are independent of each other, so they are walked side by side.
fn walk(servers: Vec<Positions>) {
    let files = Files::new();
    let servers = Mutex::new(servers.into_iter());
    let found = Mutex::new(Vec::new());
    let at_once = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..at_once {
            scope.spawn(|| {
                loop {
                    let Some(server) = servers.lock().unwrap().next() else {
                        break;
                    };
                    let failures = failures(&server, &files);
                    found.lock().unwrap().extend(failures);
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    assert!(found.is_empty(), "{} of them:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_position_of_every_switch_is_met_with_an_intact_object_or_the_right_error() {
    walk(one_by_one());
}

#[test]
fn a_server_that_is_strict_in_everything_and_one_that_is_lenient_in_everything_are_met_alike() {
    walk(
        [&STRICT[..], &LENIENT]
            .map(|server| server.iter().map(|&text| text.to_owned()).collect())
            .into(),
    );
}

/// Each switch in some position, of those that no exception speaks of.
fn mixed(seed: u64) -> Positions {
    let mut random = Random::new(seed);
    let is_plain = |position: &String| {
        !exceptions::EXCEPTIONS
            .iter()
            .any(|row| row.positions.contains(&&**position))
    };
    let mut choices: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for position in one_by_one().concat().into_iter().filter(is_plain) {
        let name = position.split_once('=').expect("an assignment").0.to_owned();
        choices.entry(name).or_default().push(position);
    }
    let pick = |positions: Vec<String>| {
        // The default, which is not among them, is as likely as each of them.
        let index = random.draw() % (positions.len() as u64 + 1);
        positions.into_iter().nth(index as usize)
    };
    choices.into_values().filter_map(pick).collect()
}

#[test]
fn servers_of_mixed_strictness_are_met_alike() {
    walk((0..MIXED).map(mixed).collect());
}

#[test]
fn a_server_that_wants_fewer_requests_gets_them_in_the_end() {
    let files = Files::new();
    let server = Server::start(&["rate_limit=5".to_owned()]);
    for (name, mode) in [
        ("fresh", Mode::Hashing),
        ("another_object_overwritten", Mode::Plain),
        ("same_content_again", Mode::V1),
    ] {
        let scenario = SCENARIOS
            .iter()
            .find(|scenario| scenario.name == name)
            .expect("a scenario");
        let ended = Ground::new(&server, &files, name, mode).run(scenario.run);
        assert_eq!(ended, Ok(scenario.expected(mode)), "{name}");
    }
    assert!(
        server
            .emulator
            .requests()
            .iter()
            .any(|request| request.code == Some(-71))
    );
}

#[test]
fn every_exception_is_of_positions_and_scenarios_that_there_are() {
    for exception in exceptions::EXCEPTIONS {
        for position in exception.positions {
            Switches::default().assign(position).unwrap();
        }
        for name in exception.scenarios {
            assert!(SCENARIOS.iter().any(|scenario| scenario.name == *name), "{name}");
        }
        assert!(!exception.reason.is_empty());
    }
}
