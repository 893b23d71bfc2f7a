//! The callback that is told how a run ended, and what the getters say from then on.

use std::ffi::{CString, c_void};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::engine::handle::{CompletionFn, Ending};
use crate::upload::status::Status;

use super::boundary::enter;
use super::error::cos_slice_error;
use super::result::Told;
use super::strings;
use super::upload::cos_slice_upload;
use super::user_data::{UserData, cos_slice_drop_fn};

/// What the last run brought, as long as no other one begins.
#[derive(Default)]
pub(super) struct Results {
    pub(super) told: Option<Told>,
    /// What the run noticed, once C has asked for it or was told of the end.
    pub(super) warning: Option<CString>,
    /// How many threads are beginning or running it now; until the engine has begun it still tells of the run before.
    pub(super) beginning: u32,
}

impl Results {
    fn keep(&mut self, ending: &Ending) {
        if let Ok(object) = &ending.result {
            self.told.get_or_insert_with(|| Told::new(object));
        }
        if let Some(warning) = &ending.warning {
            self.warning.get_or_insert_with(|| strings::c_string(warning));
        }
    }
}

pub(super) fn lock(results: &Mutex<Results>) -> MutexGuard<'_, Results> {
    results.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A completion callback: status and error are what cos_slice_upload_run returns and gives; error is NULL with COS_SLICE_OK,
/// and borrowed for the time of the call. Inside, cancel and getters may be called, those of the result too; a free is carried
/// out when the callback has returned; run, start and wait of any upload, and the settings of this one, answer
/// COS_SLICE_ERR_BUSY. It must return, and must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_completion_fn =
    Option<unsafe extern "C" fn(status: i32, error: *const cos_slice_error, user_data: *mut c_void)>;

/// A callback with its data. Whoever holds the last reference drops the data, so exactly once and after the last call.
pub(super) struct CompletionCallback {
    function: cos_slice_completion_fn,
    user_data: UserData,
    /// Set when the upload is freed: a run that is still ending makes no call.
    silent: AtomicBool,
}

impl CompletionCallback {
    /// No call begins after this one.
    pub(super) fn silence(&self) {
        self.silent.store(true, Ordering::Release);
    }

    fn call(&self, ending: &Ending) {
        let Some(function) = self.function.filter(|_| !self.silent.load(Ordering::Acquire)) else {
            return;
        };
        let error = ending.result.as_ref().err().cloned().map(cos_slice_error::new);
        let status = ending
            .result
            .as_ref()
            .map_or_else(|error| error.status, |_| Status::Ok);
        let error = error.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
        // SAFETY: the caller of the setter promised that the function takes its data until it is dropped.
        unsafe { function(status.number(), error, self.user_data.pointer) }
    }

    /// What the engine is to call: the getters know the result before the program is told.
    pub(super) fn for_engine(self: &Arc<Self>, results: &Arc<Mutex<Results>>) -> Arc<CompletionFn> {
        let (callback, results) = (self.clone(), results.clone());
        Arc::new(move |ending| {
            lock(&results).keep(ending);
            callback.call(ending);
        })
    }
}

/// Sets what is told of the end of each run, once, after the last call for its progress: under cos_slice_upload_run on the
/// thread that runs, before it returns; under cos_slice_upload_start on the one callback thread of the client, before
/// cos_slice_upload_wait tells the end. A run that did not begin, because run or start reports a setting or that it is busy,
/// has no such end; nor has one whose upload is freed first. NULL for callback: none.
///
/// user_data is passed through. drop, which may be NULL, is called exactly once with it: when the callback is replaced or the
/// upload freed, or at once where this call fails; on any thread, after the last call of callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_upload_set_completion(
    upload: *mut cos_slice_upload,
    callback: cos_slice_completion_fn,
    user_data: *mut c_void,
    drop: cos_slice_drop_fn,
) -> i32 {
    // Made before anything can fail, so that the data is dropped in every case.
    let callback = CompletionCallback {
        function: callback,
        user_data: UserData::new(user_data, drop),
        silent: AtomicBool::new(false),
    };
    let callback = Some(Arc::new(callback)).filter(|callback| callback.function.is_some());
    enter!(upload).call(|upload| upload.set_completion(callback))
}
