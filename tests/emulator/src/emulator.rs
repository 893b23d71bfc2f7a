//! The emulator as a value: started, asked, stopped.

use crate::config::Config;
use crate::faults::Fault;
use crate::journal::RequestRecord;
use crate::server::{Shared, serve};
use crate::store::{Store, lock};
use crate::switches::SwitchError;
use crate::target::ObjectKey;
use crate::tls::Tls;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::sync::watch;

/// Threads that move bytes between sockets and memory.
const ASYNC_THREADS: usize = 2;
/// Threads that work on the disk and hash.
const BLOCKING_THREADS: usize = 8;

/// A running emulator. It stops when dropped.
pub struct Emulator {
    shared: Arc<Shared>,
    address: SocketAddr,
    ca_pem: Option<String>,
    stop: watch::Sender<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Emulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emulator")
            .field("address", &self.address)
            .field("config", &self.shared.config)
            .finish()
    }
}

impl Emulator {
    /// Opens the folder and serves on a thread of its own. When this returns, clients can connect.
    ///
    /// # Errors
    /// The folder cannot be used, another emulator runs on it ([`io::ErrorKind::WouldBlock`]), the address is
    /// taken, the certificate or its authority cannot be used, or [`Config::check`] fails.
    pub fn start(config: Config) -> io::Result<Emulator> {
        config
            .check()
            .map_err(|what| io::Error::new(io::ErrorKind::InvalidInput, what))?;
        let (store, folder_lock) = Store::open(&config.directory)?;
        let tls = Tls::open(&config, &store)?;
        let (acceptor, ca_pem) = tls.map_or((None, None), |tls| (Some(tls.acceptor), tls.ca_pem));
        let runtime = runtime::Builder::new_multi_thread()
            .worker_threads(ASYNC_THREADS)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_name("cos-emulator")
            .enable_all()
            .build()?;
        let listener = std::net::TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = {
            let _context = runtime.enter();
            TcpListener::from_std(listener)?
        };
        let shared = Arc::new(Shared::new(config, store));
        let (stop, stopped) = watch::channel(false);
        let thread = thread::Builder::new().name("cos-emulator".to_owned()).spawn({
            let shared = shared.clone();
            move || {
                runtime.block_on(serve(shared, listener, acceptor, stopped));
                // Ends every connection, and waits for the operations that are under way.
                drop(runtime);
                // Only now may another emulator have the folder.
                drop(folder_lock);
            }
        })?;
        Ok(Emulator {
            shared,
            address,
            ca_pem,
            stop,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// `http://127.0.0.1:PORT`; `https` with [`Config::tls`]. Without [`Config::path_prefix`], which clients of the API
    /// must add.
    pub fn endpoint(&self) -> String {
        format!("{}://{}", self.shared.config.scheme(), self.address)
    }

    /// The certificate, in PEM, that a client must trust; also in `DIR/state/tls/ca.pem`, and the same after a
    /// restart on the folder. `None` without TLS, and with a certificate of the user's own.
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bytes of a complete object; `path` is decoded, its leading slash optional.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`] when there is none; [`io::ErrorKind::Unsupported`] when its content was discarded.
    pub fn object(&self, bucket: &str, path: &str) -> io::Result<Vec<u8>> {
        let key = object_key(bucket, path);
        let file = self.shared.store.object_file(&key);
        if self.shared.store.is_discarded(&key, &std::fs::metadata(&file)?)? {
            let what = format!("the content of {path:?} was not kept (content=discard)");
            return Err(io::Error::new(io::ErrorKind::Unsupported, what));
        }
        std::fs::read(file)
    }

    /// The plain file in which an object is, or would be.
    pub fn object_file(&self, bucket: &str, path: &str) -> PathBuf {
        self.shared.store.object_file(&object_key(bucket, path))
    }

    /// The API requests so far, oldest first. A request is in the journal before its answer is sent.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.shared.journal.all()
    }

    /// Empties the journal.
    pub fn clear_requests(&self) {
        self.shared.journal.clear();
    }

    /// Waits until `enough` says so of the journal; false when `timeout` passes first. `enough` is asked at
    /// once and after each new record, and must not call this emulator.
    pub fn wait_for_requests(&self, enough: impl FnMut(&[RequestRecord]) -> bool, timeout: Duration) -> bool {
        self.shared.journal.wait(enough, timeout)
    }

    /// Adds a fault rule behind those there are.
    pub fn add_fault(&self, fault: Fault) {
        lock(&self.shared.faults).add(fault);
    }

    /// Removes all fault rules.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// The rules that did not fire as often as told; of those without end, the ones that never fired.
    pub fn unused_faults(&self) -> Vec<Fault> {
        lock(&self.shared.faults).unused()
    }

    /// Puts a switch into a position; it holds for requests that begin from now on.
    ///
    /// # Errors
    /// An unknown name or value.
    pub fn set(&self, name: &str, value: &str) -> Result<(), SwitchError> {
        lock(&self.shared.switches).set(name, value)
    }

    /// Closes the listener and all connections, and returns when all work has ended and the folder is free.
    /// Journal and objects stay readable. A second call does nothing.
    pub fn stop(&self) {
        let _ = self.stop.send(true);
        if let Some(thread) = lock(&self.thread).take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn object_key(bucket: &str, path: &str) -> ObjectKey {
    ObjectKey {
        bucket: bucket.to_owned(),
        path: path.trim_start_matches('/').to_owned(),
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.stop();
    }
}
