//! Rounds: each variant once per round, one after another, so that what disturbs the machine disturbs all of them.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::client::Report;
use crate::process::{self, Broken, Server, ServerOptions};
use crate::server::Totals;

/// What the best number of connections is looked for among.
pub const CONNECTIONS: [u32; 4] = [1, 2, 4, 8];

/// How often each number is tried before; the best time of it counts.
const TRIALS: u32 = 2;

/// Where a program finds its server.
pub struct Place<'a> {
    /// The server.
    pub address: SocketAddr,
    /// The authority to trust, over TLS.
    pub authority: Option<&'a Path>,
}

impl Place<'_> {
    /// The address of the server as an endpoint.
    pub fn endpoint(&self) -> String {
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }
}

/// The program of a variant, with so many connections.
pub type CommandOf = Box<dyn Fn(&Place, u32) -> Command>;

/// One of the things that are compared.
pub struct Variant {
    /// What it is called in tables.
    pub name: String,
    /// The program that does it.
    pub command: CommandOf,
    /// How many it has.
    pub connections: Connections,
    /// How the server is.
    pub server: ServerOptions,
    /// How many bytes of content the server must have received in the end.
    pub bytes: u64,
}

/// How many connections a variant has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// So many.
    Fixed(u32),
    /// The best number of [`CONNECTIONS`].
    Best,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub struct Sample {
    /// What the variant is called.
    pub variant: String,
    /// In which round; 0 for a trial.
    pub round: u32,
    /// With how many connections.
    pub connections: u32,
    /// User and system time of the whole process, in seconds.
    pub cpu_seconds: f64,
    /// The most memory that was resident, in bytes.
    pub peak_rss: u64,
    /// What the program told.
    pub report: Report,
    /// What the server received.
    pub server: Totals,
}

/// The samples of one variant, a round each.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The number of connections that was given or found.
    pub connections: u32,
    /// By round.
    pub samples: Vec<Sample>,
    /// Before the rounds, in search of the number of connections.
    pub trials: Vec<Sample>,
}

impl Measured {
    /// One value of each sample.
    pub fn each(&self, value: impl Fn(&Sample) -> f64) -> Vec<f64> {
        self.samples.iter().map(value).collect()
    }

    /// The seconds of each sample.
    pub fn seconds(&self) -> Vec<f64> {
        self.each(|sample| sample.report.seconds)
    }
}

/// Runs variants, each with a server of its own.
pub struct Runner {
    server: PathBuf,
    rounds: u32,
}

impl Runner {
    /// With the program of the server, and so many rounds.
    pub fn new(server: PathBuf, rounds: u32) -> Self {
        Self { server, rounds }
    }

    /// Looks for the best number of connections where that is wanted, and then measures all variants in rounds.
    ///
    /// # Errors
    /// A program failed, or the server did not receive what it should have.
    pub fn measure(&self, variants: &[Variant]) -> Result<Vec<Measured>, Broken> {
        self.measure_rounds(variants, self.rounds)
    }

    /// The same with another number of rounds.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_rounds(&self, variants: &[Variant], rounds: u32) -> Result<Vec<Measured>, Broken> {
        let mut measured = variants
            .iter()
            .map(|variant| self.find_connections(variant))
            .collect::<Result<Vec<_>, _>>()?;
        for round in 1..=rounds {
            for (variant, measured) in variants.iter().zip(&mut measured) {
                let sample = self.sample(variant, measured.connections, round)?;
                measured.samples.push(sample);
            }
        }
        Ok(measured)
    }

    fn find_connections(&self, variant: &Variant) -> Result<Measured, Broken> {
        let mut measured = Measured::default();
        match variant.connections {
            Connections::Fixed(connections) => measured.connections = connections,
            Connections::Best => {
                for _ in 0..TRIALS {
                    for connections in CONNECTIONS {
                        measured.trials.push(self.sample(variant, connections, 0)?);
                    }
                }
                measured.connections = fastest(&measured.trials);
            }
        }
        Ok(measured)
    }

    fn sample(&self, variant: &Variant, connections: u32, round: u32) -> Result<Sample, Broken> {
        let broken = |why: String| Broken(format!("{}, {connections} connections: {why}", variant.name));
        let server = Server::start(&self.server, &variant.server)
            .map_err(|error| broken(format!("the server does not start: {error}")))?;
        let place = Place {
            address: server.address,
            authority: variant.server.tls.as_deref(),
        };
        let run = process::run((variant.command)(&place, connections)).map_err(|Broken(why)| broken(why))?;
        let totals = server
            .finish()
            .map_err(|error| broken(format!("the server did not say what it received: {error}")))?;
        if totals.bytes != variant.bytes {
            let (received, expected) = (totals.bytes, variant.bytes);
            return Err(broken(format!(
                "the server received {received} bytes, not {expected}"
            )));
        }
        let sample = Sample {
            variant: variant.name.clone(),
            round,
            connections,
            cpu_seconds: run.cpu_seconds,
            peak_rss: run.peak_rss,
            report: run.report,
            server: totals,
        };
        eprintln!("{}", describe(&sample));
        Ok(sample)
    }
}

/// The number of connections of the sample that took the least time.
fn fastest(samples: &[Sample]) -> u32 {
    let by_time = |one: &&Sample, other: &&Sample| one.report.seconds.total_cmp(&other.report.seconds);
    samples
        .iter()
        .min_by(by_time)
        .map_or(1, |sample| sample.connections)
}

/// A line for whoever watches.
fn describe(sample: &Sample) -> String {
    let when = match sample.round {
        0 => "trial".to_owned(),
        round => format!("round {round}"),
    };
    format!(
        "  {when}: {}, {} connections: {:.3} s, {:.2} s CPU, {:.1} MiB",
        sample.variant,
        sample.connections,
        sample.report.seconds,
        sample.cpu_seconds,
        sample.peak_rss as f64 / f64::from(1 << 20)
    )
}
