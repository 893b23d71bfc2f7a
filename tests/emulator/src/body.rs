//! Reading a request body: capped, against a client that stalls, within a memory budget that all requests
//! share, and no further than needed.

use crate::faults::Knowledge;
use crate::form::Scanner;
use crate::operations;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

/// Permits of the memory budget are for so many bytes each.
const MEMORY_UNIT: usize = 1024;
/// The longest body: a one-shot upload of 20 MiB and the longest `uploadparts` both fit.
pub(crate) const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// The memory that all bodies share.
pub(crate) struct BodyMemory {
    semaphore: Arc<Semaphore>,
    units: u32,
}

impl BodyMemory {
    pub(crate) fn new(bytes: usize) -> BodyMemory {
        let units = u32::try_from(bytes / MEMORY_UNIT)
            .unwrap_or(u32::MAX >> 3)
            .clamp(1, u32::MAX >> 3);
        BodyMemory {
            semaphore: Arc::new(Semaphore::new(units as usize)),
            units,
        }
    }

    /// Waits for room for a body of this length; one that is larger than all there is gets all.
    async fn reserve(&self, length: usize) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(length.div_ceil(MEMORY_UNIT))
            .unwrap_or(u32::MAX)
            .min(self.units);
        self.semaphore.clone().acquire_many_owned(units).await.ok()
    }
}

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// Longer than [`BODY_LIMIT`].
    TooLarge,
    /// No byte came for too long.
    Stalled,
    /// The connection broke.
    Broken,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BodyError::TooLarge => "the body is too long",
            BodyError::Stalled => "the client stopped sending",
            BodyError::Broken => "the connection broke",
        })
    }
}

/// A body being read.
pub(crate) struct BodyReader {
    incoming: Incoming,
    buffer: BytesMut,
    ended: bool,
    stall: Duration,
    /// Bytes per second that are taken, at most.
    speed: Option<u64>,
    budget: Arc<BodyMemory>,
    memory: Option<OwnedSemaphorePermit>,
}

impl BodyReader {
    /// Nothing is read yet, so no `100 Continue` is sent yet either.
    pub(crate) fn new(incoming: Incoming, stall: Duration, budget: Arc<BodyMemory>) -> BodyReader {
        BodyReader {
            incoming,
            buffer: BytesMut::new(),
            ended: false,
            stall,
            speed: None,
            budget,
            memory: None,
        }
    }

    /// From now on takes at most so many bytes per second.
    pub(crate) fn slow_down(&mut self, bytes_per_second: u64) {
        self.speed = Some(bytes_per_second.max(1));
    }

    /// Bytes read so far.
    pub(crate) fn length(&self) -> usize {
        self.buffer.len()
    }

    /// The announced length, if any.
    pub(crate) fn announced(&self) -> Option<u64> {
        // What is announced is what is still to come and what has come.
        Some(
            self.incoming
                .size_hint()
                .exact()?
                .saturating_add(self.buffer.len() as u64),
        )
    }

    /// Takes one piece; false at the end.
    async fn more(&mut self) -> Result<bool, BodyError> {
        if self.ended {
            return Ok(false);
        }
        if self.memory.is_none() {
            self.reserve().await?;
        }
        match timeout(self.stall, self.incoming.frame()).await {
            Err(_) => return Err(BodyError::Stalled),
            Ok(Some(Err(_))) => return Err(BodyError::Broken),
            Ok(None) => self.ended = true,
            Ok(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                if self.buffer.len() + data.len() > BODY_LIMIT {
                    return Err(BodyError::TooLarge);
                }
                if let Some(speed) = self.speed {
                    sleep(Duration::from_secs_f64(data.len() as f64 / speed as f64)).await;
                }
                self.buffer.extend_from_slice(&data);
            }
        }
        Ok(!self.ended)
    }

    /// Takes the body's share of the memory before its first byte, whole, so that no two bodies wait for each
    /// other.
    async fn reserve(&mut self) -> Result<(), BodyError> {
        let length = match self.announced() {
            Some(length) => usize::try_from(length)
                .ok()
                .filter(|length| *length <= BODY_LIMIT)
                .ok_or(BodyError::TooLarge)?,
            None => BODY_LIMIT,
        };
        self.memory = Some(self.budget.reserve(length).await.ok_or(BodyError::Broken)?);
        self.buffer.reserve(self.announced().map_or(0, |_| length));
        Ok(())
    }

    /// Reads until `count` bytes are there, or the end.
    pub(crate) async fn read_to(&mut self, count: u64) -> Result<(), BodyError> {
        while (self.buffer.len() as u64) < count && self.more().await? {}
        Ok(())
    }

    /// Reads until the fields that fault rules ask for are known, or the end. A body that is no good form is
    /// read to its end: it will be refused for that later.
    pub(crate) async fn peek(&mut self, boundary: &str, need: Knowledge) -> Result<Peeked, BodyError> {
        let mut scanner = Scanner::new(boundary);
        loop {
            let more = self.more().await?;
            let broken = scanner.advance(&self.buffer).is_err();
            let text = |name| scanner.text(&self.buffer, name).map(str::to_owned);
            let peeked = Peeked {
                op: text("op"),
                has_content: scanner.has_begun("filecontent"),
                is_whole: !more,
                offset: text("offset").and_then(|text| text.parse().ok()),
            };
            let known = match need {
                Knowledge::Head => true,
                Knowledge::Operation => peeked.operation().is_some(),
                Knowledge::Offset => peeked
                    .operation()
                    .is_some_and(|name| peeked.offset.is_some() || !operations::has_offset(name)),
            };
            if known || broken || !more {
                return Ok(peeked);
            }
        }
    }

    /// Reads all of it.
    pub(crate) async fn read_all(&mut self) -> Result<(), BodyError> {
        while self.more().await? {}
        Ok(())
    }

    /// What was read.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// What was read, and its share of the memory, to be held as long as the bytes.
    pub(crate) fn into_body(self) -> (Bytes, Option<OwnedSemaphorePermit>) {
        (self.buffer.freeze(), self.memory)
    }
}

/// What was learnt from the beginning of a body.
#[derive(Debug, Default)]
pub(crate) struct Peeked {
    pub(crate) op: Option<String>,
    pub(crate) has_content: bool,
    /// Nothing more will come.
    pub(crate) is_whole: bool,
    pub(crate) offset: Option<u64>,
}

impl Peeked {
    /// The operation, if what was seen tells it: on `files/v1`, file content that may still come counts.
    pub(crate) fn operation(&self) -> Option<&str> {
        let op = self.op.as_deref()?;
        let settled = op != operations::V1_OP || self.has_content || self.is_whole;
        settled.then(|| operations::operation_name(op, self.has_content))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_files_v1_an_op_alone_tells_no_operation_until_content_or_the_end_has_come() {
        let operation = |op: &str, has_content, is_whole| {
            let peeked = Peeked {
                op: Some(op.to_owned()),
                has_content,
                is_whole,
                offset: None,
            };
            peeked.operation().map(str::to_owned)
        };
        assert_eq!(operation("upload_slice", false, false), None);
        assert_eq!(operation("upload_slice", true, false).as_deref(), Some("v1_data"));
        assert_eq!(
            operation("upload_slice", false, true).as_deref(),
            Some("v1_control")
        );
        assert_eq!(operation("upload", false, false).as_deref(), Some("upload"));
    }
}
