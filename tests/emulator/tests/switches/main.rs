//! Every switch in every position: one look at the emulator from outside per switch, and what it must see in each
//! position. A switch or a position that nothing looks at fails `every_position_of_every_switch_is_checked`.

mod requests;
mod signatures;
mod stores;
#[path = "../support/mod.rs"]
mod support;
mod uploads;
mod v1;

use cos_emulator::Switches;
use serde_json::{Value, json};
use support::{Fixture, start_set};

/// Looks at an emulator, whose one switch is in some position.
type Probe = fn(&Fixture) -> Value;

fn check(switch: &str, probe: Probe, positions: &[(&str, Value)]) {
    for (index, (position, expected)) in positions.iter().enumerate() {
        let fixture = start_set(&[&format!("{switch}={position}")]);
        assert_eq!(probe(&fixture), *expected, "{switch}={position}");
        // Else the probe would not look at what the switch decides.
        for (other, same) in &positions[..index] {
            assert_ne!(expected, same, "{switch}: {position} and {other} look alike");
        }
    }
}

/// One test for each switch, and the list of what they set.
macro_rules! switches {
    ($($name:ident: $module:ident { $($position:literal => $seen:tt),+ $(,)? })+) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), $module::$name, &[$(($position, json!($seen))),+]);
        })+
        const CHECKED: &[(&str, &[&str])] = &[$((stringify!($name), &[$($position),+])),+];
    };
}

