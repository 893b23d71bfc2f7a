//! What a run brought, as C sees it.

use std::ffi::{CString, c_char};

use crate::upload::machine::Object;

use super::boundary::enter;
use super::strings;
use super::upload::cos_slice_upload;

/// The result of a successful run, with its texts as C wants them.
pub(super) struct Told {
    access_url: Option<CString>,
    source_url: Option<CString>,
    url: Option<CString>,
    resource_path: Option<CString>,
    preview_url: Option<CString>,
    vid: Option<CString>,
    sha1: Option<CString>,
    outcome: i32,
    size: u64,
    bytes_sent: u64,
    bytes_resumed: u64,
    slices_sent: u64,
    retries: u64,
    verified: bool,
}

impl Told {
    pub(super) fn new(object: &Object) -> Self {
        let links = &object.links;
        let text = |text: &Option<String>| text.as_deref().map(strings::c_string);
        Self {
            access_url: text(&links.access_url),
            source_url: text(&links.source_url),
            url: text(&links.url),
            resource_path: text(&links.resource_path),
            preview_url: text(&links.preview_url),
            vid: text(&links.vid),
            sha1: object.sha.as_ref().map(|sha| strings::c_string(&sha.to_string())),
            outcome: object.outcome.number(),
            size: object.size,
            bytes_sent: object.bytes_sent,
            bytes_resumed: object.bytes_resumed,
            slices_sent: object.slices_sent,
            retries: object.retries,
            verified: object.verified,
        }
    }
}

/// The body of a getter of a text.
macro_rules! told_text {
    ($upload:expr, $field:ident) => {
        enter!($upload).get(::std::ptr::null(), |upload| {
            upload.told(::std::ptr::null(), |told| strings::pointer(told.$field.as_ref()))
        })
    };
}

/// The body of a getter of a number.
macro_rules! told_number {
    ($upload:expr, $field:ident) => {
        enter!($upload).get(0, |upload: &cos_slice_upload| {
            upload.told(0, |told| told.$field.into())
        })
    };
}

/// The object's address for the public, as the service told it; it may name another host than the endpoint. NULL where it
/// did not tell, and unless the last run succeeded. Borrowed: valid until the upload is run, started or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_access_url(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, access_url)
}

/// The object's address at the store itself, past the content delivery network; else as cos_slice_upload_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_source_url(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, source_url)
}

/// The object's address for operations of the API on it; else as cos_slice_upload_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_url(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, url)
}

/// The object's place within the service, "/appid/bucket/path"; else as cos_slice_upload_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_resource_path(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, resource_path)
}

/// The address of a preview of the object, where the service makes one; else as cos_slice_upload_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_preview_url(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, preview_url)
}

/// What names the work that completing the object set off at the service, where it did, to ask about it elsewhere; else as
/// cos_slice_upload_access_url.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_vid(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, vid)
}

/// The source's SHA-1 in 40 lower-case hexadecimal digits, also of a stream, of which it is taken while it is read. NULL with
/// hashing off otherwise, and unless the last run succeeded.
/// Borrowed: valid until the upload is run, started or freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_sha1(upload: *const cos_slice_upload) -> *const c_char {
    told_text!(upload, sha1)
}

/// How the object came to be there: COS_SLICE_OUTCOME_*. COS_SLICE_OUTCOME_NONE unless the last run succeeded.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_outcome(upload: *const cos_slice_upload) -> i32 {
    told_number!(upload, outcome)
}

/// The object's size in bytes. 0 unless the last run succeeded, as all numbers here.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_size(upload: *const cos_slice_upload) -> u64 {
    told_number!(upload, size)
}

/// The bytes of slices that the server acknowledged in the last run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_bytes_sent(upload: *const cos_slice_upload) -> u64 {
    told_number!(upload, bytes_sent)
}

/// The bytes that the server had before the last run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_bytes_resumed(upload: *const cos_slice_upload) -> u64 {
    told_number!(upload, bytes_resumed)
}

/// The slices that the server acknowledged in the last run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_slices_sent(upload: *const cos_slice_upload) -> u64 {
    told_number!(upload, slices_sent)
}

/// The requests that were repeated in the last run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_retries(upload: *const cos_slice_upload) -> u64 {
    told_number!(upload, retries)
}

/// 1 where the server's record of the object was compared with the source at the end and agrees; 0 where there was none to
/// be had, or verification is off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_verified(upload: *const cos_slice_upload) -> i32 {
    told_number!(upload, verified)
}
