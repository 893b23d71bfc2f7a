//! What an upload is to send, as C says it.

use std::ffi::{c_char, c_void};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;

use crate::engine::callback::inside_callback;
use crate::engine::handle::Upload;
use crate::engine::source::{
    self, CallbackSource, LEAST_KEPT_OPEN, MemorySource, OpenFile, Source, Spool, Stream,
};
use crate::upload::error::Error;
use crate::upload::failure::{SourceFailure, SourceFault};
use crate::upload::options::validate_size;
use crate::upload::status::Status;
use crate::upload::task::Reading;

use super::boundary::{enter, text};

use super::numbers;
use super::upload::cos_slice_upload;
use super::user_data::{UserData, cos_slice_drop_fn};

/// What the setters of this file have said.
#[derive(Default)]
pub(super) struct Content {
    whole: Option<Whole>,
    range: Option<(u64, Option<u64>)>,
    spool: Option<Spool>,
}

pub(super) enum Whole {
    File(PathBuf),
    Open(OpenFile),
    Source(Arc<dyn Source>),
    Stream(StreamSetting),
}

pub(super) struct StreamSetting {
    stream: Arc<Stream>,
    size: Option<u64>,
    /// What a run made of it, and by what settings: it has the bytes that were read.
    made: Option<(Option<Spool>, Arc<dyn Source>)>,
}

impl Content {
    #[cfg(test)]
    pub(super) fn of_memory(bytes: Vec<u8>) -> Self {
        Self {
            whole: Some(Whole::Source(Arc::new(MemorySource::new(bytes)))),
            ..Self::default()
        }
    }

    pub(super) fn replace(&mut self, whole: Whole) -> Option<Whole> {
        self.whole.replace(whole)
    }

    /// Tells the engine's upload, and how the source can be read.
    pub(super) fn give(&mut self, upload: &Upload) -> Result<Reading, Error> {
        upload.set_range(self.range)?;
        match &mut self.whole {
            None => {}
            Some(Whole::File(path)) => upload.set_file(path.clone())?,
            Some(Whole::Open(file)) => upload.set_open_file(file.clone())?,
            Some(Whole::Source(source)) => upload.set_source(source.clone())?,
            Some(Whole::Stream(stream)) => {
                let source = stream.source(self.spool.as_ref())?;
                let reading = source.reading();
                upload.set_source(source)?;
                return Ok(reading);
            }
        }
        Ok(Reading::AtWill)
    }
}

impl StreamSetting {
    fn source(&mut self, spool: Option<&Spool>) -> Result<Arc<dyn Source>, Error> {
        if let Some((made_by, source)) = &self.made {
            if made_by.as_ref() == spool {
                return Ok(source.clone());
            }
        }
        let source = source::of_stream(self.stream.clone(), self.size, spool.cloned());
        let source = source.map_err(Error::invalid)?;
        self.made = Some((spool.cloned(), source.clone()));
        Ok(source)
    }
}

/// Reads from offset on into buffer, which has room for size bytes, at least 1: the number of bytes read, which may be fewer;
/// 0 only at the end; a negative number where it failed, which ends the run with COS_SLICE_ERR_FILE_READ and is told by
/// cos_slice_error_callback_value.
///
/// It is called from several threads of the library at once, and may block; then every end of the upload waits for it, be it a
/// cancel, a deadline or a failure, and on a client with one connection all its uploads do. Inside, only cancel and getters may
/// be called; a free is carried out when it has returned; run, start and wait of any upload, and the settings of this one, answer
/// COS_SLICE_ERR_BUSY. It must return, and must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_read_at_fn = Option<
    unsafe extern "C" fn(offset: u64, buffer: *mut c_void, size: usize, user_data: *mut c_void) -> i64,
>;

/// Reads the next bytes into buffer, which has room for size bytes, at least 1; returns as a cos_slice_read_at_fn does, 0 only
/// when nothing is to follow. It is called on threads of the library, never two calls at once. The other rules of
/// cos_slice_read_at_fn hold.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_read_fn =
    Option<unsafe extern "C" fn(buffer: *mut c_void, size: usize, user_data: *mut c_void) -> i64>;

/// What a callback said that it read, as the engine takes it. Whether it is more than there was room for is seen there.
fn taken(callback: &str, returned: i64) -> io::Result<usize> {
    usize::try_from(returned).map_err(|_| {
        let text = format!("the {callback} callback failed: it returned {returned}");
        let value = i32::try_from(returned).unwrap_or(i32::MIN);
        io::Error::other(SourceFailure {
            callback_value: value,
            ..SourceFailure::new(SourceFault::Unreadable, text)
        })
    })
}

/// A callback that reads a stream.
struct ReadCallback {
    function: unsafe extern "C" fn(*mut c_void, usize, *mut c_void) -> i64,
    user_data: UserData,
}

