//! What a fault does, and its JSON.

use super::FaultError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a reset (RST).
    Reset,
    /// In order (FIN).
    Close,
}

/// When a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Accepted, and no byte was read. Only of a connection, see [`super::CONNECTION`].
    Accept,
    /// The first bytes of a request's head were read, or under TLS of the handshake. Only of a connection.
    FirstBytes,
    /// The request was read whole; nothing was done.
    Before,
    /// Only the head was read (and, where the rule names an operation, as much of the body as tells it).
    Headers,
    /// About half of the body was read.
    DuringBody,
    /// The operation was executed; no byte of the answer is sent.
    AfterEffect,
    /// The operation was executed; half of the answer's head is sent.
    MidHead,
    /// The operation was executed; half of the answer's body is sent.
    MidAnswer,
}

impl Phase {
    /// Whether it is one of a connection, as against one of a request.
    pub(super) fn is_of_connection(self) -> bool {
        matches!(self, Phase::Accept | Phase::FirstBytes)
    }
}

/// An answer that a fault gives in the place of the true one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// HTTP status, 200 to 599.
    pub status: u16,
    /// The `code` of the body.
    pub code: i64,
    /// The `message` of the body; a fixed text when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// More header fields, such as `Retry-After`: name and value, both strings.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
}

/// What happens to a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Answers so; nothing is done.
    Answer(Answer),
    /// Answers so before the body is read, and closes a moment later while the client may still be sending.
    Early(Answer),
    /// Ends the connection.
    Cut(Ending, Phase),
    /// Never answers, until the client goes away or the emulator stops; the operation is executed or not.
    Hang {
        /// Whether the operation is executed first.
        after_effect: bool,
    },
    /// Executes, then waits before it answers.
    Delay(Duration),
    /// Reads the body at this speed.
    SlowRead {
        /// Bytes per second, at least 1.
        bytes_per_second: u64,
    },
    /// Answers with any body.
    Raw {
        /// HTTP status, 200 to 599.
        status: u16,
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        body: String,
        /// Whether the operation is executed first.
        after_effect: bool,
    },
    /// Sends the first so many bytes of the true answer's body, under the `Content-Length` of the whole, then
    /// closes.
    Truncate(u64),
    /// Executes, then changes members of the true answer: dotted path (`data.slice_size`) and value.
    Replace(Map<String, Value>),
    /// Gives the unfinished upload of the path a new session, then executes; the old session is invalid.
    RotateSession,
    /// Forgets the unfinished upload of the path, then executes.
    DropSession,
    /// Forgets so many slices of the unfinished upload of the path, those with the highest offsets, then executes.
    ForgetSlices(u64),
    /// Answers −96 / 403, an expired signature; nothing is done.
    Expired,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    #[serde(default = "default_status")]
    status: u16,
    #[serde(default = "default_content_type")]
    content_type: String,
    body: String,
}

fn default_status() -> u16 {
    200
}

fn default_content_type() -> String {
    "text/html".to_owned()
}

const NAMES: [&str; 16] = [
    "status",
    "early",
    "reset",
    "close",
    "lost_answer",
    "hang",
    "delay_ms",
    "slow_read_bytes_per_second",
    "raw",
    "truncate",
    "slice_size",
    "replace",
    "rotate_session",
    "drop_session",
    "forget_slices",
    "expired",
];

impl Action {
    /// Answers with this HTTP status and code; nothing is done.
    pub fn answer(status: u16, code: i64) -> Action {
        Action::Answer(Answer {
            status,
            code,
            message: None,
            headers: Map::new(),
        })
    }

    /// Executes, then closes the connection without an answer.
    pub fn lost_answer() -> Action {
        Action::Cut(Ending::Close, Phase::AfterEffect)
    }

    pub(super) fn from_json(value: &Value) -> Result<Action, FaultError> {
        let error = |text: String| Err(FaultError(text));
        let Some(members) = value.as_object() else {
            return error("\"action\" is a JSON object".to_owned());
        };
        let Some(name) = NAMES.into_iter().find(|name| members.contains_key(*name)) else {
            return error(format!(
                "no known action in {value}; there are: {}",
                NAMES.join(", ")
            ));
        };
        // These two have more than one member.
        let others: &[&str] = match name {
            "status" => &["code", "message", "headers"],
            "raw" => &["after_effect"],
            _ => &[],
        };
        if let Some(unknown) = members
            .keys()
            .find(|key| *key != name && !others.contains(&key.as_str()))
        {
            return error(format!("unknown key {unknown:?} beside {name:?} in the action"));
        }
        Action::from_member(name, &members[name], members)
    }

