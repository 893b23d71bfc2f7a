//! TLS: who is trusted and for how long, and that faults look the same under it.

#[path = "support/process.rs"]
mod process;
mod support;

use cos_emulator::{Config, Emulator, Fault, TlsFiles};
use process::{Process, command};
use rcgen::{CertificateParams, KeyPair};
use rustls::{CertificateError, ProtocolVersion};
use serde_json::{Value, json};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use support::{
    Answer, BUCKET, Client, Fixture, MIB, PATIENCE, TlsStream, assert_ended, content, sha1, start_tls,
    start_with, trusting, trusting_in,
};

fn add(emulator: &Emulator, operation: &str, action: &Value) {
    let rule = json!({"operation": operation, "action": action});
    emulator.add_fault(Fault::from_json(&rule.to_string()).unwrap());
}

/// Starts on a folder with TLS; the error when that fails.
fn start_on(directory: &Path, change: impl FnOnce(&mut Config)) -> std::io::Result<Emulator> {
    let mut config = Config::new(directory);
    config.tls = true;
    change(&mut config);
    Emulator::start(config)
}

/// Why a client ends the handshake.
fn refusal(client: &Client, host: &str) -> CertificateError {
    let error = client.connect_tls(host).write_all(b"GET").unwrap_err();
    match error.get_ref().and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(reason)) => reason.clone(),
        _ => panic!("{error:?}"),
    }
}

/// Asks what needs no signature and no object.
fn health(stream: &mut TlsStream) -> Answer {
    stream
        .write_all(b"GET /_emulator/health HTTP/1.1\r\nHost: x\r\n\r\n")
        .unwrap();
    Answer::read(stream).unwrap()
}

#[test]
fn a_file_is_uploaded_in_slices_and_its_addresses_are_https() {
    let fixture = start_tls();
    let address = fixture.emulator.address();
    assert_eq!(fixture.emulator.endpoint(), format!("https://{address}"));
    let file = content(3 * MIB + 5);
    let sha = sha1(&file);
    let finished = fixture
        .client
        .upload_slices("d/file", &file, MIB, &[("sha", &sha)])
        .data();
    assert!(fixture.emulator.object(BUCKET, "d/file").unwrap() == file);
    let stat = fixture.client.stat("d/file").data();
    for url in [&finished["access_url"], &stat["access_url"], &stat["source_url"]] {
        let url = url.as_str().unwrap();
        assert!(url.starts_with(&format!("https://{address}/")), "{url}");
        assert!(fixture.client.get(url).body == file);
    }
}

#[test]
fn the_authority_in_the_folder_is_the_one_to_trust() {
    let fixture = start_tls();
    let file = fs::read_to_string(fixture.directory.path().join("state/tls/ca.pem")).unwrap();
    assert_eq!(fixture.emulator.ca_pem(), Some(&*file));
    assert_eq!(support::start().emulator.ca_pem(), None);
}

#[test]
fn a_client_that_trusts_another_authority_refuses() {
    let fixture = start_tls();
    // Of the same name, but with another key.
    let other = start_tls();
    let client = Client {
        tls: other.client.tls.clone(),
        ..fixture.client.clone()
    };
    let reason = refusal(&client, "localhost");
    assert!(
        matches!(
            reason,
            CertificateError::BadSignature | CertificateError::UnknownIssuer
        ),
        "{reason:?}"
    );
    assert_eq!(fixture.emulator.requests().len(), 0);
}

#[test]
fn the_certificate_is_for_this_machine_and_no_other() {
    let fixture = start_tls();
    for host in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(
            health(&mut fixture.client.connect_tls(host)).status,
            200,
            "{host}"
        );
    }
    for host in ["127.0.0.2", "gz.file.myqcloud.com"] {
        let reason = refusal(&fixture.client, host);
        assert!(
            matches!(reason, CertificateError::NotValidForNameContext { .. }),
            "{reason:?}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")] // Elsewhere the machine has no second loopback address.
fn the_certificate_is_also_for_the_address_it_listens_on() {
    let fixture = start_with(|config| {
        config.tls = true;
        config.listen = (Ipv4Addr::new(127, 0, 0, 2), 0).into();
    });
    assert!(fixture.emulator.endpoint().starts_with("https://127.0.0.2:"));
    assert_eq!(health(&mut fixture.client.connect_tls("127.0.0.2")).status, 200);
}

#[test]
fn both_versions_of_tls_are_spoken() {
    let fixture = start_tls();
    for (version, expected) in [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3),
    ] {
        let mut config = trusting_in(fixture.emulator.ca_pem().unwrap(), &[version]);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let client = Client {
            tls: Some(Arc::new(config)),
            ..fixture.client.clone()
        };
        let mut stream = client.connect_tls("localhost");
        assert_eq!(health(&mut stream).status, 200);
        assert_eq!(stream.conn.protocol_version(), Some(expected));
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    }
}

