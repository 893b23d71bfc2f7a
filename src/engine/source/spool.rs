//! Streams that are written to a temporary file first, and read from there at will.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use super::{Identity, READ_SIZE, Source, Stream, cancelled};
use crate::engine::cancel::{CancelToken, lock};
use crate::engine::sys;
use crate::upload::failure::{SourceFailure, SourceFault};
use crate::upload::options;
use crate::upload::task::Reading;

/// Where a stream may be written to, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    /// The folder; `None` for the system's one for temporary files, which the variable TMPDIR names.
    pub folder: Option<PathBuf>,
    /// The most bytes.
    pub limit: u64,
}

/// A stream whose length need not be known. It is in a file that has no name, so nothing is left of it whatever happens.
pub struct SpoolSource {
    stream: Arc<Stream>,
    size: Option<u64>,
    folder: PathBuf,
    limit: u64,
    /// `None` before the first byte, while it is at work and after a success.
    writing: Mutex<Option<Writing>>,
    spooled: OnceLock<Spooled>,
}

/// How far the writing is.
struct Writing {
    file: File,
    position: u64,
}

struct Spooled {
    file: Arc<File>,
    size: u64,
}

impl SpoolSource {
    /// The whole of a stream; its length is compared with `size` where that is given. TMPDIR is read here, not on a
    /// thread of the engine's, since a program may change its environment while those work.
    ///
    /// # Errors
    /// The size is above the spool's limit.
    pub fn new(stream: Arc<Stream>, size: Option<u64>, spool: Spool) -> Result<Self, String> {
        if let Some(size) = size.filter(|size| *size > spool.limit) {
            return Err(format!(
                "spool: {} has {size} bytes, and the limit of what may be spooled is {}",
                stream.name(),
                spool.limit
            ));
        }
        Ok(Self {
            stream,
            size,
            folder: spool.folder.unwrap_or_else(env::temp_dir),
            limit: spool.limit,
            writing: Mutex::default(),
            spooled: OnceLock::new(),
        })
    }

    /// Takes the rest of the stream to the file. Where what was read can't be written it is lost, and the next call finds the
    /// stream further on than the file, and says that it is gone.
    fn write_rest(&self, writing: &mut Writing, token: &CancelToken) -> Result<(), SourceFailure> {
        let name = self.stream.name();
        let mut buffer = vec![0; READ_SIZE];
        loop {
            if token.is_cancelled() {
                return Err(cancelled(name));
            }
            let count = self.stream.read(writing.position, &mut buffer)?;
            let position = writing.position + count as u64;
            if count == 0 {
                return match self.size {
                    Some(size) if size != position => Err(SourceFailure::new(
                        SourceFault::Changed,
                        format!("{name} ended at offset {position}, before its size of {size} bytes"),
                    )),
                    _ => Ok(()),
                };
            }
            self.check_length(position)?;
            let written = writing.file.write_all(&buffer[..count]);
            written.map_err(|error| self.cannot("writing to", &error))?;
            writing.position = position;
        }
    }

    fn check_length(&self, position: u64) -> Result<(), SourceFailure> {
        let name = self.stream.name();
        if let Some(size) = self.size.filter(|size| position > *size) {
            let text = format!("{name} has more than the {size} bytes that it was said to have");
            return Err(SourceFailure::new(SourceFault::TooLarge, text));
        }
        if let Err(text) = options::validate_size(position) {
            let text = format!("{name} is too long: {text}");
            return Err(SourceFailure::new(SourceFault::TooLarge, text));
        }
        let limit = self.limit;
        if position > limit {
            let text = format!("{name} has more than the {limit} bytes that may be spooled");
            return Err(SourceFailure::new(SourceFault::TooLarge, text));
        }
        Ok(())
    }

    fn create(&self) -> Result<File, SourceFailure> {
        sys::create_unnamed(&self.folder).map_err(|error| self.cannot("making", &error))
    }

    fn cannot(&self, doing: &str, error: &io::Error) -> SourceFailure {
        let (name, folder) = (self.stream.name(), &self.folder);
        let text = format!(
            "{doing} the temporary file for {name} in {folder:?} failed: {error}; give the spool a folder with room"
        );
        SourceFailure::new(SourceFault::NoRoom, text).of_system(error.raw_os_error())
    }
}

impl Source for SpoolSource {
    fn size(&self) -> u64 {
        let spooled = self.spooled.get().map(|spooled| spooled.size);
        spooled.or(self.size).unwrap_or(0)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match self.spooled.get() {
            Some(spooled) => sys::read_at(&spooled.file, offset, buffer),
            None => Err(io::Error::other("it was not spooled yet")),
        }
    }

    fn in_file(&self, offset: u64) -> Option<(Arc<File>, u64)> {
        let spooled = self.spooled.get()?;
        Some((spooled.file.clone(), offset))
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }

    fn keeps_its_content(&self) -> bool {
        true
    }

    fn reading(&self) -> Reading {
        match self.spooled.get() {
            Some(_) => Reading::AtWill,
            None => Reading::AfterSpooling,
        }
    }

    fn spool(&self, token: &CancelToken) -> Result<u64, SourceFailure> {
        let mut writing = lock(&self.writing);
        if let Some(spooled) = self.spooled.get() {
            return Ok(spooled.size);
        }
        let mut now = match writing.take() {
            Some(before) => before,
            // Before anything is read: where no file can be made, nothing of the stream is lost.
            None => Writing {
                file: self.create()?,
                position: 0,
            },
        };
        let ended = self.write_rest(&mut now, token);
        if let Err(failure) = ended {
            *writing = Some(now);
            return Err(failure);
        }
        let (file, size) = (Arc::new(now.file), now.position);
        Ok(self.spooled.get_or_init(|| Spooled { file, size }).size)
    }