switches! {
    // How a request is written.
    field_names: requests {
        "any_case" => [[200, 0], [200, 0], [400, -175], [200, 0]],
        "documented" => [[400, -5990], [200, 0], [200, 0], [400, -290]],
    }
    op_place: requests { "any" => [[404, -197], [404, -197]], "documented" => [[400, -5980], [404, -197]] }
    duplicate_fields: requests { "last" => [[404, -197], [404, -197]], "refuse" => [[400, -5993], [404, -197]] }
    path_normalisation: requests {
        "refuse" => [[400, -5994], null, [400, -5994]],
        "collapse" => [[200, 0], "x", [400, -5994]],
    }
    // How it is answered.
    http_status: requests { "documented" => [404, -197], "always_200" => [200, -197] }
    list_absent: requests {
        "code" => [404, true, [404, -197], -197],
        "empty_body" => [404, false, [404, -197], -197],
    }
    numbers: requests {
        "number" => [[3, 1_048_576], [{"offset": 0, "datalen": 3}], 0, 3],
        "string" => [["3", "1048576"], [{"offset": "0", "datalen": "3"}], "0", "3"],
    }
    keep_alive: requests { "on" => [null, true], "off" => ["close", false] }
    oversize: requests { "json" => [413, -285], "html" => [413, "<html>"] }
    rate_limit: requests { "none" => [[404, -197], []], "1" => [[404, -197], [[503, -71, "1"]]] }
    // Who may ask.
    token_place: signatures {
        "any" => [-197, -197, -197],
        "header_or_query" => [-197, -197, -97],
        "header" => [-197, -81, -97],
        "query" => [-81, -197, -81],
    }
    fileid_scope: signatures { "prefix" => [-197, -197, -197, -63], "exact" => [-197, -63, -197, -63] }
    signature_lifetime: signatures {
        "7776000" => [-197, -197, -97],
        "none" => [-197, -197, -197],
        "60" => [-197, -97, -97],
    }
    clock_skew: signatures { "none" => [-197, -197], "300" => [-197, -97] }
    clock_offset: signatures { "0" => [-197, 0], "-86400" => [-197, -1], "86400" => [-59, 1] }
    expired_code: signatures { "-59" => [403, -59], "-96" => [403, -96] }
    one_time_use: signatures {
        "executed" => [[500, -195], [404, -197], [403, -77]],
        "accepted" => [[500, -195], [403, -77], [403, -77]],
    }
    // How an upload begins.
    slice_policy: uploads {
        "s2" => [-284, -284, -284, -284, 524_288, 1_048_576, -284, 2_097_152, 3_145_728, -284],
        "only_1m" => [-284, -284, -284, -284, -284, 1_048_576, -284, -284, -284, -284],
        "clamp_to_1m" => [-284, 65_535, 65_536, 100_000, 524_288, 1_048_576, 1_048_576, 1_048_576, 1_048_576, 1_048_576],
        "clamp_to_512k" => [-284, 65_535, 65_536, 100_000, 524_288, 524_288, 524_288, 524_288, 524_288, 524_288],
        "csharp_range" => [-284, -284, 65_536, 100_000, 524_288, 1_048_576, -284, 2_097_152, 3_145_728, -284],
    }
    sha_slice_size: uploads { "lenient" => [[200, 0], [200, 0]], "strict" => [[400, -5965], [200, 0]] }
    sha_without_uploadparts: uploads { "lenient" => [[200, 0], [200, 0]], "strict" => [[400, -5965], [200, 0]] }
    zero_filesize: uploads {
        "-5995" => [[400, -5995], null],
        "-5999" => [[400, -5999], null],
        "accept" => [[200, 0], ""],
    }
    require_parent_dir: uploads {
        "off" => [[[200, 0], [200, 0], [200, 0]], [200, 0], [200, 0], [200, 0]],
        "on" => [[[404, -197], [404, -197], [404, -197]], [404, -197], [200, 0], [200, 0]],
    }
    overwrite: uploads { "at_finish" => "old", "at_init" => null }
    same_sha: uploads {
        "success" => [[200, 0], [200, 0], [200, 0], true],
        "conflict" => [[409, -177], [409, -177], [200, 0], true],
    }
    dedupe: uploads { "path" => [true, false], "bucket" => [true, true], "off" => [false, false] }
    // How it goes on.
    serial_upload: uploads {
        "absent" => [null, null, [200, 0]],
        "0" => [0, 0, [200, 0]],
        "1" => [1, 1, [400, -4005]],
    }
    sha_in_data: uploads { "lenient" => [[200, 0], [200, 0]], "strict" => [[400, -29094], [200, 0]] }
    duplicate_slice: uploads {
        "overwrite" => [[200, 0], [200, 0], "xyz"],
        "refuse_different" => [[200, 0], [409, -4015], "abc"],
        "refuse" => [[409, -4015], [409, -4015], "abc"],
    }
    misplaced_slice: uploads {
        "-4005" => [[400, -4005], [400, -4005], [400, -4005]],
        "-5999" => [[400, -5999], [400, -5999], [400, -5999]],
    }
    long_slice: uploads { "-5991" => [400, -5991], "-284" => [400, -284] }
    session_ttl: uploads { "none" => [0, true, 0, 0], "0" => [-290, false, -290, 0] }
    // How it is found again.
    listparts: uploads {
        "array" => [{"offset": 0, "datalen": 3}],
        "string" => "[{\"offset\":0,\"datalen\":3}]",
        "missing" => "missing",
        "null" => null,
    }
    rotate_on_list: uploads { "off" => [true, [200, 0], [200, 0]], "on" => [false, [400, -290], [200, 0]] }
    stat_unfinished: uploads { "shown" => [200, 0, [3, 0, ""]], "not_found" => [404, -197, [null, null, null]] }
    delete_unfinished: uploads { "success" => [[200, 0], [404, -197]], "not_found" => [[404, -197], [404, -197]] }
    // How it ends.
    finish_filesize: uploads {
        "lenient" => [[200, 0], [200, 0]],
        "strict" => [[400, -5999], [400, -5999]],
    }
    finish_missing_slices: uploads { "-4019" => [409, -4019], "-5999" => [400, -5999] }
    finish_wrong_filesize: uploads { "-175" => [400, -175], "-4019" => [409, -4019] }
    verify: uploads { "on" => [[409, -4016], null], "off" => [[200, 0], true] }
    content: uploads { "keep" => ["abc", true], "discard" => ["Unsupported", true] }
    data_after_finish: uploads { "-290" => [-290, false, -290], "-197" => [-197, false, -290], "success" => [0, true, -290] }
    finish_grace: uploads { "600" => [[200, 0], [400, -290]], "none" => [[400, -290], [400, -290]] }
    // What is otherwise on `files/v1`.
    v1_resume: v1 { "by_content" => [true, 524_288], "by_session" => [false, 0] }
    v1_stale_session: v1 {
        "new" => [[true, 524_288], [false, 0]],
        "-290" => [[true, 524_288], [400, -290]],
    }
    v1_other_content: v1 { "new" => [[false, 0], [false, 0]], "-4019" => [[409, -4019], [false, 0]] }
    v1_repeated_offset: v1 {
        "-4024" => [[[409, -4024], [409, -4024]], [409, -4024]],
        "accept" => [[[200, 0], [200, 0]], [409, -4024]],
        "-4015" => [[[409, -4024], [409, -4015]], [409, -4024]],
    }
    v1_slice_sha: v1 { "ignored" => [[200, 0], [200, 0]], "checked" => [[200, 0], [409, -5984]] }
    // What a private store may demand.
    slice_sizes: stores { "none" => [0, 0, -284, -284], "4194304,8388608" => [-284, -284, 0, 0] }
    token_word: stores { "none" => [-197, -197, -197], "COS" => [-97, -197, -97] }
    required_field: stores {
        "none" => [-197, -197, -197],
        "store" => [-5999, -197, -197],
        "store=blue" => [-5999, -5999, -197],
    }
    required_header: stores {
        "none" => [-197, -197, -197],
        "X-Store" => [-5999, -197, -197],
        "X-Store=blue" => [-5999, -5999, -197],
    }
    datamd5: stores {
        "checked" => [[0, true], [-4023, false], [0, false]],
        "echoed" => [[0, true], [0, true], [0, false]],
        "ignored" => [[0, false], [0, false], [0, false]],
        "required" => [[0, true], [-4023, false], [-5999, false]],
    }
}

#[test]
fn every_position_of_every_switch_is_checked() {
    let table = Switches::table();
    for (name, _) in CHECKED {
        assert!(
            table.iter().any(|row| row.name == *name),
            "there is no switch {name}"
        );
    }
    for row in table {
        let checked = CHECKED.iter().find(|(name, _)| *name == row.name);
        let (_, positions) = checked.unwrap_or_else(|| panic!("no test looks at the switch {}", row.name));
        assert!(positions.contains(&&*row.default), "{}={}", row.name, row.default);
        assert!(positions.len() > 1, "{} in one position only", row.name);
        for choice in row.choices {
            assert!(
                positions.contains(&choice),
                "no test looks at {}={choice}",
                row.name
            );
        }
    }
}

#[test]
fn the_page_lists_the_switches_as_they_are() {
    let page = include_str!("../../../../docs/emulator.md");
    assert!(
        Switches::page_with_table(page).unwrap() == page,
        "run `make figures`"
    );
}
