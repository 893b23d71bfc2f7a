//! What every entry point goes through: handles, NULL, panics, and the error out-parameter.
//!
//! Entry points use the macros towards the end of this file. Their `unsafe` blocks rest on what the header demands of callers: a
//! handle is NULL or came from its `_new` and was not freed, an out-parameter is NULL or can be written, a text is NULL or
//! ends with NUL.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::upload::error::Error;
use crate::upload::status::Status;

use super::error::cos_slice_error;

/// An object that C holds a reference of.
pub(super) trait Handle: Send + Sync {
    /// What messages call an argument of this type.
    const ARGUMENT: &'static str;

    /// Where it is noted that a panic may have left the object half changed.
    fn defect(&self) -> &Defect;
}

/// Whether a panic was caught while an object was in use. From then on it can only be freed.
#[derive(Default)]
pub(super) struct Defect(AtomicBool);

/// Hands a new object to C, which holds one reference until it frees it.
pub(super) fn into_handle<T: Handle>(object: T) -> *mut T {
    Arc::into_raw(Arc::new(object)).cast_mut()
}

/// Takes back the reference that C held; `None` for NULL.
///
/// # Safety
/// `handle` is NULL or came from [`into_handle`] and was not taken back.
pub(super) unsafe fn take_back<T: Handle>(handle: *mut T) -> Option<Arc<T>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: the reference that `into_handle` gave away is still C's, and is taken back once.
    Some(unsafe { Arc::from_raw(handle.cast_const()) })
}

/// A reference for the time of one call; `None` for NULL.
///
/// # Safety
/// As [`take_back`]; C keeps its reference.
pub(super) unsafe fn borrow<T: Handle>(handle: *const T) -> Option<Arc<T>> {
    if handle.is_null() {
        return None;
    }
    // SAFETY: C's reference keeps the object alive while it is counted up.
    unsafe {
        Arc::increment_strong_count(handle);
        Some(Arc::from_raw(handle))
    }
}

/// A call from C on a handle; made by [`enter!`].
pub(super) struct Entry<T> {
    handle: *const T,
    out: *mut *mut cos_slice_error,
}

impl<T: Handle> Entry<T> {
    /// A call that, where it fails, leaves its error in `out`.
    ///
    /// # Safety
    /// `handle` as in [`borrow`]; `out` is NULL or can be written. Both for as long as the entry lives.
    pub(super) unsafe fn new(handle: *const T, out: *mut *mut cos_slice_error) -> Self {
        Self { handle, out }
    }

    /// A call that can fail: the status for C, and in `out` the error behind it, or NULL.
    pub(super) fn call(self, body: impl FnOnce(&T) -> Result<(), Error>) -> i32 {
        let result = caught(|| {
            let handle = self.borrow();
            let handle = handle.ok_or_else(|| Error::invalid(format!("{}: it is NULL", T::ARGUMENT)))?;
            handle.defect().check()?;
            let watch = Watch(handle.defect());
            let result = body(&handle);
            std::mem::forget(watch);
            result
        });
        // SAFETY: promised to `new`.
        unsafe { tell(result, self.out) }
    }

    /// A call that can't fail: what `body` says of the object, or `neutral` for NULL.
    pub(super) fn get<R>(self, neutral: R, body: impl FnOnce(&T) -> R) -> R {
        caught(|| self.borrow().map(|handle| body(&handle)))
            .flatten()
            .unwrap_or(neutral)
    }

    fn borrow(&self) -> Option<Arc<T>> {
        // SAFETY: promised to `new`.
        unsafe { borrow(self.handle) }
    }
}

/// As [`Entry::call`], where there is no handle.
///
/// # Safety
/// `out` is NULL or can be written.
pub(super) unsafe fn call_alone(
    out: *mut *mut cos_slice_error,
    body: impl FnOnce() -> Result<(), Error>,
) -> i32 {
    // SAFETY: promised by the caller.
    unsafe { tell(caught(body), out) }
}

/// The status of a call for C, and in `out` the error behind it, or NULL.
///
/// # Safety
/// `out` is NULL or can be written.
unsafe fn tell(result: Option<Result<(), Error>>, out: *mut *mut cos_slice_error) -> i32 {
    let result = result.unwrap_or_else(|| Err(defect()));
    let status = result
        .as_ref()
        .map_or_else(|error| error.status, |()| Status::Ok)
        .number();
    if !out.is_null() {
        let error = result
            .err()
            .map_or(std::ptr::null_mut(), cos_slice_error::into_raw);
        // SAFETY: not NULL, so it can be written. It is not read: it may be uninitialised.
        unsafe { out.write(error) };
    }
    status
}

/// What `body` says, or `None` if it panicked: a panic must not unwind into C.
pub(super) fn caught<R>(body: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(body)).ok()
}

/// What `body` says of plain data, or `neutral` where there is none; made by [`of!`].
pub(super) fn told_of<T, R>(data: Option<&T>, neutral: R, body: impl FnOnce(&T) -> R) -> R {
    data.and_then(|data| caught(|| body(data))).unwrap_or(neutral)
}

fn defect() -> Error {
    let text = "a defect of this library was caught; free the handle, and please report what led to it";
    Error::new(Status::Panic, text)
}

