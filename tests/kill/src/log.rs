//! The emulator's log: what was asked, of which run it was, and what follows from that.
//!
//! The log is read and not the emulator's list of requests, because it survives the emulator's own death. A
//! request is in it before its answer is sent; one whose client dies half-way gets into it when the emulator
//! notices. So that even late ones are known to be of the run that died, the round asks for a mark before each
//! run: the service takes connections in the order in which they were made, so those with a number below the
//! mark's are of earlier runs.

use crate::Failure;
use crate::setup::Api;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counts the connections since the emulator started.
    pub connection: u64,
    /// The run of the mark that this is, if it is one.
    pub mark: Option<usize>,
    /// The operation, where the request told it.
    pub operation: Option<String>,
    /// Where the slice begins.
    pub offset: Option<u64>,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What the operation came to, if it was executed.
    pub code: Option<i64>,
    /// A fault rule struck.
    pub fault: bool,
}

/// The name of marks.
pub const MARK: &str = "mark-";

impl Record {
    /// Reads one line; `None` if it is not one.
    pub fn parse(line: &str) -> Option<Record> {
        let (line, fault) = match line.split_once("  fault ") {
            Some((line, _)) => (line, true),
            None => (line, false),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        let [
            _,
            "ms",
            _,
            "connection",
            connection,
            _,
            path,
            "op",
            operation,
            "offset",
            offset,
            "HTTP",
            status,
            "code",
            code,
        ] = words[..]
        else {
            return None;
        };
        Some(Record {
            connection: connection.parse().ok()?,
            mark: path
                .rsplit('/')
                .next()?
                .strip_prefix(MARK)
                .and_then(|run| run.parse().ok()),
            operation: given(operation)?,
            offset: given(offset)?,
            status: given(status)?,
            code: given(code)?,
            fault,
        })
    }

    /// Whether it is of this operation.
    pub fn is(&self, operation: &str) -> bool {
        self.operation.as_deref() == Some(operation)
    }

    /// Whether it has a slice.
    pub fn is_slice(&self) -> bool {
        [Api::V2, Api::V1].iter().any(|api| self.is(api.slice()))
    }
}

/// `-` stands for nothing. The outer `None` says that it is neither that nor what is wanted.
fn given<T: std::str::FromStr>(word: &str) -> Option<Option<T>> {
    match word {
        "-" => Some(None),
        _ => word.parse().ok().map(Some),
    }
}

/// Reads a log. Its last line may be cut off, where the emulator was killed.
///
/// # Errors
/// Any other line is not understood.
pub fn parse(text: &str) -> Result<Vec<Record>, Failure> {
    let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
    let records = whole.lines().map(|line| Record::parse(line).ok_or(line));
    let records: Result<Vec<Record>, &str> = records.collect();
    records.map_err(|line| format!("the emulator's log has a line that is not understood: {line:?}"))
}

/// The requests of each run, by its number, of all lives of the emulator: of each life its log.
pub fn runs(lives: &[Vec<Record>]) -> Vec<Vec<Record>> {
    let mut runs = vec![Vec::new()];
    for life in lives {
        let before = runs.len() - 1;
        for record in life.iter().filter(|record| record.mark.is_none()) {
            let marks = life.iter().filter(|mark| mark.connection < record.connection);
            let run = marks.filter_map(|mark| mark.mark).max().unwrap_or(before);
            runs.resize(runs.len().max(run + 1), Vec::new());
            runs[run].push(record.clone());
        }
        // A run without a request is one, too.
        let last = life.iter().filter_map(|record| record.mark).max().unwrap_or(0);
        runs.resize(runs.len().max(last + 1), Vec::new());
    }
    runs
}

/// How many slices were sent more than once, whole or in part, when there are `slices` of them.
pub fn sent_again(records: &[Record], slices: u64) -> u64 {
    let sent = records.iter().filter(|record| record.is_slice()).count() as u64;
    sent.saturating_sub(slices)
}

/// The offsets of the slices that these requests stored.
pub fn stored(records: &[Record]) -> impl Iterator<Item = u64> {
    records
        .iter()
        .filter(|record| record.is_slice() && record.code == Some(0))
        .filter_map(|record| record.offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(connection: u64, operation: &str) -> Record {
        let line = format!(
            "1 ms  #1 connection {connection}  POST /files/v2/1/b/p  op {operation} offset 0  HTTP 200 code 0"
        );
        Record::parse(&line).unwrap()
    }

    fn mark(connection: u64, run: usize) -> Record {
        let line = format!(
            "1 ms  #1 connection {connection}  GET /files/v2/1/b/mark-{run}  op stat offset -  HTTP 403 code -81"
        );
        Record::parse(&line).unwrap()
    }

    #[test]
    fn a_line_is_read_with_all_that_may_be_missing_in_it() {
        let held = "  12 ms  #3 connection 7  POST /files/v2/1/b/p  op upload_slice_data offset 1048576  HTTP - code -  fault {\"hang\":\"before\"}";
        let expected = Record {
            connection: 7,
            mark: None,
            operation: Some(Api::V2.slice().to_owned()),
            offset: Some(1 << 20),
            status: None,
            code: None,
            fault: true,
        };
        assert_eq!(Record::parse(held), Some(expected));
        assert_eq!(mark(9, 4).mark, Some(4));
        assert_eq!(Record::parse("cos-emulator: something else"), None);
    }

    #[test]
    fn a_line_cut_off_at_the_end_is_left_out_and_one_before_it_is_a_failure() {
        let line = "1 ms  #1 connection 1  GET /x  op stat offset -  HTTP 200 code 0\n";
        assert_eq!(parse(&format!("{line}{}", &line[..30])).unwrap().len(), 1);
        assert!(parse(&format!("{}\n{line}", &line[..30])).is_err());
    }

    #[test]
    fn late_requests_are_of_the_run_that_made_the_connection() {
        let first = vec![
            mark(1, 1),
            record(2, "a"),
            mark(4, 2),
            record(3, "b"),
            record(5, "c"),
        ];
        // Restarted in the middle of run 2.
        let second = vec![record(1, "d"), mark(2, 3), mark(3, 4), record(4, "e")];
        let runs = runs(&[first, second]);
        let names = |run: usize| -> Vec<&str> {
            runs[run]
                .iter()
                .filter_map(|record| record.operation.as_deref())
                .collect()
        };
        assert_eq!(
            (names(1), names(2), names(3), names(4)),
            (vec!["a", "b"], vec!["c", "d"], vec![], vec!["e"])
        );
    }

    #[test]
    fn slices_beyond_their_number_were_sent_again() {
        let records: Vec<Record> = (0..5).map(|_| record(1, Api::V1.slice())).collect();
        assert_eq!((sent_again(&records, 3), sent_again(&records, 6)), (2, 0));
    }
}
