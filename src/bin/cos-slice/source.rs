//! What is uploaded: a file, or standard input.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::path::Path;
use std::sync::Arc;

use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::{OpenFile, Spool, Stream, of_stream};
use cos_slice::upload::error::Error;
use cos_slice::upload::status::Status;

use crate::arguments::UploadArguments;

/// The name that stands for standard input; a file of this name is `./-`.
const STANDARD_INPUT: &str = "-";

/// Whether the SHA-1 is wanted and can be taken before anything is sent.
///
/// # Errors
/// An option does not go with what is uploaded.
pub fn can_be_hashed(arguments: &UploadArguments) -> Result<bool, Error> {
    if arguments.file != Path::new(STANDARD_INPUT) {
        if arguments.size.is_some() {
            return Err(Error::invalid(
                "--size: a file has its own; it is for standard input, -",
            ));
        }
        if arguments.spool_dir.is_some() {
            return Err(Error::invalid("--spool-dir: it is for standard input, -"));
        }
    }
    Ok(!arguments.no_hash && arguments.size.is_none())
}

/// Tells the upload.
///
/// # Errors
/// Standard input can't be read.
pub fn set(upload: &Upload, arguments: &UploadArguments) -> Result<(), Error> {
    if arguments.file != Path::new(STANDARD_INPUT) {
        return upload.set_file(&arguments.file);
    }
    let input = io::stdin();
    let cannot_read = |error: io::Error| Error {
        os_errno: error.raw_os_error(),
        ..Error::new(Status::FileOpen, format!("standard input can't be read: {error}"))
    };
    let own = input.as_fd().try_clone_to_owned().map_err(cannot_read)?;
    let own = File::from(own);
    let is_file = own.metadata().map_err(cannot_read)?.is_file();
    if is_file && arguments.size.is_none() {
        return set_file(upload, &own);
    }
    let stream = Arc::new(Stream::new("standard input", own));
    let spool = arguments.size.is_none().then(|| Spool {
        folder: arguments.spool_dir.clone(),
        limit: arguments.spool_limit,
    });
    let source = of_stream(stream, arguments.size, spool).map_err(Error::invalid)?;
    upload.set_source(source)
}

/// A file that the shell opened: from where it is on, as any other program would read it.
fn set_file(upload: &Upload, file: &File) -> Result<(), Error> {
    let cannot_open = |failure: cos_slice::upload::failure::SourceFailure| {
        Error::new(Status::FileOpen, format!("standard input: {failure}"))
    };
    let open = OpenFile::duplicate(file.as_raw_fd()).map_err(cannot_open)?;
    let position = open.position().map_err(cannot_open)?;
    upload.set_range(Some((position, None)).filter(|_| position > 0))?;
    upload.set_open_file(open)
}
