//! Scripted faults: a list of rules that each request is held against once. The first rule that matches and
//! is due fires.

mod action;

pub use action::{Action, Answer, Ending, Phase};

use crate::operations;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};
use std::fmt;

/// Matches every operation.
pub const ANY_OPERATION: &str = "*";

/// In the place of an operation: the rule strikes connections, not requests. Connections are counted as they
/// are accepted; with the switch `keep_alive` off, each is one request.
pub const CONNECTION: &str = "connection";

/// One rule: which requests, how often, and what happens to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    operation: String,
    nth: u64,
    offset: Option<u64>,
    probability: f64,
    times: u64,
    action: Action,
}

/// Why a rule was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultError(pub(crate) String);

impl fmt::Display for FaultError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fault rule: {}", self.0)
    }
}

impl std::error::Error for FaultError {}

const KEYS: [&str; 6] = ["operation", "nth", "offset", "probability", "times", "action"];

impl Fault {
    /// A rule for `operation` ([`ANY_OPERATION`] for all, [`CONNECTION`] for connections) that fires once, at the
    /// next matching request.
    ///
    /// # Panics
    /// The service has no operation of this name, or the action is none for it: a rule that can never fire is a
    /// mistake in the test.
    pub fn new(operation: &str, action: Action) -> Fault {
        if let Err(error) = check(operation, None, &action) {
            panic!("{error}");
        }
        Fault {
            operation: operation.to_owned(),
            nth: 1,
            offset: None,
            probability: 1.0,
            times: 1,
            action,
        }
    }

    /// Fires from the `nth` matching request on, counted from 1 at the rule's creation.
    pub fn nth(mut self, nth: u64) -> Fault {
        self.nth = nth.max(1);
        self
    }

    /// Fires only for the slice at this byte offset.
    pub fn offset(mut self, offset: u64) -> Fault {
        self.offset = Some(offset);
        self
    }

    /// Fires with this probability, 0 to 1, drawn from the emulator's seeded generator.
    pub fn probability(mut self, probability: f64) -> Fault {
        self.probability = probability.clamp(0.0, 1.0);
        self
    }

    /// Fires this often; 0 is without end.
    pub fn times(mut self, times: u64) -> Fault {
        self.times = times;
        self
    }

    /// Reads one rule from JSON text.
    ///
    /// # Errors
    /// Anything that is not a valid rule: an unknown key, operation or action, a value out of range.
    pub fn from_json(text: &str) -> Result<Fault, FaultError> {
        let value = serde_json::from_str(text).map_err(|error| FaultError(format!("not JSON: {error}")))?;
        Fault::from_value(&value)
    }

    /// Reads one rule, or an array of rules, from JSON text.
    ///
    /// # Errors
    /// As [`Fault::from_json`]; nothing is taken when one rule is wrong.
    pub fn list_from_json(text: &str) -> Result<Vec<Fault>, FaultError> {
        match serde_json::from_str(text).map_err(|error| FaultError(format!("not JSON: {error}")))? {
            Value::Array(rules) => rules.iter().map(Fault::from_value).collect(),
            rule => Ok(vec![Fault::from_value(&rule)?]),
        }
    }

    fn from_value(value: &Value) -> Result<Fault, FaultError> {
        let error = |text: String| Err(FaultError(text));
        let Some(members) = value.as_object() else {
            return error("a rule is a JSON object".to_owned());
        };
        if let Some(unknown) = members.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return error(format!("unknown key {unknown:?}; there are: {}", KEYS.join(", ")));
        }
        let operation = members
            .get("operation")
            .and_then(Value::as_str)
            .unwrap_or(ANY_OPERATION);
        if members.get("operation").is_some_and(|value| !value.is_string()) {
            return error("\"operation\" is a string".to_owned());
        }
        let probability = match members.get("probability") {
            None => 1.0,
            Some(value) => match value.as_f64().filter(|number| (0.0..=1.0).contains(number)) {
                Some(number) => number,
                None => return error(format!("\"probability\" is {value}, not a number from 0 to 1")),
            },
        };
        let nth = whole_number(members, "nth")?.unwrap_or(1);
        if nth == 0 {
            return error("\"nth\" counts from 1".to_owned());
        }
        let Some(action) = members.get("action") else {
            return error("\"action\" is missing".to_owned());
        };
        let (offset, action) = (whole_number(members, "offset")?, Action::from_json(action)?);
        check(operation, offset, &action)?;
        Ok(Fault {
            operation: operation.to_owned(),
            nth,
            offset,
            probability,
            times: whole_number(members, "times")?.unwrap_or(1),
            action,
        })
    }

    /// The rule as the JSON that makes it.
    pub fn to_json(&self) -> Value {
        let mut value = json!({"operation": self.operation, "nth": self.nth, "times": self.times});
        if let Some(offset) = self.offset {
            value["offset"] = json!(offset);
        }
        if self.probability < 1.0 {
            value["probability"] = json!(self.probability);
        }
        value["action"] = self.action.to_json();
        value
    }

    fn matches(&self, operation: Option<&str>, offset: Option<u64>) -> bool {
        let operation_fits = self.operation == ANY_OPERATION || Some(self.operation.as_str()) == operation;
        operation_fits && !self.is_of_connection() && (self.offset.is_none() || self.offset == offset)
    }

    fn is_of_connection(&self) -> bool {
        self.operation == CONNECTION
    }
}