impl Read for ReadCallback {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (start, size) = (buffer.as_mut_ptr().cast(), buffer.len());
        // SAFETY: the caller of the setter promised that the function takes its data until it is dropped, and writes no more
        // than the size that it is told.
        let returned = inside_callback(|| unsafe { (self.function)(start, size, self.user_data.pointer) });
        taken("stream", returned)
    }
}

fn required<F>(setting: &str, function: Option<F>) -> Result<F, Error> {
    function.ok_or_else(|| Error::invalid(format!("{setting}: the function is NULL")))
}

/// What opening a file found, where the setter opens it.
fn open_error(failure: SourceFailure) -> Error {
    Error {
        os_errno: failure.os_errno,
        ..Error::new(Status::FileOpen, format!("descriptor: {}", failure.detail))
    }
}

/// A copy of bytes in memory; C may do with its own what it likes.
pub(super) fn copy(argument: &str, data: *const c_void, size: usize) -> Result<Vec<u8>, Error> {
    if data.is_null() && size > 0 {
        return Err(Error::invalid(format!(
            "{argument}: the address is NULL, but the size {size}"
        )));
    }
    if isize::try_from(size).is_err() {
        return Err(Error::invalid(format!(
            "{argument}: the size {size} is more than there can be"
        )));
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(size).map_err(|_| {
        Error::new(
            Status::Resources,
            format!("{argument}: the system has no {size} bytes for the copy; use a file"),
        )
    })?;
    if size > 0 {
        // SAFETY: not NULL, and the caller promised that so many bytes can be read.
        bytes.extend_from_slice(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) });
    }
    Ok(bytes)
}

// What the header says of it.
const _: () = assert!(LEAST_KEPT_OPEN == 64);

/// Uploads a regular file; symbolic links are followed. The path is UTF-8, and copied. The file is opened when the upload is
/// run, and must not change until it is over: a change is noticed and ends the upload with COS_SLICE_ERR_SOURCE_CHANGED. As
/// many files stay open until then as are a quarter of the descriptors that the process may have (RLIMIT_NOFILE), and 64 at
/// least. Where more are uploaded at once, the later ones are closed and opened again by their path, so they must not be renamed
/// or removed before the end either; a file that is another one by then counts as changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_file(
    upload: *mut cos_slice_upload,
    path: *const c_char,
) -> i32 {
    enter!(upload).call(|upload| {
        let path = text!("file", path).and_then(|path| match path {
            "" => Err(Error::invalid("file: the path is empty")),
            path => Ok(PathBuf::from(path)),
        });
        upload.set_content(path.map(Whole::File))
    })
}

/// The name of a file as bytes.
pub(super) fn file_of_bytes(path: *const c_void, length: usize) -> Result<PathBuf, Error> {
    let bytes = copy("file_bytes", path, length)?;
    match bytes.as_slice() {
        [] => Err(Error::invalid("file_bytes: the path is empty")),
        bytes if bytes.contains(&0) => Err(Error::invalid("file_bytes: a path has no NUL in it")),
        _ => Ok(source::path_of(bytes)),
    }
}

/// As cos_slice_upload_set_file, for a name that need not be UTF-8: length bytes, without a NUL among or, necessarily, after them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_file_bytes(
    upload: *mut cos_slice_upload,
    path: *const c_void,
    length: usize,
) -> i32 {
    enter!(upload).call(|upload| upload.set_content(file_of_bytes(path, length).map(Whole::File)))
}

/// Uploads bytes in memory. They are copied during the call and the copy is kept until another source is set or the upload
/// is freed: use a file for what is large. NULL is allowed where the size is 0. COS_SLICE_ERR_RESOURCES where the
/// system has no memory for the copy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_memory(
    upload: *mut cos_slice_upload,
    data: *const c_void,
    size: usize,
) -> i32 {
    enter!(upload).call(|upload| {
        let source = |bytes| Whole::Source(Arc::new(MemorySource::new(bytes)));
        upload.set_content(copy("memory", data, size).map(source))
    })
}

/// Uploads a regular file that is open for reading. The descriptor is duplicated during the call: the caller may close its own
/// at once. Its position is neither used nor moved; cos_slice_upload_set_range chooses a part. What the file has when the
/// upload is run counts, and must not change until it is over, as with cos_slice_upload_set_file. COS_SLICE_ERR_FILE_OPEN
/// where it is no regular file, or not open for reading: upload what a pipe or socket gives as a stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_descriptor(
    upload: *mut cos_slice_upload,
    descriptor: i32,
) -> i32 {
    enter!(upload).call(|upload| {
        let file = match descriptor {
            0.. => OpenFile::duplicate(descriptor).map_err(open_error),
            _ => Err(Error::invalid(format!("descriptor: {descriptor} is negative"))),
        };
        upload.set_content(file.map(Whole::Open))
    })
}

