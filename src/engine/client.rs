//! A client as a program sees it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::protocol::dialect::Dialect;
use crate::protocol::location::Location;
use crate::protocol::signature::{self, Scope};
use crate::protocol::{Answer, Api};
use crate::upload::error::Error;
use crate::upload::options::{self, ClientOptions, Connections, RetryPolicy};
use crate::upload::status::Status;

use super::endpoint::Endpoint;
use super::handle::Upload;
use super::limiter::Limiter;
use super::log::{Level, Logger, Logging};
use super::operation::Call;
use super::shared::Shared;
use super::signer::Signer;
use super::signing::Signing;
use super::transport::{SharedTransport, Timeouts, TransportConfig};

pub use super::worker::MEMORY_PER_CONNECTION;

/// What a client needs to know.
#[derive(Clone)]
pub struct ClientConfig {
    /// Where the service is.
    pub endpoint: Endpoint,
    /// Who signs.
    pub signer: Signer,
    /// What the signatures of a secret key are good for.
    pub signature_scope: Scope,
    /// How long a secret key's signatures are good for, and how long a callback's are asked to be: 1 second to
    /// [`signature::MAX_LIFETIME`].
    pub signature_lifetime: Duration,
    /// What the service is spoken to in.
    pub api: Api,
    /// What the store wants otherwise than the service.
    pub dialect: Dialect,
    /// Requests in flight at once, and worker threads.
    pub connections: Connections,
    /// How many bytes a second requests may send, all uploads together; `None` for no limit. It can be changed later:
    /// [`Client::set_rate_limit`].
    pub rate_limit: Option<u64>,
    /// How failed requests are repeated.
    pub retry: RetryPolicy,
    /// How long each phase of a request may take.
    pub timeouts: Timeouts,
    /// Certificates to trust in place of the platform's, as PEM text.
    pub ca_pem: Option<Vec<u8>>,
    /// The address of an HTTP proxy.
    pub proxy: Option<String>,
    /// Without `proxy`: whether to take one from the environment, as [`TransportConfig::use_env_proxy`] says.
    pub use_env_proxy: bool,
    /// The folder of the checkpoints, made when it is needed; `None` for none. A relative path goes from the folder that
    /// is the process's own when the client is made.
    pub checkpoint_dir: Option<PathBuf>,
    /// Who is told of the work while it is done; `None` for nobody.
    pub log: Option<Logger>,
}

impl ClientConfig {
    /// The defaults for an endpoint and who signs, such as a [`SecretKey`](signature::SecretKey).
    pub fn new(endpoint: Endpoint, signer: impl Into<Signer>) -> Self {
        Self {
            endpoint,
            signer: signer.into(),
            signature_scope: Scope::default(),
            signature_lifetime: signature::DEFAULT_LIFETIME,
            api: Api::default(),
            dialect: Dialect::default(),
            connections: options::DEFAULT_CONNECTIONS,
            rate_limit: None,
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            ca_pem: None,
            proxy: None,
            use_env_proxy: false,
            checkpoint_dir: None,
            log: None,
        }
    }
}

impl fmt::Debug for ClientConfig {
    /// Without the proxy, whose address may hold a password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ClientConfig")
            .field("endpoint", &self.endpoint)
            .field("signer", &self.signer)
            .field("dialect", &self.dialect)
            .field("connections", &self.connections)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}

/// What the service has at a path.
#[derive(Clone, Debug)]
pub enum Inspection {
    /// Nothing.
    None,
    /// An unfinished upload.
    Unfinished {
        /// The size that the object will have, in bytes.
        size: u64,
        /// How many of its bytes are there.
        received: u64,
        /// How many slices those are; `None` where the service does not tell slices.
        slices: Option<u64>,
    },
    /// A complete object.
    Complete {
        /// Its size in bytes; `None` where the service would not say.
        size: Option<u64>,
        /// Its SHA-1, where the service tells it.
        sha1: Option<String>,
    },
}

/// A connection to the service, shared by any number of uploads and threads. Cloning gives another handle of the
/// same client; the threads end with the last handle, uploads' included. There are none before the first upload.
#[derive(Clone)]
pub struct Client {
    owner: Arc<Owner>,
}

/// Ends the threads when the last handle goes.
struct Owner {
    shared: Arc<Shared>,
    checkpoint_dir: Option<PathBuf>,
}

