//! The command as a runner: a job becomes arguments, environment and standard input, and its JSON an outcome.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use cos_emulator::RequestRecord;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::ground::Ground;
use crate::runner::{Answer, Environment};
use crate::scenario::{Document, Scenario};
use crate::vocabulary::{Vocabulary, kind_of_source};
use crate::{Failure, HANG_GUARD};

/// The name by which scenarios speak of it.
pub const NAME: &str = "command";

/// How an option is told to the command.
enum How {
    /// By this one of its own.
    Flag(&'static str),
    /// By the environment, as an argument or on standard input.
    Otherwise,
    /// Not at all, and why that is right.
    Not(&'static str),
}

use How::{Flag, Not, Otherwise};

const ONE_LIMIT: &str = "it has one time limit, --timeout, in whole seconds";
const LIBRARY: &str = "that is for programs, which use the library";

const CLIENT: [(&str, How); 26] = [
    ("endpoint", Flag("--endpoint")),
    ("region", Flag("--region")),
    ("api", Flag("--api")),
    ("connections", Flag("--concurrency")),
    ("resolve_timeout_ms", Not(ONE_LIMIT)),
    ("connect_timeout_ms", Not(ONE_LIMIT)),
    ("tls_timeout_ms", Not(ONE_LIMIT)),
    ("stall_timeout_ms", Not(ONE_LIMIT)),
    ("answer_timeout_ms", Not(ONE_LIMIT)),
    ("finish_timeout_ms", Not(ONE_LIMIT)),
    ("ca_file", Flag("--ca-file")),
    ("ca_pem", Not("it takes a file")),
    ("proxy", Flag("--proxy")),
    ("use_env_proxy", Flag("--no-proxy")),
    ("checkpoint_dir", Flag("--checkpoint-dir")),
    ("secret_key", Otherwise),
    ("authorization", Otherwise),
    ("signer", Not(LIBRARY)),
    ("signature_scope", Flag("--signature-scope")),
    ("signature_lifetime_s", Flag("--signature-lifetime")),
    ("slice_sizes", Flag("--slice-sizes")),
    ("form_fields", Flag("--form-field")),
    ("headers", Flag("--header")),
    ("token_place", Flag("--token-place")),
    ("slice_md5", Flag("--slice-md5")),
    ("log", Not("its log is lines for people")),
];

const UPLOAD: [(&str, How); 17] = [
    ("file", Otherwise),
    ("file_bytes", Otherwise),
    ("memory", Not(LIBRARY)),
    // Standard input is one.
    ("descriptor", Otherwise),
    ("read_at", Not(LIBRARY)),
    ("stream", Flag("--size")),
    ("range", Not("a shell has tail and head")),
    ("spool", Flag("--spool-limit")),
    ("slice_size", Flag("--slice-size")),
    ("hash", Flag("--no-hash")),
    ("overwrite", Flag("--overwrite")),
    ("create_parents", Flag("--create-parents")),
    ("discard_unfinished", Flag("--discard-unfinished")),
    ("verify", Flag("--no-verify")),
    ("biz_attr", Flag("--biz-attr")),
    ("single_request_limit", Not("what a person sends by hand need not save a request")),
    ("deadline_ms", Flag("--deadline")),
];

/// Flags that are the command's alone, or go with another one's option.
const OWN_FLAGS: [&str; 8] = [
    "--help",
    "--json",
    "--quiet",
    "--verbose",
    "--no-checkpoint",
    "--spool-dir",
    "--timeout",
    "--version",
];

/// Members of an outcome that it does not tell, and why that is right.
pub const UNTOLD: [(&str, &str); 2] = [
    ("progress", "it is shown to people, on standard error"),
    ("callback_value", "it has no callback that could return one"),
];

/// The program `cos-slice`.
pub struct CommandRunner {
    path: PathBuf,
}

/// Why it can't do a scenario.
pub fn cannot(scenario: &Scenario) -> Option<String> {
    scenario.steps.iter().find_map(|step| {
        let client = step.client.iter().filter(|(_, value)| !value.is_null());
        let client = client.map(|(name, value)| cannot_with(&CLIENT, name, value));
        let uploads = step.uploads.iter().flat_map(|upload| upload.iter().map(|member| cannot_upload(upload, member)));
        client.chain(uploads).flatten().next()
    })
}

fn cannot_with(table: &[(&str, How)], name: &str, value: &Value) -> Option<String> {
    let how = table.iter().find(|(option, _)| *option == name);
    match (name, how) {
        (_, Some((_, Not(why)))) => Some(format!("{name}: {why}")),
        ("proxy", _) if value.as_str().is_some_and(|url| url.contains("login")) => {
            Some("proxy: it takes no password where others can see it".into())
        }
        ("deadline_ms", _) if value.as_i64().is_some_and(|ms| ms > 0 && ms % 1000 != 0) => {
            Some("deadline_ms: it has whole seconds".into())
        }
        _ => None,
    }
}

fn cannot_upload(upload: &Document, (name, value): (&String, &Value)) -> Option<String> {
    match name.as_str() {
        "bucket" | "path" | "expect" => None,
        "control" if value.get("cancel_at").is_none() => Some("control: a signal comes later than that".into()),
        "control" => None,
        "source" => {
            let kind = kind_of_source(value.as_object()?)?;
            let is_known = value["size"].as_i64().is_some_and(|size| size >= 0);
            match kind {
                "stream" if value.get("fail_at").is_some() => Some("stream: standard input can't be made to fail".into()),
                "stream" if is_known == upload.contains_key("spool") => {
                    Some("stream: one of unknown size is spooled always, and another never".into())
                }
                "stream" if is_known && upload.contains_key("hash") => {
                    Some("hash: a stream of known size never is".into())
                }
                _ => cannot_with(&UPLOAD, kind, value),
            }
        }
        _ => cannot_with(&UPLOAD, name, value),
    }
}

/// What is started for one upload.
#[derive(Default)]
struct Invocation {
    arguments: Vec<OsString>,
    environment: Vec<(&'static str, String)>,
    input: Option<Input>,
}

enum Input {
    File(PathBuf),
    Pipe(PathBuf),
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
            faults.extend(missing.map(|option| format!("it is not said how the command has the option {option} of {of}")));
            let foreign = here.difference(there);
            faults.extend(foreign.map(|option| format!("the command's table has an option {option} of {of}, which there is not")));
        }
        let flags = CLIENT.iter().chain(&UPLOAD).filter_map(|(_, how)| match how {
            Flag(flag) => Some(*flag),
            Otherwise | Not(_) => None,
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
                let flag = first.map(|word| word.trim_end_matches(',')).find(|word| word.starts_with("--"));
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
            let invocation = invocation(client, upload)?;
            let mut command = Command::new(&self.path);
            command.env_clear().envs(environment).envs(invocation.environment);
            command.arg("upload").arg("--json").args(&invocation.arguments);
            let cancel_at = upload.get("control").and_then(|control| control["cancel_at"].as_u64());
            let ended = run(&mut command, invocation.input, |child| match cancel_at {
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
        let lengths = records.iter().filter(is_slice).filter_map(|record| record.content_length);
        lengths.sum::<u64>() >= bytes
    };
    if !ground.emulator.wait_for_requests(enough, HANG_GUARD) {
        return Err(format!("{bytes} bytes were never sent"));
    }
    kill_process(Pid::from_child(child), Signal::INT).map_err(|error| error.to_string())
}

fn invocation(client: &Document, upload: &Document) -> Result<Invocation, Failure> {
    let mut made = Invocation::default();
    if !client.contains_key("checkpoint_dir") {
        made.arguments.push("--no-checkpoint".into());
    }
    for (option, value) in client {
        add_client_option(&mut made, option, value)?;
    }
    for (option, value) in upload {
        add_upload_option(&mut made, option, value)?;
    }
    let text = |name: &str| upload[name].as_str().unwrap_or_default();
    let path = text("path").trim_start_matches('/');
    let file = add_source(&mut made, &upload.get("source").cloned().unwrap_or_default())?;
    made.arguments.extend(["--".into(), file, format!("cos://{}/{path}", text("bucket")).into()]);
    Ok(made)
}

impl Invocation {
    fn flag(&mut self, flag: &str, value: impl AsRef<OsStr>) {
        let mut argument = OsString::from(flag);
        argument.push("=");
        argument.push(value);
        self.arguments.push(argument);
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn add_client_option(made: &mut Invocation, option: &str, value: &Value) -> Result<(), Failure> {
    let member = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    match option {
        "api" => made.flag("--api", format!("v{value}")),
        "secret_key" => made.environment.extend([
            ("COS_SLICE_APP_ID", member("app_id")),
            ("COS_SLICE_SECRET_ID", member("secret_id")),
            ("COS_SLICE_SECRET_KEY", member("secret_key")),
        ]),
        "authorization" => made.environment.extend([
            ("COS_SLICE_APP_ID", member("app_id")),
            ("COS_SLICE_AUTHORIZATION", member("authorization")),
        ]),
        "signature_scope" => {
            let names = ["path", "directory", "bucket", "unbound"];
            let name = value.as_u64().and_then(|number| names.get(usize::try_from(number).ok()?));
            made.flag("--signature-scope", name.map_or_else(|| value.to_string(), |name| (*name).to_owned()));
        }
        "slice_sizes" => {
            let sizes: Vec<_> = value.as_array().into_iter().flatten().map(plain).collect();
            made.flag("--slice-sizes", sizes.join(","));
        }
        "form_fields" | "headers" => {
            let (flag, between) = if option == "headers" { ("--header", ":") } else { ("--form-field", "=") };
            for one in value.as_array().into_iter().flatten() {
                made.flag(flag, format!("{}{between}{}", plain(&one["name"]), plain(&one["value"])));
            }
        }
        "token_place" => {
            let place = match value["place"].as_i64() {
                Some(0) => "header".to_owned(),
                Some(1) => format!("word:{}", member("word")),
                Some(2) => "query".to_owned(),
                _ => plain(&value["place"]),
            };
            made.flag("--token-place", place);
        }
        "slice_md5" if value == true => made.arguments.push("--slice-md5".into()),
        "use_env_proxy" if value == false => made.arguments.push("--no-proxy".into()),
        "slice_md5" | "use_env_proxy" => {}
        _ => made.flag(flag_of(&CLIENT, option)?, plain(value)),
    }
    Ok(())
}

fn add_upload_option(made: &mut Invocation, option: &str, value: &Value) -> Result<(), Failure> {
    match option {
        "bucket" | "path" | "source" | "control" => {}
        "spool" => {
            made.flag("--spool-limit", plain(&value["limit_bytes"]));
            if let Some(folder) = value["directory"].as_str() {
                made.flag("--spool-dir", folder);
            }
        }
        "deadline_ms" => {
            let ms = value.as_i64().unwrap_or_default();
            made.flag("--deadline", if ms > 0 { (ms / 1000).to_string() } else { ms.to_string() });
        }
        "hash" | "verify" => {
            if value == false {
                made.arguments.push(flag_of(&UPLOAD, option)?.into());
            }
        }
        "overwrite" | "create_parents" | "discard_unfinished" => {
            if value == true {
                made.arguments.push(flag_of(&UPLOAD, option)?.into());
            }
        }
        _ => made.flag(flag_of(&UPLOAD, option)?, plain(value)),
    }
    Ok(())
}

/// What stands for the file.
fn add_source(made: &mut Invocation, source: &Value) -> Result<OsString, Failure> {
    let path = |name: &str| PathBuf::from(source[name].as_str().unwrap_or_default());
    let kind = source.as_object().and_then(kind_of_source);
    match kind {
        Some("file") => Ok(path("file").into_os_string()),
        Some("file_bytes") => {
            let digits = source["file_bytes"].as_str().unwrap_or_default();
            let bytes = (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16));
            let bytes = bytes.collect::<Result<_, _>>().map_err(|error| format!("{digits:?}: {error}"))?;
            Ok(OsString::from_vec(bytes))
        }
        Some("descriptor") => {
            made.input = Some(Input::File(path("descriptor")));
            Ok("-".into())
        }
        Some("stream") => {
            made.input = Some(Input::Pipe(path("stream")));
            if let Some(size) = source["size"].as_u64() {
                made.flag("--size", size.to_string());
            }
            Ok("-".into())
        }
        other => Err(format!("the command has no source {other:?}")),
    }
}

fn flag_of(table: &[(&str, How)], option: &str) -> Result<&'static str, Failure> {
    match table.iter().find(|(name, _)| *name == option) {
        Some((_, Flag(flag))) => Ok(flag),
        _ => Err(format!("the command has no option {option}")),
    }
}

/// A process that has ended.
struct Ended {
    status: ExitStatus,
    stdout: String,
    stderr: String,
}

/// Runs a process to its end; `meanwhile` is done while it runs.
fn run(
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
    let status = match end.recv_timeout(if done.is_ok() { HANG_GUARD } else { std::time::Duration::ZERO }) {
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
    fn outcome(&self) -> Result<Document, Failure> {
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
    let members = names.into_iter().filter_map(|(name, theirs)| Some((name.to_owned(), said.get(theirs)?.clone())));
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
