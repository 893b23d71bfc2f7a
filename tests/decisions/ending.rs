//! How an upload ends: success only on proof.

use std::time::Duration;

use crate::script::*;
use OperationKind::{Delete, Finish, Init, List, Stat};
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::{Answer, OperationKind, Refusal, Unfinished};
use cos_slice::upload::Next;
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::options::UploadOptions;
use cos_slice::upload::status::Status;

#[test]
fn a_lost_finish_answer_is_settled_by_the_servers_own_record() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script
        .lose(Finish)
        .refuse(Finish, -290)
        .answer(List, Answer::Absent)
        .verify();
    assert_eq!(
        (script.object().outcome, script.object().verified),
        (Outcome::Uploaded, true)
    );
}

#[test]
fn a_lost_finish_answer_over_an_object_of_equal_size_is_unknown_without_digests() {
    let after_a_lost_finish = |overwrite: bool, listed: Answer| {
        let mut script = Script::new(UploadOptions { overwrite, ..plain() });
        script.begin().store_all();
        script
            .lose(Finish)
            .refuse(Finish, -290)
            .answer(List, listed)
            .answer(Stat, object(SIZE, None));
        script.status()
    };
    assert_eq!(after_a_lost_finish(true, links()), Status::OutcomeUnknown);
    assert_eq!(
        after_a_lost_finish(false, links()),
        Status::Ok,
        "nothing was there before, so what is there now is ours"
    );
    // What stat alone shows may be an unfinished upload of somebody else that has all its bytes.
    assert_eq!(after_a_lost_finish(false, Answer::Absent), Status::OutcomeUnknown);
}

#[test]
fn when_nobody_says_what_became_of_finish_the_outcome_is_unknown_and_never_success() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    for _ in 0..10 {
        script.lose(Finish);
    }
    assert_eq!(script.status(), Status::OutcomeUnknown);
    let error = script.result().as_ref().unwrap_err();
    assert!(
        error.message.contains("upload_slice_finish (attempt 10)"),
        "{}",
        error.message
    );
    assert!(
        error
            .message
            .contains("whether it had its effect could not be found out"),
        "{}",
        error.message
    );
}

#[test]
fn finish_is_not_sent_before_what_it_lacks_was_listed_and_sent() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.refuse(Finish, -4019);
    let listed = unfinished(script.sha, &[(0, 100), (200, 250)]);
    script.answer(List, listed);
    assert_eq!(script.store_all(), [100]);
    script.answer(Finish, links()).verify();
    assert_eq!(
        (script.object().outcome, script.object().bytes_resumed),
        (Outcome::Uploaded, 0)
    );
}

#[test]
fn an_object_that_finish_is_said_to_find_there_is_looked_for_in_the_list_since_stat_may_show_the_unfinished_upload()
 {
    for code in [-177, -4015, -4018] {
        let mut script = Script::new(UploadOptions::default());
        script.hash().begin().store_all();
        script.refuse(Finish, code);
        let listed = unfinished(script.sha, &[(0, 250)]);
        script.answer(List, listed).answer(Finish, links()).verify();
        assert!(script.object().verified);

        let mut script = Script::new(UploadOptions::default());
        script.hash().begin().store_all();
        script.refuse(Finish, code).answer(List, links()).verify();
        assert_eq!(script.object().outcome, Outcome::Uploaded);
    }
}

#[test]
fn content_that_the_server_rejects_is_read_and_sent_once_more_and_no_more() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.refuse(Finish, -4016).hash().refuse(Init, -4019);
    let listed = unfinished(script.sha, &[(0, 250)]);
    script
        .answer(List, listed)
        .answer(Stat, object(SIZE, None))
        .answer(Delete, Answer::Deleted)
        .begin();
    assert_eq!(
        script.store_all(),
        [0, 100, 200],
        "nothing of what was rejected is kept"
    );
    script.refuse(Finish, -4016);
    assert_eq!(script.status(), Status::ContentRejected);
}

/// In another session only its content tells the upload that was rejected; what does not have it is another's.
#[test]
fn after_a_rejection_nothing_is_thrown_away_that_is_not_of_the_rejected_content() {
    for (sha_is_ours, size) in [(false, SIZE), (true, SIZE + 1)] {
        let mut script = Script::new(UploadOptions::default());
        script.hash().begin().store_all();
        script.refuse(Finish, -4016).hash().refuse(Init, -4019);
        let sha = script.sha.filter(|_| sha_is_ours);
        let sha = sha.unwrap_or(Sha1Digest::from_bytes([3; 20]));
        let Answer::Unfinished(listed) = unfinished(Some(sha), &[(0, 100)]) else {
            unreachable!()
        };
        script.answer(List, Answer::Unfinished(Unfinished { size, ..listed }));
        assert_eq!(script.status(), Status::OtherUpload);
    }
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.refuse(Finish, -4016).hash().refuse(Init, -4019);
    script.answer(List, unfinished(None, &[]));
    assert_eq!(script.status(), Status::OtherUpload, "nothing tells whose it is");
}

