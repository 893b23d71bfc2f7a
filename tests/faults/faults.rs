//! The list of faults: what the emulator is told to do, and what must come of it.

use cos_slice::upload::status::Status;
use serde_json::{Value, json};

/// One fault, to be put at any request of an upload.
pub struct Fault {
    /// The emulator's action.
    pub action: Value,
    /// Whether it strikes the connection of the request, before the emulator knows which request it is.
    pub of_connection: bool,
    /// What must come of it when it happens once.
    pub once: Once,
    /// How the upload ends when it happens to that request each time; [`super::permanent`] knows the exceptions.
    pub always: Status,
    /// What may be sent again because of it.
    pub resend: Resend,
}

impl Fault {
    /// Whether it is an action of this name.
    pub fn is(&self, name: &str) -> bool {
        self.action.get(name).is_some()
    }

    /// Whether the request that it strikes is executed, and only its answer suffers.
    pub fn has_effect(&self) -> bool {
        let late = ["after_effect", "mid_head", "mid_answer"].map(Value::from);
        let ends_late = ["reset", "close", "hang"]
            .iter()
            .any(|ending| late.contains(&self.action[ending]));
        ends_late || self.is("truncate") || self.action["after_effect"] == true
    }
}

/// What must come of a fault that happens once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Once {
    /// Success, as if nothing had happened.
    Nothing,
    /// The server's refusal is about a session. Where there is one it is found out what is there, and all goes on; to
    /// any other request it makes no sense and may be an error of this status.
    OfSession(Status),
    /// The server refused the request for good: an error of this status that names the operation, and at the
    /// verification at the end success all the same.
    Refused(Status),
    /// The upload is given another session. With hashing on that changes nothing; without, nothing proves any more that
    /// what is there is of this file.
    Rotated,
    /// The server said something that isn't so: success or an error, but never a wrong object.
    Lie,
}

/// What may be sent again because of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Resend {
    /// The request that it struck.
    Struck,
    /// All slices: the server said that it has lost or mixed up what it had.
    All,
    /// As many as there are of the size that the server wants.
    Resized,
}

fn fault(action: Value, once: Once, always: Status) -> Fault {
    Fault {
        action,
        of_connection: false,
        once,
        always,
        resend: Resend::Struck,
    }
}

/// All faults.
pub fn all() -> Vec<Fault> {
    [broken_connections(), silence(), answers(), foreign(), changed()]
        .into_iter()
        .flatten()
        .collect()
}

/// The connection ends, in each way and in each phase.
fn broken_connections() -> Vec<Fault> {
    let mut faults = Vec::new();
    for ending in ["reset", "close"] {
        for phase in ["accept", "first_bytes"] {
            faults.push(Fault {
                of_connection: true,
                ..fault(json!({ ending: phase }), Once::Nothing, Status::ConnectionLost)
            });
        }
        for phase in [
            "headers",
            "during_body",
            "before",
            "after_effect",
            "mid_head",
            "mid_answer",
        ] {
            faults.push(fault(
                json!({ ending: phase }),
                Once::Nothing,
                Status::ConnectionLost,
            ));
        }
    }
    for bytes in [0, 1, 40] {
        faults.push(fault(
            json!({ "truncate": bytes }),
            Once::Nothing,
            Status::ConnectionLost,
        ));
    }
    faults
}

/// The server takes its time, or does not answer at all.
fn silence() -> Vec<Fault> {
    vec![
        fault(json!({"hang": "before"}), Once::Nothing, Status::TimedOut),
        fault(json!({"hang": "after_effect"}), Once::Nothing, Status::TimedOut),
        fault(json!({"delay_ms": 20}), Once::Nothing, Status::Ok),
        fault(
            json!({"slow_read_bytes_per_second": 20_000_000}),
            Once::Nothing,
            Status::Ok,
        ),
    ]
}