/// Whether the operation is known and the action one that can strike it.
fn check(operation: &str, offset: Option<u64>, action: &Action) -> Result<(), FaultError> {
    let of_connection = matches!(action, Action::Cut(_, phase) if phase.is_of_connection());
    let action = action.to_json();
    match operation {
        CONNECTION if !of_connection => Err(FaultError(format!(
            "a connection can only end in the phases \"accept\" and \"first_bytes\", not {action}"
        ))),
        CONNECTION if offset.is_some() => Err(FaultError("a connection has no offset".to_owned())),
        CONNECTION => Ok(()),
        _ if of_connection => Err(FaultError(format!(
            "{action} goes with the operation \"{CONNECTION}\" alone"
        ))),
        ANY_OPERATION => Ok(()),
        _ if operations::is_operation_name(operation) => Ok(()),
        _ => Err(FaultError(format!(
            "unknown operation {operation:?}; there are: {ANY_OPERATION}, {CONNECTION}, {}",
            operations::operation_names().join(", ")
        ))),
    }
}

fn whole_number(members: &Map<String, Value>, key: &str) -> Result<Option<u64>, FaultError> {
    match members.get(key) {
        None => Ok(None),
        Some(value) => match value.as_u64() {
            Some(number) => Ok(Some(number)),
            None => Err(FaultError(format!("{key:?} is {value}, not a whole number"))),
        },
    }
}

/// How much of a request the rules must know before they can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Knowledge {
    /// Nothing: no rules, or only rules for every operation.
    Head,
    /// The operation.
    Operation,
    /// The operation and the offset of a slice.
    Offset,
}

struct Rule {
    fault: Fault,
    /// Matching requests since the rule was made.
    seen: u64,
    fired: u64,
}

impl Rule {
    fn is_exhausted(&self) -> bool {
        self.fault.times > 0 && self.fired >= self.fault.times
    }
}

/// The rules in force.
pub(crate) struct FaultList {
    rules: Vec<Rule>,
    generator: StdRng,
}

impl FaultList {
    pub(crate) fn new(seed: u64) -> FaultList {
        FaultList {
            rules: Vec::new(),
            generator: StdRng::seed_from_u64(seed),
        }
    }

