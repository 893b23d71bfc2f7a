//! The command line: one table of options, from which help and messages come.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueHint};
use cos_slice::protocol::signature::{self, Scope};
use cos_slice::protocol::{Api, regions};
use cos_slice::upload::options::{self, Connections};

use crate::store::{SliceArguments, StoreArguments};

/// What is read from the environment; also a section of the man pages.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "COS_SLICE_ENDPOINT",
        "where the service is, http://HOST:PORT or https://HOST …",
    ),
    ("COS_SLICE_REGION", "… or its region, by its code"),
    ("COS_SLICE_API", "v2, unless it says v1"),
    ("COS_SLICE_APP_ID", "the account's app id"),
    ("COS_SLICE_SECRET_ID", "the secret id"),
    ("COS_SLICE_SECRET_KEY", "the secret key …"),
    ("COS_SLICE_SECRET_KEY_FILE", "… or a file that holds it"),
    (
        "COS_SLICE_AUTHORIZATION",
        "in place of id and key: one string that was made elsewhere, for all requests",
    ),
    (
        "https_proxy",
        "an HTTP proxy to https endpoints, http://[USER:PASSWORD@]HOST:PORT; also HTTPS_PROXY",
    ),
    ("http_proxy", "the same to http endpoints; in lower case only"),
    ("all_proxy", "the same where there is no other; also ALL_PROXY"),
    (
        "no_proxy",
        "hosts, domains, addresses and networks that are reached without it, after commas, or *; also NO_PROXY",
    ),
];

/// What scripts go by; also a section of the man pages.
pub const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "done"),
    ("1", "failed; the reason is on stderr"),
    (
        "2",
        "the command line, the environment or a setting is not acceptable; nothing was sent",
    ),
    ("130", "interrupted; the same command resumes"),
];

/// What follows the options in all help.
fn after_help() -> String {
    let (environment, exit_status) = (columns(ENVIRONMENT), columns(EXIT_STATUS));
    format!(
        "Regions: {}.\n\nEnvironment:\n{environment}\n\nExit status:\n{exit_status}",
        regions::List
    )
}

