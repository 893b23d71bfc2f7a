//! Numbers that C passes: signed, so that a negative one is refused as what it is and not taken for a huge one.

use std::time::Duration;

use crate::engine::log::Level;
use crate::protocol::Api;
use crate::protocol::dialect::SliceSizes;
use crate::protocol::signature::{self, Kind, Scope};
use crate::upload::error::Error;
use crate::upload::options::{self, Connections, MAX_TIME_LIMIT, UploadOptions};

/// The longest deadline for a whole upload: a year, which the largest object takes at 17 kbit/s.
pub(super) const MAX_DEADLINE: Duration = Duration::from_secs(365 * 86_400);

/// A time limit for one phase of a request.
pub(super) fn time_limit(setting: &str, ms: i64) -> Result<Duration, Error> {
    milliseconds(setting, ms, MAX_TIME_LIMIT)
}

/// A time limit for a whole upload.
pub(super) fn deadline(ms: i64) -> Result<Duration, Error> {
    milliseconds("deadline_ms", ms, MAX_DEADLINE)
}

/// How long signatures are good for.
pub(super) fn signature_lifetime(seconds: i64) -> Result<Duration, Error> {
    let lifetime = u64::try_from(seconds).ok().map(Duration::from_secs);
    let lifetime = lifetime.filter(|lifetime| signature::check_lifetime(*lifetime).is_ok());
    lifetime.ok_or_else(|| {
        Error::invalid(format!(
            "signature_lifetime_s: {seconds} is not within 1 to {} seconds (90 days), which is the longest that the service takes",
            signature::MAX_LIFETIME.as_secs()
        ))
    })
}

/// What signatures are good for.
pub(super) fn signature_scope(number: i32) -> Result<Scope, Error> {
    let found = Scope::ALL.iter().find(|scope| scope.number() == number);
    found.copied().ok_or_else(|| {
        Error::invalid(format!(
            "signature_scope: {number} is none; pass one of COS_SLICE_SIGNATURE_SCOPE_*"
        ))
    })
}

/// What a log is told.
pub(super) fn log_level(number: i32) -> Result<Level, Error> {
    let found = Level::ALL.iter().find(|level| level.number() == number);
    found
        .copied()
        .ok_or_else(|| Error::invalid(format!("level: {number} is none; pass one of COS_SLICE_LOG_*")))
}

/// Which kind of signature is wanted.
pub(super) fn signature_kind(number: i32) -> Result<Kind, Error> {
    let found = Kind::ALL.iter().find(|kind| kind.number() == number);
    found.copied().ok_or_else(|| {
        Error::invalid(format!(
            "kind: {number} is none; pass COS_SLICE_SIGNATURE_MULTI_EFFECT or COS_SLICE_SIGNATURE_ONE_TIME"
        ))
    })
}

fn milliseconds(setting: &str, ms: i64, most: Duration) -> Result<Duration, Error> {
    let limit = u64::try_from(ms).ok().map(Duration::from_millis);
    limit
        .filter(|limit| !limit.is_zero() && *limit <= most)
        .ok_or_else(|| {
            Error::invalid(format!(
                "{setting}: {ms} is not within 1 to {} milliseconds",
                most.as_millis()
            ))
        })
}

/// How many requests may be in flight.
pub(super) fn connections(number: i32, kind: fn(u32) -> Connections) -> Result<Connections, Error> {
    let connections = kind(u32::try_from(number).unwrap_or(0));
    let checked = connections.validate();
    // What is said of 0 holds for a negative number.
    checked.map_err(|text| Error::invalid(text.replacen(": 0 ", &format!(": {number} "), 1)))?;
    Ok(connections)
}

/// How many bytes a second may be sent; 0 is no limit.
pub(super) fn rate_limit(bytes_per_second: i64) -> Result<Option<u64>, Error> {
    if bytes_per_second == 0 {
        return Ok(None);
    }
    let rate = unsigned("rate_limit", bytes_per_second)?;
    options::validate_rate_limit(rate).map_err(Error::invalid)?;
    Ok(Some(rate))
}

/// A protocol by its number.
pub(super) fn api(number: i32) -> Result<Api, Error> {
    let found = Api::ALL.into_iter().find(|api| api.number() == number);
    found.ok_or_else(|| {
        let known = Api::ALL.map(|api| format!("{} ({})", api.number(), api.name()));
        Error::invalid(format!("api: {number} is not one of {}", known.join(", ")))
    })
}

/// A slice size of those that a store takes; whether hashing allows it is known when the upload is run.
pub(super) fn slice_size(bytes: i64, sizes: &SliceSizes) -> Result<u64, Error> {
    let size = unsigned("slice_size", bytes)?;
    options::validate_slice_size(size, sizes).map_err(Error::invalid)?;
    Ok(size)
}

/// Up to which size a source goes in one request.
pub(super) fn single_request_limit(bytes: i64) -> Result<u64, Error> {
    let single_request_limit = unsigned("single_request_limit", bytes)?;
    let options = UploadOptions {
        single_request_limit,
        ..UploadOptions::default()
    };
    options.validate(Api::default()).map_err(Error::invalid)?;
    Ok(single_request_limit)
}

