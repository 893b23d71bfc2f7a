//! A server between client and emulator that stops at a chosen point of each connection until it is opened.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::events::{Event, Events};

/// So small that a slice does not fit into the system's buffers, whatever these grow to.
const SEGMENT: u32 = 536;
const BUFFER: usize = 16 << 10;

/// Where connections stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Before they are there: the queue of those that are not accepted is full.
    Accept,
    /// At the first byte, which is not answered.
    FirstByte,
    /// When so many bytes have come.
    After(u64),
    /// Nowhere.
    Never,
}

/// The server; it ends, with all its connections and threads, when it is dropped.
pub struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    /// Accepts nothing as long as it is here.
    listener: Option<(TcpListener, TcpStream)>,
}

struct Shared {
    stop: Stop,
    emulator: SocketAddr,
    events: Events,
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    open: bool,
    closed: bool,
    streams: Vec<TcpStream>,
    threads: Vec<JoinHandle<()>>,
}

impl Gate {
    /// A gate before an emulator.
    pub fn new(stop: Stop, emulator: SocketAddr, events: Events) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        if let Stop::After(_) = stop {
            // What connections are made with is what their listener has.
            socket.set_tcp_mss(SEGMENT).expect("an option of TCP");
            socket.set_recv_buffer_size(BUFFER).expect("an option of sockets");
        }
        let any_port = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        socket.bind(&any_port).expect("a free port");
        // The system lets one connection more than this wait to be accepted.
        let waiting = if stop == Stop::Accept { 0 } else { 128 };
        socket.listen(waiting).expect("a server");
        let listener = TcpListener::from(socket);
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            stop,
            emulator,
            events,
            state: Mutex::default(),
            opened: Condvar::new(),
        });
        let mut gate = Self {
            address,
            shared,
            acceptor: None,
            listener: None,
        };
        if stop == Stop::Accept {
            let first = TcpStream::connect(address).expect("the one that waits");
            gate.listener = Some((listener, first));
        } else {
            gate.accept(listener);
        }
        gate
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets everything pass from now on, what was stopped included.
    pub fn open(&mut self) {
        self.shared.lock().open = true;
        self.shared.opened.notify_all();
        if let Some((listener, first)) = self.listener.take() {
            drop(first);
            self.accept(listener);
        }
    }

    fn accept(&mut self, listener: TcpListener) {
        let shared = Arc::clone(&self.shared);
        self.acceptor = Some(thread::spawn(move || {
            for stream in listener.incoming() {
                if !shared.serve(stream.expect("a connection")) {
                    return;
                }
            }
        }));
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let threads = {
            let mut state = self.shared.lock();
            state.closed = true;
            for stream in &state.streams {
                // One that has ended already can't be ended again.
                let _ = stream.shutdown(Shutdown::Both);
            }
            std::mem::take(&mut state.threads)
        };
        self.shared.opened.notify_all();
        if let Some(acceptor) = self.acceptor.take() {
            // The acceptor looks up at a connection, and sees that it is over.
            drop(TcpStream::connect(self.address));
            acceptor.join().expect("the acceptor does not panic");
        }
        for thread in threads {
            thread.join().expect("a connection's thread does not panic");
        }
    }
}

impl Shared {
    /// Whether there is more to accept.
    fn serve(self: &Arc<Self>, client: TcpStream) -> bool {
        let mut state = self.lock();
        if state.closed {
            return false;
        }
        let server = TcpStream::connect(self.emulator).expect("the emulator listens");
        let copy = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        state.streams.extend([copy(&client), copy(&server)]);
        let (to_server, answers) = ((copy(&client), copy(&server)), (server, client));
        let (there, back) = (Arc::clone(self), Arc::clone(self));
        state
            .threads
            .push(thread::spawn(move || there.pass(to_server.0, to_server.1)));
        state
            .threads
            .push(thread::spawn(move || back.copy(answers.0, answers.1, |_| ())));
        true
    }

    /// From the client to the emulator.
    fn pass(&self, client: TcpStream, server: TcpStream) {
        if self.stop == Stop::FirstByte {
            let count = client.peek(&mut [0]).unwrap_or(0);
            if count > 0 {
                self.stop_here(Event::FirstByte);
            }
        }
        let mut passed = 0;
        self.copy(client, server, |count| {
            passed += count;
            if let Stop::After(limit) = self.stop {
                if passed >= limit && passed - count < limit {
                    self.stop_here(Event::BodyHeld);
                }
            }
        });
        self.events.happen(Event::ClosedByClient);
    }

    /// Waits until the gate is opened, or gone.
    fn stop_here(&self, event: Event) {
        let state = self.lock();
        if !state.open {
            self.events.happen(event);
        }
        let waited = self
            .opened
            .wait_while(state, |state| !state.open && !state.closed);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn copy(&self, mut from: TcpStream, mut to: TcpStream, mut passed: impl FnMut(u64)) {
        let mut buffer = [0; BUFFER];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                    passed(count as u64);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        // One end is gone, so the other hears of it; it may be gone too.
        let _ = to.shutdown(Shutdown::Write);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
