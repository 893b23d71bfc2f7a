//! Signatures: what the library signs, the emulator's own check accepts for exactly what it was signed for.

use std::time::Duration;

use cos_emulator::parsers::{self, Demand};
use cos_slice::protocol::location::{Location, MAX_PATH_BYTES};
use cos_slice::protocol::signature::{Kind, MAX_LIFETIME, SecretKey, sign};

use crate::input::Input;

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    match input.byte() {
        255 => any_token(input),
        kind => round_trip(kind, input),
    }
}

/// No token is accepted that the key didn't make, and none ends the check in a panic.
fn any_token(mut input: Input<'_>) {
    let now = input.number();
    let once = input.byte() % 2 == 1;
    let encoded_path = input.text();
    let token = String::from_utf8_lossy(input.rest());
    let demand = Demand {
        app_id: "200001",
        secret_id: "AKIDtest",
        // No input is going to hold an HMAC by this key: it would have to be found by trying.
        secret_key: "another key",
        encoded_path: &encoded_path,
        once,
        now,
    };
    assert!(parsers::check_signature(&token, &demand).is_err(), "{token:?}");
}

fn round_trip(kind: u8, mut input: Input<'_>) {
    let (app_id, secret_id, secret_key) = (input.text(), input.text(), input.text());
    let (bucket, path) = (input.text(), input.text());
    let (now, lifetime, random) = (input.number(), input.number(), input.number() as u32);
    let (later, flip) = (input.number(), input.number());

    let Ok(key) = SecretKey::new(&app_id, &secret_id, &secret_key) else {
        return;
    };
    let Ok(location) = Location::new(&app_id, &bucket, &path) else {
        return;
    };
    let kind = if kind % 2 == 0 {
        Kind::MultiEffect
    } else {
        Kind::OneTime
    };
    let bound = kind == Kind::OneTime || random % 2 == 0;
    let file_id = if bound { location.file_id() } else { String::new() };
    let lifetime = Duration::from_secs(lifetime);
    let token = sign(&key, location.bucket(), kind, &file_id, now, lifetime, random);
    assert!(
        !token.contains(&*secret_key) || secret_key.len() < 8,
        "{}",
        *token
    );

    let target = location.target("");
    let demand = Demand {
        app_id: &app_id,
        secret_id: &secret_id,
        secret_key: &secret_key,
        encoded_path: &target[1..],
        once: kind == Kind::OneTime,
        now,
    };
    let check = |demand: &Demand<'_>| parsers::check_signature(&token, demand);
    if !parsers::is_bucket_name(&bucket) {
        // The service has fewer names for buckets than an address has room for.
        assert!(check(&demand).is_err());
        return;
    }
    let lifetime = lifetime.clamp(Duration::from_secs(1), MAX_LIFETIME).as_secs();
    let expiry = now.saturating_add(lifetime);
    assert_eq!(check(&demand), expected(kind, now, expiry), "{}", *token);

    let then = now.saturating_add(later);
    let at = Demand { now: then, ..demand };
    assert_eq!(check(&at), expected(kind, then, expiry), "{later} s later");

    let other_kind = Demand {
        once: !demand.once,
        ..demand
    };
    assert!(check(&other_kind).is_err(), "one kind does for the other");
    let other_key = format!("{secret_key}x");
    let other_key = Demand {
        secret_key: &other_key,
        ..demand
    };
    assert!(check(&other_key).is_err(), "another key's");
    let other_path = format!("{}x", demand.encoded_path);
    let other_path = Demand {
        encoded_path: &other_path,
        ..demand
    };
    if location.path().len() < MAX_PATH_BYTES {
        assert_eq!(check(&other_path).is_err(), bound || check(&demand).is_err());
    }
    check_damage(&token, flip, &demand);
}

/// A one-time signature is always in time; a multi-effect one up to the second before its end.
fn expected(kind: Kind, now: u64, expiry: u64) -> Result<(), i64> {
    match kind {
        Kind::OneTime => Ok(()),
        Kind::MultiEffect if now < expiry => Ok(()),
        Kind::MultiEffect => Err(parsers::SIGNATURE_EXPIRED),
    }
}

/// A signature of which one character differs is not accepted.
fn check_damage(token: &str, flip: u64, demand: &Demand<'_>) {
    let mut damaged = token.as_bytes().to_vec();
    let place = (flip % damaged.len() as u64) as usize;
    damaged[place] = match damaged[place] {
        b'A' => b'B',
        _ => b'A',
    };
    let damaged = String::from_utf8(damaged).expect("letters");
    assert!(
        parsers::check_signature(&damaged, demand).is_err(),
        "{damaged} in place of {token}"
    );
}
