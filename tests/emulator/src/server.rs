//! The HTTP shell: accepts connections, serves them, sends each request to where it belongs.

use crate::answer::{AnswerBody, plain};
use crate::api::Api;
use crate::body::BodyMemory;
use crate::codes::{self, Refusal};
use crate::config::Config;
use crate::connection::{Connection, Wire};
use crate::exchange::{self, Ended};
use crate::faults::{Action, FaultList, Phase};
use crate::journal::{Draft, Journal};
use crate::operations::{ACCESS_PREFIX, Call, Data, SOURCE_PREFIX, Service};
use crate::rate_limit::RateLimit;
use crate::signature::Credentials;
use crate::socket::{Socket, Stream};
use crate::store::{Store, Upload, lock};
use crate::switches::Switches;
use crate::{control, download};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

/// Bytes of a request's head.
const HEAD_LIMIT: usize = 64 * 1024;
const HEADER_FIELDS_LIMIT: usize = 100;
/// What a fault reads of a connection before it ends it: less than any head of a request.
const FIRST_BYTES: usize = 16;
/// After a failed accept, which means that the system is out of something.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) switches: Mutex<Switches>,
    pub(crate) faults: Mutex<FaultList>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) started: Instant,
    /// Requests to the API so far.
    pub(crate) requests: AtomicU64,
    pub(crate) body_memory: Arc<BodyMemory>,
    rate_limit: Mutex<RateLimit>,
}

/// The end of the year 9999, in Unix seconds: no header can tell a later date.
const LAST_DATE: u64 = 253_402_300_799;

impl Shared {
    pub(crate) fn new(config: Config, store: Store) -> Shared {
        Shared {
            store,
            switches: Mutex::new(config.switches.clone()),
            faults: Mutex::new(FaultList::new(config.seed)),
            journal: Arc::new(Journal::new(config.journal_limit, config.log)),
            started: Instant::now(),
            requests: AtomicU64::new(0),
            body_memory: Arc::new(BodyMemory::new(config.body_memory)),
            rate_limit: Mutex::default(),
            config,
        }
    }

    /// Unix seconds, by the emulator's clock.
    pub(crate) fn now(&self) -> u64 {
        let machine = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let here = machine.saturating_add_signed(lock(&self.switches).clock_offset.0);
        here.min(LAST_DATE)
    }

    pub(crate) fn service<'a>(&'a self, switches: &'a Switches) -> Service<'a> {
        let Config {
            app_id,
            secret_id,
            secret_key,
            buckets,
            ..
        } = &self.config;
        Service {
            store: &self.store,
            switches,
            keys: Credentials {
                app_id,
                secret_id,
                secret_key,
            },
            buckets,
        }
    }

    /// Checks and runs one operation. Blocks.
    pub(crate) fn run(
        &self,
        call: &Call,
        switches: &Switches,
        action: Option<&Action>,
        draft: &Draft,
    ) -> Result<Data, Refusal> {
        let service = self.service(switches);
        if let Some(rate) = switches.rate_limit.0 {
            if !lock(&self.rate_limit).take(rate, Instant::now()) {
                return Err(codes::TOO_FREQUENT.because(format!("more than {rate} operations per second")));
            }
        }
        let admitted = service.admit(call)?;
        if let Some(action) = action {
            self.disturb(&service, call, action)?;
        }
        draft.note(|record| record.executed = true);
        Ok(service.with_number_style(service.execute(call, &admitted)?))
    }

    /// The faults that change the unfinished upload of the path first.
    fn disturb(&self, service: &Service<'_>, call: &Call, action: &Action) -> Result<(), Refusal> {
        let key = &call.target.key;
        let change: &dyn Fn(Upload) -> Result<(), Refusal> = match action {
            Action::RotateSession => &|upload| service.rotate_session(upload, call.now).map(|_| ()),
            Action::DropSession => &|_| Ok(self.store.remove_upload(key)?),
            Action::ForgetSlices(count) => &|upload| Ok(self.store.forget_slices(&upload, *count)?),
            _ => return Ok(()),
        };
        let path_lock = self.store.path_lock(key);
        let _exclusive = path_lock.write().unwrap_or_else(PoisonError::into_inner);
        self.store.upload(key)?.map_or(Ok(()), change)
    }
}

