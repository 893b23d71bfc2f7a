//! A proxy for one account, "user" with the password "sesame".

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// A proxy that makes tunnels for whoever knows the password.
pub struct Proxy {
    pub address: SocketAddr,
    tunnels: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let tunnels = Arc::new(AtomicUsize::new(0));
        let made = tunnels.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let made = made.clone();
                thread::spawn(move || tunnel(client, &made));
            }
        });
        Self { address, tunnels }
    }

    /// How many it made since this was asked last.
    pub fn tunnels(&self) -> usize {
        self.tunnels.swap(0, Ordering::SeqCst)
    }
}

fn tunnel(client: TcpStream, made: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|count| *count > 0)?;
    }
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    let mut to_client = client;
    // "user:sesame"
    if !head.contains("Basic dXNlcjpzZXNhbWU=") {
        return to_client
            .write_all(b"HTTP/1.1 407 Who are you?\r\nContent-Length: 0\r\n\r\n")
            .ok();
    }
    let service = TcpStream::connect(target).ok()?;
    to_client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    made.fetch_add(1, Ordering::SeqCst);
    let (mut from_service, mut to_service) = (service.try_clone().ok()?, service);
    let back = thread::spawn(move || {
        let _ = std::io::copy(&mut from_service, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut reader, &mut to_service);
    let _ = to_service.shutdown(Shutdown::Both);
    back.join().ok()
}

#[test]
fn the_tests_proxy_makes_tunnels_for_those_who_know_the_password_alone() {
    let proxy = Proxy::start();
    let mut client = TcpStream::connect(proxy.address).expect("it listens");
    client
        .write_all(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n")
        .expect("it reads");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 407"), "{answer}");
    assert_eq!(proxy.tunnels(), 0);
}