    fn from_member(name: &str, value: &Value, members: &Map<String, Value>) -> Result<Action, FaultError> {
        Ok(match name {
            "status" => Action::Answer(answer(name, &Value::Object(members.clone()))?),
            "early" => Action::Early(answer(name, value)?),
            "reset" => Action::Cut(Ending::Reset, decode(name, value)?),
            "close" => Action::Cut(Ending::Close, decode(name, value)?),
            "lost_answer" => only_true(name, value, Action::lost_answer())?,
            "hang" => match decode(name, value)? {
                Phase::Before => Action::Hang { after_effect: false },
                Phase::AfterEffect => Action::Hang { after_effect: true },
                _ => {
                    return Err(FaultError(
                        "\"hang\" is \"before\" or \"after_effect\"".to_owned(),
                    ));
                }
            },
            "delay_ms" => Action::Delay(Duration::from_millis(decode(name, value)?)),
            "slow_read_bytes_per_second" => match decode(name, value)? {
                0 => return Err(FaultError(format!("{name:?} is at least 1"))),
                bytes_per_second => Action::SlowRead { bytes_per_second },
            },
            "raw" => {
                let RawAnswer {
                    status,
                    content_type,
                    body,
                } = decode(name, value)?;
                check_status(status)?;
                let after_effect = members
                    .get("after_effect")
                    .map_or(Ok(false), |value| decode("after_effect", value))?;
                Action::Raw {
                    status,
                    content_type,
                    body,
                    after_effect,
                }
            }
            "truncate" => Action::Truncate(decode(name, value)?),
            "slice_size" => {
                let size: u64 = decode(name, value)?;
                Action::Replace(Map::from_iter([("data.slice_size".to_owned(), json!(size))]))
            }
            "replace" => Action::Replace(decode(name, value)?),
            "rotate_session" => only_true(name, value, Action::RotateSession)?,
            "drop_session" => only_true(name, value, Action::DropSession)?,
            "forget_slices" => Action::ForgetSlices(decode(name, value)?),
            "expired" => only_true(name, value, Action::Expired)?,
            other => return Err(FaultError(format!("unknown action {other:?}"))),
        })
    }

    /// The action as the JSON that makes it.
    pub fn to_json(&self) -> Value {
        match self {
            Action::Answer(answer) => json!(answer),
            Action::Early(answer) => json!({"early": answer}),
            Action::Cut(Ending::Reset, phase) => json!({"reset": phase}),
            Action::Cut(Ending::Close, phase) => json!({"close": phase}),
            Action::Hang { after_effect: false } => json!({"hang": Phase::Before}),
            Action::Hang { after_effect: true } => json!({"hang": Phase::AfterEffect}),
            Action::Delay(delay) => json!({"delay_ms": u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)}),
            Action::SlowRead { bytes_per_second } => json!({"slow_read_bytes_per_second": bytes_per_second}),
            Action::Raw {
                status,
                content_type,
                body,
                after_effect,
            } => json!({
                "raw": {"status": status, "content_type": content_type, "body": body},
                "after_effect": after_effect,
            }),
            Action::Truncate(bytes) => json!({"truncate": bytes}),
            Action::Replace(members) => json!({"replace": members}),
            Action::RotateSession => json!({"rotate_session": true}),
            Action::DropSession => json!({"drop_session": true}),
            Action::ForgetSlices(count) => json!({"forget_slices": count}),
            Action::Expired => json!({"expired": true}),
        }
    }
}

fn decode<T: serde::de::DeserializeOwned>(name: &str, value: &Value) -> Result<T, FaultError> {
    serde_json::from_value(value.clone()).map_err(|error| FaultError(format!("{name:?}: {error}")))
}

fn answer(name: &str, value: &Value) -> Result<Answer, FaultError> {
    let answer: Answer = decode(name, value)?;
    check_status(answer.status)?;
    for (header, text) in &answer.headers {
        let valid = text
            .as_str()
            .is_some_and(|text| hyper::header::HeaderValue::from_str(text).is_ok());
        if !valid || hyper::header::HeaderName::from_bytes(header.as_bytes()).is_err() {
            return Err(FaultError(format!("{header:?}: {text} is no header field")));
        }
    }
    Ok(answer)
}

