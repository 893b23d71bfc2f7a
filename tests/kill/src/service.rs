//! The service: a `cos-emulator` process on a folder, that can be killed and comes back at the same address.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::account::{APP_ID, BUCKET, PATH, SECRET_ID, SECRET_KEY};
use crate::log::{self, MARK, Record};
use crate::{Failure, setup};

/// How long an answer of the control API may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running emulator; killed when dropped.
pub struct Service {
    executable: PathBuf,
    folder: PathBuf,
    /// An address of its own, so that nobody takes the port while the emulator is away.
    listen: String,
    child: Child,
    /// How often it was started.
    lives: usize,
    control: ureq::Agent,
}

impl Service {
    /// Starts it below `folder`, at a port that the system chooses at `host`.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(executable: &Path, folder: &Path, host: &str) -> Result<Self, Failure> {
        let (child, address) = spawn(executable, folder, &format!("{host}:0"), 0)?;
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            // A connection kept would be one to an emulator that is gone.
            .max_idle_connections(0)
            .http_status_as_error(false)
            .proxy(None)
            .build();
        Ok(Self {
            executable: executable.to_owned(),
            folder: folder.to_owned(),
            listen: address,
            child,
            lives: 1,
            control: config.into(),
        })
    }

    /// Where uploaders find it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// It was not alive.
    pub fn kill(&mut self) -> Result<(), Failure> {
        let alive = setup::said("the emulator", self.child.try_wait())?.is_none();
        setup::said("killing the emulator", self.child.kill())?;
        setup::said("waiting for the emulator", self.child.wait())?;
        if alive {
            Ok(())
        } else {
            Err("the emulator had ended by itself".to_owned())
        }
    }

    /// SIGTERM. When this returns, every request that it got is in the log.
    ///
    /// # Errors
    /// It did not end well.
    pub fn stop(&mut self) -> Result<(), Failure> {
        setup::said(
            "stopping the emulator",
            kill_process(Pid::from_child(&self.child), Signal::TERM),
        )?;
        let status = setup::said("waiting for the emulator", self.child.wait())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the emulator ended with {status}"))
        }
    }

    /// Starts it again where it was.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_again(&mut self) -> Result<(), Failure> {
        (self.child, _) = spawn(&self.executable, &self.folder, &self.listen, self.lives)?;
        self.lives += 1;
        Ok(())
    }

    /// The log of the present life.
    pub fn log_file(&self) -> PathBuf {
        log_file(&self.folder, self.lives - 1)
    }

    /// What the logs of all lives have.
    ///
    /// # Errors
    /// A log can't be read.
    pub fn logs(&self) -> Result<Vec<Vec<Record>>, Failure> {
        let read = |life| -> Result<Vec<Record>, Failure> {
            log::parse(&setup::said(
                "the log",
                fs::read_to_string(log_file(&self.folder, life)),
            )?)
        };
        (0..self.lives).map(read).collect()
    }

    /// Removes all fault rules.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub fn clear_faults(&self) -> Result<(), Failure> {
        self.ask("DELETE", "/_emulator/faults", "").map(drop)
    }

    /// Adds fault rules.
    ///
    /// # Errors
    /// The emulator does not take them.
    pub fn add_faults(&self, rules: &Value) -> Result<(), Failure> {
        self.ask("POST", "/_emulator/faults", &rules.to_string())
            .map(drop)
    }

    /// Puts a mark into the log: connections from now on are of this run.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub fn mark(&self, run: usize) -> Result<(), Failure> {
        let target = format!("/files/v2/{APP_ID}/{BUCKET}/{MARK}{run}?op=stat");
        let (status, answer) = self.request("GET", &target, "")?;
        // It has no signature.
        if status == 403 {
            Ok(())
        } else {
            Err(format!("the mark was answered {status} {answer}"))
        }
    }

    /// The offsets that the unfinished upload holds; empty where there is none.
    ///
    /// # Errors
    /// The emulator does not answer.
    pub fn parts(&self) -> Result<Vec<u64>, Failure> {
        let answer = self.ask("GET", "/_emulator/uploads", "")?;
        let uploads: Vec<Value> = setup::said("the uploads", serde_json::from_str(&answer))?;
        let parts = uploads
            .iter()
            .filter_map(|upload| upload["parts"].as_array())
            .flatten();
        Ok(parts.filter_map(|part| part["offset"].as_u64()).collect())
    }

    /// Where the object is, once it is complete.
    pub fn object(&self) -> PathBuf {
        self.data()
            .join("objects")
            .join(BUCKET)
            .join(PATH.trim_start_matches('/'))
    }

    /// The folder that the emulator keeps everything in.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn ask(&self, method: &str, target: &str, body: &str) -> Result<String, Failure> {
        match self.request(method, target, body)? {
            (200, answer) => Ok(answer),
            (status, answer) => Err(format!("{method} {target} was answered {status} {answer}")),
        }
    }

    fn request(&self, method: &str, target: &str, body: &str) -> Result<(u16, String), Failure> {
        let uri = format!("{}{target}", self.endpoint());
        let what = format!("{method} {target}");
        let answer = match method {
            "POST" => self.control.post(&uri).send(body),
            "DELETE" => self.control.delete(&uri).call(),
            _ => self.control.get(&uri).call(),
        };
        let mut answer = setup::said(&what, answer)?;
        let text = setup::said(&what, answer.body_mut().read_to_string())?;
        Ok((answer.status().as_u16(), text))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may be over already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_file(folder: &Path, life: usize) -> PathBuf {
    folder.join(format!("log-{life}"))
}

/// Starts the process; tells where it listens.
fn spawn(executable: &Path, folder: &Path, listen: &str, life: usize) -> Result<(Child, String), Failure> {
    setup::said("the emulator's folder", fs::create_dir_all(folder))?;
    let log = setup::said("the log", File::create(log_file(folder, life)))?;
    let mut command = Command::new(executable);
    command.arg("--log").arg("--dir").arg(folder.join("data"));
    command.args(["--listen", listen, "--app-id", APP_ID]);
    command.args(["--secret-id", SECRET_ID, "--secret-key", SECRET_KEY]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    let mut child = setup::said("starting the emulator", command.spawn())?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        setup::said(
            "the emulator's greeting",
            BufReader::new(stdout).read_line(&mut line),
        )?;
    }
    match line.trim_end().rsplit_once("http://") {
        Some((_, address)) => Ok((child, address.to_owned())),
        None => {
            let _ = child.kill();
            let _ = child.wait();
            let log = fs::read_to_string(log_file(folder, life)).unwrap_or_default();
            Err(format!("the emulator did not start: {line}{log}"))
        }
    }
}
