//! The words of a job: the options of the C interface, taken from the list of what it exports, and its statuses. What is
//! there and has no scenario, or is missing in a runner, is a failure: so nothing can be added in one place alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::Failure;
use crate::scenario::Scenario;

const CLIENT: [&str; 2] = ["cos_slice_client_set_", "cos_slice_client_add_"];
const UPLOAD: [&str; 1] = ["cos_slice_upload_set_"];

/// What is added one by one has a list in a job.
const LISTS: [(&str, &str); 2] = [("form_field", "form_fields"), ("header", "headers")];

/// Each is a kind of `source`.
const SOURCES: [&str; 6] = ["file", "file_bytes", "memory", "descriptor", "read_at", "stream"];

/// How a binding waits and watches, which is not for a job to say: every runner sets a progress callback always, and each
/// binding waits by what its language has.
const NO_OPTIONS: [&str; 2] = ["progress", "completion"];

/// Statuses that no upload of a job can end with, and why.
const UNREACHABLE: [(&str, &str); 4] = [
    (
        "ERR_BUSY",
        "a runner uses each handle from one thread, and calls nothing inside a callback",
    ),
    ("ERR_PANIC", "it takes a defect of the library"),
    ("ERR_STILL_RUNNING", "a runner waits without a limit"),
    (
        "ERR_NOT_STARTED",
        "a runner waits for nothing that it did not start",
    ),
];

/// What a job can say, and how it can end.
pub struct Vocabulary {
    pub client: BTreeSet<String>,
    pub upload: BTreeSet<String>,
    /// Names without `COS_SLICE_`, and numbers.
    pub statuses: BTreeMap<String, i64>,
}

/// What a runner says of itself.
#[derive(Debug, Default, serde::Deserialize)]
pub struct Hello {
    pub hello: String,
    pub version: String,
    pub statuses: BTreeMap<String, i64>,
    pub client_options: BTreeSet<String>,
    pub upload_options: BTreeSet<String>,
}

impl Vocabulary {
    /// Reads the lists of the C interface.
    ///
    /// # Errors
    /// They can't be read.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
        };
        Self::of(&read("exports.txt")?, &read("status.txt")?)
    }

    fn of(exports: &str, statuses: &str) -> Result<Self, Failure> {
        Ok(Self {
            client: options(exports, &CLIENT),
            upload: options(exports, &UPLOAD),
            statuses: statuses
                .lines()
                .filter(|line| !line.starts_with('#') && !line.is_empty())
                .map(status)
                .collect::<Result<_, _>>()?,
        })
    }

    /// What a runner lacks, or has too much, but for the options that it is excused from.
    pub fn faults_of(&self, hello: &Hello, excused: &BTreeSet<String>) -> Vec<Failure> {
        let name = &hello.hello;
        let mut faults = Vec::new();
        if hello.version != env!("CARGO_PKG_VERSION") {
            faults.push(format!("{name} runs version {}", hello.version));
        }
        for (status, number) in &self.statuses {
            match hello.statuses.get(status) {
                None => faults.push(format!("{name} has no status {status}")),
                Some(other) if other != number => {
                    faults.push(format!("{name} has {other} for {status}, which is {number}"));
                }
                Some(_) => {}
            }
        }
        let foreign = hello
            .statuses
            .keys()
            .filter(|status| !self.statuses.contains_key(*status));
        faults
            .extend(foreign.map(|status| format!("{name} has a status {status}, which the library has not")));
        for (of, ours, theirs) in [
            ("a client", &self.client, &hello.client_options),
            ("an upload", &self.upload, &hello.upload_options),
        ] {
            let missing = ours
                .difference(theirs)
                .filter(|option| !excused.contains(*option));
            faults.extend(missing.map(|option| format!("{name} has no option {option} of {of}")));
            let foreign = theirs.difference(ours);
            faults.extend(
                foreign.map(|option| {
                    format!("{name} has an option {option} of {of}, which the library has not")
                }),
            );
            let in_vain = theirs.intersection(excused);
            faults.extend(
                in_vain.map(|option| format!("{name} is excused from the option {option}, and has it")),
            );
        }
        faults
    }

    /// What no scenario uses or expects, and what one has that there is not.
    pub fn faults_of_all(&self, scenarios: &[Scenario]) -> Vec<Failure> {
        let mut faults = Vec::new();
        let unreachable: BTreeSet<_> = UNREACHABLE
            .iter()
            .map(|(status, _)| (*status).to_owned())
            .collect();
        let expected: BTreeSet<String> = scenarios
            .iter()
            .flat_map(Scenario::expected)
            .filter_map(|expect| Some(expect["status"].as_str()?.to_owned()))
            .collect();
        let known: BTreeSet<_> = self.statuses.keys().cloned().collect();
        let mut reached = expected.clone();
        reached.extend(unreachable.clone());
        faults.extend(
            known
                .difference(&reached)
                .map(|status| format!("no scenario expects {status}")),
        );
        faults.extend(
            expected
                .difference(&known)
                .map(|status| format!("there is no status {status}")),
        );
        let in_vain = unreachable
            .intersection(&expected)
            .chain(unreachable.difference(&known));
        faults.extend(in_vain.map(|status| format!("{status} is listed as unreachable")));
        let steps = || scenarios.iter().flat_map(|scenario| &scenario.steps);
        let client: BTreeSet<_> = steps().flat_map(|step| step.client.keys().cloned()).collect();
        let upload = steps().flat_map(|step| &step.uploads).flat_map(used).collect();
        for (of, there, used) in [
            ("a client", &self.client, client),
            ("an upload", &self.upload, upload),
        ] {
            let unused = there.difference(&used);
            faults.extend(unused.map(|option| format!("no scenario uses the option {option} of {of}")));
            let unknown = used.difference(there);
            faults.extend(unknown.map(|option| format!("there is no option {option} of {of}")));
        }
        faults
    }
}

