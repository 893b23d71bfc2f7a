//! What a private store that speaks the protocol wants otherwise than the service does.
//!
//! Everything here is checked when it is set, so that a request made with it is always well formed. What a store's
//! fields and headers hold may be secret: no error and no debug output shows it, and headers reach the socket without
//! passing the HTTP library, which logs what it writes.

use std::fmt;
use std::sync::Arc;

use percent_encoding::utf8_percent_encode;
use zeroize::Zeroizing;

use super::location::ENCODED;

/// The slice sizes that the documentation of `upload_slice_init` lists, in bytes.
pub const SERVICE_SLICE_SIZES: [u64; 4] = [512 << 10, 1 << 20, 2 << 20, 3 << 20];
/// The slice size that the service expects (its page of error codes, of −284), in bytes; asked for unless another is set.
pub const DEFAULT_SLICE_SIZE: u64 = 1 << 20;
/// The least slice size that a store may have, in bytes; with less the largest object has too many slices.
pub const MIN_SLICE_SIZE: u64 = 64 << 10;
/// The largest slice size that a store may have, in bytes.
pub const MAX_SLICE_SIZE: u64 = 64 << 20;
/// How many slice sizes a store may have.
pub const MAX_SLICE_SIZES: usize = 16;
/// How many form fields, and how many headers, may be added.
pub const MAX_ADDITIONS: usize = 16;
/// The longest name of a form field or header, and the longest word before the token, in bytes.
pub const MAX_NAME: usize = 64;
/// How long the names and values of all form fields, and those of all headers, may be together, in bytes: a header
/// must leave room in the output buffer.
pub const MAX_ADDED_BYTES: usize = 8 << 10;

/// SHA-1 has a running state after each block of this many bytes, and `uploadparts` lists those at slices' ends.
const BLOCK: u64 = 64;

/// The form fields of the protocol itself.
const PROTOCOL_FIELDS: [&str; 11] = [
    "op",
    "filesize",
    "slice_size",
    "sha",
    "uploadparts",
    "biz_attr",
    "insertOnly",
    "session",
    "offset",
    "filecontent",
    "datamd5",
];

/// The headers that this program or HTTP itself has the say in.
const OWN_HEADERS: [&str; 16] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// How requests to a store differ from those to the service. The default is the service's own.
#[derive(Clone, Default)]
pub struct Dialect {
    /// The slice sizes that it takes.
    pub slice_sizes: SliceSizes,
    form_fields: Vec<Addition>,
    headers: Vec<Addition>,
    /// Where the token goes.
    pub token: TokenPlace,
    /// Whether each slice is sent with its MD5 behind it, the form field `datamd5`.
    pub slice_md5: bool,
}

/// Where the token, a signature or what a store has in its place, goes in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TokenPlace {
    /// The value of the `Authorization` header.
    #[default]
    Header,
    /// The same, after a word and a space.
    HeaderAfterWord(Word),
    /// The query parameter `sign`, percent-encoded; there is no `Authorization` header then.
    Query,
}

impl TokenPlace {
    /// The places as C names and numbers them, each with its meaning.
    pub const ALL: [(&'static str, i32, &'static str); 3] = [
        ("HEADER", Self::HEADER, "The value of the Authorization header."),
        (
            "HEADER_AFTER_WORD",
            Self::HEADER_AFTER_WORD,
            "The value of the Authorization header, after a word and a space.",
        ),
        (
            "QUERY",
            Self::QUERY,
            "The query parameter \"sign\", percent-encoded; there is no Authorization header then.",
        ),
    ];
    /// The number of [`TokenPlace::Header`].
    pub const HEADER: i32 = 0;
    /// The number of [`TokenPlace::HeaderAfterWord`].
    pub const HEADER_AFTER_WORD: i32 = 1;
    /// The number of [`TokenPlace::Query`].
    pub const QUERY: i32 = 2;
}

/// A word before a token: letters, digits and the other characters of an HTTP token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(String);

/// The name and the value of a form field or a header.
#[derive(Clone)]
pub(super) struct Addition {
    pub name: String,
    pub value: Zeroizing<String>,
}

/// The slice sizes that a store takes: the service's, or a set of its own. Cloning is cheap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SliceSizes(Option<Arc<[u64]>>);

/// Why a part of a dialect is not acceptable. Shows no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectError {
    /// The argument at fault: `slice_sizes`, `form_field`, `header` or `token_place`.
    pub argument: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl fmt::Display for DialectError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.argument, self.problem)
    }
}

