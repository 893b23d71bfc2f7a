//! Every fault, as it looks on the wire.

mod support;

use cos_emulator::{Emulator, Fault};
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};
use support::{Answer, BUCKET, Fixture, MIB, PATIENCE, assert_ended, content, sha1, start, start_with};

fn add(emulator: &Emulator, operation: &str, action: &Value) {
    let rule = json!({"operation": operation, "action": action});
    emulator.add_fault(Fault::from_json(&rule.to_string()).unwrap());
}

/// How a connection ended, and what came before that.
#[derive(Debug, PartialEq)]
enum End {
    Closed,
    Reset,
}

fn read_to_end(stream: &mut TcpStream) -> (Vec<u8>, End) {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => (received, End::Closed),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (received, End::Reset),
        Err(error) => panic!("{error} after {received:?}"),
    }
}

/// Sends an upload of one small object under a fault; what came back, how it ended, and whether the object is
/// there.
fn upload_under(action: &Value) -> (Vec<u8>, End, bool, Fixture) {
    let fixture = start();
    add(&fixture.emulator, "upload", action);
    let mut stream = fixture.client.connect();
    stream
        .write_all(
            &fixture
                .client
                .form("file", &[("op", b"upload"), ("filecontent", b"abc")]),
        )
        .unwrap();
    let (received, end) = read_to_end(&mut stream);
    let stored = fixture.emulator.object(BUCKET, "file").is_ok();
    (received, end, stored, fixture)
}

#[test]
fn a_status_is_answered_without_effect() {
    let fixture = start();
    let action = json!({"status": 503, "code": -71, "message": "slow down", "headers": {"Retry-After": "7"}});
    add(&fixture.emulator, "upload", &action);
    let answer = fixture.client.upload("file", b"abc", &[]);
    assert_eq!(answer.outcome(), (503, -71));
    assert_eq!(
        (answer.json()["message"].as_str(), answer.header("retry-after")),
        (Some("slow down"), Some("7"))
    );
    assert_eq!(
        answer.header("x-cos-request-id"),
        answer.json()["request_id"].as_str()
    );
    assert!(fixture.emulator.object(BUCKET, "file").is_err());
    let record = &fixture.emulator.requests()[0];
    assert_eq!(
        (record.status, record.code, record.executed, record.answered),
        (Some(503), Some(-71), false, true)
    );
    assert_eq!(
        serde_json::from_str::<Value>(record.fault.as_deref().unwrap()).unwrap(),
        action
    );
    assert!(fixture.emulator.unused_faults().is_empty());
    fixture.client.upload("file", b"abc", &[]).data();
}

#[test]
fn an_early_answer_comes_while_the_body_is_being_sent_and_the_connection_goes() {
    for operation in ["upload_slice_data", "*"] {
        // The emulator would wait for the rest of the body longer than this test waits for the answer.
        let fixture = start_with(|config| config.stall_timeout = 10 * PATIENCE);
        let client = &fixture.client;
        let session = client.begin("file", MIB, MIB);
        add(
            &fixture.emulator,
            operation,
            &json!({"early": {"status": 403, "code": -97}}),
        );
        let request = client.data_request("file", &session, 0, &content(MIB), &[]);
        let mut stream = client.connect();
        // The rest of the body never comes.
        stream.write_all(&request[..request.len() / 2]).unwrap();
        let answer = Answer::read(&mut stream).unwrap();
        assert_eq!(answer.outcome(), (403, -97));
        // A moment later the socket goes, so sending on fails; nobody takes what is sent, as an orderly end would.
        let failed = (0..48).find_map(|_| stream.write_all(&content(MIB)).err());
        assert!(matches!(
            failed.unwrap().kind(),
            ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        ));
        let record = fixture.emulator.requests().pop().unwrap();
        assert!(
            !record.executed && record.answered && record.body_length < MIB as u64,
            "{record:?}"
        );
    }
}

#[test]
fn resets_and_closes_before_the_effect_leave_nothing_behind() {
    for phase in ["before", "headers", "during_body"] {
        for (action, expected) in [("reset", End::Reset), ("close", End::Closed)] {
            let (received, end, stored, fixture) = upload_under(&json!({ action: phase }));
            assert_eq!(
                (&*received, end, stored),
                (&b""[..], expected, false),
                "{action} {phase}"
            );
            let record = &fixture.emulator.requests()[0];
            assert_eq!(
                (record.status, record.executed, record.answered),
                (None, false, false)
            );
        }
    }
}

