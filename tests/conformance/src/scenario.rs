//! What a scenario is: the JSON of `scenarios/`, read strictly, so that nothing is written there in vain.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cos_emulator::Fault;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::Failure;

/// A JSON object.
pub type Document = Map<String, Value>;

/// What is done, and what must come of it, in every language.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// A sentence.
    pub name: String,
    /// Files, by the name by which they are spoken of; each is there as a file, too.
    #[serde(default)]
    pub contents: BTreeMap<String, Content>,
    /// How the emulator is started.
    #[serde(default)]
    pub emulator: EmulatorSettings,
    /// What is on the store before: `bucket/path` and the name of the content.
    #[serde(default)]
    pub objects: BTreeMap<String, String>,
    /// Uploads that somebody else began and did not finish.
    #[serde(default)]
    pub unfinished: Vec<Unfinished>,
    /// The runners that can't do it; why is told by the table of what they lack.
    #[serde(default)]
    pub not_with: BTreeSet<String>,
    /// What may be different from runner to runner.
    #[serde(default)]
    pub differs: Vec<Difference>,
    /// One job after another.
    pub steps: Vec<Step>,
}

/// Bytes that repeat themselves nowhere, the same for the same seed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Content {
    pub size: usize,
    pub seed: u64,
    /// Whether the name of its file is no UTF-8.
    #[serde(default)]
    pub odd_name: bool,
}

/// What is otherwise than by default.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EmulatorSettings {
    /// Names and positions.
    pub switches: BTreeMap<String, String>,
    /// It speaks TLS.
    pub tls: bool,
    /// The same, with a certificate for this host.
    pub certificate_for: Option<String>,
    pub path_prefix: String,
    /// Empty: every bucket is there.
    pub buckets: Vec<String>,
}

/// What somebody else left on the store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unfinished {
    /// `bucket/path`.
    pub object: String,
    /// The content's name.
    pub content: String,
    /// Which slices were sent.
    pub slices: Vec<u64>,
    pub slice_size: u64,
    #[serde(default = "yes")]
    pub hash: bool,
    /// 1 for `files/v1`.
    #[serde(default)]
    pub api: Option<i32>,
}

fn yes() -> bool {
    true
}

/// Members of an outcome that need not be the same for all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Difference {
    pub members: BTreeSet<String>,
    /// The runners that are different; all where it is empty.
    #[serde(default)]
    pub with: BTreeSet<String>,
    /// Why that is right.
    pub because: String,
}

/// A job, and what must be so afterwards.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The emulator's faults for this step alone.
    #[serde(default)]
    pub faults: Vec<Value>,
    /// Options of the client beside what goes without saying; null leaves one of these out.
    #[serde(default)]
    pub client: Document,
    /// The uploads; each has the member `expect` besides.
    pub uploads: Vec<Document>,
    /// The runner begins anew, as another process, with these variables.
    #[serde(default)]
    pub environment: Option<BTreeMap<String, String>>,
    /// Another process is uploading to the same object with the same folder of checkpoints meanwhile.
    #[serde(default)]
    pub checkpoint_is_held: bool,
    /// How often the emulator must have been asked; what is not named here is not looked at.
    #[serde(default)]
    pub requests: BTreeMap<String, usize>,
    /// Form fields that every request of an operation must have had.
    #[serde(default)]
    pub fields: BTreeMap<String, BTreeMap<String, String>>,
    /// What each signature must have been made for.
    #[serde(default)]
    pub signatures: Option<Signatures>,
    /// Whose host and port a proxy must have been asked for, and nobody else's.
    #[serde(default)]
    pub proxied: Option<BTreeSet<String>>,
    /// What must be on the store: `bucket/path`, and the content; null for no object.
    #[serde(default)]
    pub store: BTreeMap<String, Option<Stored>>,
    /// How many checkpoints must be left.
    #[serde(default)]
    pub checkpoints: Option<usize>,
    /// Log entries that must be among those collected, each by some of its members.
    #[serde(default)]
    pub log: Vec<Document>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signatures {
    /// The field `f`.
    #[serde(default)]
    pub bound_to: Option<String>,
    #[serde(default)]
    pub lifetime_s: Option<u64>,
}

/// The bytes of an object.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Stored {
    Whole(String),
    Part {
        content: String,
        offset: usize,
        length: usize,
    },
}

impl Scenario {
    /// What each upload must come to, step by step.
    pub fn expected(&self) -> impl Iterator<Item = &Document> {
        let uploads = self.steps.iter().flat_map(|step| &step.uploads);
        uploads.filter_map(|upload| upload.get("expect")?.as_object())
    }

    /// Whether a member of an outcome may be another with this runner.
    pub fn may_differ(&self, member: &str, runner: &str) -> bool {
        let mut differences = self.differs.iter();
        differences.any(|difference| {
            difference.members.contains(member)
                && (difference.with.is_empty() || difference.with.contains(runner))
        })
    }

    fn check(&self) -> Result<(), Failure> {
        if self.steps.is_empty() {
            return Err("it has no step".into());
        }
        for step in &self.steps {
            if step.uploads.is_empty() {
                return Err("a step has no upload".into());
            }
            for upload in &step.uploads {
                let status = upload.get("expect").map(|expect| &expect["status"]);
                if !matches!(status, Some(Value::String(_))) {
                    return Err("an upload has no \"expect\" with a status".into());
                }
            }
            for fault in &step.faults {
                Fault::from_json(&fault.to_string()).map_err(|error| error.to_string())?;
            }
        }
        if let Some(difference) = self.differs.iter().find(|one| one.because.is_empty()) {
            return Err(format!("{:?} differ without a reason", difference.members));
        }
        let named = self.objects.values();
        let named = named.chain(self.unfinished.iter().map(|unfinished| &unfinished.content));
        match named.into_iter().find(|name| !self.contents.contains_key(*name)) {
            Some(name) => Err(format!("there is no content {name:?}")),
            None => Ok(()),
        }
    }
}

/// All scenarios of a folder, file by file.
///
/// # Errors
/// A file is none of scenarios, or two have the same name.
pub fn read_all(folder: &Path) -> Result<Vec<Scenario>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let mut all: Vec<Scenario> = Vec::new();
    for file in files {
        let wrong = |what: String| format!("{}: {what}", file.display());
        let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
        let scenarios: Vec<Scenario> =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        for scenario in scenarios {
            scenario
                .check()
                .map_err(|what| wrong(format!("{:?}: {what}", scenario.name)))?;
            if all.iter().any(|earlier| earlier.name == scenario.name) {
                return Err(wrong(format!("{:?} is there twice", scenario.name)));
            }
            all.push(scenario);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vocabulary::Vocabulary;

    #[test]
    fn every_scenario_can_be_read_and_together_they_have_every_option_and_status() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let scenarios = read_all(&here.join("scenarios")).unwrap();
        let vocabulary = Vocabulary::read(&here.join("../../abi")).unwrap();
        assert_eq!(vocabulary.faults_of_all(&scenarios), [""; 0]);
    }
}
