//! The service's signature: who may do what with which bucket, until when.
//!
//! A signature is the HMAC-SHA1 of a line of fields followed by that very line, in Base64 (the signature page).
//! It covers neither the request's method nor its body: whoever holds one can use it. Treat it as a secret.

use std::fmt::{self, Write};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

use super::numbers::numbered;

pub mod token;

/// The longest life of a multi-effect signature: "three months" (the signature page), taken as 90 days.
pub const MAX_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long a multi-effect signature is good for unless set: long enough for a slow slice.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(600);

numbered! {
    /// The two kinds of signature.
    #[derive(Hash, Default)]
    pub enum Kind {
        #[default]
        MultiEffect = 0, "multi_effect", "Good for any number of requests until it expires; for everything but delete.";
        OneTime = 1, "one_time", "Good for one request on one object; delete demands it.";
    }
}

numbered! {
    /// What a multi-effect signature is good for. A one-time signature is always for the object alone.
    #[derive(Default)]
    pub enum Scope {
        #[default]
        Path = 0, "path", "The object alone.";
        Directory = 1, "directory", "Everything in the object's directory, and below it.";
        Bucket = 2, "bucket", "Everything in the bucket; bound to the bucket's root.";
        Unbound = 3, "unbound", "Everything in the bucket; bound to nothing, as old clients sign.";
    }
}

impl Scope {
    /// What a signature of this scope is bound to where a request asks for the object of this file id:
    /// that, or a prefix of it that ends with a slash. The service takes prefixes for uploads (the signature page).
    pub fn bind(self, kind: Kind, file_id: &str) -> &str {
        let through = |slash: Option<usize>| slash.map_or(file_id, |slash| &file_id[..=slash]);
        match (kind, self) {
            (Kind::OneTime, _) | (_, Self::Path) => file_id,
            (_, Self::Directory) => through(file_id.rfind('/')),
            // After app id and bucket.
            (_, Self::Bucket) => through(file_id.match_indices('/').nth(2).map(|(slash, _)| slash)),
            (_, Self::Unbound) => "",
        }
    }
}

/// Checks how long multi-effect signatures are to be good for.
///
/// # Errors
///
/// Says what would be right where it is not 1 second to [`MAX_LIFETIME`].
pub fn check_lifetime(lifetime: Duration) -> Result<(), String> {
    if (Duration::from_secs(1)..=MAX_LIFETIME).contains(&lifetime) {
        return Ok(());
    }
    Err(format!(
        "signature_lifetime: {} s is not within 1 to {} seconds (90 days), which is the longest that the service takes",
        lifetime.as_secs(),
        MAX_LIFETIME.as_secs()
    ))
}

/// The account's key. Debug output shows nothing but the app id; the secret is overwritten when it is dropped.
#[derive(Clone)]
pub struct SecretKey {
    app_id: String,
    secret_id: String,
    secret_key: Zeroizing<String>,
}

/// Why three texts are no [`SecretKey`]; never shows their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretKeyError {
    /// The argument at fault: `app_id`, `secret_id` or `secret_key`.
    pub argument: &'static str,
    /// What is wrong with it, and what to do.
    pub problem: &'static str,
}

impl fmt::Display for SecretKeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.argument, self.problem)
    }
}

impl std::error::Error for SecretKeyError {}

impl SecretKey {
    /// The key of an account.
    ///
    /// # Errors
    ///
    /// Names the argument that is empty or has characters that no key has; a secret id with `&` could otherwise
    /// forge fields of the signature.
    pub fn new(app_id: &str, secret_id: &str, secret_key: &str) -> Result<Self, SecretKeyError> {
        let refuse = |argument, problem| Err(SecretKeyError { argument, problem });
        if app_id.is_empty() || !app_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return refuse("app_id", "an app id is decimal digits; give the account's");
        }
        for (argument, text) in [("secret_id", secret_id), ("secret_key", secret_key)] {
            if text.is_empty() {
                return refuse(argument, "it is empty; give the account's");
            }
            if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return refuse(
                    argument,
                    "it has a space, a line end or a character that no key has; check it",
                );
            }
        }
        if secret_id.contains(['&', '=']) {
            return refuse("secret_id", "it has '&' or '=', which no secret id has; check it");
        }
        let secret_key = Zeroizing::new(secret_key.to_owned());
        Ok(Self {
            app_id: app_id.to_owned(),
            secret_id: secret_id.to_owned(),
            secret_key,
        })
    }

    /// The account's app id, decimal digits.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("SecretKey")
            .field("app_id", &self.app_id)
            .finish_non_exhaustive()
    }
}

