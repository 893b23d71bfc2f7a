//! What can be set, the range of each value, and the defaults: the one place for these facts.

use std::sync::Arc;
use std::time::Duration;

pub use crate::protocol::dialect::DEFAULT_SLICE_SIZE;
use crate::protocol::dialect::SliceSizes;
use crate::protocol::{Api, MAX_OBJECT_SIZE, MAX_SINGLE_REQUEST_SIZE};

/// Requests in flight per client unless set; at most so many are the worker threads, too.
pub const DEFAULT_CONNECTIONS: Connections = Connections::Adaptive(16);
/// The most connections that a client may have.
pub const MAX_CONNECTIONS: u32 = 256;
/// The largest step of the running digests, in bytes, and so the service's largest slice size while hashing is on.
pub const MAX_HASHED_SLICE_SIZE: u64 = 1 << 20;
/// The longest `biz_attr`, in bytes; the service documents no limit, and this keeps requests small.
pub const MAX_BIZ_ATTR: usize = 4096;
/// The lowest rate that can be set, in bytes per second; below, a request takes longer than a server waits for one.
pub const MIN_RATE_LIMIT: u64 = 1 << 10;
/// The highest rate that can be set, in bytes per second: what a double still counts exactly.
pub const MAX_RATE_LIMIT: u64 = 1 << 53;
/// The longest waiting time that can be set: a day.
pub const MAX_TIME_LIMIT: Duration = Duration::from_secs(86_400);

/// How many requests may be in flight at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// So many, whatever comes of it: 1 to [`MAX_CONNECTIONS`].
    Fixed(u32),
    /// As many as serve the goodput, as the link and the server let find out, and never more than this: 1 to
    /// [`MAX_CONNECTIONS`].
    Adaptive(u32),
}

impl Connections {
    /// How many there are at most, which is the number of worker threads, too.
    #[must_use]
    pub fn most(self) -> u32 {
        match self {
            Self::Fixed(most) | Self::Adaptive(most) => most,
        }
    }

    /// Checks the range.
    ///
    /// # Errors
    /// Which values are acceptable, behind the name of the setting.
    pub fn validate(self) -> Result<(), OptionError> {
        let (setting, most) = match self {
            Self::Fixed(most) => ("connections", most),
            Self::Adaptive(most) => ("adaptive_connections", most),
        };
        match (1..=MAX_CONNECTIONS).contains(&most) {
            true => Ok(()),
            false => Err(format!("{setting}: {most} is not within 1 to {MAX_CONNECTIONS}")),
        }
    }
}

/// A fixed number.
impl From<u32> for Connections {
    fn from(number: u32) -> Self {
        Self::Fixed(number)
    }
}

/// How failed requests are repeated.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// The upper bound of the first wait; each further failure doubles it.
    pub first_delay: Duration,
    /// Where the doubling ends.
    pub longest_delay: Duration,
    /// A request is given up after this many attempts …
    pub attempts: u32,
    /// … or when it has been failing for so long.
    pub failing_for: Duration,
    /// The attempts while the server has never answered anything: a wrong endpoint should not take minutes.
    pub attempts_unanswered: u32,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(15),
            attempts: 10,
            failing_for: Duration::from_secs(120),
            attempts_unanswered: 4,
        }
    }
}

/// What holds for all uploads of a client.
#[derive(Clone, Copy, Debug)]
pub struct ClientOptions {
    /// Requests in flight at once.
    pub connections: Connections,
    /// Hashing tasks in flight at once, those of sources that may block not counted; at least 1.
    pub hashers: u32,
    /// What the service is spoken to in.
    pub api: Api,
    /// Whether the signer has to be asked for each signature that is kept for a while, by a task of its own.
    pub asks_signer: bool,
    /// Whether events are wanted: [`super::Client::take_events`].
    pub events: bool,
    /// How failed requests are repeated.
    pub retry: RetryPolicy,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connections: DEFAULT_CONNECTIONS,
            hashers: 1,
            api: Api::default(),
            asks_signer: false,
            events: false,
            retry: RetryPolicy::default(),
        }
    }
}

