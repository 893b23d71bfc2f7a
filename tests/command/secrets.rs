//! What the command writes, and leaves behind: never a secret or a signature.

use std::fs;
use std::path::Path;

use cos_emulator::Fault;
use cos_slice::protocol::signature::SecretKey;

use crate::planted;
use crate::support::{BUCKET, OBJECT, SECRET, Service, content, run};

/// What a store's header and its form field hold.
const HEADER: &str = "PlantedHeader0123456789";
const FIELD: &str = "PlantedField0123456789";

/// What happens to uploads; none is what it should be.
const FAULTS: [&str; 9] = [
    r#"{"operation":"upload_slice_finish","action":{"lost_answer":true}}"#,
    r#"{"operation":"upload_slice_data","action":{"reset":"during_body"}}"#,
    r#"{"operation":"upload_slice_data","times":0,"action":{"status":403,"code":-97}}"#,
    r#"{"operation":"upload_slice_init","times":0,"action":{"status":403,"code":-59}}"#,
    r#"{"operation":"upload_slice_init","times":0,"action":{"status":400,"code":-5999}}"#,
    r#"{"operation":"upload_slice_data","times":0,"action":{"early":{"status":403,"code":-63}}}"#,
    r#"{"operation":"*","times":0,"action":{"raw":{"status":200,"body":"<html><title>Portal</title></html>"}}}"#,
    r#"{"operation":"*","times":0,"action":{"hang":"before"}}"#,
    r#"{"operation":"upload_slice_finish","times":0,"action":{"truncate":9}}"#,
];

/// All text below a folder, names included.
fn text_below(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        text += &path.display().to_string();
        if path.is_dir() {
            text += &text_below(&path);
        } else {
            text += &String::from_utf8_lossy(&fs::read(&path).unwrap());
        }
    }
    text
}

#[test]
fn neither_output_nor_files_have_a_secret_or_a_signature_however_an_upload_ends() {
    let files = std::thread::scope(|scope| {
        let searches = FAULTS.map(|fault| scope.spawn(move || search(fault)));
        searches.map(|search| search.join().unwrap())
    });
    assert!(files.iter().any(|text| text.contains("checkpoint")), "{files:?}");
}

/// Gives what is left below the user's home.
fn search(fault: &str) -> String {
    let service = Service::new();
    service.emulator.add_fault(Fault::from_json(fault).unwrap());
    let file = service.file("big.mp4", &content(2_500_000, 1));
    let home = service.folder().join("home");
    fs::create_dir(&home).unwrap();
    let mut said = String::new();
    for options in [
        &["-vv", "--deadline", "1"][..],
        &["--json", "--deadline", "1"],
        &["--quiet", "--deadline", "1", "--no-hash", "--discard-unfinished"],
        &["-vv", "--deadline", "1", "--token-place=query", "--slice-md5"],
    ] {
        let mut command = service.upload(&file, options);
        command
            .arg(format!("--header=X-Store: {HEADER}"))
            .arg(format!("--form-field=tenant={FIELD}"));
        command.env("HOME", &home).env("XDG_STATE_HOME", &home);
        let outcome = run(&mut command);
        said += &format!("{}\n{}\n", outcome.stdout, outcome.stderr);
    }
    let outcome = run(service
        .command()
        .args(["status", OBJECT, "--timeout", "1"])
        .env("HOME", &home));
    said += &format!("{}\n{}\n", outcome.stdout, outcome.stderr);

    let key = SecretKey::new("1251668577", "AKIDtest", SECRET).unwrap();
    let signatures = planted::signatures(&service.emulator, &key, BUCKET);
    assert!(signatures.len() >= 3 && said.len() > 100, "{fault}: {said}");
    planted::assert_silent(&said, &[SECRET, HEADER, FIELD], &signatures, fault);
    let files = text_below(&home);
    planted::assert_silent(&files, &[SECRET, HEADER, FIELD], &signatures, "the user's files");
    files
}
