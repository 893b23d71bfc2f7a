//! What must hold: while an upload is killed and resumed, and when it is done.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::log::{self, Record};
use crate::process::Remains;
use crate::service::Service;
use crate::setup::{Api, Home, MIB, Setup, files_below, said};
use crate::tally::State;
use crate::{Failure, round};

/// What every process reads before it reads the file, such as its libraries' heads, and less than the first piece
/// of the file.
const STARTUP_BYTES: u64 = 60 << 10;

/// What a run was doing when it died, by all that the service got of it.
pub fn state_of(records: &[Record], remains: &Remains, setup: &Setup) -> State {
    let any = |operation: &str| records.iter().any(|record| record.is(operation));
    let slices = || records.iter().filter(|record| record.is_slice());
    let completes = |record: &Record| record.offset.is_some_and(|offset| setup.is_last(offset));
    if any("upload_slice_finish") || (setup.api == Api::V1 && slices().any(completes)) {
        State::Finish
    } else if slices().next().is_some() {
        State::Slices
    } else if any("upload") {
        State::Single
    } else if !records.is_empty() {
        State::Init
    } else if !setup.hash || remains.bytes_read < STARTUP_BYTES {
        State::Starting
    } else if remains.bytes_read < setup.source.size {
        State::Hashing
    } else {
        State::Connecting
    }
}

/// Whether a finished run read the whole file for its SHA-1, beside what it sent. `None` where the file is too small
/// to tell.
pub fn hashed(remains: &Remains, records: &[Record], setup: &Setup) -> Option<bool> {
    let offsets = records
        .iter()
        .filter(|record| record.is_slice())
        .filter_map(|record| record.offset);
    let length = |offset| setup.slice_size.min(setup.source.size.saturating_sub(offset));
    let beside = remains.bytes_read.saturating_sub(offsets.map(length).sum());
    (setup.source.size >= 2 * MIB).then_some(beside >= setup.source.size)
}

/// Nothing that the service held when a run began may be sent in it.
///
/// # Errors
/// It was.
pub fn nothing_held_is_sent(held: &[u64], records: &[Record]) -> Result<(), Failure> {
    let sent = records.iter().filter(|record| record.is_slice());
    match sent
        .filter_map(|record| record.offset)
        .find(|offset| held.contains(offset))
    {
        Some(offset) => Err(format!(
            "the service had the slice at {offset}, and it was sent again"
        )),
        None => Ok(()),
    }
}

/// What the service acknowledged must be there while there is no object, its own deaths included.
///
/// # Errors
/// It is not.
pub fn nothing_stored_is_lost(runs: &[Vec<Record>], parts: &[u64]) -> Result<(), Failure> {
    let mut stored = runs.iter().flat_map(|run| log::stored(run));
    match stored.find(|offset| !parts.contains(offset)) {
        Some(offset) => Err(format!("the emulator lost the slice at {offset}")),
        None => Ok(()),
    }
}

/// The object is not there, or is the file. Tells whether it is there.
///
/// # Errors
/// It is something else.
pub fn no_other_object(service: &Service, setup: &Setup) -> Result<bool, Failure> {
    let object = service.object();
    if !object.exists() {
        return Ok(false);
    }
    if same_bytes(&object, &setup.source.path)? {
        Ok(true)
    } else {
        Err("the object is not the file".to_owned())
    }
}

fn same_bytes(left: &Path, right: &Path) -> Result<bool, Failure> {
    let (mut left, mut right) = (
        said("the object", File::open(left))?,
        said("the file", File::open(right))?,
    );
    let (mut a, mut b) = (Vec::new(), Vec::new());
    loop {
        a.clear();
        b.clear();
        said("the object", left.by_ref().take(MIB).read_to_end(&mut a))?;
        said("the file", right.by_ref().take(MIB).read_to_end(&mut b))?;
        if a != b {
            return Ok(false);
        }
        if a.is_empty() {
            return Ok(true);
        }
    }
}

/// The bytes that were sent again, and how much of what `deaths` allow that is, in percent.
///
/// # Errors
/// It is more.
pub fn work_bound(runs: &[Vec<Record>], setup: &Setup, deaths: u64) -> Result<(u64, u64), Failure> {
    let all: Vec<Record> = runs.iter().flatten().cloned().collect();
    let again = log::sent_again(&all, setup.slices()) * setup.slice_size;
    let allowed = deaths * setup.bytes_per_death();
    if again > allowed {
        return Err(format!(
            "{again} bytes were sent again, and {deaths} deaths allow {allowed}"
        ));
    }
    Ok((again, (again * 100).checked_div(allowed).unwrap_or(0)))
}

