//! Who signs requests: a secret key, a string made elsewhere, or a callback that asks for one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::protocol::location::Location;
use crate::protocol::signature::{self, Kind, Scope, SecretKey, token};
use crate::upload::error::Error;
use crate::upload::status::Status;

use super::clock::unix_seconds;

/// What a signature is asked for.
#[derive(Clone, Copy, Debug)]
pub struct SignRequest<'a> {
    /// The operation's name on the wire, such as `upload_slice_init`. A multi-effect signature serves others on the same path
    /// too, and is used for them.
    pub operation: &'a str,
    /// The account's app id.
    pub app_id: &'a str,
    /// The bucket.
    pub bucket: &'a str,
    /// The path within the bucket, unencoded and without a leading slash. A directory's ends with one.
    pub path: &'a str,
    /// Which kind the operation demands.
    pub kind: Kind,
    /// How long it should be good for: 1 second to [`signature::MAX_LIFETIME`]. A one-time signature has no lifetime.
    pub lifetime: Duration,
}

/// Gets authorization strings, from an application's own server for instance.
///
/// Called on worker threads: it may block, and several at once may call it for different uploads, never for one. What blocks
/// keeps an upload from being cancelled, so it needs a time limit of its own. At most half of a client's workers are in it.
/// Inside it uploads may be cancelled, asked and dropped; to run one or to wait for one is refused.
pub trait Sign: Send + Sync {
    /// The string for the request's `Authorization`; the library overwrites it when it is no longer needed.
    ///
    /// # Errors
    /// Why there is none, in words that end the upload's error. They should have no secret.
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String>;
}

/// Who signs, and for which account. Debug output shows the account and no secret.
#[derive(Clone)]
pub enum Signer {
    /// The account's key: each attempt of each request is signed anew.
    SecretKey(SecretKey),
    /// One string for all requests until it expires.
    Fixed(Fixed),
    /// A string from whoever has the key, asked for when it is needed.
    Callback(Callback),
}

/// An authorization string that was made elsewhere.
#[derive(Clone)]
pub struct Fixed {
    app_id: String,
    pub(super) authorization: Zeroizing<String>,
}

/// A callback and the account that it signs for.
#[derive(Clone)]
pub struct Callback {
    app_id: String,
    pub(super) sign: Arc<dyn Sign>,
}

impl Signer {
    /// One string for all requests.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for an app id or a string that no request can carry; it never shows the string.
    pub fn fixed(app_id: &str, authorization: &str) -> Result<Self, Error> {
        token::check(authorization)
            .map_err(|problem| Error::invalid(format!("authorization: {problem}; set it as it was made")))?;
        Ok(Self::Fixed(Fixed {
            app_id: checked_app_id(app_id)?,
            authorization: Zeroizing::new(authorization.to_owned()),
        }))
    }

    /// Strings from a callback.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for an app id that is none.
    pub fn callback(app_id: &str, sign: Arc<dyn Sign>) -> Result<Self, Error> {
        let app_id = checked_app_id(app_id)?;
        Ok(Self::Callback(Callback { app_id, sign }))
    }

    /// The account's app id.
    pub fn app_id(&self) -> &str {
        match self {
            Self::SecretKey(key) => key.app_id(),
            Self::Fixed(Fixed { app_id, .. }) | Self::Callback(Callback { app_id, .. }) => app_id,
        }
    }
}

impl From<SecretKey> for Signer {
    fn from(key: SecretKey) -> Self {
        Self::SecretKey(key)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::SecretKey(_) => "SecretKey",
            Self::Fixed(_) => "Fixed",
            Self::Callback(_) => "Callback",
        };
        out.debug_struct(name)
            .field("app_id", &self.app_id())
            .finish_non_exhaustive()
    }
}

fn checked_app_id(app_id: &str) -> Result<String, Error> {
    if app_id.is_empty() || !app_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Error::invalid(
            "app_id: an app id is decimal digits; give the account's",
        ));
    }
    Ok(app_id.to_owned())
}

/// Signs a request by this machine's clock: what an application's server does for clients that must not have the key. Whether
/// the client may do what it asks for is for the caller to decide before.
///
/// # Errors
/// [`Status::InvalidArgument`] for a request that no client of this library makes, or that is for another account than the
/// key's; [`Status::Resources`] where the system has no random numbers.
pub fn sign(key: &SecretKey, scope: Scope, request: &SignRequest<'_>) -> Result<Zeroizing<String>, Error> {
    signature::check_lifetime(request.lifetime).map_err(Error::invalid)?;
    if request.app_id != key.app_id() {
        return Err(Error::invalid(
            "app_id: the request is for another account than the key",
        ));
    }
    // The name of a directory ends with a slash, which no object's does.
    let object = request.path.strip_suffix('/').unwrap_or(request.path);
    let location = Location::new(request.app_id, request.bucket, object)
        .map_err(|error| Error::invalid(error.to_string()))?;
    let mut file_id = location.file_id();
    if object.len() < request.path.len() {
        file_id.push('/');
    }
    let random = getrandom::u32().map_err(|error| {
        let text = format!("the system gives no random numbers: {error}");
        Error::new(Status::Resources, text)
    })?;
    Ok(signature::sign(
        key,
        location.bucket(),
        request.kind,
        scope.bind(request.kind, &file_id),
        unix_seconds(),
        request.lifetime,
        random,
    ))
}
