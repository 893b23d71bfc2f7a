//! The command as a runner: a job becomes arguments, environment and standard input, and its JSON an outcome.

mod options;
mod process;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command};

use cos_emulator::RequestRecord;
use rustix::process::{Pid, Signal, kill_process};

use crate::ground::Ground;
use crate::runner::{Answer, Environment};
use crate::scenario::Document;
use crate::vocabulary::Vocabulary;
use crate::{Failure, HANG_GUARD};

use options::{CLIENT, How, OWN_FLAGS, UPLOAD};

pub use options::cannot;

/// The name by which scenarios speak of it.
pub const NAME: &str = "command";

/// Members of an outcome that it does not tell, and why that is right.
pub const UNTOLD: [(&str, &str); 2] = [
    ("progress", "it is shown to people, on standard error"),
    ("callback_value", "it has no callback that could return one"),
];

/// The program `cos-slice`.
pub struct CommandRunner {
    path: PathBuf,
}

impl CommandRunner {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// What its table lacks of the vocabulary and of the command's own options, or has too much.
    pub fn faults(&self, vocabulary: &Vocabulary) -> Vec<Failure> {
        let mut faults = Vec::new();
        for (of, there, table) in [
            ("a client", &vocabulary.client, &CLIENT[..]),
            ("an upload", &vocabulary.upload, &UPLOAD[..]),
        ] {
            let here: BTreeSet<_> = table.iter().map(|(option, _)| (*option).to_owned()).collect();
            let missing = there.difference(&here);
            faults.extend(
                missing
                    .map(|option| format!("it is not said how the command has the option {option} of {of}")),
            );
            let foreign = here.difference(there);
            faults.extend(foreign.map(|option| {
                format!("the command's table has an option {option} of {of}, which there is not")
            }));
        }
        let flags = CLIENT.iter().chain(&UPLOAD).filter_map(|(_, how)| match how {
            How::Flag(flag) => Some(*flag),
            How::Otherwise | How::Not(_) => None,
        });
        let expected: BTreeSet<_> = flags.chain(OWN_FLAGS).map(str::to_owned).collect();
        match self.flags() {
            Ok(there) => {
                let missing = expected.difference(&there);
                faults.extend(missing.map(|flag| format!("the command has no {flag}")));
                let foreign = there.difference(&expected);
                faults.extend(foreign.map(|flag| format!("it is not said what the command's {flag} is for")));
            }
            Err(failure) => faults.push(failure),
        }
        faults
    }

    /// The options that its help lists.
    fn flags(&self) -> Result<BTreeSet<String>, Failure> {
        let mut flags = BTreeSet::new();
        for arguments in [&["--help"][..], &["upload", "--help"]] {
            let output = Command::new(&self.path).args(arguments).output();
            let output = output.map_err(|error| format!("{}: {error}", self.path.display()))?;
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let first = line.split_whitespace().take(2);
                let flag = first
                    .map(|word| word.trim_end_matches(','))
                    .find(|word| word.starts_with("--"));
                flags.extend(flag.map(|flag| flag.trim_end_matches("...").to_owned()));
            }
        }
        Ok(flags)
    }

    /// Does a job: one process for each upload.
    ///
    /// # Errors
    /// The command hangs, or says something other than it should.
    pub fn run(&self, job: &Document, environment: &Environment, ground: &Ground) -> Result<Answer, Failure> {
        let client = job["client"].as_object().ok_or("no client")?;
        let mut answer = Answer::default();
        for upload in job["uploads"].as_array().into_iter().flatten() {
            let upload = upload.as_object().ok_or("no upload")?;
            let invocation = options::invocation(client, upload)?;
            let mut command = Command::new(&self.path);
            command.env_clear().envs(environment).envs(invocation.environment);
            command.arg("upload").arg("--json").args(&invocation.arguments);
            let cancel_at = upload
                .get("control")
                .and_then(|control| control["cancel_at"].as_u64());
            let ended = process::run(&mut command, invocation.input, |child| match cancel_at {
                Some(bytes) => interrupt(child, bytes, ground),
                None => Ok(()),
            })?;
            answer.outcomes.push(ended.outcome()?);
        }
        Ok(answer)
    }
}

/// Sends Ctrl-C once so many bytes are on the store.
fn interrupt(child: &Child, bytes: u64, ground: &Ground) -> Result<(), Failure> {
    let is_slice = |record: &&RequestRecord| {
        record.code == Some(0) && matches!(record.operation.as_deref(), Some("upload_slice_data" | "v1_data"))
    };
    let enough = |records: &[RequestRecord]| {
        let lengths = records
            .iter()
            .filter(is_slice)
            .filter_map(|record| record.content_length);
        lengths.sum::<u64>() >= bytes
    };
    if !ground.emulator.wait_for_requests(enough, HANG_GUARD) {
        return Err(format!("{bytes} bytes were never sent"));
    }
    kill_process(Pid::from_child(child), Signal::INT).map_err(|error| error.to_string())
}