/// A number of bytes, or -1 for one that is not known.
pub(super) fn size_or_unknown(setting: &str, bytes: i64) -> Result<Option<u64>, Error> {
    match bytes {
        -1 => Ok(None),
        0.. => unsigned(setting, bytes).map(Some),
        _ => Err(Error::invalid(format!(
            "{setting}: {bytes} is negative; give bytes, or -1 for all that there are"
        ))),
    }
}

/// A number of bytes.
pub(super) fn unsigned(setting: &str, bytes: i64) -> Result<u64, Error> {
    u64::try_from(bytes).map_err(|_| Error::invalid(format!("{setting}: {bytes} is negative; give bytes")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice_size(bytes: i64) -> Result<u64, Error> {
        super::slice_size(bytes, &SliceSizes::default())
    }

    #[test]
    fn numbers_outside_their_range_are_refused_by_the_setting_s_name() {
        for ms in [i64::MIN, -1, 0, 86_400_001, i64::MAX] {
            let text = time_limit("stall_timeout_ms", ms).unwrap_err().message;
            assert_eq!(
                text,
                format!("stall_timeout_ms: {ms} is not within 1 to 86400000 milliseconds")
            );
        }
        for ms in [i64::MIN, -1, 0, 31_536_000_001, i64::MAX] {
            assert!(
                deadline(ms).unwrap_err().message.starts_with("deadline_ms: "),
                "{ms}"
            );
        }
        for count in [i32::MIN, -1, 0, 257, i32::MAX] {
            let text = connections(count, Connections::Fixed).unwrap_err().message;
            assert_eq!(text, format!("connections: {count} is not within 1 to 256"));
            let text = connections(count, Connections::Adaptive).unwrap_err().message;
            assert_eq!(
                text,
                format!("adaptive_connections: {count} is not within 1 to 256")
            );
        }
        for seconds in [i64::MIN, -1, 0, 7_776_001, i64::MAX] {
            let text = signature_lifetime(seconds).unwrap_err().message;
            assert!(
                text.starts_with(&format!(
                    "signature_lifetime_s: {seconds} is not within 1 to 7776000 seconds (90 days)"
                )),
                "{text}"
            );
        }
        for number in [i32::MIN, -1, 4, i32::MAX] {
            let text = signature_scope(number).unwrap_err().message;
            assert!(text.starts_with(&format!("signature_scope: {number} ")), "{text}");
            let text = signature_kind(number).unwrap_err().message;
            assert!(text.starts_with(&format!("kind: {number} ")), "{text}");
        }
        for number in [i32::MIN, -1, 0, 5, i32::MAX] {
            let text = log_level(number).unwrap_err().message;
            assert!(text.starts_with(&format!("level: {number} ")), "{text}");
        }
        for bytes in [i64::MIN, -1, 0, 1, 1 << 19 | 1, 4 << 20, i64::MAX] {
            assert!(
                slice_size(bytes).unwrap_err().message.starts_with("slice_size: "),
                "{bytes}"
            );
        }
        for rate in [i64::MIN, -1, 1, 1023, (1 << 53) + 1, i64::MAX] {
            let text = rate_limit(rate).unwrap_err().message;
            assert!(text.starts_with(&format!("rate_limit: {rate} is ")), "{text}");
        }
        for bytes in [i64::MIN, -1, (20 << 20) + 1, i64::MAX] {
            let text = single_request_limit(bytes).unwrap_err().message;
            assert!(text.starts_with("single_request_limit: "), "{text}");
        }
    }

    #[test]
    fn numbers_at_the_ends_of_their_range_are_taken() {
        assert_eq!(time_limit("x", 1).unwrap(), Duration::from_millis(1));
        assert_eq!(time_limit("x", 86_400_000).unwrap(), MAX_TIME_LIMIT);
        assert_eq!(deadline(31_536_000_000).unwrap(), MAX_DEADLINE);
        for seconds in [1, 7_776_000] {
            let lifetime = signature_lifetime(seconds).unwrap();
            assert_eq!(lifetime.as_secs(), seconds as u64);
        }
        assert_eq!(
            (signature_scope(0).unwrap(), signature_scope(3).unwrap()),
            (Scope::Path, Scope::Unbound)
        );
        assert_eq!(
            (signature_kind(0).unwrap(), signature_kind(1).unwrap()),
            (Kind::MultiEffect, Kind::OneTime)
        );
        assert_eq!(
            (log_level(1).unwrap(), log_level(4).unwrap()),
            (Level::Error, Level::Debug)
        );
        assert_eq!(
            (
                connections(1, Connections::Fixed).unwrap(),
                connections(256, Connections::Adaptive).unwrap()
            ),
            (Connections::Fixed(1), Connections::Adaptive(256))
        );
        assert_eq!(
            [0, 1024, 1 << 53].map(|rate| rate_limit(rate).unwrap()),
            [None, Some(1024), Some(1 << 53)]
        );
        assert_eq!(
            (slice_size(1 << 19).unwrap(), slice_size(3 << 20).unwrap()),
            (1 << 19, 3 << 20)
        );
        assert_eq!(
            (
                single_request_limit(0).unwrap(),
                single_request_limit(20 << 20).unwrap()
            ),
            (0, 20 << 20)
        );
    }
}
