//! SHA-1 over a stream: the digest of the whole, and the running states that `uploadparts` wants.
//!
//! The service's `datasha` is no digest of a slice. It is the five chaining words of the one SHA-1 that runs over
//! the whole object, as they stand at the slice's end, neither padded nor finished, each word printed with its
//! lowest byte first. Only the last entry is an ordinary digest: that of the whole object. No page says so; the
//! service's own client libraries agree on it.

use std::fmt;
use std::str::FromStr;

use sha1::block_api::compress;
use sha1::digest::array::Array;
use sha1::digest::typenum::U64;

/// SHA-1 works on blocks of this many bytes.
const BLOCK: usize = 64;

/// The chaining words before the first block (FIPS 180-4, 5.3.1).
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// A finished SHA-1. Displays as 40 lower-case hexadecimal digits, and parses them in either case.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sha1Digest([u8; 20]);

/// The text has not as many hexadecimal digits as the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseDigestError {
    name: &'static str,
    digits: usize,
}

impl Sha1Digest {
    /// How many characters it is printed with.
    pub const HEX_LEN: u64 = 40;

    /// The digest of these 20 bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The digest's 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for Sha1Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha1Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Sha1Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        parse_hex("a SHA-1", text).map(Self)
    }
}

/// The bytes that two hexadecimal digits each, of either case, stand for.
pub(super) fn parse_hex<const BYTES: usize>(
    name: &'static str,
    text: &str,
) -> Result<[u8; BYTES], ParseDigestError> {
    let digits = 2 * BYTES;
    let wrong = ParseDigestError { name, digits };
    let text = text.as_bytes();
    if text.len() != digits {
        return Err(wrong);
    }
    let mut bytes = [0; BYTES];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (Some(high), Some(low)) = (hex_digit(digits[0]), hex_digit(digits[1])) else {
            return Err(wrong);
        };
        *byte = high << 4 | low;
    }
    Ok(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

impl fmt::Display for ParseDigestError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, digits } = self;
        write!(out, "not {name}: {digits} hexadecimal digits are expected")
    }
}

impl std::error::Error for ParseDigestError {}

/// A SHA-1 under way, which notes its running state at each multiple of the granularity.
#[derive(Clone)]
pub struct Hasher {
    words: [u32; 5],
    /// The bytes after the last whole block; `position % 64` of them count.
    carry: [u8; BLOCK],
    position: u64,
    granularity: u64,
    states: Vec<[u8; 20]>,
}

impl Hasher {
    /// A hasher at position 0. `granularity` is the length, in bytes, of the parts that `uploadparts` will list.
    ///
    /// # Panics
    ///
    /// When the granularity is not a positive multiple of 64: between blocks only has SHA-1 a running state.
    pub fn new(granularity: u64) -> Self {
        assert!(
            granularity > 0 && granularity % BLOCK as u64 == 0,
            "granularity {granularity} is not whole blocks"
        );
        Self {
            words: INITIAL,
            carry: [0; BLOCK],
            position: 0,
            granularity,
            states: Vec::new(),
        }
    }

    /// How many bytes have been hashed.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Hashes more bytes. Whole blocks are read where they lie; only what is left of a block is copied.
    pub fn update(&mut self, mut data: &[u8]) {
        let carried = self.carried();
        if carried > 0 {
            let (head, rest) = data.split_at(data.len().min(BLOCK - carried));
            self.carry[carried..carried + head.len()].copy_from_slice(head);
            self.position += head.len() as u64;
            data = rest;
            if self.carried() == 0 {
                compress(&mut self.words, &[self.carry]);
                self.note_boundary();
            }
        }
        // Not empty only where the carry is: it was filled, or took all there was.
        let (blocks, tail) = Array::<u8, U64>::slice_as_chunks(data);
        self.compress_blocks(Array::cast_slice_to_core(blocks));
        if !tail.is_empty() {
            self.carry[..tail.len()].copy_from_slice(tail);
            self.position += tail.len() as u64;
        }
    }

    /// Ends the hash.
    pub fn finish(mut self) -> Digests {
        let size = self.position;
        // The last part is listed with the digest of the whole, also where it is a full one.
        if size % self.granularity == 0 {
            self.states.pop();
        }
        let carried = self.carried();
        let mut end = [[0; BLOCK]; 2];
        end[0][..carried].copy_from_slice(&self.carry[..carried]);
        end[0][carried] = 0x80;
        // The length takes the last eight bytes of a block, after at least the byte 0x80.
        let blocks = if carried < BLOCK - 8 { 1 } else { 2 };
        end[blocks - 1][BLOCK - 8..].copy_from_slice(&size.wrapping_mul(8).to_be_bytes());
        compress(&mut self.words, &end[..blocks]);
        let whole = Sha1Digest(words_to_bytes(&self.words, u32::to_be_bytes));
        Digests {
            size,
            granularity: self.granularity,
            states: self.states,
            whole,
        }
    }

    fn carried(&self) -> usize {
        (self.position % BLOCK as u64) as usize
    }

