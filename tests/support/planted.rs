//! Secrets that tests plant, and the search for them.

use std::collections::HashSet;
use std::time::Duration;

use cos_emulator::Emulator;
use cos_slice::protocol::signature::{Kind, SecretKey, sign};

/// Pieces of a signature as long as this are never the same by chance, in bytes.
const TELLING: usize = 16;

/// Every signature that reached an emulator, made again from its fields with the key that it was made with.
pub fn signatures(emulator: &Emulator, key: &SecretKey, bucket: &str) -> Vec<String> {
    let requests = emulator.requests();
    let made_again = requests.iter().map(|request| {
        let field = |name: &str| {
            let found = request.signature.iter().find(|(field, _)| field == name);
            found.map(|(_, value)| value.as_str()).unwrap()
        };
        let (signed, expiry): (u64, u64) = (field("t").parse().unwrap(), field("e").parse().unwrap());
        let kind = if expiry == 0 {
            Kind::OneTime
        } else {
            Kind::MultiEffect
        };
        let lifetime = Duration::from_secs(expiry.saturating_sub(signed));
        let random = field("r").parse().unwrap();
        sign(key, bucket, kind, field("f"), signed, lifetime, random).to_string()
    });
    made_again.collect()
}

/// Looks for the secrets, and for any longer piece of the signatures.
pub fn assert_silent(text: &str, secrets: &[&str], signatures: &[String], where_it_was: &str) {
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} in {where_it_was}: {text}");
    }
    let pieces: HashSet<&[u8]> = signatures
        .iter()
        .flat_map(|signature| signature.as_bytes().windows(TELLING))
        .collect();
    let found = text
        .as_bytes()
        .windows(TELLING)
        .find(|piece| pieces.contains(piece));
    if let Some(piece) = found {
        let piece = String::from_utf8_lossy(piece);
        panic!("{piece} of a signature in {where_it_was}: {text}");
    }
}
