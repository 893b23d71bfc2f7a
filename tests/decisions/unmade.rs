//! Where the server names the offset: what follows when an object is not, or seems not, made of all that is there.

use cos_slice::protocol::OperationKind::{Delete, Init, Stat};
use cos_slice::protocol::{Answer, ObjectStatus};
use cos_slice::upload::Next;
use cos_slice::upload::status::Status;

use super::offsets::{at, began, complete, lose, named, refuse, refuse_next_slice, store, with_memory};
use super::script::*;

/// All of it is there, whether it is an object or not, and no digest is told.
fn all_there() -> Answer {
    object(SIZE, None)
}

fn has_all(script: &mut Script, times: u32) {
    for _ in 0..times {
        script.answer(Init, at("a", SIZE));
    }
}

#[test]
fn what_is_never_made_an_object_is_hashed_thrown_away_and_sent_once_more() {
    let mut script = began();
    script.answer(Init, at("a", 200));
    // The content was found wrong, and the answer that said so was lost.
    lose(&mut script, 200);
    has_all(&mut script, 4);
    script.hash();
    let session = named(&mut script, at("a", SIZE));
    assert_eq!(session, None, "whether an object is there is asked, too");
    script.answer(Stat, all_there()).answer(Delete, Answer::Deleted);
    assert_eq!(named(&mut script, at("b", 0)), None);
    for offset in [0, 100] {
        store(&mut script, offset);
    }
    complete(&mut script, 200);
    script.verify();
    assert!(script.object().verified);
}

#[test]
fn a_later_run_that_finds_it_so_does_the_same() {
    let mut first = began();
    first.answer(Init, at("a", 0));
    refuse_next_slice(&mut first, -5999);
    let memory = first.client.memory(first.id).unwrap().clone();
    let mut script = with_memory(memory);
    assert_eq!(named(&mut script, at("a", SIZE)), Some("a".into()));
    has_all(&mut script, 3);
    script.hash();
    assert_eq!(named(&mut script, at("a", SIZE)), None);
    script
        .answer(Stat, all_there())
        .answer(Delete, Answer::Deleted)
        .answer(Init, at("b", 0));
    store(&mut script, 0);
}

#[test]
fn an_object_that_may_be_of_others_is_not_thrown_away_for_it() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    refuse_next_slice(&mut script, -4016);
    script.hash().answer(Init, at("a", 100));
    let of_others = Answer::Status(ObjectStatus {
        size: SIZE,
        sha: Some("4916d6bdb7f78e6803698cab32d1586ea457dfc8".parse().unwrap()),
        ..ObjectStatus::default()
    });
    script.answer(Stat, of_others);
    assert_eq!(script.status(), Status::ObjectExists);
}

/// The answer to the last slice is lost, and the object that is there since has this size and no digest.
fn after_a_lost_completion(mut script: Script, size: u64) -> Script {
    lose(&mut script, 200);
    let init = script.request(Init);
    refuse(&mut script, init, -290);
    let init = script.request(Init);
    refuse(&mut script, init, -177);
    script.answer(Stat, object(size, None));
    script
}

#[test]
fn without_a_digest_nobody_knows_whose_object_is_there_after_a_lost_completion() {
    for (size, status) in [(SIZE, Status::OutcomeUnknown), (SIZE + 1, Status::ObjectExists)] {
        let mut script = began();
        script.answer(Init, at("a", 200));
        assert_eq!(after_a_lost_completion(script, size).status(), status);
    }
}

#[test]
fn an_init_that_says_nothing_is_there_proves_nothing_of_what_is_there_later() {
    let mut script = began();
    script.answer(Init, at("a", 200));
    refuse_next_slice(&mut script, -290);
    let init = script.request(Init);
    refuse(&mut script, init, -290);
    let init = script.request(Init);
    refuse(&mut script, init, -177);
    script.answer(Stat, object(SIZE, None));
    assert_eq!(script.status(), Status::OutcomeUnknown);
}

#[test]
fn a_session_that_is_lost_costs_one_question_of_five() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    for _ in 0..5 {
        refuse_next_slice(&mut script, -290);
        let init = script.request(Init);
        refuse(&mut script, init, -290);
        assert_eq!(named(&mut script, at("a", 0)), None);
    }
    refuse_next_slice(&mut script, -290);
    assert!(matches!(script.client.next(script.now), Next::Idle));
    assert_eq!(script.status(), Status::ServerFailed);
}
