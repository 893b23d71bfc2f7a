//! Who signs: a key, a fixed string or a callback; and signing for clients that have no key.

use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::offset_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use zeroize::Zeroizing;

use crate::engine::signer::{self, Sign, SignRequest, Signer};
use crate::protocol::signature::{self, SecretKey, token};
use crate::upload::error::Error;

use super::boundary::{Defect, Handle, alone, caught, enter, into_handle, take_back, text};
use super::client::{cos_slice_client, invalid};
use super::error::cos_slice_error;
use super::numbers;
use super::strings::c_string;
use super::user_data::{UserData, cos_slice_drop_fn};

/// What a signature is asked for. Later versions may add fields at the end, never change those that are there. A signer gets it
/// filled in, with texts that are valid until it returns; for cos_slice_sign the caller fills it in.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct cos_slice_sign_request {
    /// The size of this structure in bytes, as far as it is filled in.
    pub struct_size: u32,
    /// Which kind the request needs: COS_SLICE_SIGNATURE_MULTI_EFFECT or COS_SLICE_SIGNATURE_ONE_TIME.
    pub kind: i32,
    /// The operation, as the service's documentation calls it, such as "upload_slice_init". A multi-effect signature is used for
    /// other operations on the same path too. It does not go into the signature. Never NULL in a signer.
    pub operation: *const c_char,
    /// The account's app id, in decimal digits. Never NULL in a signer.
    pub app_id: *const c_char,
    /// The bucket.
    pub bucket: *const c_char,
    /// The path within the bucket, unencoded and without a leading slash; that of a directory ends with a slash.
    pub path: *const c_char,
    /// How long the signature should be good for, in seconds: 1 to 7776000 (90 days). Of no meaning for a one-time signature.
    pub lifetime_s: i64,
}

/// The size of the structure's first version, which ended with this field: the least that a caller can have.
const FIRST_SIZE: usize = offset_of!(cos_slice_sign_request, lifetime_s) + size_of::<i64>();

/// Gets an authorization string, from the application's own server for instance: calls cos_slice_signature_set and returns 0, or
/// calls cos_slice_signature_fail. Anything but 0 is a failure too. The upload then ends with COS_SLICE_ERR_SIGNER.
///
/// It is called on threads of the library, and may block: at most half of the client's connections are used for that at a
/// time; with one connection that one is, and the client's other uploads wait. It may be called on several threads at once for different uploads, and never twice at once for one. Nothing interrupts
/// it, a cancel or a deadline of the upload neither, so what it does needs a time limit. request and signature are valid until
/// it returns. Inside, cancel and getters may be called; a free is carried out when it has returned; run, start and wait of any
/// upload answer COS_SLICE_ERR_BUSY. It must return, and must not throw.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub type cos_slice_sign_fn = Option<
    unsafe extern "C" fn(
        request: *const cos_slice_sign_request,
        signature: *mut cos_slice_signature,
        user_data: *mut c_void,
    ) -> i32,
>;

/// An authorization string: where a signer puts it, or what cos_slice_sign made. Its memory is overwritten when it is freed.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub struct cos_slice_signature {
    given: Mutex<Given>,
    /// Lent to a callback, so not to be freed by it.
    is_lent: bool,
    defect: Defect,
}

enum Given {
    Nothing,
    /// With the NUL at its end.
    Text(Zeroizing<Vec<u8>>),
    /// Why there is none.
    Failed(String),
}

impl Handle for cos_slice_signature {
    const ARGUMENT: &'static str = "signature";

    fn defect(&self) -> &Defect {
        &self.defect
    }
}

impl cos_slice_signature {
    fn new(given: Given, is_lent: bool) -> Self {
        Self {
            given: Mutex::new(given),
            is_lent,
            defect: Defect::default(),
        }
    }

    /// Takes what a signer says, which only one that is asked can do.
    fn give(&self, given: Given) -> Result<(), Error> {
        if !self.is_lent {
            return Err(Error::invalid(
                "signature: it is not one that a signer is asked for",
            ));
        }
        *self.lock() = given;
        Ok(())
    }