/// The value of the `Authorization` header.
///
/// `file_id` is [`Location::file_id`](super::location::Location::file_id), or empty for a signature that is bound
/// to no object; a one-time signature needs one. `lifetime` is for multi-effect signatures and is brought between
/// one second and [`MAX_LIFETIME`]. `random` makes signatures of the same second differ.
pub fn sign(
    key: &SecretKey,
    bucket: &str,
    kind: Kind,
    file_id: &str,
    now_unix_seconds: u64,
    lifetime: Duration,
    random: u32,
) -> Zeroizing<String> {
    let expiry = match kind {
        Kind::MultiEffect => {
            let lifetime = lifetime.clamp(Duration::from_secs(1), MAX_LIFETIME);
            now_unix_seconds.saturating_add(lifetime.as_secs())
        }
        Kind::OneTime => 0,
    };
    let SecretKey {
        app_id,
        secret_id,
        secret_key,
    } = key;
    // The order of most clients in use; the service takes any.
    let mut fields =
        String::with_capacity(app_id.len() + secret_id.len() + file_id.len() + bucket.len() + 64);
    write!(
        fields,
        "a={app_id}&k={secret_id}&e={expiry}&t={now_unix_seconds}&r={random}&f={file_id}&b={bucket}"
    )
    .expect("a String takes any text");
    seal(secret_key.as_bytes(), &fields)
}

/// Base64 of the fields' HMAC-SHA1 and the fields.
fn seal(secret_key: &[u8], fields: &str) -> Zeroizing<String> {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret_key).expect("HMAC takes a key of any length");
    mac.update(fields.as_bytes());
    let mac = mac.finalize().into_bytes();
    let mut sealed = Zeroizing::new(Vec::with_capacity(mac.len() + fields.len()));
    sealed.extend_from_slice(&mac);
    sealed.extend_from_slice(fields.as_bytes());
    Zeroizing::new(STANDARD.encode(&*sealed))
}

#[cfg(test)]
mod tests {
    use super::*;

    // The key of the signature page's worked example.
    const SECRET_ID: &str = "AKIDUfLUEUigQiXqm7CVSspKJnuaiIKtxqAv";
    const SECRET_KEY: &str = "bLcPnl88WU30VY57ipRhSePfPdOfSruK";
    const FILE_ID: &str = "/200001/newbucket/tencent_test.jpg";

    fn key() -> SecretKey {
        SecretKey::new("200001", SECRET_ID, SECRET_KEY).unwrap()
    }

    fn signed(kind: Kind, file_id: &str, now: u64, seconds: u64, random: u32) -> Zeroizing<String> {
        sign(
            &key(),
            "newbucket",
            kind,
            file_id,
            now,
            Duration::from_secs(seconds),
            random,
        )
    }

    fn fields(signature: &str) -> String {
        String::from_utf8(STANDARD.decode(signature).unwrap().split_off(20)).unwrap()
    }

    #[test]
    fn the_multi_effect_signature_of_the_signature_page_comes_out() {
        assert_eq!(
            *signed(Kind::MultiEffect, "", 1437995644, 60, 2081660421),
            "vxzLR6vzMNhBMUVzMTWKUB+LMeVhPTIwMDAwMSZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTE0Mzc5OTU3\
             MDQmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPSZiPW5ld2J1Y2tldA=="
        );
    }

    #[test]
    fn the_one_time_signature_of_the_signature_page_comes_out() {
        assert_eq!(
            *signed(Kind::OneTime, FILE_ID, 1437995645, 60, 1166710792),
            "f11dDSuw86CR02Ko1INzsZstbRlhPTIwMDAwMSZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTAmdD0xNDM3\
             OTk1NjQ1JnI9MTE2NjcxMDc5MiZmPS8yMDAwMDEvbmV3YnVja2V0L3RlbmNlbnRfdGVzdC5qcGcmYj1uZXdidWNrZXQ="
        );
    }

