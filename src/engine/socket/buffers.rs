//! The buffers of a connection, as the HTTP library asks for them.

use std::io;

use memmap2::MmapMut;
use ureq::unversioned::transport::Buffers;
use zeroize::Zeroize;

use crate::engine::pages;
use crate::protocol::dialect::HiddenHead;
use crate::upload::failure::TaskFailure;

/// The output buffer, in bytes. 64 KiB measured best; it is also as much as TLS takes at once.
pub const OUTPUT: usize = 64 << 10;

/// Room behind it that is never written to, in bytes: the HTTP library counts there what the system sends of a file by itself. A
/// slice is mostly no longer, so it is counted once; by 64 KiB, counting took an eighth of the instructions of a slice.
pub const UNWRITTEN: usize = 1 << 20;

/// The input buffer, in bytes: replies are short.
const INPUT: usize = 4 << 10;

/// How far the input buffer may grow, which is as long as the head of an answer may be, in bytes.
pub const MAX_INPUT: usize = 64 << 10;

/// How a request's head ends.
const END_OF_HEAD: &[u8] = b"\r\n\r\n";

/// Buffers that take no memory before they are used.
#[derive(Debug)]
pub struct WireBuffers {
    /// Pages of the system's. Files are copied fastest to where a page begins, and a few bytes behind that, where large allocations
    /// often are, at a quarter of the speed. And what is not written to is not resident: where the system sends the files, all but
    /// the first page, which an allocator would have overwritten with zeros.
    output: MmapMut,
    /// How much of the output is kept back to be sent with what follows.
    held: usize,
    /// How much of the output, from its start on, has something secret in it.
    secret: usize,
    input: Vec<u8>,
    consumed: usize,
    filled: usize,
    has_progress: bool,
}

impl WireBuffers {
    /// Empty ones.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            output: pages::map(OUTPUT + UNWRITTEN)?,
            held: 0,
            secret: 0,
            input: Vec::new(),
            consumed: 0,
            filled: 0,
            has_progress: false,
        })
    }

    /// The output that is due when `amount` bytes were added to it, in bytes from the start of the buffer.
    pub fn take_output(&mut self, amount: usize) -> usize {
        std::mem::take(&mut self.held) + amount
    }

    /// Keeps the first `amount` bytes of the output back.
    pub fn hold_output(&mut self, amount: usize) {
        self.held = amount;
    }

    /// Adds what the HTTP library must not see to the head that the first `amount` bytes of the output are: to the query
    /// in its first line, and headers at its end. Gives the bytes of all.
    pub fn add_hidden(&mut self, amount: usize, hidden: &HiddenHead) -> Result<usize, TaskFailure> {
        let head = &self.output[..amount];
        let first_line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let target_end = first_line.iter().rposition(|byte| *byte == b' ');
        let (Some(target_end), true) = (target_end, head.ends_with(END_OF_HEAD)) else {
            return Err(TaskFailure::Defect(
                "the head of the request is not whole".to_owned(),
            ));
        };
        let separator: &[u8] = if first_line.contains(&b'?') { b"&" } else { b"?" };
        let mut length = amount;
        for (name, value) in &hidden.headers {
            let line = [b"\r\n", name.as_bytes(), b": ", value.as_bytes()];
            length = self.insert(length - END_OF_HEAD.len(), length, &line)?;
        }
        if let Some(query) = &hidden.query {
            length = self.insert(target_end, length, &[separator, query.as_bytes()])?;
        }
        Ok(length)
    }

    /// Makes room in the first `length` bytes of the output, and puts something secret there. Gives the bytes of all.
    fn insert(&mut self, at: usize, length: usize, parts: &[&[u8]]) -> Result<usize, TaskFailure> {
        let end = length + parts.iter().map(|part| part.len()).sum::<usize>();
        if end > OUTPUT {
            let text = "the head of the request is longer than the output buffer";
            return Err(TaskFailure::Defect(text.to_owned()));
        }
        self.output.copy_within(at..length, at + end - length);
        let mut room = &mut self.output[at..];
        for part in parts {
            let (now, later) = room.split_at_mut(part.len());
            now.copy_from_slice(part);
            room = later;
        }
        self.secret = end;
        Ok(end)
    }

    /// Overwrites what is secret, once it has been sent or never will be.
    pub fn forget_hidden(&mut self) {
        self.output[..std::mem::take(&mut self.secret)].zeroize();
    }

    /// What is written next.
    pub fn written_output(&mut self) -> &mut [u8] {
        &mut self.output[self.held..OUTPUT]
    }

    /// The output from its start on.
    pub fn output_bytes(&self) -> &[u8] {
        &self.output
    }
}

