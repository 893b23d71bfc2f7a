//! The journal and the control API.

mod support;

use cos_emulator::Fault;
use serde_json::{Value, json};
use std::io::Write;
use std::thread;
use std::time::Duration;
use support::{Answer, Client, MIB, PATIENCE, start, start_with};

fn control(client: &Client, method: &str, name: &str, body: &str) -> Answer {
    client.send(&client.request(method, &format!("/_emulator/{name}"), &[], body.as_bytes()))
}

fn get(client: &Client, name: &str) -> Value {
    let answer = control(client, "GET", name, "");
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

#[test]
fn a_record_tells_what_was_sent_and_what_became_of_it() {
    let fixture = start();
    let client = &fixture.client;
    let session = client.begin("d/file%20x", MIB + 3, MIB);
    client
        .data("d/file%20x", &session, MIB, b"abc", &[("sliceSize", "7")])
        .data();
    let record = fixture.emulator.requests().pop().unwrap();
    assert_eq!(record.path, "/files/v2/1251668577/videos/d/file%20x");
    assert_eq!(
        (record.method.as_str(), record.operation.as_deref()),
        ("POST", Some("upload_slice_data"))
    );
    assert_eq!(
        (record.offset, record.session.as_deref()),
        (Some(MIB as u64), Some(&*session))
    );
    assert_eq!(
        (record.content_length, record.field("SLICESIZE")),
        (Some(3), Some("7"))
    );
    assert!(record.fields.iter().all(|(name, _)| name != "filecontent"));
    assert_eq!(
        record.header("content-length"),
        Some(&*record.body_length.to_string())
    );
    assert_eq!(
        (record.status, record.code, record.executed, record.answered),
        (Some(200), Some(0), true, true)
    );
    assert_eq!(record.fault, None);

    let token = client.sign("other", support::now() + 60, "");
    let list = client.request(
        "POST",
        &client.url("x"),
        &[("Authorization", &token)],
        br#"{"op":"upload_slice_list"}"#,
    );
    client.send(&list);
    let refused = fixture.emulator.requests().pop().unwrap();
    assert_eq!((refused.code, refused.executed), (Some(-61), false));
}

#[test]
fn no_record_holds_a_signature_or_its_digest() {
    let fixture = start();
    let client = &fixture.client;
    let token = client.token();
    let escaped = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let url = format!("{}?sign={escaped}&op=stat", client.url("file"));
    client.send(&client.request("GET", &url, &[], b""));
    client.send(&client.request(
        "GET",
        &(client.url("file") + "?op=stat"),
        &[("Authorization", &token)],
        b"",
    ));
    let text = get(client, "requests").to_string();
    for secret in [&token[..20], &escaped[..20], "secret"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for record in fixture.emulator.requests() {
        let names: Vec<_> = record.signature.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "k", "e", "t", "r", "f", "b"]);
        assert_eq!(
            (record.operation.as_deref(), record.header("authorization")),
            (Some("stat"), None)
        );
    }
}

#[test]
fn requests_are_read_and_cleared_over_http() {
    let fixture = start();
    fixture.client.stat("file");
    let records = get(&fixture.client, "requests");
    assert_eq!(
        (records.as_array().unwrap().len(), &records[0]["operation"]),
        (1, &json!("stat"))
    );
    assert_eq!(control(&fixture.client, "DELETE", "requests", "").status, 200);
    assert_eq!(get(&fixture.client, "requests"), json!([]));
    fixture.client.stat("file");
    fixture.emulator.clear_requests();
    assert!(fixture.emulator.requests().is_empty());
}

#[test]
fn the_journal_forgets_its_oldest_records() {
    let fixture = start_with(|config| config.journal_limit = 3);
    (0..5).for_each(|_| drop(fixture.client.stat("file")));
    let numbers: Vec<_> = fixture
        .emulator
        .requests()
        .iter()
        .map(|record| record.sequence)
        .collect();
    assert_eq!(numbers, [3, 4, 5]);
}

#[test]
fn wait_answers_when_enough_has_happened_or_the_time_is_over() {
    let fixture = start();
    let client = &fixture.client;
    let waiting = thread::spawn({
        let client = client.clone();
        move || {
            control(
                &client,
                "GET",
                "wait?operation=stat&outcome_code=-197&count=2&timeout_ms=60000",
                "",
            )
        }
    });
    client.stat("file");
    client.list("file");
    let early = control(client, "GET", "wait?operation=stat&count=2&timeout_ms=50", "");
    assert_eq!((early.status, early.json()["count"].as_u64()), (408, Some(1)));
    client.stat("file");
    assert_eq!(waiting.join().unwrap().status, 200);
    assert_eq!(
        control(client, "GET", "wait?count=3&timeout_ms=0", "").status,
        200
    );
    assert_eq!(
        control(client, "GET", "wait?outcome_code=0&timeout_ms=0", "").status,
        408
    );
    assert_eq!(control(client, "GET", "wait?counts=3", "").status, 400);
    assert_eq!(control(client, "GET", "wait?count=x", "").status, 400);
}

