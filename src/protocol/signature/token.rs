//! Signatures that others made: what can be read off them, and what no request can carry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// The HMAC-SHA1 before the fields, in bytes.
const DIGEST_LENGTH: usize = 20;

/// The longest authorization string that is taken, in bytes: a signature for the longest path has 3,700, and servers take no
/// longer headers.
pub const MAX_LENGTH: usize = 8 << 10;

/// When a multi-effect signature is good, by its own account, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// When it was made; `None` where it does not say.
    pub signed: Option<u64>,
    /// When it expires.
    pub expiry: u64,
}

/// What a signature says of its times; `None` where it is of one use, or of another form than the service's own, which only
/// whoever made it can read.
pub fn times(signature: &str) -> Option<Times> {
    // A store's dialect may have it begin with a word.
    let signature = signature.rsplit(' ').next()?;
    let decoded = Zeroizing::new(STANDARD.decode(signature).ok()?);
    let fields = std::str::from_utf8(decoded.get(DIGEST_LENGTH..)?).ok()?;
    let number = |wanted| {
        let mut pairs = fields.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == wanted)?;
        value.parse::<u64>().ok()
    };
    let expiry = number("e").filter(|expiry| *expiry > 0)?;
    Some(Times {
        signed: number("t"),
        expiry,
    })
}

/// Checks that a text can be sent as an authorization.
///
/// # Errors
///
/// What is wrong with it, and never a character of it.
pub fn check(authorization: &str) -> Result<(), String> {
    if authorization.is_empty() {
        return Err("it is empty".to_owned());
    }
    if authorization.len() > MAX_LENGTH {
        return Err(format!(
            "it has {} bytes, and no authorization has more than {MAX_LENGTH}",
            authorization.len()
        ));
    }
    let is_wrong = |byte: u8| !(byte.is_ascii_graphic() || byte == b' ');
    if let Some(position) = authorization.bytes().position(is_wrong) {
        let what = match authorization.as_bytes()[position] {
            b'\r' | b'\n' => "a line end",
            _ => "a character that no authorization has",
        };
        return Err(format!("it has {what} at byte {position}"));
    }
    if authorization.starts_with(' ') || authorization.ends_with(' ') {
        return Err("it begins or ends with a space".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Kind, MAX_LIFETIME, SecretKey, sign};
    use super::*;
    use crate::protocol::location::{Location, MAX_PATH_BYTES};

    fn encoded(fields: &str) -> String {
        STANDARD.encode([&[7; DIGEST_LENGTH], fields.as_bytes()].concat())
    }

    #[test]
    fn the_times_are_read_in_any_order_of_fields() {
        let times_of = |fields| times(&encoded(fields)).map(|times| (times.signed, times.expiry));
        assert_eq!(
            times_of("a=1&k=x&e=1600&t=1000&r=1&f=&b=b"),
            Some((Some(1000), 1600))
        );
        assert_eq!(times_of("t=1000&e=1600"), Some((Some(1000), 1600)));
        assert_eq!(times_of("e=1600"), Some((None, 1600)));
        assert_eq!(times_of("e=0&t=1000"), None, "of one use");
        assert_eq!(times_of("t=1000"), None);
        assert_eq!(times_of("e=soon&t=1000"), None);
    }

    #[test]
    fn a_word_before_a_signature_does_not_hide_its_times() {
        let text = format!("COS {}", encoded("e=1600&t=1000"));
        assert_eq!(times(&text).map(|times| times.expiry), Some(1600));
    }

    #[test]
    fn nothing_is_read_off_what_is_no_signature_of_the_service() {
        for text in ["", "word", "AAAA", "!!", "e=1600", &STANDARD.encode([0xff; 60])] {
            assert_eq!(times(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_longest_signature_of_ones_own_can_be_sent() {
        let path = "\u{4e2d}".repeat(MAX_PATH_BYTES / 3);
        let location = Location::new("12345678901", &"b".repeat(60), &path).unwrap();
        let key = SecretKey::new("12345678901", &"i".repeat(60), "key").unwrap();
        let signature = sign(
            &key,
            location.bucket(),
            Kind::MultiEffect,
            &location.file_id(),
            u64::MAX / 2,
            Duration::MAX,
            u32::MAX,
        );
        assert_eq!(check(&signature), Ok(()));
        let lifetime = times(&signature).map(|times| times.expiry - times.signed.unwrap());
        assert_eq!(lifetime, Some(MAX_LIFETIME.as_secs()));
    }

    #[test]
    fn what_no_request_can_carry_is_refused_and_not_shown() {
        assert_eq!(check("a"), Ok(()));
        assert_eq!(check("word token=="), Ok(()));
        assert_eq!(check(&"x".repeat(MAX_LENGTH)), Ok(()));
        let long = "x".repeat(MAX_LENGTH + 1);
        for (text, problem) in [
            ("", "it is empty"),
            (
                &long,
                "it has 8193 bytes, and no authorization has more than 8192",
            ),
            ("secret\n", "it has a line end at byte 6"),
            ("secret\r\nX: y", "it has a line end at byte 6"),
            (
                "sec\tret",
                "it has a character that no authorization has at byte 3",
            ),
            (
                "sec\u{e9}",
                "it has a character that no authorization has at byte 3",
            ),
            ("\0", "it has a character that no authorization has at byte 0"),
            (" secret", "it begins or ends with a space"),
            ("secret ", "it begins or ends with a space"),
        ] {
            assert_eq!(check(text), Err(problem.to_owned()));
        }
    }
}