impl Drop for WireBuffers {
    fn drop(&mut self) {
        self.forget_hidden();
    }
}

impl Buffers for WireBuffers {
    fn output(&mut self) -> &mut [u8] {
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
    use zeroize::Zeroizing;

    use super::*;

    const HEAD: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

    fn with_head(head: &[u8]) -> WireBuffers {
        let mut buffers = WireBuffers::new().unwrap();
        buffers.output()[..head.len()].copy_from_slice(head);
        buffers
    }

    fn hidden(query: Option<&str>, headers: &[(&str, &str)]) -> HiddenHead {
        let secret = |text: &str| Zeroizing::new(text.to_owned());
        HiddenHead {
            query: query.map(secret),
            headers: headers
                .iter()
                .map(|(name, value)| ((*name).to_owned(), secret(value)))
                .collect(),
        }
    }

    fn authorization(value: &str) -> HiddenHead {
        hidden(None, &[("authorization", value)])
    }

    #[test]
    fn the_output_begins_with_a_page() {
        let mut buffers = WireBuffers::new().unwrap();
        let output = buffers.output();
        let begins_a_page = output.as_ptr().align_offset(4 << 10) == 0;
        assert_eq!((begins_a_page, output.len()), (true, OUTPUT + UNWRITTEN));
        assert_eq!(buffers.written_output().len(), OUTPUT);
    }

    #[test]
    fn headers_become_the_last_ones_and_are_overwritten_when_they_are_to_be_forgotten() {
        let mut buffers = with_head(HEAD);
        let hidden = hidden(None, &[("authorization", "secret"), ("x", "")]);
        let length = buffers.add_hidden(HEAD.len(), &hidden).unwrap();
        let whole: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\nauthorization: secret\r\nx: \r\n\r\n";
        assert_eq!(&buffers.output_bytes()[..length], whole);
        assert_eq!(length, HEAD.len() + hidden.len(), "as long as it says");
        buffers.forget_hidden();
        assert!(buffers.output_bytes()[..length].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_query_goes_behind_the_one_that_is_there_or_begins_it() {
        for (head, whole) in [
            (
                "GET /a HTTP/1.1\r\n\r\n",
                "GET /a?sign=s HTTP/1.1\r\nb: c\r\n\r\n",
            ),
            (
                "GET /a?op=stat HTTP/1.1\r\nd: ?\r\n\r\n",
                "GET /a?op=stat&sign=s HTTP/1.1\r\nd: ?\r\nb: c\r\n\r\n",
            ),
        ] {
            let mut buffers = with_head(head.as_bytes());
            let hidden = hidden(Some("sign=s"), &[("b", "c")]);
            let length = buffers.add_hidden(head.len(), &hidden).unwrap();
            assert_eq!(&buffers.output_bytes()[..length], whole.as_bytes());
            assert_eq!(length, head.len() + hidden.len(), "as long as it says");
            buffers.forget_hidden();
            assert!(buffers.output_bytes()[..length].iter().all(|byte| *byte == 0));
        }
    }

    #[test]
    fn only_what_has_the_authorization_is_overwritten() {
        let mut buffers = with_head(HEAD);
        let length = buffers.add_hidden(HEAD.len(), &authorization("secret")).unwrap();
        buffers.hold_output(length);
        buffers.output()[..4].copy_from_slice(b"body");
        let amount = buffers.take_output(4);
        buffers.forget_hidden();
        assert_eq!(&buffers.output_bytes()[length..amount], b"body");
        buffers.output()[..4].copy_from_slice(b"next");
        buffers.forget_hidden();
        assert_eq!(&buffers.output_bytes()[..4], b"next", "once is enough");
    }

    #[test]
    fn a_head_that_is_not_whole_or_leaves_no_room_is_a_defect() {
        for (head, value) in [
            (&HEAD[..HEAD.len() - 1], "secret"),
            (b"\r\n\r\n", "secret"),
            (HEAD, &*"s".repeat(OUTPUT)),
        ] {
            let failure = with_head(head).add_hidden(head.len(), &authorization(value));
            assert!(matches!(failure, Err(TaskFailure::Defect(text)) if !text.contains("ss")));
        }
    }

    #[test]
    fn what_was_added_before_there_was_no_room_is_overwritten_too() {
        let mut buffers = with_head(HEAD);
        let hidden = hidden(None, &[("a", "secret"), ("b", &"s".repeat(OUTPUT))]);
        assert!(buffers.add_hidden(HEAD.len(), &hidden).is_err());
        buffers.forget_hidden();
        let left = String::from_utf8_lossy(buffers.output_bytes()).into_owned();
        assert!(!left.contains("secret"), "{left}");
    }
}