impl Client {
    /// A client that has not connected anywhere yet.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] for a setting that is not acceptable.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        let signing = Signing::new(config.signer, config.signature_scope, config.signature_lifetime)?;
        let log = Logging::new(config.log);
        let hashers = thread::available_parallelism().map_or(1, |cores| cores.get().saturating_sub(1).max(1));
        let options = ClientOptions {
            connections: config.connections,
            hashers: u32::try_from(hashers).unwrap_or(u32::MAX),
            api: config.api,
            asks_signer: signing.asks(),
            events: log.wants(Level::Warning),
            retry: config.retry,
        };
        options.validate().map_err(Error::invalid)?;
        if let (Some(region), Some(_)) = (config.endpoint.given_region(), Endpoint::of_api(config.api)) {
            return Err(Error::invalid(format!(
                "region: {} has one address for all regions; set no region (\"{region}\")",
                config.api.name()
            )));
        }
        let checkpoint_dir = config.checkpoint_dir.map(std::path::absolute).transpose();
        let checkpoint_dir =
            checkpoint_dir.map_err(|error| Error::invalid(format!("checkpoint_dir: {error}")))?;
        let transport = SharedTransport::new(TransportConfig {
            endpoint: config.endpoint,
            timeouts: config.timeouts,
            ca_pem: config.ca_pem,
            proxy: config.proxy,
            use_env_proxy: config.use_env_proxy,
            user_agent: concat!("cos-slice/", env!("CARGO_PKG_VERSION")).into(),
        })
        .map_err(Error::invalid)?;
        let seed = getrandom::u64().map_err(|error| Error::new(Status::Resources, error.to_string()))?;
        if let Some(rate) = config.rate_limit {
            options::validate_rate_limit(rate).map_err(Error::invalid)?;
        }
        let limiter = Limiter::new(config.rate_limit);
        let shared = Shared::new(transport, signing, log, config.dialect, options, limiter, seed);
        Ok(Self {
            owner: Arc::new(Owner {
                shared,
                checkpoint_dir,
            }),
        })
    }

    /// An upload to a bucket and a path; what is to be uploaded is set on the handle.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] where the bucket or the path is not acceptable.
    pub fn upload(&self, bucket: &str, path: &str) -> Result<Upload, Error> {
        Ok(Upload::new(self.clone(), self.location(bucket, path)?))
    }

    /// Requests to a bucket and a path, one at a time, for programs that have a flow of their own.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] where the bucket or the path is not acceptable.
    pub fn call(&self, bucket: &str, path: &str) -> Result<Call, Error> {
        Ok(Call::new(self.clone(), self.location(bucket, path)?))
    }

    /// How many bytes a second requests may send from now on, all uploads together, those under way too; `None` for no limit.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] where it is not within [`options::MIN_RATE_LIMIT`] to [`options::MAX_RATE_LIMIT`]; the
    /// limit stays what it was.
    pub fn set_rate_limit(&self, bytes_per_second: Option<u64>) -> Result<(), Error> {
        if let Some(rate) = bytes_per_second {
            options::validate_rate_limit(rate).map_err(Error::invalid)?;
        }
        self.shared().limiter.set(bytes_per_second);
        Ok(())
    }

    /// Asks what the service has at a path: list first, where there is one, then stat. Blocks.
    ///
    /// # Errors
    /// As of any request.
    pub fn inspect(&self, bucket: &str, path: &str) -> Result<Inspection, Error> {
        let call = self.call(bucket, path)?;
        let listed = match self.shared().api.rules().server_names_offset {
            true => Answer::Absent,
            false => call.list()?,
        };
        match listed {
            Answer::Unfinished(unfinished) => {
                let received = unfinished.parts.covered();
                let slices = received.div_ceil(unfinished.slice_size);
                Ok(Inspection::Unfinished {
                    size: unfinished.size,
                    received,
                    slices: Some(slices),
                })
            }
            _ => match call.stat()? {
                Answer::Status(status) if status.received.is_some_and(|received| received < status.size) => {
                    Ok(Inspection::Unfinished {
                        size: status.size,
                        received: status.received.unwrap_or(0),
                        slices: None,
                    })
                }
                Answer::Status(status) => Ok(Inspection::Complete {
                    size: Some(status.size),
                    sha1: status.sha.map(|sha| sha.to_string()),
                }),
                _ => Ok(Inspection::None),
            },
        }
    }

    fn location(&self, bucket: &str, path: &str) -> Result<Location, Error> {
        Location::new(self.shared().signing.app_id(), bucket, path)
            .map_err(|error| Error::invalid(error.to_string()))
    }

    /// The service's address, with what it is spoken to in: sessions of one protocol mean nothing in another.
    pub(super) fn service(&self) -> String {
        let shared = self.shared();
        format!("{}{}", shared.transport.endpoint(), shared.api.prefix())
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.owner.shared
    }

    /// The folder of the checkpoints.
    pub(super) fn checkpoint_dir(&self) -> Option<&Path> {
        self.owner.checkpoint_dir.as_deref()
    }
}

/// What error texts call the object at a location.
pub(super) fn name_of(location: &Location) -> Arc<str> {
    format!("cos://{}/{}", location.bucket(), location.path()).into()
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.shared.end();
    }
}
