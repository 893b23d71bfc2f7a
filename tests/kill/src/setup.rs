//! What is uploaded, by which program and how: the tables from which rounds are drawn.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::Failure;
use crate::account::{APP_ID, BUCKET, PATH, SECRET_ID, SECRET_KEY};

/// 1 MiB.
pub const MIB: u64 = 1 << 20;
/// No file has more slices.
const MOST_SLICES: u64 = 64;

/// Puts what was being done in front of an error.
///
/// # Errors
/// The one that was given.
pub fn said<T>(what: &str, result: Result<T, impl Display>) -> Result<T, Failure> {
    result.map_err(|error| format!("{what}: {error}"))
}

/// Whether a program keeps checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checkpoints {
    /// It can't.
    Never,
    /// As it is told.
    Optional,
    /// It always does.
    Always,
}

/// What the service is spoken to in, and the emulator's names of its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Api {
    /// `files/v2`: slices side by side, then a finish.
    V2,
    /// `files/v1`: one slice after another, and the last one makes the object.
    V1,
}

impl Api {
    /// Begins an upload.
    pub fn beginning(self) -> &'static str {
        match self {
            Self::V2 => "upload_slice_init",
            Self::V1 => "v1_control",
        }
    }

    /// Tells what is there.
    pub fn question(self) -> &'static str {
        match self {
            Self::V2 => "upload_slice_list",
            Self::V1 => "v1_control",
        }
    }

    /// Carries a slice.
    pub fn slice(self) -> &'static str {
        match self {
            Self::V2 => "upload_slice_data",
            Self::V1 => "v1_data",
        }
    }
}

/// A program that uploads.
#[derive(Debug)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// The C source, from the root of the sources; `None` for the command.
    pub source: Option<&'static str>,
    /// Whether it keeps checkpoints.
    pub checkpoints: Checkpoints,
}

/// The programs. Those in C take no options: they hash, with slices of 1 MiB over up to 16 connections.
pub const PROGRAMS: [Program; 3] = [
    Program {
        name: "cos-slice",
        source: None,
        checkpoints: Checkpoints::Optional,
    },
    Program {
        name: "upload.c",
        source: Some("bindings/c/examples/upload.c"),
        checkpoints: Checkpoints::Never,
    },
    Program {
        name: "resume.c",
        source: Some("bindings/c/examples/resume.c"),
        checkpoints: Checkpoints::Always,
    },
];

/// Everything that was built for the campaign.
#[derive(Debug)]
pub struct Tools {
    /// Where `cos-slice`, `cos-emulator` and, in the folder `lib`, the library are.
    pub built: PathBuf,
    /// Where the C programs and the preloaded library are.
    pub compiled: PathBuf,
}

impl Tools {
    /// Compiles the C sources below `root` into `folder`, against the library in the folder `lib` of `built`.
    ///
    /// # Errors
    /// Something is missing or does not compile.
    pub fn compile(root: &Path, built: &Path, folder: &Path) -> Result<Self, Failure> {
        let tools = Self {
            built: built.to_owned(),
            compiled: folder.to_owned(),
        };
        for needed in ["cos-slice", "cos-emulator", "lib/libcos_slice.so"] {
            if !built.join(needed).exists() {
                return Err(format!(
                    "{} is missing; run: make build",
                    built.join(needed).display()
                ));
            }
        }
        let library = built.join("lib").display().to_string();
        let source = |path: &str| root.join(path).display().to_string();
        for (program, path) in PROGRAMS
            .iter()
            .filter_map(|program| Some((program, program.source?)))
        {
            cc(&[
                "-std=c99",
                &format!("-I{}", root.join("include").display()),
                "-o",
                &folder.join(program.name).with_extension("").display().to_string(),
                &source(path),
                &format!("-L{library}"),
                "-lcos_slice",
                &format!("-Wl,-rpath,{library}"),
            ])?;
        }
        let watch = source("tests/kill/shim/watch.c");
        cc(&[
            "-std=c11",
            "-shared",
            "-fPIC",
            "-o",
            &tools.watch().display().to_string(),
            &watch,
        ])?;
        Ok(tools)
    }

    /// The library that is preloaded.
    pub fn watch(&self) -> PathBuf {
        self.compiled.join("watch.so")
    }

    /// The emulator.
    pub fn emulator(&self) -> PathBuf {
        self.built.join("cos-emulator")
    }

    fn program(&self, program: &Program) -> PathBuf {
        match program.source {
            None => self.built.join("cos-slice"),
            Some(_) => self.compiled.join(program.name).with_extension(""),
        }
    }
}

fn cc(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new("cc");
    command
        .args(["-Wall", "-Wextra", "-Werror", "-O1"])
        .args(arguments);
    let output = said("cc (install gcc)", command.output())?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// A file to upload.
#[derive(Clone, Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

/// Files of all kinds of sizes, made once: at the edges of slices, and between.
///
/// # Errors
/// They can't be written.
pub fn make_sources(folder: &Path, seed: u64) -> Result<Vec<Source>, Failure> {
    let mut random = StdRng::seed_from_u64(seed);
    let half = MIB / 2;
    let mut sizes = vec![
        0,
        1,
        half - 1,
        half,
        MIB,
        MIB + 1,
        3 * MIB,
        64 * MIB,
        32 * MIB - 1,
    ];
    for most in [2, 4, 6, 8, 8, 12, 12, 16, 24] {
        sizes.push(random.random_range(half..=most * MIB));
    }
    let mut sources = Vec::new();
    for (number, size) in sizes.into_iter().enumerate() {
        let path = folder.join(format!("source-{number}"));
        let mut file = said("a source", File::create(&path))?;
        let mut left = size;
        let mut buffer = vec![0; MIB as usize];
        while left > 0 {
            let piece = left.min(MIB) as usize;
            random.fill_bytes(&mut buffer[..piece]);
            said("a source", file.write_all(&buffer[..piece]))?;
            left -= piece as u64;
        }
        sources.push(Source { path, size });
    }
    Ok(sources)
}

/// One way to upload one file.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What the service is spoken to in.
    pub api: Api,
    /// The program.
    pub program: &'static Program,
    /// The file.
    pub source: Source,
    /// Whether it hashes first.
    pub hash: bool,
    /// Whether it keeps a checkpoint.
    pub checkpoint: bool,
    /// The slice size in bytes.
    pub slice_size: u64,
    /// How many connections the program may have.
    pub connections: u64,
}

