//! Progress as C sees it, and the callback that it is told to.

use std::ffi::c_void;
use std::mem::offset_of;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::upload::error::Error;
use crate::upload::progress::Progress;

use super::user_data::{UserData, cos_slice_drop_fn};

/// How far an upload is. All counts are of the object's bytes, not of what HTTP adds. Later versions may add fields at the
/// end, never change those that are there.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cos_slice_progress {
    /// The size of this structure in bytes, as far as it is filled in.
    pub struct_size: u32,
    /// What the upload is busy with: COS_SLICE_PHASE_*. Later versions may add numbers.
    pub phase: i32,
    /// The object's size in bytes; 0 until the source was opened.
    pub total: u64,
    /// Bytes that the server has acknowledged, each counted once, those that it had before included. Never falls while an
    /// upload runs, never exceeds total.
    pub acknowledged: u64,
    /// How many of these the server had before this run.
    pub resumed: u64,
    /// Bytes hashed so far; 0 with hashing off.
    pub hashed: u64,
    /// Slices that the server has.
    pub slices_done: u64,
    /// Slices that there are in all; 0 until the server has chosen the slice size.
    pub slices_total: u64,
    /// Requests that were repeated in this run.
    pub retries: u64,
}

/// The size of the structure's first version, which ended with this field: the least that a caller can have.
const FIRST_SIZE: usize = offset_of!(cos_slice_progress, retries) + size_of::<u64>();

impl From<&Progress> for cos_slice_progress {
    fn from(progress: &Progress) -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            phase: progress.phase.number(),
            total: progress.total,
            acknowledged: progress.acknowledged,
            resumed: progress.resumed,
            hashed: progress.hashed,
            slices_done: progress.slices_done,
            slices_total: progress.slices_total,
            retries: progress.retries,
        }
    }
}

impl cos_slice_progress {
    /// Fills in as much as the caller's structure, which may be older or newer, has room for.
    ///
    /// # Safety
    /// `out` is NULL or points to a structure whose `struct_size` is its true size.
    pub(super) unsafe fn write(self, out: *mut Self) -> Result<(), Error> {
        if out.is_null() {
            return Err(Error::invalid("progress: it is NULL; pass a structure"));
        }
        // SAFETY: not NULL; the first field is there in every version of the structure.
        let theirs = unsafe { (&raw const (*out).struct_size).read() } as usize;
        if theirs < FIRST_SIZE {
            let text =
                format!("progress: its struct_size is {theirs}; set it to sizeof(cos_slice_progress) first");
            return Err(Error::invalid(text));
        }
        let size = theirs.min(size_of::<Self>());
        let filled = Self {
            struct_size: size as u32,
            ..self
        };
        // SAFETY: both have at least `size` bytes, and a structure on this stack does not overlap the caller's.
        unsafe { std::ptr::copy_nonoverlapping((&raw const filled).cast::<u8>(), out.cast::<u8>(), size) };
        Ok(())
    }
}

/// A progress callback: anything but 0 stops the upload. Both pointers are valid for the time of the call. Inside, only
/// cancel and getters may be called; a free is carried out when the callback has returned; run, start and wait of any
/// upload, and the settings of this one, answer COS_SLICE_ERR_BUSY. It must return, and must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_progress_fn =
    Option<unsafe extern "C" fn(progress: *const cos_slice_progress, user_data: *mut c_void) -> i32>;

/// A callback with its data. Whoever holds the last reference drops the data, so exactly once and after the last call.
pub(super) struct ProgressCallback {
    function: cos_slice_progress_fn,
    user_data: UserData,
    /// Set when the upload is freed: a run that is still ending makes no more calls.
    silent: AtomicBool,
}

impl ProgressCallback {
    /// From here on `drop` is certain to be called.
    pub(super) fn new(
        function: cos_slice_progress_fn,
        user_data: *mut c_void,
        drop: cos_slice_drop_fn,
    ) -> Self {
        Self {
            function,
            user_data: UserData::new(user_data, drop),
            silent: AtomicBool::new(false),
        }
    }

    /// Whether there is anything to call.
    pub(super) fn is_set(&self) -> bool {
        self.function.is_some()
    }

    /// No call begins after this one.
    pub(super) fn silence(&self) {
        self.silent.store(true, Ordering::Release);
    }

    pub(super) fn call(&self, progress: &Progress) -> i32 {
        let Some(function) = self.function.filter(|_| !self.silent.load(Ordering::Acquire)) else {
            return 0;
        };
        let progress = cos_slice_progress::from(progress);
        // SAFETY: the caller of the setter promised that the function takes its data until it is dropped.
        unsafe { function(&progress, self.user_data.pointer) }
    }
}