    /// The string that a signer has set, unless it failed or returned something other than 0.
    fn taken(&self, value: i32) -> Result<Zeroizing<String>, String> {
        match (&*self.lock(), value) {
            (Given::Failed(message), _) => Err(message.clone()),
            (_, 1..) | (_, ..=-1) => Err(format!("it returned {value}")),
            (Given::Nothing, 0) => Err("it returned without an authorization string".to_owned()),
            // It was text before the NUL was put behind it.
            (Given::Text(bytes), 0) => match CStr::from_bytes_with_nul(bytes).map(CStr::to_str) {
                Ok(Ok(text)) => Ok(Zeroizing::new(text.to_owned())),
                _ => Err("its authorization string is not UTF-8".to_owned()),
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, Given> {
        self.given.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The text with a NUL at its end, in memory that is overwritten.
fn with_nul(text: &str) -> Given {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    bytes.extend_from_slice(text.as_bytes());
    bytes.push(0);
    Given::Text(bytes)
}

/// A signer of C's.
struct SignCallback {
    function:
        unsafe extern "C" fn(*const cos_slice_sign_request, *mut cos_slice_signature, *mut c_void) -> i32,
    user_data: UserData,
}

impl Sign for SignCallback {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        let [operation, app_id, bucket, path]: [CString; 4] =
            [request.operation, request.app_id, request.bucket, request.path].map(c_string);
        let request = cos_slice_sign_request {
            struct_size: size_of::<cos_slice_sign_request>() as u32,
            kind: request.kind.number(),
            operation: operation.as_ptr(),
            app_id: app_id.as_ptr(),
            bucket: bucket.as_ptr(),
            path: path.as_ptr(),
            lifetime_s: i64::try_from(request.lifetime.as_secs()).unwrap_or(i64::MAX),
        };
        let signature = into_handle(cos_slice_signature::new(Given::Nothing, true));
        // SAFETY: the caller of the setter promised that the function takes its data until it is dropped.
        let value = unsafe { (self.function)(&request, signature, self.user_data.pointer) };
        // SAFETY: it was made above, and what is lent is not freed by `cos_slice_signature_free`.
        let signature = unsafe { take_back(signature) };
        signature.map_or_else(|| Err(String::new()), |signature| signature.taken(value))
    }
}

/// The account that signs requests: its app id (decimal digits), secret id and secret key. Copied; the library's copy of
/// the secret key is overwritten when it is no longer needed, and no message ever shows it. This,
/// cos_slice_client_set_authorization or cos_slice_client_set_signer is needed; the last call counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_secret_key(
    client: *mut cos_slice_client,
    app_id: *const c_char,
    secret_id: *const c_char,
    secret_key: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let take = || {
            let (app_id, secret_id) = (text!("app_id", app_id)?, text!("secret_id", secret_id)?);
            SecretKey::new(app_id, secret_id, text!("secret_key", secret_key)?).map_err(invalid)
        };
        set_signer(client, take().map(Signer::from))
    })
}

/// One authorization string for all requests, made elsewhere, for the account of an app id (decimal digits). It serves uploads
/// to what it is bound to until it expires; then they end with COS_SLICE_ERR_CREDENTIALS, and another client with another
/// string resumes them. It has to be a multi-effect signature, with which nothing is deleted: see
/// cos_slice_upload_set_discard_unfinished. Copied; the library's copy is overwritten when it is no longer needed, and no
/// message ever shows it. At most 8192 printable ASCII characters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_authorization(
    client: *mut cos_slice_client,
    app_id: *const c_char,
    authorization: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let take = || Signer::fixed(text!("app_id", app_id)?, text!("authorization", authorization)?);
        set_signer(client, take())
    })
}

/// Has a callback sign, for the account of an app id (decimal digits): for programs that must not have the key. It is asked once
/// for each upload, then again 30 seconds before the string expires, whenever the service refuses it as expired or invalid, and
/// for each one-time signature. It is asked before a slice is read: where that comes from a slow stream, the string should be good
/// for longer than the slice takes to come, since one that expires meanwhile is refused first, and asked for again.
///
/// user_data is passed through. drop, which may be NULL, is called exactly once with it: when another signer is set, when the
/// client and the last of its uploads have ended, or at once where this call fails; on any thread, after the last call of sign.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_signer(
    client: *mut cos_slice_client,
    app_id: *const c_char,
    sign: cos_slice_sign_fn,
    user_data: *mut c_void,
    drop: cos_slice_drop_fn,
) -> i32 {
    // Made before anything can fail, so that the data is dropped in every case.
    let user_data = UserData::new(user_data, drop);
    enter!(client).call(|client| {
        let take = || {
            let app_id = text!("app_id", app_id)?;
            let function = sign.ok_or_else(|| Error::invalid("sign: it is NULL; pass a function"))?;
            Signer::callback(app_id, Arc::new(SignCallback { function, user_data }))
        };
        set_signer(client, take())
    })
}