/// Serves until `stop` changes, then drops all connections where they stand. With an acceptor, over TLS.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(shared.config.max_connections.max(1)));
    let mut connections = 0;
    loop {
        let accepted = tokio::select! {
            _ = stop.changed() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, peer, place)) = accepted else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections += 1;
        let Ok(local) = stream.local_addr() else { continue };
        let connection = Arc::new(Connection::new(connections, local, peer));
        let (shared, tls, mut stop) = (shared.clone(), tls.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                _ = stop.changed() => {}
                () = serve_connection(shared, connection, stream, tls) => {}
            }
            drop(place);
        });
    }
}

type Accepted = (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Option<Accepted> {
    let place = places.clone().acquire_owned().await.ok()?;
    let (stream, peer) = listener.accept().await.ok()?;
    Some((stream, peer, place))
}

async fn serve_connection(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
) {
    // Small answers must not wait for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let planned = lock(&shared.faults).ask_connection();
    let mut socket = Socket::new(stream, shared.config.stall_timeout);
    if let Some((ending, phase)) = planned {
        if phase == Phase::FirstBytes {
            let mut first = [0; FIRST_BYTES];
            let _ = timeout(shared.config.idle_timeout, socket.read(&mut first)).await;
        }
        connection.end_with(ending);
        return connection.end(Stream::Plain(socket)).await;
    }
    let stream = match tls {
        None => Stream::Plain(socket),
        Some(tls) => match shake_hands(&tls, socket, shared.config.idle_timeout).await {
            Ok(stream) => stream,
            Err(Some(socket)) => return connection.end(Stream::Plain(socket)).await,
            Err(None) => return,
        },
    };
    let wire = Wire::new(stream, connection.clone());
    let idle_timeout = shared.config.idle_timeout;
    let service = {
        let connection = connection.clone();
        service_fn(move |request| Box::pin(route(shared.clone(), connection.clone(), request)))
    };
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        // Also bounds how long a connection may be idle between requests.
        .header_read_timeout(idle_timeout)
        .max_buf_size(HEAD_LIMIT)
        .max_header_size(HEAD_LIMIT)
        .max_headers(HEADER_FIELDS_LIMIT)
        .serve_connection(TokioIo::new(wire), service);
    // Errors are the client's doing or a fault's; either way the connection is over.
    let _ = poll_fn(|cx| Pin::new(&mut serving).poll_without_shutdown(cx)).await;
    let stream = serving.into_parts().io.into_inner().into_stream();
    connection.end(stream).await;
}

/// The TLS handshake. When it fails the socket comes back, to be ended so that the alert arrives; not when
/// the client let the time pass.
async fn shake_hands(tls: &TlsAcceptor, socket: Socket, limit: Duration) -> Result<Stream, Option<Socket>> {
    match timeout(limit, tls.accept(socket).into_fallible()).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err((_, socket))) => Err(Some(socket)),
        Err(_) => Err(None),
    }
}

async fn route(
    shared: Arc<Shared>,
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> Result<Response<AnswerBody>, Ended> {
    let path = request.uri().path();
    let below = shared.config.below_path_prefix(path).unwrap_or_default();
    if path.starts_with(control::PREFIX) {
        Ok(control::answer(shared, &connection, request).await)
    } else if Api::of_path(below).is_some() {
        exchange::answer(shared, connection, request).await
    } else if below.starts_with(ACCESS_PREFIX) || below.starts_with(SOURCE_PREFIX) {
        Ok(download::answer(shared, request).await)
    } else {
        // A status that the service never gives, so that no client takes it for an answer of its own.
        let prefix = &shared.config.path_prefix;
        let text = format!(
            "cos-emulator: there is nothing at this path; the API is at {prefix}/files/v2/<appid>/<bucket>/<path>, the older \
             one at {prefix}/files/v1/<appid>/<bucket>/<path>\n"
        );
        Ok(plain(StatusCode::NOT_IMPLEMENTED, "text/plain", text))
    }
}
