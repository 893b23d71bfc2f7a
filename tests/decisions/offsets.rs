//! Where the server names the offset to go on at, and the last slice makes the object: `files/v1`.

use cos_slice::protocol::OperationKind::{Delete, Init, Slice, Stat};
use cos_slice::protocol::{Answer, Api, Operation, Refusal, Session, Stored, codes};
use cos_slice::upload::Next;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, Memory, Specification, Task, Work};

use super::script::*;

pub fn began() -> Script {
    with_memory(Memory::default())
}

pub fn with_memory(memory: Memory) -> Script {
    let options = ClientOptions {
        api: Api::FilesV1,
        ..client_options()
    };
    let specification = Specification {
        memory,
        ..specification(UploadOptions::default())
    };
    let is_hashed = specification.memory.digests.is_some();
    let mut script = Script::specified(options, specification);
    if !is_hashed {
        script.hash();
    }
    script
}

pub fn at(session: &str, offset: u64) -> Answer {
    Answer::Session(Session {
        session: session.into(),
        slice_size: SLICE,
        serial: Some(true),
        offset,
    })
}

pub fn refuse(script: &mut Script, task: Task, code: i64) {
    let class = codes::lookup(Api::FilesV1, code).unwrap().class;
    let refusal = Refusal {
        class,
        api: Api::FilesV1,
        ..refusal(code)
    };
    script
        .client
        .report(task, Err(TaskFailure::Refused(refusal)), script.now);
}

/// Takes the next request, which must be a slice from here.
fn slice(script: &mut Script, offset: u64) -> Task {
    let task = script.request(Slice);
    let Work::Request(Operation::Slice(slice)) = &task.work else {
        unreachable!()
    };
    assert_eq!(slice.offset, offset);
    task
}

pub fn store(script: &mut Script, offset: u64) {
    let task = slice(script, offset);
    let stored = Stored {
        offset: Some(offset),
        length: None,
    };
    script
        .client
        .report(task, Ok(Done::Answered(Answer::Stored(stored))), script.now);
}

pub fn complete(script: &mut Script, offset: u64) {
    let task = slice(script, offset);
    script
        .client
        .report(task, Ok(Done::Answered(links())), script.now);
}

/// Loses the answer to the next slice, which must be the one from here.
pub fn lose(script: &mut Script, offset: u64) {
    let task = slice(script, offset);
    script.client.report(task, Err(lost()), script.now);
}

/// The session that the next init goes on with.
pub fn named(script: &mut Script, answer: Answer) -> Option<String> {
    let task = script.request(Init);
    let Work::Request(Operation::Init(init)) = &task.work else {
        unreachable!()
    };
    let named = init.session.as_deref().map(str::to_owned);
    script.client.report(task, Ok(Done::Answered(answer)), script.now);
    named
}

#[test]
fn slices_go_one_after_another_and_the_last_makes_the_object() {
    let mut script = began();
    assert_eq!(named(&mut script, at("a", 0)), None);
    let first = slice(&mut script, 0);
    assert!(script.slices().is_empty(), "one at a time");
    let stored = Answer::Stored(Stored::default());
    script
        .client
        .report(first, Ok(Done::Answered(stored)), script.now);
    store(&mut script, 100);
    complete(&mut script, 200);
    script.verify();
    let object = script.object();
    assert_eq!(
        (object.outcome, object.slices_sent, object.verified),
        (Outcome::Uploaded, 3, true)
    );
}

#[test]
fn what_the_server_has_is_not_sent_again_wherever_it_ends() {
    let mut script = began();
    script.answer(Init, at("a", 130));
    store(&mut script, 130);
    complete(&mut script, 230);
    script.verify();
    let object = script.object();
    assert_eq!(
        (object.outcome, object.bytes_resumed, object.bytes_sent),
        (Outcome::Resumed, 130, 120)
    );
    assert!(script.result().is_ok());
}

#[test]
fn the_next_run_names_the_session_for_the_same_content_alone() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    store(&mut script, 0);
    refuse_next_slice(&mut script, -5999);
    let memory = script.client.memory(script.id).unwrap().clone();
    assert_eq!(
        named(&mut with_memory(memory.clone()), at("a", 100)),
        Some("a".into())
    );
    let mut other = memory;
    other.began.as_mut().unwrap().content.size += 1;
    assert_eq!(named(&mut with_memory(other), at("a", 0)), None);
}

pub fn refuse_next_slice(script: &mut Script, code: i64) {
    let task = script.request(Slice);
    refuse(script, task, code);
}