/// The last signer that was set counts, whichever it is.
fn set_signer(client: &cos_slice_client, signer: Result<Signer, Error>) -> Result<(), Error> {
    client.set("signer", signer, |settings, signer| {
        settings.signer.replace(signer)
    })
}

/// What the signatures of cos_slice_client_set_secret_key are good for, should somebody get hold of one:
/// COS_SLICE_SIGNATURE_SCOPE_*. The narrowest, the path, unless this is called. One-time signatures are always for one path.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_signature_scope(
    client: *mut cos_slice_client,
    scope: i32,
) -> i32 {
    enter!(client).call(|client| {
        let scope = numbers::signature_scope(scope);
        client.set("signature_scope", scope, |settings, scope| {
            settings.signature_scope = scope
        })
    })
}

/// How long signatures are good for, in seconds, 1 to 7776000 (90 days): those of cos_slice_client_set_secret_key, each of which
/// is made for one attempt, and those that cos_slice_client_set_signer is asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_signature_lifetime_s(
    client: *mut cos_slice_client,
    seconds: i64,
) -> i32 {
    enter!(client).call(|client| {
        let lifetime = numbers::signature_lifetime(seconds);
        client.set("signature_lifetime_s", lifetime, |settings, lifetime| {
            settings.signature_lifetime = lifetime
        })
    })
}

/// Inside a signer: this is the authorization string. Copied; the last call counts. COS_SLICE_ERR_INVALID_ARGUMENT for what no
/// request can carry, which ends the upload with COS_SLICE_ERR_SIGNER and says why: at most 8192 printable ASCII characters, so
/// no line end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_signature_set(
    signature: *mut cos_slice_signature,
    authorization: *const c_char,
) -> i32 {
    enter!(signature).call(|signature| {
        let check = || {
            let text = text!("authorization", authorization)?;
            token::check(text).map_err(|problem| Error::invalid(format!("authorization: {problem}")))?;
            Ok(with_nul(text))
        };
        match check() {
            Ok(given) => signature.give(given),
            Err(error) => {
                signature.give(Given::Failed(format!("what it set is not usable: {error}")))?;
                Err(error)
            }
        }
    })
}

/// Inside a signer: there is no authorization string, for this reason, which ends the upload's error. It is UTF-8, should have no
/// secret, and is cut off after 512 bytes. Copied; NULL: no reason is told.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_signature_fail(
    signature: *mut cos_slice_signature,
    message: *const c_char,
) -> i32 {
    enter!(signature).call(|signature| {
        let message = if message.is_null() {
            Ok("it told no reason")
        } else {
            text!("message", message)
        };
        let told = message
            .as_ref()
            .map_or("it told a reason that is not UTF-8", |message| message);
        signature.give(Given::Failed(told.to_owned()))?;
        message.map(drop)
    })
}