    fn name(&self) -> String {
        self.stream.name().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    fn spooled(
        reader: impl Read + Send + 'static,
        size: Option<u64>,
        limit: u64,
    ) -> (tempfile::TempDir, SpoolSource) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool {
            folder: Some(folder.path().into()),
            limit,
        };
        let source = SpoolSource::new(Arc::new(Stream::new("the pipe", reader)), size, spool).unwrap();
        (folder, source)
    }

    fn fault(source: &SpoolSource) -> (SourceFault, String) {
        let failure = source.spool(&CancelToken::new()).unwrap_err();
        (failure.kind, failure.detail)
    }

    #[test]
    fn a_stream_is_read_at_will_once_it_is_spooled_and_leaves_no_name() {
        let content: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        let (folder, source) = spooled(Cursor::new(content.clone()), None, 200_000);
        assert_eq!((source.reading(), source.size()), (Reading::AfterSpooling, 0));
        assert!(source.read_at(0, &mut [0]).is_err());
        assert_eq!(source.spool(&CancelToken::new()).unwrap(), 200_000);
        assert_eq!((source.reading(), source.size()), (Reading::AtWill, 200_000));
        assert_eq!(source.spool(&CancelToken::new()).unwrap(), 200_000, "asked again");
        let mut bytes = [0; 9];
        assert_eq!(source.read_at(199_995, &mut bytes).unwrap(), 5);
        assert_eq!(bytes[..5], content[199_995..]);
        assert_eq!(folder.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn an_empty_stream_is_spooled_too() {
        let (_folder, source) = spooled(io::empty(), None, 1);
        assert_eq!(source.spool(&CancelToken::new()).unwrap(), 0);
        assert_eq!(source.read_at(0, &mut [0]).unwrap(), 0);
    }

    #[test]
    fn what_is_longer_than_the_limit_or_than_was_said_is_refused_and_its_rest_is_never_taken_for_it() {
        let (_folder, source) = spooled(Cursor::new(vec![7; 101]), None, 100);
        let (kind, text) = fault(&source);
        assert_eq!(kind, SourceFault::TooLarge);
        assert!(text.contains("more than the 100 bytes"), "{text}");
        assert_eq!(fault(&source).0, SourceFault::Gone);

        let (_folder, source) = spooled(Cursor::new(vec![7; 101]), Some(100), 1000);
        assert_eq!(fault(&source).0, SourceFault::TooLarge);
        let (_folder, source) = spooled(Cursor::new(vec![7; 99]), Some(100), 1000);
        let (kind, text) = fault(&source);
        assert!(
            kind == SourceFault::Changed && text.contains("offset 99"),
            "{text}"
        );
    }

    #[test]
    fn a_size_above_the_limit_is_refused_at_once() {
        let stream = Arc::new(Stream::new("the pipe", io::empty()));
        let spool = Spool {
            folder: None,
            limit: 10,
        };
        let refused = SpoolSource::new(stream, Some(11), spool).err().unwrap();
        assert!(
            refused.starts_with("spool: ") && refused.contains("11 bytes"),
            "{refused}"
        );
    }

    #[test]
    fn a_folder_that_is_not_there_is_named_with_the_system_s_error() {
        let spool = Spool {
            folder: Some("/nonexistent/folder".into()),
            limit: 10,
        };
        let stream = Arc::new(Stream::new("the pipe", Cursor::new(vec![1])));
        let source = SpoolSource::new(stream, None, spool).unwrap();
        let failure = source.spool(&CancelToken::new()).unwrap_err();
        assert_eq!(
            (failure.kind, failure.os_errno),
            (SourceFault::NoRoom, Some(libc::ENOENT))
        );
        assert!(failure.detail.contains("/nonexistent/folder"), "{failure}");
    }

    #[test]
    fn a_folder_that_is_not_there_costs_nothing_of_the_stream() {
        let folder = tempfile::tempdir().unwrap();
        let made_later = folder.path().join("later");
        let stream = Arc::new(Stream::new("the pipe", Cursor::new(vec![1, 2, 3])));
        let of_folder = |folder: &std::path::Path| {
            let folder = Some(folder.into());
            SpoolSource::new(stream.clone(), None, Spool { folder, limit: 10 }).unwrap()
        };
        let elsewhere = of_folder("/nonexistent/folder".as_ref());
        assert_eq!(fault(&elsewhere).0, SourceFault::NoRoom);
        let source = of_folder(&made_later);
        assert_eq!(fault(&source).0, SourceFault::NoRoom);
        std::fs::create_dir(&made_later).unwrap();
        assert_eq!(source.spool(&CancelToken::new()).unwrap(), 3);
        let mut bytes = [0; 3];
        source.read_at(0, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 2, 3]);
    }

    #[test]
    fn a_failed_read_and_a_cancel_lose_nothing() {
        struct Halting(u8);
        impl Read for Halting {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    2 => Err(io::Error::other("not yet")),
                    5.. => Ok(0),
                    number => {
                        buffer[0] = number;
                        Ok(1)
                    }
                }
            }
        }
        let (_folder, source) = spooled(Halting(0), None, 10);
        let (kind, text) = fault(&source);
        assert!(
            kind == SourceFault::Unreadable && text.contains("at offset 1"),
            "{text}"
        );
        let cancelled = CancelToken::new();
        cancelled.cancel();
        assert!(source.spool(&cancelled).is_err());
        assert_eq!(source.spool(&CancelToken::new()).unwrap(), 3);
        let mut bytes = [0; 3];
        source.read_at(0, &mut bytes).unwrap();
        assert_eq!(bytes, [1, 3, 4]);
    }
}