#[test]
fn a_contradiction_at_the_end_is_a_failure_and_silence_is_not() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.answer(Finish, links());
    for _ in 0..3 {
        script.answer(Stat, object(SIZE, Some(Sha1Digest::from_bytes([3; 20]))));
    }
    assert_eq!(script.status(), Status::VerifyFailed);

    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.answer(Finish, links()).refuse(Stat, -61);
    assert!(!script.object().verified);
}

#[test]
fn a_record_that_lags_behind_is_asked_again() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script
        .answer(Finish, links())
        .answer(Stat, Answer::Absent)
        .verify();
    assert!(script.object().verified);
}

#[test]
fn what_is_complete_stays_so_when_it_is_stopped_while_it_is_looked_at() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    script.answer(Finish, links());
    drop(script.request(Stat));
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    assert!(!script.object().verified);
}

#[test]
fn who_is_stopped_while_the_object_is_completed_is_told_that_it_may_be_complete() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin().store_all();
    drop(script.request(Finish));
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    let error = script.result().as_ref().unwrap_err();
    assert!(error.message.contains("may be complete"), "{error}");
}

#[test]
fn who_is_stopped_in_a_single_request_is_told_that_it_may_be_complete() {
    let alone = UploadOptions {
        single_request_limit: 1000,
        ..UploadOptions::default()
    };
    let mut script = Script::new(alone);
    drop(script.hash().request(OperationKind::Upload));
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    let error = script.result().as_ref().unwrap_err();
    assert!(error.message.contains("may be complete"), "{error}");
}

#[test]
fn a_deadline_ends_an_upload_that_waits() {
    let deadline = Some(Duration::from_secs(1));
    let mut script = Script::new(UploadOptions { deadline, ..plain() });
    while script.client.result(script.id).is_none() {
        match script.client.next(script.now) {
            Next::Task(task) => {
                let failure = TaskFailure::Refused(Refusal {
                    retry_after: Some(Duration::from_secs(60)),
                    ..refusal(-71)
                });
                script.client.report(task, Err(failure), script.now);
            }
            Next::WakeAt(at) => script.now = at,
            Next::Idle => break,
        }
    }
    assert_eq!(
        (script.status(), script.now),
        (Status::Deadline, Duration::from_secs(1))
    );
    assert_eq!(script.client.take_finished(), [script.id]);
}

#[test]
fn a_deadline_is_kept_even_if_nobody_asks_for_a_task() {
    let deadline = Some(Duration::from_secs(1));
    let mut script = Script::new(UploadOptions { deadline, ..plain() });
    let task = script.request(Init);
    script.client.pass(Duration::from_secs(1));
    assert_eq!(script.status(), Status::Deadline);
    script
        .client
        .report(task, Err(TaskFailure::Cancelled), Duration::from_secs(1));

    let mut script = Script::new(UploadOptions { deadline, ..plain() });
    let task = script.request(Init);
    script
        .client
        .report(task, Err(TaskFailure::Cancelled), Duration::from_secs(1));
    assert_eq!(
        script.status(),
        Status::Deadline,
        "the task was interrupted because the time was over"
    );
}

#[test]
fn a_removed_upload_leaves_no_timer_behind() {
    let deadline = Some(Duration::from_secs(1));
    let mut script = Script::new(UploadOptions { deadline, ..plain() });
    drop(script.request(Init));
    script.client.remove(script.id);
    assert!(matches!(script.client.next(Duration::ZERO), Next::Idle));
}

#[test]
fn an_instant_hit_is_the_end_where_nothing_is_to_be_compared() {
    let mut script = Script::new(UploadOptions {
        verify: false,
        ..UploadOptions::default()
    });
    script.hash().answer(Init, links());
    assert_eq!(
        (script.object().outcome, script.object().verified),
        (Outcome::Instant, false)
    );
    assert_eq!(script.object().bytes_sent, 0);
}

#[test]
fn without_a_digest_a_finish_that_was_refused_makes_nobody_s_object_ours() {
    let mut script = Script::new(plain());
    script.begin().store_all();
    script
        .refuse(Finish, -290)
        .answer(List, links())
        .answer(Stat, object(SIZE, None));
    assert_eq!(script.status(), Status::OutcomeUnknown);
    let message = &script.result().as_ref().unwrap_err().message;
    assert!(
        message.contains("was refused. An object of the same size"),
        "{message}"
    );

    let mut script = Script::new(plain());
    script.begin().store_all();
    script
        .lose(Finish)
        .refuse(Finish, -290)
        .answer(List, links())
        .answer(Stat, object(SIZE, None));
    assert_eq!(script.status(), Status::Ok, "that one may have had its effect");
}
