//! What a store of one's own that speaks the same dialect may demand, each in both positions of its switch.

#[path = "support/process.rs"]
mod process;
mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cos_emulator::{Config, Emulator};
use md5::{Digest, Md5};
use process::{Process, command};
use serde_json::json;
use support::v1::start_v1;
use support::{
    Answer, BOUNDARY, BUCKET, Client, Fixture, MIB, content, multipart, sha1, start, start_set, start_with,
};

/// A list in a multipart form, with more header fields and form fields; −197 when it got through.
fn list(client: &Client, headers: &[(&str, &str)], fields: &[(&str, &[u8])]) -> Answer {
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let headers = [&[("Content-Type", &*content_type)], headers].concat();
    let fields = [&[("op", &b"upload_slice_list"[..])], fields].concat();
    client.send(&client.request("POST", &client.url("file"), &headers, &multipart(&fields)))
}

fn refusal(answer: &Answer) -> (u16, i64, String) {
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    (answer.status, answer.code(), message)
}

/// An emulator below `/store`, and a client that knows.
fn start_below_store() -> Fixture {
    let fixture = start_with(|config| "/store".clone_into(&mut config.path_prefix));
    let client = Client {
        path_prefix: "/store",
        ..fixture.client.clone()
    };
    Fixture { client, ..fixture }
}

#[test]
fn everything_but_the_control_api_may_lie_below_a_path_prefix() {
    let fixture = start_below_store();
    let base = fixture.emulator.endpoint() + "/store";
    for api in ["v1", "v2"] {
        let client = Client {
            api,
            ..fixture.client.clone()
        };
        let path = format!("d/{api}");
        let uploaded = client.upload(&path, b"abc", &[]).data();
        let expected = format!("{base}/files/{api}/1251668577/videos/{path}");
        assert_eq!(uploaded["url"], json!(expected));
        assert_eq!(
            uploaded["resource_path"],
            json!(format!("/1251668577/videos/{path}"))
        );
        let access = uploaded["access_url"].as_str().unwrap();
        assert!(access.starts_with(&format!("{base}/cdn/")), "{access}");
        assert_eq!(client.get(access).body, b"abc");
        // The prefix is no part of what signatures name.
        let bound = client.sign(BUCKET, support::now() + 60, &format!("/1251668577/videos/{path}"));
        let stat = client.request(
            "GET",
            &(client.url(&path) + "?op=stat"),
            &[("Authorization", &bound)],
            b"",
        );
        client.send(&stat).data();
        client.delete(&path).data();
    }
    let outside = Client {
        path_prefix: "",
        ..fixture.client.clone()
    };
    assert_eq!(outside.stat("file").status, 501);
    assert_eq!(fixture.client.get("/cdn/videos-1251668577/file").status, 501);
    assert_eq!(
        fixture
            .client
            .get("/stores/files/v2/1251668577/videos/file")
            .status,
        501
    );
    assert_eq!(fixture.client.get("/_emulator/health").status, 200);
    assert_eq!(
        start()
            .client
            .get("/store/files/v2/1251668577/videos/file")
            .status,
        501
    );
}

#[test]
fn the_program_takes_a_path_prefix_and_refuses_what_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let prefixed = |prefix: &str| {
        let mut command = command(directory.path());
        command.args(["--secret-key", "secret", "--path-prefix", prefix]);
        command
    };
    let process = Process::spawn(&mut prefixed("/store"));
    let client = Client {
        path_prefix: "/store",
        ..process.client.clone()
    };
    client.upload("file", b"abc", &[]).data();
    process.kill();
    let output = prefixed("store").output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message.contains("--path-prefix") && message.contains("\"store\""),
        "{message}"
    );
    let mut config = Config::new(directory.path());
    "/store/".clone_into(&mut config.path_prefix);
    let error = Emulator::start(config).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn slice_sizes() {
    let fixture = start_set(&["slice_sizes=4194304,8388608"]);
    let client = &fixture.client;
    let file = content(4 * MIB + 5);
    assert_eq!(
        client.upload_slices("file", &file, 4 * MIB, &[]).outcome(),
        (200, 0)
    );
    assert!(fixture.emulator.object(BUCKET, "file").unwrap() == file);
    let (status, code, message) = refusal(&client.init("other", file.len(), MIB, &[]));
    assert_eq!((status, code), (400, -284));
    assert!(message.contains("[4194304, 8388608]"), "{message}");
    let v1 = client.on_v1();
    let control = |more: &[(&str, &str)]| v1.control("v1", file.len(), &sha1(&file), more);
    assert_eq!(control(&[("slice_size", "1048576")]).outcome(), (400, -284));
    assert_eq!(control(&[]).data()["slice_size"], json!(4 * MIB));
    fixture.emulator.set("slice_sizes", "none").unwrap();
    client.init("other", file.len(), MIB, &[]).data();
    assert_eq!(
        client.init("third", file.len(), 4 * MIB, &[]).outcome(),
        (400, -284)
    );
}