impl std::error::Error for DialectError {}

/// What goes into a request's head and must not be logged, so that it is added beside the HTTP library.
#[derive(Clone)]
pub struct HiddenHead {
    /// A query parameter, `name=value`, encoded.
    pub query: Option<Zeroizing<String>>,
    /// Names and values of headers.
    pub headers: Vec<(String, Zeroizing<String>)>,
}

impl HiddenHead {
    /// How many bytes it adds to a request at most.
    pub fn len(&self) -> usize {
        let query = self.query.as_ref().map_or(0, |query| "?".len() + query.len());
        let line = |(name, value): &(String, Zeroizing<String>)| name.len() + value.len() + "\r\n: ".len();
        query + self.headers.iter().map(line).sum::<usize>()
    }

    /// Whether a head can have it: a line break, say, could not be part of a header.
    pub fn is_printable(&self) -> bool {
        let query = self.query.iter().map(|query| query.as_str());
        let mut values = query.chain(self.headers.iter().map(|(_, value)| value.as_str()));
        values.all(|value| {
            value
                .bytes()
                .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
        })
    }

    /// Whether it adds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for HiddenHead {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HiddenHead").finish_non_exhaustive()
    }
}

impl Dialect {
    /// Adds a field to each form that is sent.
    ///
    /// # Errors
    /// The name is one of the protocol's own, or of a field that was added before, or could break a form; the value has a
    /// control character; there are too many or too long ones.
    pub fn add_form_field(&mut self, name: &str, value: &str) -> Result<(), DialectError> {
        const ARGUMENT: &str = "form_field";
        check_name(
            ARGUMENT,
            name,
            is_in_quotes,
            "letters, digits and other visible ASCII but '\"' and '\\'",
        )?;
        if PROTOCOL_FIELDS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return refuse(
                ARGUMENT,
                format!("\"{name}\" is a field of the protocol itself; choose another name"),
            );
        }
        if value.chars().any(char::is_control) {
            return refuse(
                ARGUMENT,
                format!("the value of \"{name}\" has a control character"),
            );
        }
        add(ARGUMENT, &mut self.form_fields, name, value)
    }

    /// Adds a header to each request.
    ///
    /// # Errors
    /// The name is of a header that this library sets, or of one that was added before, or no name of a header; the value has
    /// other characters than visible ASCII, spaces within and tabs within; there are too many or too long ones.
    pub fn add_header(&mut self, name: &str, value: &str) -> Result<(), DialectError> {
        const ARGUMENT: &str = "header";
        check_name(ARGUMENT, name, is_token, "letters, digits and !#$%&'*+-.^_`|~")?;
        if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            return refuse(
                ARGUMENT,
                format!("\"{name}\" is set by the library itself; choose another name"),
            );
        }
        let inner = value.trim_matches([' ', '\t']).len() == value.len();
        if !inner
            || !value
                .bytes()
                .all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte))
        {
            return refuse(
                ARGUMENT,
                format!(
                    "the value of \"{name}\" must have visible ASCII characters, with spaces only between them"
                ),
            );
        }
        add(ARGUMENT, &mut self.headers, name, value)
    }

    pub(super) fn form_fields(&self) -> &[Addition] {
        &self.form_fields
    }

    /// What a request with this token hides from logs: the token in its place, and the added headers.
    pub fn hidden_head(&self, token: &str) -> HiddenHead {
        let header = |value: String| ("authorization".to_owned(), Zeroizing::new(value));
        let (query, token) = match &self.token {
            TokenPlace::Header => (None, Some(header(token.to_owned()))),
            TokenPlace::HeaderAfterWord(Word(word)) => (None, Some(header(format!("{word} {token}")))),
            TokenPlace::Query => {
                let encoded = utf8_percent_encode(token, ENCODED);
                (Some(Zeroizing::new(format!("sign={encoded}"))), None)
            }
        };
        let added = self
            .headers
            .iter()
            .map(|header| (header.name.clone(), header.value.clone()));
        HiddenHead {
            query,
            headers: token.into_iter().chain(added).collect(),
        }
    }

    /// The values of fields and headers, which must not be shown where a server says them back.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let all = self.form_fields.iter().chain(&self.headers);
        all.map(|addition| addition.value.as_str())
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |additions: &[Addition]| -> Vec<String> {
            additions.iter().map(|addition| addition.name.clone()).collect()
        };
        out.debug_struct("Dialect")
            .field("slice_sizes", &self.slice_sizes)
            .field("form_fields", &names(&self.form_fields))
            .field("headers", &names(&self.headers))
            .field("token", &self.token)
            .field("slice_md5", &self.slice_md5)
            .finish()
    }
}

