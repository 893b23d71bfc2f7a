//! Runs of the program, and what one slice costs by them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use cos_slice_bench::server::{Options, Server};
use tempfile::TempDir;

use crate::figures::Counts;

/// The slices of the shorter run. The longer one has twice as many.
const SLICES: u64 = 100;

const KIB: u64 = 1 << 10;

/// How an upload is made.
#[derive(Clone, Copy, Debug)]
pub struct Upload {
    /// Of each slice but none other, in bytes.
    pub slice_size: u64,
    /// Whether the SHA-1 is taken first.
    pub hash: bool,
    /// What the scripted socket takes before it wants to be waited for; `None` where it takes all.
    pub room: Option<u64>,
}

/// Slices of 1 MiB to a socket that takes all, without hashing.
impl Default for Upload {
    fn default() -> Self {
        Self {
            slice_size: KIB * KIB,
            hash: false,
            room: None,
        }
    }
}

/// Where the program runs: a server, files, and the library that counts.
pub struct Ground {
    server: Server,
    folder: TempDir,
    counting: PathBuf,
}

impl Ground {
    /// Starts the server and compiles the library.
    ///
    /// # Errors
    /// What could not be done.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(text)?;
        let counting = folder.path().join("counting.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("calls.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror"]);
        finished(compiler.arg("-o").arg(&counting).arg(source))?;
        let server = Server::start(Options::default()).map_err(text)?;
        Ok(Self {
            server,
            folder,
            counting,
        })
    }

    /// What the upload of one slice calls and allocates.
    ///
    /// # Errors
    /// Why a run failed.
    pub fn counts(&self, upload: Upload) -> Result<Counts, String> {
        let counts = self.folder.path().join("counts");
        per_slice(|slices| {
            let mut command = self.command(&[], upload, slices)?;
            command.env("LD_PRELOAD", &self.counting).env("COSTS_TO", &counts);
            if let Some(room) = upload.room {
                command.env("COSTS_ROOM", room.to_string());
            }
            finished(&mut command)?;
            parse(&fs::read_to_string(&counts).map_err(text)?)
        })
    }

    /// What the upload of one slice takes in instructions.
    ///
    /// # Errors
    /// Why a run failed.
    pub fn instructions(&self, upload: Upload) -> Result<u64, String> {
        let out = format!(
            "--callgrind-out-file={}",
            self.folder.path().join("callgrind").display()
        );
        let counts = per_slice(|slices| {
            let mut command = self.command(&["valgrind", "--tool=callgrind", &out], upload, slices)?;
            command.env("LD_PRELOAD", &self.counting);
            let output = finished(&mut command)?;
            let said = String::from_utf8_lossy(&output.stderr);
            let collected = said.lines().find_map(|line| line.split_once("Collected : "));
            let collected = collected.and_then(|(_, count)| count.trim().parse().ok());
            let collected: u64 =
                collected.ok_or_else(|| format!("callgrind does not say a count:\n{said}"))?;
            Ok([("instructions".to_owned(), collected)].into())
        })?;
        counts
            .into_values()
            .next()
            .ok_or_else(|| "slices take no instruction".to_owned())
    }

    /// The program, behind what it is to run under.
    fn command(&self, under: &[&str], upload: Upload, slices: u64) -> Result<Command, String> {
        let file = self
            .folder
            .path()
            .join(format!("{slices} x {}", upload.slice_size));
        let made = File::create(&file).and_then(|file| file.set_len(slices * upload.slice_size));
        made.map_err(text)?;
        // Nothing but a program that runs another as it is.
        let mut command = Command::new("env");
        command.args(under).arg(std::env::current_exe().map_err(text)?);
        command
            .arg("upload")
            .arg(format!("http://{}", self.server.address()));
        command
            .arg(file)
            .arg(format!("--slice-size={}", upload.slice_size));
        command.args(upload.hash.then_some("--hash"));
        Ok(command)
    }
}

/// What twice as many slices have more of, for each of them.
fn per_slice(run: impl Fn(u64) -> Result<Counts, String>) -> Result<Counts, String> {
    let (short, long) = (run(SLICES)?, run(2 * SLICES)?);
    let each = long.into_iter().map(|(name, count)| {
        let before = short.get(&name).copied().unwrap_or(0);
        // To the nearest: once in a while a list grows.
        let each = (count.saturating_sub(before) + SLICES / 2) / SLICES;
        (name, each)
    });
    Ok(each.filter(|(_, count)| *count > 0).collect())
}

fn parse(counts: &str) -> Result<Counts, String> {
    let pair = |line: &str| {
        let (name, count) = line.split_once(' ')?;
        Some((name.to_owned(), count.parse().ok()?))
    };
    let parsed: Option<BTreeMap<_, _>> = counts.lines().map(pair).collect();
    parsed.ok_or_else(|| format!("what was counted can't be read: {counts}"))
}

fn finished(command: &mut Command) -> Result<Output, String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!(
            "{command:?}: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )),
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_costs_whatever_it_uploads_is_not_in_the_cost_of_a_slice() {
        let run = |slices| {
            let counts = [("send", 7 + 3 * slices), ("open", 40), ("growing", slices / 40)];
            Ok(counts.map(|(name, count)| (name.to_owned(), count)).into())
        };
        assert_eq!(per_slice(run), Ok([("send".to_owned(), 3)].into()));
    }

    #[test]
    fn counts_are_read_as_they_are_written() {
        let counts = [("send".to_owned(), 2), ("recv".to_owned(), 0)].into();
        assert_eq!(parse("send 2\nrecv 0\n"), Ok(counts));
        assert!(parse("send\n").is_err());
    }
}
