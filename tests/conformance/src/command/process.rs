//! The command as a process, and what it says as an outcome.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::scenario::Document;
use crate::{Failure, HANG_GUARD};

use super::options::Input;

/// A process that has ended.
pub struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a process to its end; `meanwhile` is done while it runs.
///
/// # Errors
/// It can't be started, hangs, or `meanwhile` fails.
pub fn run(
    command: &mut Command,
    input: Option<Input>,
    meanwhile: impl FnOnce(&Child) -> Result<(), Failure>,
) -> Result<Ended, Failure> {
    let said = |error: std::io::Error| format!("the command: {error}");
    let stdin = match &input {
        None => Stdio::null(),
        Some(Input::File(path)) => File::open(path).map_err(said)?.into(),
        Some(Input::Pipe(_)) => Stdio::piped(),
    };
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(said)?;
    let (stdout, stderr) = (collect(child.stdout.take()), collect(child.stderr.take()));
    let feeding = child.stdin.take().zip(input).map(|(mut pipe, input)| {
        thread::spawn(move || {
            if let Input::Pipe(path) = input {
                // The command may not want all of it.
                let _ = File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut pipe));
            }
        })
    });
    let done = meanwhile(&child);
    let process = Pid::from_child(&child);
    let (ended, end) = mpsc::channel();
    thread::spawn(move || ended.send(child.wait()));
    let status = match end.recv_timeout(if done.is_ok() { HANG_GUARD } else { Duration::ZERO }) {
        Ok(status) => status.map_err(said)?,
        Err(_) => {
            let _ = kill_process(process, Signal::KILL);
            let _ = end.recv();
            return Err(done.err().unwrap_or_else(|| "the command hangs".into()));
        }
    };
    done?;
    let text = |thread: JoinHandle<String>| thread.join().map_err(|_| "its output is no text".to_owned());
    if let Some(feeding) = feeding {
        feeding.join().map_err(|_| "its input can't be told".to_owned())?;
    }
    Ok(Ended {
        status,
        stdout: text(stdout)?,
        stderr: text(stderr)?,
    })
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Ended {
    /// What it said, with the exit status that goes with that.
    ///
    /// # Errors
    /// It said no such thing.
    pub fn outcome(&self) -> Result<Document, Failure> {
        let wrong = |what: &str| format!("{what}: {}, {}{}", self.status, self.stdout, self.stderr);
        let code = self.status.code().ok_or_else(|| wrong("it was killed"))?;
        if self.stdout.is_empty() && code == 2 {
            return Ok(failure(&json!({
                "status": "ERR_INVALID_ARGUMENT",
                "message": self.stderr.lines().next().unwrap_or_default(),
                "retryable": false,
            })));
        }
        let said: Value = serde_json::from_str(&self.stdout).map_err(|_| wrong("it says no JSON"))?;
        let outcome = match said.get("error") {
            Some(error) => failure(error),
            None => success(&said),
        };
        let expected = match outcome["status"].as_str() {
            Some("OK") => 0,
            Some("ERR_INVALID_ARGUMENT") => 2,
            Some("ERR_CANCELLED") => 130,
            _ => 1,
        };
        if code != expected {
            return Err(wrong("the wrong exit status"));
        }
        Ok(outcome)
    }
}

fn success(said: &Value) -> Document {
    let names = [
        ("outcome", "outcome"),
        ("size", "bytes"),
        ("bytes_sent", "sent"),
        ("bytes_resumed", "resumed"),
        ("slices_sent", "slices"),
        ("retries", "retries"),
        ("verified", "verified"),
        ("sha1", "sha1"),
        ("access_url", "access_url"),
        ("source_url", "source_url"),
        ("url", "url"),
        ("resource_path", "resource_path"),
        ("preview_url", "preview_url"),
        ("vid", "vid"),
        ("warning", "warning"),
    ];
    let members = names
        .into_iter()
        .filter_map(|(name, theirs)| Some((name.to_owned(), said.get(theirs)?.clone())));
    let mut outcome: Document = members.collect();
    outcome.insert("status".into(), json!("OK"));
    outcome
}

/// What is not known is null in its JSON, and a number in a language that has no other way to say it.
fn failure(said: &Value) -> Document {
    let number = |name: &str, unknown: i64| said[name].as_i64().unwrap_or(unknown);
    let outcome = json!({
        "status": said["status"],
        "server_code": number("server_code", 0),
        "http_status": number("http_status", 0),
        "request_id": said["request_id"],
        "os_errno": number("os_errno", 0),
        "retryable": said["retryable"],
        "attempts": number("attempts", 0),
        "slice_offset": number("slice_offset", -1),
        "operation": said["operation"],
        "message": said["message"],
    });
    outcome.as_object().cloned().unwrap_or_default()
}
