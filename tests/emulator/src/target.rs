//! What a request path names.
//!
//! Clients differ in which characters they leave raw and in the case of the hex digits, so the path is
//! percent-decoded first and only decoded bytes are ever compared.

use crate::codes::{self, Refusal};
use crate::switches::PathNormalisation;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The longest object path, in decoded bytes (the service's specification page).
pub(crate) const PATH_LIMIT: usize = 850;

/// Everything but RFC 3986 unreserved characters and the slash.
const PATH_ESCAPES: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// One object or directory of one bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ObjectKey {
    pub(crate) bucket: String,
    /// Decoded, without leading or trailing slash.
    pub(crate) path: String,
}

/// The object or directory that a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) app_id: String,
    pub(crate) key: ObjectKey,
    /// The path ended with a slash.
    pub(crate) is_directory: bool,
}

impl Target {
    /// Reads `<appid>/<bucket>/<path>`, still percent-encoded: what follows `/files/v2/`.
    pub(crate) fn parse(encoded: &str, rule: PathNormalisation) -> Result<Target, Refusal> {
        let mut pieces = encoded.splitn(3, '/');
        let app_id = decode(pieces.next().unwrap_or_default())?;
        let bucket = decode(pieces.next().unwrap_or_default())?;
        let path = decode(pieces.next().unwrap_or_default())?;
        Target::new(app_id, bucket, &path, rule)
    }

    /// The target of `<bucket>-<appid>/<path>`, the form of the download addresses.
    pub(crate) fn parse_download(encoded: &str) -> Result<Target, Refusal> {
        let (host, path) = encoded.split_once('/').unwrap_or((encoded, ""));
        let host = decode(host)?;
        let (bucket, app_id) = host
            .rsplit_once('-')
            .ok_or_else(|| codes::URL.because("expected <bucket>-<appid>/<path>"))?;
        Target::new(
            app_id.to_owned(),
            bucket.to_owned(),
            &decode(path)?,
            PathNormalisation::Refuse,
        )
    }

    fn new(app_id: String, bucket: String, path: &str, rule: PathNormalisation) -> Result<Target, Refusal> {
        if !is_bucket_name(&bucket) {
            return Err(codes::BAD_NAME.because(format!("{bucket:?} is no bucket name")));
        }
        let (path, is_directory) = normalise(path, rule)?;
        Ok(Target {
            app_id,
            key: ObjectKey { bucket, path },
            is_directory,
        })
    }

    /// `/<appid>/<bucket>/<path>`: the service's identifier of the object, also the fileid of a signature;
    /// decoded.
    pub(crate) fn resource_path(&self) -> String {
        let slash = if self.is_directory && !self.key.path.is_empty() {
            "/"
        } else {
            ""
        };
        format!("/{}/{}/{}{slash}", self.app_id, self.key.bucket, self.key.path)
    }
}

/// Percent-encodes a decoded path for a URL.
pub(crate) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH_ESCAPES).to_string()
}

/// Percent-decodes; the service refuses names that are not UTF-8.
pub(crate) fn decode(text: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(text).decode_utf8();
    Ok(decoded
        .map_err(|_| codes::NAME_NOT_UTF8.because("the decoded path is not UTF-8"))?
        .into_owned())
}

/// A bucket is a folder here, so its name must be a plain one: letters, digits, `-`, `_` and `.`, beginning
/// with a letter or digit.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    name.len() <= 63
        && name.bytes().all(plain)
        && name
            .bytes()
            .next()
            .is_some_and(|first| first.is_ascii_alphanumeric())
}

/// Checks a decoded path and takes its trailing slash off; the second value tells whether there was one.
fn normalise(path: &str, rule: PathNormalisation) -> Result<(String, bool), Refusal> {
    if path.len() > PATH_LIMIT {
        return Err(codes::BAD_NAME.because(format!(
            "the path has {} bytes, the limit is {PATH_LIMIT}",
            path.len()
        )));
    }
    if path.contains('\0') {
        return Err(codes::URL.because("a zero byte in the path"));
    }
    let (body, is_directory) = match path.strip_suffix('/') {
        Some(body) => (body, true),
        None => (path, path.is_empty()),
    };
    let mut segments = Vec::new();
    for segment in body.split('/') {
        match (segment, rule) {
            ("." | "..", _) => {
                return Err(codes::URL.because(format!("the segment {segment:?} in {path:?}")));
            }
            ("", PathNormalisation::Refuse) if !body.is_empty() => {
                return Err(codes::URL.because(format!("an empty segment in {path:?}")));
            }
            ("", _) => {}
            _ => segments.push(segment),
        }
    }
    Ok((segments.join("/"), is_directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(encoded: &str) -> Result<Target, Refusal> {
        Target::parse(encoded, PathNormalisation::Refuse)
    }

    #[test]
    fn every_spelling_of_a_path_names_the_same_object() {
        let expected = parse("1/b/a%20b/%C3%A4~").unwrap();
        assert_eq!(expected.key.path, "a b/ä~");
        for spelling in [
            "1/b/a%20b/%c3%a4~",
            "1/b/a%20b%2F%C3%A4%7E",
            "1/b/%61%20b/%C3%A4~",
        ] {
            assert_eq!(parse(spelling).unwrap(), expected, "{spelling}");
        }
    }

    #[test]
    fn no_path_leaves_its_bucket() {
        for path in [
            "1/b/../x",
            "1/b/a/%2e%2e/x",
            "1/b/a/..",
            "1/b/./x",
            "1/b/a%2F..%2Fx",
        ] {
            assert_eq!(parse(path).unwrap_err().code, codes::URL, "{path}");
        }
        for bucket in ["..", ".", "", "a%2Fb", ".hidden"] {
            assert_eq!(
                parse(&format!("1/{bucket}/x")).unwrap_err().code,
                codes::BAD_NAME,
                "{bucket}"
            );
        }
    }

    #[test]
    fn empty_segments_are_refused_or_collapsed() {
        assert_eq!(parse("1/b/a//c").unwrap_err().code, codes::URL);
        let collapsed = Target::parse("1/b//a//c", PathNormalisation::Collapse).unwrap();
        assert_eq!(collapsed.key.path, "a/c");
    }

    #[test]
    fn a_trailing_slash_makes_a_directory() {
        let target = parse("1/b/a/").unwrap();
        assert!(target.is_directory);
        assert_eq!(target.resource_path(), "/1/b/a/");
        assert!(parse("1/b").unwrap().is_directory);
    }

    #[test]
    fn a_path_may_have_850_bytes_and_no_more() {
        assert!(parse(&format!("1/b/{}", "x".repeat(850))).is_ok());
        assert_eq!(
            parse(&format!("1/b/{}", "x".repeat(851))).unwrap_err().code,
            codes::BAD_NAME
        );
    }

    #[test]
    fn a_download_address_may_have_hyphens_in_its_bucket() {
        let target = Target::parse_download("my-bucket-125/a/b").unwrap();
        assert_eq!(
            (target.key.bucket.as_str(), target.app_id.as_str()),
            ("my-bucket", "125")
        );
    }
}
