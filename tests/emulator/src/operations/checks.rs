//! Checks that several operations share.

use super::{Call, FILE_LIMIT, MEBIBYTE, Service};
use crate::api::Api;
use crate::codes::{self, Refusal};
use crate::form::Form;
use crate::switches::{SlicePolicy, Strictness, ZeroFileSize};
use crate::target::ObjectKey;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// Chosen: the service states no bound.
const BIZ_ATTR_LIMIT: usize = 64 * 1024;
/// The four sizes of the init page.
const DOCUMENTED_SLICE_SIZES: [u64; 4] = [524_288, 1_048_576, 2_097_152, 3_145_728];
/// What the clients of `files/v1` let their users choose; its page has no such field.
const V1_SLICE_SIZES: RangeInclusive<u64> = 524_288..=20_971_520;
/// A running state exists only at the end of a block of SHA-1.
const SHA1_BLOCK: u64 = 64;

/// The running states told at init.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RunningStates {
    /// Bytes from one state to the next; 0 when none were told.
    pub(super) granularity: u64,
    /// 40 lower-case hex digits each; the last entry of `uploadparts` is not among them, being the digest of
    /// the file.
    pub(super) states: Vec<String>,
}

#[derive(Deserialize)]
struct UploadPart {
    offset: u64,
    datalen: u64,
    datasha: String,
}

fn is_sha(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The field `sha`, in lower case.
pub(super) fn sha(form: &Form) -> Result<Option<String>, Refusal> {
    let Some(text) = form.text("sha")? else {
        return Ok(None);
    };
    if !is_sha(text) {
        return Err(codes::SHA_MALFORMED.because(format!("sha is {text:?}, not 40 hex digits")));
    }
    Ok(Some(text.to_ascii_lowercase()))
}

/// The field `insertOnly`; do not overwrite is the documented default.
pub(super) fn insert_only(form: &Form) -> Result<bool, Refusal> {
    match form.text("insertOnly")? {
        None | Some("1") => Ok(true),
        Some("0") => Ok(false),
        Some(other) => Err(codes::BAD_PARAMETER.because(format!("insertOnly is {other:?}, neither 0 nor 1"))),
    }
}

/// The field `biz_attr`, as it came.
pub(super) fn biz_attr(form: &Form) -> Result<String, Refusal> {
    let bytes = form.bytes("biz_attr").cloned().unwrap_or_default();
    if bytes.len() > BIZ_ATTR_LIMIT {
        return Err(codes::BAD_PARAMETER.because(format!("biz_attr is longer than {BIZ_ATTR_LIMIT} bytes")));
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| codes::BAD_PARAMETER.because("biz_attr is not UTF-8"))
}

pub(super) fn required_number(form: &Form, name: &str) -> Result<u64, Refusal> {
    form.number(name)?
        .ok_or_else(|| codes::BAD_PARAMETER.because(format!("the field {name:?} is missing")))
}

/// What every slice brings.
pub(super) struct Slice<'a> {
    pub(super) session: &'a str,
    pub(super) offset: u64,
    pub(super) content: &'a [u8],
}

/// The fields of a slice.
pub(super) fn slice(form: &Form) -> Result<Slice<'_>, Refusal> {
    let session = form.text("session")?;
    Ok(Slice {
        session: session.ok_or_else(|| codes::SESSION_INVALID.because("the field \"session\" is missing"))?,
        offset: required_number(form, "offset")?,
        content: form
            .bytes("filecontent")
            .ok_or_else(|| codes::NO_FILECONTENT.because("the field \"filecontent\" is missing"))?,
    })
}