    #[test]
    fn the_same_signatures_with_the_bucket_second_come_out() {
        let multi_effect =
            format!("a=200001&b=newbucket&k={SECRET_ID}&e=1437995704&t=1437995644&r=2081660421&f=");
        assert_eq!(
            *seal(SECRET_KEY.as_bytes(), &multi_effect),
            "wHgvVkXpcZ3d+G0rOkAJml3R5NdhPTIwMDAwMSZiPW5ld2J1Y2tldCZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFB\
             diZlPTE0Mzc5OTU3MDQmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPQ=="
        );
        let one_time =
            format!("a=200001&b=newbucket&k={SECRET_ID}&e=0&t=1437995644&r=2081660421&f={FILE_ID}");
        assert_eq!(
            *seal(SECRET_KEY.as_bytes(), &one_time),
            "rUbXBVKcp4tdZKkm5wz6//DqLIdhPTIwMDAwMSZiPW5ld2J1Y2tldCZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFB\
             diZlPTAmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPS8yMDAwMDEvbmV3YnVja2V0L3RlbmNlbnRfdGVzdC5qcGc="
        );
    }

    #[test]
    fn a_multi_effect_signature_lives_at_least_a_second_and_at_most_ninety_days() {
        assert!(fields(&signed(Kind::MultiEffect, "", 1000, 0, 1)).contains("&e=1001&t=1000&"));
        assert!(fields(&signed(Kind::MultiEffect, "", 1000, u64::MAX, 1)).contains("&e=7777000&t=1000&"));
        assert!(fields(&signed(Kind::MultiEffect, "", u64::MAX, 60, 1)).contains("&e=18446744073709551615&"));
    }

    #[test]
    fn a_scope_is_the_object_a_prefix_up_to_a_slash_or_nothing() {
        let bound = |file_id| {
            Scope::ALL
                .iter()
                .map(move |scope| scope.bind(Kind::MultiEffect, file_id))
        };
        let of = |file_id| bound(file_id).collect::<Vec<_>>();
        assert_eq!(
            of("/1/b/a%20a/c/d.mp4"),
            ["/1/b/a%20a/c/d.mp4", "/1/b/a%20a/c/", "/1/b/", ""]
        );
        assert_eq!(of("/1/b/d.mp4"), ["/1/b/d.mp4", "/1/b/", "/1/b/", ""]);
        // A directory's own.
        assert_eq!(of("/1/b/a/"), ["/1/b/a/", "/1/b/a/", "/1/b/", ""]);
        for scope in Scope::ALL {
            assert_eq!(scope.bind(Kind::OneTime, "/1/b/a/d"), "/1/b/a/d", "{scope:?}");
        }
    }

    #[test]
    fn a_lifetime_is_a_second_to_ninety_days() {
        let days = |days: u64| Duration::from_secs(days * 86_400);
        for lifetime in [Duration::from_secs(1), DEFAULT_LIFETIME, days(90)] {
            assert_eq!(check_lifetime(lifetime), Ok(()));
        }
        for lifetime in [Duration::ZERO, days(90) + Duration::from_secs(1), Duration::MAX] {
            let problem = check_lifetime(lifetime).unwrap_err();
            assert!(problem.contains("1 to 7776000 seconds (90 days)"), "{problem}");
        }
    }

    #[test]
    fn a_key_that_could_break_a_signature_is_refused_by_the_argument_s_name() {
        let argument = |app_id, id, key| SecretKey::new(app_id, id, key).unwrap_err().argument;
        assert_eq!(argument("", "id", "key"), "app_id");
        assert_eq!(argument("1&b=other", "id", "key"), "app_id");
        for id in ["", "a&b=other", "a=b", "a b", "a\n", "\u{e9}"] {
            assert_eq!(argument("1", id, "key"), "secret_id", "{id:?}");
        }
        for key in ["", "secret\n", "sec ret", "\u{e9}"] {
            assert_eq!(argument("1", "id", key), "secret_key", "{key:?}");
        }
    }

    #[test]
    fn neither_debug_output_nor_errors_show_the_key() {
        let shown = format!(
            "{:?} {:?}",
            key(),
            SecretKey::new("1", "id", "my secret").unwrap_err()
        );
        assert!(
            !shown.contains(SECRET_KEY) && !shown.contains(SECRET_ID) && !shown.contains("my secret"),
            "{shown}"
        );
        assert!(
            shown.starts_with(r#"SecretKey { app_id: "200001", .. }"#),
            "{shown}"
        );
    }

    #[test]
    fn a_key_tells_its_account_and_a_refused_one_what_to_do() {
        assert_eq!(key().app_id(), "200001");
        let error = SecretKey::new("1", "id", "").unwrap_err();
        assert_eq!(error.to_string(), "secret_key: it is empty; give the account's");
    }
}
