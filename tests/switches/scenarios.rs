//! What is played against each server, and how it ends where all switches are in their default positions.

use cos_slice::engine::client::Inspection;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::status::Status;

use crate::ground::{Ending, Ground, MIB, Mode, PATH, sha1_of};

pub struct Scenario {
    pub name: &'static str,
    pub run: fn(&Ground) -> Result<Object, Error>,
    hashing: Ending,
    plain: Ending,
    v1: Ending,
}

impl Scenario {
    pub fn expected(&self, mode: Mode) -> Ending {
        match mode {
            Mode::Hashing => self.hashing,
            Mode::Plain => self.plain,
            Mode::V1 => self.v1,
        }
    }
}

const UPLOADED: Ending = Ending::Done(Outcome::Uploaded);
const RESUMED: Ending = Ending::Done(Outcome::Resumed);
const INSTANT: Ending = Ending::Done(Outcome::Instant);
const OTHER_UPLOAD: Ending = Ending::Failed(Status::OtherUpload);
const OBJECT_EXISTS: Ending = Ending::Failed(Status::ObjectExists);

macro_rules! scenarios {
    ($($name:ident: $hashing:ident, $plain:ident, $v1:ident;)+) => {
        pub const SCENARIOS: &[Scenario] = &[$(Scenario {
            name: stringify!($name),
            run: $name,
            hashing: $hashing,
            plain: $plain,
            v1: $v1,
        }),+];
    };
}

scenarios! {
    fresh: UPLOADED, UPLOADED, UPLOADED;
    in_half_slices: UPLOADED, UPLOADED, UPLOADED;
    tiny: UPLOADED, UPLOADED, UPLOADED;
    empty: UPLOADED, UPLOADED, UPLOADED;
    in_one_request: UPLOADED, UPLOADED, UPLOADED;
    resumed_by_the_handle: RESUMED, RESUMED, RESUMED;
    // Without a digest, or a checkpoint, a stranger's upload can't be told from one's own.
    resumed_by_another_handle: RESUMED, OTHER_UPLOAD, RESUMED;
    another_upload_in_the_way: OTHER_UPLOAD, OTHER_UPLOAD, UPLOADED;
    another_upload_discarded: UPLOADED, UPLOADED, UPLOADED;
    another_object_kept: OBJECT_EXISTS, OBJECT_EXISTS, OBJECT_EXISTS;
    another_object_overwritten: UPLOADED, UPLOADED, UPLOADED;
    overwriting_interrupted: RESUMED, RESUMED, RESUMED;
    same_content_again: INSTANT, OBJECT_EXISTS, INSTANT;
    // The service answers alike whether it had it or not.
    same_content_again_in_one_request: UPLOADED, UPLOADED, UPLOADED;
    same_content_elsewhere: UPLOADED, UPLOADED, UPLOADED;
    every_answer_lost_once: UPLOADED, UPLOADED, UPLOADED;
    // An upload in another session need not be ours.
    session_gone_in_the_middle: UPLOADED, OTHER_UPLOAD, UPLOADED;
    inspected: RESUMED, RESUMED, RESUMED;
    below_no_directory: UPLOADED, UPLOADED, UPLOADED;
    below_a_directory_that_is_made: UPLOADED, UPLOADED, UPLOADED;
}

