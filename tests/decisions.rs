//! What follows from what: the state machine against answers written down one by one.

use std::sync::Arc;
use std::time::Duration;

use cos_slice::protocol::codes::{self, lookup_http};
use cos_slice::protocol::digest::Sha1Digest;
use cos_slice::protocol::ranges::Ranges;
use cos_slice::protocol::{
    Answer, Links, ObjectStatus, Operation, OperationKind, Refusal, Session, Slice, Stored, Unfinished,
};
use cos_slice::upload::error::Error;
use cos_slice::upload::failure::{Cause, NetworkFailure, Phase, TaskFailure};
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Memory, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

const SIZE: u64 = 250;
const SLICE: u64 = 100;

/// One upload of [`SIZE`] bytes whose every request the test sees and answers.
struct Script {
    client: Client,
    id: JobId,
    now: Duration,
    sha: Option<Sha1Digest>,
}

impl Script {
    fn new(options: UploadOptions) -> Self {
        Self::with(options, Memory::default())
    }

    fn with(options: UploadOptions, memory: Memory) -> Self {
        let mut client = Client::new(
            ClientOptions {
                connections: 2,
                ..ClientOptions::default()
            },
            7,
        );
        let specification = Specification {
            name: "cos://b/p".into(),
            size: SIZE,
            options,
            memory,
        };
        let id = client.begin(specification, Duration::ZERO);
        Self {
            client,
            id,
            now: Duration::ZERO,
            sha: None,
        }
    }

    /// The next task; time passes as far as the machine asks for.
    fn task(&mut self) -> Task {
        loop {
            match self.client.next(self.now) {
                Next::Task(task) => return task,
                Next::WakeAt(at) => self.now = at,
                Next::Idle => panic!("no task, result {:?}", self.client.result(self.id)),
            }
        }
    }

    fn hash(&mut self) -> &mut Self {
        let mut task = self.task();
        let Work::Hash { hasher, length } = &mut task.work else {
            panic!("{task:?} is not hashing")
        };
        hasher.update(&vec![1; usize::try_from(*length).unwrap()]);
        self.sha = Some(hasher.clone().finish().whole());
        self.client.report(task, Ok(Done::Hashed), self.now);
        self
    }

    fn request(&mut self, kind: OperationKind) -> Task {
        let task = self.task();
        match &task.work {
            Work::Request(operation) if operation.kind() == kind => task,
            other => panic!("{other:?} in place of {}", kind.name()),
        }
    }

    fn answer(&mut self, kind: OperationKind, answer: Answer) -> &mut Self {
        let task = self.request(kind);
        self.client.report(task, Ok(Done::Answered(answer)), self.now);
        self
    }

    fn refuse(&mut self, kind: OperationKind, code: i64) -> &mut Self {
        let task = self.request(kind);
        self.client
            .report(task, Err(TaskFailure::Refused(refusal(code))), self.now);
        self
    }

    fn lose(&mut self, kind: OperationKind) -> &mut Self {
        let task = self.request(kind);
        self.client.report(task, Err(lost()), self.now);
        self
    }

    /// Takes the slices that are ready at once, in the order of their offsets.
    fn slices(&mut self) -> Vec<(Task, Slice)> {
        let mut slices = Vec::new();
        while let Next::Task(task) = self.client.next(self.now) {
            let Work::Request(Operation::Slice(slice)) = &task.work else {
                panic!("{task:?}")
            };
            let slice = slice.clone();
            slices.push((task, slice));
        }
        slices
    }

    /// Stores every slice that is asked for, and says which they were.
    fn store_all(&mut self) -> Vec<u64> {
        let mut offsets = Vec::new();
        loop {
            match self.client.next(self.now) {
                Next::Task(task) => match &task.work {
                    Work::Request(Operation::Slice(slice)) => {
                        offsets.push(slice.offset);
                        let stored = Stored {
                            offset: Some(slice.offset),
                            length: Some(slice.length),
                        };
                        self.client
                            .report(task, Ok(Done::Answered(Answer::Stored(stored))), self.now);
                        if offsets.len() as u64 == SIZE.div_ceil(SLICE) || self.is_all_there() {
                            return offsets;
                        }
                    }
                    other => panic!("{other:?} in place of a slice"),
                },
                Next::WakeAt(at) => self.now = at,
                Next::Idle => return offsets,
            }
        }
    }

