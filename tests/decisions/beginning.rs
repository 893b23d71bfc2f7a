//! What init and list lead to: whose upload it is, and what may go.

use crate::script::*;
use OperationKind::{Delete, Finish, Init, List, Stat};
use cos_slice::protocol::dialect::SliceSizes;
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::{Answer, ObjectStatus, Operation, OperationKind, Stored};
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::options::UploadOptions;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, Work};

#[test]
fn an_upload_goes_hash_init_slices_finish_and_a_last_look() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    assert_eq!(script.store_all(), [0, 100, 200]);
    script.answer(Finish, links()).verify();
    let object = script.object();
    assert_eq!((object.outcome, object.verified), (Outcome::Uploaded, true));
    assert_eq!(
        (object.bytes_sent, object.bytes_resumed, object.slices_sent),
        (SIZE, 0, 3)
    );
}

#[test]
fn an_instant_hit_sends_no_slice() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().answer(Init, links()).verify();
    assert_eq!(
        (script.object().outcome, script.object().slices_sent),
        (Outcome::Instant, 0)
    );
}

#[test]
fn without_a_digest_an_instant_hit_is_not_believed() {
    let mut script = Script::new(plain());
    script.answer(Init, links()).answer(Stat, object(SIZE, None));
    assert_eq!(script.status(), Status::ObjectExists);
}

#[test]
fn an_existing_object_is_success_only_if_it_is_the_same() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().refuse(Init, -177).verify();
    assert_eq!(script.object().outcome, Outcome::Instant);

    let mut script = Script::new(UploadOptions::default());
    script
        .hash()
        .refuse(Init, -177)
        .answer(Stat, object(SIZE, Some(Sha1Digest::from_bytes([9; 20]))));
    let error = script.result().as_ref().unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::ObjectExists, Some(-177))
    );
    assert_eq!(error.request_id.as_deref(), Some("id"));

    let mut script = Script::new(plain());
    script.refuse(Init, -177);
    assert_eq!(script.status(), Status::ObjectExists);
}

#[test]
fn a_single_request_that_is_refused_for_the_same_content_uploaded_nothing() {
    let alone = UploadOptions {
        single_request_limit: 1000,
        ..UploadOptions::default()
    };
    let mut script = Script::new(alone);
    script.hash().refuse(OperationKind::Upload, -177).verify();
    assert_eq!(script.object().outcome, Outcome::Instant);
}

#[test]
fn content_said_to_be_stored_already_is_compared() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().refuse(Init, -4018).verify();
    assert_eq!(script.object().outcome, Outcome::Instant);
}

#[test]
fn an_unfinished_upload_of_the_same_content_is_resumed_with_only_what_is_missing() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().refuse(Init, -4019);
    let listed = unfinished(script.sha, &[(0, 100), (200, 250)]);
    script.answer(List, listed);
    let slices = script.slices();
    assert_eq!(slices.len(), 1);
    assert_eq!((slices[0].1.offset, &*slices[0].1.session), (100, "listed"));
    for (task, _) in slices {
        script.client.report(
            task,
            Ok(Done::Answered(Answer::Stored(Stored::default()))),
            script.now,
        );
    }
    script.answer(Finish, links()).verify();
    let object = script.object();
    assert_eq!(
        (object.outcome, object.bytes_resumed, object.bytes_sent),
        (Outcome::Resumed, 150, 100)
    );
}

#[test]
fn a_gateway_error_on_init_leaves_an_upload_that_is_adopted() {
    let mut script = Script::new(UploadOptions::default());
    script.hash();
    let task = script.request(Init);
    script.client.report(task, Err(gateway(502)), script.now);
    script.refuse(Init, -4019);
    let listed = unfinished(script.sha, &[]);
    script.answer(List, listed);
    assert_eq!(script.store_all(), [0, 100, 200]);
}

#[test]
fn somebody_elses_unfinished_upload_is_left_alone() {
    for (code, answer) in [(-4019, Some(unfinished(None, &[]))), (-4020, None)] {
        let mut script = Script::new(UploadOptions::default());
        script.hash().refuse(Init, code);
        if let Some(answer) = answer {
            script.answer(List, answer);
        }
        assert_eq!(script.status(), Status::OtherUpload);
    }
}

#[test]
fn discarding_asks_first_whether_a_complete_object_would_go_too() {
    let discard = UploadOptions {
        discard_unfinished: true,
        ..UploadOptions::default()
    };
    let mut script = Script::new(discard.clone());
    script.hash().refuse(Init, -4020).answer(Stat, object(99, None));
    assert_eq!(script.status(), Status::ObjectExists);

    let partial = ObjectStatus {
        size: 99,
        received: Some(5),
        ..ObjectStatus::default()
    };
    let mut script = Script::new(discard.clone());
    script
        .hash()
        .refuse(Init, -4020)
        .answer(Stat, Answer::Status(partial))
        .answer(Delete, Answer::Deleted)
        .begin();

    let mut script = Script::new(UploadOptions {
        overwrite: true,
        ..discard
    });
    script
        .hash()
        .refuse(Init, -4020)
        .answer(Stat, object(99, None))
        .answer(Delete, Answer::Deleted)
        .begin();
}

