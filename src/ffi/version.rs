//! Which library this is.

use std::ffi::{CStr, CString, c_char};
use std::sync::OnceLock;

use crate::upload::status::Status;

use super::boundary::caught;
use super::strings;

/// The number in the shared library's name, raised only when a program built against an older header would break.
pub const ABI_VERSION: u32 = number(env!("COS_SLICE_ABI_VERSION"));

/// Major, minor and patch version in one number that grows with each release: `0xMMmmpp`.
pub const VERSION_NUMBER: u32 = (number(env!("CARGO_PKG_VERSION_MAJOR")) << 16)
    | (number(env!("CARGO_PKG_VERSION_MINOR")) << 8)
    | number(env!("CARGO_PKG_VERSION_PATCH"));

/// The decimal number that a text of the build is; anything else, or more than 255, fails the build.
const fn number(text: &str) -> u32 {
    let (bytes, mut value, mut position) = (text.as_bytes(), 0, 0);
    while position < bytes.len() {
        assert!(bytes[position].is_ascii_digit());
        value = value * 10 + (bytes[position] - b'0') as u32;
        position += 1;
    }
    assert!(value <= 255);
    value
}

/// What this build can do; see the function.
const FEATURES: &CStr = c"files-v2 files-v1 http https";

/// The version of the library that is running, such as "0.1.0"; the macros COS_SLICE_VERSION_* are that of the header.
/// The text is valid for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The version of the library that is running as one number, to be compared with COS_SLICE_VERSION_NUMBER: the library
/// may be newer than the header, never older. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_version_number() -> u32 {
    VERSION_NUMBER
}

/// The version of the binary interface, to be compared with COS_SLICE_ABI_VERSION: a program works with a library whose
/// number is the same. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_abi_version() -> u32 {
    ABI_VERSION
}

/// What this build can do: words with a space between them, in no particular order. Today "files-v2" and "files-v1" (what
/// cos_slice_client_set_api takes), "http" and "https". The text is valid for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_features() -> *const c_char {
    FEATURES.as_ptr()
}

/// The name of a status number, such as "COS_SLICE_ERR_BUSY". A number that this library does not know gives
/// "COS_SLICE_ERR_UNKNOWN". Never NULL; valid for ever. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_status_name(status: i32) -> *const c_char {
    caught(|| described(status).map(|texts| texts.name.as_ptr()))
        .flatten()
        .unwrap_or(c"COS_SLICE_ERR_UNKNOWN".as_ptr())
}

/// What a status number means, in one English sentence. The message of an error says more. Never NULL; valid for ever.
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_status_meaning(status: i32) -> *const c_char {
    let unknown = c"This version of the library does not know the number.";
    caught(|| described(status).map(|texts| texts.meaning.as_ptr()))
        .flatten()
        .unwrap_or(unknown.as_ptr())
}

/// A status's texts, with the NUL that C wants at their end.
struct Texts {
    name: CString,
    meaning: CString,
}

fn described(status: i32) -> Option<&'static Texts> {
    static TEXTS: OnceLock<Vec<Texts>> = OnceLock::new();
    let texts = TEXTS.get_or_init(|| Status::ALL.iter().map(|status| describe(*status)).collect());
    let position = Status::ALL.iter().position(|known| known.number() == status)?;
    texts.get(position)
}

fn describe(status: Status) -> Texts {
    Texts {
        name: strings::c_string(&format!("COS_SLICE_{}", status.name())),
        meaning: strings::c_string(status.meaning()),
    }
}
