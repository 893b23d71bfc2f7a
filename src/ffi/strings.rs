//! How texts cross the boundary.

use std::ffi::{CStr, CString, c_char};

use crate::upload::error::Error;

/// A text that C passed, borrowed for the time of the call.
///
/// # Safety
/// `pointer` is NULL or points to bytes that end with NUL and don't change while the result is used.
pub(super) unsafe fn text<'a>(argument: &str, pointer: *const c_char) -> Result<&'a str, Error> {
    if pointer.is_null() {
        return Err(Error::invalid(format!("{argument}: it is NULL; pass a text")));
    }
    // SAFETY: promised by the caller.
    let bytes = unsafe { CStr::from_ptr(pointer) };
    bytes.to_str().map_err(|error| {
        let position = error.valid_up_to();
        Error::invalid(format!(
            "{argument}: it is not UTF-8 (at byte {position}); convert it first"
        ))
    })
}

/// A text for C. A NUL in it, which would end it early, is shown as U+FFFD.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

/// The pointer for C to a text that may not be there.
pub(super) fn pointer(text: Option<&CString>) -> *const c_char {
    text.map_or(std::ptr::null(), |text| text.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_taken_as_it_is_or_refused_by_its_argument_s_name() {
        let take = |bytes: &'static CStr| {
            // SAFETY: a literal ends with NUL and never changes.
            unsafe { text("path", bytes.as_ptr()) }
        };
        assert_eq!(take(c"/a/\u{e9}").unwrap(), "/a/\u{e9}");
        assert_eq!(take(c"").unwrap(), "");
        let refused = take(c"ab\xff").unwrap_err().message;
        assert_eq!(refused, "path: it is not UTF-8 (at byte 2); convert it first");
        // SAFETY: NULL is allowed.
        let refused = unsafe { text("path", std::ptr::null()) }.unwrap_err().message;
        assert_eq!(refused, "path: it is NULL; pass a text");
    }

    #[test]
    fn a_nul_inside_a_text_does_not_end_it() {
        assert_eq!(c_string("a\0b").to_str().unwrap(), "a\u{fffd}b");
    }
}
