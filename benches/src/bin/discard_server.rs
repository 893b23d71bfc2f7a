//! `discard-server`: listens on a free port of 127.0.0.1, says where in its first line (`listening 127.0.0.1:PORT`), and ends
//! when its standard input does, with a second line: a JSON object of what it received.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cos_slice_bench::server::{Delay, Options, Server};

#[derive(Parser)]
struct Arguments {
    /// Hold answers back for so many milliseconds
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    delay: u64,
    /// Which answers are held back
    #[arg(long, value_enum, default_value_t = Delayed::Slices)]
    delayed: Delayed,
    /// Speak TLS 1.3, and write the authority to trust into this file
    #[arg(long, value_name = "FILE")]
    tls: Option<PathBuf>,
    /// Answer nothing until somebody asks for /?op=release
    #[arg(long)]
    hold: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Delayed {
    Slices,
    All,
}

fn main() -> ExitCode {
    match serve(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("discard-server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> io::Result<()> {
    let time = Duration::from_millis(arguments.delay);
    let delay = match arguments.delayed {
        _ if time.is_zero() => Delay::None,
        Delayed::Slices => Delay::Slices(time),
        Delayed::All => Delay::All(time),
    };
    let server = Server::start(Options {
        delay,
        tls: arguments.tls,
        hold: arguments.hold,
    })?;
    let mut output = io::stdout();
    writeln!(output, "listening {}", server.address())?;
    output.flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    serde_json::to_writer(&mut output, &server.totals())?;
    writeln!(output)
}
