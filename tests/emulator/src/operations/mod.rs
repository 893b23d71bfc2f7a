//! The operations of `files/v2` and `files/v1`. Each reads as the manual does: take the fields, check them in the
//! service's words, look at the state, act, answer. The files are named after what they deal with.

mod checks;
mod finish;
mod object;
mod slice;
mod start;
mod table;
mod v1;

pub(crate) use table::{V1_OP, has_offset, is_operation_name, operation_name, operation_names};

use crate::api::Api;
use crate::codes::{self, Refusal};
use crate::form::Form;
use crate::signature::{Credentials, Signature, SignatureKind};
use crate::store::{Attributes, Store, Upload};
use crate::switches::{OneTimeUse, OpPlace, Switches};
use crate::target::{self, Target};
use hyper::Method;
use serde_json::{Map, Value, json};
use table::Operation;

/// The `data` of an answer, keys in the documented order.
pub(crate) type Data = Map<String, Value>;

/// A slice upload holds at most this many bytes (the service's migration guide: 64 GB).
const FILE_LIMIT: u64 = 64 * 1024 * 1024 * 1024;
/// A one-shot upload holds at most this many bytes (20 MB, read as MiB).
const SINGLE_UPLOAD_LIMIT: usize = 20 * 1024 * 1024;
/// The slice size that is always accepted.
const MEBIBYTE: u64 = 1_048_576;

/// Everything a request says, decoded.
pub(crate) struct Call {
    pub(crate) api: Api,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) form: Form,
    /// `op` of the query.
    pub(crate) query_op: Option<String>,
    /// The signature as found in header or query.
    pub(crate) token: Option<String>,
    /// `http://host:port` of this emulator as the client reached it; `https` under TLS.
    pub(crate) base_url: String,
    /// Unix seconds.
    pub(crate) now: u64,
}

impl Call {
    /// The `op` of the body, else of the query.
    fn op(&self) -> Result<Option<&str>, Refusal> {
        Ok(self.form.text("op")?.or(self.query_op.as_deref()))
    }

    /// Whether this is a list, which has an answer of its own where nothing is.
    pub(crate) fn is_list(&self) -> bool {
        self.op() == Ok(Some("upload_slice_list"))
    }
}

/// What an operation works on.
pub(crate) struct Service<'a> {
    pub(crate) store: &'a Store,
    pub(crate) switches: &'a Switches,
    pub(crate) keys: Credentials<'a>,
    /// Any bucket when empty.
    pub(crate) buckets: &'a [String],
}

/// The `op` of a request and the row of the table.
fn operation(call: &Call, switches: &Switches) -> Result<(Operation, SignatureKind), Refusal> {
    let in_body_only = call.method != Method::GET && switches.op_place == OpPlace::Documented;
    let name = if in_body_only {
        call.form.text("op")?
    } else {
        call.op()?
    };
    let name = name.ok_or_else(|| codes::OP_MISSING.because("the request has no op"))?;
    let has_content = call.form.bytes("filecontent").is_some();
    let row = table::find(name, call.api, has_content).ok_or_else(|| {
        let prefix = call.api.prefix();
        codes::OPERATION_UNSUPPORTED
            .because(format!("op {name:?} is none that this emulator has on {prefix}"))
    })?;
    if row.method != call.method {
        let what = format!("{name} is a {}, not a {}", row.method, call.method);
        return Err(codes::METHOD_UNSUPPORTED.because(what));
    }
    Ok((row.operation, row.kind))
}

