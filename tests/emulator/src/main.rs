//! The program `cos-emulator`; `arguments` is the table of its options.

mod arguments;

use arguments::Arguments;
use clap::Parser;
use cos_emulator::{Config, Emulator, TlsFiles};
use std::io::{self, Write as _};
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

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