/// The options that an upload of a job uses.
fn used(upload: &crate::scenario::Document) -> Vec<String> {
    let mut used = Vec::new();
    for (name, value) in upload {
        match (name.as_str(), value) {
            ("bucket" | "path" | "control" | "expect", _) => {}
            ("source", Value::Object(source)) => used.extend(kind_of_source(source).map(str::to_owned)),
            _ => used.push(name.clone()),
        }
    }
    used
}

/// Which of the sources it is.
pub fn kind_of_source(source: &crate::scenario::Document) -> Option<&'static str> {
    SOURCES.into_iter().find(|kind| source.contains_key(*kind))
}

fn options(exports: &str, prefixes: &[&str]) -> BTreeSet<String> {
    let names = exports
        .lines()
        .filter_map(|line| prefixes.iter().find_map(|prefix| line.strip_prefix(prefix)));
    names
        .filter(|name| !NO_OPTIONS.contains(name))
        .map(|name| {
            let list = LISTS.iter().find(|(one, _)| *one == name);
            list.map_or(name, |(_, many)| many).to_owned()
        })
        .collect()
}

fn status(line: &str) -> Result<(String, i64), Failure> {
    let parts = line.split_once(" COS_SLICE_");
    let status = parts.and_then(|(number, name)| Some((name.to_owned(), number.parse().ok()?)));
    status.ok_or_else(|| format!("{line:?} is no status and its number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let exports = "cos_slice_client_set_api\ncos_slice_client_add_header\ncos_slice_upload_set_file\n\
                       cos_slice_upload_set_progress\ncos_slice_version\n";
        Vocabulary::of(exports, "# numbers\n0 COS_SLICE_OK\n-2 COS_SLICE_ERR_BUSY\n").unwrap()
    }

    fn hello(statuses: &str, client: &str, upload: &str) -> Hello {
        let text = format!(
            r#"{{"hello":"it","version":"{}","statuses":{statuses},"client_options":{client},"upload_options":{upload}}}"#,
            env!("CARGO_PKG_VERSION")
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_runner_that_has_everything_and_nothing_else_is_right() {
        let complete = hello(r#"{"OK":0,"ERR_BUSY":-2}"#, r#"["api","headers"]"#, r#"["file"]"#);
        assert_eq!(vocabulary().faults_of(&complete, &BTreeSet::new()), [""; 0]);
    }

    #[test]
    fn what_a_runner_lacks_or_has_too_much_is_named() {
        let without = hello(r#"{"OK":1,"ERR_NEW":-9}"#, r#"["api","speed"]"#, "[]");
        let excused = BTreeSet::from(["file".to_owned(), "api".to_owned()]);
        let faults = vocabulary().faults_of(&without, &excused);
        assert_eq!(
            faults,
            [
                "it has no status ERR_BUSY",
                "it has 1 for OK, which is 0",
                "it has a status ERR_NEW, which the library has not",
                "it has no option headers of a client",
                "it has an option speed of a client, which the library has not",
                "it is excused from the option api, and has it",
            ]
        );
    }

    #[test]
    fn what_no_scenario_has_and_what_only_a_scenario_has_is_named() {
        let scenario = r#"[{"name":"one","steps":[{"client":{"speed":1},"uploads":[{"expect":{"status":"ERR_NEW"}}]}]}]"#;
        let scenarios: Vec<Scenario> = serde_json::from_str(scenario).unwrap();
        let faults = vocabulary().faults_of_all(&scenarios);
        for fault in [
            "no scenario expects OK",
            "there is no status ERR_NEW",
            "ERR_PANIC is listed as unreachable",
            "no scenario uses the option api of a client",
            "there is no option speed of a client",
            "no scenario uses the option file of an upload",
        ] {
            assert!(faults.iter().any(|one| one == fault), "{fault}: {faults:?}");
        }
        assert!(!faults.iter().any(|one| one.contains("progress")), "{faults:?}");
    }
}
