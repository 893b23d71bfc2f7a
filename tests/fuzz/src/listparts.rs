//! Listings against a slow reading of the same text: a document tree, and a look at each byte that matters.

use std::fmt::Write as _;

use cos_slice::protocol::json_v2::decode;
use cos_slice::protocol::ranges::Ranges;
use cos_slice::protocol::reply::{Head, ReplyError};
use cos_slice::protocol::{Answer, Operation};
use serde_json::Value;

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let written = input.byte() % 4;
    let size = input.number();
    let listed = match written {
        0 => String::from_utf8_lossy(input.rest()).into_owned(),
        1 => as_array(&mut input),
        2 => Value::String(as_array(&mut input)).to_string(),
        _ => Value::String(String::from_utf8_lossy(input.rest()).into_owned()).to_string(),
    };
    let reply = format!(
        r#"{{"code":0,"data":{{"filesize":{size},"session":"s","slice_size":64,"listparts":{listed}}}}}"#
    );
    compare(&reply);
}

/// An array of entries in all the ways of writing numbers, most of them acceptable.
fn as_array(input: &mut Input<'_>) -> String {
    let mut text = String::from("[");
    while !input.is_empty() {
        let style = input.byte();
        let offset = number(input, style);
        let length = number(input, style >> 2);
        let comma = if text.len() > 1 { "," } else { "" };
        let entry = match style >> 4 {
            15 => "null".to_owned(),
            14 => format!(r#"{{"offset":{offset}}}"#),
            13 => format!("[{offset},{length}]"),
            0..=6 => format!(r#"{{"offset":{offset},"datalen":{length}}}"#),
            _ => format!(r#"{{"datalen":{length},"more":[{{}},""],"offset":{offset}}}"#),
        };
        let _ = write!(text, "{comma}{entry}");
    }
    text + "]"
}

fn number(input: &mut Input<'_>, style: u8) -> String {
    let number = input.number();
    match style % 4 {
        0 | 1 => number.to_string(),
        2 => format!("\"{number}\""),
        _ if number % 16 == 0 => format!("-{number}"),
        _ if number % 16 == 1 => format!("{number}.5"),
        _ if number % 16 == 2 => format!("{number}0000000000"),
        _ => number.to_string(),
    }
}

fn compare(reply: &str) {
    let Ok(document) = serde_json::from_str::<Value>(reply) else {
        return;
    };
    let head = Head {
        http_status: 200,
        ..Head::default()
    };
    let decoded = decode(&Operation::List, &head, &mut reply.as_bytes());
    let expected = match read_slowly(&document["data"]) {
        Reading::Parts(parts) => Some(parts),
        Reading::Wrong => None,
        Reading::Unknown => return,
    };
    match (decoded, expected) {
        (Ok(Answer::Unfinished(unfinished)), Some(parts)) => check_set(&unfinished.parts, &parts),
        // A tree keeps the last of two fields of one name; the library doesn't choose between them.
        (Err(ReplyError::Refused(refusal)), _) if refusal.message.contains("duplicate field") => {}
        (Err(ReplyError::Refused(refusal)), None) => {
            assert!(refusal.message.contains("listparts"), "{refusal}");
        }
        (decoded, expected) => panic!("{reply}\nwas read as {decoded:?}\nand holds {expected:?}"),
    }
}

enum Reading {
    /// Start and end of each part, in the order listed.
    Parts(Vec<(u64, u64)>),
    /// Something can't be true.
    Wrong,
    /// A text that a tree doesn't hold as it is written: it may be a listing or not.
    Unknown,
}

fn read_slowly(data: &Value) -> Reading {
    let size = data["filesize"].as_u64().expect("written as a number");
    let within;
    let array = match &data["listparts"] {
        Value::Null => return Reading::Parts(Vec::new()),
        Value::Array(array) => array,
        Value::String(text) if text.trim_ascii().is_empty() => return Reading::Parts(Vec::new()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Array(array)) if may_repeat_names(text, array.len()) => return Reading::Unknown,
            Ok(Value::Array(array)) => {
                within = array;
                &within
            }
            Ok(_) => return Reading::Wrong,
            Err(_) => return Reading::Unknown,
        },
        _ => return Reading::Wrong,
    };
    let parts: Option<Vec<(u64, u64)>> = array.iter().map(|entry| part(entry, size)).collect();
    parts.map_or(Reading::Wrong, Reading::Parts)
}

/// Whether an entry may have two fields of one name, of which a tree keeps the last.
fn may_repeat_names(text: &str, entries: usize) -> bool {
    let escaped = text.contains('\\');
    escaped
        || ["offset", "datalen"]
            .iter()
            .any(|name| text.matches(name).count() > entries)
}

fn part(entry: &Value, size: u64) -> Option<(u64, u64)> {
    let number = |name: &str| match entry.as_object()?.get(name)? {
        Value::String(text) => text.parse().ok(),
        number => number.as_u64(),
    };
    let start: u64 = number("offset")?;
    let end = start.checked_add(number("datalen")?)?;
    (end <= size).then_some((start, end))
}

/// The set changes nowhere but where a part begins or ends, so these bytes and their neighbours tell all of it.
fn check_set(set: &Ranges, parts: &[(u64, u64)]) {
    let mut edges: Vec<u64> = parts.iter().flat_map(|(start, end)| [*start, *end]).collect();
    edges.sort_unstable();
    edges.dedup();
    let listed = |byte: u64| parts.iter().any(|(start, end)| (*start..*end).contains(&byte));
    for byte in edges
        .iter()
        .flat_map(|edge| [edge.saturating_sub(1), *edge, edge.saturating_add(1)])
    {
        if byte < u64::MAX {
            assert_eq!(
                set.contains(byte..byte + 1),
                listed(byte),
                "byte {byte} of {parts:?}"
            );
        }
    }
    let stretches = edges.windows(2).filter(|pair| listed(pair[0]));
    let covered: u64 = stretches.map(|pair| pair[1] - pair[0]).sum();
    assert_eq!(set.covered(), covered, "{parts:?}");
    let ranges: Vec<_> = set.iter().collect();
    assert!(ranges.windows(2).all(|pair| pair[0].end < pair[1].start));
}
