//! What is remembered from run to run, and how far it is proof.

use crate::script::*;
use OperationKind::{Finish, Init, List, Stat};
use cos_slice::protocol::{Answer, OperationKind};
use cos_slice::upload::error::Error;
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
