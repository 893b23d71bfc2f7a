//! The one table of operations.

use crate::api::Api;
use crate::signature::SignatureKind;
use Operation::{Create, Data, Delete, Finish, Init, List, Stat, Upload, V1Control, V1Data};
use SignatureKind::{Multi, Once};
use hyper::Method;

/// The `op` of every slice request of `files/v1`.
pub(crate) const V1_OP: &str = "upload_slice";
const V1_CONTROL: &str = "v1_control";
const V1_DATA: &str = "v1_data";

/// The operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Init,
    Data,
    List,
    Finish,
    V1Control,
    V1Data,
    Upload,
    Stat,
    Delete,
    Create,
}

/// One operation.
#[derive(Debug)]
pub(super) struct Row {
    /// The name in fault rules and the journal.
    name: &'static str,
    /// The `op` on the wire.
    pub(super) op: &'static str,
    apis: &'static [Api],
    pub(super) operation: Operation,
    pub(super) method: Method,
    pub(super) kind: SignatureKind,
}

const BOTH: &[Api] = &[Api::V1, Api::V2];

const fn row(
    name: &'static str,
    apis: &'static [Api],
    operation: Operation,
    method: Method,
    kind: SignatureKind,
) -> Row {
    let op = match operation {
        V1Control | V1Data => V1_OP,
        _ => name,
    };
    Row {
        name,
        op,
        apis,
        operation,
        method,
        kind,
    }
}

#[rustfmt::skip]
static ROWS: [Row; 10] = [
    row("upload_slice_init", &[Api::V2], Init, Method::POST, Multi),
    row("upload_slice_data", &[Api::V2], Data, Method::POST, Multi),
    row("upload_slice_list", &[Api::V2], List, Method::POST, Multi),
    row("upload_slice_finish", &[Api::V2], Finish, Method::POST, Multi),
    row(V1_CONTROL, &[Api::V1], V1Control, Method::POST, Multi),
    row(V1_DATA, &[Api::V1], V1Data, Method::POST, Multi),
    row("upload", BOTH, Upload, Method::POST, Multi),
    row("stat", BOTH, Stat, Method::GET, Multi),
    row("delete", BOTH, Delete, Method::POST, Once),
    row("create", BOTH, Create, Method::POST, Multi),
];

/// The operation of this `op`, which on `files/v1` the file content decides too.
pub(super) fn find(op: &str, api: Api, has_content: bool) -> Option<&'static Row> {
    let name = operation_name(op, has_content);
    ROWS.iter()
        .find(|row| row.name == name && row.op == op && row.apis.contains(&api))
}

/// The name of an operation in fault rules and the journal: its `op`, except that `files/v1` has one `op` for
/// two operations, and one of them brings file content.
pub(crate) fn operation_name(op: &str, has_content: bool) -> &str {
    match (op, has_content) {
        (V1_OP, true) => V1_DATA,
        (V1_OP, false) => V1_CONTROL,
        _ => op,
    }
}

/// Whether the operation of this name sends a slice, at an offset.
pub(crate) fn has_offset(name: &str) -> bool {
    ROWS.iter()
        .any(|row| row.name == name && matches!(row.operation, Data | V1Data))
}

/// Whether there is an operation of this name.
pub(crate) fn is_operation_name(name: &str) -> bool {
    ROWS.iter().any(|row| row.name == name)
}

/// The names of all operations.
pub(crate) fn operation_names() -> Vec<&'static str> {
    ROWS.iter().map(|row| row.name).collect()
}