/// Signs a request by this machine's clock, for a client that has no key and asks for it over the network: what an application's
/// server does. The server decides first whether that client may have what request asks for: whoever has the string can upload,
/// and with a one-time signature delete, what it is bound to, until it expires. scope is one of COS_SLICE_SIGNATURE_SCOPE_*.
///
/// Of request, struct_size is sizeof(cos_slice_sign_request); operation may be NULL; so may app_id, which otherwise must be the
/// key's; lifetime_s of 0 is the default of 600. Nothing of the key is kept, and what was copied of it is overwritten.
///
/// signature receives the string, owned by the caller, to be freed with cos_slice_signature_free, or NULL where the call fails;
/// error, which may be NULL, an error that the caller frees, or NULL. COS_SLICE_ERR_INVALID_ARGUMENT names what is not acceptable;
/// COS_SLICE_ERR_RESOURCES where the system has no random numbers. Any thread, any number at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_sign(
    app_id: *const c_char,
    secret_id: *const c_char,
    secret_key: *const c_char,
    scope: i32,
    request: *const cos_slice_sign_request,
    signature: *mut *mut cos_slice_signature,
    error: *mut *mut cos_slice_error,
) -> i32 {
    alone!(error, || {
        if signature.is_null() {
            return Err(Error::invalid(
                "signature: it is NULL; pass where it is to be put",
            ));
        }
        // SAFETY: not NULL, and the caller promised that it can be written.
        unsafe { signature.write(std::ptr::null_mut()) };
        let (app_id, secret_id) = (text!("app_id", app_id)?, text!("secret_id", secret_id)?);
        let key = SecretKey::new(app_id, secret_id, text!("secret_key", secret_key)?).map_err(invalid)?;
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        let request = unsafe { cos_slice_sign_request::read(request, app_id) }?;
        let signed = signer::sign(&key, numbers::signature_scope(scope)?, &request)?;
        let made = into_handle(cos_slice_signature::new(with_nul(&signed), false));
        // SAFETY: as above.
        unsafe { signature.write(made) };
        Ok(())
    })
}

impl cos_slice_sign_request {
    /// What C asks for, of the account `app_id`.
    ///
    /// # Safety
    /// `this` is NULL or points to a structure whose `struct_size` is its true size; its texts are NULL or end with NUL, and
    /// nothing of it changes while the result is used.
    unsafe fn read<'a>(this: *const Self, app_id: &'a str) -> Result<SignRequest<'a>, Error> {
        if this.is_null() {
            return Err(Error::invalid("request: it is NULL; pass a structure"));
        }
        // SAFETY: not NULL; the first field is there in every version of the structure.
        let theirs = unsafe { (&raw const (*this).struct_size).read() } as usize;
        if theirs < FIRST_SIZE {
            let text = format!(
                "request: its struct_size is {theirs}; set it to sizeof(cos_slice_sign_request) first"
            );
            return Err(Error::invalid(text));
        }
        let size = theirs.min(size_of::<Self>());
        // What an older structure ends without is zero.
        // SAFETY: numbers and pointers may be zero.
        let mut request: Self = unsafe { std::mem::zeroed() };
        // SAFETY: both have at least `size` bytes, and a structure on this stack does not overlap the caller's.
        unsafe { std::ptr::copy_nonoverlapping(this.cast::<u8>(), (&raw mut request).cast::<u8>(), size) };
        let optional = |pointer: *const c_char| (!pointer.is_null()).then_some(pointer);
        let operation = optional(request.operation).map(|operation| text!("operation", operation));
        let asked_app_id = optional(request.app_id).map(|app_id| text!("app_id", app_id));
        Ok(SignRequest {
            operation: operation.transpose()?.unwrap_or_default(),
            app_id: asked_app_id.transpose()?.unwrap_or(app_id),
            bucket: text!("bucket", request.bucket)?,
            path: text!("path", request.path)?,
            kind: numbers::signature_kind(request.kind)?,
            lifetime: match request.lifetime_s {
                0 => signature::DEFAULT_LIFETIME,
                seconds => numbers::signature_lifetime(seconds)?,
            },
        })
    }
}

/// The authorization string, as it goes into the Authorization header. Borrowed: valid until the signature is freed, inside a
/// signer until it returns or calls cos_slice_signature_set or cos_slice_signature_fail again. NULL for NULL, and inside a
/// signer before it has set one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_signature_text(signature: *const cos_slice_signature) -> *const c_char {
    enter!(signature).get(std::ptr::null(), |signature| match &*signature.lock() {
        Given::Text(bytes) => bytes.as_ptr().cast(),
        Given::Nothing | Given::Failed(_) => std::ptr::null(),
    })
}

/// Frees what cos_slice_sign made, and overwrites the string. Inside a signer it does nothing to the one that is asked for.
/// NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_signature_free(signature: *mut cos_slice_signature) {
    caught(|| {
        // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
        let is_lent = unsafe { signature.as_ref() }.is_none_or(|signature| signature.is_lent);
        if !is_lent {
            // SAFETY: as above; what was made for C is C's reference.
            drop(unsafe { take_back(signature) });
        }
    });
}