    fn is_all_there(&self) -> bool {
        let progress = self.client.progress(self.id).unwrap();
        progress.slices_done == progress.slices_total
    }

    fn begin(&mut self) -> &mut Self {
        self.answer(OperationKind::Init, session(None))
    }

    fn verify(&mut self) -> &mut Self {
        let status = object(SIZE, self.sha);
        self.answer(OperationKind::Stat, status)
    }

    fn result(&self) -> &Result<Object, Error> {
        self.client.result(self.id).expect("the upload is over")
    }

    fn object(&self) -> &Object {
        self.result().as_ref().expect("the upload succeeded")
    }

    fn status(&self) -> Status {
        self.result()
            .as_ref()
            .map_or_else(|error| error.status, |_| Status::Ok)
    }
}

fn plain() -> UploadOptions {
    UploadOptions {
        hash: false,
        ..UploadOptions::default()
    }
}

fn session(serial: Option<bool>) -> Answer {
    Answer::Session(Session {
        session: "s1".into(),
        slice_size: SLICE,
        serial,
    })
}

fn links() -> Answer {
    Answer::Complete(Links {
        access_url: Some("http://x/y".into()),
        ..Links::default()
    })
}

fn object(size: u64, sha: Option<Sha1Digest>) -> Answer {
    Answer::Status(ObjectStatus {
        size,
        received: Some(size),
        sha,
        links: Links::default(),
    })
}

fn unfinished(sha: Option<Sha1Digest>, parts: &[(u64, u64)]) -> Answer {
    Answer::Unfinished(Unfinished {
        session: "listed".into(),
        size: SIZE,
        slice_size: SLICE,
        sha,
        serial: None,
        parts: Ranges::from_unsorted(parts.to_vec()),
    })
}

fn refusal(code: i64) -> Refusal {
    Refusal {
        http_status: 400,
        code: Some(code),
        message: "no".into(),
        request_id: Some("id".into()),
        class: codes::lookup(code).unwrap().class,
        retry_after: None,
        ambiguous: false,
    }
}

fn gateway(http_status: u16) -> TaskFailure {
    let class = lookup_http(http_status).class;
    TaskFailure::Refused(Refusal {
        http_status,
        code: None,
        class,
        ambiguous: true,
        ..refusal(-177)
    })
}

fn lost() -> TaskFailure {
    TaskFailure::Network(NetworkFailure {
        phase: Phase::Answer,
        cause: Cause::Broken,
        ambiguous: true,
        stale: false,
        detail: "reset".into(),
        os_errno: Some(104),
    })
}

use OperationKind::{Delete, Finish, Init, List, Stat};

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

#[test]
fn slices_in_flight_come_home_before_a_clean_restart() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    let mut slices = script.slices();
    assert_eq!(slices.len(), 2);
    let (first, _) = slices.remove(0);
    script
        .client
        .report(first, Err(TaskFailure::Refused(refusal(-4016))), script.now);
    assert!(matches!(script.client.next(script.now), Next::Idle));
    let (second, _) = slices.remove(0);
    script.client.report(
        second,
        Ok(Done::Answered(Answer::Stored(Stored::default()))),
        script.now,
    );
    drop(script.hash().request(Init));
}

#[test]
fn serial_upload_means_one_slice_at_a_time_in_order() {
    let mut script = Script::new(plain());
    script.answer(Init, session(Some(true)));
    for offset in [0, 100, 200] {
        let slices = script.slices();
        assert_eq!(
            slices.iter().map(|(_, slice)| slice.offset).collect::<Vec<_>>(),
            [offset]
        );
        for (task, _) in slices {
            script.client.report(
                task,
                Ok(Done::Answered(Answer::Stored(Stored::default()))),
                script.now,
            );
        }
    }
    drop(script.request(Finish));
}

#[test]
fn a_bad_offset_makes_the_upload_serial() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    for (task, _) in script.slices() {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-4005))), script.now);
    }
    let listed = unfinished(script.sha, &[]);
    script.answer(List, listed);
    assert_eq!(script.slices().len(), 1);
}

#[test]
fn a_lost_session_is_listed_and_then_begun_anew() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    for (task, _) in script.slices() {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-290))), script.now);
    }
    script.answer(List, Answer::Absent).begin();
    assert_eq!(script.store_all(), [0, 100, 200]);
}

