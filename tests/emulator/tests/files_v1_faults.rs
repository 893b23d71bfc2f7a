//! Faults, journal and kills on `files/v1`.

#[path = "support/process.rs"]
mod process;
mod support;

use cos_emulator::{Action, Fault};
use process::Process;
use serde_json::json;
use std::io::Write;
use support::v1::start_v1;
use support::{Answer, BUCKET, Fixture, MIB, PATIENCE, content, sha1};

const HALF: usize = MIB / 2;
const SLICES: [(&str, &str); 1] = [("slice_size", "524288")];

fn session(answer: &Answer) -> String {
    answer.data()["session"].as_str().unwrap().to_owned()
}

fn operations(fixture: &Fixture) -> Vec<(String, Option<u64>, Option<i64>)> {
    let records = fixture.emulator.requests().into_iter();
    records
        .map(|record| (record.operation.unwrap(), record.offset, record.code))
        .collect()
}

#[test]
fn control_and_data_have_names_of_their_own_in_rules_and_journal() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(2 * HALF);
    fixture
        .emulator
        .add_fault(Fault::new("v1_control", Action::answer(500, -195)));
    fixture
        .emulator
        .add_fault(Fault::new("v1_data", Action::answer(503, -71)).offset(HALF as u64));
    fixture
        .emulator
        .add_fault(Fault::new("v1_data", Action::lost_answer()).nth(3));
    let control = || client.control("file", file.len(), &sha1(&file), &SLICES);
    assert_eq!(control().outcome(), (500, -195));
    let session = session(&control());
    client.slice("file", &session, 0, &file[..HALF], &[]).data();
    let second = || client.slice_request("file", &session, HALF, &file[HALF..], &[]);
    assert_eq!(client.send(&second()).outcome(), (503, -71));
    client.try_send(&second()).unwrap_err();
    assert!(fixture.emulator.unused_faults().is_empty());
    // Whose answer was lost finds the object by control.
    assert!(control().data()["access_url"].is_string());
    let slice = |offset: usize, code| ("v1_data".to_owned(), Some(offset as u64), Some(code));
    let control = |code| ("v1_control".to_owned(), None, Some(code));
    let expected = [
        control(-195),
        control(0),
        slice(0, 0),
        slice(HALF, -71),
        slice(HALF, 0),
        control(0),
    ];
    assert_eq!(operations(&fixture), expected);
    let record = &fixture.emulator.requests()[2];
    assert_eq!(
        (record.field("op"), record.content_length),
        (Some("upload_slice"), Some(HALF as u64))
    );
    assert_eq!(record.path, "/files/v1/1251668577/videos/file");
}

#[test]
fn a_rule_for_data_strikes_before_the_content_has_come_wherever_the_fields_are() {
    for content_first in [false, true] {
        let fixture = start_v1(&[]);
        let client = &fixture.client;
        let session = session(&client.control("file", MIB, &sha1(&content(MIB)), &[]));
        let early = r#"{"operation":"v1_data","action":{"early":{"status":403,"code":-97}}}"#;
        fixture.emulator.add_fault(Fault::from_json(early).unwrap());
        let bytes = content(MIB);
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("op", b"upload_slice"),
            ("session", session.as_bytes()),
            ("offset", b"0"),
        ];
        fields.insert(if content_first { 0 } else { 3 }, ("filecontent", &bytes));
        let request = client.form("file", &fields);
        // With the content first, only the end of the body tells the operation.
        let sent = if content_first {
            request.len()
        } else {
            request.len() / 2
        };
        let mut stream = client.connect();
        stream.write_all(&request[..sent]).unwrap();
        assert_eq!(Answer::read(&mut stream).unwrap().outcome(), (403, -97));
    }
}

