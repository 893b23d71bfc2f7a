//! The two generations of the API. They share the store and most operations, and differ in their addresses and
//! in how slices are sent.

use serde::{Deserialize, Serialize};

/// Which API a request is made to, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Api {
    /// `files/v1`: one `op` for control and data; the service tells the next offset.
    V1,
    /// `files/v2`: init, data, list, finish; slices in any order.
    #[default]
    V2,
}

impl Api {
    /// What its paths begin with.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Api::V1 => "/files/v1/",
            Api::V2 => "/files/v2/",
        }
    }

    /// The API of a path, and what follows its prefix: `<appid>/<bucket>/<path>`, still percent-encoded.
    pub(crate) fn of_path(path: &str) -> Option<(Api, &str)> {
        [Api::V1, Api::V2]
            .into_iter()
            .find_map(|api| Some((api, path.strip_prefix(api.prefix())?)))
    }
}
