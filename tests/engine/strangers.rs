//! Servers that are none of this kind: what they answer is refused, bounded, and followed nowhere.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use cos_slice::engine::client::Client;
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::source::MemorySource;
use cos_slice::upload::error::Error;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, PATH, Stage};

/// Nothing here may wait as long as this.
const HANG_GUARD: Duration = Duration::from_secs(60);

/// A server that reads each request and then does this, until the test's process ends.
fn server(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut byte = [0];
            // The client's boundary ends with as much; what it sends is short.
            while !request.ends_with(b"--\r\n") && stream.read(&mut byte).is_ok_and(|count| count > 0) {
                request.push(byte[0]);
            }
            // The client may hang up in the middle.
            let _ = answer(&mut stream);
        }
    });
    address
}

fn upload(address: SocketAddr) -> Error {
    let mut config = Stage::new().config();
    config.endpoint = Endpoint::parse(&format!("http://{address}")).unwrap();
    config.connections = 1.into();
    config.timeouts.answer = HANG_GUARD;
    let upload = Client::new(config).unwrap().upload(BUCKET, PATH).unwrap();
    upload
        .set_source(Arc::new(MemorySource::new(*b"content")))
        .unwrap();
    upload.run(None).unwrap_err()
}

#[test]
fn redirects_are_followed_nowhere_and_the_error_says_so() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let target = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let address = server(move |stream| {
            write!(
                stream,
                "HTTP/1.1 {status} Moved\r\nLocation: http://{target}/files\r\nContent-Length: 5\r\n\r\nmoved"
            )
        });
        let error = upload(address);
        assert_eq!(
            (error.status, error.http_status),
            (Status::BadReply, Some(status)),
            "{error}"
        );
        assert!(error.message.contains("redirects are not followed"), "{error}");
        assert_eq!(error.place.attempts, 1, "{error}");
    }
    elsewhere.set_nonblocking(true).unwrap();
    assert_eq!(
        elsewhere.accept().unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "nobody came"
    );
}

#[test]
fn answers_without_end_are_refused_at_their_limit() {
    for head in [
        "HTTP/1.1 200 OK\r\n\r\n{\"code\":0,\"message\":\"",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n{\"message\":\"",
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 100 Continue\r\nX: ",
    ] {
        let address = server(move |stream| {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(&[b'a'; 64 << 10])?;
            }
        });
        let begun = Instant::now();
        let error = upload(address);
        assert_eq!(error.status, Status::BadReply, "{head:?}: {error}");
        assert!(begun.elapsed() < HANG_GUARD, "{head:?}");
    }
    for (head, repeated) in [
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("", "HTTP/1.1 103 Early Hints\r\n\r\n"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "1\r\n{\r\n",
        ),
    ] {
        let address = server(move |stream| {
            stream.write_all(head.as_bytes())?;
            loop {
                stream.write_all(repeated.as_bytes())?;
            }
        });
        let begun = Instant::now();
        let error = upload(address);
        assert_eq!(error.status, Status::BadReply, "{head:?} {repeated:?}: {error}");
        assert!(begun.elapsed() < HANG_GUARD, "{head:?} {repeated:?}");
    }
}

#[test]
fn what_goes_on_after_an_answer_holds_nothing_up() {
    let address = server(|stream| {
        stream.write_all(b"HTTP/1.1 400 No\r\nContent-Length: 21\r\n\r\n{\"code\":-5999,\"m\":\"\"}")?;
        loop {
            stream.write_all(b"X: y\r\n")?;
        }
    });
    let begun = Instant::now();
    let error = upload(address);
    assert_eq!(error.server_code, Some(-5999), "{error}");
    assert!(begun.elapsed() < HANG_GUARD);
}