#[test]
fn required_field() {
    let fixture = start();
    let client = &fixture.client;
    let token = client.token();
    let headers = [("Authorization", &*token)];
    let list = |fields: &[(&str, &[u8])]| list(client, &headers, fields);
    assert_eq!(list(&[]).code(), -197);

    fixture.emulator.set("required_field", "store").unwrap();
    let (status, code, message) = refusal(&list(&[]));
    assert_eq!((status, code), (400, -5999));
    assert!(message.contains("\"store\""), "{message}");
    assert_eq!(list(&[("store", b"any")]).code(), -197);

    fixture.emulator.set("required_field", "store=blue").unwrap();
    let (_, code, message) = refusal(&list(&[("store", b"red")]));
    assert!(
        code == -5999 && message.contains("\"red\", not \"blue\""),
        "{message}"
    );
    assert_eq!(list(&[("store", b"blue")]).code(), -197);
    // Forms alone have form fields.
    assert_eq!(client.stat("file").code(), -197);
    assert_eq!(client.delete("file").code(), -197);
    let v1 = client.on_v1();
    assert_eq!(v1.control("file", 3, &sha1(b"abc"), &[]).code(), -5999);
    v1.control("file", 3, &sha1(b"abc"), &[("store", "blue")]).data();
}

#[test]
fn required_header() {
    let fixture = start();
    let client = &fixture.client;
    let token = client.token();
    let list = |more: &[(&str, &str)]| list(client, &[&[("Authorization", &*token)], more].concat(), &[]);
    assert_eq!(list(&[]).code(), -197);

    fixture.emulator.set("required_header", "X-Store").unwrap();
    let (status, code, message) = refusal(&list(&[]));
    assert_eq!((status, code), (400, -5999));
    assert!(message.contains("\"X-Store\""), "{message}");
    assert_eq!(list(&[("x-store", "any")]).code(), -197);
    assert_eq!(client.stat("file").code(), -5999, "of every request");

    fixture.emulator.set("required_header", "X-Store=blue").unwrap();
    assert_eq!(list(&[("X-Store", "red")]).code(), -5999);
    assert_eq!(list(&[("X-Store", "blue")]).code(), -197);
}

#[test]
fn token_word() {
    let fixture = start();
    let client = &fixture.client;
    let token = client.token();
    let worded = format!("COS {token}");
    let doubled = format!("COS   {token}");
    let glued = format!("COS{token}");
    let codes = || {
        [&token, &worded, &doubled, &glued].map(|value| list(client, &[("Authorization", value)], &[]).code())
    };
    // A word is no harm by default, whatever it is.
    assert_eq!(codes(), [-197, -197, -197, -97]);
    for place in ["any", "header_or_query", "header"] {
        fixture.emulator.set("token_place", place).unwrap();
        fixture.emulator.set("token_word", "COS").unwrap();
        assert_eq!(codes(), [-97, -197, -197, -97], "{place}");
        let (status, _, message) = refusal(&list(client, &[("Authorization", &token)], &[]));
        assert!(status == 403 && message.contains("the word \"COS\""), "{message}");
        fixture.emulator.set("token_word", "none").unwrap();
    }
    assert_eq!(codes(), [-197, -97, -97, -97], "the bare header");
}

#[test]
fn token_place_query_takes_the_parameter_alone() {
    let fixture = start_set(&["token_place=query"]);
    let client = &fixture.client;
    let token = client.token();
    let escaped = token.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let url = client.url("file") + "?sign=" + &escaped;
    let post = |url: &str, headers: &[(&str, &str)]| {
        let body = br#"{"op":"upload_slice_list"}"#;
        client.send(&client.request("POST", url, headers, body)).outcome()
    };
    assert_eq!(post(&url, &[]), (404, -197));
    assert_eq!(
        post(&client.url("file"), &[("Authorization", &token)]),
        (403, -81)
    );
    // A header is not looked at.
    let wrong = STANDARD.encode("nonsense");
    assert_eq!(post(&url, &[("Authorization", &wrong)]), (404, -197));
    let stat = client.url("file") + "?op=stat&sign=" + &escaped;
    assert_eq!(client.get(&stat).outcome(), (404, -197));
}

#[test]
fn datamd5() {
    let right = hex::encode(Md5::digest(b"abc")).to_uppercase();
    let wrong = hex::encode(Md5::digest(b"abd"));
    let echoed = |answer: &Answer, sent: &str| answer.data().get("datamd5") == Some(&json!(sent));
    for (position, on_right, on_wrong, on_none) in [
        ("datamd5=checked", 0, -4023, 0),
        ("datamd5=echoed", 0, 0, 0),
        ("datamd5=ignored", 0, 0, 0),
        ("datamd5=required", 0, -4023, -5999),
    ] {
        let fixture = start_set(&[position]);
        let session = fixture.client.begin("file", 3, MIB);
        let send = |more: &[(&str, &str)]| fixture.client.data("file", &session, 0, b"abc", more);
        let good = send(&[("datamd5", &right)]);
        assert_eq!(good.code(), on_right);
        assert_eq!(echoed(&good, &right), position != "datamd5=ignored", "{position}");
        let bad = send(&[("datamd5", &wrong)]);
        assert_eq!(bad.code(), on_wrong, "{position}");
        assert_eq!(
            bad.code() == 0 && echoed(&bad, &wrong),
            position == "datamd5=echoed"
        );
        assert_eq!(send(&[]).code(), on_none, "{position}");
    }
    let fixture = start_v1(&["datamd5=required"]);
    let begun = fixture.client.control("file", 3, &sha1(b"abc"), &[]).data();
    let session = begun["session"].as_str().unwrap();
    let send = |more: &[(&str, &str)]| fixture.client.slice("file", session, 0, b"abc", more);
    assert_eq!(send(&[]).outcome(), (400, -5999));
    assert_eq!(send(&[("datamd5", &wrong)]).outcome(), (409, -4023));
    assert!(echoed(&send(&[("datamd5", &right)]), &right));
}
