//! Places on the network that a client is sent to: where nobody answers, and proxies.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use socket2::{Domain, Socket, Type};

/// The user and the password that a proxy may want.
pub const LOGIN: &str = "user:password";

/// Which way nobody answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Nobody listens.
    Closed,
    /// Connections are made, take a little, and are never answered.
    Mute,
    /// There is no room for another connection.
    Full,
}

/// A place where nobody answers.
pub struct SilentPlace {
    address: SocketAddr,
    /// Keeps the port.
    _sockets: Vec<Socket>,
}

impl SilentPlace {
    /// Makes one.
    ///
    /// # Errors
    /// The system has no sockets.
    pub fn new(silence: Silence) -> io::Result<Self> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // What is sent to it soon has no room any more.
        socket.set_recv_buffer_size(4096)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let address = socket
            .local_addr()?
            .as_socket()
            .ok_or_else(|| io::Error::other("an address of another family"))?;
        let mut sockets = vec![socket];
        match silence {
            Silence::Closed => {}
            Silence::Mute => sockets[0].listen(64)?,
            Silence::Full => {
                sockets[0].listen(0)?;
                sockets.extend(fill(address)?);
            }
        }
        Ok(Self {
            address,
            _sockets: sockets,
        })
    }

    /// Host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Connects until there is no room: a connection that is not made within this time never will be.
fn fill(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let patience = std::time::Duration::from_millis(200);
    let mut made = Vec::new();
    loop {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        match socket.connect_timeout(&address.into(), patience) {
            Ok(()) => made.push(socket),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(made),
            Err(error) => return Err(error),
        }
    }
}

/// An HTTP proxy that makes tunnels by `CONNECT`, all of them to one address.
pub struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<BTreeSet<String>>>,
    ending: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one; `login` is whether it wants [`LOGIN`].
    ///
    /// # Errors
    /// The system has no sockets or threads.
    pub fn start(to: SocketAddr, login: bool) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (asked, ending) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let listening = {
            let (asked, ending) = (Arc::clone(&asked), Arc::clone(&ending));
            thread::Builder::new().name("proxy".into()).spawn(move || {
                let mut tunnels = Vec::new();
                for stream in listener.incoming().map_while(Result::ok) {
                    if ending.load(Ordering::SeqCst) {
                        break;
                    }
                    let asked = Arc::clone(&asked);
                    // One that breaks is the client's affair.
                    tunnels.push(thread::spawn(move || drop(tunnel(stream, to, login, &asked))));
                }
                for tunnel in tunnels {
                    let _ = tunnel.join();
                }
            })?
        };
        Ok(Self {
            address,
            asked,
            ending,
            listening: Some(listening),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whose hosts and ports it was asked for.
    pub fn asked(&self) -> BTreeSet<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    /// Waits for the tunnels, which end with the emulator and the client behind them.
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        // Wakes who listens.
        drop(TcpStream::connect(self.address));
        if let Some(listening) = self.listening.take() {
            let _ = listening.join();
        }
    }
}

/// Serves one connection to its end.
fn tunnel(stream: TcpStream, to: SocketAddr, login: bool, asked: &Mutex<BTreeSet<String>>) -> io::Result<()> {
    let mut client = stream.try_clone()?;
    let mut head = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if head.read_line(&mut line)? == 0 {
            return Ok(());
        }
        if line == "\r\n" {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let request = lines.first().map(String::as_str).unwrap_or_default();
    let authority = request
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.strip_suffix(" HTTP/1.1"));
    let Some(authority) = authority else {
        return client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n");
    };
    let expected = format!("Proxy-Authorization: Basic {}", BASE64_STANDARD.encode(LOGIN));
    if login && !lines.contains(&expected) {
        return client.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    }
    asked
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(authority.to_owned());
    let server = TcpStream::connect(to)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let back = thread::spawn({
        let (mut server, mut client) = (server.try_clone()?, client.try_clone()?);
        move || {
            let _ = io::copy(&mut server, &mut client);
            let _ = client.shutdown(Shutdown::Both);
        }
    });
    let mut to_server = server.try_clone()?;
    let _ = io::copy(&mut head, &mut to_server);
    let _ = server.shutdown(Shutdown::Both);
    let _ = back.join();
    Ok(())
}
