//! Clients as C sees them: settings until the first upload runs, from then on the engine's client.

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::engine;
use crate::engine::client::ClientConfig;
use crate::engine::endpoint::Endpoint;
use crate::engine::log::Logger;
use crate::engine::signer::Signer;
use crate::engine::transport::Timeouts;
use crate::protocol::Api;
use crate::protocol::dialect::{Dialect, SliceSizes};
use crate::protocol::signature::{self, Scope};
use crate::upload::error::Error;
use crate::upload::options::{Connections, DEFAULT_CONNECTIONS};
use crate::upload::status::Status;

use super::boundary::{Defect, Failures, Handle, caught, enter, into_handle, take_back, text};
use super::numbers;

/// What uploads share: where the service is, who signs, the connections and the threads. Reference counted: it may be
/// freed before its uploads, which then keep what they need.
#[expect(non_camel_case_types, reason = "the name in the C header")]
pub struct cos_slice_client {
    state: Mutex<State>,
    defect: Defect,
}

struct State {
    settings: Settings,
    failures: Failures,
    /// Made when the first upload runs.
    engine: Option<engine::client::Client>,
}

pub(super) struct Settings {
    endpoint: Option<Endpoint>,
    pub(super) signer: Option<Signer>,
    pub(super) signature_scope: Scope,
    pub(super) signature_lifetime: Duration,
    api: Api,
    connections: Connections,
    rate_limit: Option<u64>,
    timeouts: Timeouts,
    pub(super) ca_pem: Option<Vec<u8>>,
    pub(super) proxy: Option<String>,
    pub(super) use_env_proxy: bool,
    checkpoint_dir: Option<PathBuf>,
    pub(super) log: Option<Logger>,
    pub(super) dialect: Dialect,
}

impl Handle for cos_slice_client {
    const ARGUMENT: &'static str = "client";

    fn defect(&self) -> &Defect {
        &self.defect
    }
}

impl cos_slice_client {
    fn new() -> Self {
        let settings = Settings {
            endpoint: None,
            signer: None,
            signature_scope: Scope::default(),
            signature_lifetime: signature::DEFAULT_LIFETIME,
            api: Api::default(),
            connections: DEFAULT_CONNECTIONS,
            rate_limit: None,
            timeouts: Timeouts::default(),
            ca_pem: None,
            proxy: None,
            use_env_proxy: false,
            checkpoint_dir: None,
            log: None,
            dialect: Dialect::default(),
        };
        let state = State {
            settings,
            failures: Failures::default(),
            engine: None,
        };
        Self {
            state: Mutex::new(state),
            defect: Defect::default(),
        }
    }

    /// Takes a setting, or notes why it is not acceptable, for the uploads to report. `apply` may return what the setting was:
    /// dropping it may call back, which is not to happen under the lock.
    pub(super) fn set<V, Old>(
        &self,
        setting: &'static str,
        value: Result<V, Error>,
        apply: impl FnOnce(&mut Settings, V) -> Old,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        state.check_open(setting)?;
        let value = state.failures.note(setting, value)?;
        let old = apply(&mut state.settings, value);
        drop(state);
        drop(old);
        Ok(())
    }

    fn set_timeout(
        &self,
        setting: &'static str,
        ms: i64,
        field: fn(&mut Timeouts) -> &mut Duration,
    ) -> Result<(), Error> {
        let limit = numbers::time_limit(setting, ms);
        self.set(setting, limit, |settings, limit| {
            *field(&mut settings.timeouts) = limit
        })
    }

    /// Takes a part of a setting that has several. One that is refused is at fault for good: another one does not mend it.
    pub(super) fn add(
        &self,
        setting: &'static str,
        add: impl FnOnce(&mut Settings) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut state = self.lock();
        state.check_open(setting)?;
        let added = add(&mut state.settings);
        match added {
            Ok(()) => Ok(()),
            Err(_) => state.failures.note(setting, added),
        }
    }

    /// The slice sizes of now.
    pub(super) fn slice_sizes(&self) -> SliceSizes {
        self.lock().settings.dialect.slice_sizes.clone()
    }

    /// Takes a limit, which may change at any time.
    pub(super) fn set_rate_limit(&self, limit: Result<Option<u64>, Error>) -> Result<(), Error> {
        let mut state = self.lock();
        let limit = state.failures.note("rate_limit", limit)?;
        state.settings.rate_limit = limit;
        match &state.engine {
            Some(engine) => engine.set_rate_limit(limit),
            None => Ok(()),
        }
    }

