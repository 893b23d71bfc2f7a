//! What can happen before a connection is there, and tunnels through proxies.

use std::net::{SocketAddr, TcpListener};
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::upload::failure::{Cause, Phase};

use super::*;

/// An address where nobody listens.
fn closed_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A listener that answers no connection request any more, because its queue is full.
pub(super) struct FullListener {
    listener: Socket,
    _queued: Vec<Socket>,
}

impl FullListener {
    pub(super) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = (0..8).map(|_| {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            socket
        });
        let _queued = queued.collect();
        Self { listener, _queued }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap().as_socket().unwrap()
    }
}

fn answering(times: usize) -> Server {
    Server::start(move |listener, _| {
        for _ in 0..times {
            let mut stream = listener.accept().unwrap().0;
            read_request(&mut stream);
            answer(&mut stream, "200 OK", "here");
        }
    })
}

#[test]
fn an_unknown_region_whose_host_is_not_found_is_answered_with_the_list_of_regions() {
    let lookup = |endpoint: Endpoint| {
        let mut config = config("http://127.0.0.1:1");
        config.endpoint = endpoint;
        let resolver = Resolver::new(|_, _| Err(std::io::Error::other("no such name")));
        let shared = SharedTransport::with_resolver(config, resolver).unwrap();
        let failure = call_get(&mut Transport::new(&Arc::new(shared))).network();
        assert_eq!((failure.phase, failure.cause), (Phase::Resolve, Cause::NoAddress));
        failure.detail
    };
    let unknown = lookup(Endpoint::region("xyz").unwrap());
    let said = "xyz.file.myqcloud.com: no such name; \"xyz\" is none of the known regions: tj (Tianjin), bj (Beijing)";
    assert!(unknown.starts_with(said), "{unknown}");
    let known = lookup(Endpoint::region("gz").unwrap());
    assert_eq!(known, "gz.file.myqcloud.com: no such name");
    let other = lookup(Endpoint::parse("http://xyz.example").unwrap());
    assert_eq!(other, "xyz.example: no such name");
}

#[test]
fn a_closed_port_is_a_failure_to_connect_that_names_the_address() {
    let address = closed_address();
    let failure = call_get(&mut transport(config(&format!("http://{address}")))).network();
    assert_eq!((failure.phase, failure.cause), (Phase::Connect, Cause::Broken));
    assert!(!failure.ambiguous && !failure.stale, "{failure:?}");
    assert_eq!(failure.os_errno, Some(libc::ECONNREFUSED));
    assert!(
        failure.detail.contains(&address.to_string()),
        "{}",
        failure.detail
    );
}

#[test]
fn a_server_that_does_not_answer_the_connection_request_times_out() {
    let full = FullListener::new();
    let mut transport = transport_to(vec![full.address()], |timeouts| timeouts.connect = SHORT);
    let begun = Instant::now();
    let failure = call_get(&mut transport).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Connect, Cause::TimedOut, false)
    );
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < HANG_GUARD);
}

#[test]
fn every_address_of_a_host_is_tried_and_has_its_share_of_the_time() {
    let full = FullListener::new();
    let server = answering(1);
    let addresses = vec![full.address(), closed_address(), full.address(), server.address];
    let limit = 10 * SHORT;
    let mut transport = transport_to(addresses, |timeouts| timeouts.connect = limit);
    let begun = Instant::now();
    assert_eq!(call_get(&mut transport).said(), ok("here"));
    assert!(
        begun.elapsed() < limit,
        "the first address may not use up the time of all"
    );
}

#[test]
fn when_no_address_answers_the_last_failure_is_told_with_their_number() {
    let last = closed_address();
    let failure = call_get(&mut transport_to(vec![closed_address(), last], |_| {})).network();
    assert!(
        failure.detail.contains("2 addresses") && failure.detail.contains(&last.to_string()),
        "{failure:?}"
    );
}