#[test]
fn waiting_in_the_library_sees_records_in_order() {
    let fixture = start();
    fixture.client.stat("a");
    fixture.client.list("b");
    let names = |records: &[cos_emulator::RequestRecord]| {
        records
            .iter()
            .filter_map(|record| record.operation.clone())
            .collect::<Vec<_>>()
            == ["stat", "upload_slice_list"]
    };
    assert!(fixture.emulator.wait_for_requests(names, PATIENCE));
    assert!(
        !fixture
            .emulator
            .wait_for_requests(|records| records.len() > 2, Duration::from_millis(20))
    );
}

#[test]
fn faults_are_added_seen_and_cleared_over_http() {
    let fixture = start();
    let client = &fixture.client;
    let rules = r#"[{"operation":"stat","action":{"status":500,"code":-195}},{"operation":"*","times":0,"action":{"delay_ms":0}}]"#;
    assert_eq!(control(client, "POST", "faults", rules).status, 200);
    assert_eq!(
        control(
            client,
            "POST",
            "faults",
            r#"{"operation":"delete","action":{"expired":true}}"#
        )
        .status,
        200
    );
    assert_eq!(client.stat("file").outcome(), (500, -195));
    client.stat("file");
    let counters: Vec<_> = get(client, "faults")
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| (rule["seen"].clone(), rule["fired"].clone()))
        .collect();
    assert_eq!(
        counters,
        [(json!(2), json!(1)), (json!(2), json!(1)), (json!(0), json!(0))]
    );
    let wrong = control(
        client,
        "POST",
        "faults",
        r#"[{"action":{"delay_ms":0}},{"operation":"stat","actoin":{}}]"#,
    );
    assert_eq!(wrong.status, 400);
    assert!(wrong.text().contains("actoin"), "{}", wrong.text());
    assert_eq!(
        get(client, "faults").as_array().unwrap().len(),
        3,
        "a wrong rule spoils its whole list"
    );
    assert_eq!(control(client, "DELETE", "faults", "").status, 200);
    assert_eq!(get(client, "faults"), json!([]));
}

#[test]
fn rules_read_back_are_the_rules_put_in() {
    let text = r#"{"operation":"stat","nth":3,"times":0,"offset":512,"probability":0.25,"action":{"reset":"mid_answer"}}"#;
    let rule = Fault::from_json(text).unwrap();
    assert_eq!(Fault::from_json(&rule.to_json().to_string()).unwrap(), rule);
    assert_eq!(rule.to_json(), serde_json::from_str::<Value>(text).unwrap());
}

#[test]
fn switches_are_read_and_set_over_http_all_or_none() {
    let fixture = start();
    let client = &fixture.client;
    assert_eq!(get(client, "switches")["listparts"], json!("array"));
    assert_eq!(
        control(
            client,
            "POST",
            "switches",
            r#"{"listparts":"null","session_ttl":60,"serial_upload":1}"#
        )
        .status,
        200
    );
    let switches = get(client, "switches");
    assert_eq!(
        (&switches["listparts"], &switches["session_ttl"]),
        (&json!("null"), &json!("60"))
    );
    let wrong = control(
        client,
        "POST",
        "switches",
        r#"{"listparts":"array","numbers":"words"}"#,
    );
    assert_eq!(wrong.status, 400);
    assert!(
        wrong.text().contains("accepted: number, string"),
        "{}",
        wrong.text()
    );
    assert_eq!(get(client, "switches")["listparts"], json!("null"));
    assert_eq!(control(client, "POST", "switches", "[]").status, 400);
}

#[test]
fn unfinished_uploads_are_shown() {
    let fixture = start();
    let client = &fixture.client;
    assert_eq!(get(client, "uploads"), json!([]));
    let sha = support::sha1(b"abc");
    let begun = client.init("d/b", 3, MIB, &[("sha", &sha)]).data();
    client.begin("a", 2 * MIB, MIB);
    client
        .data("d/b", begun["session"].as_str().unwrap(), 0, b"abc", &[])
        .data();
    let uploads = get(client, "uploads");
    assert_eq!(uploads[0]["path"], json!("a"));
    let expected = json!({
        "api": "v2", "bucket": "videos", "path": "d/b", "filesize": 3, "slice_size": MIB, "session": begun["session"], "sha": sha,
        "parts": [{"offset": 0, "datalen": 3}],
    });
    assert_eq!(uploads[1], expected);
}

#[test]
fn the_control_api_says_what_it_has() {
    let fixture = start();
    assert_eq!(get(&fixture.client, "health"), json!({"status": "ok"}));
    let unknown = control(&fixture.client, "GET", "helth", "");
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("health"));
    assert_eq!(control(&fixture.client, "POST", "health", "").status, 405);
    assert!(fixture.emulator.requests().is_empty());
}

#[test]
fn a_client_that_goes_away_in_its_body_is_recorded_too() {
    let fixture = start();
    let request = fixture
        .client
        .form("file", &[("op", b"upload"), ("filecontent", b"abc")]);
    let mut stream = fixture.client.connect();
    stream.write_all(&request[..request.len() - 5]).unwrap();
    drop(stream);
    assert!(
        fixture
            .emulator
            .wait_for_requests(|records| records.len() == 1, PATIENCE)
    );
    let record = &fixture.emulator.requests()[0];
    assert_eq!(
        (record.status, record.executed, record.answered),
        (None, false, false)
    );
}
