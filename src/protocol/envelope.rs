//! The service's JSON envelope, `{"code", "message", "request_id", "data"}`, read leniently.
//!
//! Every field is optional and may have any type here, because which of them must be what depends on the operation
//! and on the code, and the code may come last. What is wrong with a field is said when it is asked for. Unknown
//! fields are passed over, and a listing is folded into ranges while it is read: no document tree is ever held.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Links;
use super::digest::Sha1Digest;
use super::ranges::Ranges;

/// The longest session that is believed, in bytes; the service's own have 96.
pub const MAX_SESSION_BYTES: usize = 1024;

/// What is wrong with a reply.
pub(super) type Problem = String;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Envelope {
    pub code: Scalar,
    pub message: Scalar,
    pub request_id: Scalar,
    /// Missing, `null` or something else than an object where there is nothing to say.
    pub data: ObjectOrOther<Data>,
}

/// The fields of all operations' `data`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Data {
    session: Scalar,
    slice_size: Scalar,
    serial_upload: Scalar,
    filesize: Scalar,
    filelen: Scalar,
    sha: Scalar,
    offset: Scalar,
    datalen: Scalar,
    datamd5: Scalar,
    access_url: Scalar,
    source_url: Scalar,
    url: Scalar,
    resource_path: Scalar,
    preview_url: Scalar,
    vid: Scalar,
    listparts: Parts,
}

impl Data {
    /// `None` where the reply carries no session.
    pub fn session(&self) -> Result<Option<Arc<str>>, Problem> {
        match &self.session {
            Scalar::Absent => Ok(None),
            Scalar::Text(text) if text.is_empty() => Ok(None),
            Scalar::Text(text) if text.len() > MAX_SESSION_BYTES => Err(format!(
                "data.session has {} bytes, more than {MAX_SESSION_BYTES}",
                text.len()
            )),
            Scalar::Text(text) if text.chars().any(char::is_control) => {
                Err("data.session has control characters".to_owned())
            }
            Scalar::Text(text) => Ok(Some(text.as_str().into())),
            other => Err(format!("data.session is {other}, not a text")),
        }
    }

    pub fn slice_size(&self) -> Result<u64, Problem> {
        match required("slice_size", self.slice_size.number("slice_size")?)? {
            0 => Err("data.slice_size is 0".to_owned()),
            size => Ok(size),
        }
    }

    /// The slice size, or `asked` where the reply does not say.
    pub fn slice_size_or(&self, asked: u64) -> Result<u64, Problem> {
        match self.slice_size.number("slice_size")? {
            Some(_) => self.slice_size(),
            None => Ok(asked),
        }
    }

    /// Whether slices must go one after another; `None` where the reply does not say.
    pub fn serial(&self) -> Result<Option<bool>, Problem> {
        if let Scalar::Bool(serial) = self.serial_upload {
            return Ok(Some(serial));
        }
        match self.serial_upload.number("serial_upload")? {
            None => Ok(None),
            Some(0) => Ok(Some(false)),
            Some(1) => Ok(Some(true)),
            Some(other) => Err(format!("data.serial_upload is {other}, neither 0 nor 1")),
        }
    }

    pub fn file_size(&self) -> Result<u64, Problem> {
        required("filesize", self.filesize.number("filesize")?)
    }

    /// How many bytes of the object are there.
    pub fn received(&self) -> Result<Option<u64>, Problem> {
        self.filelen.number("filelen")
    }

    pub fn offset(&self) -> Result<Option<u64>, Problem> {
        self.offset.number("offset")
    }

    pub fn length(&self) -> Result<Option<u64>, Problem> {
        self.datalen.number("datalen")
    }

