//! Where an object is: app id, bucket and path, and how the three are written into addresses and signatures.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The longest path that the service takes, in bytes before encoding (the limits page).
pub const MAX_PATH_BYTES: usize = 850;

/// Everything but RFC 3986's unreserved characters is encoded: no server can take those for anything else.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An object's place: valid by construction.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    app_id: String,
    bucket: String,
    path: String,
}

/// Why three texts are no [`Location`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocationError {
    /// The argument at fault: `app_id`, `bucket` or `path`.
    pub argument: &'static str,
    /// What is wrong with it, and what to do.
    pub problem: &'static str,
}

impl fmt::Display for LocationError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.argument, self.problem)
    }
}

impl std::error::Error for LocationError {}

impl Location {
    /// The object at `path` of a bucket; the path may begin with one slash or without.
    ///
    /// # Errors
    ///
    /// Names the argument that can't be part of an address. Nothing is changed silently: a path with `..`, an empty
    /// segment or control characters is refused, since the service might read it as another one.
    pub fn new(app_id: &str, bucket: &str, path: &str) -> Result<Self, LocationError> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let refuse = |argument| move |problem| LocationError { argument, problem };
        check_app_id(app_id).map_err(refuse("app_id"))?;
        check_bucket(bucket).map_err(refuse("bucket"))?;
        check_path(path).map_err(refuse("path"))?;
        Ok(Self {
            app_id: app_id.to_owned(),
            bucket: bucket.to_owned(),
            path: path.to_owned(),
        })
    }

    /// The app id, decimal digits.
    pub fn app_id(&self) -> &str {
        &self.app_id
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The path within the bucket, unencoded and without a leading slash.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The request target for an API under `prefix`, such as `/files/v2`.
    pub fn target(&self, prefix: &str) -> String {
        self.behind(prefix, &self.path)
    }

    /// What a signature for this object is bound to: `/appid/bucket/path`, encoded as in the address.
    pub fn file_id(&self) -> String {
        self.file_id_of(&self.path)
    }

    /// The same for another path of the bucket, such as [`Location::directory`].
    pub fn file_id_of(&self, path: &str) -> String {
        self.behind("", path)
    }

    fn behind(&self, prefix: &str, path: &str) -> String {
        // What has to be encoded becomes longer, and is rare.
        let length = prefix.len() + self.app_id.len() + self.bucket.len() + path.len() + 3;
        let mut text = String::with_capacity(length);
        for part in [prefix, "/", &self.app_id, "/", &self.bucket] {
            text.push_str(part);
        }
        for segment in path.split('/') {
            text.push('/');
            text.extend(utf8_percent_encode(segment, ENCODED));
        }
        text
    }

    /// How many directories the object is in: 0 where it is in the bucket itself.
    pub fn depth(&self) -> u32 {
        u32::try_from(self.path.matches('/').count()).unwrap_or(u32::MAX)
    }

    /// The directory that the path's first `level` segments name, unencoded, with a slash at its end; all of them for a
    /// higher level.
    pub fn directory(&self, level: u32) -> String {
        let segments = self.path.split('/').take(level as usize);
        segments.flat_map(|segment| [segment, "/"]).collect()
    }
}

/// `bucket/path`, as messages name an object.
impl fmt::Display for Location {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.bucket, self.path)
    }
}

fn check_app_id(app_id: &str) -> Result<(), &'static str> {
    if app_id.is_empty() {
        return Err("it is empty; give the account's app id");
    }
    if !app_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("it has characters other than decimal digits; give the account's numeric app id");
    }
    Ok(())
}

