//! What uploads of one client share: connections, hashers, patience with the server.

use std::time::Duration;

use crate::script::*;
use cos_slice::protocol::{Answer, Operation, Stored};
use cos_slice::upload::call::CallOptions;
use cos_slice::upload::failure::TaskFailure;
use cos_slice::upload::options::{ClientOptions, UploadOptions};
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Done, JobId, Memory, Reading, Specification, Task, Work};
use cos_slice::upload::{Client, Next};

const NOW: Duration = Duration::ZERO;

fn client(connections: u32, hashers: u32) -> Client {
    let options = ClientOptions {
        connections: connections.into(),
        hashers,
        ..ClientOptions::default()
    };
    Client::new(options, 7)
}

fn upload(client: &mut Client, size: u64, options: UploadOptions) -> JobId {
    let specification = Specification {
        name: "cos://b/p".into(),
        size,
        reading: Reading::AtWill,
        blocks: false,
        depth: 0,
        options,
        memory: Memory::default(),
        checkpoint: false,
    };
    client.begin(specification, NOW)
}

fn task(client: &mut Client) -> Task {
    match client.next(NOW) {
        Next::Task(task) => task,
        other => panic!("{other:?} in place of a task"),
    }
}

/// Uploads whose slices are what is left to do.
fn begun<const COUNT: usize>(client: &mut Client, slices: u64) -> [JobId; COUNT] {
    let ids = [(); COUNT].map(|()| upload(client, slices * SLICE, plain()));
    let inits: Vec<Task> = ids.iter().map(|_| task(client)).collect();
    for (init, id) in inits.into_iter().zip(ids) {
        assert_eq!(init.job, id);
        client.report(init, Ok(Done::Answered(session(None))), NOW);
    }
    ids
}

fn store(client: &mut Client, task: Task) {
    assert!(
        matches!(&task.work, Work::Request(Operation::Slice(_))),
        "{task:?}"
    );
    client.report(task, Ok(Done::Answered(Answer::Stored(Stored::default()))), NOW);
}

#[test]
fn uploads_take_turns_however_fast_one_of_them_is() {
    let mut client = client(3, 1);
    let [first, second] = begun(&mut client, 8);
    assert_ne!(first, second);
    let mut turns = Vec::new();
    let mut slow = None;
    for _ in 0..8 {
        let task = task(&mut client);
        turns.push(task.job);
        // One upload's slices are stored at once, of the other one is always under way.
        if task.job == first {
            store(&mut client, task);
        } else if let Some(earlier) = slow.replace(task) {
            store(&mut client, earlier);
        }
    }
    let alternating: Vec<_> = turns.windows(2).map(|pair| pair[0] != pair[1]).collect();
    assert_eq!(alternating, [true; 7], "{turns:?}");
}

#[test]
fn no_more_requests_are_out_than_there_are_connections() {
    let mut client = client(3, 1);
    let [id] = begun(&mut client, 8);
    let tasks: Vec<_> = (0..3).map(|_| task(&mut client)).collect();
    assert!(matches!(client.next(NOW), Next::Idle));
    assert_eq!(client.in_flight(id), 3);
    for task in tasks {
        store(&mut client, task);
        assert!(matches!(client.next(NOW), Next::Task(_)));
        assert!(matches!(client.next(NOW), Next::Idle));
    }
}

#[test]
fn no_more_sources_are_hashed_at_once_than_there_are_hashers() {
    let mut client = client(8, 1);
    let uploads = [(); 3].map(|()| upload(&mut client, SIZE, UploadOptions::default()));
    let mut hashed = Vec::new();
    for _ in 0..3 {
        let mut task = task(&mut client);
        let Work::Hash { hasher, length } = &mut task.work else {
            panic!("{task:?} is not hashing")
        };
        hasher.update(&vec![1; usize::try_from(*length).unwrap()]);
        hashed.push(task.job);
        while let Next::Task(other) = client.next(NOW) {
            // Those that are hashed go on meanwhile.
            assert!(
                matches!(&other.work, Work::Request(Operation::Init(_))),
                "{other:?}"
            );
        }
        client.report(task, Ok(Done::Hashed), NOW);
    }
    assert_eq!(hashed, uploads);
}

