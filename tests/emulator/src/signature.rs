//! Signatures: Base64( HMAC-SHA1(secret key, tail) || tail ), checked over the tail exactly as received.
//!
//! The tail is `name=value` pairs joined by `&`. Clients use two orders, so the fields are found by name.

use crate::codes::{self, Refusal};
use crate::switches::{ExpiredCode, FileIdScope, Switches};
use crate::target::{self, Target};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

const DIGEST_LENGTH: usize = 20;
const FIELD_NAMES: [&str; 7] = ["a", "b", "k", "e", "t", "r", "f"];

/// Which of the two kinds an operation demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SignatureKind {
    /// Any number of uses until it expires.
    Multi,
    /// `e` is 0, `f` names the object, good for one use.
    Once,
}

/// The keys that signatures are checked against.
pub(crate) struct Credentials<'a> {
    pub(crate) app_id: &'a str,
    pub(crate) secret_id: &'a str,
    pub(crate) secret_key: &'a str,
}

/// A decoded signature, not yet checked.
pub(crate) struct Signature {
    digest: Vec<u8>,
    tail: String,
}

impl Signature {
    /// Decodes Base64 and splits digest from tail.
    pub(crate) fn decode(token: &str) -> Result<Signature, Refusal> {
        let invalid = |what: &str| codes::SIGNATURE_INVALID.because(what);
        let bytes = STANDARD
            .decode(token.trim())
            .map_err(|_| invalid("the signature is not Base64"))?;
        if bytes.len() <= DIGEST_LENGTH {
            return Err(invalid("the signature is too short"));
        }
        let (digest, tail) = bytes.split_at(DIGEST_LENGTH);
        let tail = std::str::from_utf8(tail).map_err(|_| invalid("the signature's fields are not text"))?;
        Ok(Signature {
            digest: digest.to_vec(),
            tail: tail.to_owned(),
        })
    }

    /// Name and value of each field, in the order received; never the digest.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.tail
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// The digest in hex: names this signature in the record of used ones.
    pub(crate) fn identifier(&self) -> String {
        hex::encode(&self.digest)
    }

