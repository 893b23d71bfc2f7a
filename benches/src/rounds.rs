//! Rounds: each variant once per round, one after another, so that what disturbs the machine disturbs all of them. What is to be
//! measured with its best number of connections is once with each, until there were rounds enough to know the best one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Serialize;

use crate::client::Report;
use crate::process::{self, Broken, Server, ServerOptions};
use crate::server::Totals;
use crate::statistics::Summary;

/// What the best number of connections is looked for among.
pub const CONNECTIONS: [u32; 4] = [1, 2, 4, 8];

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
    /// In which round, from 1 on.
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
    /// The number of connections that was given, or was the best.
    pub connections: u32,
    /// By round, with that number.
    pub samples: Vec<Sample>,
    /// With other numbers, which were not as good.
    pub others: Vec<Sample>,
}

impl Connections {
    /// The numbers to measure with.
    fn numbers(&self) -> &[u32] {
        match self {
            Self::Fixed(connections) => std::slice::from_ref(connections),
            Self::Best => &CONNECTIONS,
        }
    }
}

impl Measured {
    /// The samples of one variant, those apart whose number of connections took the least time in the median.
    fn of(samples: Vec<Sample>) -> Self {
        let time = |connections: u32| {
            let with = samples.iter().filter(|sample| sample.connections == connections);
            Summary::of(with.map(|sample| sample.report.seconds)).map_or(f64::INFINITY, |of| of.median)
        };
        let numbers = samples.iter().map(|sample| sample.connections);
        let connections = numbers
            .min_by(|&one, &other| time(one).total_cmp(&time(other)))
            .unwrap_or_default();
        let (samples, others) = samples
            .into_iter()
            .partition(|sample| sample.connections == connections);
        Self {
            connections,
            samples,
            others,
        }
    }

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
    /// The program of the server.
    pub server: PathBuf,
    /// How often each variant is measured.
    pub rounds: u32,
    /// How many times as often where that is needed. Each number of connections is measured in a third of these rounds, and the best
    /// one in the others.
    pub times: u32,
}

impl Runner {
    /// Measures all variants in rounds.
    ///
    /// # Errors
    /// A program failed, or the server did not receive what it should have.
    pub fn measure(&self, variants: &[Variant]) -> Result<Vec<Measured>, Broken> {
        let all = self.rounds * self.times;
        let to_choose = self.rounds.max(all / 3);
        let mut measured = self.measure_rounds(variants, to_choose)?;
        for round in to_choose + 1..=all {
            for (variant, measured) in variants.iter().zip(&mut measured) {
                let sample = self.sample(variant, measured.connections, round)?;
                measured.samples.push(sample);
            }
        }
        Ok(measured)
    }

    /// So many rounds, with each number of connections.
    ///
    /// # Errors
    /// As [`Self::measure`].
    pub fn measure_rounds(&self, variants: &[Variant], rounds: u32) -> Result<Vec<Measured>, Broken> {
        let mut samples = vec![Vec::new(); variants.len()];
        for round in 1..=rounds {
            // Neighbours have the same number of connections.
            for turn in 0..CONNECTIONS.len() {
                for (variant, samples) in variants.iter().zip(&mut samples) {
                    if let Some(&connections) = variant.connections.numbers().get(turn) {
                        samples.push(self.sample(variant, connections, round)?);
                    }
                }
            }
        }
        Ok(samples.into_iter().map(Measured::of).collect())
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

/// A line for whoever watches.
fn describe(sample: &Sample) -> String {
    format!(
        "  round {}: {}, {} connections: {:.3} s, {:.2} s CPU, {:.1} MiB",
        sample.round,
        sample.variant,
        sample.connections,
        sample.report.seconds,
        sample.cpu_seconds,
        sample.peak_rss as f64 / f64::from(1 << 20)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(connections: u32, seconds: f64) -> Sample {
        Sample {
            variant: "engine".into(),
            round: 1,
            connections,
            cpu_seconds: 0.0,
            peak_rss: 0,
            report: Report {
                seconds,
                ..Report::default()
            },
            server: Totals::default(),
        }
    }

    #[test]
    fn the_best_number_of_connections_is_that_of_the_least_median() {
        let pairs = [(1, 3.0), (2, 0.1), (1, 3.0), (2, 9.0), (1, 3.0), (2, 9.0)];
        let measured = Measured::of(
            pairs
                .map(|(connections, seconds)| sample(connections, seconds))
                .to_vec(),
        );
        // Two connections were the fastest once, and slow otherwise.
        assert_eq!((measured.connections, measured.seconds()), (1, vec![3.0; 3]));
        assert_eq!(measured.others.len(), 3);
    }

    #[test]
    fn what_has_a_fixed_number_is_measured_with_that_alone() {
        assert_eq!(Connections::Fixed(64).numbers(), [64]);
        assert_eq!(Connections::Best.numbers(), CONNECTIONS);
    }
}
