//! Who does jobs: a program that speaks by lines, or the command.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use crate::command::CommandRunner;
use crate::ground::Ground;
use crate::scenario::{Document, Scenario};
use crate::vocabulary::{Hello, Vocabulary};
use crate::{Failure, HANG_GUARD};

/// Options that a binding does not have, and why that is right: `(runner, option, reason)`. Scenarios that use one of them
/// say that they are not for that runner.
const EXCUSED: [(&str, &str, &str); 3] = [
    ("go", NO_SOURCE, "each of its functions that uploads takes one"),
    ("swift", NO_SOURCE, "each of its functions that uploads takes one"),
    ("swift", NO_SIGNER, "each of its clients is made with one"),
];

/// In the place of an option: an upload of nothing.
const NO_SOURCE: &str = "no source";
/// In the place of an option: a client without anybody who signs.
const NO_SIGNER: &str = "no signer";

/// Environment variables of a process.
pub type Environment = BTreeMap<String, String>;

/// What a job came to.
#[derive(Debug, Default)]
pub struct Answer {
    pub outcomes: Vec<Document>,
    pub log: Option<Vec<Document>>,
}

/// One who does jobs.
pub enum Runner {
    Program(Box<Program>),
    Command(CommandRunner),
}

impl Runner {
    /// The name by which scenarios speak of it.
    pub fn name(&self) -> &str {
        match self {
            Self::Program(program) => &program.name,
            Self::Command(_) => crate::command::NAME,
        }
    }

    /// What it lacks of the vocabulary, or has too much.
    pub fn faults(&mut self, vocabulary: &Vocabulary) -> Vec<Failure> {
        match self {
            Self::Program(program) => {
                let name = program.name.clone();
                match program.hello() {
                    Ok(hello) if hello.hello != name => {
                        vec![format!("{name} says that it is {}", hello.hello)]
                    }
                    Ok(hello) => vocabulary.faults_of(hello, &excused(&name)),
                    Err(failure) => vec![failure],
                }
            }
            Self::Command(command) => command.faults(vocabulary),
        }
    }

    /// Whether it can do a scenario, and if not why.
    pub fn cannot(&self, scenario: &Scenario) -> Option<String> {
        match self {
            Self::Program(program) => {
                let mut lacks = EXCUSED.iter().filter(|(runner, ..)| *runner == program.name);
                let lacks = lacks.find(|(_, option, _)| uses(scenario, option));
                lacks.map(|(_, option, why)| format!("{option}: {why}"))
            }
            Self::Command(_) => crate::command::cannot(scenario),
        }
    }

    /// Does a job, as a new process where there is an environment for that.
    ///
    /// # Errors
    /// It does not answer, or not as it should.
    pub fn run(
        &mut self,
        job: &Document,
        new: Option<Environment>,
        ground: &Ground,
    ) -> Result<Answer, Failure> {
        match self {
            Self::Program(program) => {
                if let Some(environment) = new {
                    program.end()?;
                    program.environment = environment;
                }
                program.run(job)
            }
            Self::Command(command) => command.run(job, &new.unwrap_or_default(), ground),
        }
    }

    /// Forgets what a scenario told a process.
    ///
    /// # Errors
    /// It did not end well.
    pub fn reset(&mut self) -> Result<(), Failure> {
        match self {
            Self::Program(program) if !program.environment.is_empty() => {
                program.environment.clear();
                program.end()
            }
            _ => Ok(()),
        }
    }

    /// Ends its process, which must be glad to.
    ///
    /// # Errors
    /// It did not end well.
    pub fn end(&mut self) -> Result<(), Failure> {
        match self {
            Self::Program(program) => program.end(),
            Self::Command(_) => Ok(()),
        }
    }
}

fn uses(scenario: &Scenario, option: &str) -> bool {
    let uploads = || scenario.steps.iter().flat_map(|step| &step.uploads);
    match option {
        NO_SOURCE => uploads().any(|upload| !upload.contains_key("source")),
        NO_SIGNER => scenario.steps.iter().any(|step| {
            // The key that goes without saying is left out, and nothing is in its place.
            let others = ["authorization", "signer"];
            step.client.get("secret_key") == Some(&Value::Null)
                && !others.iter().any(|signer| step.client.contains_key(*signer))
        }),
        _ => uploads()
            .chain(scenario.steps.iter().map(|step| &step.client))
            .any(|options| options.contains_key(option)),
    }
}