impl Service<'_> {
    /// The field `filesize` of an init.
    pub(super) fn init_filesize(&self, form: &Form) -> Result<u64, Refusal> {
        let filesize = required_number(form, "filesize")?;
        match (filesize, self.switches.zero_filesize) {
            (0, ZeroFileSize::SizeZero) => {
                Err(codes::FILE_SIZE_ZERO.because("filesize is 0; use upload for an empty file"))
            }
            (0, ZeroFileSize::BadParameter) => Err(codes::BAD_PARAMETER.because("filesize is 0")),
            (size, _) if size > FILE_LIMIT => {
                Err(codes::FILE_TOO_LARGE.because(format!("filesize is {size}, the limit is {FILE_LIMIT}")))
            }
            (size, _) => Ok(size),
        }
    }

    /// The slice size to be used, from the one asked for.
    pub(super) fn slice_size(&self, call: &Call) -> Result<u64, Refusal> {
        let sizes = &self.switches.slice_sizes.0;
        let asked = match call.api {
            Api::V1 => {
                let told = call.form.number("slice_size")?;
                told.or(sizes.first().copied()).unwrap_or(MEBIBYTE)
            }
            Api::V2 => required_number(&call.form, "slice_size")?,
        };
        if sizes.contains(&asked) {
            return Ok(asked);
        }
        if !sizes.is_empty() {
            return Err(bad_slice_size(asked, &format!("one of {sizes:?}")));
        }
        let (accepted, expected) = match self.switches.slice_policy {
            SlicePolicy::S2 if call.api == Api::V1 => (V1_SLICE_SIZES.contains(&asked), "524288 to 20971520"),
            SlicePolicy::S2 => (
                DOCUMENTED_SLICE_SIZES.contains(&asked),
                "524288, 1048576, 2097152 or 3145728",
            ),
            SlicePolicy::Only1M => (asked == MEBIBYTE, "1048576"),
            SlicePolicy::ClampTo1M => return clamped(asked, MEBIBYTE),
            SlicePolicy::ClampTo512K => return clamped(asked, MEBIBYTE / 2),
            SlicePolicy::CsharpRange => (
                (65_536..=3 * MEBIBYTE).contains(&asked) && (asked <= MEBIBYTE || asked % MEBIBYTE == 0),
                "65536 to 3145728, above 1048576 only multiples of that",
            ),
        };
        if accepted {
            Ok(asked)
        } else {
            Err(bad_slice_size(asked, expected))
        }
    }

    /// The field `uploadparts`, checked against size and sha of the file.
    pub(super) fn running_states(
        &self,
        form: &Form,
        filesize: u64,
        slice_size: u64,
        sha: Option<&str>,
    ) -> Result<RunningStates, Refusal> {
        let bad = |what: String| codes::UPLOADPARTS.because(what);
        let text = form.text("uploadparts")?;
        match (sha, text) {
            (None, None) => Ok(RunningStates::default()),
            (None, Some(_)) => Err(bad("uploadparts without sha".to_owned())),
            (Some(_), None) if self.switches.sha_without_uploadparts == Strictness::Strict => {
                Err(bad("sha without uploadparts".to_owned()))
            }
            (Some(_), _) if slice_size != MEBIBYTE && self.switches.sha_slice_size == Strictness::Strict => {
                Err(bad(format!(
                    "sha with the slice size {slice_size}; it must be {MEBIBYTE}"
                )))
            }
            (Some(_), None) => Ok(RunningStates::default()),
            (Some(sha), Some(text)) => parse_uploadparts(text, filesize, sha).map_err(bad),
        }
    }

    pub(super) fn check_parent(&self, key: &ObjectKey) -> Result<(), Refusal> {
        if self.switches.require_parent_dir == crate::switches::OnOff::On && !self.store.parent_exists(key)? {
            return Err(
                codes::FILE_NOT_EXIST.because(format!("the directory above {:?} does not exist", key.path))
            );
        }
        Ok(())
    }
}

/// Any slice size, answered with at most `most`.
fn clamped(asked: u64, most: u64) -> Result<u64, Refusal> {
    match asked {
        0 => Err(bad_slice_size(0, "above 0")),
        _ => Ok(asked.min(most)),
    }
}

fn bad_slice_size(asked: u64, expected: &str) -> Refusal {
    codes::SLICE_SIZE.because(format!("slice_size is {asked}; it must be {expected}"))
}