/// What holds for one upload.
#[derive(Clone, Debug)]
pub struct UploadOptions {
    /// The slice size to ask for, one of `slice_sizes`, in bytes; the server's answer is obeyed.
    pub slice_size: u64,
    /// The slice sizes that the store takes; an upload of the engine has its client's.
    pub slice_sizes: SliceSizes,
    /// Whether to take the SHA-1 first: instant upload, verification by the server, safe resumption.
    pub hash: bool,
    /// Whether an object of this name may be replaced.
    pub overwrite: bool,
    /// Whether somebody else's unfinished upload at this path may be thrown away.
    pub discard_unfinished: bool,
    /// Whether to compare the server's record with the source at the end.
    pub verify: bool,
    /// Whether to make the directories above the object where the service says that one is missing.
    pub create_parents: bool,
    /// An attribute that the service keeps for the application.
    pub biz_attr: Option<Arc<str>>,
    /// Sources up to this many bytes go in one `upload` request instead of slices; at most 20 MiB.
    pub single_request_limit: u64,
    /// The most time that the whole upload may take.
    pub deadline: Option<Duration>,
}

impl Default for UploadOptions {
    fn default() -> Self {
        Self {
            slice_size: DEFAULT_SLICE_SIZE,
            slice_sizes: SliceSizes::default(),
            hash: true,
            overwrite: false,
            discard_unfinished: false,
            verify: true,
            create_parents: false,
            biz_attr: None,
            single_request_limit: 0,
            deadline: None,
        }
    }
}

/// A setting that is not acceptable: which, and what would be.
pub type OptionError = String;

impl ClientOptions {
    /// Checks the ranges.
    pub fn validate(&self) -> Result<(), OptionError> {
        self.connections.validate()
    }
}

impl UploadOptions {
    /// Checks the ranges, and what the settings and the protocol demand of each other.
    pub fn validate(&self, api: Api) -> Result<(), OptionError> {
        if api.rules().needs_digest && !self.hash {
            return Err(format!(
                "hash: {} demands the SHA-1 of the content; turn hashing on",
                api.name()
            ));
        }
        validate_slice_size(self.slice_size, &self.slice_sizes)?;
        if self.hash && self.slice_size > MAX_HASHED_SLICE_SIZE && !self.slice_sizes.is_own() {
            return Err(format!(
                "slice_size: {} is only possible with hashing off; with it the largest is {MAX_HASHED_SLICE_SIZE}",
                self.slice_size
            ));
        }
        if self.single_request_limit > MAX_SINGLE_REQUEST_SIZE {
            return Err(format!(
                "single_request_limit: {} is above the service's {MAX_SINGLE_REQUEST_SIZE} bytes",
                self.single_request_limit
            ));
        }
        if let Some(biz_attr) = &self.biz_attr {
            validate_biz_attr(biz_attr)?;
        }
        if let Some(deadline) = self.deadline {
            if deadline.is_zero() {
                return Err("deadline: must be more than 0".into());
            }
        }
        Ok(())
    }
}

/// Checks a slice size against those that a store takes.
pub fn validate_slice_size(bytes: u64, sizes: &SliceSizes) -> Result<(), OptionError> {
    if sizes.contains(bytes) {
        return Ok(());
    }
    Err(format!("slice_size: {bytes} is not one of {sizes}"))
}

/// Checks a rate limit, in bytes per second.
pub fn validate_rate_limit(bytes_per_second: u64) -> Result<(), OptionError> {
    match (MIN_RATE_LIMIT..=MAX_RATE_LIMIT).contains(&bytes_per_second) {
        true => Ok(()),
        false => Err(format!(
            "rate_limit: {bytes_per_second} is not within {MIN_RATE_LIMIT} to {MAX_RATE_LIMIT} bytes per second"
        )),
    }
}

/// Checks a `biz_attr`.
pub fn validate_biz_attr(biz_attr: &str) -> Result<(), OptionError> {
    if biz_attr.len() > MAX_BIZ_ATTR {
        return Err(format!(
            "biz_attr: {} bytes are more than {MAX_BIZ_ATTR}",
            biz_attr.len()
        ));
    }
    if biz_attr.chars().any(char::is_control) {
        return Err("biz_attr: control characters are not accepted".into());
    }
    Ok(())
}

