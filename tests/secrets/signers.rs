//! The same for strings that others made: a fixed one, and those of a callback.

use cos_slice::engine::signer::{self, Sign, SignRequest, Signer};
use cos_slice::protocol::signature::{Kind, Scope};
use zeroize::Zeroizing;

use super::*;

const PATH: &str = "some/path";

/// A string that is no signature of the service, as stores of other habits may have them.
const AUTHORIZATION: &str = "PlantedAuthorization0123456789abcdef";

/// A callback that signs, or gives the planted string.
struct AppServer {
    is_good: bool,
}

impl Sign for AppServer {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        match self.is_good {
            true => signer::sign(&key(), Scope::Path, request).map_err(|error| error.to_string()),
            false => Ok(Zeroizing::new(AUTHORIZATION.to_owned())),
        }
    }
}

fn good_signers() -> [Signer; 2] {
    let request = SignRequest {
        operation: "",
        app_id: APP_ID,
        bucket: BUCKET,
        path: PATH,
        kind: Kind::MultiEffect,
        lifetime: Duration::from_secs(600),
    };
    let made = signer::sign(&key(), Scope::Path, &request).unwrap();
    let callback = Arc::new(AppServer { is_good: true });
    [
        Signer::fixed(APP_ID, &made).unwrap(),
        Signer::callback(APP_ID, callback).unwrap(),
    ]
}

fn planted_signers() -> [Signer; 2] {
    let callback = Arc::new(AppServer { is_good: false });
    [
        Signer::fixed(APP_ID, AUTHORIZATION).unwrap(),
        Signer::callback(APP_ID, callback).unwrap(),
    ]
}

fn all_signers() -> impl Iterator<Item = Signer> {
    good_signers().into_iter().chain(planted_signers())
}

fn config_of(endpoint: &str, signer: Signer) -> ClientConfig {
    ClientConfig {
        signer,
        ..config(endpoint)
    }
}

fn assert_silent(text: &str, signatures: &[String], where_it_was: &str) {
    super::assert_silent(text, signatures, where_it_was);
    assert!(!text.contains(AUTHORIZATION), "in {where_it_was}: {text}");
}

#[test]
fn no_record_and_no_result_has_a_string_that_others_made() {
    let _alone = alone();
    let stage = Stage::new();
    let mut texts = Vec::new();
    for fault in [
        r#"{"operation":"upload_slice_data","action":{"reset":"during_body"}}"#,
        r#"{"operation":"upload_slice_init","times":0,"action":{"status":403,"code":-97}}"#,
        r#"{"operation":"upload_slice_init","times":0,"action":{"early":{"status":403,"code":-63}}}"#,
    ] {
        for signer in good_signers() {
            stage.emulator.add_fault(Fault::from_json(fault).unwrap());
            texts.push(words(upload(
                config_of(&stage.emulator.endpoint(), signer),
                three_slices(),
            )));
            stage.emulator.clear_faults();
        }
    }
    let signatures = stage.signatures();
    assert!(signatures.len() >= 12, "{} requests", signatures.len());
    let stage = Stage::new();
    for signer in planted_signers() {
        let error = upload(config_of(&stage.emulator.endpoint(), signer), three_slices()).unwrap_err();
        assert_eq!(error.server_code, Some(-97), "{error}");
        texts.push(words(Err(error)));
    }
    texts.extend(logged());
    texts.push(entries());
    for text in texts {
        assert_silent(&text, &signatures, "a result or the log");
    }
}

#[test]
fn no_error_has_a_string_that_others_made_though_the_server_says_it() {
    let _alone = alone();
    let answers: [fn(&str, &str) -> String; 3] = [
        |head, _| with_length("400 Bad Request", "", head),
        |_, value| {
            let body = format!(r#"{{"code":-97,"message":"bad header {value}","request_id":"{value}"}}"#);
            with_length("403 Forbidden", "", &body)
        },
        |_, value| format!("HTTP/1.1 200 OK\r\n{value}\r\n\r\n"),
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        for signer in all_signers() {
            let (address, seen) = echoing(answer);
            let name = format!("error {number} of {signer:?}");
            let result = upload(config_of(&format!("http://{address}"), signer), three_slices());
            let error = result.expect_err("no answer of these is a success");
            let sent = seen.lock().unwrap().clone();
            let is_signed = |sent: &String| sent.len() > 100 || sent == AUTHORIZATION;
            assert!(sent.iter().any(is_signed), "{name}: it was sent");
            assert_silent(&words(Err(error)), &sent, &name);
            assert_silent(&entries(), &sent, &format!("the log of {name}"));
        }
    }
}

#[test]
fn no_type_and_no_checkpoint_has_a_string_that_others_made() {
    let _alone = alone();
    let stage = Stage::new();
    let fault = r#"{"operation":"upload_slice_data","nth":2,"times":0,"action":{"status":400,"code":-5999}}"#;
    stage.emulator.add_fault(Fault::from_json(fault).unwrap());
    for signer in good_signers() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![7; 3 << 20]).unwrap();
        let mut config = config_of(&stage.emulator.endpoint(), signer);
        config.checkpoint_dir = Some(folder.path().join("checkpoints"));
        let upload = Client::new(config).unwrap().upload(BUCKET, PATH).unwrap();
        upload.set_file(&file).unwrap();
        upload.run(None).unwrap_err();
        let mut kept = 0;
        for entry in std::fs::read_dir(folder.path().join("checkpoints")).unwrap() {
            let path = entry.unwrap().path();
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_silent(&text, &stage.signatures(), &path.display().to_string());
            kept += text.len();
        }
        assert!(kept > 100, "{kept} bytes are kept");
    }
    for signer in all_signers() {
        let shown = format!(
            "{signer:?} {:?}",
            config_of(&stage.emulator.endpoint(), signer.clone())
        );
        assert!(shown.contains(APP_ID), "{shown}");
        assert_silent(&shown, &stage.signatures(), "a signer");
    }
    for wrong in [format!("{AUTHORIZATION}\n"), AUTHORIZATION.repeat(300)] {
        let error = Signer::fixed(APP_ID, &wrong).unwrap_err();
        assert_silent(&format!("{error} {error:?}"), &[], "a fixed string's error");
    }
}