/// A line for each name and what it means, the meanings below each other.
fn columns(rows: &[(&str, &str)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows
        .iter()
        .map(|(name, meaning)| format!("  {name:width$}  {meaning}"))
        .collect();
    lines.join("\n")
}

/// Uploads large files to Tencent COS by slices; resumes after anything.
#[derive(Debug, Parser)]
#[command(name = "cos-slice", version, after_help = after_help())]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one in the process")]
pub enum Command {
    /// Uploads a file and prints its access URL; run again after a failure, it goes on where it stopped.
    #[command(after_help = after_help())]
    Upload(UploadArguments),
    /// Tells what is at a path: none, unfinished (slices, bytes) or complete (size, SHA-1).
    #[command(after_help = after_help())]
    Status(StatusArguments),
}

#[derive(Debug, Args)]
pub struct UploadArguments {
    /// The file to upload: a regular file, or a symbolic link to one; - for standard input, from where it is to its end.
    /// Ctrl-C waits for a read of it that blocks; the second one does not.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
    /// Where the object goes.
    #[arg(value_name = "cos://BUCKET/PATH")]
    pub object: ObjectUrl,
    #[command(flatten)]
    pub service: ServiceArguments,
    /// Slice size in bytes, or with K or M: 512K, 1M, 2M, 3M; more than 1M needs --no-hash [default: 1M].
    #[arg(long, value_name = "SIZE", value_parser = bytes)]
    pub slice_size: Option<u64>,
    #[command(flatten)]
    pub slices: SliceArguments,
    /// Slices in flight at once, a fixed number [default: see --max-concurrency].
    #[arg(long, value_name = "N", value_parser = connections(), conflicts_with = "max_concurrency")]
    concurrency: Option<u32>,
    /// Slices in flight at once, at most: as many as serve the speed on this link, and fewer where the service is overloaded.
    #[arg(long, value_name = "N", default_value_t = options::DEFAULT_CONNECTIONS.most(), value_parser = connections())]
    max_concurrency: u32,
    /// Bytes a second that are sent at most, or with K, M or G: 500K, 2M [default: no limit].
    #[arg(long, value_name = "RATE", value_parser = rate_limit)]
    pub limit_rate: Option<u64>,
    /// Leaves out the SHA-1 of the file: no instant upload, no verification by content, resuming by the checkpoint only.
    #[arg(long)]
    pub no_hash: bool,
    /// Replaces an object of this name that has other content.
    #[arg(long)]
    pub overwrite: bool,
    /// An attribute that the service keeps with the object.
    #[arg(long, value_name = "TEXT", value_parser = biz_attr)]
    pub biz_attr: Option<String>,
    /// Seconds that the whole upload may take [default: no limit].
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    pub deadline: Option<u64>,
    /// Makes the directories above the object where the service wants them.
    #[arg(long)]
    pub create_parents: bool,
    /// Throws away somebody else's unfinished upload of this path.
    #[arg(long)]
    pub discard_unfinished: bool,
    /// Leaves out the comparison with the service's record at the end.
    #[arg(long)]
    pub no_verify: bool,
    /// Where what a later run needs is kept until the object is complete
    /// [default: $XDG_STATE_HOME/cos-slice, else ~/.local/state/cos-slice; on macOS in Application Support].
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub checkpoint_dir: Option<PathBuf>,
    /// Keeps nothing: a later run takes the SHA-1 again, and can't resume with --no-hash.
    #[arg(long, conflicts_with = "checkpoint_dir")]
    pub no_checkpoint: bool,
    /// With - for FILE, where that is no file: how many bytes there are to come. They are sent while they are read, without a
    /// SHA-1, and can't be gone on with by another process [default: they are written to a temporary file first].
    #[arg(long, value_name = "SIZE", value_parser = object_size)]
    pub size: Option<u64>,
    /// Where that temporary file is made [default: $TMPDIR, else /tmp]. It has no name, and is gone at the end.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "size")]
    pub spool_dir: Option<PathBuf>,
    /// How large it may be.
    #[arg(long, value_name = "SIZE", default_value = "64G", value_parser = object_size, conflicts_with = "size")]
    pub spool_limit: u64,
    /// Prints one JSON object in place of the URL, also on failure.
    #[arg(long)]
    pub json: bool,
    /// Shows no progress and no summary.
    #[arg(long, short, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl UploadArguments {
    /// How many slices may be in flight at once.
    pub fn connections(&self) -> Connections {
        self.concurrency
            .map_or(Connections::Adaptive(self.max_concurrency), Connections::Fixed)
    }
}

#[derive(Debug, Args)]
pub struct StatusArguments {
    /// The object.
    #[arg(value_name = "cos://BUCKET/PATH")]
    pub object: ObjectUrl,
    #[command(flatten)]
    pub service: ServiceArguments,
    /// Prints one JSON object in place of the line, also on failure.
    #[arg(long)]
    pub json: bool,
}

/// How the service is reached.
#[derive(Debug, Args)]
pub struct ServiceArguments {
    /// The service's region; goes before the environment.
    #[arg(long, value_name = "REGION", conflicts_with = "endpoint")]
    pub region: Option<String>,
    /// The service's address, http://HOST:PORT or https://HOST; goes before the environment.
    #[arg(long, value_name = "URL")]
    pub endpoint: Option<String>,
    /// What the service is spoken to in: v2 or v1; goes before the environment [default: v2].
    #[arg(long, value_name = "VERSION", value_parser = api)]
    pub api: Option<Api>,
    /// Seconds in which a request may move no byte, and wait for its answer [default: 30, and 60 or 120].
    #[arg(long, value_name = "SECONDS", value_parser = seconds())]
    pub timeout: Option<u64>,
    /// Certificates to trust in place of the system's, as a PEM file.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// An HTTP proxy, http://HOST:PORT; goes before the environment.
    #[arg(long, value_name = "URL", conflicts_with = "no_proxy")]
    pub proxy: Option<String>,
    /// Goes through no proxy, whatever the environment names.
    #[arg(long)]
    pub no_proxy: bool,
    /// Tells what is done, what was found and what is repeated; twice, each request too.
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,
    #[command(flatten)]
    pub store: StoreArguments,
    /// What the signatures made with the secret key are good for.
    #[arg(long, value_name = "SCOPE", default_value = Scope::default().name(), value_parser = signature_scope())]
    pub signature_scope: Scope,
    /// Seconds that they are good for, at most 7776000 (90 days).
    #[arg(long, value_name = "SECONDS", default_value_t = signature::DEFAULT_LIFETIME.as_secs(), value_parser = lifetime())]
    pub signature_lifetime: u64,
}

/// `cos://bucket/path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectUrl {
    pub bucket: String,
    /// With the slash before it: of two slashes the library must see both, to refuse the empty name between them.
    pub path: String,
}

impl FromStr for ObjectUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text
            .strip_prefix("cos://")
            .ok_or("it must begin with cos://, as in cos://videos/2026/big.mp4")?;
        match rest.split_once('/') {
            Some((bucket, path)) if !bucket.is_empty() && !path.is_empty() => Ok(Self {
                bucket: bucket.to_owned(),
                path: format!("/{path}"),
            }),
            _ => Err("it must name a bucket and a path, as in cos://videos/2026/big.mp4"),
        }
    }
}

fn connections() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(options::MAX_CONNECTIONS))
}