    /// The SHA-1. The service may append something to it after a `_`.
    pub fn sha(&self) -> Result<Option<Sha1Digest>, Problem> {
        match &self.sha {
            Scalar::Absent => Ok(None),
            Scalar::Text(text) if text.is_empty() => Ok(None),
            Scalar::Text(text) => {
                let digits = text.split_once('_').map_or(text.as_str(), |(digits, _)| digits);
                let sha = digits
                    .parse()
                    .map_err(|error| format!("data.sha is \"{text}\", {error}"))?;
                Ok(Some(sha))
            }
            other => Err(format!("data.sha is {other}, not a text")),
        }
    }

    /// What is told as the MD5 of a slice; empty where nothing is.
    pub fn md5(&self) -> &str {
        self.datamd5.text().unwrap_or_default()
    }

    /// The listed parts of an object of this size.
    pub fn parts(self, size: u64) -> Result<Ranges, Problem> {
        if let Some(problem) = self.listparts.problem {
            return Err(format!("data.listparts {problem}"));
        }
        match self.listparts.end {
            end if end > size => Err(format!(
                "data.listparts goes up to byte {end} of an object of {size} bytes"
            )),
            _ => Ok(Ranges::from_unsorted(self.listparts.ranges)),
        }
    }

    /// The object's addresses. One that is empty, no text or has control characters counts as missing: all are
    /// optional, and none is needed to go on.
    pub fn links(&self) -> Links {
        let link = |field: &Scalar| {
            let text = field
                .text()
                .filter(|text| !text.is_empty() && !text.chars().any(char::is_control));
            text.map(str::to_owned)
        };
        Links {
            access_url: link(&self.access_url),
            source_url: link(&self.source_url),
            url: link(&self.url),
            resource_path: link(&self.resource_path),
            preview_url: link(&self.preview_url),
            vid: link(&self.vid),
        }
    }
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Problem> {
    value.ok_or_else(|| format!("data.{name} is missing"))
}

/// A value that should be a number or a text. `null` counts as absent.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Scalar {
    #[default]
    Absent,
    Bool(bool),
    Integer(i128),
    Text(String),
    /// Something else, by its name.
    Other(&'static str),
}

impl Scalar {
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer, also where it is written as a text.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => i64::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
            Self::Absent | Self::Bool(_) | Self::Other(_) => None,
        }
    }

    /// A number of bytes, also where it is written as a text; `None` where there is none.
    fn number(&self, name: &str) -> Result<Option<u64>, Problem> {
        let number = match self {
            Self::Absent => return Ok(None),
            Self::Integer(number) => u64::try_from(*number).ok(),
            Self::Text(text) => text.parse().ok(),
            Self::Bool(_) | Self::Other(_) => None,
        };
        number
            .map(Some)
            .ok_or_else(|| format!("data.{name} is {self}, not a whole number"))
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => out.write_str("missing"),
            Self::Bool(value) => write!(out, "{value}"),
            Self::Integer(number) => write!(out, "{number}"),
            Self::Text(text) => write!(out, "\"{text}\""),
            Self::Other(name) => out.write_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;

        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Scalar, E> {
                Ok(Scalar::Absent)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number.into()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(number.into()))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Scalar, E> {
                Ok(Scalar::Other("a fraction or too large a number"))
            }

            fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Scalar, A::Error> {
                pass_over_seq(seq)?;
                Ok(Scalar::Other("an array"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
                pass_over_map(map)?;
                Ok(Scalar::Other("an object"))
            }
        }

        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// An object's fields, or their defaults where there is something else than an object.
#[derive(Debug, Default)]
pub(super) struct ObjectOrOther<T> {
    pub fields: T,
    /// Whether it was an object.
    pub is_object: bool,
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for ObjectOrOther<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(std::marker::PhantomData<T>);

        impl<T: Default> ObjectVisitor<T> {
            fn other<E>(self) -> Result<ObjectOrOther<T>, E> {
                Ok(ObjectOrOther {
                    fields: T::default(),
                    is_object: false,
                })
            }
        }

        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ObjectVisitor<T> {
            type Value = ObjectOrOther<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let fields = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(ObjectOrOther {
                    fields,
                    is_object: true,
                })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                pass_over_seq(seq)?;
                self.other()
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                self.other()
            }

            fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
                self.other()
            }

            fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
                self.other()
            }

            fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
                self.other()
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                self.other()
            }

            fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
                self.other()
            }
        }

        deserializer.deserialize_any(ObjectVisitor(std::marker::PhantomData))
    }
}