impl Defect {
    fn check(&self) -> Result<(), Error> {
        if self.0.load(Ordering::Acquire) {
            Err(defect())
        } else {
            Ok(())
        }
    }
}

/// Notes a defect when it is dropped, which only unwinding does.
struct Watch<'a>(&'a Defect);

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Release);
    }
}

/// What the setters of a handle were told and could not accept. A setting is at fault until its setter succeeds.
#[derive(Default)]
pub(super) struct Failures(Vec<(&'static str, Error)>);

impl Failures {
    /// Notes how a setter ended, and passes that on.
    pub(super) fn note<V>(&mut self, setting: &'static str, value: Result<V, Error>) -> Result<V, Error> {
        match &value {
            Ok(_) => self.0.retain(|(name, _)| *name != setting),
            Err(_) if self.0.iter().any(|(name, _)| *name == setting) => {}
            Err(error) => self.0.push((setting, error.clone())),
        }
        value
    }

    /// The first failure.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.0.first().map_or(Ok(()), |(_, error)| Err(error.clone()))
    }
}

/// How an entry point begins: `enter!(handle, error_out).call(|object| …)`, without `error_out` for setters, and
/// `enter!(handle).get(neutral, |object| …)` for getters.
macro_rules! enter {
    ($handle:expr) => {
        $crate::ffi::boundary::enter!($handle, ::std::ptr::null_mut())
    };
    ($handle:expr, $out:expr) => {{
        let (handle, out) = ($handle, $out);
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        unsafe { $crate::ffi::boundary::Entry::new(handle, out) }
    }};
}

/// How an entry point without a handle begins: `alone!(error_out, || …)`.
macro_rules! alone {
    ($out:expr, $body:expr) => {{
        let (out, body) = ($out, $body);
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        unsafe { $crate::ffi::boundary::call_alone(out, body) }
    }};
}

/// An argument that is a text: `text!("bucket", bucket)` gives a `Result<&str, Error>`.
macro_rules! text {
    ($argument:literal, $pointer:expr) => {{
        let pointer = $pointer;
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        unsafe { $crate::ffi::strings::text($argument, pointer) }
    }};
}

/// A getter of plain data that never changes once C has it: `of!(error, neutral, |error| …)`.
macro_rules! of {
    ($data:expr, $neutral:expr, $body:expr) => {{
        let data = $data;
        // SAFETY: it is NULL or was handed to C and not freed; it never changes, so any number of references is sound.
        let data = unsafe { data.as_ref() };
        $crate::ffi::boundary::told_of(data, $neutral, $body)
    }};
}

pub(super) use {alone, enter, of, text};

#[cfg(test)]
mod tests {
    use super::*;

    struct Thing {
        defect: Defect,
    }

    impl Handle for Thing {
        const ARGUMENT: &'static str = "thing";

        fn defect(&self) -> &Defect {
            &self.defect
        }
    }

    fn thing() -> *mut Thing {
        into_handle(Thing {
            defect: Defect::default(),
        })
    }

    fn free(thing: *mut Thing) {
        // SAFETY: each test frees what it made, once.
        assert!(unsafe { take_back(thing) }.is_some());
    }

    fn message_and_free(error: *mut cos_slice_error) -> String {
        // SAFETY: the error was just handed out by `call`.
        unsafe { Box::from_raw(error) }.error().message.clone()
    }

    #[test]
    fn a_panic_becomes_a_status_and_an_error_and_the_handle_can_only_be_freed() {
        let (thing, mut error) = (thing(), std::ptr::null_mut());
        assert_eq!(
            enter!(thing, &mut error).call(|_| panic!("on purpose")),
            Status::Panic.number()
        );
        assert!(message_and_free(error).contains("defect"));
        assert_eq!(
            enter!(thing).call(|_| Ok(())),
            Status::Panic.number(),
            "a later call"
        );
        assert_eq!(enter!(thing).get(7, |_| panic!("on purpose")), 7);
        free(thing);
    }

    #[test]
    fn null_is_an_invalid_argument_that_is_named() {
        let mut error = std::ptr::null_mut();
        let status = enter!(std::ptr::null::<Thing>(), &mut error).call(|_| Ok(()));
        assert_eq!(status, Status::InvalidArgument.number());
        assert_eq!(message_and_free(error), "thing: it is NULL");
        assert_eq!(enter!(std::ptr::null::<Thing>()).get(7, |_| 8), 7);
    }

    #[test]
    fn success_writes_null_over_whatever_the_error_pointer_was() {
        let (thing, mut error) = (thing(), std::ptr::dangling_mut());
        assert_eq!(enter!(thing, &mut error).call(|_| Ok(())), 0);
        assert!(error.is_null());
        free(thing);
    }

    #[test]
    fn the_first_failed_setting_counts_until_its_setter_succeeds() {
        let mut failures = Failures::default();
        let fail = |text: &str| Err::<(), _>(Error::invalid(text));
        assert!(failures.note("a", fail("first")).is_err());
        assert!(failures.note("b", fail("second")).is_err());
        assert!(failures.note("a", fail("third")).is_err());
        assert_eq!(failures.check().unwrap_err().message, "first");
        assert!(failures.note("a", Ok(())).is_ok());
        assert_eq!(failures.check().unwrap_err().message, "second");
        assert!(failures.note("b", Ok(())).is_ok());
        assert!(failures.check().is_ok());
    }
}
