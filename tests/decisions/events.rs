//! What is told of an upload while it runs.

use std::time::Duration;

use cos_slice::protocol::{Answer, OperationKind};
use cos_slice::upload::Next;
use cos_slice::upload::event::{Consequence, Event};
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;

use crate::script::{
    SIZE, SLICE, Script, client_options, links, plain, received, refusal, session, specification, unfinished,
};

/// An upload whose events are wanted.
fn told(options: UploadOptions) -> Script {
    let client = ClientOptions {
        events: true,
        ..client_options()
    };
    Script::specified(client, specification(options))
}

impl Script {
    /// The events since the last call, all of this upload.
    fn events(&mut self) -> Vec<Event> {
        let events = self.client.take_events();
        assert!(events.iter().all(|(id, _)| *id == self.id));
        events.into_iter().map(|(_, event)| event).collect()
    }

    /// The one event since the last call, of a request that failed, and what follows.
    fn failure(&mut self) -> (OperationKind, Option<u64>, u32, Consequence) {
        let events = self.events();
        let [Event::Failed { place, next, .. }] = &events[..] else {
            panic!("{events:?}")
        };
        let (_, kind) = place.operation.unwrap();
        (kind, place.offset, place.attempts, *next)
    }

    /// How long nothing is to be done from now on.
    fn wait(&mut self) -> Duration {
        match self.client.next(self.now) {
            Next::WakeAt(at) => at - self.now,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn nothing_is_told_where_nobody_wants_it() {
    let mut script = Script::new(plain());
    script.refuse(OperationKind::Init, -71).begin();
    script.refuse_slices(-71);
    assert!(script.client.take_events().is_empty());
}

#[test]
fn a_refused_request_is_told_with_the_wait_until_it_is_repeated() {
    let mut script = told(plain());
    assert!(matches!(
        script.events()[..],
        [Event::Begins { size: Some(SIZE) }]
    ));
    for attempt in 1..=3 {
        script.refuse(OperationKind::Init, -71);
        let (kind, offset, attempts, next) = script.failure();
        assert_eq!((kind, offset, attempts), (OperationKind::Init, None, attempt));
        assert_eq!(next, Consequence::Again(script.wait()), "attempt {attempt}");
    }
    script.lose(OperationKind::Init);
    let (_, _, attempts, next) = script.failure();
    assert_eq!((attempts, next), (4, Consequence::Again(script.wait())));
}

#[test]
fn a_slice_is_told_with_its_offset_and_the_servers_words() {
    let mut script = told(plain());
    script.begin().events();
    let mut slices = script.slices();
    let (task, slice) = slices.pop().unwrap();
    assert_eq!(slice.offset, SLICE);
    let failure = TaskFailure::Refused(refusal(-71));
    script.client.report(task, Err(failure), script.now);
    let events = script.events();
    let [Event::Failed { place, failure, next }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((place.offset, place.attempts), (Some(SLICE), 1));
    assert!(matches!(&**failure, TaskFailure::Refused(refusal) if refusal.code == Some(-71)));
    let Consequence::Again(wait) = *next else {
        panic!("{next:?}")
    };
    assert_eq!(script.wait(), wait);
}

#[test]
fn a_slice_after_which_the_server_is_asked_is_no_repetition() {
    let mut script = told(plain());
    script.begin().events();
    let (task, _) = script.slices().remove(0);
    let failure = TaskFailure::Refused(refusal(-290));
    script.client.report(task, Err(failure), script.now);
    let (kind, offset, _, next) = script.failure();
    assert_eq!(
        (kind, offset, next),
        (OperationKind::Slice, Some(0), Consequence::Ask)
    );
}

#[test]
fn what_is_found_and_lost_is_told() {
    let mut script = told(plain());
    script.begin();
    script.refuse_slices(-290);
    script.events();
    script.answer(OperationKind::List, Answer::Absent);
    assert!(matches!(script.events()[..], [Event::BeginsAnew]));

    let mut script = told(UploadOptions::default());
    script.hash().events();
    script.refuse(OperationKind::Init, -4019);
    assert!(
        script.events().is_empty(),
        "to be asked for the list is no failure"
    );
    let there = unfinished(script.sha, &[(0, SLICE)]);
    script.answer(OperationKind::List, there);
    assert!(matches!(
        script.events()[..],
        [Event::Resumes {
            bytes: SLICE,
            total: SIZE
        }]
    ));
}

#[test]
fn an_end_is_no_event_and_a_record_that_contradicts_is_one() {
    let mut script = told(plain());
    script.begin().store_all();
    script.answer(OperationKind::Finish, links()).events();
    script.answer(OperationKind::Stat, received(SLICE));
    let events = script.events();
    let [Event::Contradicted { wait }] = events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(script.wait(), wait);

    let mut script = told(plain());
    script.events();
    script.refuse(OperationKind::Init, -5999);
    assert_eq!(script.status(), Status::Refused);
    assert!(script.events().is_empty());
}

#[test]
fn another_session_of_the_same_content_is_told() {
    let mut script = told(UploadOptions::default());
    script.hash().answer(OperationKind::Init, session(None));
    script.refuse_slices(-290);
    script.events();
    let there = unfinished(script.sha, &[]);
    script.answer(OperationKind::List, there);
    assert!(matches!(script.events()[..], [Event::SessionRenewed]));
}
