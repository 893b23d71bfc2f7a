//! HTTP itself: connections, headers, limits.

mod support;

use cos_emulator::{Config, Emulator};
use serde_json::json;
use std::io::{Read, Write};
use std::time::Duration;
use support::{Answer, BUCKET, Client, MIB, PATIENCE, assert_ended, content, start, start_with};

fn stat_request(client: &Client, path: &str) -> Vec<u8> {
    let token = client.token();
    client.request(
        "GET",
        &(client.url(path) + "?op=stat"),
        &[("Authorization", &token)],
        b"",
    )
}

#[test]
fn a_connection_is_kept_for_many_requests() {
    let fixture = start();
    let mut stream = fixture.client.connect();
    for _ in 0..3 {
        stream.write_all(&stat_request(&fixture.client, "file")).unwrap();
        let answer = Answer::read(&mut stream).unwrap();
        assert_eq!(answer.outcome(), (404, -197));
        assert_ne!(answer.header("connection"), Some("close"));
    }
    let records = fixture.emulator.requests();
    let numbers: Vec<_> = records
        .iter()
        .map(|record| (record.sequence, record.connection))
        .collect();
    assert_eq!(numbers, [(1, 1), (2, 1), (3, 1)]);
}

#[test]
fn headers_are_those_of_the_service() {
    let fixture = start();
    let answer = fixture.client.stat("file");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.header("server"), Some("tencent-cos"));
    assert_eq!(answer.header("content-encoding"), None);
    let date = httpdate::parse_http_date(answer.header("date").unwrap()).unwrap();
    assert!(date.elapsed().unwrap_or_default() < Duration::from_secs(60));
    let id = answer.header("x-cos-request-id").unwrap();
    assert_eq!(answer.json()["request_id"], json!(id));
    use base64::Engine as _;
    let decoded = String::from_utf8(base64::engine::general_purpose::STANDARD.decode(id).unwrap()).unwrap();
    let fields: Vec<_> = decoded
        .split('_')
        .map(|field| u64::from_str_radix(field, 16).unwrap())
        .collect();
    assert_eq!(fields.len(), 4);
    assert!(fields[0].abs_diff(support::now()) < 60);
    assert_ne!(fixture.client.stat("file").header("x-cos-request-id"), Some(id));
}

#[test]
fn an_expected_continue_is_given_before_the_body() {
    let fixture = start();
    let client = &fixture.client;
    let plain = client.form("file", &[("op", b"upload"), ("filecontent", b"abc")]);
    let head_length = plain.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 2;
    let mut stream = client.connect();
    stream
        .write_all(&[&plain[..head_length], b"Expect: 100-continue\r\n\r\n"].concat())
        .unwrap();
    let interim = Answer::read(&mut stream).unwrap();
    assert_eq!(interim.status, 100);
    stream.write_all(&plain[head_length + 2..]).unwrap();
    Answer::read(&mut stream).unwrap().data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"abc");
}

#[test]
fn a_chunked_body_is_taken_too() {
    let fixture = start();
    let client = &fixture.client;
    let body = support::multipart(&[("op", b"upload"), ("filecontent", b"abc")]);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nAuthorization: {}\r\nContent-Type: multipart/form-data; boundary={}\r\n\
         Transfer-Encoding: chunked\r\n\r\n",
        client.url("file"),
        client.token(),
        support::BOUNDARY
    );
    let mut request = head.into_bytes();
    for piece in body.chunks(50) {
        request.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        request.extend_from_slice(piece);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    client.send(&request).data();
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"abc");
}

#[test]
fn a_request_that_is_too_large_is_refused_unread() {
    let fixture = start();
    let client = &fixture.client;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n",
        client.url("file"),
        32 * MIB + 1
    );
    let mut stream = client.connect();
    stream.write_all(head.as_bytes()).unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().outcome(), (413, -285));
    // A length that no one announced is noticed on the way.
    let mut stream = client.connect();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        client.url("file")
    );
    stream.write_all(head.as_bytes()).unwrap();
    let chunk = [format!("{:x}\r\n", MIB).as_bytes(), &content(MIB), b"\r\n"].concat();
    // One byte more than allowed is enough; later writes may fail.
    (0..33).for_each(|_| drop(stream.write_all(&chunk)));
    assert_eq!(Answer::read(&mut stream).unwrap().outcome(), (413, -285));
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let fixture = start();
    let mut stream = fixture.client.connect();
    let request = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100 * 1024));
    // The refusal may come before all is written.
    let _ = stream.write_all(request.as_bytes());
    assert_eq!(Answer::read(&mut stream).unwrap().status, 431);
}

