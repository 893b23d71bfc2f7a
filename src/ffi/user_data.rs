//! The user_data of callbacks: passed through, and dropped exactly once.

use std::ffi::c_void;

use crate::engine::callback::inside_callback;

/// Releases the user_data of a callback. It must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The data of a callback. From here on `drop` is certain to be called, once, when the owner of this goes: so it belongs beside
/// the callback, and both go after the last call.
pub(super) struct UserData {
    pub(super) pointer: *mut c_void,
    drop: cos_slice_drop_fn,
}

// SAFETY: the header says that callback and drop may run on a thread of the library, so the caller's data allows it.
unsafe impl Send for UserData {}
// SAFETY: a shared reference only gives the pointer to a callback, whose documentation says how many calls there are at once.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, drop: cos_slice_drop_fn) -> Self {
        Self { pointer, drop }
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        let Some(drop) = self.drop else { return };
        // It may run on a thread that everybody's callbacks wait for, so it may as little wait as a callback.
        // SAFETY: promised by the caller of the setter; this is the only call.
        inside_callback(|| unsafe { drop(self.pointer) });
    }
}
