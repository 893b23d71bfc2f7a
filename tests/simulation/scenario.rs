//! What a run is about: the source, the settings, the server's manner and what goes wrong, all drawn from the seed.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::Api;
use cos_slice::upload::options::{Connections, UploadOptions};
use cos_slice::upload::random::Random;
use cos_slice::upload::task::Reading;

use crate::model::{Manner, Serial};
use crate::model_v1;
use crate::signer;

/// Faults stop here, so that what happens afterwards must end well.
pub const FAULTS_UNTIL: Duration = Duration::from_secs(20);

macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident $harm:ident;)*) => {
        /// What the network or the server does to one request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { None, $($(#[$doc])* $name,)* }

        impl Fault {
            pub const ALL: &'static [(Fault, Harm)] = &[$((Fault::$name, Harm::$harm),)*];
        }
    };
}

/// Whether an upload must still succeed when a fault stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// It must.
    Passing,
    /// The server itself loses, changes or misstates what it has acknowledged, or somebody else interferes.
    Lasting,
}

faults! {
    NoConnection Passing;
    LostRequest Passing;
    LostAnswer Passing;
    /// The connection breaks in the midst of a slice; a server that appends keeps what came.
    HalfStored Passing;
    /// The client's time is over long before the server acts.
    Late Lasting;
    Duplicated Lasting;
    ServerError Passing;
    ServerErrorAfterEffect Passing;
    Overload Passing;
    NotUnderstood Passing;
    /// A signature is not accepted.
    Unsigned Passing;
    Stale Passing;
    /// An answer that there is an unfinished upload, whether or not there is one; in `files/v1`, that its offset was set back.
    Relist Passing;
    /// An answer of success to what was not done.
    AnswerWithoutEffect Lasting;
    /// A slice's answer is about another slice.
    WrongOffset Passing;
    /// The offset to go on at is another than the server's.
    OffsetMisstated Passing;
    /// A slice size, or an offset, of which no plan can be made.
    AbsurdSliceSize Lasting;
    /// A list that claims what is not there.
    ListClaimsMore Lasting;
    /// The server calls content wrong that is right.
    ContentDoubted Lasting;
    /// A stat that does not show yet what was made last.
    StatLags Lasting;
    SessionLost Lasting;
    /// The session is another from now on; nobody is told but who lists.
    SessionRotated Passing;
    SliceSizeChanged Passing;
    SerialChanged Passing;
    /// Somebody else's upload takes the place of the unfinished one.
    Replaced Lasting;
    PartForgotten Lasting;
    PartCorrupted Lasting;
}

/// When the source becomes another, and whether who has it open can see it.
#[derive(Clone, Debug)]
pub struct Change {
    pub at: Duration,
    pub content: Arc<Vec<u8>>,
    /// By size or time of modification; where that was set back only digests tell, and the next life.
    pub visible: bool,
}

/// How the source can be read, and what comes of it.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub reading: Reading,
    /// Reading may take long.
    pub blocks: bool,
    /// More comes out of the spooled stream than the service takes.
    pub too_large: bool,
    /// A digest is taken while it is read once.
    pub tells_digest: bool,
}

pub struct Scenario {
    pub content: Arc<Vec<u8>>,
    pub source: Source,
    pub manner: Manner,
    /// How many directories the object is in.
    pub depth: u32,
    pub signer: Option<signer::Manner>,
    pub options: UploadOptions,
    pub connections: Connections,
    pub fault_percent: u64,
    /// The faults that occur in this run: uniform choice never meets the corners.
    pub faults: Vec<Fault>,
    /// How often the process dies, or the upload is cancelled and run again.
    pub deaths: u64,
    pub change: Option<Change>,
    pub checkpoint: bool,
    /// Percent of the checkpoint's writes that fail, and of the deaths that take it along.
    pub checkpoint_loss: u64,
    pub other_object: Option<usize>,
    /// The size of somebody's unfinished upload, and whether it has a digest.
    pub other_upload: Option<(usize, bool)>,
}

impl Scenario {
    pub fn draw(random: &mut Random) -> Self {
        let manner = draw_manner(random);
        let size = random.up_to(4000) as usize;
        let content = bytes(random, size);
        let mut options = draw_options(random);
        let source = draw_source(random, manner.api);
        match source.reading {
            _ if manner.api == Api::FilesV1 => options.hash = true,
            Reading::Once => options.hash = false,
            Reading::AtWill | Reading::AfterSpooling => {}
        }
        let is_file = source.reading == Reading::AtWill;
        let change = (is_file && random.up_to(7) == 0).then(|| draw_change(random, size, options.hash));
        let sizes = [size, random.up_to(3000) as usize];
        // A server's wrong bytes are seen by a digest: its own of what was announced, or ours of what was read once.
        let reads_digest =
            source.reading == Reading::Once && source.tells_digest && options.verify && manner.tells_sha;
        let sees_corruption = options.hash || reads_digest;
        Self {
            connections: draw_connections(random),
            fault_percent: match random.up_to(15) {
                0 => 95,
                drawn => [0, 5, 20, 50][drawn as usize % 4],
            },
            faults: draw_faults(random, sees_corruption),
            // What was read once is gone with the process.
            deaths: match source.reading {
                Reading::Once => 0,
                Reading::AtWill | Reading::AfterSpooling => random.up_to(5).saturating_sub(2),
            },
            change,
            checkpoint: is_file && random.up_to(1) == 0,
            checkpoint_loss: [0, 0, 30][random.up_to(2) as usize],
            other_object: (random.up_to(7) == 0).then(|| sizes[random.up_to(1) as usize]),
            other_upload: (random.up_to(7) == 0)
                .then(|| (size + random.up_to(1) as usize, random.up_to(1) == 0)),
            depth: random.up_to(3) as u32,
            signer: (random.up_to(3) == 0).then(|| signer::draw(random)),
            content,
            source,
            manner,
            options,
        }
    }

