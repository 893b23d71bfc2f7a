//! What all callbacks have in common: the data that is passed through, and when it is dropped.

use std::ffi::c_void;

use crate::engine::callback::inside_callback;

/// Releases the user_data of a callback. It must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_drop_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// The data of a callback. It belongs to what holds the function, so it is dropped exactly once and after the last call.
pub(super) struct UserData {
    pointer: *mut c_void,
    drop: cos_slice_drop_fn,
}

// SAFETY: the header says of each callback on which threads it and drop may run, so the caller's data allows it.
unsafe impl Send for UserData {}
// SAFETY: a shared reference alone does nothing; whether calls may overlap is said, and seen to, with each callback.
unsafe impl Sync for UserData {}

impl UserData {
    /// From here on `drop` is certain to be called.
    pub(super) fn new(pointer: *mut c_void, drop: cos_slice_drop_fn) -> Self {
        Self { pointer, drop }
    }

    pub(super) fn pointer(&self) -> *mut c_void {
        self.pointer
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