#[test]
fn a_session_that_is_not_known_there_any_more_is_left_out() {
    for code in [-290, -5983, -4019, -197, -4026] {
        let mut script = began();
        script.answer(Init, at("a", 0));
        store(&mut script, 0);
        refuse_next_slice(&mut script, -290);
        let init = script.request(Init);
        assert!(matches!(&init.work, Work::Request(Operation::Init(init)) if init.session.is_some()));
        refuse(&mut script, init, code);
        assert_eq!(named(&mut script, at("b", 0)), None, "{code}");
        store(&mut script, 0);
    }
}

#[test]
fn a_lost_answer_is_settled_by_asking_for_the_offset() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    lose(&mut script, 0);
    assert_eq!(named(&mut script, at("a", 100)), Some("a".into()), "it had come");
    lose(&mut script, 100);
    script.answer(Init, at("a", 100));
    store(&mut script, 100);
    complete(&mut script, 200);
    script.verify();
    assert_eq!(script.object().outcome, Outcome::Uploaded);
}

#[test]
fn a_lost_answer_to_the_last_slice_is_settled_too() {
    let mut script = began();
    script.answer(Init, at("a", 200));
    lose(&mut script, 200);
    script.answer(Init, links()).verify();
    assert_eq!(script.object().outcome, Outcome::Resumed);

    let mut script = began();
    script.answer(Init, at("a", 200));
    lose(&mut script, 200);
    script.answer(Init, at("a", 200));
    complete(&mut script, 200);
    script.verify();
    assert!(script.object().verified);
}

#[test]
fn where_it_can_not_be_settled_the_outcome_is_unknown() {
    let mut script = began();
    script.answer(Init, at("a", 200));
    lose(&mut script, 200);
    while script.client.result(script.id).is_none() {
        script.lose(Init);
    }
    assert_eq!(script.status(), Status::OutcomeUnknown);
}

#[test]
fn an_offset_that_went_back_and_others_that_are_refused_are_asked_for() {
    for code in [-4024, -4015, -4005, -4019, -195, -97] {
        let mut script = began();
        script.answer(Init, at("a", 0));
        store(&mut script, 0);
        refuse_next_slice(&mut script, code);
        script.answer(Init, at("a", 50));
        store(&mut script, 50);
        store(&mut script, 150);
        script.is_all_there();
        assert!(script.client.result(script.id).is_none(), "{code}");
    }
}

#[test]
fn a_slice_s_attempts_are_carried_over_the_questions_between() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    store(&mut script, 0);
    let mut attempts = 0;
    while script.client.result(script.id).is_none() {
        let task = slice(&mut script, 100);
        attempts += 1;
        assert_eq!(task.attempt, attempts);
        refuse(&mut script, task, -195);
        if script.client.result(script.id).is_none() {
            script.answer(Init, at("a", 100));
        }
    }
    assert_eq!((script.status(), attempts), (Status::ServerFailed, 10));
}

#[test]
fn an_offset_that_does_not_advance_is_not_believed_for_ever() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    let mut asked = 0;
    while let Next::Task(task) = script.client.next(script.now) {
        let (mut done, mut refused) = (None, None);
        match &task.work {
            Work::Request(Operation::Init(_)) => (asked, done) = (asked + 1, Some(at("a", 0))),
            Work::Request(Operation::Slice(slice)) if slice.offset == 0 => {
                done = Some(Answer::Stored(Stored::default()));
            }
            _ => refused = Some(-4005),
        }
        match (done, refused) {
            (Some(answer), _) => script.client.report(task, Ok(Done::Answered(answer)), script.now),
            (None, code) => refuse(&mut script, task, code.unwrap()),
        }
    }
    assert_eq!((script.status(), asked), (Status::ServerFailed, 5));
}

#[test]
fn all_bytes_without_an_object_are_asked_about_and_not_for_ever() {
    let mut script = began();
    let (mut asked, mut hashed) = (0, 0);
    while let Next::Task(mut task) = script.client.next(script.now) {
        let done = match &mut task.work {
            Work::Request(Operation::Init(_)) => {
                asked += 1;
                Done::Answered(at("a", 250))
            }
            Work::Request(Operation::Stat) => Done::Answered(object(SIZE, None)),
            Work::Request(Operation::Delete) => Done::Answered(Answer::Deleted),
            Work::Hash { hasher, length } => {
                hashed += 1;
                hasher.update(&vec![1; usize::try_from(*length).unwrap()]);
                Done::Hashed
            }
            other => panic!("{other:?}"),
        };
        script.client.report(task, Ok(done), script.now);
    }
    assert_eq!((script.status(), asked, hashed), (Status::ServerFailed, 11, 1));
}