    /// The client of the engine; the first call makes it, and no setting can be changed from then on.
    pub(super) fn engine(&self) -> Result<engine::client::Client, Error> {
        let mut state = self.lock();
        if let Some(engine) = &state.engine {
            return Ok(engine.clone());
        }
        state.failures.check()?;
        let engine = engine::client::Client::new(state.settings.config()?)?;
        state.engine = Some(engine.clone());
        Ok(engine)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn check_open(&self, setting: &str) -> Result<(), Error> {
        if self.engine.is_none() {
            return Ok(());
        }
        let text = format!("client: {setting} can't be set once an upload was run; make another client");
        Err(Error::new(Status::Busy, text))
    }
}

impl Settings {
    fn config(&self) -> Result<ClientConfig, Error> {
        let endpoint = self.endpoint.clone().or_else(|| Endpoint::of_api(self.api));
        let endpoint = endpoint.ok_or_else(|| {
            Error::invalid("endpoint: none was set; call cos_slice_client_set_endpoint or _set_region")
        })?;
        let signer = self.signer.clone().ok_or_else(|| {
            Error::invalid(
                "secret_key: none was set; call cos_slice_client_set_secret_key, _set_authorization or _set_signer",
            )
        })?;
        Ok(ClientConfig {
            signature_scope: self.signature_scope,
            signature_lifetime: self.signature_lifetime,
            api: self.api,
            connections: self.connections,
            rate_limit: self.rate_limit,
            timeouts: self.timeouts.clone(),
            ca_pem: self.ca_pem.clone(),
            proxy: self.proxy.clone(),
            use_env_proxy: self.use_env_proxy,
            checkpoint_dir: self.checkpoint_dir.clone(),
            log: self.log.clone(),
            dialect: self.dialect.clone(),
            ..ClientConfig::new(endpoint, signer)
        })
    }
}

pub(super) fn invalid(error: impl std::fmt::Display) -> Error {
    Error::invalid(error.to_string())
}

/// A new client with the defaults. It has no thread and no connection before its first upload is run. Owned by the caller:
/// free it with cos_slice_client_free. NULL only if a defect of the library was caught, and every function takes NULL.
#[unsafe(no_mangle)]
pub extern "C" fn cos_slice_client_new() -> *mut cos_slice_client {
    caught(|| into_handle(cos_slice_client::new())).unwrap_or(std::ptr::null_mut())
}

/// Frees a client. It may still have uploads, running ones too: they go on, and the threads end with the last of them. With
/// none left it waits for the threads, which have nothing to do then. NULL is allowed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_free(client: *mut cos_slice_client) {
    // SAFETY: the caller of an entry point keeps the header's rules; see the head of boundary.rs.
    caught(|| drop(unsafe { take_back(client) }));
}

/// Where the service is: "https://host", "http://host:port" or either with a path that goes before each request's.
/// Copied. This or cos_slice_client_set_region is needed; the last call counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_endpoint(
    client: *mut cos_slice_client,
    endpoint: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let endpoint = text!("endpoint", endpoint).and_then(|text| Endpoint::parse(text).map_err(invalid));
        client.set("endpoint", endpoint, |settings, endpoint| {
            settings.endpoint = Some(endpoint)
        })
    })
}

/// The service's own endpoint in a region, by https: "gz" is https://gz.file.myqcloud.com. Copied. The regions are tj
/// (Tianjin), bj (Beijing), sh (Shanghai), gz (Guangzhou), cd (Chengdu), hk (Hong Kong), sgp (Singapore), ca (Toronto), ger
/// (Frankfurt). Another code is tried, and if its host can't be found the error has this list. Names of the XML API are refused;
/// the error says which code to use. Not with COS_SLICE_API_FILES_V1, which has one address for all regions and needs
/// neither this nor cos_slice_client_set_endpoint.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_region(
    client: *mut cos_slice_client,
    region: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let endpoint = text!("region", region).and_then(|text| Endpoint::region(text).map_err(invalid));
        client.set("endpoint", endpoint, |settings, endpoint| {
            settings.endpoint = Some(endpoint)
        })
    })
}

/// What the service is spoken to in: COS_SLICE_API_FILES_V2, the default, or COS_SLICE_API_FILES_V1. In the older files/v1
/// slices go one after another whatever the number of connections, and uploads need the SHA-1 (cos_slice_upload_set_hash).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_api(client: *mut cos_slice_client, api: i32) -> i32 {
    enter!(client).call(|client| client.set("api", numbers::api(api), |settings, api| settings.api = api))
}

/// A fixed number of requests in flight at once, for all uploads of the client together, and of worker threads at most: 1 to
/// 256. This and cos_slice_client_set_adaptive_connections are one setting; the last call counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_connections(
    client: *mut cos_slice_client,
    connections: i32,
) -> i32 {
    enter!(client).call(|client| {
        let connections = numbers::connections(connections, Connections::Fixed);
        client.set("connections", connections, |settings, connections| {
            settings.connections = connections
        })
    })
}

/// Lets the number of requests in flight adapt to the link and the server, for all uploads of the client together: it begins
/// small, grows while that makes uploads faster, and shrinks where the server says that it is overloaded. most is what it
/// never passes, and the number of worker threads at most: 1 to 256.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_adaptive_connections(
    client: *mut cos_slice_client,
    most: i32,
) -> i32 {
    enter!(client).call(|client| {
        let connections = numbers::connections(most, Connections::Adaptive);
        client.set("connections", connections, |settings, connections| {
            settings.connections = connections
        })
    })
}

