//! GET and HEAD of the addresses that the emulator answers. They need no signature: the bucket is taken to be
//! open for reading.

use crate::answer::{AnswerBody, Reply, full, plain, request_id};
use crate::codes::{self, Refusal};
use crate::operations::{ACCESS_PREFIX, SOURCE_PREFIX};
use crate::server::Shared;
use crate::store::lock;
use crate::target::Target;
use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, HeaderValue, LAST_MODIFIED, RANGE};
use hyper::{Method, Request, Response, StatusCode};
use std::io::{self, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

const PIECE: u64 = 64 * 1024;
/// With a status that the service never gives.
const DISCARDED: &str = "cos-emulator: the content of this object was not kept (content=discard)\n";

pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Response<AnswerBody> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return plain(
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            "an object's address takes GET and HEAD\n",
        );
    }
    match open(&shared, request.uri().path()).await {
        Ok(Found::Discarded) => plain(StatusCode::NOT_IMPLEMENTED, "text/plain", DISCARDED),
        Ok(Found::Kept(file, length, modified)) => {
            let range = request.headers().get(RANGE).and_then(|value| value.to_str().ok());
            let mut response = send(file, length, range, request.method() == Method::HEAD).await;
            if let Ok(value) = HeaderValue::from_str(&httpdate::fmt_http_date(modified)) {
                response.headers_mut().insert(LAST_MODIFIED, value);
            }
            response
        }
        Err(refusal) => {
            let now = shared.now();
            let id = request_id(now, 0, 0, 0);
            let switches = lock(&shared.switches).clone();
            Reply::refusal(&id, &refusal, &switches).into_response(&id, now)
        }
    }
}

/// What lies at an address.
enum Found {
    /// Its file, length and time of the last change.
    Kept(File, u64, SystemTime),
    Discarded,
}

async fn open(shared: &Arc<Shared>, path: &str) -> Result<Found, Refusal> {
    let path = shared.config.below_path_prefix(path).unwrap_or_default();
    let encoded = path
        .strip_prefix(ACCESS_PREFIX)
        .or_else(|| path.strip_prefix(SOURCE_PREFIX))
        .unwrap_or_default();
    let target = Target::parse_download(encoded)?;
    let absent = || codes::OBJECT_NOT_EXIST.because(format!("no object {:?}", target.key.path));
    if target.app_id != shared.config.app_id || target.is_directory {
        return Err(absent());
    }
    let file = match File::open(shared.store.object_file(&target.key)).await {
        Ok(file) => Some(file),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            None
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(file) = file {
        let metadata = file.metadata().await?;
        if !metadata.is_file() {
            return Err(absent());
        }
        if shared.store.is_discarded(&target.key, &metadata)? {
            return Ok(Found::Discarded);
        }
        return Ok(Found::Kept(file, metadata.len(), metadata.modified()?));
    }
    if shared.store.upload(&target.key)?.is_some() {
        return Err(codes::OBJECT_INCOMPLETE.because(format!("{:?} is not complete yet", target.key.path)));
    }
    Err(absent())
}

async fn send(mut file: File, length: u64, range: Option<&str>, head_only: bool) -> Response<AnswerBody> {
    let (status, span) = match range.map(|text| parse_range(text, length)) {
        None | Some(RangeAsked::Ignored) => (StatusCode::OK, 0..length),
        Some(RangeAsked::Part(span)) => (StatusCode::PARTIAL_CONTENT, span),
        Some(RangeAsked::Outside) => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "text/plain", "");
            set(&mut response, CONTENT_RANGE, format!("bytes */{length}"));
            return response;
        }
    };
    let mut response = plain(status, "application/octet-stream", "");
    set(&mut response, CONTENT_LENGTH, (span.end - span.start).to_string());
    response
        .headers_mut()
        .insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::PARTIAL_CONTENT {
        set(
            &mut response,
            CONTENT_RANGE,
            format!("bytes {}-{}/{length}", span.start, span.end - 1),
        );
    }
    if head_only {
        return response;
    }
    *response.body_mut() = match file.seek(SeekFrom::Start(span.start)).await {
        Ok(_) => stream(file, span.end - span.start),
        Err(_) => full(""),
    };
    response
}

fn set(response: &mut Response<AnswerBody>, name: hyper::header::HeaderName, text: String) {
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().insert(name, value);
    }
}

/// The next `left` bytes of a file, piece by piece.
fn stream(file: File, left: u64) -> AnswerBody {
    let pieces = futures_util::stream::try_unfold((file, left), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let mut piece = Vec::new();
        let count = (&mut file).take(left.min(PIECE)).read_to_end(&mut piece).await? as u64;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the object became shorter",
            ));
        }
        Ok::<_, io::Error>(Some((Frame::data(Bytes::from(piece)), (file, left - count))))
    });
    StreamBody::new(pieces).boxed_unsync()
}

#[derive(Debug, PartialEq, Eq)]
enum RangeAsked {
    /// Not one range of bytes: the whole is sent, as HTTP allows.
    Ignored,
    Part(Range<u64>),
    Outside,
}

/// One range, `bytes=a-b`, `bytes=a-` or `bytes=-n`.
fn parse_range(text: &str, length: u64) -> RangeAsked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.split_once('-')) else {
        return RangeAsked::Ignored;
    };
    let span = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(count)) if first.is_empty() => length.saturating_sub(count)..length,
        _ => return RangeAsked::Ignored,
    };
    if span.start < span.end {
        RangeAsked::Part(span)
    } else {
        RangeAsked::Outside
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        assert_eq!(parse_range("bytes=0-0", 10), RangeAsked::Part(0..1));
        assert_eq!(parse_range("bytes=3-", 10), RangeAsked::Part(3..10));
        assert_eq!(parse_range("bytes=-3", 10), RangeAsked::Part(7..10));
        assert_eq!(
            parse_range("bytes=3-99999999999999999999", 10),
            RangeAsked::Ignored
        );
        assert_eq!(
            parse_range("bytes=3-18446744073709551615", 10),
            RangeAsked::Part(3..10)
        );
        assert_eq!(parse_range("bytes=10-", 10), RangeAsked::Outside);
        assert_eq!(parse_range("bytes=0-", 0), RangeAsked::Outside);
        for ignored in ["bytes=5-4", "bytes=-", "bytes=1-2,3-4", "lines=1-2", "bytes=x-1"] {
            assert_eq!(parse_range(ignored, 10), RangeAsked::Ignored, "{ignored}");
        }
    }
}