impl Word {
    /// A word before a token.
    ///
    /// # Errors
    /// It is empty, longer than [`MAX_NAME`] bytes, or has a space or another character that separates.
    pub fn new(word: &str) -> Result<Self, DialectError> {
        check_name(
            "token_place",
            word,
            is_token,
            "letters, digits and !#$%&'*+-.^_`|~",
        )?;
        Ok(Self(word.to_owned()))
    }
}

impl SliceSizes {
    /// A store's own, in bytes. The first is the one that uploads ask for unless they say otherwise. With such a set hashing
    /// does not limit the slice size.
    ///
    /// # Errors
    /// There are none or more than [`MAX_SLICE_SIZES`], or one is no multiple of 64 from [`MIN_SLICE_SIZE`] to
    /// [`MAX_SLICE_SIZE`].
    pub fn own(sizes: &[u64]) -> Result<Self, DialectError> {
        const ARGUMENT: &str = "slice_sizes";
        if sizes.is_empty() || sizes.len() > MAX_SLICE_SIZES {
            return refuse(
                ARGUMENT,
                format!("{} sizes are not 1 to {MAX_SLICE_SIZES}", sizes.len()),
            );
        }
        for size in sizes {
            if !(MIN_SLICE_SIZE..=MAX_SLICE_SIZE).contains(size) || size % BLOCK != 0 {
                let range = format!("{MIN_SLICE_SIZE} to {MAX_SLICE_SIZE}");
                return refuse(
                    ARGUMENT,
                    format!("{size} is not a multiple of {BLOCK} within {range} bytes"),
                );
            }
        }
        Ok(Self(Some(sizes.into())))
    }

    /// The sizes, in bytes.
    pub fn all(&self) -> &[u64] {
        self.0.as_deref().unwrap_or(&SERVICE_SLICE_SIZES)
    }

    /// Whether the store takes slices of this size.
    pub fn contains(&self, bytes: u64) -> bool {
        self.all().contains(&bytes)
    }

    /// The one to ask for unless another is set: the first of a store's own, in bytes.
    pub fn default_size(&self) -> u64 {
        let own = self.0.as_ref().and_then(|own| own.first().copied());
        own.unwrap_or(DEFAULT_SLICE_SIZE)
    }

    /// Whether they are a store's own, as against the service's.
    pub fn is_own(&self) -> bool {
        self.0.is_some()
    }
}

/// As messages list them.
impl fmt::Display for SliceSizes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, size) in self.all().iter().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(out, "{separator}{size}")?;
        }
        Ok(())
    }
}

fn refuse<T>(argument: &'static str, problem: String) -> Result<T, DialectError> {
    Err(DialectError { argument, problem })
}

/// A name is only shown once it is known to be harmless.
fn check_name(
    argument: &'static str,
    name: &str,
    allowed: fn(u8) -> bool,
    what: &str,
) -> Result<(), DialectError> {
    if name.is_empty() || name.len() > MAX_NAME {
        return refuse(
            argument,
            format!("a name of {} bytes is not within 1 to {MAX_NAME}", name.len()),
        );
    }
    match name.bytes().all(allowed) {
        true => Ok(()),
        false => refuse(argument, format!("the name may only have {what}")),
    }
}

fn add(
    argument: &'static str,
    additions: &mut Vec<Addition>,
    name: &str,
    value: &str,
) -> Result<(), DialectError> {
    if additions
        .iter()
        .any(|added| added.name.eq_ignore_ascii_case(name))
    {
        return refuse(argument, format!("\"{name}\" was added before"));
    }
    if additions.len() == MAX_ADDITIONS {
        return refuse(argument, format!("\"{name}\" is one more than {MAX_ADDITIONS}"));
    }
    let before: usize = additions
        .iter()
        .map(|added| added.name.len() + added.value.len())
        .sum();
    if before + name.len() + value.len() > MAX_ADDED_BYTES {
        return refuse(
            argument,
            format!("with \"{name}\" all names and values have more than {MAX_ADDED_BYTES} bytes"),
        );
    }
    additions.push(Addition {
        name: name.to_owned(),
        value: Zeroizing::new(value.to_owned()),
    });
    Ok(())
}

/// What can stand between the quotes of a part's name.
fn is_in_quotes(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')
}

/// What the names of headers and schemes are made of (RFC 9110, 5.6.2).
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
