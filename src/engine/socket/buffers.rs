//! The buffers of a connection, as the HTTP library asks for them.

use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

use crate::upload::failure::TaskFailure;

/// The output buffer, in bytes. Of 128 KiB and more glibc makes a mapping of its own, and copying files to
/// the place where that begins runs at a quarter of the speed; 64 KiB measured best.
pub const OUTPUT: usize = 64 << 10;

/// The input buffer, in bytes: replies are short.
const INPUT: usize = 4 << 10;

/// How far the input buffer may grow, which is as long as the head of an answer may be, in bytes.
pub const MAX_INPUT: usize = 64 << 10;

/// Buffers that take no memory before they are used.
#[derive(Debug, Default)]
pub struct WireBuffers {
    output: Vec<u8>,
    /// How much of the output is kept back to be sent with what follows.
    held: usize,
    /// How much of the output, from its start on, has the authorization in it.
    secret: usize,
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    has_progress: bool,
}

impl WireBuffers {
    /// The output that is due when `amount` bytes were added to it, in bytes from the start of the buffer.
    pub fn take_output(&mut self, amount: usize) -> usize {
        std::mem::take(&mut self.held) + amount
    }

    /// Keeps the first `amount` bytes of the output back.
    pub fn hold_output(&mut self, amount: usize) {
        self.held = amount;
    }

    /// Adds the `Authorization` header at the end of the head that the first `amount` bytes of the output are. Gives the bytes
    /// of both.
    pub fn add_authorization(&mut self, amount: usize, value: &str) -> Result<usize, TaskFailure> {
        let defect = |what: &str| Err(TaskFailure::Defect(format!("the head of the request {what}")));
        let Some(head) = self.output[..amount].strip_suffix(b"\r\n\r\n").map(<[u8]>::len) else {
            return defect("is not whole");
        };
        let parts: [&[u8]; 3] = [b"\r\nauthorization: ", value.as_bytes(), b"\r\n\r\n"];
        let length = head + parts.iter().map(|part| part.len()).sum::<usize>();
        let Some(mut room) = self.output.get_mut(head..length) else {
            return defect("is longer than the output buffer");
        };
        for part in parts {
            let (now, later) = room.split_at_mut(part.len());
            now.copy_from_slice(part);
            room = later;
        }
        self.secret = length;
        Ok(length)
    }

    /// Overwrites the authorization, once it has been sent or never will be.
    pub fn forget_authorization(&mut self) {
        self.output[..std::mem::take(&mut self.secret)].zeroize();
    }

    /// The output from its start on.
    pub fn output_bytes(&self) -> &[u8] {
        &self.output
    }
}

impl Drop for WireBuffers {
    fn drop(&mut self) {
        self.forget_authorization();
    }
}

impl Buffers for WireBuffers {
    fn output(&mut self) -> &mut [u8] {
        if self.output.is_empty() {
            self.output = vec![0; OUTPUT];
        }
        &mut self.output[self.held..]
    }

    fn input(&self) -> &[u8] {
        &self.input[self.consumed..self.filled]
    }

    /// Room for input, empty only where the unconsumed input is as long as it may be.
    fn input_append_buf(&mut self) -> &mut [u8] {
        if self.consumed > 0 {
            self.input.copy_within(self.consumed..self.filled, 0);
            self.filled -= self.consumed;
            self.consumed = 0;
        }
        if self.filled == self.input.len() {
            self.input.resize((2 * self.filled).clamp(INPUT, MAX_INPUT), 0);
        }
        &mut self.input[self.filled..]
    }

    /// What is new can be used: also where it came while a request was sent, and nobody had asked for it.
    fn input_appended(&mut self, amount: usize) {
        self.has_progress = amount > 0;
        self.filled += amount;
    }

    fn input_consume(&mut self, amount: usize) {
        self.has_progress = amount > 0;
        self.consumed += amount;
    }

    /// The scratch buffer is for chunked bodies alone, which are never sent.
    fn tmp_and_output(&mut self) -> (&mut [u8], &mut [u8]) {
        (&mut [], self.output())
    }

    fn can_use_input(&self) -> bool {
        self.has_progress && self.filled > self.consumed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    fn with_head(head: &[u8]) -> WireBuffers {
        let mut buffers = WireBuffers::default();
        buffers.output()[..head.len()].copy_from_slice(head);
        buffers
    }

    #[test]
    fn the_authorization_becomes_the_last_header_and_is_overwritten_when_it_is_to_be_forgotten() {
        let mut buffers = with_head(HEAD);
        let length = buffers.add_authorization(HEAD.len(), "secret").unwrap();
        let whole: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: secret\r\n\r\n";
        assert_eq!(&buffers.output_bytes()[..length], whole);
        buffers.forget_authorization();
        assert!(buffers.output_bytes()[..length].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn only_what_has_the_authorization_is_overwritten() {
        let mut buffers = with_head(HEAD);
        let length = buffers.add_authorization(HEAD.len(), "secret").unwrap();
        buffers.hold_output(length);
        buffers.output()[..4].copy_from_slice(b"body");
        let amount = buffers.take_output(4);
        buffers.forget_authorization();
        assert_eq!(&buffers.output_bytes()[length..amount], b"body");
        buffers.output()[..4].copy_from_slice(b"next");
        buffers.forget_authorization();
        assert_eq!(&buffers.output_bytes()[..4], b"next", "once is enough");
    }

    #[test]
    fn a_head_that_is_not_whole_or_leaves_no_room_is_a_defect() {
        for (head, value) in [(&HEAD[..HEAD.len() - 1], "secret"), (HEAD, &*"s".repeat(OUTPUT))] {
            let failure = with_head(head).add_authorization(head.len(), value);
            assert!(matches!(failure, Err(TaskFailure::Defect(text)) if !text.contains("ss")));
        }
    }
}
