//! Whether what came of a step is what had to, and whether it came to the same with every runner.

use std::collections::{BTreeMap, BTreeSet};

use cos_emulator::RequestRecord;
use serde_json::Value;

use crate::Failure;
use crate::command;
use crate::ground::Ground;
use crate::runner::Answer;
use crate::scenario::{Document, Scenario, Step, Stored};

const OF_SUCCESS: [&str; 17] = [
    "status",
    "outcome",
    "size",
    "bytes_sent",
    "bytes_resumed",
    "slices_sent",
    "retries",
    "verified",
    "sha1",
    "access_url",
    "source_url",
    "url",
    "resource_path",
    "preview_url",
    "vid",
    "warning",
    "progress",
];
const OF_FAILURE: [&str; 11] = [
    "status",
    "server_code",
    "http_status",
    "request_id",
    "os_errno",
    "retryable",
    "attempts",
    "slice_offset",
    "operation",
    "callback_value",
    "message",
];

/// In an expectation: pieces of text that the message must have.
const SAYS: &str = "says";
/// In an expectation: whether there is a warning, whatever its words.
const WARNS: &str = "warns";

/// A runner's outcomes, made comparable, with its log.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    pub outcomes: Vec<Document>,
    pub log: Option<Vec<Document>>,
}

/// Holds what came of a step against what is expected of it.
pub fn of_step(step: &Step, answer: &Answer, ground: &Ground, runner: &str) -> Vec<Failure> {
    let mut faults = Vec::new();
    if answer.outcomes.len() != step.uploads.len() {
        let (uploads, outcomes) = (step.uploads.len(), answer.outcomes.len());
        return vec![format!("{outcomes} outcomes of {uploads} uploads")];
    }
    for (upload, outcome) in step.uploads.iter().zip(&answer.outcomes) {
        let expect = upload.get("expect").and_then(Value::as_object);
        faults.extend(of_outcome(outcome, expect.unwrap_or(&Document::new()), runner));
    }
    faults.extend(of_requests(step, &ground.emulator.requests()));
    // One who is cancelled may not come to it.
    let is_cancelled = |upload: &Document| {
        let control = upload.get("control");
        control.is_some_and(|control| control.get("cancel_at").is_some())
    };
    if !step.uploads.iter().any(is_cancelled) {
        let unused = ground.emulator.unused_faults();
        faults.extend(
            unused
                .iter()
                .map(|fault| format!("a fault did not happen: {fault:?}")),
        );
    }
    if let Some(proxied) = &step.proxied {
        let wanted: Result<BTreeSet<_>, _> = proxied.iter().map(|host| ground.fill(host)).collect();
        let found = ground.proxied();
        if wanted.as_ref() != Ok(&found) {
            faults.push(format!(
                "the proxy was asked for {found:?} in place of {wanted:?}"
            ));
        }
    }
    for (object, stored) in &step.store {
        faults.extend(of_object(object, stored.as_ref(), ground).err());
    }
    if let Some(wanted) = step.checkpoints {
        let found = ground.checkpoints();
        if found != wanted {
            faults.push(format!("{found} checkpoints in place of {wanted}"));
        }
    }
    if let Some(log) = &answer.log {
        let missing = step
            .log
            .iter()
            .filter(|wanted| !log.iter().any(|entry| has(entry, wanted)));
        faults.extend(missing.map(|wanted| format!("the log has no {}", Value::Object(wanted.clone()))));
    } else if !step.log.is_empty() {
        faults.push("there is no log".into());
    }
    faults
}

fn has(entry: &Document, wanted: &Document) -> bool {
    wanted.iter().all(|(name, value)| entry.get(name) == Some(value))
}

