//! The record of every API request, bounded in number and in bytes.

use crate::store::lock;
use serde::Serialize;
use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The oldest records go when all together hold more text than this.
const BYTE_LIMIT: usize = 64 * 1024 * 1024;

/// One request as it was received, and what became of it.
///
/// No record holds file content, the digest of a signature or a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// Counts the requests of this emulator from 1, in the order in which they began.
    pub sequence: u64,
    /// Counts the connections of this emulator from 1.
    pub connection: u64,
    /// Milliseconds from the emulator's start to the request's head.
    pub time_ms: u64,
    /// The HTTP method.
    pub method: String,
    /// The path as sent, still percent-encoded.
    pub path: String,
    /// The query as sent, except that a signature in it is replaced by its decoded fields.
    pub query: Option<String>,
    /// The `op` of the request.
    pub operation: Option<String>,
    /// Names and values of the header, except `Authorization`.
    pub headers: Vec<(String, String)>,
    /// The fields of the signature (`a`, `b`, `k`, `e`, `t`, `r`, `f`) in the order sent; empty when there
    /// was none that could be decoded.
    pub signature: Vec<(String, String)>,
    /// The text fields of the body in the order sent.
    pub fields: Vec<(String, String)>,
    /// The field `offset`.
    pub offset: Option<u64>,
    /// The field `session`.
    pub session: Option<String>,
    /// The length of the file content.
    pub content_length: Option<u64>,
    /// Bytes of the body that were read.
    pub body_length: u64,
    /// The HTTP status answered; `None` when no answer was given.
    pub status: Option<u16>,
    /// The `code` that the operation came to or the answer had.
    pub code: Option<i64>,
    /// The action of the fault that fired, as JSON text.
    pub fault: Option<String>,
    /// The operation ran, with whatever code; false when the request was refused before or a fault kept it
    /// from running.
    pub executed: bool,
    /// A whole answer was handed to the connection.
    pub answered: bool,
}

impl RequestRecord {
    /// The last value of a text field; its name in any case.
    pub fn field(&self, name: &str) -> Option<&str> {
        find(&self.fields, name)
    }

    /// The last value of a header field; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// A line for a person.
    pub(crate) fn line(&self) -> String {
        let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        format!(
            "{:>8} ms  #{} connection {}  {} {}  op {} offset {}  HTTP {} code {}{}",
            self.time_ms,
            self.sequence,
            self.connection,
            self.method,
            // As received; anything odd is escaped before it reaches a terminal.
            self.path.escape_debug(),
            or_dash(
                self.operation
                    .as_ref()
                    .map(|name| name.escape_debug().to_string())
            ),
            or_dash(self.offset.map(|offset| offset.to_string())),
            or_dash(self.status.map(|status| status.to_string())),
            or_dash(self.code.map(|code| code.to_string())),
            self.fault
                .as_ref()
                .map(|fault| format!("  fault {fault}"))
                .unwrap_or_default(),
        )
    }

    fn size(&self) -> usize {
        let pairs = |list: &[(String, String)]| {
            list.iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
        };
        size_of::<Self>() + pairs(&self.headers) + pairs(&self.fields) + self.path.len()
    }
}

fn find<'a>(pairs: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    pairs
        .iter()
        .rev()
        .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
        .map(|(_, value)| value.as_str())
}

#[derive(Default)]
struct Records {
    list: VecDeque<RequestRecord>,
    bytes: usize,
}

/// All records, and who waits for more.
pub(crate) struct Journal {
    records: Mutex<Records>,
    changed: Condvar,
    /// The same news for async waiters: counts the changes.
    changes: watch::Sender<u64>,
    limit: usize,
    log: bool,
}

impl Journal {
    pub(crate) fn new(limit: usize, log: bool) -> Journal {
        Journal {
            records: Mutex::default(),
            changed: Condvar::new(),
            changes: watch::Sender::new(0),
            limit: limit.max(1),
            log,
        }
    }