#[test]
fn the_authority_survives_kill_9_and_its_key_is_the_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("state/tls/ca.pem");
    let run = || Process::spawn(command(directory.path()).args(["--secret-key", "secret", "--tls"]));
    let first = run();
    assert_eq!(first.endpoint, format!("https://{}", first.client.address));
    // Trust is given once, to what is there now.
    let tls = Some(trusting(&fs::read_to_string(&ca_file).unwrap()));
    let client = |process: &Process| Client {
        tls: tls.clone(),
        ..process.client.clone()
    };
    client(&first).upload("file", b"abc", &[]).data();
    first.kill();
    let second = run();
    assert_eq!(client(&second).stat("file").data()["filesize"], json!(3));
    let mode = |name: &str| {
        let file = directory.path().join("state/tls").join(name);
        fs::metadata(file).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode("ca-key.pem"), 0o600);
}

#[test]
fn an_authority_that_does_not_fit_together_is_found_at_start() {
    let other = start_tls();
    let others = |name| fs::read(other.directory.path().join("state/tls").join(name)).unwrap();
    for (name, bytes) in [
        ("ca.pem", others("ca.pem")),
        ("ca-key.pem", others("ca-key.pem")),
        ("ca.pem", b"nonsense".to_vec()),
        ("ca-key.pem", b"nonsense".to_vec()),
    ] {
        let directory = tempfile::tempdir().unwrap();
        drop(start_on(directory.path(), |_| {}).unwrap());
        let authority = directory.path().join("state/tls");
        fs::write(authority.join(name), bytes).unwrap();
        let error = start_on(directory.path(), |_| {}).unwrap_err().to_string();
        assert!(error.contains(authority.to_str().unwrap()), "{error}");
        assert!(error.contains("remove the folder"), "{error}");
        fs::remove_dir_all(&authority).unwrap();
        start_on(directory.path(), |_| {}).unwrap();
    }
}

/// A certificate that vouches for itself, in two files.
fn own_certificate(directory: &Path, host: &str) -> TlsFiles {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([host.to_owned()]).unwrap();
    let files = TlsFiles {
        certificate: directory.join(format!("{host}.pem")),
        key: directory.join(format!("{host}-key.pem")),
    };
    fs::write(&files.certificate, params.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

#[test]
fn a_certificate_of_ones_own_is_shown_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let files = own_certificate(directory.path(), "store.example");
    let data = directory.path().join("data");
    let mut run = command(&data);
    run.args(["--secret-key", "secret", "--tls", "--tls-certificate"])
        .arg(&files.certificate)
        .arg("--tls-key")
        .arg(&files.key);
    let process = Process::spawn(&mut run);
    let client = Client {
        tls: Some(trusting(&fs::read_to_string(&files.certificate).unwrap())),
        ..process.client.clone()
    };
    assert_eq!(health(&mut client.connect_tls("store.example")).status, 200);
    let reason = refusal(&client, "localhost");
    assert!(
        matches!(reason, CertificateError::NotValidForNameContext { .. }),
        "{reason:?}"
    );
    assert!(!data.join("state/tls").exists());
    let emulator = start_on(&directory.path().join("other"), |config| {
        config.tls_files = Some(files)
    });
    assert_eq!(emulator.unwrap().ca_pem(), None);
}

#[test]
fn a_certificate_that_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let one = own_certificate(directory.path(), "one");
    let two = own_certificate(directory.path(), "two");
    let empty = directory.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    let absent = directory.path().join("absent.pem");
    let pairs = [
        (&one.certificate, &two.key, &one.certificate),
        (&empty, &one.key, &empty),
        (&absent, &one.key, &absent),
        (&one.certificate, &empty, &empty),
        (&one.certificate, &absent, &absent),
    ];
    for (certificate, key, named) in pairs {
        let files = TlsFiles {
            certificate: certificate.clone(),
            key: key.clone(),
        };
        let data = directory.path().join("data");
        let error = start_on(&data, |config| config.tls_files = Some(files)).unwrap_err();
        assert!(error.to_string().contains(named.to_str().unwrap()), "{error}");
    }
    let error = start_on(&directory.path().join("data"), |config| {
        config.tls = false;
        config.tls_files = Some(one);
    });
    assert_eq!(error.unwrap_err().kind(), ErrorKind::InvalidInput);
}

/// How the TCP socket below TLS ended.
#[derive(Debug, PartialEq)]
enum End {
    Closed,
    Reset,
}

/// The decrypted bytes that came before the end of the TCP connection, and how that looked.
fn read_to_end(stream: &mut TlsStream) -> (Vec<u8>, End) {
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Ok(_) => {}
        // A FIN without a goodbye from TLS.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => return (received, End::Reset),
        Err(error) => panic!("{error} after {received:?}"),
    }
    // Whatever TLS said, the socket must end too.
    match stream.sock.read(&mut [0]) {
        Ok(0) => (received, End::Closed),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => (received, End::Reset),
        other => panic!("{other:?}"),
    }
}

/// Sends an upload of one small object under a fault.
fn upload_under(action: &Value) -> (Vec<u8>, End, Fixture) {
    let fixture = start_tls();
    add(&fixture.emulator, "upload", action);
    let mut stream = fixture.client.connect_tls("localhost");
    let request = fixture
        .client
        .form("file", &[("op", b"upload"), ("filecontent", b"abc")]);
    stream.write_all(&request).unwrap();
    let (received, end) = read_to_end(&mut stream);
    (received, end, fixture)
}