/// The list's `listparts`: an array, a text that holds one, `null`, or missing.
#[derive(Debug, Default)]
struct Parts {
    ranges: Vec<(u64, u64)>,
    /// Where the last of them ends.
    end: u64,
    /// What is wrong with the first entry that can't be used, or with the whole.
    problem: Option<Problem>,
}

/// An entry of `listparts`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Part {
    offset: Scalar,
    datalen: Scalar,
}

impl Parts {
    fn unusable(problem: &str) -> Self {
        Self {
            problem: Some(problem.to_owned()),
            ..Self::default()
        }
    }

    fn add(&mut self, part: &ObjectOrOther<Part>) -> Result<(), Problem> {
        if !part.is_object {
            return Err("has an entry that is no object".to_owned());
        }
        let part = &part.fields;
        let (Ok(Some(offset)), Ok(Some(length))) =
            (part.offset.number("offset"), part.datalen.number("datalen"))
        else {
            return Err(format!(
                "has an entry with offset {} and datalen {}",
                part.offset, part.datalen
            ));
        };
        let end = offset
            .checked_add(length)
            .ok_or_else(|| format!("has an entry with offset {offset} and datalen {length}"))?;
        self.end = self.end.max(end);
        // Listings are mostly ascending and without holes: one pair is enough for those.
        match self.ranges.last_mut() {
            Some(last) if last.1 == offset => last.1 = end,
            _ => self.ranges.push((offset, end)),
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartsVisitor;

        impl<'de> Visitor<'de> for PartsVisitor {
            type Value = Parts;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a list of parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Parts, A::Error> {
                let PartsArray(parts) = PartsArray::deserialize(SeqAccessDeserializer::new(seq))?;
                Ok(parts)
            }

            fn visit_str<E>(self, text: &str) -> Result<Parts, E> {
                if text.trim_ascii().is_empty() {
                    return Ok(Parts::default());
                }
                let array = serde_json::from_str(text);
                Ok(array.map_or_else(
                    |_| Parts::unusable("is a text that holds no array"),
                    |PartsArray(parts)| parts,
                ))
            }

            fn visit_unit<E>(self) -> Result<Parts, E> {
                Ok(Parts::default())
            }

            fn visit_bool<E>(self, _: bool) -> Result<Parts, E> {
                Ok(Parts::unusable("is a truth value"))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Parts, E> {
                Ok(Parts::unusable("is a number"))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Parts, E> {
                Ok(Parts::unusable("is a number"))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Parts, E> {
                Ok(Parts::unusable("is a number"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Parts, A::Error> {
                pass_over_map(map)?;
                Ok(Parts::unusable("is an object"))
            }
        }

        deserializer.deserialize_any(PartsVisitor)
    }
}

/// The array itself; no text is accepted here, so that texts within texts end.
struct PartsArray(Parts);

impl<'de> Deserialize<'de> for PartsArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArrayVisitor;

        impl<'de> Visitor<'de> for ArrayVisitor {
            type Value = PartsArray;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an array of parts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<PartsArray, A::Error> {
                let mut parts = Parts::default();
                while let Some(part) = seq.next_element::<ObjectOrOther<Part>>()? {
                    if let Err(problem) = parts.add(&part) {
                        parts.problem.get_or_insert(problem);
                    }
                }
                Ok(PartsArray(parts))
            }
        }

        deserializer.deserialize_seq(ArrayVisitor)
    }
}

fn pass_over_seq<'de, A: SeqAccess<'de>>(mut seq: A) -> Result<(), A::Error> {
    while seq.next_element::<IgnoredAny>()?.is_some() {}
    Ok(())
}

fn pass_over_map<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}
