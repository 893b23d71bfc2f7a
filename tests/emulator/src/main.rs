//! The program `cos-emulator`.

use clap::Parser;
use cos_emulator::{Config, Emulator, Switches, TlsFiles};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for the slice-upload API (files/v2) of Tencent Cloud Object Storage, on a disk folder.
///
/// When it is ready it prints one line, `cos-emulator listening on http://ADDRESS` (with --tls, https), and
/// serves until SIGTERM or SIGINT.
#[derive(Parser)]
#[command(name = "cos-emulator", version, after_long_help = Switches::help())]
struct Arguments {
    /// The folder that holds everything; created if need be. Objects are plain files in DIR/objects/BUCKET/.
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,

    /// Where to listen; port 0 lets the system choose.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9000")]
    listen: SocketAddr,

    /// In front of every path of the API, as of a store behind a gateway: /store makes /store/files/v2/…
    #[arg(long, value_name = "PATH", default_value = "")]
    path_prefix: String,

    /// Speaks TLS, with a certificate for localhost, 127.0.0.1, ::1 and the address of --listen. Clients must
    /// trust DIR/state/tls/ca.pem, which stays the same as long as the folder exists.
    #[arg(long)]
    tls: bool,

    /// A PEM file with the certificate to show instead, its issuers behind it.
    #[arg(long, value_name = "FILE", requires_all = ["tls", "tls_key"])]
    tls_certificate: Option<PathBuf>,

    /// A PEM file with the private key of that certificate.
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,

    /// The appid in addresses and signatures.
    #[arg(long, value_name = "NUMBER")]
    app_id: String,

    /// The SecretID that signatures name.
    #[arg(long, value_name = "ID")]
    secret_id: String,

    /// The key that signatures are made with; other users of the machine can see it here.
    #[arg(
        long,
        value_name = "KEY",
        env = "COS_EMULATOR_SECRET_KEY",
        hide_env_values = true,
        required_unless_present = "secret_key_file"
    )]
    secret_key: Option<String>,

    /// A file that holds the key; a line end after it does not count.
    #[arg(long, value_name = "FILE", conflicts_with = "secret_key")]
    secret_key_file: Option<PathBuf>,

    /// A bucket that exists; may be repeated. Without it, every bucket exists.
    #[arg(long = "bucket", value_name = "NAME")]
    buckets: Vec<String>,

    /// Puts a switch into a position; may be repeated. The switches are listed by --help.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,

    /// The seed of the generator behind faults with a probability.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    seed: u64,

    /// How many requests the journal holds; the oldest go.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    journal_limit: usize,

    /// Writes one line per request to stderr.
    #[arg(long)]
    log: bool,
}

fn config(arguments: Arguments) -> Result<Config, String> {
    let mut config = Config::new(arguments.dir);
    config.secret_key = match (arguments.secret_key, arguments.secret_key_file) {
        (_, Some(file)) => {
            let text =
                std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        (key, None) => key.unwrap_or_default(),
    };
    if config.secret_key.is_empty() {
        return Err("the secret key is empty".to_owned());
    }
    for setting in &arguments.settings {
        config
            .switches
            .assign(setting)
            .map_err(|error| format!("--set: {error}"))?;
    }
    config.listen = arguments.listen;
    config.path_prefix = arguments.path_prefix;
    config.tls = arguments.tls;
    config.tls_files = arguments
        .tls_certificate
        .zip(arguments.tls_key)
        .map(|(certificate, key)| TlsFiles { certificate, key });
    config.app_id = arguments.app_id;
    config.secret_id = arguments.secret_id;
    config.buckets = arguments.buckets;
    config.seed = arguments.seed;
    config.journal_limit = arguments.journal_limit;
    config.log = arguments.log;
    config
        .check()
        .map_err(|error| format!("--path-prefix: {error}"))?;
    Ok(config)
}

fn serve(config: Config) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        // Before the line that says it is ready, so that a signal right after it finds the handler.
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let emulator = Emulator::start(config)?;
        let mut stdout = io::stdout();
        writeln!(stdout, "cos-emulator listening on {}", emulator.endpoint())?;
        stdout.flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        emulator.stop();
        Ok(())
    })
}

fn main() -> ExitCode {
    let config = match config(Arguments::parse()) {
        Ok(config) => config,
        Err(message) => {
            eprintln!("cos-emulator: {message}");
            return ExitCode::from(2);
        }
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cos-emulator: {error}");
            ExitCode::FAILURE
        }
    }
}
