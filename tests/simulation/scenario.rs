//! What a run is about: the source, the settings, the server's manner and what goes wrong, all drawn from the seed.

use std::sync::Arc;
use std::time::Duration;

use cos_slice::upload::options::UploadOptions;
use cos_slice::upload::random::Random;

use crate::model::{Manner, Serial};

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
    /// An answer that there is an unfinished upload, whether or not there is one.
    Relist Passing;
    /// An answer of success to what was not done.
    AnswerWithoutEffect Lasting;
    /// A slice's answer is about another slice.
    WrongOffset Passing;
    /// A slice size of which no plan can be made.
    AbsurdSliceSize Lasting;
    /// A list that claims what is not there.
    ListClaimsMore Lasting;
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

pub struct Scenario {
    pub content: Arc<Vec<u8>>,
    pub options: UploadOptions,
    pub connections: u32,
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
        let size = random.up_to(4000) as usize;
        let content = bytes(random, size);
        let options = draw_options(random);
        let change = (random.up_to(7) == 0).then(|| draw_change(random, size, options.hash));
        let sizes = [size, random.up_to(3000) as usize];
        Self {
            connections: 1 + random.up_to(7) as u32,
            fault_percent: [0, 5, 20, 50][random.up_to(3) as usize],
            faults: draw_faults(random, &options),
            deaths: random.up_to(5).saturating_sub(2),
            change,
            checkpoint: random.up_to(1) == 0,
            checkpoint_loss: [0, 0, 30][random.up_to(2) as usize],
            other_object: (random.up_to(7) == 0).then(|| sizes[random.up_to(1) as usize]),
            other_upload: (random.up_to(7) == 0)
                .then(|| (size + random.up_to(1) as usize, random.up_to(1) == 0)),
            content,
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

pub fn draw_manner(random: &mut Random) -> Manner {
    Manner {
        slice_size: 50 + random.up_to(400),
        serial: [None, None, Some(Serial::Announced), Some(Serial::Silent)][random.up_to(3) as usize],
        refuses_duplicates: random.up_to(3) == 0,
        rotates_on_list: random.up_to(1) == 0,
        tells_sha: random.up_to(3) != 0,
        repeats_finish: random.up_to(1) == 0,
    }
}

fn draw_options(random: &mut Random) -> UploadOptions {
    UploadOptions {
        hash: random.up_to(3) != 0,
        overwrite: random.up_to(2) == 0,
        discard_unfinished: random.up_to(3) == 0,
        verify: random.up_to(3) != 0,
        single_request_limit: if random.up_to(7) == 0 { 1000 } else { 0 },
        deadline: (random.up_to(7) == 0).then(|| Duration::from_millis(1 + random.up_to(60_000))),
        ..UploadOptions::default()
    }
}

fn draw_faults(random: &mut Random, options: &UploadOptions) -> Vec<Fault> {
    let only_passing = random.up_to(1) == 0;
    let possible = Fault::ALL.iter().filter(|&&(fault, harm)| match fault {
        // Nobody notices bytes that the server itself spoils, unless there is a digest.
        Fault::PartCorrupted => options.hash && !only_passing,
        _ => harm == Harm::Passing || !only_passing,
    });
    let drawn: Vec<Fault> = possible
        .map(|&(fault, _)| fault)
        .filter(|_| random.up_to(2) == 0)
        .collect();
    drawn
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
