//! What C says of a store that speaks the protocol in its own way.

use std::ffi::c_char;

use crate::protocol::dialect::{MAX_SLICE_SIZES, SliceSizes, TokenPlace, Word};
use crate::upload::error::Error;

use super::boundary::{enter, text};
use super::client::{cos_slice_client, invalid};
use super::numbers;

/// The slice sizes that C passed.
fn own_sizes(sizes: *const i64, count: usize) -> Result<SliceSizes, Error> {
    if sizes.is_null() {
        return Err(Error::invalid("slice_sizes: it is NULL; pass an array"));
    }
    if count > MAX_SLICE_SIZES {
        // Before anything is read: a count that is wrong is likely to be a large one.
        return Err(Error::invalid(format!(
            "slice_sizes: {count} sizes are not 1 to {MAX_SLICE_SIZES}"
        )));
    }
    // SAFETY: not NULL, and the caller promised that so many numbers can be read.
    let sizes = unsafe { std::slice::from_raw_parts(sizes, count) };
    let sizes = sizes.iter().map(|size| numbers::unsigned("slice_sizes", *size));
    SliceSizes::own(&sizes.collect::<Result<Vec<_>, _>>()?).map_err(invalid)
}

/// Where the token goes; `word` says what text was passed, and is only asked where one is needed.
fn token_place<'a>(place: i32, word: impl FnOnce() -> Result<&'a str, Error>) -> Result<TokenPlace, Error> {
    match place {
        TokenPlace::HEADER => Ok(TokenPlace::Header),
        TokenPlace::HEADER_AFTER_WORD => {
            Ok(TokenPlace::HeaderAfterWord(Word::new(word()?).map_err(invalid)?))
        }
        TokenPlace::QUERY => Ok(TokenPlace::Query),
        other => Err(Error::invalid(format!(
            "token_place: {other} is none of COS_SLICE_TOKEN_HEADER, _HEADER_AFTER_WORD and _QUERY"
        ))),
    }
}

/// The slice sizes that the store takes, in bytes, in place of the service's 524288, 1048576, 2097152 and 3145728: 1 to 16
/// of them, each a multiple of 64 within 65536 to 67108864 (64 MiB). The array is copied. The first is the one that uploads
/// ask for unless cos_slice_upload_set_slice_size, which is to be called later, names another. With sizes of the store's own
/// hashing does not limit them; the digests go on being taken for each mebibyte at least.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_slice_sizes(
    client: *mut cos_slice_client,
    sizes: *const i64,
    count: usize,
) -> i32 {
    enter!(client).call(|client| {
        let sizes = own_sizes(sizes, count);
        client.set("slice_sizes", sizes, |settings, sizes| {
            settings.dialect.slice_sizes = sizes
        })
    })
}

/// Adds a field to each form that is sent to the store, between the operation's name and the fields of the protocol. The texts
/// are copied. The name has 1 to 64 visible ASCII characters other than \" and \\, is none of the protocol's own fields, and
/// was not added before; the value is UTF-8 without control characters, and no message ever shows it, also where the store
/// says it back, if it has 4 bytes or more. At most 16 fields, with 8192 bytes for all names and values. One that is refused stays at fault: make another client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_add_form_field(
    client: *mut cos_slice_client,
    name: *const c_char,
    value: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        client.add("form_field", |settings| {
            let (name, value) = (text!("form_field", name)?, text!("form_field", value)?);
            settings.dialect.add_form_field(name, value).map_err(invalid)
        })
    })
}

/// Adds a header to each request to the store. The texts are copied. The name has 1 to 64 characters of those that names of
/// headers have, is none that the library sets itself (Host, Content-Length, Authorization and the like), and was not added
/// before; the value has visible ASCII characters, with spaces only between them, and no message ever shows it, as of a form
/// field's. At most 16 headers, with 8192 bytes for all names and values. One that is refused stays at fault: make another client.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_add_header(
    client: *mut cos_slice_client,
    name: *const c_char,
    value: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        client.add("header", |settings| {
            let (name, value) = (text!("header", name)?, text!("header", value)?);
            settings.dialect.add_header(name, value).map_err(invalid)
        })
    })
}

/// Where the token that authorizes a request goes: COS_SLICE_TOKEN_*. `word` is copied, has 1 to 64 letters, digits and
/// characters of !#$%&'*+-.^_`|~, and is looked at with COS_SLICE_TOKEN_HEADER_AFTER_WORD alone; NULL otherwise.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_token_place(
    client: *mut cos_slice_client,
    place: i32,
    word: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let place = token_place(place, || text!("token_place", word));
        client.set("token_place", place, |settings, place| {
            settings.dialect.token = place
        })
    })
}

/// Whether each slice is sent with its MD5, in the form field "datamd5" behind the content: anything but 0 is on. Where the
/// store tells the MD5 of what it has of the slice, the two are compared, and a slice that was damaged on the way is sent
/// again; if it stays so the upload fails with COS_SLICE_ERR_CONTENT_REJECTED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_slice_md5(client: *mut cos_slice_client, on: i32) -> i32 {
    enter!(client).call(|client| {
        client.set("slice_md5", Ok(on != 0), |settings, on| {
            settings.dialect.slice_md5 = on
        })
    })
}