/// The service's own answers: refusals that ask for a repetition, for a new look, for a new beginning, or for nothing.
fn answers() -> Vec<Fault> {
    let rows: &[(u16, i64, Once, Status, Resend)] = {
        use Once::{Nothing, OfSession, Refused};
        use Resend::{All, Struck};
        use Status as S;
        &[
            (500, -195, Nothing, S::ServerFailed, Struck),
            (200, -195, Nothing, S::ServerFailed, Struck),
            (504, -152, Nothing, S::ServerFailed, Struck),
            (503, -5997, Nothing, S::ServerFailed, Struck),
            (409, -4024, Nothing, S::ServerFailed, Struck),
            (503, -71, Nothing, S::ServerBusy, Struck),
            (429, -71, Nothing, S::ServerBusy, Struck),
            (500, -999_999, Nothing, S::ServerFailed, Struck),
            (503, -999_999, Nothing, S::ServerBusy, Struck),
            (403, -97, Nothing, S::Credentials, Struck),
            (403, -96, Nothing, S::Credentials, Struck),
            (403, -59, Nothing, S::Credentials, Struck),
            (409, -4019, OfSession(S::ServerFailed), S::ServerFailed, Struck),
            (400, -290, OfSession(S::ServerFailed), S::ServerFailed, Struck),
            (400, -4005, Once::Lie, S::ServerFailed, Struck),
            (409, -4015, Once::Lie, S::ServerFailed, Struck),
            (404, -197, Once::Lie, S::NotFound, All),
            (409, -4020, Once::Lie, S::OtherUpload, All),
            (409, -177, Once::Lie, S::ObjectExists, Struck),
            (409, -4016, Once::Lie, S::ContentRejected, All),
            (400, -5999, Refused(S::Refused), S::Refused, Struck),
            (403, -63, Refused(S::Credentials), S::Credentials, Struck),
            (404, -133, Refused(S::NoBucket), S::NoBucket, Struck),
            (413, -285, Refused(S::TooLarge), S::TooLarge, Struck),
            (400, -999_999, Refused(S::Refused), S::Refused, Struck),
        ]
    };
    let mut faults: Vec<Fault> = rows
        .iter()
        .map(|&(status, code, once, always, resend)| Fault {
            resend,
            ..fault(json!({"status": status, "code": code}), once, always)
        })
        .collect();
    faults.push(fault(
        json!({"status": 503, "code": -71, "headers": {"Retry-After": "0"}}),
        Once::Nothing,
        Status::ServerBusy,
    ));
    faults.push(fault(
        json!({"early": {"status": 503, "code": -5997}}),
        Once::Nothing,
        Status::ServerFailed,
    ));
    faults.push(fault(
        json!({"early": {"status": 403, "code": -63}}),
        Once::Refused(Status::Credentials),
        Status::Credentials,
    ));
    for (action, once) in [("rotate_session", Once::Rotated), ("drop_session", Once::Nothing)] {
        faults.push(Fault {
            resend: Resend::All,
            ..fault(json!({ action: true }), once, Status::ServerFailed)
        });
    }
    faults
}

/// Something else than the service's envelope in the place of the answer, before and after the effect.
fn foreign() -> Vec<Fault> {
    let bodies: &[(u16, &str, Status)] = &[
        (200, "<html><title>Sign in</title></html>", Status::BadReply),
        (200, "", Status::BadReply),
        (200, "[]", Status::BadReply),
        (200, "{\"code\":\"zero\",\"data\":7}", Status::BadReply),
        (200, "{\"code\":0,\"data\":{\"session\":\"abc", Status::BadReply),
        (200, "{\"code\":1e400}", Status::BadReply),
        (200, "{\"message\":\"SUCCESS\"}", Status::BadReply),
        (
            502,
            "<html><title>Bad Gateway</title></html>",
            Status::ServerFailed,
        ),
        (503, "", Status::ServerBusy),
        (500, "{\"code\":0,\"message\":\"SUCCESS\"}", Status::ServerFailed),
    ];
    let mut faults = Vec::new();
    for after_effect in [false, true] {
        for (status, body, always) in bodies {
            let raw = json!({"status": status, "content_type": "text/html", "body": body});
            let action = json!({"raw": raw, "after_effect": after_effect});
            faults.push(fault(action, Once::Nothing, *always));
        }
    }
    faults
}

/// The service's answer after the effect, with something changed in it.
fn changed() -> Vec<Fault> {
    let harmless = [
        json!({"code": null}),
        json!({"code": "x"}),
        json!({"code": 1.5}),
        json!({"message": {"a": []}, "request_id": 7}),
        json!({"data.listparts": null}),
    ];
    let lies = [
        json!({"data": null}),
        json!({"data": []}),
        json!({"data": "no"}),
        json!({"data.session": 7}),
        json!({"data.session": ""}),
        json!({"data.session": "somebody else's"}),
        json!({"data.slice_size": 0}),
        json!({"data.slice_size": -1}),
        json!({"data.slice_size": 4096}),
        json!({"data.slice_size": "large"}),
        json!({"data.slice_size": 9_223_372_036_854_775_807_u64}),
        json!({"data.slice_size": 1e30}),
        json!({"data.serial_upload": 7}),
        json!({"data.offset": 9_007_199_254_740_993_u64}),
        json!({"data.offset": {}}),
        json!({"data.datalen": 1}),
        json!({"data.filesize": 0}),
        json!({"data.filesize": 9_223_372_036_854_775_807_u64}),
        json!({"data.filelen": 0}),
        json!({"data.sha": "no digest"}),
        json!({"data.sha": "da39a3ee5e6b4b0d3255bfef95601890afd80709"}),
        json!({"data.listparts": "no list"}),
        json!({"data.listparts": [{"offset": 0, "datalen": 9_007_199_254_740_993_u64}]}),
        json!({"data.listparts": [{"offset": -1, "datalen": 5}]}),
    ];
    let mut faults = Vec::new();
    for members in harmless {
        faults.push(fault(
            json!({ "replace": members }),
            Once::Nothing,
            Status::BadReply,
        ));
    }
    for members in lies {
        let resized = members.get("data.slice_size") == Some(&json!(4096));
        faults.push(Fault {
            resend: if resized { Resend::Resized } else { Resend::All },
            ..fault(json!({ "replace": members }), Once::Lie, Status::BadReply)
        });
    }
    faults
}