fn check_bucket(bucket: &str) -> Result<(), &'static str> {
    if bucket.is_empty() {
        return Err("it is empty; give the bucket's name");
    }
    if !bucket
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    {
        return Err("a bucket's name has only letters, digits, '.', '_' and '-'; check it");
    }
    if matches!(bucket, "." | "..") {
        return Err("'.' and '..' are no bucket names; check it");
    }
    Ok(())
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        return Err("it is empty; give the object's name within the bucket");
    }
    if path.len() > MAX_PATH_BYTES {
        return Err("it is longer than 850 bytes; choose a shorter one");
    }
    if path.chars().any(char::is_control) {
        return Err("it has control characters; remove them");
    }
    if path.ends_with('/') {
        return Err("it ends with '/', which names a directory; add the object's name");
    }
    if path.split('/').any(str::is_empty) {
        return Err("it has an empty segment ('//'); remove the extra '/'");
    }
    if path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("it has a '.' or '..' segment; write the path out");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(path: &str) -> Result<Location, LocationError> {
        Location::new("10055004", "accesslog", path)
    }

    #[test]
    fn a_leading_slash_makes_no_difference() {
        assert_eq!(at("/testfolder/111.txt"), at("testfolder/111.txt"));
        assert_eq!(at("/testfolder/111.txt").unwrap().path(), "testfolder/111.txt");
    }

    #[test]
    fn directories_are_named_by_the_segments_above_the_object() {
        let location = at("a b/c/object").unwrap();
        assert_eq!(location.depth(), 2);
        assert_eq!(
            (location.directory(1), location.directory(2)),
            ("a b/".into(), "a b/c/".into())
        );
        assert_eq!(location.directory(7), "a b/c/object/");
        assert_eq!(
            location.file_id_of(&location.directory(2)),
            "/10055004/accesslog/a%20b/c/"
        );
        assert_eq!(at("object").unwrap().depth(), 0);
    }

    #[test]
    fn everything_but_unreserved_characters_is_encoded_in_upper_case() {
        let location = at("a b/~-._Z9/+*'()!&=%?#:@\u{e9}\u{4e2d}").unwrap();
        let encoded =
            "/10055004/accesslog/a%20b/~-._Z9/%2B%2A%27%28%29%21%26%3D%25%3F%23%3A%40%C3%A9%E4%B8%AD";
        assert_eq!(location.file_id(), encoded);
        assert_eq!(location.target("/files/v2"), format!("/files/v2{encoded}"));
    }

    #[test]
    fn what_can_not_be_an_address_is_refused_with_the_argument_s_name() {
        let bad_paths = [
            "", "/", "//a", "a//b", "a/", ".", "..", "a/../b", "./a", "a\nb", "a\u{7f}", "a\u{85}b", "a\0",
        ];
        for path in bad_paths {
            assert_eq!(at(path).unwrap_err().argument, "path", "{path:?}");
        }
        for bucket in ["", ".", "..", "a/b", "a b", "b\u{e9}", "a\r\nb", "a?b", "a&b"] {
            assert_eq!(
                Location::new("1", bucket, "a").unwrap_err().argument,
                "bucket",
                "{bucket:?}"
            );
        }
        for app_id in ["", "12a", "-1", " 1", "\u{0661}"] {
            assert_eq!(
                Location::new(app_id, "b", "a").unwrap_err().argument,
                "app_id",
                "{app_id:?}"
            );
        }
        assert_eq!(
            at("a/").unwrap_err().to_string(),
            "path: it ends with '/', which names a directory; add the object's name"
        );
    }

    #[test]
    fn the_longest_path_has_850_bytes() {
        assert!(at(&"x".repeat(850)).is_ok());
        assert!(at(&format!("/{}", "x".repeat(850))).is_ok());
        assert!(at(&"x".repeat(851)).is_err());
        assert!(
            at(&"\u{4e2d}".repeat(284)).is_err(),
            "850 counts bytes, not characters"
        );
    }

    #[test]
    fn names_that_only_look_like_dots_are_ordinary() {
        for path in ["...", ".a", "a.", "..a/b..", "a/.../b"] {
            assert!(at(path).is_ok(), "{path:?}");
        }
    }

    #[test]
    fn a_place_tells_its_parts_and_is_named_by_bucket_and_path() {
        let location = at("/testfolder/a b.txt").unwrap();
        assert_eq!(
            (location.app_id(), location.bucket(), location.path()),
            ("10055004", "accesslog", "testfolder/a b.txt")
        );
        assert_eq!(location.to_string(), "accesslog/testfolder/a b.txt");
    }

    proptest! {
        #[test]
        fn decoding_the_target_gives_the_path_back(path in "(\\PC|/){1,60}") {
            if let Ok(location) = at(&path) {
                let file_id = location.file_id();
                prop_assert!(file_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)), "{file_id}");
                let decoded = percent_encoding::percent_decode_str(&file_id).decode_utf8().unwrap();
                prop_assert_eq!(decoded, format!("/10055004/accesslog/{}", location.path()));
                prop_assert_eq!(file_id.matches('/').count(), 3 + location.path().matches('/').count());
            }
        }
    }
}
