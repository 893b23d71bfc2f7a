//! Uploads whose content is counted and digested, but not kept.

#[path = "support/process.rs"]
mod process;
mod support;

use process::{Process, command};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use support::v1::start_v1;
use support::{Answer, BUCKET, Client, MIB, content, sha1, start_set, uploadparts};

const HALF: usize = MIB / 2;

/// Bytes on the disk below a folder.
fn room(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let size = |entry: std::fs::DirEntry| match entry.metadata().unwrap() {
        found if found.is_dir() => room(&entry.path()),
        found => found.blocks() * 512,
    };
    entries.map(size).sum()
}

fn send(client: &Client, session: &str, file: &[u8], index: usize, more: &[(&str, &str)]) -> Answer {
    let slice = file.chunks(HALF).nth(index).unwrap();
    client.data("file", session, index * HALF, slice, more)
}

#[test]
fn slices_in_any_order_are_digested_and_take_no_room() {
    let fixture = start_set(&["content=discard"]);
    let client = &fixture.client;
    let file = content(16 * HALF + 7);
    let (sha, parts) = (sha1(&file), uploadparts(&file, HALF));
    let begun = client
        .init(
            "file",
            file.len(),
            HALF,
            &[("sha", &sha), ("uploadparts", &parts)],
        )
        .data();
    let session = begun["session"].as_str().unwrap();
    // Two that come early are kept until the digest has reached them.
    for index in [2, 1] {
        send(client, session, &file, index, &[]).data();
    }
    assert!(room(fixture.directory.path()) > MIB as u64);
    for index in [0, 4, 3, 5, 7, 6, 9, 10, 8, 16, 15, 14, 11, 12] {
        send(client, session, &file, index, &[]).data();
    }
    // Again, and early ones too.
    for index in [3, 0, 15, 12] {
        send(client, session, &file, index, &[]).data();
    }
    let listed = client.list("file").data();
    let offsets: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15, 16]
        .map(|index| json!({"offset": index * HALF, "datalen": if index == 16 { 7 } else { HALF }}))
        .to_vec();
    assert_eq!(listed["listparts"], json!(offsets));
    assert_eq!(client.stat("file").data()["filelen"], json!(file.len() - HALF));
    send(client, session, &file, 13, &[]).data();
    let while_unfinished = room(fixture.directory.path());
    assert!(while_unfinished < MIB as u64 / 4, "{while_unfinished} bytes");
    client
        .finish("file", session, file.len(), &[("sha", &sha)])
        .data();
    let stat = client.stat("file").data();
    assert_eq!(
        (&stat["filesize"], &stat["sha"]),
        (&json!(file.len()), &json!(sha))
    );
    let room = room(fixture.directory.path());
    assert!(room < MIB as u64 / 4, "{room} bytes");
}

#[test]
fn a_download_of_it_is_an_honest_error_and_so_is_the_library_s_look() {
    let fixture = start_set(&["content=discard"]);
    let client = &fixture.client;
    let access = client.upload_slices("sliced", b"abc", MIB, &[]).data()["access_url"].clone();
    let whole = client.upload("whole", b"abc", &[]).data()["access_url"].clone();
    for url in [access, whole] {
        let answer = client.get(url.as_str().unwrap());
        assert_eq!(answer.status, 501);
        assert!(answer.text().contains("content=discard"), "{}", answer.text());
    }
    let error = fixture.emulator.object(BUCKET, "sliced").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        fixture.emulator.object(BUCKET, "none").unwrap_err().kind(),
        ErrorKind::NotFound
    );
    for path in ["sliced", "whole"] {
        let stat = client.stat(path).data();
        assert_eq!(
            (&stat["filesize"], &stat["sha"]),
            (&json!(3), &json!(sha1(b"abc")))
        );
    }
    // It is an object like others, except that its content cannot be had for another path.
    fixture.emulator.set("dedupe", "bucket").unwrap();
    let init = |path: &str| client.init(path, 3, MIB, &[("sha", &sha1(b"abc"))]).data();
    assert!(init("whole")["access_url"].is_string());
    assert!(init("other")["session"].is_string());
    client.delete("whole").data();
    assert_eq!(client.stat("whole").outcome(), (404, -197));
    // Content put there by hand is content.
    std::fs::write(fixture.emulator.object_file(BUCKET, "sliced"), b"by hand").unwrap();
    assert_eq!(fixture.emulator.object(BUCKET, "sliced").unwrap(), b"by hand");
}

#[test]
fn the_switch_counts_when_an_upload_begins() {
    let fixture = start_set(&["content=discard"]);
    let client = &fixture.client;
    let file = content(HALF + 3);
    let session = client.begin("file", file.len(), HALF);
    send(client, &session, &file, 1, &[]).data();
    fixture.emulator.set("content", "keep").unwrap();
    send(client, &session, &file, 0, &[]).data();
    client.finish("file", &session, file.len(), &[]).data();
    assert_eq!(client.stat("file").data()["sha"], json!(sha1(&file)));
    assert!(fixture.emulator.object(BUCKET, "file").is_err());
    client.upload_slices("kept", &file, HALF, &[]).data();
    assert!(fixture.emulator.object(BUCKET, "kept").unwrap() == file);
}