    /// Compresses whole blocks, stopping at each boundary to note the state.
    fn compress_blocks(&mut self, mut blocks: &[[u8; BLOCK]]) {
        while !blocks.is_empty() {
            let to_boundary = (self.granularity - self.position % self.granularity) / BLOCK as u64;
            let count = usize::try_from(to_boundary)
                .unwrap_or(usize::MAX)
                .min(blocks.len());
            let (now, rest) = blocks.split_at(count);
            compress(&mut self.words, now);
            self.position += now.as_flattened().len() as u64;
            self.note_boundary();
            blocks = rest;
        }
    }

    fn note_boundary(&mut self) {
        if self.position % self.granularity == 0 {
            self.states.push(words_to_bytes(&self.words, u32::to_le_bytes));
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Hasher");
        out.field("position", &self.position)
            .field("granularity", &self.granularity)
            .finish_non_exhaustive()
    }
}

fn words_to_bytes(words: &[u32; 5], to_bytes: fn(u32) -> [u8; 4]) -> [u8; 20] {
    let mut bytes = [0; 20];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&to_bytes(*word));
    }
    bytes
}

/// The digests of a whole object: its SHA-1, and the running state at the end of each part but the last.
///
/// Memory is 20 bytes a part.
#[derive(Clone, PartialEq, Eq)]
pub struct Digests {
    size: u64,
    granularity: u64,
    states: Vec<[u8; 20]>,
    whole: Sha1Digest,
}

impl Digests {
    /// Digests that were kept elsewhere. `None` where the numbers don't belong together: the granularity must be a
    /// positive multiple of 64, and there is one state for each part but the last.
    pub fn from_parts(size: u64, granularity: u64, states: Vec<[u8; 20]>, whole: Sha1Digest) -> Option<Self> {
        let blocks = granularity > 0 && granularity % BLOCK as u64 == 0;
        let fits = blocks && states.len() as u64 == size.div_ceil(granularity).saturating_sub(1);
        fits.then_some(Self {
            size,
            granularity,
            states,
            whole,
        })
    }

    /// The digests of an object that is a single part, which has no running state before its end.
    pub fn of_one_part(size: u64, whole: Sha1Digest) -> Self {
        Self {
            size,
            granularity: size.max(1).next_multiple_of(BLOCK as u64),
            states: Vec::new(),
            whole,
        }
    }

    /// The object's size in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The length of every part but the last, in bytes.
    pub fn granularity(&self) -> u64 {
        self.granularity
    }

    /// The running states, one for each part but the last, as `uploadparts` prints them.
    pub fn states(&self) -> &[[u8; 20]] {
        &self.states
    }

    /// The SHA-1 of the whole object.
    pub fn whole(&self) -> Sha1Digest {
        self.whole
    }

    /// How many texts [`upload_part`](Self::upload_part) has: one a part, and one for an object without bytes.
    pub fn part_count(&self) -> usize {
        self.states.len() + 1
    }

    /// The piece of the `uploadparts` array that belongs to a part, with its share of the punctuation: all pieces
    /// one after another are the array as compact JSON. For an object without bytes the only piece is `[]`; past
    /// the last part it is empty.
    pub fn upload_part(&self, index: usize) -> String {
        let (Some((offset, length)), Some(sha)) = (self.part(index), self.part_sha(index)) else {
            return String::new();
        };
        if self.size == 0 {
            return "[]".to_owned();
        }
        let open = if index == 0 { "[" } else { "," };
        let close = if index == self.states.len() { "]" } else { "" };
        format!("{open}{{\"offset\":{offset},\"datalen\":{length},\"datasha\":\"{sha}\"}}{close}")
    }

    /// The length of the whole `uploadparts` array, in bytes.
    pub fn upload_parts_len(&self) -> u64 {
        if self.size == 0 {
            return 2;
        }
        // Everything but the two numbers has the same length in each entry; each has one bracket or comma before
        // it, and the last one a bracket after it.
        let fixed = "{\"offset\":,\"datalen\":,\"datasha\":\"\"}".len() as u64 + 40 + 1;
        let parts = (0..self.part_count()).filter_map(|index| self.part(index));
        parts
            .map(|(offset, length)| fixed + decimal_digits(offset) + decimal_digits(length))
            .sum::<u64>()
            + 1
    }

    /// A part's offset and length, in bytes.
    fn part(&self, index: usize) -> Option<(u64, u64)> {
        if index > self.states.len() {
            return None;
        }
        let offset = (index as u64).checked_mul(self.granularity)?;
        Some((offset, self.size.checked_sub(offset)?.min(self.granularity)))
    }

    fn part_sha(&self, index: usize) -> Option<Sha1Digest> {
        match self.states.get(index) {
            Some(state) => Some(Sha1Digest(*state)),
            None => (index == self.states.len()).then_some(self.whole),
        }
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = out.debug_struct("Digests");
        out.field("size", &self.size)
            .field("granularity", &self.granularity)
            .field("whole", &self.whole);
        out.finish_non_exhaustive()
    }
}

fn decimal_digits(number: u64) -> u64 {
    u64::from(number.checked_ilog10().unwrap_or(0)) + 1
}
