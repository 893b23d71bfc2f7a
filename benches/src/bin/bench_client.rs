//! `bench-client`: what is measured and is in Rust. It prints one JSON object with what it knows of itself.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cos_slice_bench::client::{engine, rustls_sender, sha1_pass};

#[derive(Parser)]
enum Arguments {
    /// Uploads of the engine, one after another
    Engine {
        #[command(flatten)]
        settings: engine::Settings,
        #[arg(long, default_value_t = 1)]
        count: u32,
    },
    /// Uploads of the engine, of all files in a folder at once
    AtOnce {
        #[command(flatten)]
        settings: engine::Settings,
    },
    /// Slices over TLS, without the engine
    Rustls {
        server: SocketAddr,
        file: PathBuf,
        #[arg(long)]
        connections: u32,
        #[arg(long)]
        ca: PathBuf,
    },
    /// The SHA-1 of memory
    Sha1 { file: PathBuf },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse() {
        Arguments::Engine { settings, count } => engine::one_after_another(&settings, count),
        Arguments::AtOnce { settings } => engine::at_once(&settings),
        Arguments::Rustls {
            server,
            file,
            connections,
            ca,
        } => rustls_sender::run(server, &file, connections, &ca),
        Arguments::Sha1 { file } => sha1_pass::run(&file),
    };
    match outcome.map(|report| serde_json::to_string(&report)) {
        Ok(Ok(report)) => {
            println!("{report}");
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => fail(&error.to_string()),
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("bench-client: {error}");
    ExitCode::FAILURE
}
