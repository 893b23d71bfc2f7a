//! What is remembered from run to run, and how far it is proof.

use crate::script::*;
use OperationKind::{Delete, Finish, Init, List, Stat};
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::{Answer, OperationKind};
use cos_slice::upload::error::Error;
use cos_slice::upload::options::UploadOptions;
use cos_slice::upload::status::Status;

#[test]
fn what_is_remembered_makes_a_second_run_resume_without_hashing() {
    let memory = stopped_in_mid_upload();
    let mut script = Script::with(plain(), memory.clone());
    script
        .refuse(Init, -4019)
        .answer(List, unfinished_of_ours(&[(0, 200)]));
    assert_eq!(script.store_all(), [200]);

    // Other content: the upload there is known to be ours, but its bytes are not.
    let mut script = Script::with(plain(), memory.for_other_content());
    script
        .refuse(Init, -4019)
        .answer(List, unfinished_of_ours(&[(0, 200)]));
    drop(script.request(Stat));
}

#[test]
fn without_hashing_an_upload_that_replaced_ours_is_neither_built_upon_nor_thrown_away() {
    let mut script = Script::with(plain(), stopped_in_mid_upload());
    script
        .refuse(Init, -4019)
        .answer(List, unfinished(None, &[(0, 200)]));
    assert_eq!(script.status(), Status::OtherUpload);

    let mut script = Script::new(plain());
    script.begin();
    script.refuse_slices(-290);
    script.answer(List, unfinished(None, &[(0, 200)]));
    assert_eq!(script.status(), Status::OtherUpload);

    let mut script = Script::new(plain());
    script.begin();
    script.refuse_slices(-290);
    script
        .answer(List, Answer::Absent)
        .refuse(Init, -4019)
        .answer(List, unfinished_of_ours(&[(0, 200)]));
    assert_eq!(
        script.status(),
        Status::OtherUpload,
        "ours was gone, so this is not it"
    );
}

#[test]
fn without_hashing_even_an_answer_just_before_does_not_prove_that_another_session_is_ours() {
    let mut script = Script::new(plain());
    script.begin().store_all();
    script
        .refuse(Finish, -4019)
        .answer(List, unfinished(None, &[(0, 200)]));
    assert_eq!(script.status(), Status::OtherUpload);
}

#[test]
fn an_init_whose_answer_was_not_waited_for_may_have_begun_an_upload_of_ours() {
    let mut script = Script::new(plain());
    drop(script.request(Init));
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    let memory = script.client.memory(script.id).unwrap().clone();
    let mut script = Script::with(plain(), memory);
    script.refuse(Init, -4019).answer(List, unfinished(None, &[]));
    assert_eq!(script.store_all(), [0, 100, 200]);
}

#[test]
fn what_was_hashed_is_still_known_when_an_upload_in_the_way_was_thrown_away() {
    let mut script = Script::new(UploadOptions {
        discard_unfinished: true,
        ..UploadOptions::default()
    });
    script.hash().refuse(Init, -4019);
    script
        .answer(List, unfinished(Some(Sha1Digest::from_bytes([3; 20])), &[]))
        .answer(Stat, Answer::Absent)
        .answer(Delete, Answer::Deleted);
    let digests = script.client.memory(script.id).unwrap().digests.clone();
    assert_eq!(digests.map(|digests| digests.whole()), script.sha);
}
