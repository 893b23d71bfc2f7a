//! What is measured: a file for each question.

mod bindings;
mod hashing;
mod https;
mod large_file;
mod latency;
mod library;
mod memory;
mod small;
mod thousand;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::files::Files;
use crate::process::{Broken, ServerOptions};
use crate::rounds::{CommandOf, Connections, Measured, Place, Runner, Variant};
use crate::statistics::Summary;
use crate::table::{Findings, Goal, Row, number};

/// A gibibyte, in bytes.
pub const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;
/// The slice size of the library unless it is set otherwise, in bytes.
const SLICE_SIZE: u64 = 1 << 20;

/// All scenarios, in the order of the table.
pub const ALL: [Scenario; 9] = [
    Scenario::often("large-file", large_file::run),
    Scenario::often("bindings", bindings::run),
    Scenario::often("hashing", hashing::run),
    Scenario::new("https", https::run),
    Scenario::new("latency", latency::run),
    Scenario::often("thousand", thousand::run),
    Scenario::often("small", small::run),
    Scenario::new("library", library::run),
    // Last, since its files push others out of the page cache.
    Scenario::new("memory", memory::run),
];

/// How many times as many rounds those scenarios have that need them.
pub const OFTEN: u32 = 9;

/// A question and how it is answered.
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Measures.
    pub run: fn(&Bench) -> Result<Findings, Broken>,
    /// How many times as many rounds it has.
    pub times: u32,
}

impl Scenario {
    const fn new(name: &'static str, run: fn(&Bench) -> Result<Findings, Broken>) -> Self {
        Self { name, run, times: 1 }
    }

    /// One whose runs take fractions of a second, which vary by a fifth and more: the median of many ratios is of use, and that of a
    /// few is chance.
    const fn often(name: &'static str, run: fn(&Bench) -> Result<Findings, Broken>) -> Self {
        Self {
            name,
            run,
            times: OFTEN,
        }
    }
}

/// What scenarios are made of.
pub struct Bench {
    /// Runs them.
    pub runner: Runner,
    /// What they run.
    pub programs: Programs,
    /// What they upload.
    pub files: Files,
    /// How much of it.
    pub sizes: Sizes,
}

/// Where the programs are.
pub struct Programs {
    /// `bench-client`.
    pub client: PathBuf,
    /// The folder with `floor`, `client-c`, `client-go` and `client-swift`.
    pub folder: PathBuf,
    /// What is installed: `lib/libcos_slice.so` and `include/cos_slice.h`.
    pub prefix: PathBuf,
    /// The list of the symbols that the library exports.
    pub exports: PathBuf,
}

/// How much is uploaded.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// A large file, in bytes.
    pub large: u64,
    /// The largest, in bytes; it is sparse.
    pub largest: u64,
    /// Uploads at once.
    pub at_once: u64,
    /// Uploads one after another.
    pub one_after_another: u32,
    /// Slices that each connection sends where answers are delayed.
    pub slices_each: u64,
}

impl Sizes {
    /// Those of the goals.
    pub const FULL: Self = Self {
        large: GIB,
        largest: 64 * GIB,
        at_once: 1000,
        one_after_another: 1000,
        slices_each: 32,
    };

    /// To see that everything works: what is measured then means nothing.
    pub const SMOKE: Self = Self {
        large: 4 * MIB,
        largest: 8 * MIB,
        at_once: 10,
        one_after_another: 10,
        slices_each: 1,
    };
}

impl Bench {
    /// The engine uploads a file, or a folder, with these options besides.
    fn engine(&self, what: &'static str, file: &Path, options: &[&str]) -> CommandOf {
        let (program, file) = (self.programs.client.clone(), file.to_owned());
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        Box::new(move |place: &Place, connections| {
            let mut command = Command::new(&program);
            command.arg(what).arg(place.endpoint()).arg(&file).args(&options);
            if connections > 0 {
                command.args(["--connections", &connections.to_string()]);
            }
            if let Some(authority) = place.authority {
                command.arg("--ca").arg(authority);
            }
            command
        })
    }

    /// The C floor in one of its ways, which sends the file so many times.
    fn floor(&self, way: &'static str, file: &Path, times: u32) -> CommandOf {
        let (program, file) = (self.programs.folder.join("floor"), file.to_owned());
        Box::new(move |place: &Place, connections| {
            let (ip, port) = (place.address.ip().to_string(), place.address.port().to_string());
            let mut command = Command::new(&program);
            command.args([way, &ip, &port]).arg(&file);
            command.args([connections, times].map(|number| number.to_string()));
            command
        })
    }

    /// A client in one of the languages.
    fn language(&self, language: &str, file: &Path, hash: bool) -> CommandOf {
        let (program, file) = (
            self.programs.folder.join(format!("client-{language}")),
            file.to_owned(),
        );
        Box::new(move |place: &Place, connections| {
            let mut command = Command::new(&program);
            command
                .arg(place.endpoint())
                .arg(&file)
                .arg(connections.to_string());
            command.arg(if hash { "hash" } else { "no-hash" });
            command
        })
    }
}

/// The number that says that a client takes the library's default.
const DEFAULT_CONNECTIONS: Connections = Connections::Fixed(0);

fn variant(name: &str, command: CommandOf, connections: Connections, bytes: u64) -> Variant {
    Variant {
        name: name.to_owned(),
        command,
        connections,
        server: ServerOptions::default(),
        bytes,
    }
}

/// A row, of values by round.
fn row(
    what: &str,
    goal: Goal,
    values: Option<Summary>,
    unit: &'static str,
    context: String,
) -> Result<Row, Broken> {
    let measured = values.ok_or_else(|| Broken(format!("{what}: there is nothing to be told")))?;
    Ok(Row {
        what: what.to_owned(),
        goal,
        measured,
        unit,
        context,
    })
}

/// How many times as fast as another one was.
fn speed_of(one: &Measured, to: &Measured) -> Option<Summary> {
    Summary::of_ratios(&to.seconds(), &one.seconds())
}

/// Throughput and CPU of one, for context.
fn figures(measured: &Measured) -> String {
    let median = |values: Vec<f64>| Summary::of(values).map_or(f64::NAN, |summary| summary.median);
    let speed = median(measured.each(|sample| sample.server.bytes as f64 / 1e6 / sample.report.seconds));
    let cpu = median(measured.each(|sample| sample.cpu_seconds * GIB as f64 / sample.server.bytes as f64));
    let name = measured.samples.first().map_or("", |sample| &sample.variant);
    let connections = match measured.connections {
        0 => "the default of connections".to_owned(),
        1 => "1 connection".to_owned(),
        more => format!("{more} connections"),
    };
    format!(
        "{name} {} MB/s, {} CPU s/GiB, {connections}",
        number(speed),
        number(cpu)
    )
}

fn findings(rows: Vec<Row>, measured: Vec<Measured>) -> Findings {
    let samples = measured
        .into_iter()
        .flat_map(|of| of.samples.into_iter().chain(of.others));
    Findings {
        rows,
        samples: samples.collect(),
    }
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What a file says, with its name where it can't be read.
fn read(path: &Path) -> Result<String, Broken> {
    fs::read_to_string(path).map_err(|error| Broken(format!("{}: {error}", path.display())))
}