    fn field(&self, wanted: &str) -> Result<&str, Refusal> {
        let mut values = self
            .fields()
            .filter(|(name, _)| *name == wanted)
            .map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => Ok(value),
            (None, _) => {
                Err(codes::SIGNATURE_INVALID.because(format!("the signature has no field {wanted:?}")))
            }
            (Some(_), Some(_)) => {
                Err(codes::SIGNATURE_INVALID.because(format!("the signature has the field {wanted:?} twice")))
            }
        }
    }

    fn seconds(&self, name: &str) -> Result<u64, Refusal> {
        let text = self.field(name)?;
        text.parse().map_err(|_| {
            codes::SIGNATURE_INVALID.because(format!("the signature's {name} is {text:?}, not a number"))
        })
    }

    /// Checks everything but reuse. `now` is in Unix seconds.
    pub(crate) fn verify(
        &self,
        keys: &Credentials<'_>,
        target: &Target,
        kind: SignatureKind,
        switches: &Switches,
        now: u64,
    ) -> Result<(), Refusal> {
        for name in FIELD_NAMES {
            self.field(name)?;
        }
        if self.field("k")? != keys.secret_id {
            return Err(codes::SECRET_ID_UNKNOWN.because("no such SecretID"));
        }
        // HMAC takes keys of any length.
        if let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(keys.secret_key.as_bytes()) {
            mac.update(self.tail.as_bytes());
            mac.verify_slice(&self.digest).map_err(|_| {
                codes::SIGNATURE_INVALID.because("the digest is not the one of this SecretID's key")
            })?;
        }
        self.check_scope(keys, target, kind, switches)?;
        self.check_times(kind, switches, now)
    }

    fn check_scope(
        &self,
        keys: &Credentials<'_>,
        target: &Target,
        kind: SignatureKind,
        switches: &Switches,
    ) -> Result<(), Refusal> {
        let app_id = self.field("a")?;
        if app_id != target.app_id || app_id != keys.app_id {
            return Err(codes::APPID_NOT_MATCH.because(format!("signed for appid {app_id:?}")));
        }
        let bucket = self.field("b")?;
        if bucket != target.key.bucket {
            return Err(codes::BUCKET_NOT_MATCH.because(format!("signed for bucket {bucket:?}")));
        }
        let fileid = target::decode(self.field("f")?)?;
        let path = target.resource_path();
        let fits = match (kind, fileid.as_str()) {
            (SignatureKind::Once, "") => {
                return Err(
                    codes::SIGNATURE_ONCE_NO_FILEID.because("a one-time signature must name the object")
                );
            }
            (SignatureKind::Multi, "") => true,
            (SignatureKind::Multi, fileid) if switches.fileid_scope == FileIdScope::Prefix => {
                is_at_or_above(fileid, &path)
            }
            (_, fileid) => fileid == path,
        };
        if fits {
            Ok(())
        } else {
            Err(codes::FILEID_NOT_MATCH.because(format!("signed for {fileid:?}, asked for {path:?}")))
        }
    }

    fn check_times(&self, kind: SignatureKind, switches: &Switches, now: u64) -> Result<(), Refusal> {
        let (signed, expiry) = (self.seconds("t")?, self.seconds("e")?);
        if switches
            .clock_skew
            .0
            .is_some_and(|skew| signed > now.saturating_add(skew))
        {
            return Err(codes::SIGNATURE_INVALID.because(format!("signed {} s in the future", signed - now)));
        }
        match (kind, expiry) {
            (SignatureKind::Once, 0) => Ok(()),
            (SignatureKind::Once, _) => Err(codes::SIGNATURE_ONCE_HAS_EXPIRY
                .because("this operation needs a one-time signature, with e=0")),
            (SignatureKind::Multi, 0) => Err(codes::SIGNATURE_MULTI_NO_EXPIRY
                .because("this operation needs a signature with an expiry time")),
            (SignatureKind::Multi, expiry) if expiry <= now => {
                let code = match switches.expired_code {
                    ExpiredCode::New => codes::SIGNATURE_EXPIRED,
                    ExpiredCode::Old => codes::SIGNATURE_EXPIRED_OLD,
                };
                Err(code.because(format!("expired {} s ago", now - expiry)))
            }
            (SignatureKind::Multi, expiry) => {
                if expiry <= signed {
                    return Err(codes::SIGNATURE_INVALID.because("it expires before it was signed"));
                }
                match switches.signature_lifetime.0 {
                    Some(limit) if expiry - signed > limit => {
                        Err(codes::SIGNATURE_INVALID.because(format!("it lasts longer than {limit} s")))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

/// Whether `fileid` is `path` or one of the directories above it.
fn is_at_or_above(fileid: &str, path: &str) -> bool {
    match path.strip_prefix(fileid) {
        Some(rest) => rest.is_empty() || fileid.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::switches::PathNormalisation;

    const KEYS: Credentials<'_> = Credentials {
        app_id: "200001",
        secret_id: "AKIDUfLUEUigQiXqm7CVSspKJnuaiIKtxqAv",
        secret_key: "bLcPnl88WU30VY57ipRhSePfPdOfSruK",
    };
    // The signature page's worked example in both field orders, of both kinds.
    const MULTI_B_SECOND: &str = "wHgvVkXpcZ3d+G0rOkAJml3R5NdhPTIwMDAwMSZiPW5ld2J1Y2tldCZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTE0Mzc5OTU3MDQmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPQ==";
    const ONCE_B_SECOND: &str = "rUbXBVKcp4tdZKkm5wz6//DqLIdhPTIwMDAwMSZiPW5ld2J1Y2tldCZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTAmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPS8yMDAwMDEvbmV3YnVja2V0L3RlbmNlbnRfdGVzdC5qcGc=";
    const MULTI_B_LAST: &str = "vxzLR6vzMNhBMUVzMTWKUB+LMeVhPTIwMDAwMSZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTE0Mzc5OTU3MDQmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPSZiPW5ld2J1Y2tldA==";
    const ONCE_B_LAST: &str = "f11dDSuw86CR02Ko1INzsZstbRlhPTIwMDAwMSZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTAmdD0xNDM3OTk1NjQ1JnI9MTE2NjcxMDc5MiZmPS8yMDAwMDEvbmV3YnVja2V0L3RlbmNlbnRfdGVzdC5qcGcmYj1uZXdidWNrZXQ=";
    const SIGNED: u64 = 1_437_995_644;
    const EXPIRY: u64 = 1_437_995_704;

    fn target(path: &str) -> Target {
        Target::parse(path, PathNormalisation::Refuse).unwrap()
    }

    fn check(token: &str, path: &str, kind: SignatureKind, now: u64) -> Result<(), i64> {
        let checked = Signature::decode(token)
            .and_then(|signature| signature.verify(&KEYS, &target(path), kind, &Switches::default(), now));
        checked.map_err(|refusal| refusal.code.number)
    }

    /// A signature over `tail` by the key of the worked example.
    fn sign(tail: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(KEYS.secret_key.as_bytes()).unwrap();
        mac.update(tail.as_bytes());
        let mut bytes = mac.finalize().into_bytes().to_vec();
        bytes.extend_from_slice(tail.as_bytes());
        STANDARD.encode(bytes)
    }

    fn tail(expiry: u64, fileid: &str) -> String {
        format!(
            "a=200001&k={}&e={expiry}&t={SIGNED}&r=1&f={fileid}&b=newbucket",
            KEYS.secret_id
        )
    }

    #[test]
    fn the_printed_signatures_are_accepted_in_both_field_orders() {
        for token in [MULTI_B_SECOND, MULTI_B_LAST] {
            assert_eq!(
                check(token, "200001/newbucket/any/path", SignatureKind::Multi, SIGNED),
                Ok(())
            );
            assert_eq!(
                check(token, "200001/newbucket/x", SignatureKind::Multi, EXPIRY - 1),
                Ok(())
            );
            assert_eq!(
                check(token, "200001/newbucket/x", SignatureKind::Multi, EXPIRY),
                Err(-59)
            );
            assert_eq!(
                check(token, "200001/newbucket/x", SignatureKind::Once, SIGNED),
                Err(-76)
            );
        }
        for token in [ONCE_B_SECOND, ONCE_B_LAST] {
            let path = "200001/newbucket/tencent_test.jpg";
            assert_eq!(check(token, path, SignatureKind::Once, SIGNED), Ok(()));
            assert_eq!(check(token, path, SignatureKind::Multi, SIGNED), Err(-74));
            assert_eq!(
                check(token, "200001/newbucket/other", SignatureKind::Once, SIGNED),
                Err(-63)
            );
        }
    }

    #[test]
    fn a_changed_byte_anywhere_is_noticed() {
        let bytes = STANDARD.decode(MULTI_B_LAST).unwrap();
        for index in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[index] ^= 1;
            let result = check(
                &STANDARD.encode(changed),
                "200001/newbucket/x",
                SignatureKind::Multi,
                SIGNED,
            );
            assert!(matches!(result, Err(-97 | -47)), "byte {index}: {result:?}");
        }
    }

    #[test]
    fn each_wrong_field_has_its_own_code() {
        let multi = |tail: String| check(&sign(&tail), "200001/newbucket/d/x", SignatureKind::Multi, SIGNED);
        let good = tail(EXPIRY, "");
        assert_eq!(multi(good.clone()), Ok(()));
        assert_eq!(multi(good.replace("a=200001", "a=200002")), Err(-70));
        assert_eq!(multi(good.replace("newbucket", "oldbucket")), Err(-61));
        assert_eq!(multi(good.replace("k=AKID", "k=BKID")), Err(-47));
        assert_eq!(multi(good.replace("&r=1", "")), Err(-97));
        assert_eq!(multi(good.replace("&r=1", "&r=1&r=2")), Err(-97));
        assert_eq!(multi(good.replace("e=14", "e=x14")), Err(-97));
        assert_eq!(multi(tail(SIGNED + 7_776_000, "")), Ok(()));
        assert_eq!(multi(tail(SIGNED + 7_776_001, "")), Err(-97));
        let once = |tail: String| check(&sign(&tail), "200001/newbucket/d/x", SignatureKind::Once, SIGNED);
        assert_eq!(once(tail(EXPIRY, "/200001/newbucket/d/x")), Err(-73));
        assert_eq!(once(tail(0, "/200001/newbucket/d")), Err(-63));
    }

    #[test]
    fn a_fileid_covers_what_lies_below_it_up_to_a_slash() {
        let multi = |fileid: &str| {
            check(
                &sign(&tail(EXPIRY, fileid)),
                "200001/newbucket/d%20d/x",
                SignatureKind::Multi,
                SIGNED,
            )
        };
        for fileid in [
            "/200001/newbucket/d%20d/x",
            "/200001/newbucket/d%20d",
            "/200001/newbucket/d%20d/",
            "/200001/newbucket/",
        ] {
            assert_eq!(multi(fileid), Ok(()), "{fileid}");
        }
        for fileid in [
            "/200001/newbucket/d%20",
            "/200001/newbucket/d%20d/xy",
            "/200001/newbuck",
        ] {
            assert_eq!(multi(fileid), Err(-63), "{fileid}");
        }
    }

    #[test]
    fn garbage_is_an_invalid_signature() {
        for token in [
            "",
            "A",
            "!!!!",
            "AAAA",
            &STANDARD.encode([0u8; 20]),
            &STANDARD.encode([0xffu8; 40]),
        ] {
            assert_eq!(
                check(token, "200001/newbucket/x", SignatureKind::Multi, SIGNED),
                Err(-97),
                "{token:?}"
            );
        }
    }
}