fn seconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=options::MAX_TIME_LIMIT.as_secs())
}

fn lifetime() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=signature::MAX_LIFETIME.as_secs())
}

fn signature_scope() -> impl TypedValueParser<Value = Scope> {
    let names = PossibleValuesParser::new(Scope::ALL.iter().map(|scope| scope.name()));
    // The parser lets only these names through.
    let named = |name: String| Scope::ALL.iter().copied().find(|scope| scope.name() == name);
    names.map(move |name| named(name).unwrap_or_default())
}

pub fn api(text: &str) -> Result<Api, String> {
    match text {
        "v2" => Ok(Api::FilesV2),
        "v1" => Ok(Api::FilesV1),
        _ => Err("it must be v2 or v1".into()),
    }
}

/// The size of something that becomes an object.
fn object_size(text: &str) -> Result<u64, String> {
    let size = bytes(text)?;
    options::validate_size(size).map(|()| size)
}

/// A number of bytes, perhaps with a unit.
pub fn bytes(text: &str) -> Result<u64, String> {
    let units = [("k", 10), ("K", 10), ("m", 20), ("M", 20), ("g", 30), ("G", 30)];
    let unit = units
        .iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, 1 << shift)));
    let (digits, unit) = unit.unwrap_or((text, 1));
    let bytes = digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit));
    bytes.ok_or_else(|| "a whole number of bytes is wanted, or one with K, M or G, as in 512K or 1M".into())
}

/// A number of bytes a second. What the library says of it begins with the name of its setting, which is not the option's.
fn rate_limit(text: &str) -> Result<u64, String> {
    let rate = bytes(text)?;
    let why = |said: String| said.trim_start_matches("rate_limit: ").to_owned();
    options::validate_rate_limit(rate).map(|()| rate).map_err(why)
}

fn biz_attr(text: &str) -> Result<String, String> {
    options::validate_biz_attr(text).map(|()| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_table_of_options_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_object_is_a_bucket_and_a_path() {
        let object: ObjectUrl = "cos://videos/2026/big.mp4".parse().unwrap();
        assert_eq!(
            (object.bucket.as_str(), object.path.as_str()),
            ("videos", "/2026/big.mp4")
        );
        for wrong in [
            "videos/big.mp4",
            "cos://videos",
            "cos://videos/",
            "cos:///big.mp4",
            "",
            "s3://videos/big.mp4",
        ] {
            assert!(wrong.parse::<ObjectUrl>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_is_a_number_of_bytes_with_or_without_a_unit() {
        for (text, bytes) in [
            ("512K", 524_288),
            ("524288", 524_288),
            ("1m", 1_048_576),
            ("3M", 3_145_728),
            ("64G", 64 << 30),
        ] {
            assert_eq!(super::bytes(text), Ok(bytes));
        }
        for wrong in ["", "M", "-1", "1T", "1.5M", "18446744073709551615M"] {
            assert!(super::bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rate_is_a_number_of_bytes_a_second_that_the_library_takes() {
        for (text, rate) in [("1024", 1024), ("1K", 1024), ("2m", 2 << 20), ("1G", 1 << 30)] {
            assert_eq!(rate_limit(text), Ok(rate));
        }
        for (wrong, why) in [
            ("0", "0 is not within 1024 to 9007199254740992 bytes per second"),
            ("1023", "1023 is not within"),
            ("9007199254740993", "9007199254740993 is not within"),
            ("fast", "a whole number of bytes is wanted"),
            ("1.5M", "a whole number of bytes is wanted"),
        ] {
            let said = rate_limit(wrong).unwrap_err();
            assert!(said.starts_with(why), "{wrong}: {said}");
        }
    }

    #[test]
    fn the_number_of_connections_adapts_unless_it_is_fixed() {
        let connections = |options: &[&str]| {
            let words = ["cos-slice", "upload", "file", "cos://bucket/path"];
            let arguments = Arguments::try_parse_from(words.iter().chain(options))?;
            match arguments.command {
                Command::Upload(arguments) => Ok(arguments.connections()),
                Command::Status(_) => unreachable!("it is an upload"),
            }
        };
        let conflict = |error: clap::Error| error.kind() == clap::error::ErrorKind::ArgumentConflict;
        let most = options::DEFAULT_CONNECTIONS.most();
        assert_eq!(connections(&[]).unwrap(), Connections::Adaptive(most));
        assert_eq!(
            connections(&["--max-concurrency=64"]).unwrap(),
            Connections::Adaptive(64)
        );
        assert_eq!(connections(&["--concurrency=2"]).unwrap(), Connections::Fixed(2));
        assert!(connections(&["--concurrency=2", "--max-concurrency=2"]).is_err_and(conflict));
    }
}
