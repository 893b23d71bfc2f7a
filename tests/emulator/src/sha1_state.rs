//! SHA-1 with its running state visible.
//!
//! `uploadparts[].datasha` is no hash of a slice: it is the five chaining words of one SHA-1 over the file
//! from its start, taken at the end of the slice without padding, each word printed little-endian. Only the
//! last entry is an ordinary digest, that of the whole file. So a usual hasher is not enough; this one drives
//! the block function of the `sha1` crate itself.

use serde::{Deserialize, Serialize};
use sha1::block_api::compress;
use sha1::digest::array::Array;
use sha1::digest::typenum::U64;

const BLOCK: usize = 64;

/// A SHA-1 in progress.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub(crate) struct RunningSha1 {
    words: [u32; 5],
    /// Bytes taken so far.
    length: u64,
    /// The bytes of the block not yet full: the first `length % 64` are valid.
    pending: [u8; BLOCK],
}

/// A SHA-1 in progress, as it is written down.
#[derive(Serialize, Deserialize)]
struct Written {
    words: [u32; 5],
    length: u64,
    /// Hex digits.
    pending: String,
}

impl From<RunningSha1> for Written {
    fn from(hash: RunningSha1) -> Self {
        Written {
            words: hash.words,
            length: hash.length,
            pending: hex::encode(hash.pending),
        }
    }
}

impl TryFrom<Written> for RunningSha1 {
    type Error = hex::FromHexError;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let mut pending = [0; BLOCK];
        hex::decode_to_slice(written.pending, &mut pending)?;
        Ok(RunningSha1 {
            words: written.words,
            length: written.length,
            pending,
        })
    }
}

impl Default for RunningSha1 {
    fn default() -> Self {
        RunningSha1 {
            words: [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0],
            length: 0,
            pending: [0; BLOCK],
        }
    }
}

impl RunningSha1 {
    /// How many bytes it has taken.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    fn pending_length(&self) -> usize {
        // Less than 64, so it fits any usize.
        (self.length % 64) as usize
    }

    pub(crate) fn update(&mut self, mut bytes: &[u8]) {
        let held = self.pending_length();
        self.length += bytes.len() as u64;
        if held > 0 {
            let taken = bytes.len().min(BLOCK - held);
            self.pending[held..held + taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if held + taken < BLOCK {
                return;
            }
            compress(&mut self.words, &[self.pending]);
        }
        let (blocks, rest) = whole_blocks(bytes);
        compress(&mut self.words, blocks);
        self.pending[..rest.len()].copy_from_slice(rest);
    }

    /// The running state as 40 hex digits, each word little-endian; `None` between block boundaries, where
    /// there is none.
    pub(crate) fn state(&self) -> Option<String> {
        if self.pending_length() != 0 {
            return None;
        }
        Some(
            self.words
                .iter()
                .map(|word| hex::encode(word.to_le_bytes()))
                .collect(),
        )
    }

    /// The ordinary digest, 40 lower-case hex digits.
    pub(crate) fn digest(mut self) -> String {
        let bits = self.length.wrapping_mul(8);
        let held = self.pending_length();
        let mut tail = [0u8; 2 * BLOCK];
        tail[..held].copy_from_slice(&self.pending[..held]);
        tail[held] = 0x80;
        let end = if held < BLOCK - 8 { BLOCK } else { 2 * BLOCK };
        tail[end - 8..end].copy_from_slice(&bits.to_be_bytes());
        compress(&mut self.words, whole_blocks(&tail[..end]).0);
        self.words
            .iter()
            .map(|word| hex::encode(word.to_be_bytes()))
            .collect()
    }
}

/// `bytes` as whole blocks, and what is left over.
fn whole_blocks(bytes: &[u8]) -> (&[[u8; BLOCK]], &[u8]) {
    let (blocks, rest) = Array::<u8, U64>::slice_as_chunks(bytes);
    (Array::cast_slice_to_core(blocks), rest)
}

/// The SHA-1 of `bytes` as 40 lower-case hex digits.
pub(crate) fn sha1_hex(bytes: &[u8]) -> String {
    let mut hash = RunningSha1::default();
    hash.update(bytes);
    hash.digest()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The `datasha` list of `data` in steps of `slice`, as a client would send it.
    fn datasha(data: &[u8], slice: usize) -> Vec<String> {
        let mut hash = RunningSha1::default();
        let mut list = Vec::new();
        for piece in data.chunks(slice) {
            hash.update(piece);
            list.push(hash.state().unwrap_or_default());
        }
        list.pop();
        list.push(hash.digest());
        list
    }

    #[test]
    fn a_short_last_slice_ends_in_the_digest_of_the_file() {
        let mut data: Vec<u8> = (0..=255).collect();
        data.extend_from_slice(b"abc");
        assert_eq!(
            datasha(&data, 64),
            [
                "7b75acb9257929bc7472222e942f8706a156eacb",
                "beac2be0e7f8f112dc4d8602746b63e8e00d46aa",
                "cb5aad6d9503c04d350b7a2f7e53e52e28a281c3",
                "2dda7da58f9e9b53edf6e1de5e98cfb4cfd5821f",
                "0c0f42741e784bbe057c9f081af51316bbf5e0b9",
            ]
        );
    }

    #[test]
    fn an_exact_multiple_ends_in_the_digest_too() {
        let data: Vec<u8> = (0..=255).collect();
        assert_eq!(
            datasha(&data, 128),
            [
                "beac2be0e7f8f112dc4d8602746b63e8e00d46aa",
                "4916d6bdb7f78e6803698cab32d1586ea457dfc8"
            ]
        );
    }

    #[test]
    fn two_mebibytes_in_slices_of_half_a_mebibyte() {
        let data: Vec<u8> = (0..2 * 1_048_576u32 + 100)
            .map(|i| u8::try_from(i % 251).unwrap())
            .collect();
        assert_eq!(
            datasha(&data, 524_288),
            [
                "c06e92e6fd857cbc15287b711af2cf4128ccee65",
                "463935c7eea4ca2705d0f481ecedb31f4d0f3a96",
                "4f90ea058b31d241b2e735e604c61ecd4f60cae6",
                "657c72d675f1e792607e5c0a7405f66cbdb8c290",
                "6082b2ea5a08c73f6329be8c96202e1225a51956",
            ]
        );
    }

    #[test]
    fn the_digest_does_not_depend_on_how_the_bytes_arrive() {
        use sha1::Digest;
        let data: Vec<u8> = (0..1000u32).map(|i| u8::try_from(i % 256).unwrap()).collect();
        for length in [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000] {
            for step in [1, 7, 63, 64, 65, 1000] {
                let mut hash = RunningSha1::default();
                for piece in data[..length].chunks(step) {
                    hash.update(piece);
                    // Nor on its being written down in between.
                    let written = serde_json::to_string(&hash).unwrap();
                    hash = serde_json::from_str(&written).unwrap();
                }
                let expected = hex::encode(sha1::Sha1::digest(&data[..length]));
                assert_eq!(hash.digest(), expected, "{length} bytes in steps of {step}");
            }
        }
    }

    #[test]
    fn there_is_no_state_between_block_boundaries() {
        let mut hash = RunningSha1::default();
        hash.update(&[0; 65]);
        assert_eq!(hash.state(), None);
    }
}