/// After a success neither side has anything left but the object.
///
/// # Errors
/// One has.
pub fn nothing_is_left(service: &Service, home: &Home) -> Result<(), Failure> {
    let mut left = files_below(&home.0)?;
    for folder in ["uploads", "publishing", "temporary"] {
        left.extend(files_below(&service.data().join("state").join(folder))?);
    }
    left.extend(
        files_below(&service.data().join("objects"))?
            .into_iter()
            .filter(|file| *file != service.object()),
    );
    if left.is_empty() {
        Ok(())
    } else {
        Err(format!("after the success there are left: {left:?}"))
    }
}

/// How a run ended that was not killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With success.
    Success,
    /// It says that somebody else's upload is in the way, which it can't know to be its own.
    OtherUpload,
    /// It says that there is an object, which it can't know to be its own.
    ObjectExists,
    /// It says that it does not know whether the object is complete.
    Unknown,
}

/// Reads the end off the status and what was written.
///
/// # Errors
/// It is none of these.
pub fn ending(remains: &Remains, paths: &round::Paths) -> Result<Ending, Failure> {
    let out = said("the output", fs::read_to_string(&paths.out))?;
    let errors = said("the output", fs::read_to_string(&paths.errors))?;
    if let Some(warning) = errors.lines().find(|line| line.contains("warning: ")) {
        return Err(format!(
            "what a death leaves is nothing to warn of, and it did: {warning}"
        ));
    }
    if remains.status.success() {
        return if out.ends_with('\n') {
            Ok(Ending::Success)
        } else {
            Err(format!("it printed {out:?}"))
        };
    }
    let report: serde_json::Value = serde_json::from_str(&out).unwrap_or_default();
    match report["error"]["status"].as_str() {
        Some("ERR_OTHER_UPLOAD") => Ok(Ending::OtherUpload),
        Some("ERR_OBJECT_EXISTS") => Ok(Ending::ObjectExists),
        Some("ERR_OUTCOME_UNKNOWN") => Ok(Ending::Unknown),
        _ => Err(format!("it ended with {}: {out}{errors}", remains.status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(offset: u64, code: i64) -> Record {
        let line = format!(
            "1 ms  #1 connection 1  POST /files/v2/1/b/p  op upload_slice_data offset {offset}  HTTP 200 code {code}"
        );
        Record::parse(&line).unwrap()
    }

    #[test]
    fn files_are_the_same_only_to_the_last_byte() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path
        };
        let mut bytes = vec![7; MIB as usize + 3];
        let original = file("original", &bytes);
        assert!(same_bytes(&file("copy", &bytes), &original).unwrap());
        bytes.push(7);
        assert!(!same_bytes(&file("longer", &bytes), &original).unwrap());
        assert!(!same_bytes(&file("shorter", &bytes[..MIB as usize]), &original).unwrap());
        bytes.pop();
        bytes[MIB as usize + 2] = 8;
        assert!(!same_bytes(&file("other", &bytes), &original).unwrap());
    }

    #[test]
    fn more_sent_again_than_the_deaths_allow_is_noticed() {
        let setup = Setup {
            api: Api::V2,
            program: &crate::setup::PROGRAMS[0],
            source: crate::setup::Source {
                path: "file".into(),
                size: 3 * MIB,
            },
            hash: true,
            checkpoint: false,
            slice_size: MIB,
            connections: 1,
        };
        let runs = [
            vec![data(0, 0), data(MIB, 0)],
            vec![data(MIB, 0), data(2 * MIB, 0)],
        ];
        assert_eq!(work_bound(&runs, &setup, 1).unwrap(), (MIB, 100));
        assert!(work_bound(&runs, &setup, 0).is_err());
        let many = Setup {
            connections: 8,
            ..setup
        };
        assert_eq!(work_bound(&runs, &many, 1).unwrap(), (MIB, 12));
        let serial = Setup { api: Api::V1, ..many };
        assert_eq!(work_bound(&runs, &serial, 1).unwrap(), (MIB, 100));
    }

    #[test]
    fn a_slice_that_was_there_and_comes_again_is_noticed() {
        let records = [data(0, 0), data(MIB, 0)];
        assert!(nothing_held_is_sent(&[2 * MIB], &records).is_ok());
        assert!(nothing_held_is_sent(&[MIB, 2 * MIB], &records).is_err());
    }

    #[test]
    fn a_slice_that_was_stored_and_is_gone_is_noticed() {
        let runs = [vec![data(0, 0), data(MIB, -290)]];
        assert!(nothing_stored_is_lost(&runs, &[0]).is_ok());
        assert!(nothing_stored_is_lost(&runs, &[]).is_err());
    }
}