fn check_status(status: u16) -> Result<(), FaultError> {
    match status {
        200..=599 => Ok(()),
        _ => Err(FaultError(format!(
            "the HTTP status {status} is not from 200 to 599"
        ))),
    }
}

fn only_true(name: &str, value: &Value, action: Action) -> Result<Action, FaultError> {
    match value {
        Value::Bool(true) => Ok(action),
        other => Err(FaultError(format!("{name:?} is {other}; it can only be true"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fault;
    use super::*;

    #[test]
    fn every_action_is_read_and_written_alike() {
        let actions = [
            json!({"status": 500, "code": -195}),
            json!({"status": 503, "code": -71, "message": "slow", "headers": {"Retry-After": "1"}}),
            json!({"early": {"status": 403, "code": -97}}),
            json!({"reset": "before"}),
            json!({"reset": "headers"}),
            json!({"reset": "during_body"}),
            json!({"close": "after_effect"}),
            json!({"close": "mid_answer"}),
            json!({"reset": "mid_head"}),
            json!({"hang": "before"}),
            json!({"hang": "after_effect"}),
            json!({"delay_ms": 5}),
            json!({"slow_read_bytes_per_second": 10}),
            json!({"raw": {"status": 200, "content_type": "text/html", "body": "<html>"}, "after_effect": true}),
            json!({"truncate": 3}),
            json!({"replace": {"data.slice_size": 1}}),
            json!({"rotate_session": true}),
            json!({"drop_session": true}),
            json!({"forget_slices": 2}),
            json!({"expired": true}),
        ];
        for action in actions {
            assert_eq!(Action::from_json(&action).unwrap().to_json(), action);
        }
        assert_eq!(
            Action::from_json(&json!({"lost_answer": true})).unwrap(),
            Action::lost_answer()
        );
    }

    #[test]
    fn a_wrong_rule_says_what_is_wrong() {
        let cases = [
            (
                r#"{"operation":"stat","action":{"statsu":500}}"#,
                "no known action",
            ),
            (
                r#"{"operation":"stat","action":{"status":500,"code":-195,"body":""}}"#,
                "unknown key \"body\"",
            ),
            (
                r#"{"operation":"stat","action":{"status":500}}"#,
                "missing field `code`",
            ),
            (r#"{"operation":"stat","action":{"status":999,"code":1}}"#, "999"),
            (
                r#"{"operation":"stats","action":{"expired":true}}"#,
                "unknown operation \"stats\"",
            ),
            (
                r#"{"operation":"stat","tiems":1,"action":{"expired":true}}"#,
                "unknown key \"tiems\"",
            ),
            (
                r#"{"operation":"stat","nth":0,"action":{"expired":true}}"#,
                "counts from 1",
            ),
            (
                r#"{"operation":"stat","nth":-1,"action":{"expired":true}}"#,
                "not a whole number",
            ),
            (
                r#"{"operation":"stat","probability":2,"action":{"expired":true}}"#,
                "from 0 to 1",
            ),
            (r#"{"operation":"stat"}"#, "\"action\" is missing"),
            (
                r#"{"operation":"stat","action":{"reset":"accept"}}"#,
                "goes with the operation \"connection\"",
            ),
            (
                r#"{"operation":"connection","action":{"reset":"headers"}}"#,
                "a connection can only",
            ),
            (
                r#"{"operation":"connection","offset":0,"action":{"reset":"accept"}}"#,
                "a connection has no offset",
            ),
            (r#"{"operation":"stat","action":{"reset":"later"}}"#, "later"),
            (
                r#"{"operation":"stat","action":{"hang":"headers"}}"#,
                "\"hang\" is",
            ),
            (
                r#"{"operation":"stat","action":{"slow_read_bytes_per_second":0}}"#,
                "at least 1",
            ),
            (
                r#"{"operation":"stat","action":{"expired":false}}"#,
                "only be true",
            ),
            (
                r#"{"action":{"status":500,"code":1,"headers":{"a b":"c"}}}"#,
                "no header field",
            ),
            ("[]", "a JSON object"),
            ("{", "not JSON"),
        ];
        for (rule, expected) in cases {
            let error = Fault::from_json(rule).unwrap_err().to_string();
            assert!(error.contains(expected), "{rule}: {error}");
        }
    }
}