/// Uploads size bytes that a function gives, at any place and any number of times. Until another source is set or the upload
/// is freed it must give the same bytes for the same place, from run to run too.
///
/// user_data is passed through. drop, which may be NULL, is called exactly once with it: when another source is set or the
/// upload freed, or at once where this call fails; on any thread, after the last call of read_at.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_read_at(
    upload: *mut cos_slice_upload,
    size: i64,
    read_at: cos_slice_read_at_fn,
    user_data: *mut c_void,
    drop: cos_slice_drop_fn,
) -> i32 {
    // Made before anything can fail, so that the data is dropped in every case.
    let user_data = UserData::new(user_data, drop);
    enter!(upload).call(|upload| {
        let make = || {
            let size = numbers::unsigned("size", size)?;
            let read_at = required("read_at", read_at)?;
            let call = move |offset, buffer: &mut [u8]| {
                // The whole of it belongs to the function, not the pointer alone.
                let user_data = &user_data;
                let (start, room) = (buffer.as_mut_ptr().cast(), buffer.len());
                // SAFETY: as for a stream; that several threads may call at once is promised too.
                let returned = inside_callback(|| unsafe { read_at(offset, start, room, user_data.pointer) });
                taken("read_at", returned)
            };
            Ok(Whole::Source(Arc::new(CallbackSource::new(size, call))))
        };
        upload.set_content(make())
    })
}

/// Uploads what a function reads, once and in its order: a pipe, a recording. size is the number of bytes, or -1 where it is
/// not known. The stream goes on where it is when the upload is run again.
///
/// Of known size, and without cos_slice_upload_set_spool, it is sent while it is read. Each slice is held in memory until the
/// server has it, at most one for each connection and one more. There is no SHA-1 before it is sent (see
/// cos_slice_upload_set_hash), and a part that the server lost after it was let go ends the run with
/// COS_SLICE_ERR_NOT_RESTARTABLE. A stream with fewer bytes than size ends it with COS_SLICE_ERR_SOURCE_CHANGED,
/// one with more with COS_SLICE_ERR_TOO_LARGE.
/// Of unknown size it must be spooled.
///
/// user_data is passed through. drop, which may be NULL, is called exactly once with it: when another source is set or the
/// upload freed, or at once where this call fails; on any thread, after the last call of read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_stream(
    upload: *mut cos_slice_upload,
    size: i64,
    read: cos_slice_read_fn,
    user_data: *mut c_void,
    drop: cos_slice_drop_fn,
) -> i32 {
    // Made before anything can fail, so that the data is dropped in every case.
    let user_data = UserData::new(user_data, drop);
    enter!(upload).call(|upload| {
        let make = || {
            let size = numbers::size_or_unknown("size", size)?;
            let function = required("read", read)?;
            let callback = ReadCallback { function, user_data };
            let stream = Arc::new(Stream::new("the stream", callback));
            let made = None;
            Ok(Whole::Stream(StreamSetting { stream, size, made }))
        };
        upload.set_content(make())
    })
}

/// Has a stream written to a temporary file before it is sent, up to limit_bytes, at most 68719476736; 0 turns that off, as it
/// is without this call. Then it may be of unknown size, is hashed like a file, and any part can be sent once more. The file
/// is made in the directory, UTF-8 and copied, or where the system has temporary files (TMPDIR) for NULL; it has no name
/// there, so nothing is left of it. TMPDIR is read on the thread that runs or starts the upload. A stream that is longer ends
/// the run with COS_SLICE_ERR_TOO_LARGE; a full disk, or a directory that is not there, with COS_SLICE_ERR_RESOURCES.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_spool(
    upload: *mut cos_slice_upload,
    directory: *const c_char,
    limit_bytes: i64,
) -> i32 {
    enter!(upload).call(|upload| {
        let make = || {
            let limit = numbers::unsigned("spool", limit_bytes)?;
            validate_size(limit)
                .map_err(|_| Error::invalid(format!("spool: {limit} is more than the service takes")))?;
            let folder = match directory.is_null() {
                true => None,
                false => Some(PathBuf::from(text!("spool", directory)?)),
            };
            if folder
                .as_ref()
                .is_some_and(|folder| folder.as_os_str().is_empty())
            {
                return Err(Error::invalid(
                    "spool: the directory is empty; NULL is the system's",
                ));
            }
            Ok((limit > 0).then_some(Spool { folder, limit }))
        };
        upload.set("spool", make(), |settings, spool| settings.content.spool = spool)
    })
}

/// Uploads only part of a file, descriptor, memory or read_at source: length bytes from offset on are the whole object; -1 for
/// length are all that follow. It may be set before or after the source; offset 0 and length -1 are the whole again. A part
/// that reaches beyond the end, or one of a stream, is an invalid argument that the run reports before anything is sent.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_range(
    upload: *mut cos_slice_upload,
    offset: i64,
    length: i64,
) -> i32 {
    enter!(upload).call(|upload| {
        let make = || {
            let offset = numbers::unsigned("range", offset)?;
            let length = numbers::size_or_unknown("range", length)?;
            Ok(Some((offset, length)).filter(|range| *range != (0, None)))
        };
        upload.set("range", make(), |settings, range| settings.content.range = range)
    })
}