#[test]
fn resets_and_closes_end_the_tcp_connection_at_every_phase() {
    let phases = [
        ("before", false),
        ("headers", false),
        ("during_body", false),
        ("after_effect", true),
    ];
    for (phase, stored) in phases {
        for (action, expected) in [("reset", End::Reset), ("close", End::Closed)] {
            let (received, end, fixture) = upload_under(&json!({ action: phase }));
            assert_eq!((&*received, end), (&b""[..], expected), "{action} {phase}");
            assert_eq!(
                fixture.emulator.object(BUCKET, "file").is_ok(),
                stored,
                "{action} {phase}"
            );
            let record = &fixture.emulator.requests()[0];
            assert_eq!((record.executed, record.answered), (stored, false));
        }
    }
}

#[test]
fn an_answer_is_cut_at_the_byte_of_its_body_that_was_asked_for() {
    let cuts = [
        (json!({"reset": "mid_answer"}), None, End::Reset),
        (json!({"close": "mid_answer"}), None, End::Closed),
        (json!({"truncate": 17}), Some(17), End::Closed),
    ];
    for (action, wanted, expected) in cuts {
        let (received, end, _fixture) = upload_under(&action);
        let text = String::from_utf8(received).unwrap().to_lowercase();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let announced: usize = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(
            (body.len(), end),
            (wanted.unwrap_or(announced / 2), expected),
            "{action}"
        );
    }
}

#[test]
fn an_early_answer_comes_while_the_body_is_being_sent_and_the_connection_goes() {
    // The emulator would wait for the rest of the body longer than this test waits for the answer.
    let fixture = start_with(|config| {
        config.tls = true;
        config.stall_timeout = 10 * PATIENCE;
    });
    let client = &fixture.client;
    let session = client.begin("file", MIB, MIB);
    let early = json!({"early": {"status": 403, "code": -97}});
    add(&fixture.emulator, "upload_slice_data", &early);
    let request = client.data_request("file", &session, 0, &content(MIB), &[]);
    let mut stream = client.connect_tls("localhost");
    // The rest of the body never comes.
    stream.write_all(&request[..request.len() / 2]).unwrap();
    assert_eq!(Answer::read(&mut stream).unwrap().outcome(), (403, -97));
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

#[test]
fn a_client_that_takes_no_byte_of_an_answer_is_dropped() {
    let fixture = start_with(|config| {
        config.tls = true;
        config.stall_timeout = Duration::from_millis(300);
        config.max_connections = 1;
    });
    let client = &fixture.client;
    let path = fixture.emulator.object_file(BUCKET, "large");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content(64 * MIB)).unwrap();
    let mut deaf = client.connect_tls("localhost");
    deaf.write_all(&client.request("GET", "/cdn/videos-1251668577/large", &[], b""))
        .unwrap();
    // There is one place only, so this is answered when the other client has lost it.
    assert_eq!(client.stat("absent").outcome(), (404, -197));
}

#[test]
fn a_client_that_leaves_a_hang_frees_its_place() {
    let fixture = start_with(|config| {
        config.tls = true;
        config.max_connections = 1;
    });
    add(&fixture.emulator, "upload", &json!({"hang": "before"}));
    let mut stream = fixture.client.connect_tls("localhost");
    let request = fixture
        .client
        .form("file", &[("op", b"upload"), ("filecontent", b"abc")]);
    stream.write_all(&request).unwrap();
    assert!(
        fixture
            .emulator
            .wait_for_requests(|records| records.len() == 1, PATIENCE)
    );
    drop(stream);
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
}

#[test]
fn a_handshake_that_does_not_come_or_does_not_end_is_given_up() {
    let fixture = start_with(|config| {
        config.tls = true;
        config.idle_timeout = Duration::from_millis(200);
    });
    let mut silent = fixture.client.connect();
    let mut half = fixture.client.connect();
    // The head of a record that announces more than follows.
    half.write_all(&[0x16, 3, 1, 0, 200, 1]).unwrap();
    for stream in [&mut silent, &mut half] {
        assert_ended(stream);
    }
}

#[test]
fn whoever_speaks_plain_http_gets_an_alert_and_does_no_harm() {
    let fixture = start_tls();
    let client = Client {
        tls: None,
        ..fixture.client.clone()
    };
    let mut stream = client.connect();
    // Much more than the emulator reads before it knows: no reset for what is left may overtake the alert.
    stream
        .write_all(&client.request("POST", "/", &[], &content(MIB)))
        .unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    // The content type of an alert.
    assert_eq!(received.first(), Some(&0x15), "{received:?}");
    assert_eq!(fixture.client.stat("file").outcome(), (404, -197));
}

#[test]
fn an_ordinary_end_is_announced_by_tls() {
    let fixture = start_tls();
    let mut stream = fixture.client.connect_tls("localhost");
    stream
        .write_all(b"GET /_emulator/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .unwrap();
    Answer::read(&mut stream).unwrap();
    // A missing close_notify would be an error.
    assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
}
