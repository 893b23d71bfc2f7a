//! The command line of `cos-emulator`.

use clap::Parser;
use cos_emulator::Switches;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What scripts go by; also a section of the man page.
pub const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "ended by SIGTERM or SIGINT"),
    (
        "1",
        "the folder, the address or the certificate is not to be had; the reason is on stderr",
    ),
    ("2", "the command line is not acceptable"),
];

/// What follows the options.
fn after_long_help() -> String {
    let mut text = Switches::help();
    text.push_str("\nExit status:\n");
    for (status, meaning) in EXIT_STATUS {
        text.push_str(&format!("  {status}  {meaning}\n"));
    }
    text
}

/// A stand-in for the slice-upload API (files/v2) of Tencent Cloud Object Storage, on a disk folder.
///
/// When it is ready it prints one line, `cos-emulator listening on http://ADDRESS` (with --tls, https), and
/// serves until SIGTERM or SIGINT.
#[derive(Parser)]
#[command(name = "cos-emulator", version, after_long_help = after_long_help())]
pub struct Arguments {
    /// The folder that holds everything; created if need be. Objects are plain files in DIR/objects/BUCKET/.
    #[arg(long, value_name = "DIR")]
    pub dir: PathBuf,

    /// Where to listen; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    pub listen: SocketAddr,

    /// In front of every path of the API, as of a store behind a gateway: /store makes /store/files/v2/…
    #[arg(long, value_name = "PATH", default_value = "")]
    pub path_prefix: String,

    /// Speaks TLS, with a certificate for localhost, 127.0.0.1, ::1 and the address of --listen. Clients must
    /// trust DIR/state/tls/ca.pem, which stays the same as long as the folder exists.
    #[arg(long)]
    pub tls: bool,

    /// A PEM file with the certificate to show instead, its issuers behind it.
    #[arg(long, value_name = "FILE", requires_all = ["tls", "tls_key"])]
    pub tls_certificate: Option<PathBuf>,

    /// A PEM file with the private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// The appid in addresses and signatures.
    #[arg(long, value_name = "NUMBER")]
    pub app_id: String,

    /// The SecretID that signatures name.
    #[arg(long, value_name = "ID")]
    pub secret_id: String,

    /// The key that signatures are made with; other users of the machine can see it here.
    #[arg(
        long,
        value_name = "KEY",
        env = "COS_EMULATOR_SECRET_KEY",
        hide_env_values = true,
        required_unless_present = "secret_key_file"
    )]
    pub secret_key: Option<String>,

    /// A file that holds the key; a line end after it does not count.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_key")]
    pub secret_key_file: Option<PathBuf>,

    /// A bucket that exists; may be repeated. Without it, every bucket exists.
    #[arg(long = "bucket", value_name = "NAME")]
    pub buckets: Vec<String>,

    /// Puts a switch into a position; may be repeated. The switches are listed by --help.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,

    /// The seed of the generator behind faults with a probability.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,

    /// How many requests the journal holds; the oldest go.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    pub journal_limit: usize,

    /// Writes one line per request to stderr.
    #[arg(long)]
    pub log: bool,
}