impl Service<'_> {
    /// Checks who asks for what, before anything is looked at or changed.
    pub(crate) fn admit(&self, call: &Call) -> Result<Admitted, Refusal> {
        let (operation, kind) = operation(call, self.switches)?;
        let bucket = &call.target.key.bucket;
        if !self.buckets.is_empty() && !self.buckets.contains(bucket) {
            return Err(codes::BUCKET_NOT_EXIST.because(format!("no bucket {bucket:?}")));
        }
        let token = call
            .token
            .as_deref()
            .ok_or_else(|| codes::SIGNATURE_EMPTY.because("the request has no signature"))?;
        let signature = Signature::decode(token)?;
        signature.verify(&self.keys, &call.target, kind, self.switches, call.now)?;
        let mut once = None;
        if kind == SignatureKind::Once {
            if self.store.is_signature_used(&signature.identifier()) {
                return Err(codes::SIGNATURE_ONCE_USED.because("the one-time signature was used before"));
            }
            once = Some(signature.identifier());
        }
        check_slash(operation, &call.target)?;
        Ok(Admitted { operation, once })
    }

    /// Runs an admitted operation.
    pub(crate) fn execute(&self, call: &Call, admitted: &Admitted) -> Result<Data, Refusal> {
        if let Some(identifier) = &admitted.once {
            if !self.store.use_signature(identifier)? {
                return Err(codes::SIGNATURE_ONCE_USED.because("the one-time signature was used before"));
            }
        }
        let result = self.dispatch(call, admitted.operation);
        let failed_here = matches!(&result, Err(refusal) if refusal.code.status >= 500);
        if let Some(identifier) = admitted.once.as_ref().filter(|_| failed_here) {
            if self.switches.one_time_use == OneTimeUse::Executed {
                self.store.forget_signature(identifier)?;
            }
        }
        result
    }

    /// Takes note of a signature that was accepted although the operation will not run.
    pub(crate) fn accept_only(&self, admitted: &Admitted) -> std::io::Result<()> {
        match &admitted.once {
            Some(identifier) if self.switches.one_time_use == OneTimeUse::Accepted => {
                self.store.use_signature(identifier).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    fn dispatch(&self, call: &Call, operation: Operation) -> Result<Data, Refusal> {
        let path_lock = self.store.path_lock(&call.target.key);
        // A poisoned lock only says that some thread panicked; the disk is consistent at every step.
        let shared = || {
            path_lock
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        let exclusive = || {
            path_lock
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        match operation {
            Operation::Data => {
                let _slices_may_go_in_parallel = shared();
                self.data(call)
            }
            Operation::Stat => {
                let _may_record_attributes = exclusive();
                self.stat(call)
            }
            Operation::Init => {
                let _changes_the_upload = exclusive();
                self.init(call)
            }
            Operation::List => {
                let _may_rotate_the_session = exclusive();
                self.list(call)
            }
            Operation::Finish => {
                let _changes_the_object = exclusive();
                self.finish(call)
            }
            Operation::V1Control => {
                let _changes_the_upload = exclusive();
                self.v1_control(call)
            }
            Operation::V1Data => {
                let _slices_come_one_after_another = exclusive();
                self.v1_data(call)
            }
            Operation::Upload => {
                let _changes_the_object = exclusive();
                self.upload(call)
            }
            Operation::Delete => {
                let _changes_the_object = exclusive();
                self.delete(call)
            }
            Operation::Create => {
                let _changes_the_object = exclusive();
                self.create(call)
            }
        }
    }

    /// The addresses of a complete object, as the API of the request answers them.
    fn addresses(&self, call: &Call) -> Data {
        let Target { app_id, key, .. } = &call.target;
        let path = target::encode_path(&key.path);
        let (bucket, base) = (&key.bucket, &call.base_url);
        let access = json!(format!("{base}{ACCESS_PREFIX}{bucket}-{app_id}/{path}"));
        let source = json!(format!("{base}{SOURCE_PREFIX}{bucket}-{app_id}/{path}"));
        let url = json!(format!("{base}{}{app_id}/{bucket}/{path}", call.api.prefix()));
        let resource = json!(call.target.resource_path());
        match call.api {
            Api::V1 => object([("access_url", access), ("url", url), ("resource_path", resource)]),
            Api::V2 => object([
                ("access_url", access),
                ("resource_path", resource),
                ("source_url", source),
                ("url", url),
            ]),
        }
    }

    /// The unfinished upload of the path, if it was begun by this API. The other API's is not seen: what its
    /// session and slices are differs.
    fn own_upload(&self, call: &Call) -> Result<Option<Upload>, Refusal> {
        let upload = self.store.upload(&call.target.key)?;
        Ok(upload.filter(|upload| upload.api == call.api))
    }

    /// The complete object of the path.
    fn complete_object(&self, call: &Call) -> Result<Option<Attributes>, Refusal> {
        Ok(self.store.object(&call.target.key)?)
    }
}

/// Where `access_url` points: in the service, the content delivery network.
pub(crate) const ACCESS_PREFIX: &str = "/cdn/";
/// Where `source_url` points: in the service, the origin.
pub(crate) const SOURCE_PREFIX: &str = "/origin/";

/// A request that may run.
pub(crate) struct Admitted {
    operation: Operation,
    /// The identifier of its one-time signature.
    once: Option<String>,
}

/// A JSON object with its keys in the order given.
fn object<const N: usize>(members: [(&str, Value); N]) -> Data {
    members
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn check_slash(operation: Operation, target: &Target) -> Result<(), Refusal> {
    match operation {
        Operation::Stat | Operation::Delete => Ok(()),
        Operation::Create if target.is_directory => Ok(()),
        Operation::Create => {
            Err(codes::DIRECTORY_NEEDS_SLASH.because("the path of a directory ends with a slash"))
        }
        _ if target.key.path.is_empty() => Err(codes::PATH_EMPTY.because("the path is empty")),
        _ if target.is_directory => {
            Err(codes::FILE_HAS_SLASH.because("the path of a file has no slash at its end"))
        }
        _ => Ok(()),
    }
}