#[test]
fn the_session_can_be_rotated_or_dropped_under_a_client() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(2 * HALF);
    let add = |action: &str| {
        let rule = format!(r#"{{"operation":"v1_data","action":{{"{action}":true}}}}"#);
        fixture.emulator.add_fault(Fault::from_json(&rule).unwrap());
    };
    let control = || client.control("file", file.len(), &sha1(&file), &SLICES).data();
    let send = |session: &serde_json::Value, offset: usize| {
        let slice = &file[offset..][..HALF];
        client
            .slice("file", session.as_str().unwrap(), offset, slice, &[])
            .outcome()
    };
    let begun = control();
    assert_eq!(send(&begun["session"], 0), (200, 0));
    add("rotate_session");
    assert_eq!(send(&begun["session"], HALF), (400, -290));
    let rotated = control();
    assert_ne!(rotated["session"], begun["session"]);
    assert_eq!(rotated["offset"], json!(HALF));
    add("drop_session");
    assert_eq!(send(&rotated["session"], HALF), (400, -290));
    assert_eq!(control()["offset"], json!(0));
}

#[test]
fn slices_can_be_forgotten_under_a_client() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(3 * HALF);
    let control = || client.control("file", file.len(), &sha1(&file), &SLICES).data();
    let session = control()["session"].as_str().unwrap().to_owned();
    let send = |offset: usize| {
        client
            .slice("file", &session, offset, &file[offset..][..HALF], &[])
            .outcome()
    };
    assert_eq!((send(0), send(HALF)), ((200, 0), (200, 0)));
    let rule = r#"{"operation":"v1_data","action":{"forget_slices":1}}"#;
    fixture.emulator.add_fault(Fault::from_json(rule).unwrap());
    assert_eq!(send(2 * HALF), (400, -4005));
    assert_eq!(control()["offset"], json!(HALF), "below what was acknowledged");
    assert_eq!((send(HALF), send(2 * HALF)), ((200, 0), (200, 0)));
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), file);
}

#[test]
fn an_offset_that_never_advances_takes_two_rules_or_one() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(2 * HALF);
    let control = || client.control("file", file.len(), &sha1(&file), &SLICES).data();
    let session = control()["session"].as_str().unwrap().to_owned();
    let send = || client.slice("file", &session, 0, &file[..HALF], &[]).outcome();
    // Data refused for ever: control tells the same offset each time.
    let rule = r#"{"operation":"v1_data","times":0,"action":{"status":409,"code":-4024}}"#;
    fixture.emulator.add_fault(Fault::from_json(rule).unwrap());
    for _ in 0..3 {
        assert_eq!((send(), control()["offset"].clone()), ((409, -4024), json!(0)));
    }
    // Data accepted, and control does not say so.
    fixture.emulator.clear_faults();
    let rule = r#"{"operation":"v1_control","times":0,"action":{"replace":{"data.offset":0}}}"#;
    fixture.emulator.add_fault(Fault::from_json(rule).unwrap());
    assert_eq!(send(), (200, 0));
    for _ in 0..3 {
        assert_eq!((send(), control()["offset"].clone()), ((409, -4024), json!(0)));
    }
}

#[test]
fn the_control_api_shows_unfinished_uploads_of_both_apis() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(2 * HALF);
    let session = session(&client.control("one", file.len(), &sha1(&file), &SLICES));
    client.slice("one", &session, 0, &file[..HALF], &[]).data();
    support::Client {
        api: "v2",
        ..client.clone()
    }
    .begin("two", 3, MIB);
    let uploads = client.get("/_emulator/uploads").json();
    assert_eq!(
        (&uploads[0]["api"], &uploads[1]["api"]),
        (&json!("v1"), &json!("v2"))
    );
    assert_eq!(uploads[0]["parts"], json!([{"offset": 0, "datalen": HALF}]));
    let waited = client.get("/_emulator/wait?operation=v1_data&outcome_code=0&count=1&timeout_ms=0");
    assert_eq!(waited.status, 200);
}