    fn push(&self, record: RequestRecord) {
        if self.log {
            // A log that nobody takes is no reason to fail.
            let _ = writeln!(io::stderr(), "{}", record.line());
        }
        {
            let mut records = lock(&self.records);
            records.bytes += record.size();
            // Kept in the order in which the requests began, though they end in another.
            let place = records
                .list
                .partition_point(|earlier| earlier.sequence < record.sequence);
            records.list.insert(place, record);
            while records.list.len() > self.limit || (records.bytes > BYTE_LIMIT && records.list.len() > 1) {
                let oldest = records.list.pop_front();
                records.bytes -= oldest.map_or(0, |oldest| oldest.size());
            }
        }
        self.changed.notify_all();
        self.changes.send_modify(|count| *count += 1);
    }

    /// Everything so far, oldest first.
    pub(crate) fn all(&self) -> Vec<RequestRecord> {
        lock(&self.records).list.iter().cloned().collect()
    }

    pub(crate) fn clear(&self) {
        *lock(&self.records) = Records::default();
    }

    /// How many records fit.
    pub(crate) fn count(&self, fits: impl Fn(&RequestRecord) -> bool) -> usize {
        lock(&self.records)
            .list
            .iter()
            .filter(|record| fits(record))
            .count()
    }

    /// Tells async waiters about new records.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Waits until `enough` says so of the records; false when `timeout` passes first.
    pub(crate) fn wait(&self, mut enough: impl FnMut(&[RequestRecord]) -> bool, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        let mut records = lock(&self.records);
        loop {
            if enough(records.list.make_contiguous()) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            records = self
                .changed
                .wait_timeout(records, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// A record in the making. It enters the journal when it is finished, or at the latest when nobody holds it
/// any more: also a request whose client went away is recorded, with what is known of it.
#[derive(Clone)]
pub(crate) struct Draft(Arc<DraftInner>);

struct DraftInner {
    journal: Arc<Journal>,
    record: Mutex<Option<RequestRecord>>,
}

impl Draft {
    pub(crate) fn new(journal: Arc<Journal>, record: RequestRecord) -> Draft {
        Draft(Arc::new(DraftInner {
            journal,
            record: Mutex::new(Some(record)),
        }))
    }

    /// Writes something down; without effect once the record is in the journal.
    pub(crate) fn note(&self, write: impl FnOnce(&mut RequestRecord)) {
        if let Some(record) = lock(&self.0.record).as_mut() {
            write(record);
        }
    }

    /// Puts the record into the journal.
    pub(crate) fn finish(&self) {
        let record = lock(&self.0.record).take();
        if let Some(record) = record {
            self.0.journal.push(record);
        }
    }
}

impl Drop for DraftInner {
    fn drop(&mut self) {
        if let Some(record) = lock(&self.record).take() {
            self.journal.push(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(journal: &Arc<Journal>, sequence: u64) {
        Draft::new(
            journal.clone(),
            RequestRecord {
                sequence,
                ..RequestRecord::default()
            },
        )
        .finish();
    }

    #[test]
    fn the_oldest_records_go_when_there_are_too_many() {
        let journal = Arc::new(Journal::new(2, false));
        [1, 3, 2, 4]
            .into_iter()
            .for_each(|sequence| push(&journal, sequence));
        let left: Vec<u64> = journal.all().iter().map(|record| record.sequence).collect();
        assert_eq!(left, [3, 4]);
    }

    #[test]
    fn an_abandoned_draft_is_recorded_once() {
        let journal = Arc::new(Journal::new(10, false));
        let draft = Draft::new(journal.clone(), RequestRecord::default());
        let other = draft.clone();
        drop(draft);
        assert_eq!(journal.all().len(), 0);
        drop(other);
        push(&journal, 7);
        assert_eq!(journal.all().len(), 2);
    }

    #[test]
    fn waiting_ends_with_the_record_that_was_waited_for() {
        let journal = Arc::new(Journal::new(10, false));
        let writer = std::thread::spawn({
            let journal = journal.clone();
            move || push(&journal, 1)
        });
        assert!(journal.wait(|records| records.len() == 1, Duration::from_secs(60)));
        assert!(!journal.wait(|records| records.len() == 2, Duration::ZERO));
        writer.join().unwrap();
    }
}