#[test]
fn the_name_is_looked_up_for_connections_and_not_for_requests() {
    let server = Server::once(|mut stream, _| {
        for _ in 0..5 {
            read_request(&mut stream);
            answer(&mut stream, "200 OK", "kept");
        }
    });
    let address = server.address;
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let calls = Arc::clone(&count);
    let resolver = Resolver::new(move |host, port| {
        assert_eq!((host, port), ("store.example", 80));
        calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Ok(vec![address])
    });
    let shared = Arc::new(SharedTransport::with_resolver(config("http://store.example"), resolver).unwrap());
    let mut transport = Transport::new(&shared);
    for _ in 0..5 {
        assert_eq!(call_get(&mut transport).said(), ok("kept"));
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn a_name_that_does_not_exist_is_a_failure_of_the_look_up() {
    let mut config = config("http://nonexistent.invalid");
    config.timeouts.resolve = Duration::from_secs(5);
    let failure = call_get(&mut transport(config)).network();
    // Some networks answer no look-ups at all.
    assert!(
        matches!(
            (failure.phase, failure.cause),
            (Phase::Resolve, Cause::NoAddress | Cause::TimedOut)
        ),
        "{failure:?}"
    );
    assert!(!failure.ambiguous);
}

fn proxied(server: &Server, login: &str) -> Transport {
    let mut config = config("http://store.example:8080");
    config.proxy = Some(format!("http://{login}{}", server.address));
    transport(config)
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_and_everything_goes_through_it() {
    let server = Server::once(|mut stream, _| {
        let head = read_head(&mut stream);
        let expected = "CONNECT store.example:8080 HTTP/1.1\r\nHost: store.example:8080\r\n\
                        Proxy-Authorization: Basic dXNlcjpwQHNz\r\n\r\n";
        assert_eq!(head, expected);
        stream
            .write_all(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n")
            .unwrap();
        for _ in 0..2 {
            let (head, _) = read_request(&mut stream);
            assert!(
                head.contains("host: store.example:8080\r\n") && !head.to_lowercase().contains("proxy"),
                "{head}"
            );
            answer(&mut stream, "200 OK", "through");
        }
    });
    let mut transport = proxied(&server, "user:p%40ss@");
    assert_eq!(call_get(&mut transport).said(), ok("through"));
    assert_eq!(call_get(&mut transport).said(), ok("through"));
}

#[test]
fn a_proxy_that_says_no_is_a_failure_to_connect_in_its_words_and_without_the_password() {
    for (says, told) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407"),
        ("HTTP/1.0 403 Blocked by policy\r\n\r\n", "Blocked by policy"),
        ("nonsense\r\n\r\n", "nonsense"),
        ("", "closed the connection"),
    ] {
        let server = Server::once(move |mut stream, _| {
            read_head(&mut stream);
            stream.write_all(says.as_bytes()).unwrap();
        });
        let failure = call_get(&mut proxied(&server, "user:hunter2@")).network();
        assert_eq!(
            (failure.phase, failure.cause, failure.ambiguous),
            (Phase::Connect, Cause::Broken, false)
        );
        assert!(
            failure.detail.contains(told) && failure.detail.contains("the proxy 127.0.0.1"),
            "{failure:?}"
        );
        assert!(!failure.detail.contains("hunter2"));
    }
}

#[test]
fn a_proxy_that_can_not_be_reached_is_named() {
    let nobody_listens = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (proxy, phase) in [
        (format!("http://{nobody_listens}"), Phase::Connect),
        ("http://nowhere.invalid:8080".to_owned(), Phase::Resolve),
    ] {
        let mut config = config("http://store.example");
        config.proxy = Some(proxy.clone());
        let failure = call_get(&mut transport(config)).network();
        assert_eq!(failure.phase, phase, "{failure:?}");
        let named = format!("the proxy {}: ", proxy.trim_start_matches("http://"));
        assert!(failure.detail.starts_with(&named), "{failure:?}");
    }
}

#[test]
fn a_proxy_that_does_not_answer_times_out() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        held.until_released();
    });
    let mut config = config("http://store.example");
    config.proxy = Some(format!("http://{}", server.address));
    config.timeouts.connect = SHORT;
    let failure = call_get(&mut transport(config)).network();
    assert_eq!((failure.phase, failure.cause), (Phase::Connect, Cause::TimedOut));
}

#[test]
fn proxies_of_other_kinds_are_refused_with_what_to_give_instead() {
    for proxy in [
        "socks5://127.0.0.1:1",
        "https://127.0.0.1:1",
        "ftp://x",
        "http://",
        "http://:8080",
        "http://store.example:0",
        "not an address",
    ] {
        let mut config = config("http://store.example");
        config.proxy = Some(proxy.to_owned());
        let error = SharedTransport::new(config).unwrap_err();
        assert!(error.contains("http://host:port"), "{proxy}: {error}");
    }
}