#[test]
fn a_wait_is_over_before_a_deadline_that_is_later() {
    let mut client = client(2, 1);
    let options = UploadOptions {
        deadline: Some(Duration::from_secs(3600)),
        ..plain()
    };
    let id = upload(&mut client, SIZE, options);
    let init = task(&mut client);
    client.report(init, Err(lost()), NOW);
    let Next::WakeAt(at) = client.next(NOW) else {
        panic!("it is repeated after a pause")
    };
    assert!(at <= Duration::from_millis(200), "{at:?}");
    assert!(matches!(client.next(at), Next::Task(task) if task.attempt == 2));
    client.pass(Duration::from_secs(3600));
    let ended = client.result(id).expect("it has a deadline");
    assert_eq!(ended.as_ref().unwrap_err().status, Status::Deadline);
}

#[test]
fn pages_of_somebody_else_do_not_count_as_answers_and_refusals_with_a_code_do() {
    let attempts = |failure: &dyn Fn() -> TaskFailure| {
        let mut client = client(2, 1);
        let id = client.begin_call("cos://b/p".into(), Operation::Stat, CallOptions::default());
        let (mut now, mut attempts) = (NOW, 0);
        for _ in 0..MOST_WAITS {
            if client.answer(id).is_some() {
                return attempts;
            }
            match client.next(now) {
                Next::Task(task) => {
                    attempts = task.attempt;
                    client.report(task, Err(failure()), now);
                }
                Next::WakeAt(at) => now = at,
                Next::Idle => panic!("neither over nor waiting"),
            }
        }
        panic!("it never ends")
    };
    assert_eq!(attempts(&|| gateway(500)), 4);
    assert_eq!(attempts(&lost), 4);
    assert_eq!(attempts(&|| TaskFailure::Refused(refusal(-181))), 10);
}

#[test]
fn a_job_that_was_removed_is_heard_of_no_more() {
    let mut client = client(2, 1);
    let [id] = begun(&mut client, 4);
    let late = task(&mut client);
    client.remove(id);
    assert_eq!(client.in_flight(id), 0);
    store(&mut client, late);
    assert!(client.result(id).is_none() && client.take_finished().is_empty());
    assert!(matches!(client.next(NOW), Next::Idle));
    let other = upload(&mut client, SIZE, plain());
    assert_ne!(other, id);
    assert_eq!(task(&mut client).job, other);
}

#[test]
fn an_upload_with_a_limit_of_its_own_leaves_places_to_the_others_and_takes_more_where_its_rate_needs_them() {
    const SECOND: Duration = Duration::from_secs(1);
    let mut client = client(8, 1);
    let [limited, other] = begun(&mut client, 100);
    client.limit_rate(limited, true);
    let mut tasks: Vec<Task> = (0..8).map(|_| task(&mut client)).collect();
    let of = |tasks: &[Task], id| tasks.iter().filter(|task| task.job == id).count();
    assert_eq!((of(&tasks, limited), of(&tasks, other)), (2, 6));
    // Its slices hardly wait for the limit, so it is not what two of them at once allow.
    for task in std::mem::take(&mut tasks) {
        if task.job == limited {
            client.note_leave(limited, SECOND / 10, SECOND);
        }
        store(&mut client, task);
    }
    let tasks: Vec<Task> = (0..8).map(|_| task(&mut client)).collect();
    assert_eq!((of(&tasks, limited), of(&tasks, other)), (4, 4));
}

#[test]
fn a_limit_that_is_lifted_gives_an_upload_all_places_at_once() {
    let mut client = client(8, 1);
    let [limited] = begun(&mut client, 100);
    client.limit_rate(limited, true);
    assert_eq!(
        [task(&mut client), task(&mut client)].map(|task| task.job),
        [limited; 2]
    );
    assert!(matches!(client.next(NOW), Next::Idle));
    client.limit_rate(limited, false);
    for _ in 2..8 {
        assert_eq!(task(&mut client).job, limited);
    }
}