    pub(crate) fn add(&mut self, fault: Fault) {
        self.rules.push(Rule {
            fault,
            seen: 0,
            fired: 0,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What a request must tell before [`FaultList::ask`].
    pub(crate) fn needed_knowledge(&self) -> Knowledge {
        let need = |rule: &Rule| match &rule.fault {
            fault if fault.offset.is_some() => Knowledge::Offset,
            fault if fault.operation == ANY_OPERATION || fault.is_of_connection() => Knowledge::Head,
            _ => Knowledge::Operation,
        };
        let live = self.rules.iter().filter(|rule| !rule.is_exhausted());
        live.map(need).max().unwrap_or(Knowledge::Head)
    }

    /// Holds one request against the rules. Every rule counts the requests it matches, whichever fires.
    pub(crate) fn ask(&mut self, operation: Option<&str>, offset: Option<u64>) -> Option<Action> {
        self.strike(|fault| fault.matches(operation, offset))
    }

    /// Holds a connection that was just accepted against the rules for connections.
    pub(crate) fn ask_connection(&mut self) -> Option<(Ending, Phase)> {
        match self.strike(Fault::is_of_connection) {
            Some(Action::Cut(ending, phase)) => Some((ending, phase)),
            _ => None,
        }
    }

    fn strike(&mut self, matches: impl Fn(&Fault) -> bool) -> Option<Action> {
        let mut fired = None;
        for rule in self.rules.iter_mut().filter(|rule| matches(&rule.fault)) {
            rule.seen += 1;
            let due = fired.is_none() && rule.seen >= rule.fault.nth && !rule.is_exhausted();
            // Drawn only when due, so that a seed gives the same run whatever other rules there are before it
            // is.
            if due && (rule.fault.probability >= 1.0 || self.generator.random_bool(rule.fault.probability)) {
                rule.fired += 1;
                fired = Some(rule.fault.action.clone());
            }
        }
        fired
    }

    /// The rules that have not fired as often as they were told to; one without end, if it never fired.
    pub(crate) fn unused(&self) -> Vec<Fault> {
        let unused = |rule: &&Rule| rule.fired < rule.fault.times.max(1);
        self.rules
            .iter()
            .filter(unused)
            .map(|rule| rule.fault.clone())
            .collect()
    }

    /// All rules with their counters.
    pub(crate) fn to_json(&self) -> Value {
        let describe = |rule: &Rule| {
            let mut value = rule.fault.to_json();
            value["seen"] = json!(rule.seen);
            value["fired"] = json!(rule.fired);
            value
        };
        self.rules.iter().map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(rules: &[&str]) -> FaultList {
        let mut list = FaultList::new(1);
        rules
            .iter()
            .for_each(|rule| list.add(Fault::from_json(rule).unwrap()));
        list
    }

    #[test]
    fn a_rule_fires_from_the_nth_match_on_as_often_as_told() {
        let mut list = list(&[r#"{"operation":"stat","nth":2,"times":2,"action":{"delay_ms":1}}"#]);
        let fired: Vec<bool> = (0..5).map(|_| list.ask(Some("stat"), None).is_some()).collect();
        assert_eq!(fired, [false, true, true, false, false]);
        assert!(list.unused().is_empty());
    }

    #[test]
    fn the_first_rule_that_is_due_fires_and_the_others_count_on() {
        let mut list = list(&[
            r#"{"operation":"*","action":{"delay_ms":1}}"#,
            r#"{"operation":"stat","nth":2,"times":0,"action":{"delay_ms":2}}"#,
        ]);
        let fired: Vec<Value> = (0..3)
            .map(|_| list.ask(Some("stat"), None).unwrap().to_json())
            .collect();
        assert_eq!(
            fired,
            [
                json!({"delay_ms": 1}),
                json!({"delay_ms": 2}),
                json!({"delay_ms": 2})
            ]
        );
        assert!(list.ask(Some("delete"), None).is_none());
    }

    #[test]
    fn an_offset_must_be_the_one() {
        let mut list = list(&[r#"{"operation":"upload_slice_data","offset":512,"action":{"delay_ms":1}}"#]);
        assert_eq!(list.needed_knowledge(), Knowledge::Offset);
        assert!(list.ask(Some("upload_slice_data"), Some(0)).is_none());
        assert!(list.ask(Some("upload_slice_data"), None).is_none());
        assert_eq!(list.unused().len(), 1);
        assert!(list.ask(Some("upload_slice_data"), Some(512)).is_some());
        assert_eq!(list.needed_knowledge(), Knowledge::Head);
    }

    #[test]
    fn a_rule_for_connections_strikes_no_request_and_the_others_no_connection() {
        let mut list = list(&[
            r#"{"operation":"*","times":0,"action":{"delay_ms":1}}"#,
            r#"{"operation":"connection","nth":2,"action":{"reset":"accept"}}"#,
        ]);
        assert_eq!(list.needed_knowledge(), Knowledge::Head);
        assert_eq!(list.ask_connection(), None);
        assert!(list.ask(Some("connection"), None).is_some());
        assert_eq!(list.ask_connection(), Some((Ending::Reset, Phase::Accept)));
        assert_eq!(list.ask_connection(), None);
    }

    #[test]
    fn a_seed_repeats_the_same_run() {
        let run = || -> Vec<bool> {
            let mut list = list(&[r#"{"probability":0.5,"times":0,"action":{"delay_ms":1}}"#]);
            (0..64).map(|_| list.ask(None, None).is_some()).collect()
        };
        assert_eq!(run(), run());
        let fired = run().into_iter().filter(|fired| *fired).count();
        assert!((16..=48).contains(&fired), "{fired} of 64");
    }
}
