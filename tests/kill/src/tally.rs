//! What a campaign counts.

use std::collections::BTreeMap;

/// What a run was doing when it was killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// No byte of the file was read, and nothing was asked.
    Starting,
    /// A part of the file was read, and nothing was asked.
    Hashing,
    /// The whole file was hashed, and no request came to the service yet.
    Connecting,
    /// The service was asked about an upload or to begin one; no slice was on its way.
    Init,
    /// Slices were on their way; the finish was not.
    Slices,
    /// It was between two system calls on its checkpoint folder.
    Checkpoint,
    /// What completes the object, or a question after it, was on its way.
    Finish,
    /// The one request of an empty file was on its way.
    Single,
    /// The service had been killed before.
    ServiceGone,
}

impl State {
    /// Those that a campaign must have reached often enough.
    pub const REQUIRED: [State; 5] = [
        State::Hashing,
        State::Init,
        State::Slices,
        State::Checkpoint,
        State::Finish,
    ];

    /// Its name in the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Hashing => "hashing",
            Self::Connecting => "connecting",
            Self::Init => "init",
            Self::Slices => "slices",
            Self::Checkpoint => "checkpoint",
            Self::Finish => "finish",
            Self::Single => "single",
            Self::ServiceGone => "service_gone",
        }
    }
}

/// The figures.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Rounds that ended in a true outcome.
    pub uploads: u64,
    /// Of these, the ones by `files/v1`.
    pub uploads_of_v1: u64,
    /// The ones of programs in C.
    pub uploads_in_c: u64,
    /// The ones that ended in an error that is right.
    pub refused: u64,
    /// Processes that were started.
    pub runs: u64,
    /// Killed runs by what they were doing.
    pub kills: BTreeMap<State, u64>,
    /// Of these, the ones by `files/v1`.
    pub kills_of_v1: BTreeMap<State, u64>,
    /// Runs killed in the checkpoint folder by the call that they were about to make.
    pub calls: BTreeMap<String, u64>,
    /// SIGKILL to the emulator.
    pub emulator_kills: u64,
    /// Runs that the emulator left and came back to, and that went on to success.
    pub survived: u64,
    /// Runs that used a checkpoint instead of hashing again.
    pub unhashed: u64,
    /// Slice bytes that came to the service more than once.
    pub resent_bytes: u64,
    /// The most, for one upload, of what its deaths allow, in percent.
    pub worst_resent_percent: u64,
    /// Bytes of all sources that were uploaded.
    pub bytes: u64,
}

impl Tally {
    /// All killed runs.
    pub fn all_kills(&self) -> u64 {
        self.kills.values().sum()
    }

    /// All killed runs by `files/v1`.
    pub fn all_kills_of_v1(&self) -> u64 {
        self.kills_of_v1.values().sum()
    }

    /// How many runs were killed while doing this.
    pub fn kills_in(&self, state: State) -> u64 {
        self.kills.get(&state).copied().unwrap_or(0)
    }

    /// Counts another's figures here.
    pub fn add(&mut self, other: &Tally) {
        self.uploads += other.uploads;
        self.uploads_of_v1 += other.uploads_of_v1;
        self.uploads_in_c += other.uploads_in_c;
        self.refused += other.refused;
        self.runs += other.runs;
        for (state, count) in &other.kills {
            *self.kills.entry(*state).or_default() += count;
        }
        for (state, count) in &other.kills_of_v1 {
            *self.kills_of_v1.entry(*state).or_default() += count;
        }
        for (call, count) in &other.calls {
            *self.calls.entry(call.clone()).or_default() += count;
        }
        self.emulator_kills += other.emulator_kills;
        self.survived += other.survived;
        self.unhashed += other.unhashed;
        self.resent_bytes += other.resent_bytes;
        self.worst_resent_percent = self.worst_resent_percent.max(other.worst_resent_percent);
        self.bytes += other.bytes;
    }

    /// Names and figures, as the ledger has them.
    pub fn figures(&self) -> Vec<(String, u64)> {
        let mut figures = vec![("kills".to_owned(), self.all_kills())];
        figures.extend(
            self.kills
                .iter()
                .map(|(state, count)| (format!("kills.{}", state.name()), *count)),
        );
        figures.extend(
            self.calls
                .iter()
                .map(|(call, count)| (format!("kills.checkpoint.{call}"), *count)),
        );
        figures.push(("kills.v1".to_owned(), self.all_kills_of_v1()));
        figures.extend(
            self.kills_of_v1
                .iter()
                .map(|(state, count)| (format!("kills.v1.{}", state.name()), *count)),
        );
        let others = [
            ("emulator_kills", self.emulator_kills),
            ("emulator_kills.survived", self.survived),
            ("uploads", self.uploads),
            ("uploads.v1", self.uploads_of_v1),
            ("uploads.c", self.uploads_in_c),
            ("uploads.refused", self.refused),
            ("uploads.bytes", self.bytes),
            ("runs", self.runs),
            ("runs.unhashed", self.unhashed),
            ("resent_bytes", self.resent_bytes),
            ("resent_bytes.worst_percent_of_bound", self.worst_resent_percent),
        ];
        figures.extend(others.map(|(name, count)| (name.to_owned(), count)));
        figures
    }
}