#[test]
fn a_server_that_takes_a_slice_and_forgets_it_when_the_next_one_fails_is_not_fed_for_ever() {
    let mut script = began();
    let mut asked = 0;
    for _ in 0..MOST_WAITS {
        let task = match script.client.next(script.now) {
            Next::Task(task) => task,
            Next::WakeAt(at) => {
                script.now = at;
                continue;
            }
            Next::Idle => break,
        };
        match &task.work {
            Work::Request(Operation::Init(_)) => {
                asked += 1;
                let none = Ok(Done::Answered(at("a", 0)));
                script.client.report(task, none, script.now);
            }
            Work::Request(Operation::Slice(slice)) if slice.offset == 0 => {
                let stored = Ok(Done::Answered(Answer::Stored(Stored::default())));
                script.client.report(task, stored, script.now);
            }
            _ => refuse(&mut script, task, -195),
        }
    }
    assert_eq!((script.status(), asked), (Status::ServerFailed, 7));
}

#[test]
fn an_offset_past_the_end_is_absurd() {
    let mut script = began();
    script.answer(Init, at("a", 251));
    assert_eq!(script.status(), Status::BadReply);
}

#[test]
fn addresses_in_the_answer_to_a_slice_in_the_middle_are_asked_about() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    complete(&mut script, 0);
    script.answer(Init, links()).verify();
    assert!(script.object().verified);
}

#[test]
fn what_is_there_already_is_an_instant_hit() {
    let mut script = began();
    script.answer(Init, links()).verify();
    assert_eq!(
        (script.object().outcome, script.object().slices_sent),
        (Outcome::Instant, 0)
    );
}

#[test]
fn content_that_does_not_match_is_hashed_thrown_away_and_sent_once_more() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    store(&mut script, 0);
    refuse_next_slice(&mut script, -4016);
    script.hash();
    assert_eq!(named(&mut script, at("a", 100)), None);
    script.answer(Stat, received(100)).answer(Delete, Answer::Deleted);
    assert_eq!(named(&mut script, at("b", 0)), None);
    for offset in [0, 100] {
        store(&mut script, offset);
    }
    refuse_next_slice(&mut script, -4016);
    assert_eq!(script.status(), Status::ContentRejected);
}

#[test]
fn a_check_that_must_be_by_sha_1_is_final_there() {
    let mut script = began();
    let init = script.request(Init);
    refuse(&mut script, init, -4020);
    assert_eq!(script.status(), Status::Refused);
    let message = &script.result().as_ref().unwrap_err().message;
    assert!(
        message.contains("upload_slice was refused") && message.contains("SHA-1"),
        "{message}"
    );
}

/// What the store has of the next slice, which must be the one from here, is not what was sent.
fn damage(script: &mut Script, offset: u64) {
    let task = slice(script, offset);
    let refusal = Refusal {
        http_status: 200,
        code: None,
        class: codes::Class::Damaged,
        ambiguous: true,
        api: Api::FilesV1,
        ..refusal(-4016)
    };
    script
        .client
        .report(task, Err(TaskFailure::Refused(refusal)), script.now);
}

#[test]
fn a_damaged_slice_that_the_server_goes_on_behind_has_all_of_it_sent_once_more() {
    for last in [false, true] {
        let mut script = began();
        for round in 0..2 {
            script.answer(Init, at("a", 0));
            store(&mut script, 0);
            store(&mut script, 100);
            damage(&mut script, 200);
            let answer = if last { links() } else { at("a", 250) };
            script.answer(Init, answer);
            if round == 0 {
                script.hash();
                script.answer(Init, at("a", 250));
                script.answer(Stat, received(100)).answer(Delete, Answer::Deleted);
            }
        }
        assert_eq!(script.status(), Status::ContentRejected, "last {last}");
    }
}

#[test]
fn a_damaged_slice_whose_offset_is_named_again_goes_again() {
    let mut script = began();
    script.answer(Init, at("a", 0));
    damage(&mut script, 0);
    script.answer(Init, at("a", 0));
    store(&mut script, 0);
    store(&mut script, 100);
    complete(&mut script, 200);
    script.verify();
    assert!(script.object().verified);
}