/// The longest that looking up the host's name may take: 1 to 86400000 milliseconds (a day).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_resolve_timeout_ms(
    client: *mut cos_slice_client,
    ms: i64,
) -> i32 {
    enter!(client)
        .call(|client| client.set_timeout("resolve_timeout_ms", ms, |timeouts| &mut timeouts.resolve))
}

/// The longest that opening a connection may take, all of the host's addresses together: 1 to 86400000 milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_connect_timeout_ms(
    client: *mut cos_slice_client,
    ms: i64,
) -> i32 {
    enter!(client)
        .call(|client| client.set_timeout("connect_timeout_ms", ms, |timeouts| &mut timeouts.connect))
}

/// The longest that the TLS handshake may take: 1 to 86400000 milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_tls_timeout_ms(client: *mut cos_slice_client, ms: i64) -> i32 {
    enter!(client).call(|client| client.set_timeout("tls_timeout_ms", ms, |timeouts| &mut timeouts.tls))
}

/// The longest that a request may be sent without a byte being taken by the network: 1 to 86400000 milliseconds. There is no
/// limit on how long a slice takes while bytes move, so slow lines work.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_stall_timeout_ms(
    client: *mut cos_slice_client,
    ms: i64,
) -> i32 {
    enter!(client).call(|client| client.set_timeout("stall_timeout_ms", ms, |timeouts| &mut timeouts.stall))
}

/// The longest that the server may take to answer after a request's last byte, and then for the answer itself: 1 to 86400000
/// milliseconds. It does not run while bytes of the request are still arriving.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_answer_timeout_ms(
    client: *mut cos_slice_client,
    ms: i64,
) -> i32 {
    enter!(client).call(|client| client.set_timeout("answer_timeout_ms", ms, |timeouts| &mut timeouts.answer))
}

/// The same for the requests that make the object, which takes the server longer: 1 to 86400000 milliseconds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_finish_timeout_ms(
    client: *mut cos_slice_client,
    ms: i64,
) -> i32 {
    enter!(client)
        .call(|client| client.set_timeout("finish_timeout_ms", ms, |timeouts| &mut timeouts.finish_answer))
}

/// Keeps a checkpoint of each unfinished upload in a folder, so that an upload that is run again in another process, after a
/// kill too, does not take the SHA-1 of an unchanged file once more, and resumes with hashing off as well. The path is
/// UTF-8, and copied; a relative one goes from what the process's working folder is when the first upload is run. The
/// folder is made when it is needed, for its owner alone. There are no checkpoints unless this is called.
///
/// A checkpoint holds no secret, and goes when its object is complete. One upload at a time uses it: another one to the same
/// object with the same folder, in whatever process, ends with COS_SLICE_ERR_CHECKPOINT_BUSY. Whatever else is wrong
/// with it or the folder never stops an upload: cos_slice_upload_warning tells.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_checkpoint_dir(
    client: *mut cos_slice_client,
    path: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let path = text!("checkpoint_dir", path).and_then(|path| match path {
            "" => Err(Error::invalid("checkpoint_dir: the path is empty")),
            path => Ok(PathBuf::from(path)),
        });
        client.set("checkpoint_dir", path, |settings, path| {
            settings.checkpoint_dir = Some(path)
        })
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::TcpListener;
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::protocol::signature::SecretKey;

    #[test]
    fn files_v1_has_an_address_of_its_own_where_none_is_set() {
        let client = cos_slice_client::new();
        let mut state = client.lock();
        state.settings.signer = Some(SecretKey::new("1", "id", "key").unwrap().into());
        let missing = state.settings.config().unwrap_err();
        assert!(missing.message.starts_with("endpoint: none was set"), "{missing}");
        state.settings.api = Api::FilesV1;
        let config = state.settings.config().unwrap();
        assert_eq!(config.endpoint.to_string(), "https://web.file.myqcloud.com");
        state.settings.endpoint = Some(Endpoint::parse("http://127.0.0.1:1").unwrap());
        let config = state.settings.config().unwrap();
        assert_eq!(config.endpoint.to_string(), "http://127.0.0.1:1");
    }

    /// A client of an address where nobody listens, which keeps checkpoints in this folder.
    pub(in crate::ffi) fn client_of_nobody(checkpoints: &Path) -> Arc<cos_slice_client> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = cos_slice_client::new();
        {
            let settings = &mut client.lock().settings;
            settings.endpoint = Some(Endpoint::parse(&format!("http://{address}")).unwrap());
            settings.signer = Some(SecretKey::new("1", "id", "key").unwrap().into());
            settings.checkpoint_dir = Some(checkpoints.to_owned());
        }
        Arc::new(client)
    }
}
