//! How each option is told to the command, or why it is not, and what a job becomes.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::Failure;
use crate::scenario::{Document, Scenario};
use crate::vocabulary::kind_of_source;

/// How an option is told to the command.
pub enum How {
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

/// The options of a client.
pub const CLIENT: [(&str, How); 28] = [
    ("endpoint", Flag("--endpoint")),
    ("region", Flag("--region")),
    ("api", Flag("--api")),
    ("connections", Flag("--concurrency")),
    ("adaptive_connections", Flag("--max-concurrency")),
    ("rate_limit", Flag("--limit-rate")),
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

/// The options of an upload.
pub const UPLOAD: [(&str, How); 18] = [
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
    (
        "single_request_limit",
        Not("what a person sends by hand need not save a request"),
    ),
    ("deadline_ms", Flag("--deadline")),
    (
        "rate_limit",
        Not("it has one upload, of which the client's limit is that of the upload"),
    ),
];

/// Flags that are the command's alone, or go with another one's option.
pub const OWN_FLAGS: [&str; 8] = [
    "--help",
    "--json",
    "--quiet",
    "--verbose",
    "--no-checkpoint",
    "--spool-dir",
    "--timeout",
    "--version",
];

/// Why it can't do a scenario.
pub fn cannot(scenario: &Scenario) -> Option<String> {
    scenario.steps.iter().find_map(|step| {
        if step.uploads.iter().any(|upload| !upload.contains_key("source")) {
            return Some("source: it does nothing without a file".into());
        }
        let client = step.client.iter().filter(|(_, value)| !value.is_null());
        let client = client.map(|(name, value)| cannot_with(&CLIENT, name, value));
        let uploads = step
            .uploads
            .iter()
            .flat_map(|upload| upload.iter().map(|member| cannot_upload(upload, member)));
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
        "control" if value.get("cancel_at").is_none() => {
            Some("control: a signal comes later than that".into())
        }
        "control" => None,
        "source" => {
            let kind = kind_of_source(value.as_object()?)?;
            let is_known = value["size"].as_i64().is_some_and(|size| size >= 0);
            match kind {
                "descriptor"
                    if value["descriptor"]
                        .as_str()
                        .is_some_and(|path| path.starts_with("/dev/")) =>
                {
                    Some("descriptor: what is no file on standard input is a stream".into())
                }
                "stream" if value.get("fail_at").is_some() => {
                    Some("stream: standard input can't be made to fail".into())
                }
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
pub struct Invocation {
    pub arguments: Vec<OsString>,
    pub environment: Vec<(&'static str, String)>,
    pub input: Option<Input>,
}

/// What is on standard input.
pub enum Input {
    File(PathBuf),
    Pipe(PathBuf),
}

/// What an upload of a job becomes.
///
/// # Errors
/// The command has no such option.
pub fn invocation(client: &Document, upload: &Document) -> Result<Invocation, Failure> {
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
    made.arguments.extend([
        "--".into(),
        file,
        format!("cos://{}/{path}", text("bucket")).into(),
    ]);
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
            let name = value
                .as_u64()
                .and_then(|number| names.get(usize::try_from(number).ok()?));
            made.flag(
                "--signature-scope",
                name.map_or_else(|| value.to_string(), |name| (*name).to_owned()),
            );
        }
        "slice_sizes" => {
            let sizes: Vec<_> = value.as_array().into_iter().flatten().map(plain).collect();
            made.flag("--slice-sizes", sizes.join(","));
        }
        "form_fields" | "headers" => {
            let (flag, between) = if option == "headers" {
                ("--header", ":")
            } else {
                ("--form-field", "=")
            };
            for one in value.as_array().into_iter().flatten() {
                made.flag(
                    flag,
                    format!("{}{between}{}", plain(&one["name"]), plain(&one["value"])),
                );
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
            made.flag(
                "--deadline",
                if ms > 0 {
                    (ms / 1000).to_string()
                } else {
                    ms.to_string()
                },
            );
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
            let bytes = bytes
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{digits:?}: {error}"))?;
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
