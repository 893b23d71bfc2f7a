//! The states in which an upload can be when it is cancelled, and what keeps it there.

use cos_slice::protocol::Api;

use crate::gate::Stop;

/// One state.
pub struct State {
    /// Its name in tables and ledgers.
    pub name: &'static str,
    /// What the service is spoken to in.
    pub api: Api,
    /// What the upload is kept there by.
    pub held_by: HeldBy,
    /// The file's size in bytes.
    pub size: u64,
    /// Which upload is cancelled.
    pub handles: Handles,
    /// How the cancelled run ends.
    pub end: End,
}

impl State {
    /// The emulator's name of the operation that carries a slice.
    pub fn slice(&self) -> &'static str {
        match self.api {
            Api::FilesV2 => "upload_slice_data",
            Api::FilesV1 => "v1_data",
        }
    }
}

/// What keeps an upload in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldBy {
    /// The size of the file.
    Hashing,
    /// The system's look-up, which does not return.
    LookUp,
    /// The write of the checkpoint, which does not return before the cancel has.
    Saving,
    /// The gate, which stops connections there.
    Gate(Stop),
    /// The emulator, which does not answer this operation.
    NoAnswer(&'static str),
    /// The emulator, which is too busy for slices and says when to come again.
    RetryAfter,
    /// The progress callback, which does not return before the cancel has.
    Callback,
}

/// Which upload is cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handles {
    /// Each time another one, to another path.
    One,
    /// Always the same one, which has left an unfinished upload on the server before.
    Same,
}

/// How a cancelled run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As cancelled.
    Cancelled,
    /// With success, since the object is complete; that its record was compared is not claimed.
    Unverified,
}

const MIB: u64 = 1 << 20;
/// Three slices of 1 MiB each, the last one short of a byte.
const SLICES: u64 = 3 * MIB - 1;
/// Enough of a connection's bytes to be within the first slice on it; few, because the system's buffers grow with what
/// passes.
const MID_BODY: u64 = 24 << 10;

/// All states.
pub const STATES: [State; 15] = [
    state("hashing", HeldBy::Hashing, 16 * MIB),
    state("resolving", HeldBy::LookUp, 1),
    state("saving", HeldBy::Saving, SLICES),
    state("connecting", HeldBy::Gate(Stop::Accept), 1),
    state("tls", HeldBy::Gate(Stop::FirstByte), 1),
    state("sending", HeldBy::Gate(Stop::After(MID_BODY)), SLICES),
    state("answer", HeldBy::NoAnswer("upload_slice_data"), SLICES),
    state("back_off", HeldBy::RetryAfter, 1),
    state("callback", HeldBy::Callback, 1),
    state("finishing", HeldBy::NoAnswer("upload_slice_finish"), SLICES),
    State {
        end: End::Unverified,
        ..state("verifying", HeldBy::NoAnswer("stat"), SLICES)
    },
    State {
        handles: Handles::Same,
        ..state("listing", HeldBy::NoAnswer("upload_slice_list"), SLICES)
    },
    by_v1("v1_control", HeldBy::NoAnswer("v1_control")),
    by_v1("v1_slice", HeldBy::NoAnswer("v1_data")),
    // Between a slice that was refused and the question where to go on.
    by_v1("v1_back_off", HeldBy::RetryAfter),
];

const fn state(name: &'static str, held_by: HeldBy, size: u64) -> State {
    State {
        name,
        api: Api::FilesV2,
        held_by,
        size,
        handles: Handles::One,
        end: End::Cancelled,
    }
}

const fn by_v1(name: &'static str, held_by: HeldBy) -> State {
    State {
        api: Api::FilesV1,
        ..state(name, held_by, SLICES)
    }
}
