//! The service at the lowest cost: it answers each request as if it had done it, and discards what it receives. Over plain
//! TCP the bodies are not even copied out of the kernel.
//!
//! It believes its clients: signatures, sessions and what has arrived are not looked at. What the emulator is for
//! (`tests/emulator`) can't be tested with it.

mod answer;
mod connection;
mod counts;
mod gate;
mod objects;
mod request;
mod tls;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

pub use counts::Totals;

use connection::Connection;
use counts::Counts;
use gate::Gate;
use objects::Objects;

/// Connections at once; one more is closed unanswered, so that a client that opens too many is noticed.
const MAX_CONNECTIONS: u64 = 1024;

/// Connections that wait to be accepted; a thousand uploads may begin at once.
const BACKLOG: i32 = 1024;

/// What of the wire there is beside the discarding.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How long each answer is held back, as a distant server's is.
    pub delay: Delay,
    /// Speak TLS 1.3, and write the certificate of the authority to trust into this file, as PEM.
    pub tls: Option<PathBuf>,
    /// Answer nothing until a request for `?op=release` comes, so that many uploads can be begun before the first of them goes on.
    pub hold: bool,
}

/// Which answers are held back, and for how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delay {
    /// None.
    #[default]
    None,
    /// Those to slices.
    Slices(Duration),
    /// All.
    All(Duration),
}

/// A server that runs until the process ends: measuring programs end with it.
pub struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
}

/// What the connections share.
struct Shared {
    delay: Delay,
    gate: Gate,
    counts: Arc<Counts>,
    objects: Objects,
}

impl Server {
    /// Listens on a free port of the loopback interface.
    ///
    /// # Errors
    /// What the system said, or what is wrong with the certificate that was made.
    pub fn start(options: Options) -> io::Result<Self> {
        let tls = options.tls.as_deref().map(tls::make).transpose()?;
        let listener = listen()?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let shared = Arc::new(Shared {
            delay: options.delay,
            gate: Gate::new(!options.hold),
            counts: Arc::clone(&counts),
            objects: Objects::default(),
        });
        thread::Builder::new()
            .name("accept".into())
            .spawn(move || accept(&listener, tls.as_ref(), &shared))?;
        Ok(Self { address, counts })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has received until now.
    pub fn totals(&self) -> Totals {
        self.counts.totals()
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn accept(listener: &TcpListener, tls: Option<&Arc<rustls::ServerConfig>>, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        // Such as "too many open files": the client sees that it is not answered.
        let Ok(stream) = stream else { continue };
        if shared.counts.opened() > MAX_CONNECTIONS {
            shared.counts.closed();
            continue;
        }
        let wire = match tls {
            None => wire::plain(stream),
            Some(config) => wire::tls(stream, Arc::clone(config)),
        };
        let for_thread = Arc::clone(shared);
        let spawned = thread::Builder::new().name("connection".into()).spawn(move || {
            if let Ok(wire) = wire {
                // Its end is the client's affair; a request that can't be read is answered before.
                let _ = Connection::new(wire, &for_thread).serve();
            }
            for_thread.counts.closed();
        });
        if spawned.is_err() {
            shared.counts.closed();
        }
    }
}
