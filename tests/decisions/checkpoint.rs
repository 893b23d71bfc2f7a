//! What is kept for the next life, and before what: a checkpoint that is written late proves nothing.

use cos_slice::protocol::OperationKind::{Finish, Init, List, Upload};
use cos_slice::protocol::digest::{Digests, Hasher};
use cos_slice::upload::Next;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::options::UploadOptions;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Memory, Work};
use std::sync::Arc;

use crate::script::*;

fn hashed() -> UploadOptions {
    UploadOptions::default()
}

/// An upload without hashing all of whose slices are there, and whose finish was answered.
fn answered() -> Script {
    let mut script = Script::with_checkpoint(plain(), Memory::default());
    script.save();
    script.begin();
    script.save();
    script.store_all();
    script.answer(Finish, links());
    script
}

/// The digests of [`SIZE`] bytes of this value.
fn digests_of(byte: u8) -> Option<Arc<Digests>> {
    let mut hasher = Hasher::new(1 << 20);
    hasher.update(&[byte; SIZE as usize]);
    Some(Arc::new(hasher.finish()))
}

#[test]
fn the_digests_and_the_init_to_come_are_saved_before_the_init() {
    let mut script = Script::with_checkpoint(hashed(), Memory::default());
    script.hash();
    let saved = script.save();
    assert_eq!(saved.digests.map(|digests| digests.whole()), script.sha);
    assert_eq!(saved.init_unanswered.map(|content| content.sha), Some(script.sha));
    assert!(saved.began.is_none() && saved.sent.is_empty());
    script.begin();
}

#[test]
fn the_session_and_all_that_will_be_sent_into_it_are_saved_before_the_first_slice() {
    let mut script = Script::with_checkpoint(plain(), Memory::default());
    script.save();
    script.begin();
    let saved = script.save();
    assert_eq!(&*saved.began.unwrap().session, "s1");
    assert!(saved.init_unanswered.is_none() && saved.sent.contains(0..SIZE));
    assert_eq!(script.slices().len(), 2);
    // What is remembered between the runs of one handle stays exact.
    assert_eq!(script.client.memory(script.id).unwrap().sent.covered(), 2 * SLICE);
}

#[test]
fn nothing_is_asked_for_while_a_checkpoint_is_being_written() {
    let mut script = Script::with_checkpoint(plain(), Memory::default());
    let saving = script.task();
    assert!(matches!(saving.work, Work::Save(_)));
    assert!(matches!(script.client.next(script.now), Next::Idle));
    assert_eq!(script.client.in_flight(script.id), 1);
}

#[test]
fn what_a_dead_life_saved_is_enough_to_resume_without_digests() {
    let mut script = Script::with_checkpoint(plain(), Memory::default());
    script.save();
    script.begin();
    let saved = script.save();
    let mut script = Script::with_checkpoint(plain(), saved);
    script.save();
    script.refuse(Init, -4019);
    script.answer(List, unfinished_of_ours(&[(0, 100)]));
    script.save();
    assert_eq!(script.store_all(), [100, 200]);
    script.answer(Finish, links()).verify().forget();
    assert_eq!(script.object().outcome, Outcome::Resumed);
}

#[test]
fn a_life_that_died_before_its_session_was_known_adopts_only_an_upload_without_parts() {
    for (parts, status) in [(&[][..], None), (&[(0, 100)][..], Some(Status::OtherUpload))] {
        let mut script = Script::with_checkpoint(plain(), Memory::default());
        let saved = script.save();
        let mut script = Script::with_checkpoint(plain(), saved);
        script.save();
        script.refuse(Init, -4019);
        script.answer(List, unfinished(None, parts));
        match status {
            None => assert_eq!(&*script.save().began.unwrap().session, "listed"),
            Some(status) => {
                script.save();
                assert_eq!(script.status(), status);
            }
        }
    }
}

#[test]
fn the_checkpoint_goes_once_the_object_is_known_to_be_complete_and_not_before() {
    let mut script = answered();
    script.verify();
    assert!(script.client.result(script.id).is_none());
    script.forget();
    assert_eq!(script.object().outcome, Outcome::Uploaded);
}