/// Checks a source's size against the service's limit.
pub fn validate_size(bytes: u64) -> Result<(), OptionError> {
    if bytes > MAX_OBJECT_SIZE {
        return Err(format!(
            "the source has {bytes} bytes, and the service takes at most {MAX_OBJECT_SIZE}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(options: UploadOptions) -> Option<String> {
        options.validate(Api::FilesV2).err()
    }

    #[test]
    fn without_the_sha_1_an_upload_may_be_made_in_v2_alone() {
        let options = UploadOptions {
            hash: false,
            ..UploadOptions::default()
        };
        assert!(options.validate(Api::FilesV2).is_ok());
        assert!(
            options
                .validate(Api::FilesV1)
                .unwrap_err()
                .starts_with("hash: files/v1")
        );
        assert!(UploadOptions::default().validate(Api::FilesV1).is_ok());
    }

    #[test]
    fn a_client_has_1_to_256_connections() {
        let check = |connections| {
            let options = ClientOptions {
                connections,
                ..ClientOptions::default()
            };
            options.validate()
        };
        for (kind, setting) in [
            (Connections::Fixed as fn(u32) -> Connections, "connections"),
            (Connections::Adaptive, "adaptive_connections"),
        ] {
            assert_eq!((check(kind(1)), check(kind(256))), (Ok(()), Ok(())));
            for number in [0, 257, u32::MAX] {
                let problem = format!("{setting}: {number} is not within 1 to 256");
                assert_eq!(check(kind(number)), Err(problem));
            }
        }
    }

    #[test]
    fn the_documented_slice_sizes_are_taken_and_the_large_ones_only_without_hashing() {
        let check = |slice_size, hash| {
            problem(UploadOptions {
                slice_size,
                hash,
                ..UploadOptions::default()
            })
        };
        for slice_size in [524_288, 1_048_576] {
            assert_eq!((check(slice_size, true), check(slice_size, false)), (None, None));
        }
        for slice_size in [2_097_152, 3_145_728] {
            let text = check(slice_size, true).unwrap();
            assert!(text.contains("only possible with hashing off"), "{text}");
            assert_eq!(check(slice_size, false), None);
        }
        for slice_size in [0, 1, 524_287, 524_289, 4_194_304, u64::MAX] {
            for hash in [false, true] {
                let text = check(slice_size, hash).unwrap();
                assert_eq!(
                    text,
                    format!("slice_size: {slice_size} is not one of 524288, 1048576, 2097152, 3145728")
                );
            }
        }
    }

    #[test]
    fn a_stores_own_slice_sizes_hold_with_hashing_too() {
        let check = |slice_size, hash| {
            problem(UploadOptions {
                slice_size,
                slice_sizes: SliceSizes::own(&[4 << 20, 65_536]).unwrap(),
                hash,
                ..UploadOptions::default()
            })
        };
        for hash in [true, false] {
            assert_eq!((check(4 << 20, hash), check(65_536, hash)), (None, None));
            let said = check(1 << 20, hash).unwrap();
            assert_eq!(said, "slice_size: 1048576 is not one of 4194304, 65536");
        }
    }

    #[test]
    fn one_request_takes_at_most_20_mib() {
        let check = |single_request_limit| {
            problem(UploadOptions {
                single_request_limit,
                ..UploadOptions::default()
            })
        };
        assert_eq!((check(0), check(20_971_520)), (None, None));
        let text = check(20_971_521).unwrap();
        assert!(text.starts_with("single_request_limit: 20971521"), "{text}");
        assert!(check(u64::MAX).is_some());
    }

    #[test]
    fn an_attribute_has_at_most_4096_bytes_and_no_control_characters() {
        let check = |text: &str| {
            problem(UploadOptions {
                biz_attr: Some(text.into()),
                ..UploadOptions::default()
            })
        };
        assert_eq!((check(""), check(&"x".repeat(4096))), (None, None));
        assert_eq!(
            check(&"x".repeat(4097)).as_deref(),
            Some("biz_attr: 4097 bytes are more than 4096")
        );
        for text in ["a\r\nb", "\0", "\u{7f}", "\u{85}"] {
            let problem = check(text).unwrap();
            assert!(problem.contains("control characters"), "{text:?}: {problem}");
        }
    }

    #[test]
    fn a_deadline_is_in_the_future() {
        let check = |deadline| {
            problem(UploadOptions {
                deadline: Some(deadline),
                ..UploadOptions::default()
            })
        };
        assert_eq!(check(Duration::from_millis(1)), None);
        assert!(check(Duration::ZERO).unwrap().starts_with("deadline: "));
    }

    #[test]
    fn the_service_takes_64_gib_and_no_more() {
        assert_eq!(
            (validate_size(0), validate_size(68_719_476_736)),
            (Ok(()), Ok(()))
        );
        let text = validate_size(68_719_476_737).unwrap_err();
        assert!(text.contains("68719476737 bytes"), "{text}");
        assert!(validate_size(u64::MAX).is_err());
    }
}