#[test]
fn wrong_content_is_found_by_the_sha_and_by_every_running_state() {
    for wrong_state in [None, Some(0), Some(2)] {
        for position in ["content=keep", "content=discard"] {
            let fixture = start_set(&[position]);
            let client = &fixture.client;
            let file = content(4 * HALF);
            let sha = sha1(&file);
            let mut parts: Value = serde_json::from_str(&uploadparts(&file, HALF)).unwrap();
            if let Some(state) = wrong_state {
                parts[state]["datasha"] = json!("0".repeat(40));
            }
            let parts = parts.to_string();
            let begun = client
                .init(
                    "file",
                    file.len(),
                    HALF,
                    &[("sha", &sha), ("uploadparts", &parts)],
                )
                .data();
            let session = begun["session"].as_str().unwrap();
            let mut sent = file.clone();
            if wrong_state.is_none() {
                sent[3 * HALF + 5] ^= 1;
            }
            for index in [0, 2, 3, 1] {
                send(client, session, &sent, index, &[]).data();
            }
            let answer = client.finish("file", session, file.len(), &[("sha", &sha)]);
            assert_eq!(answer.outcome(), (409, -4016), "{position} {wrong_state:?}");
            let message = answer.json()["message"].as_str().unwrap().to_owned();
            let expected = wrong_state.map_or("the sha told".to_owned(), |state| {
                format!("the first {} bytes", (state + 1) * HALF)
            });
            assert!(message.contains(&expected), "{message}");
        }
    }
}

#[test]
fn a_repeated_slice_is_refused_only_where_that_needs_no_comparison() {
    for (value, expected) in [("overwrite", 0), ("refuse_different", 0), ("refuse", -4015)] {
        let fixture = start_set(&["content=discard", &format!("duplicate_slice={value}")]);
        let file = content(2 * HALF);
        let session = fixture.client.begin("file", file.len(), HALF);
        send(&fixture.client, &session, &file, 0, &[]).data();
        assert_eq!(
            send(&fixture.client, &session, &file, 0, &[]).code(),
            expected,
            "{value}"
        );
    }
}

#[test]
fn the_digest_goes_on_after_kill_9() {
    let directory = tempfile::tempdir().unwrap();
    let file = content(5 * HALF + 1);
    let sha = sha1(&file);
    let start = || {
        Process::spawn(command(directory.path()).args(["--secret-key", "secret", "--set", "content=discard"]))
    };
    let process = start();
    let parts = uploadparts(&file, HALF);
    let more = [("sha", &*sha), ("uploadparts", &*parts)];
    let begun = process.client.init("file", file.len(), HALF, &more).data();
    let session = begun["session"].as_str().unwrap();
    process.kill();
    for index in [1, 0, 4, 2, 5, 3] {
        let process = start();
        send(&process.client, session, &file, index, &[]).data();
        process.kill();
    }
    let process = start();
    process
        .client
        .finish("file", session, file.len(), &[("sha", &sha)])
        .data();
    assert_eq!(process.client.stat("file").data()["sha"], json!(sha));
}

/// The folder of the one unfinished upload.
fn upload_folder(directory: &Path) -> std::path::PathBuf {
    let mut uploads = std::fs::read_dir(directory.join("state/uploads/videos")).unwrap();
    uploads.next().unwrap().unwrap().path()
}

#[test]
fn a_kill_between_the_steps_of_one_slice_loses_nothing() {
    let fixture = start_set(&["content=discard"]);
    let client = &fixture.client;
    let file = content(3 * HALF);
    let sha = sha1(&file);
    let session = client.begin("file", file.len(), HALF);
    send(client, &session, &file, 1, &[]).data();
    send(client, &session, &file, 0, &[]).data();
    let folder = upload_folder(fixture.directory.path());
    let slice = |index: usize| folder.join(format!("slices/{:020}", index * HALF));
    // Digested, and not yet noted: the client sends it again.
    std::fs::remove_file(slice(1)).unwrap();
    assert_eq!(
        client.list("file").data()["listparts"].as_array().unwrap().len(),
        1
    );
    send(client, &session, &file, 1, &[]).data();
    // Kept because it was early, and the kill came before the digest went on.
    std::fs::write(slice(2), &file[2 * HALF..]).unwrap();
    client.finish("file", &session, file.len(), &[]).data();
    assert_eq!(client.stat("file").data()["sha"], json!(sha));
}

#[test]
fn files_v1_discards_too_and_short_and_forgotten_slices_do_no_harm() {
    let fixture = start_v1(&["content=discard"]);
    let client = &fixture.client;
    let file = content(3 * HALF);
    let sha = sha1(&file);
    let control = || {
        client
            .control("file", file.len(), &sha, &[("slice_size", "524288")])
            .data()
    };
    let session = control()["session"].as_str().unwrap().to_owned();
    let send = |offset: usize, end: usize| client.slice("file", &session, offset, &file[offset..end], &[]);
    send(0, HALF).data();
    send(HALF, HALF + 100).data();
    let rule = r#"{"operation":"v1_control","action":{"forget_slices":1}}"#;
    fixture
        .emulator
        .add_fault(cos_emulator::Fault::from_json(rule).unwrap());
    assert_eq!(control()["offset"], json!(HALF));
    // Half of it was digested before.
    send(HALF, HALF + 200).data();
    assert_eq!(control()["offset"], json!(HALF + 200));
    send(HALF + 200, 2 * HALF).data();
    assert!(send(2 * HALF, 3 * HALF).data()["access_url"].is_string());
    assert_eq!(client.stat("file").data()["sha"], json!(sha));
    let wrong = client.control("other", 3, &sha, &[]).data();
    let answer = client.slice("other", wrong["session"].as_str().unwrap(), 0, b"abc", &[]);
    assert_eq!(answer.outcome(), (409, -4016));
}