fn fresh(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn in_half_slices(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    let upload = ground.upload(&ground.client, file, |options| options.slice_size = MIB / 2);
    ground.send(&upload, file)
}

fn tiny(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.tiny;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn empty(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.empty;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn in_one_request(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    let upload = ground.upload(&ground.client, file, |options| {
        options.single_request_limit = 20 * MIB
    });
    ground.send(&upload, file)
}

fn resumed_by_the_handle(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    let upload = ground.interrupt(file)?;
    ground.send(&upload, file)
}

fn resumed_by_another_handle(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    drop(ground.interrupt(file)?);
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn another_upload_in_the_way(ground: &Ground) -> Result<Object, Error> {
    drop(ground.interrupt(&ground.files.other)?);
    let file = &ground.files.big;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn another_upload_discarded(ground: &Ground) -> Result<Object, Error> {
    drop(ground.interrupt(&ground.files.other)?);
    let file = &ground.files.big;
    let upload = ground.upload(&ground.client, file, |options| options.discard_unfinished = true);
    ground.send(&upload, file)
}

/// Whatever comes after, the other file is there first.
fn with_another_object(ground: &Ground) -> Result<(), Error> {
    let other = &ground.files.other;
    ground
        .send(&ground.upload(&ground.client, other, |_| ()), other)
        .map(drop)
}

fn another_object_kept(ground: &Ground) -> Result<Object, Error> {
    with_another_object(ground)?;
    let file = &ground.files.big;
    let result = ground.send(&ground.upload(&ground.client, file, |_| ()), file);
    assert_eq!(ground.object(PATH), Some(sha1_of(&ground.files.other)));
    result
}

fn another_object_overwritten(ground: &Ground) -> Result<Object, Error> {
    with_another_object(ground)?;
    let file = &ground.files.big;
    let upload = ground.upload(&ground.client, file, |options| options.overwrite = true);
    ground.send(&upload, file)
}

fn overwriting_interrupted(ground: &Ground) -> Result<Object, Error> {
    with_another_object(ground)?;
    let file = &ground.files.big;
    ground.fault_at(
        ground.mode.data(),
        r#""offset":1048576"#,
        r#"{"status":400,"code":-5992}"#,
    );
    let upload = ground.upload(&ground.serial, file, |options| options.overwrite = true);
    ground.send(&upload, file).expect_err("it was to be refused");
    ground.send(&upload, file)
}

fn same_content_again(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)?;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn same_content_again_in_one_request(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    let upload = || {
        ground.upload(&ground.client, file, |options| {
            options.single_request_limit = 20 * MIB
        })
    };
    ground.send(&upload(), file)?;
    ground.send(&upload(), file)
}

/// The content is in the bucket already, under another name and with a digest.
fn same_content_elsewhere(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.big;
    let elsewhere = ground.upload_to("2026/elsewhere.mp4", &ground.client, file, |options| {
        options.hash = true
    });
    ground.send(&elsewhere, file)?;
    ground.send(&ground.upload(&ground.client, file, |_| ()), file)
}

fn below_no_directory(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.tiny;
    let upload = ground.upload_to("2027/new/tiny.txt", &ground.client, file, |_| ());
    ground.send(&upload, file)
}

fn every_answer_lost_once(ground: &Ground) -> Result<Object, Error> {
    let (init, data) = (ground.mode.init(), ground.mode.data());
    for operation in [init, data, "upload_slice_list", "upload_slice_finish", "stat"] {
        ground.fault(operation, r#"{"lost_answer":true}"#);
    }
    let file = &ground.files.big;
    ground.send(&ground.upload(&ground.serial, file, |_| ()), file)
}

fn session_gone_in_the_middle(ground: &Ground) -> Result<Object, Error> {
    let rotation = r#"{"rotate_session":true}"#;
    ground.fault_at(ground.mode.data(), r#""offset":1048576"#, rotation);
    let file = &ground.files.big;
    ground.send(&ground.upload(&ground.serial, file, |_| ()), file)
}

/// Nothing, then a part, then all: and what `inspect` tells of each.
fn inspected(ground: &Ground) -> Result<Object, Error> {
    assert!(matches!(ground.inspect()?, Inspection::None));
    let file = &ground.files.big;
    let size = std::fs::metadata(file).expect("a file").len();
    let upload = ground.interrupt(file)?;
    match ground.inspect()? {
        Inspection::Unfinished {
            size: told, received, ..
        } => assert!(told == size && received <= MIB),
        // Where there is no list and stat does not tell, nothing does.
        Inspection::None => assert!(ground.mode == Mode::V1 && ground.has("stat_unfinished=not_found")),
        other => panic!("{other:?}"),
    }
    let object = ground.send(&upload, file)?;
    match ground.inspect()? {
        Inspection::Complete { size: told, .. } => assert_eq!(told, Some(size)),
        other => panic!("{other:?}"),
    }
    Ok(object)
}

fn below_a_directory_that_is_made(ground: &Ground) -> Result<Object, Error> {
    let file = &ground.files.tiny;
    let upload = ground.upload_to("2027/new/tiny.txt", &ground.client, file, |options| {
        options.create_parents = true;
    });
    ground.send(&upload, file)
}