#[test]
fn a_cut_during_the_body_comes_after_half_of_it() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", MIB, MIB);
    add(
        &fixture.emulator,
        "upload_slice_data",
        &json!({"reset": "during_body"}),
    );
    let request = client.data_request("file", &session, 0, &content(MIB), &[]);
    let mut stream = client.connect();
    let (half, rest) = request.split_at(request.len() / 4);
    stream.write_all(half).unwrap();
    // A quarter is not enough for the cut: nothing has come back.
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(matches!(
        stream.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut
    ));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The reset may strike while this is still being written.
    let _ = stream.write_all(rest);
    assert!(stream.read(&mut [0]).is_err());
    let record = fixture.emulator.requests().pop().unwrap();
    let (read, whole) = (record.body_length, request.len() as u64);
    assert!(
        read >= whole * 4 / 10 && read < whole * 7 / 10,
        "{read} of {whole}"
    );
}

#[test]
fn resets_and_closes_after_the_effect_lose_the_answer_only() {
    let lost = [
        (json!({"reset": "after_effect"}), End::Reset),
        (json!({"close": "after_effect"}), End::Closed),
        (json!({"lost_answer": true}), End::Closed),
    ];
    for (action, expected) in lost {
        let (received, end, stored, fixture) = upload_under(&action);
        assert_eq!((&*received, end, stored), (&b""[..], expected, true), "{action}");
        let record = &fixture.emulator.requests()[0];
        assert_eq!(
            (record.status, record.code, record.executed, record.answered),
            (None, Some(0), true, false)
        );
    }
}

/// The announced length of an answer and the bytes of its body that came.
fn cut_body(received: &[u8]) -> (usize, usize) {
    let head = received
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap()
        + 4;
    let text = std::str::from_utf8(&received[..head]).unwrap().to_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .unwrap()
        .parse()
        .unwrap();
    (length, received.len() - head)
}

#[test]
fn a_cut_in_mid_answer_sends_half_of_it() {
    for (action, expected) in [("reset", End::Reset), ("close", End::Closed)] {
        let (received, end, stored, fixture) = upload_under(&json!({ action: "mid_answer" }));
        let (announced, came) = cut_body(&received);
        assert_eq!((came, end, stored), (announced / 2, expected, true));
        assert!(!fixture.emulator.requests()[0].answered);
    }
}

#[test]
fn a_cut_in_mid_head_sends_half_of_the_head_and_nothing_of_the_body() {
    for (action, expected) in [("reset", End::Reset), ("close", End::Closed)] {
        let (received, end, stored, fixture) = upload_under(&json!({ action: "mid_head" }));
        let head = String::from_utf8(received).unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200 OK\r\n") && !head.contains("\r\n\r\n"),
            "{head}"
        );
        assert_eq!((end, stored), (expected, true));
        assert!(!fixture.emulator.requests()[0].answered);
    }
}

#[test]
fn a_connection_can_end_before_any_request() {
    for phase in ["accept", "first_bytes"] {
        for (action, expected) in [("reset", End::Reset), ("close", End::Closed)] {
            let fixture = start();
            let rule = json!({"operation": "connection", "nth": 2, "action": {action: phase}});
            fixture
                .emulator
                .add_fault(Fault::from_json(&rule.to_string()).unwrap());
            fixture.client.upload("file", b"abc", &[]).data();
            let mut stream = fixture.client.connect();
            if phase == "first_bytes" {
                stream.write_all(b"POST").unwrap();
            }
            assert_eq!(read_to_end(&mut stream), (vec![], expected), "{rule}");
            assert!(fixture.emulator.unused_faults().is_empty());
            assert_eq!(fixture.emulator.requests().len(), 1);
            fixture.client.upload("other", b"abc", &[]).data();
        }
    }
}

#[test]
fn a_truncated_answer_keeps_its_announced_length() {
    for bytes in [0, 1, 17] {
        let (received, end, stored, _fixture) = upload_under(&json!({ "truncate": bytes }));
        let (announced, came) = cut_body(&received);
        assert!(announced > 100);
        assert_eq!((came, end, stored), (bytes, End::Closed, true));
    }
    let (received, end, _, fixture) = upload_under(&json!({"truncate": 1_000_000}));
    let (announced, came) = cut_body(&received);
    assert_eq!((came, end), (announced, End::Closed));
    assert!(fixture.emulator.requests()[0].answered);
}