#[test]
fn paths_outside_the_api_get_a_status_that_the_service_never_gives() {
    let fixture = start();
    for path in ["/", "/files/v3/1251668577/videos/x", "/files/v2", "/anything"] {
        assert_eq!(fixture.client.get(path).status, 501, "{path}");
    }
    assert!(fixture.emulator.requests().is_empty());
}

#[test]
fn a_client_that_stalls_in_a_body_is_dropped_and_its_memory_freed() {
    let fixture = start_with(|config| {
        config.stall_timeout = Duration::from_millis(300);
        // Room for one body of that size at a time.
        config.body_memory = 8 * MIB;
    });
    let client = &fixture.client;
    let request = client.form("file", &[("op", b"upload"), ("filecontent", &content(6 * MIB))]);
    let mut stalled = client.connect();
    stalled.write_all(&request[..2 * MIB]).unwrap();
    client.send(&request).data();
    assert_ended(&mut stalled);
    assert!(
        fixture
            .emulator
            .wait_for_requests(|records| records.len() == 2, PATIENCE)
    );
    assert!(fixture.emulator.requests().iter().any(|record| !record.answered));
}

#[test]
fn a_client_that_takes_no_byte_of_an_answer_is_dropped() {
    let fixture = start_with(|config| {
        config.stall_timeout = Duration::from_millis(300);
        config.max_connections = 1;
    });
    let client = &fixture.client;
    let path = fixture.emulator.object_file(BUCKET, "large");
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content(64 * MIB)).unwrap();
    let mut deaf = client.connect();
    deaf.write_all(&client.request("GET", "/cdn/videos-1251668577/large", &[], b""))
        .unwrap();
    // There is one place only, so this is answered when the other client has lost it.
    assert_eq!(client.stat("absent").outcome(), (404, -197));
}

#[test]
fn an_idle_connection_is_closed_before_and_between_requests() {
    let fixture = start_with(|config| config.idle_timeout = Duration::from_millis(200));
    let mut silent = fixture.client.connect();
    let mut used = fixture.client.connect();
    used.write_all(&stat_request(&fixture.client, "file")).unwrap();
    Answer::read(&mut used).unwrap();
    let mut half = fixture.client.connect();
    half.write_all(b"GET / HTT").unwrap();
    for stream in [&mut silent, &mut used, &mut half] {
        // An answer such as 408 may come first, but the end must.
        stream.read_to_end(&mut Vec::new()).unwrap();
    }
}

#[test]
fn stop_ends_connections_and_frees_folder_and_port() {
    let fixture = start();
    fixture.client.upload("file", b"x", &[]).data();
    let mut idle = fixture.client.connect();
    idle.write_all(&stat_request(&fixture.client, "file")).unwrap();
    Answer::read(&mut idle).unwrap();
    fixture.emulator.stop();
    assert_ended(&mut idle);
    fixture.emulator.stop();
    // Everything that needs no server still works.
    assert_eq!(fixture.emulator.object(BUCKET, "file").unwrap(), b"x");
    assert_eq!(fixture.emulator.requests().len(), 2);
    let mut config = Config::new(fixture.directory.path());
    config.listen = fixture.emulator.address();
    let again = Emulator::start(config).unwrap();
    Client::at(again.address()).stat("file").data();
}

#[test]
fn two_emulators_in_one_process_do_not_share_a_folder() {
    let fixture = start();
    let error = Emulator::start(Config::new(fixture.directory.path())).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn an_emulator_can_be_started_and_dropped_inside_an_async_program() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let fixture = start();
        fixture.client.upload("file", b"x", &[]).data();
    });
}