fn of_outcome(outcome: &Document, expect: &Document, runner: &str) -> Vec<Failure> {
    let mut faults = Vec::new();
    let members: &[&str] = if outcome.get("status") == Some(&"OK".into()) {
        &OF_SUCCESS
    } else {
        &OF_FAILURE
    };
    let wanted: BTreeSet<_> = members
        .iter()
        .copied()
        .filter(|name| is_told(name, runner))
        .collect();
    let found: BTreeSet<_> = outcome.keys().map(String::as_str).collect();
    if wanted != found {
        let (missing, foreign) = (wanted.difference(&found), found.difference(&wanted));
        faults.push(format!(
            "the outcome lacks {missing:?} or has {foreign:?} too much"
        ));
    }
    let whole = || Value::Object(outcome.clone());
    for (name, value) in expect.iter().filter(|(name, _)| is_told(name, runner)) {
        if name == SAYS {
            let message = outcome.get("message").and_then(Value::as_str).unwrap_or_default();
            // The command speaks of its own options.
            let says_it_otherwise = runner == command::NAME && expect["status"] == "ERR_INVALID_ARGUMENT";
            let texts = value.as_array().into_iter().flatten().filter_map(Value::as_str);
            let missing = texts.filter(|text| !says_it_otherwise && !message.contains(*text));
            faults.extend(missing.map(|text| format!("the message does not say {text:?}: {message}")));
        } else if name == WARNS {
            let warns = outcome.get("warning").is_some_and(|warning| !warning.is_null());
            if *value != warns {
                faults.push(format!("the warning is not as expected: {}", whole()));
            }
        } else if !matches(outcome.get(name), value) {
            faults.push(format!("{name} is not {value}: {}", whole()));
        }
    }
    faults
}

/// A part of an object is enough.
fn matches(found: Option<&Value>, wanted: &Value) -> bool {
    match (found, wanted) {
        (Some(Value::Object(found)), Value::Object(wanted)) => has(found, wanted),
        (found, wanted) => found == Some(wanted),
    }
}

fn is_told(member: &str, runner: &str) -> bool {
    runner != command::NAME || !command::UNTOLD.iter().any(|(name, _)| *name == member)
}

fn of_requests(step: &Step, requests: &[RequestRecord]) -> Vec<Failure> {
    let mut faults = Vec::new();
    let of = |operation: &str| {
        let operation = operation.to_owned();
        let is_meant = move |record: &&RequestRecord| {
            operation == "*" || record.operation.as_deref() == Some(operation.as_str())
        };
        requests.iter().filter(is_meant)
    };
    for (operation, wanted) in &step.requests {
        let found = of(operation).count();
        if found != *wanted {
            let all: Vec<_> = of(operation)
                .map(|record| record.operation.as_deref().unwrap_or("?"))
                .collect();
            faults.push(format!(
                "{found} requests of {operation} in place of {wanted}: {}",
                all.join(", ")
            ));
        }
    }
    for (operation, fields) in &step.fields {
        if of(operation).next().is_none() {
            faults.push(format!("no request of {operation}"));
        }
        for (name, value) in fields {
            let wrong = of(operation).find(|record| record.field(name) != Some(value.as_str()));
            faults.extend(
                wrong.map(|record| format!("{operation} had {:?} for the field {name}", record.field(name))),
            );
        }
    }
    if let Some(signatures) = &step.signatures {
        for record in requests {
            let field = |name: &str| {
                let field = record.signature.iter().find(|(field, _)| field == name);
                field.map(|(_, value)| value.as_str()).unwrap_or_default()
            };
            let number = |name: &str| field(name).parse::<u64>().unwrap_or_default();
            let lifetime = number("e").saturating_sub(number("t"));
            if signatures.lifetime_s.is_some_and(|wanted| wanted != lifetime) {
                faults.push(format!("a signature is good for {lifetime} s"));
            }
            if signatures
                .bound_to
                .as_ref()
                .is_some_and(|wanted| wanted != field("f"))
            {
                faults.push(format!("a signature is bound to {:?}", field("f")));
            }
        }
    }
    faults
}