fn excused(name: &str) -> BTreeSet<String> {
    let of_it = EXCUSED.iter().filter(|(runner, ..)| *runner == name);
    of_it.map(|(_, option, _)| (*option).to_owned()).collect()
}

/// A program that reads a job per line.
pub struct Program {
    name: String,
    path: PathBuf,
    /// What it writes on standard error.
    messages: PathBuf,
    environment: Environment,
    process: Option<Process>,
}

/// One that is running; killed when dropped, with what it has started.
struct Process {
    child: Child,
    jobs: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
    hello: Hello,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may be over already; its group is its own, for it may be a script that has started the program.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Program {
    /// One that is started when it is needed.
    pub fn new(name: &str, path: &Path, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            path: path.to_owned(),
            messages: folder.join(format!("{name}.stderr")),
            environment: Environment::new(),
            process: None,
        }
    }

    fn hello(&mut self) -> Result<&Hello, Failure> {
        if self.process.is_none() {
            self.process = Some(self.start()?);
        }
        match &self.process {
            Some(process) => Ok(&process.hello),
            None => Err(format!("{} does not run", self.name)),
        }
    }

    fn start(&self) -> Result<Process, Failure> {
        let failed = |error: std::io::Error| format!("{} ({}): {error}", self.name, self.path.display());
        let messages = File::options()
            .create(true)
            .append(true)
            .open(&self.messages)
            .map_err(failed)?;
        let mut command = Command::new(&self.path);
        for name in std::env::vars_os().map(|(name, _)| name) {
            let text = name.to_string_lossy().to_lowercase();
            if text.ends_with("_proxy") || text.starts_with("cos_slice_") {
                command.env_remove(name);
            }
        }
        command.envs(&self.environment).process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(messages);
        let mut child = command.spawn().map_err(failed)?;
        let (told, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if told.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        let jobs = child.stdin.take();
        let hello = Hello::default();
        let mut process = Process {
            child,
            jobs,
            lines,
            hello,
        };
        let line = self.line(&process)?;
        process.hello = serde_json::from_str(&line)
            .map_err(|error| format!("{}: its hello: {error}: {line}", self.name))?;
        Ok(process)
    }

    fn line(&self, process: &Process) -> Result<String, Failure> {
        process.lines.recv_timeout(HANG_GUARD).map_err(|error| {
            let said = std::fs::read_to_string(&self.messages).unwrap_or_default();
            let tail = said.lines().rev().take(5).collect::<Vec<_>>();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            let what = match error {
                mpsc::RecvTimeoutError::Timeout => "hangs",
                mpsc::RecvTimeoutError::Disconnected => "ended without an answer",
            };
            format!("the runner {what}: {}", tail.join(" | "))
        })
    }

    fn run(&mut self, job: &Document) -> Result<Answer, Failure> {
        self.hello()?;
        let Some(mut process) = self.process.take() else {
            return Err(format!("{} does not run", self.name));
        };
        // Whoever fails here is killed, and started anew for the next job.
        let jobs = process.jobs.as_mut().ok_or("its standard input is closed")?;
        let text = Value::Object(job.clone()).to_string();
        writeln!(jobs, "{text}")
            .and_then(|()| jobs.flush())
            .map_err(|error| format!("the job can't be told: {error}"))?;
        let line = self.line(&process)?;
        let answer = answer(&line, &job["id"]).map_err(|what| format!("{what}: {line}"))?;
        self.process = Some(process);
        Ok(answer)
    }

    /// Closes its input, and waits for its end.
    fn end(&mut self) -> Result<(), Failure> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        drop(process.jobs.take());
        match process.lines.recv_timeout(HANG_GUARD) {
            Err(mpsc::RecvTimeoutError::Disconnected) => {}
            Err(mpsc::RecvTimeoutError::Timeout) => return Err(format!("{} does not end", self.name)),
            Ok(line) => return Err(format!("{} says more than it was asked: {line}", self.name)),
        }
        match process.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(format!("{} ended with {status}", self.name)),
            Err(error) => Err(format!("{}: {error}", self.name)),
        }
    }
}

fn answer(line: &str, id: &Value) -> Result<Answer, Failure> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        id: Value,
        outcomes: Vec<Document>,
        log: Option<Vec<Document>>,
    }
    let line: Line = serde_json::from_str(line).map_err(|error| format!("no answer ({error})"))?;
    if line.id != *id {
        return Err("the answer to another job".to_owned());
    }
    Ok(Answer {
        outcomes: line.outcomes,
        log: line.log,
    })
}