/// The entries must cover the file without gap in equal steps of at most 1 MiB and end with the file's own
/// digest.
fn parse_uploadparts(text: &str, filesize: u64, sha: &str) -> Result<RunningStates, String> {
    let parts: Vec<UploadPart> =
        serde_json::from_str(text).map_err(|error| format!("uploadparts: {error}"))?;
    let (last, others) = parts.split_last().ok_or("uploadparts is empty")?;
    let granularity = if others.is_empty() {
        MEBIBYTE
    } else {
        others[0].datalen
    };
    if granularity == 0 || granularity > MEBIBYTE || granularity % SHA1_BLOCK != 0 {
        return Err(format!(
            "datalen is {granularity}; it must be a multiple of {SHA1_BLOCK} up to {MEBIBYTE}"
        ));
    }
    let mut offset = 0u64;
    for (index, part) in parts.iter().enumerate() {
        let length = granularity.min(filesize.saturating_sub(offset));
        if part.offset != offset || part.datalen != length || length == 0 {
            return Err(format!(
                "entry {index} has offset {} and datalen {}; expected {offset} and {length}",
                part.offset, part.datalen
            ));
        }
        if !is_sha(&part.datasha) {
            return Err(format!(
                "entry {index} has the datasha {:?}, not 40 hex digits",
                part.datasha
            ));
        }
        offset += length;
    }
    if offset != filesize {
        return Err(format!("the entries cover {offset} of {filesize} bytes"));
    }
    if !last.datasha.eq_ignore_ascii_case(sha) {
        return Err("the last datasha is not the sha of the file".to_owned());
    }
    Ok(RunningStates {
        granularity,
        states: others
            .iter()
            .map(|part| part.datasha.to_ascii_lowercase())
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA: &str = "0c0f42741e784bbe057c9f081af51316bbf5e0b9";

    fn part(offset: u64, length: u64, datasha: &str) -> String {
        format!("{{\"offset\":{offset},\"datalen\":{length},\"datasha\":\"{datasha}\"}}")
    }

    fn parse(parts: &[String], filesize: u64) -> Result<RunningStates, String> {
        parse_uploadparts(&format!("[{}]", parts.join(",")), filesize, SHA)
    }

    #[test]
    fn states_are_taken_without_the_last_entry() {
        let other = "A".repeat(40);
        let parts = [part(0, 128, &other), part(128, 128, &other), part(256, 3, SHA)];
        let states = parse(&parts, 259).unwrap();
        assert_eq!(
            states,
            RunningStates {
                granularity: 128,
                states: vec!["a".repeat(40); 2]
            }
        );
        assert_eq!(parse(&[part(0, 3, SHA)], 3).unwrap().states, Vec::<String>::new());
    }

    #[test]
    fn every_irregularity_is_refused() {
        let good = "a".repeat(40);
        let cases = [
            (vec![], 259),
            (vec![part(0, 259, SHA)], 260),
            (vec![part(0, 128, &good), part(128, 128, SHA)], 259),
            (vec![part(0, 100, &good), part(100, 100, SHA)], 200),
            (vec![part(0, 128, &good), part(192, 128, SHA)], 256),
            (vec![part(0, 128, "x"), part(128, 128, SHA)], 256),
            (vec![part(0, 128, &good), part(128, 128, &good)], 256),
            (vec![part(0, 0, SHA)], 0),
            (vec![part(0, 2 * MEBIBYTE, SHA)], 2 * MEBIBYTE),
            (
                vec![part(0, 128, &good), part(128, 128, SHA), part(256, 0, SHA)],
                256,
            ),
        ];
        for (parts, filesize) in cases {
            assert!(parse(&parts, filesize).is_err(), "{parts:?} for {filesize}");
        }
        for text in ["", "1", "{}", "[1]", "[{\"offset\":\"0\"}]"] {
            assert!(parse_uploadparts(text, 1, SHA).is_err(), "{text:?}");
        }
    }
}