fn of_object(object: &str, wanted: Option<&Stored>, ground: &Ground) -> Result<(), Failure> {
    let found = ground.object(object)?;
    let wanted = match wanted {
        None => None,
        Some(Stored::Whole(name)) => Some(ground.bytes(ground.content(name)?)),
        Some(Stored::Part {
            content,
            offset,
            length,
        }) => {
            let bytes = ground.bytes(ground.content(content)?);
            Some(
                bytes
                    .get(*offset..offset + length)
                    .ok_or("a part beyond the end")?,
            )
        }
    };
    match (found.as_deref(), wanted) {
        (None, None) => Ok(()),
        (Some(found), Some(wanted)) if found == wanted => Ok(()),
        (None, Some(_)) => Err(format!("there is no object {object}")),
        (Some(_), None) => Err(format!("there is an object {object}")),
        (Some(found), Some(wanted)) => Err(format!(
            "the object {object} of {} bytes is not the content of {}",
            found.len(),
            wanted.len()
        )),
    }
}

/// Makes an answer comparable with those of other runners. What is another each time becomes a word: addresses, the folder
/// of the run, the identifiers that the service gives to requests, and the names of checkpoints, which are made of addresses.
/// A log comes from several threads: its order says nothing.
pub fn normalised(answer: Answer, ground: &Ground) -> Told {
    let replacements = ground.replacements();
    let mut outcomes = answer.outcomes;
    for outcome in &mut outcomes {
        let mut replacements = replacements.clone();
        if let Some(Value::String(id)) = outcome.get("request_id") {
            replacements.push((id.clone(), "{request id}".to_owned()));
        }
        for value in outcome.values_mut() {
            if let Value::String(text) = value {
                for (found, word) in &replacements {
                    *text = text.replace(found, word);
                }
                *text = without_checkpoint(text);
            }
        }
    }
    let mut log = answer.log;
    if let Some(log) = &mut log {
        // By the members in one order, which they need not have been told in.
        log.sort_by_key(|entry| format!("{:?}", entry.iter().collect::<BTreeMap<_, _>>()));
    }
    Told { outcomes, log }
}

fn without_checkpoint(text: &str) -> String {
    const DIGITS: usize = 40;
    let Some((before, after)) = text.split_once(".checkpoint\"") else {
        return text.to_owned();
    };
    let at = before.len().saturating_sub(DIGITS);
    match before.get(at..) {
        Some(name) if name.len() == DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{}{{name}}.checkpoint\"{after}", &before[..at])
        }
        _ => text.to_owned(),
    }
}

/// What is different between two runners and should not be.
pub fn differences(scenario: &Scenario, first: (&str, &[Told]), other: (&str, &[Told])) -> Vec<Failure> {
    let mut faults = Vec::new();
    for (number, (one, two)) in first.1.iter().zip(other.1).enumerate() {
        for (one, two) in one.outcomes.iter().zip(&two.outcomes) {
            let invalid = one.get("status") == Some(&"ERR_INVALID_ARGUMENT".into());
            let in_own_words = invalid && [first.0, other.0].contains(&command::NAME);
            let names: BTreeSet<_> = one.keys().chain(two.keys()).collect();
            for name in names {
                let excused = [first.0, other.0]
                    .iter()
                    .any(|runner| !is_told(name, runner) || scenario.may_differ(name, runner));
                if excused || (in_own_words && name == "message") || one.get(name) == two.get(name) {
                    continue;
                }
                let text = |outcome: &Document| outcome.get(name).map_or("nothing".into(), Value::to_string);
                faults.push(format!(
                    "step {}: {name} is {} with {} and {} with {}",
                    number + 1,
                    text(one),
                    first.0,
                    text(two),
                    other.0
                ));
            }
        }
        let may_differ = [first.0, other.0]
            .iter()
            .any(|runner| scenario.may_differ("log", runner));
        if one.log != two.log && !may_differ {
            let text = |told: &Told| serde_json::to_string(&told.log).unwrap_or_default();
            faults.push(format!(
                "step {}: the log of {} is {}, that of {} {}",
                number + 1,
                first.0,
                text(one),
                other.0,
                text(two)
            ));
        }
    }
    faults
}