#[test]
fn an_object_of_this_content_is_kept_whatever_unfinished_upload_is_beside_it() {
    let discard = UploadOptions {
        discard_unfinished: true,
        ..UploadOptions::default()
    };
    let mut script = Script::new(discard);
    script.hash().refuse(Init, -4020).verify();
    assert_eq!(script.object().outcome, Outcome::Instant);
}

#[test]
fn with_hashing_too_only_what_was_begun_here_is_thrown_away_unasked() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    script.refuse_slices(-290);
    script.answer(List, unfinished(Some(Sha1Digest::from_bytes([5; 20])), &[]));
    assert_eq!(script.status(), Status::OtherUpload);
}

#[test]
fn what_does_not_go_away_when_it_is_deleted_is_not_deleted_for_ever() {
    let mut script = Script::new(UploadOptions {
        discard_unfinished: true,
        overwrite: true,
        ..plain()
    });
    for _ in 0..2 {
        script
            .refuse(Init, -4020)
            .answer(Stat, object(99, None))
            .answer(Delete, Answer::Deleted);
    }
    script
        .refuse(Init, -4020)
        .answer(Stat, object(99, None))
        .answer(Delete, Answer::Deleted);
    assert_eq!(script.status(), Status::OtherUpload);
}

#[test]
fn another_slice_size_is_asked_for_once_where_the_server_wants_it() {
    let mut script = Script::new(UploadOptions {
        slice_size: 2 << 20,
        ..plain()
    });
    script.refuse(Init, -284);
    let task = script.request(Init);
    let Work::Request(Operation::Init(init)) = &task.work else {
        unreachable!()
    };
    assert_eq!(init.slice_size, 1 << 20);
    script
        .client
        .report(task, Err(TaskFailure::Refused(refusal(-284))), script.now);
    assert_eq!(script.status(), Status::Refused);
}

#[test]
fn a_store_that_has_no_such_slices_is_not_asked_for_a_mebibyte() {
    for (sizes, again) in [(&[4 << 20][..], None), (&[4 << 20, 1 << 20], Some(1 << 20))] {
        let mut script = Script::new(UploadOptions {
            slice_size: 4 << 20,
            slice_sizes: SliceSizes::own(sizes).unwrap(),
            ..plain()
        });
        script.refuse(Init, -284);
        let Some(again) = again else {
            assert_eq!(script.status(), Status::Refused);
            continue;
        };
        let task = script.request(Init);
        let Work::Request(Operation::Init(init)) = &task.work else {
            unreachable!()
        };
        assert_eq!(init.slice_size, again);
    }
}

#[test]
fn a_signature_that_is_not_accepted_is_made_anew_once_and_at_once() {
    let mut script = Script::new(plain());
    let began = script.now;
    script.refuse(Init, -97);
    script.refuse(Init, -97);
    assert_eq!((script.status(), script.now), (Status::Credentials, began));
}

#[test]
fn an_object_that_appeared_after_an_unanswered_single_request_is_compared() {
    let mut script = Script::new(UploadOptions {
        single_request_limit: SIZE,
        ..plain()
    });
    script
        .lose(OperationKind::Upload)
        .refuse(OperationKind::Upload, -177);
    drop(script.request(Stat));

    let mut script = Script::new(UploadOptions {
        single_request_limit: SIZE,
        ..plain()
    });
    script.refuse(OperationKind::Upload, -177);
    assert_eq!(
        script.status(),
        Status::ObjectExists,
        "nothing shows that it is the same"
    );
}

/// Init was answered as if there were no object; but whose upload is there since may have left one too.
#[test]
fn what_init_said_of_the_object_counts_no_more_once_another_upload_is_there() {
    let mut script = Script::new(UploadOptions {
        discard_unfinished: true,
        ..UploadOptions::default()
    });
    script.hash().begin().refuse_slices(-290);
    let others = Some(Sha1Digest::from_bytes([3; 20]));
    script.answer(List, unfinished(others, &[]));
    script.answer(Stat, object(SIZE, None));
    assert_eq!(script.status(), Status::ObjectExists);
}

/// The upload that is rejected is our own, and has all its bytes; what tells it from an object is only its digest.
#[test]
fn an_object_of_other_content_is_not_discarded_with_our_own_upload_though_init_saw_none() {
    for (other_digest, goes) in [(Some([3; 20]), false), (None, true)] {
        let mut script = Script::new(UploadOptions::default());
        script.hash().begin().store_all();
        script.refuse(Finish, -4016).hash().refuse(Init, -4019);
        script.answer(List, unfinished_of_ours(&[(0, 250)]));
        script.answer(Stat, object(SIZE, other_digest.map(Sha1Digest::from_bytes)));
        if goes {
            drop(script.request(Delete));
        } else {
            assert_eq!(script.status(), Status::ObjectExists);
        }
    }
}
