//! The values that a target takes from the fuzzer's bytes.

use std::borrow::Cow;

/// Bytes that are taken from front to back; where they are used up, all values are zero and empty.
pub(crate) struct Input<'a>(&'a [u8]);

/// Ends a text within an input: a byte that UTF-8 never has.
const END_OF_TEXT: u8 = 0xff;

impl<'a> Input<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number, small ones in one byte and the ends of the range in as many.
    pub fn number(&mut self) -> u64 {
        match self.byte() {
            252 => u64::from(u16::from_le_bytes(self.bytes())),
            253 => u64::from(u32::from_le_bytes(self.bytes())),
            254 => u64::from_le_bytes(self.bytes()),
            255 => u64::MAX,
            small => u64::from(small),
        }
    }

    /// As many bytes as wanted.
    pub fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        std::array::from_fn(|_| self.byte())
    }

    /// The bytes up to the next 0xff.
    pub fn piece(&mut self) -> &'a [u8] {
        let end = self.0.iter().position(|byte| *byte == END_OF_TEXT);
        let (piece, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or_default();
        piece
    }

    /// The text up to the next 0xff; what is no UTF-8 in it is replaced.
    pub fn text(&mut self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.piece())
    }

    /// All that is left.
    pub fn rest(self) -> &'a [u8] {
        self.0
    }
}
