//! MD5, for stores that check each slice by it (`datamd5`). It guards against damage, not against anybody.

use std::fmt;
use std::str::FromStr;

use md5::{Digest as _, Md5};

use super::digest::{ParseDigestError, parse_hex};

/// A finished MD5. Displays as 32 lower-case hexadecimal digits, and parses them in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Md5Digest([u8; 16]);

impl Md5Digest {
    /// The length of its text, in bytes.
    pub const HEX_LEN: u64 = 32;
}

impl fmt::Display for Md5Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl FromStr for Md5Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        parse_hex("an MD5", text).map(Self)
    }
}

/// An MD5 under way.
#[derive(Clone, Default)]
pub struct Md5Hasher(Md5);

impl Md5Hasher {
    /// Hashes more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Ends the hash.
    pub fn finish(self) -> Md5Digest {
        Md5Digest(self.0.finalize().into())
    }
}

impl fmt::Debug for Md5Hasher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Md5Hasher").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn md5_of(pieces: &[&[u8]]) -> String {
        let mut hasher = Md5Hasher::default();
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finish().to_string()
    }

    #[test]
    fn the_digests_of_rfc_1321_come_out_in_whatever_pieces() {
        assert_eq!(md5_of(&[]), "d41d8cd98f00b204e9800998ecf8427e");
        for pieces in [&[b"abc".as_slice()][..], &[b"a", b"", b"bc"]] {
            assert_eq!(md5_of(pieces), "900150983cd24fb0d6963f7d28e17f72");
        }
        assert_eq!(md5_of(&[b"message digest"]), "f96b697d7cb7938d525a2f31aaf161d0");
    }

    #[test]
    fn a_text_is_32_digits_of_either_case_or_no_md5() {
        let text = "f96b697d7cb7938d525a2f31aaf161d0";
        let digest: Md5Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.to_uppercase().parse(), Ok(digest));
        for wrong in [
            "",
            "f96b",
            &format!("{text}0"),
            &text.replace('f', "g"),
            &"é".repeat(16),
        ] {
            assert!(wrong.parse::<Md5Digest>().is_err(), "{wrong}");
        }
    }
}
