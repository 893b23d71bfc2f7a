//! Listings: the parts in all their shapes, and those that can't be believed.

use cos_slice::protocol::{Answer, Operation};

use crate::replies::{answer, assert_malformed};

pub fn listing(parts: &str) -> String {
    format!(
        r#"{{"code":0,"message":"SUCCESS","data":{{"filesize":300,"listparts":{parts},"session":"s","slice_size":64}}}}"#
    )
}

#[track_caller]
fn listed(parts: &str) -> Vec<(u64, u64)> {
    match answer(&Operation::List, listing(parts)) {
        Answer::Unfinished(unfinished) => unfinished
            .parts
            .iter()
            .map(|range| (range.start, range.end))
            .collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn listed_parts_are_accepted_in_every_shape() {
    let array = r#"[{"offset":128,"datalen":64},{"datalen":"64","offset":"0","extra":[1,{}]},{"offset":64,"datalen":10}]"#;
    let expected = [(0, 74), (128, 192)];
    assert_eq!(listed(array), expected);
    assert_eq!(
        listed(&serde_json::to_string(array).unwrap()),
        expected,
        "a text that holds the array"
    );
    assert_eq!(listed("null"), []);
    assert_eq!(listed("[]"), []);
    assert_eq!(listed(r#""""#), []);
    assert_eq!(listed(r#""[]""#), []);
    let missing = r#"{"code":0,"data":{"filesize":300,"session":"s","slice_size":64}}"#;
    assert!(
        matches!(answer(&Operation::List, missing), Answer::Unfinished(unfinished) if unfinished.parts.is_empty())
    );
}

#[test]
fn listed_parts_that_can_not_be_true_make_the_listing_malformed() {
    let cases = [
        (
            r#"[{"offset":256,"datalen":45}]"#,
            "goes up to byte 301 of an object of 300 bytes",
        ),
        (
            r#"[{"offset":256,"datalen":45},{"offset":0,"datalen":64}]"#,
            "goes up to byte 301 of an object of 300 bytes",
        ),
        (
            r#"[{"offset":18446744073709551615,"datalen":1}]"#,
            "offset 18446744073709551615 and datalen 1",
        ),
        (
            r#"[{"offset":0,"datalen":18446744073709551616}]"#,
            "too large a number",
        ),
        (r#"[{"offset":-64,"datalen":64}]"#, "offset -64"),
        (r#"[{"offset":0.5,"datalen":64}]"#, "offset a fraction"),
        (r#"[{"offset":0}]"#, "datalen missing"),
        (
            r#"[{"offset":0,"datalen":64},null]"#,
            "an entry that is no object",
        ),
        (r#"[[0,64]]"#, "an entry that is no object"),
        (
            r#""[{\"offset\":0,\"datalen\":64}""#,
            "a text that holds no array",
        ),
        (r#""\"[]\"""#, "a text that holds no array"),
        ("7", "is a number"),
        ("-7", "is a number"),
        ("0.5", "is a number"),
        ("true", "is a truth value"),
        ("{}", "is an object"),
        (r#"{"0":{"offset":0,"datalen":64}}"#, "is an object"),
    ];
    for (parts, reason) in cases {
        assert_malformed(&Operation::List, listing(parts), reason);
    }
}

#[test]
fn the_size_may_come_after_the_parts() {
    let body = r#"{"data":{"listparts":[{"offset":0,"datalen":64}],"slice_size":"64","session":"s","filesize":"64"},"code":"0"}"#;
    assert!(
        matches!(answer(&Operation::List, body), Answer::Unfinished(unfinished) if unfinished.parts.covered() == 64)
    );
    assert_malformed(
        &Operation::List,
        body.replace(r#""64"},"#, r#""63"},"#),
        "goes up to byte 64",
    );
}

#[test]
fn a_listing_of_64_gib_is_one_range_in_any_order() {
    let slice = 1_u64 << 20;
    let size = 64_u64 << 30;
    let entry = |index: u64| format!(r#"{{"offset":{},"datalen":{slice}}}"#, index * slice);
    let ascending: Vec<String> = (0..size / slice).map(entry).collect();
    let mut descending = ascending.clone();
    descending.reverse();
    for entries in [ascending, descending] {
        let parts = entries.join(",");
        let body = format!(
            r#"{{"code":0,"data":{{"filesize":{size},"listparts":[{parts}],"session":"s","slice_size":{slice}}}}}"#
        );
        let Answer::Unfinished(unfinished) = answer(&Operation::List, body) else {
            panic!("not a listing")
        };
        assert!(unfinished.parts.iter().eq(std::iter::once(0..size)));
    }
}

#[test]
fn a_listing_tells_sha_and_order_where_it_has_them() {
    let sha = "0c0f42741e784bbe057c9f081af51316bbf5e0b9";
    let body = listing(&format!(
        r#"[],"serial_upload":1,"sha":"{}_extra""#,
        sha.to_uppercase()
    ));
    let Answer::Unfinished(unfinished) = answer(&Operation::List, body) else {
        panic!("not a listing")
    };
    assert_eq!(unfinished.sha.map(|sha| sha.to_string()).as_deref(), Some(sha));
    assert_eq!(unfinished.serial, Some(true));
    assert!(
        matches!(answer(&Operation::List, listing(r#"[],"sha":"""#)), Answer::Unfinished(it) if it.sha.is_none())
    );
    assert_malformed(&Operation::List, listing(r#"[],"sha":"12""#), "data.sha");
}

#[test]
fn a_listing_of_a_complete_object_has_addresses_and_no_session() {
    let body = r#"{"code":0,"message":"SUCCESS","data":{"access_url":"http://a/b","url":"http://c/b"}}"#;
    let Answer::Complete(links) = answer(&Operation::List, body) else {
        panic!("not complete")
    };
    assert_eq!(links.access_url.as_deref(), Some("http://a/b"));
    assert_eq!(links.url.as_deref(), Some("http://c/b"));
    assert_malformed(
        &Operation::List,
        r#"{"code":0,"data":{}}"#,
        "neither a session nor an address",
    );
}