#[test]
fn an_upload_survives_kill_9_between_any_two_slices_and_its_control_tells_where_it_stands() {
    let directory = tempfile::tempdir().unwrap();
    let file = content(3 * HALF + 5);
    let sha = sha1(&file);
    let mut session = String::new();
    for (index, slice) in file.chunks(HALF).enumerate() {
        let process = Process::start(directory.path());
        let client = process.client.on_v1();
        let more = [("biz_attr", "kept"), SLICES[0]];
        let control = client.control("d/file", file.len(), &sha, &more).data();
        assert_eq!(control["offset"], json!(index * HALF));
        let told = control["session"].as_str().unwrap();
        assert!(index == 0 || told == session);
        session = told.to_owned();
        client.slice("d/file", &session, index * HALF, slice, &[]).data();
        process.kill();
    }
    assert!(std::fs::read(directory.path().join("objects/videos/d/file")).unwrap() == file);
    let process = Process::start(directory.path());
    let client = process.client.on_v1();
    assert!(client.control("d/file", file.len(), &sha, &[]).data()["access_url"].is_string());
    let stat = client.stat("d/file").data();
    assert_eq!((&stat["sha"], &stat["biz_attr"]), (&json!(sha), &json!("kept")));
}

#[test]
fn kill_9_in_the_middle_of_slices_never_loses_what_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let file = content(6 * HALF);
    let sha = sha1(&file);
    let mut acknowledged = 0;
    // Each time the process dies while a slice is on its way: in its body, or in its last bytes.
    for cut in [1000, 1, 0, 30, 0, 2] {
        let process = Process::start(directory.path());
        let client = process.client.on_v1();
        let control = client.control("file", file.len(), &sha, &SLICES).data();
        if control["access_url"].is_string() {
            break;
        }
        let offset = usize::try_from(control["offset"].as_u64().unwrap()).unwrap();
        assert!(
            offset >= acknowledged && offset <= acknowledged + HALF,
            "{offset} after {acknowledged}"
        );
        let session = control["session"].as_str().unwrap();
        client
            .slice("file", session, offset, &file[offset..][..HALF], &[])
            .data();
        acknowledged = offset + HALF;
        if let Some(next) = file.get(acknowledged..acknowledged + HALF) {
            let request = client.slice_request("file", session, acknowledged, next, &[]);
            let mut stream = client.connect();
            stream.write_all(&request[..request.len() - cut]).unwrap();
        }
        process.kill();
    }
    let process = Process::start(directory.path());
    let client = process.client.on_v1();
    let control = client.control("file", file.len(), &sha, &SLICES).data();
    if let Some(session) = control["session"].as_str() {
        let mut offset = usize::try_from(control["offset"].as_u64().unwrap()).unwrap();
        while offset < file.len() {
            client
                .slice("file", session, offset, &file[offset..][..HALF], &[])
                .data();
            offset += HALF;
        }
    }
    assert!(std::fs::read(directory.path().join("objects/videos/file")).unwrap() == file);
}

#[test]
fn a_file_whose_last_slice_was_kept_before_a_kill_is_completed_by_its_control() {
    let directory = tempfile::tempdir().unwrap();
    let file = content(2 * HALF);
    let process = Process::start(directory.path());
    let client = process.client.on_v1();
    let session = session(&client.control("file", file.len(), &sha1(&file), &SLICES));
    client.slice("file", &session, 0, &file[..HALF], &[]).data();
    process.kill();
    // As a kill between keeping the slice and making the object leaves it.
    let uploads = directory.path().join("state/uploads/videos");
    let upload = std::fs::read_dir(uploads)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    std::fs::write(upload.join(format!("slices/{HALF:020}")), &file[HALF..]).unwrap();
    let process = Process::start(directory.path());
    let client = process.client.on_v1();
    let control = client.control("file", file.len(), &sha1(&file), &[("session", &session)]);
    assert!(control.data()["access_url"].is_string());
    assert!(std::fs::read(directory.path().join("objects/videos/file")).unwrap() == file);
}

#[test]
fn a_client_that_goes_away_leaves_the_offset_where_it_was() {
    let fixture = start_v1(&[]);
    let client = &fixture.client;
    let file = content(2 * HALF);
    let session = session(&client.control("file", file.len(), &sha1(&file), &SLICES));
    let request = client.slice_request("file", &session, 0, &file[..HALF], &[]);
    let mut stream = client.connect();
    stream.write_all(&request[..request.len() - 1]).unwrap();
    drop(stream);
    let recorded = fixture
        .emulator
        .wait_for_requests(|records| records.len() == 2, PATIENCE);
    assert!(recorded);
    let control = client.control("file", file.len(), &sha1(&file), &[]).data();
    assert_eq!(control["offset"], json!(0));
}