#[test]
fn a_checkpoint_is_forgotten_after_a_single_request_too() {
    let options = UploadOptions {
        single_request_limit: 1000,
        ..plain()
    };
    let mut script = Script::with_checkpoint(options, Memory::default());
    script.answer(Upload, links()).verify().forget();
    assert_eq!(script.status(), Status::Ok);
}

#[test]
fn a_complete_object_stays_a_success_whatever_becomes_of_the_checkpoint() {
    let complete = || {
        let mut script = answered();
        script.verify();
        script
    };
    for mut stopped in [complete(), answered()] {
        stopped.client.stop(stopped.id, Error::cancelled("cos://b/p"));
        assert_eq!(stopped.status(), Status::Ok, "without waiting for the disk");
    }
    let mut broken = complete();
    let task = broken.task();
    let failure = TaskFailure::Defect("caught".into());
    broken.client.report(task, Err(failure), broken.now);
    assert_eq!(broken.status(), Status::Ok);
}

#[test]
fn remembered_digests_save_the_hashing_and_a_change_of_their_step_does_not_use_them() {
    let remembered = || Memory {
        digests: digests_of(1),
        ..Memory::default()
    };
    let mut script = Script::with_checkpoint(hashed(), remembered());
    script.save();
    script.begin();
    let other_step = UploadOptions {
        slice_size: 512 << 10,
        ..hashed()
    };
    Script::with_checkpoint(other_step, remembered()).hash();
}

/// A checkpoint can be of an older content that nothing tells from this one but the bytes.
#[test]
fn remembered_digests_that_the_server_contradicts_are_taken_again_and_believed() {
    let remembered = Memory {
        digests: digests_of(2),
        ..Memory::default()
    };
    let mut script = Script::with_checkpoint(hashed(), remembered);
    script.save();
    script.begin();
    script.save();
    script.store_all();
    script.refuse(Finish, -4016);
    script.hash();
    let saved = script.save();
    assert_eq!(saved.digests.map(|digests| digests.whole()), script.sha);
    script.answer(Init, session(None));
    script.save();
    script.store_all();
    script.answer(Finish, links()).verify().forget();
    assert_eq!(script.object().sha, script.sha);
}

/// Somebody else may have begun it: the same content is not the same upload.
#[test]
fn what_an_init_may_have_begun_is_not_thrown_away_for_its_content() {
    let mut script = Script::with_checkpoint(hashed(), Memory::default());
    script.hash();
    let saved = script.save().for_other_content();
    assert!(saved.init_unanswered.is_some());
    let other = Memory {
        digests: digests_of(2),
        ..saved
    };
    let mut script = Script::with_checkpoint(hashed(), other);
    script.save();
    script.refuse(Init, -4020);
    script.save();
    assert_eq!(script.status(), Status::OtherUpload);
}

/// What was written ahead is true of a life that was killed. One that knows better says so.
#[test]
fn after_a_failure_the_checkpoint_says_what_is_known_and_no_longer_what_was_begun() {
    let mut refused = Script::with_checkpoint(plain(), Memory::default());
    refused.save();
    refused.refuse(Init, -5999);
    assert!(refused.client.result(refused.id).is_none());
    let saved = refused.save();
    assert!(saved.init_unanswered.is_none() && saved.began.is_none());
    assert_eq!(refused.status(), Status::Refused);

    let mut script = Script::with_checkpoint(plain(), Memory::default());
    script.save();
    script.begin();
    assert_eq!(script.save().sent.covered(), SIZE);
    script.refuse_slices(-5999);
    let saved = script.save();
    assert_eq!(&*saved.began.unwrap().session, "s1");
    assert_eq!(saved.sent.covered(), 2 * SLICE, "two were sent, and no more");
    assert_eq!(script.status(), Status::Refused);
}

#[test]
fn a_failure_does_not_wait_for_the_checkpoint_when_it_is_stopped_and_stays_the_same() {
    let mut script = Script::with_checkpoint(plain(), Memory::default());
    script.save();
    script.refuse(Init, -5999);
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    assert_eq!(script.status(), Status::Refused);
}