    pub fn has(&self, fault: Fault) -> bool {
        self.fault_percent > 0 && self.faults.contains(&fault)
    }

    /// Whether something happens that need not pass when the faults stop.
    pub fn has_lasting_harm(&self) -> bool {
        Fault::ALL
            .iter()
            .any(|&(fault, harm)| harm == Harm::Lasting && self.has(fault))
    }
}

/// As many as these, whether fixed or adaptive.
pub fn draw_connections(random: &mut Random) -> Connections {
    let most = 1 + random.up_to(7) as u32;
    match random.up_to(1) {
        0 => Connections::Fixed(most),
        _ => Connections::Adaptive(most),
    }
}

pub fn draw_manner(random: &mut Random) -> Manner {
    Manner {
        api: [Api::FilesV2, Api::FilesV2, Api::FilesV1][random.up_to(2) as usize],
        v1: draw_manner_of_v1(random),
        directories: (random.up_to(2) == 0).then(|| random.up_to(3) as u32),
        slice_size: 50 + random.up_to(400),
        serial: [None, None, Some(Serial::Announced), Some(Serial::Silent)][random.up_to(3) as usize],
        refuses_duplicates: random.up_to(3) == 0,
        rotates_on_list: random.up_to(1) == 0,
        tells_sha: random.up_to(3) != 0,
        repeats_finish: random.up_to(1) == 0,
    }
}

fn draw_manner_of_v1(random: &mut Random) -> model_v1::Manner {
    let stale_sessions = [-94, -286, -290, -4013, -4021, -5983];
    let stale_to_go_on_with = [-290, -4005, -4019, -4026, -4027, -197];
    let offset_codes = [-4005, -4015, -4024];
    let tells_completion = random.up_to(3) != 0;
    model_v1::Manner {
        knows_content: random.up_to(1) == 0,
        stale_session: stale_sessions[random.up_to(5) as usize],
        stale_session_to_go_on_with: stale_to_go_on_with[random.up_to(5) as usize],
        begins_for_stale_session: random.up_to(1) == 0,
        offset_behind: offset_codes[random.up_to(2) as usize],
        offset_ahead: offset_codes[random.up_to(2) as usize],
        tells_completion,
        // Who says neither has nothing by which success could be known.
        tells_same_content: !tells_completion || random.up_to(1) == 0,
        wrong_content: [-4016, -4026, -4027, -174][random.up_to(3) as usize],
        keeps_wrong_content: random.up_to(1) == 0,
    }
}

fn draw_source(random: &mut Random, api: Api) -> Source {
    let reading = match random.up_to(7) {
        // files/v1 wants the digest of what was not read yet.
        0 if api == Api::FilesV2 => Reading::Once,
        1 => Reading::AfterSpooling,
        _ => Reading::AtWill,
    };
    Source {
        reading,
        blocks: random.up_to(3) == 0,
        too_large: reading == Reading::AfterSpooling && random.up_to(9) == 0,
        tells_digest: random.up_to(3) != 0,
    }
}

fn draw_options(random: &mut Random) -> UploadOptions {
    UploadOptions {
        hash: random.up_to(3) != 0,
        overwrite: random.up_to(2) == 0,
        discard_unfinished: random.up_to(3) == 0,
        verify: random.up_to(3) != 0,
        create_parents: random.up_to(1) == 0,
        single_request_limit: if random.up_to(7) == 0 { 1000 } else { 0 },
        deadline: (random.up_to(7) == 0).then(|| Duration::from_millis(1 + random.up_to(60_000))),
        ..UploadOptions::default()
    }
}

fn draw_faults(random: &mut Random, sees_corruption: bool) -> Vec<Fault> {
    let only_passing = random.up_to(1) == 0;
    let possible = Fault::ALL.iter().filter(|&&(fault, harm)| match fault {
        // Nobody notices bytes that the server itself spoils, unless there is a digest.
        Fault::PartCorrupted => sees_corruption && !only_passing,
        _ => harm == Harm::Passing || !only_passing,
    });
    // Few requests are stats or lists.
    let weight = |fault| match fault {
        Fault::StatLags | Fault::ListClaimsMore => 8,
        _ => 1,
    };
    possible
        .map(|&(fault, _)| fault)
        .filter(|_| random.up_to(2) == 0)
        .flat_map(|fault| iter::repeat_n(fault, weight(fault)))
        .collect()
}

fn draw_change(random: &mut Random, size: usize, hash: bool) -> Change {
    // Only a digest finds what the file's times don't tell.
    let visible = !hash || random.up_to(1) == 0;
    let new_size = match random.up_to(2) {
        0 if visible => random.up_to(4000) as usize,
        _ => size,
    };
    Change {
        at: Duration::from_millis(random.up_to(20_000)),
        content: bytes(random, new_size),
        visible,
    }
}

fn bytes(random: &mut Random, count: usize) -> Arc<Vec<u8>> {
    Arc::new((0..count).map(|_| random.draw() as u8).collect())
}