#[test]
fn a_hang_lasts_until_the_client_goes_or_the_emulator_stops() {
    for (phase, stored) in [("before", false), ("after_effect", true)] {
        let fixture = start();
        add(&fixture.emulator, "upload", &json!({ "hang": phase }));
        let mut stream = fixture.client.connect();
        stream
            .write_all(
                &fixture
                    .client
                    .form("file", &[("op", b"upload"), ("filecontent", b"abc")]),
            )
            .unwrap();
        // The record is written before the hang begins.
        assert!(
            fixture
                .emulator
                .wait_for_requests(|records| records.len() == 1, PATIENCE)
        );
        assert_eq!(fixture.emulator.requests()[0].executed, stored);
        assert_eq!(fixture.emulator.object(BUCKET, "file").is_ok(), stored);
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(matches!(
            stream.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        fixture.emulator.stop();
        assert_ended(&mut stream);
    }
}

#[test]
fn a_hang_before_the_effect_holds_no_memory() {
    // Room for one of the two bodies.
    let fixture = start_with(|config| config.body_memory = 3 * MIB);
    add(&fixture.emulator, "upload", &json!({"hang": "before"}));
    let request = fixture
        .client
        .form("file", &[("op", b"upload"), ("filecontent", &content(2 * MIB))]);
    let mut hanging = fixture.client.connect();
    hanging.write_all(&request).unwrap();
    assert!(
        fixture
            .emulator
            .wait_for_requests(|records| records.len() == 1, PATIENCE)
    );
    fixture.client.send(&request).data();
}

#[test]
fn a_client_that_leaves_a_hang_frees_its_place() {
    let fixture = start_with(|config| config.max_connections = 1);
    add(&fixture.emulator, "stat", &json!({"hang": "before"}));
    let mut stream = fixture.client.connect();
    let token = fixture.client.token();
    let stat = fixture.client.request(
        "GET",
        &(fixture.client.url("file") + "?op=stat"),
        &[("Authorization", &token)],
        b"",
    );
    stream.write_all(&stat).unwrap();
    assert!(
        fixture
            .emulator
            .wait_for_requests(|records| records.len() == 1, PATIENCE)
    );
    drop(stream);
    // The one place there is must become free, or this is never accepted.
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
}

#[test]
fn a_delay_comes_between_effect_and_answer() {
    let fixture = start();
    add(&fixture.emulator, "upload", &json!({"delay_ms": 300}));
    let begun = Instant::now();
    fixture.client.upload("file", b"abc", &[]).data();
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_slow_reader_takes_its_time() {
    let fixture = start();
    add(
        &fixture.emulator,
        "upload",
        &json!({"slow_read_bytes_per_second": 1_000_000}),
    );
    let begun = Instant::now();
    fixture.client.upload("file", &content(500_000), &[]).data();
    // The part of the body that was read with the head may have been taken before the rule was found.
    assert!(
        begun.elapsed() >= Duration::from_millis(350),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn a_raw_body_may_be_anything() {
    for (status, content_type, body) in [
        (200, "text/html", "<html>proxy</html>"),
        (
            400,
            "application/xml",
            "<Error><Code>InvalidRequest</Code></Error>",
        ),
        (404, "text/plain", ""),
        (200, "application/json", "{\"code\":\"zero\""),
    ] {
        for after_effect in [false, true] {
            let fixture = start();
            let raw = json!({"status": status, "content_type": content_type, "body": body});
            add(
                &fixture.emulator,
                "upload",
                &json!({"raw": raw, "after_effect": after_effect}),
            );
            let answer = fixture.client.upload("file", b"abc", &[]);
            assert_eq!(
                (answer.status, answer.header("content-type"), answer.text()),
                (status, Some(content_type), body)
            );
            assert_eq!(fixture.emulator.object(BUCKET, "file").is_ok(), after_effect);
        }
    }
}

#[test]
fn members_of_the_true_answer_are_replaced() {
    let fixture = start();
    add(
        &fixture.emulator,
        "upload_slice_init",
        &json!({"slice_size": 524_288}),
    );
    let begun = fixture.client.init("file", 3, MIB, &[]).data();
    assert_eq!(begun["slice_size"], json!(524_288));
    add(
        &fixture.emulator,
        "upload_slice_list",
        &json!({"replace": {"data.session": 7, "message": null}}),
    );
    let listed = fixture.client.list("file").json();
    assert_eq!(
        (&listed["data"]["session"], &listed["message"]),
        (&json!(7), &Value::Null)
    );
    assert_eq!(listed["data"]["slice_size"], json!(MIB));
}

#[test]
fn a_rotated_session_makes_the_old_one_invalid() {
    let fixture = start();
    let client = &fixture.client;
    let old = client.begin("file", 3, MIB);
    add(
        &fixture.emulator,
        "upload_slice_data",
        &json!({"rotate_session": true}),
    );
    assert_eq!(client.data("file", &old, 0, b"abc", &[]).outcome(), (400, -290));
    let listed = client.list("file").data();
    let new = listed["session"].as_str().unwrap();
    assert_ne!(new, old);
    client.data("file", new, 0, b"abc", &[]).data();
    client.finish("file", new, 3, &[]).data();
}

#[test]
fn a_dropped_session_forgets_the_upload() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    client.data("file", &session, 0, b"abc", &[]).data();
    add(
        &fixture.emulator,
        "upload_slice_finish",
        &json!({"drop_session": true}),
    );
    assert_eq!(client.finish("file", &session, 3, &[]).outcome(), (400, -290));
    assert_eq!(client.list("file").outcome(), (404, -197));
}

#[test]
fn an_expired_signature_is_played_without_effect() {
    let fixture = start();
    add(&fixture.emulator, "upload", &json!({"expired": true}));
    assert_eq!(fixture.client.upload("file", b"abc", &[]).outcome(), (403, -96));
    assert!(fixture.emulator.object(BUCKET, "file").is_err());
}

#[test]
fn a_rule_strikes_only_its_operation_its_offset_and_its_turn() {
    let fixture = start();
    let client = &fixture.client;
    let file = content(4 * MIB);
    let session = client.begin("file", file.len(), MIB);
    let rules = r#"[
        {"operation":"upload_slice_data","offset":1048576,"action":{"status":500,"code":-195}},
        {"operation":"upload_slice_data","nth":4,"times":2,"action":{"status":503,"code":-196}}
    ]"#;
    Fault::list_from_json(rules)
        .unwrap()
        .into_iter()
        .for_each(|rule| fixture.emulator.add_fault(rule));
    let codes = [0, 1, 2, 3, 3, 3].map(|index: usize| {
        client
            .data("file", &session, index * MIB, &file[index * MIB..][..MIB], &[])
            .code()
    });
    // The second is hit for its offset, the fourth and the fifth for their turn.
    assert_eq!(codes, [0, -195, 0, -196, -196, 0]);
    assert!(fixture.emulator.unused_faults().is_empty());
}

#[test]
fn a_rule_for_an_offset_finds_it_after_the_file_part() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", MIB, MIB);
    let rule = r#"{"operation":"upload_slice_data","offset":0,"action":{"early":{"status":403,"code":-97}}}"#;
    fixture.emulator.add_fault(Fault::from_json(rule).unwrap());
    let slice = content(MIB);
    let fields: [(&str, &[u8]); 4] = [
        ("filecontent", &slice),
        ("session", session.as_bytes()),
        ("offset", b"0"),
        ("op", b"upload_slice_data"),
    ];
    assert_eq!(client.post("file", &fields).outcome(), (403, -97));
    client.post("file", &fields).data();
}

#[test]
fn a_rule_without_end_strikes_until_it_is_cleared() {
    let fixture = start();
    let rule = r#"{"operation":"stat","times":0,"action":{"status":500,"code":-195}}"#;
    fixture.emulator.add_fault(Fault::from_json(rule).unwrap());
    assert_eq!(fixture.emulator.unused_faults().len(), 1);
    for _ in 0..3 {
        assert_eq!(fixture.client.stat("file").outcome(), (500, -195));
    }
    assert!(fixture.emulator.unused_faults().is_empty());
    fixture.emulator.clear_faults();
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
}

#[test]
fn a_lost_finish_can_be_told_by_stat_and_repeated() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("file", 3, MIB);
    client.data("file", &session, 0, b"abc", &[]).data();
    add(
        &fixture.emulator,
        "upload_slice_finish",
        &json!({"lost_answer": true}),
    );
    let lost = client.form(
        "file",
        &[
            ("op", b"upload_slice_finish"),
            ("session", session.as_bytes()),
            ("filesize", b"3"),
        ],
    );
    assert_eq!(
        client.try_send(&lost).unwrap_err().kind(),
        ErrorKind::UnexpectedEof
    );
    assert_eq!(client.stat("file").data()["sha"], json!(sha1(b"abc")));
    client.finish("file", &session, 3, &[]).data();
}

#[test]
fn a_half_closed_client_is_answered_by_no_one() {
    // Whoever shuts its sending side before the answer has gone away, as far as this server is concerned.
    let fixture = start();
    let mut stream = fixture.client.connect();
    stream
        .write_all(b"POST /files/v2/1/b/x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        .unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut stream), (Vec::new(), End::Closed));
    assert!(
        fixture
            .emulator
            .wait_for_requests(|records| records.len() == 1, PATIENCE)
    );
    assert!(!fixture.emulator.requests()[0].answered);
}
