//! The program itself, as a child process.
#![allow(dead_code)] // Each test program uses its own part.

use crate::support::{APP_ID, Client};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

pub fn command(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cos-emulator"));
    command.env_remove("COS_EMULATOR_SECRET_KEY");
    command.arg("--dir").arg(directory);
    command.args([
        "--listen",
        "127.0.0.1:0",
        "--app-id",
        APP_ID,
        "--secret-id",
        "AKIDtest",
    ]);
    command
}

/// A running program; killed when dropped.
pub struct Process {
    pub child: Child,
    pub client: Client,
    /// What it said that it listens on.
    pub endpoint: String,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(directory: &Path) -> Process {
        Process::spawn(command(directory).args(["--secret-key", "secret"]))
    }

    pub fn spawn(command: &mut Command) -> Process {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let endpoint = line
            .strip_prefix("cos-emulator listening on ")
            .and_then(|rest| rest.strip_suffix('\n'))
            .unwrap_or_else(|| panic!("{line:?}"))
            .to_owned();
        let address = endpoint
            .strip_prefix("http://")
            .or(endpoint.strip_prefix("https://"));
        let client = Client::at(address.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap());
        Process {
            child,
            client,
            endpoint,
            stdout,
        }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it printed after its first line, once it has ended.
    pub fn rest_of_stdout(&mut self) -> String {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        rest
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