impl Setup {
    /// Draws one; of this API, where only it is wanted.
    pub fn draw(random: &mut StdRng, sources: &[Source], only: Option<Api>) -> Self {
        // The command is the one with options, and so with most to try; it alone can be told to speak files/v1.
        let program = match random.random_range(0..10) {
            _ if only == Some(Api::V1) => &PROGRAMS[0],
            0..6 => &PROGRAMS[0],
            _ => &PROGRAMS[random.random_range(1..PROGRAMS.len())],
        };
        let source = sources[random.random_range(0..sources.len())].clone();
        let checkpoint = match program.checkpoints {
            Checkpoints::Never => false,
            Checkpoints::Optional => random.random_bool(0.8),
            Checkpoints::Always => true,
        };
        if program.source.is_some() {
            return Self {
                api: Api::V2,
                program,
                source,
                hash: true,
                checkpoint,
                slice_size: MIB,
                connections: 16,
            };
        }
        let api = only.unwrap_or(if random.random_bool(0.5) { Api::V1 } else { Api::V2 });
        let small = source.size.div_ceil(MIB / 2) <= MOST_SLICES && random.random_bool(0.5);
        Self {
            api,
            program,
            source,
            // In files/v1 it can't be turned off.
            hash: random.random_bool(0.7) || api == Api::V1,
            checkpoint,
            slice_size: if small { MIB / 2 } else { MIB },
            connections: random.random_range(1..=8),
        }
    }

    /// How many slices the file has.
    pub fn slices(&self) -> u64 {
        self.source.size.div_ceil(self.slice_size)
    }

    /// Whether a new process must be able to go on where a dead one stopped.
    pub fn resumes(&self) -> bool {
        self.hash || self.checkpoint
    }

    /// How many slices are on their way at once, at most.
    pub fn in_flight(&self) -> u64 {
        match self.api {
            Api::V2 => self.connections,
            Api::V1 => 1,
        }
    }

    /// The bytes that may be sent again for each death: the slices that were on their way.
    pub fn bytes_per_death(&self) -> u64 {
        self.in_flight() * self.slice_size
    }

    /// Whether a slice that begins there is the last one.
    pub fn is_last(&self, offset: u64) -> bool {
        offset + self.slice_size >= self.source.size
    }

    /// The command line, in an environment that has nothing but what it needs.
    pub fn command(&self, tools: &Tools, endpoint: &str, home: &Home, in_the_way: InTheWay) -> Command {
        let mut command = Command::new(tools.program(self.program));
        command.env_clear().env("HOME", &home.0).env("TMPDIR", &home.0);
        command.env("XDG_STATE_HOME", home.state());
        if self.program.source.is_some() {
            command.args([endpoint, BUCKET, PATH]).arg(&self.source.path);
            if self.checkpoint {
                command.arg(home.checkpoints());
            }
            return command;
        }
        command
            .env("COS_SLICE_ENDPOINT", endpoint)
            .env("COS_SLICE_APP_ID", APP_ID);
        command
            .env("COS_SLICE_SECRET_ID", SECRET_ID)
            .env("COS_SLICE_SECRET_KEY", SECRET_KEY);
        command
            .args(["upload", "--json"])
            .arg(&self.source.path)
            .arg(format!("cos://{BUCKET}{PATH}"));
        command.arg(format!("--slice-size={}", self.slice_size));
        command.arg(format!("--concurrency={}", self.connections));
        let options = [
            (!self.hash, "--no-hash"),
            (self.api == Api::V1, "--api=v1"),
            (in_the_way != InTheWay::Stays, "--discard-unfinished"),
            (in_the_way == InTheWay::GoesWithObject, "--overwrite"),
            (
                self.program.checkpoints == Checkpoints::Optional && !self.checkpoint,
                "--no-checkpoint",
            ),
        ];
        command.args(
            options
                .iter()
                .filter(|(given, _)| *given)
                .map(|(_, option)| option),
        );
        command
    }
}

/// What the program may do about an upload that is in the way because it can't know it for its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InTheWay {
    /// Nothing.
    Stays,
    /// Discard it.
    Goes,
    /// Discard it, even if it should be a complete object.
    GoesWithObject,
}

/// The folder that is all of the disk that the uploader knows of, beside its file.
#[derive(Debug)]
pub struct Home(pub PathBuf);

impl Home {
    fn state(&self) -> PathBuf {
        self.0.join("state")
    }

    /// Where checkpoints are: the command's default.
    pub fn checkpoints(&self) -> PathBuf {
        self.state().join("cos-slice")
    }
}

/// All files below a folder.
///
/// # Errors
/// It can't be read.
pub fn files_below(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if !folder.exists() {
            continue;
        }
        for entry in said("a folder", fs::read_dir(&folder))? {
            let path = said("a folder", entry)?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    Ok(files)
}
