//! Places of objects: what is accepted arrives unchanged, and can't be taken for anything else on the way.

use cos_emulator::parsers;
use cos_slice::protocol::location::{Location, MAX_PATH_BYTES};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        255 => any_target(&String::from_utf8_lossy(input.rest())),
        _ => round_trip(input),
    }
}

/// The emulator keeps every address within its bucket.
fn any_target(encoded: &str) {
    if let Ok(target) = parsers::target(encoded) {
        assert!(parsers::is_bucket_name(&target.bucket));
        let segments = target.path.split('/');
        let bad = |segment: &str| matches!(segment, "." | "..") || segment.contains('\0');
        assert!(!segments.clone().any(bad), "{target:?}");
        assert!(
            target.path.is_empty() || segments.clone().all(|segment| !segment.is_empty()),
            "{target:?}"
        );
    }
}

fn round_trip(mut input: Input<'_>) {
    let (app_id, bucket, path) = (input.text(), input.text(), input.text());
    let location = match Location::new(&app_id, &bucket, &path) {
        Ok(location) => location,
        Err(error) => {
            let named = match error.argument {
                "app_id" => &app_id,
                "bucket" => &bucket,
                "path" => &path,
                other => panic!("there is no argument {other}"),
            };
            assert!(
                error.argument != "path" || !is_plain(named),
                "{named:?} was refused: {error}"
            );
            return;
        }
    };
    let given = path.strip_prefix('/').unwrap_or(&path);
    assert_eq!(
        (location.app_id(), location.bucket(), location.path()),
        (&*app_id, &*bucket, given)
    );
    assert!((1..=MAX_PATH_BYTES).contains(&given.len()));

    let target = location.target("/files/v2");
    assert_no_syntax(&target);
    let encoded = target.strip_prefix("/files/v2/").expect("the prefix");
    assert_eq!(format!("/{encoded}"), location.file_id());
    assert_eq!(encoded.matches('/').count(), 2 + given.matches('/').count());
    match parsers::target(encoded) {
        Ok(target) => {
            let parsed = (&*target.app_id, &*target.bucket, &*target.path);
            assert_eq!(parsed, (&*app_id, &*bucket, given));
            assert!(!target.is_directory);
        }
        Err(code) => assert!(!parsers::is_bucket_name(&bucket), "refused with {code}: {target}"),
    }
}

/// Nothing in a request's target can end the line, begin a query or be decoded into something else.
fn assert_no_syntax(target: &str) {
    let mut bytes = target.bytes();
    while let Some(byte) = bytes.next() {
        let plain = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        let hex = |digit: Option<u8>| digit.is_some_and(|digit| b"0123456789ABCDEF".contains(&digit));
        let escape = byte == b'%' && hex(bytes.next()) && hex(bytes.next());
        assert!(plain || escape, "{target}");
    }
}

/// Whether a path has nothing at all that could be a reason to refuse it.
fn is_plain(path: &str) -> bool {
    let characters = path.bytes().all(|byte| byte.is_ascii_alphanumeric());
    characters && (1..=MAX_PATH_BYTES).contains(&path.len())
}