#[test]
fn a_slice_said_to_be_there_already_is_confirmed_by_list_before_finish() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    let slices = script.slices();
    for (task, _) in slices {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-4015))), script.now);
    }
    script.store_all();
    let listed = unfinished(script.sha, &[(100, 250)]);
    script.answer(List, listed);
    assert_eq!(script.store_all(), [0]);
    drop(script.request(Finish));
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
fn an_absurd_slice_size_is_an_error() {
    let mut script = Script::new(plain());
    script.answer(Init, session(None)).slices();
    let mut client = Client::new(ClientOptions::default(), 1);
    let name: Arc<str> = "cos://b/p".into();
    let (options, memory) = (plain(), Memory::default());
    let id = client.begin(
        Specification {
            name,
            size: 64 << 30,
            options,
            memory,
        },
        Duration::ZERO,
    );
    let Next::Task(task) = client.next(Duration::ZERO) else {
        panic!()
    };
    let answer = Answer::Session(Session {
        session: "s".into(),
        slice_size: 1,
        serial: None,
    });
    client.report(task, Ok(Done::Answered(answer)), Duration::ZERO);
    assert_eq!(
        client.result(id).unwrap().as_ref().unwrap_err().status,
        Status::BadReply
    );
}

#[test]
fn an_answer_about_another_slice_does_not_count() {
    let mut script = Script::new(plain());
    script.begin();
    let mut slices = script.slices();
    let (task, _) = slices.remove(0);
    let other = Stored {
        offset: Some(100),
        length: Some(100),
    };
    script
        .client
        .report(task, Ok(Done::Answered(Answer::Stored(other))), script.now);
    assert_eq!(script.client.progress(script.id).unwrap().acknowledged, 0);
    assert!(script.store_all().contains(&0));
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

/// What the server lists in the session of [`session`].
fn unfinished_of_ours(parts: &[(u64, u64)]) -> Answer {
    let Answer::Unfinished(listed) = unfinished(None, parts) else {
        unreachable!()
    };
    Answer::Unfinished(Unfinished {
        session: "s1".into(),
        ..listed
    })
}

fn stopped_in_mid_upload() -> Memory {
    let mut script = Script::new(plain());
    script.begin();
    drop(script.slices());
    script.client.stop(script.id, Error::cancelled("cos://b/p"));
    assert_eq!(script.status(), Status::Cancelled);
    script.client.memory(script.id).unwrap().clone()
}

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
    for (task, _) in script.slices() {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-290))), script.now);
    }
    script.answer(List, unfinished(None, &[(0, 200)]));
    assert_eq!(script.status(), Status::OtherUpload);

    let mut script = Script::new(plain());
    script.begin();
    for (task, _) in script.slices() {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-290))), script.now);
    }
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
fn with_hashing_too_only_what_was_begun_here_is_thrown_away_unasked() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().begin();
    for (task, _) in script.slices() {
        script
            .client
            .report(task, Err(TaskFailure::Refused(refusal(-290))), script.now);
    }
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
fn content_said_to_be_stored_already_is_compared() {
    let mut script = Script::new(UploadOptions::default());
    script.hash().refuse(Init, -4018).verify();
    assert_eq!(script.object().outcome, Outcome::Instant);
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
fn uploads_take_turns_on_the_connections_of_their_client() {
    let mut client = Client::new(
        ClientOptions {
            connections: 4,
            ..ClientOptions::default()
        },
        1,
    );
    let mut begin = || {
        let (options, memory) = (plain(), Memory::default());
        client.begin(
            Specification {
                name: "cos://b/p".into(),
                size: SIZE,
                options,
                memory,
            },
            Duration::ZERO,
        )
    };
    let (first, second) = (begin(), begin());
    let mut tasks = Vec::new();
    for _ in 0..2 {
        let Next::Task(task) = client.next(Duration::ZERO) else {
            panic!()
        };
        client.report(task, Ok(Done::Answered(session(None))), Duration::ZERO);
    }
    while let Next::Task(task) = client.next(Duration::ZERO) {
        tasks.push(task);
    }
    let of = |id| tasks.iter().filter(|task| task.job == id).count();
    assert_eq!((of(first), of(second)), (2, 2));
}
