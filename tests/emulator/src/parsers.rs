//! The parsers of what clients send, without a socket in front of them: for tests that give them bytes by the million.

use crate::codes;
use crate::form::{self, Form, Scanner};
use crate::signature::{Credentials, Signature, SignatureKind};
use crate::switches::{DuplicateFields, FieldNames, PathNormalisation, Switches};
use crate::target::{self, Target};
use bytes::Bytes;

/// The code of a signature that has expired.
pub const SIGNATURE_EXPIRED: i64 = codes::SIGNATURE_EXPIRED.number;

/// Names and values of a form, in the order received.
pub type Fields = Vec<(String, Vec<u8>)>;

/// The fields of a whole body.
///
/// # Errors
/// The code that the service would answer.
pub fn form(content_type: &str, body: &[u8]) -> Result<Fields, i64> {
    let body = Bytes::copy_from_slice(body);
    let form = Form::decode(content_type, &body, FieldNames::AnyCase, DuplicateFields::Last);
    Ok(form
        .map_err(|refusal| refusal.code.number)?
        .fields()
        .map(|(name, value)| (name.to_owned(), value.to_vec()))
        .collect())
}

/// The same of a body that is looked at each time that `piece` more bytes of it are there; `None` where it is no form.
pub fn growing_form(content_type: &str, body: &[u8], piece: usize) -> Option<Result<Fields, i64>> {
    let mut scanner = Scanner::new(&form::boundary(content_type)?);
    let mut ends = (0..body.len()).step_by(piece.max(1)).chain([body.len()]);
    let grown = ends.try_for_each(|end| scanner.advance(&body[..end]));
    let fields = grown
        .and_then(|()| scanner.complete(&Bytes::copy_from_slice(body)))
        .map(|fields| {
            fields
                .into_iter()
                .map(|(name, value)| (name, value.to_vec()))
                .collect()
        });
    Some(fields.map_err(|_| codes::FORM_BROKEN.number))
}

/// What a signature is held against.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct Demand<'a> {
    pub app_id: &'a str,
    pub secret_id: &'a str,
    pub secret_key: &'a str,
    /// What follows `/files/v2/` in the address.
    pub encoded_path: &'a str,
    /// Whether the operation takes only a one-time signature.
    pub once: bool,
    /// In Unix seconds.
    pub now: u64,
}

/// Checks an `Authorization` value, by the switches' defaults.
///
/// # Errors
/// The code that the service would answer.
pub fn check_signature(token: &str, demand: &Demand<'_>) -> Result<(), i64> {
    let keys = Credentials {
        app_id: demand.app_id,
        secret_id: demand.secret_id,
        secret_key: demand.secret_key,
    };
    let kind = if demand.once {
        SignatureKind::Once
    } else {
        SignatureKind::Multi
    };
    let checked = Target::parse(demand.encoded_path, PathNormalisation::Refuse).and_then(|target| {
        Signature::decode(token)?.verify(&keys, &target, kind, &Switches::default(), demand.now)
    });
    checked.map_err(|refusal| refusal.code.number)
}

/// An address that was taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Address {
    pub app_id: String,
    pub bucket: String,
    /// Decoded, without leading or trailing slash.
    pub path: String,
    /// Whether there was a trailing slash.
    pub is_directory: bool,
}

/// Takes apart what follows `/files/v2/` in an address.
///
/// # Errors
/// The code that the service would answer.
pub fn target(encoded: &str) -> Result<Address, i64> {
    let target = Target::parse(encoded, PathNormalisation::Refuse).map_err(|refusal| refusal.code.number)?;
    Ok(Address {
        app_id: target.app_id,
        bucket: target.key.bucket,
        path: target.key.path,
        is_directory: target.is_directory,
    })
}

/// Whether there may be a bucket of this name.
pub fn is_bucket_name(name: &str) -> bool {
    target::is_bucket_name(name)
}
