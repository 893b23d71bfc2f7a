//! What is on the wire, and when a connection is kept.

use std::io::{ErrorKind, Read, Write};

use crate::engine::source::Identity;
use crate::upload::failure::SourceFailure;

use super::super::{AnswerLimits, MAX_REPLY};
use super::*;

#[test]
fn a_request_is_exactly_its_head_and_its_body() {
    let server = Server::once(|mut stream, _| {
        let mut request = Vec::new();
        let body = b"head0123tail";
        while !request.ends_with(body) {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        answer(&mut stream, "200 OK", &String::from_utf8(request).unwrap());
    });
    let source = MemorySource::new(*b"0123");
    let (_, request) = call(&mut server.transport(), &send(&source), &source).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "head0123tail");
    let mut lines: Vec<_> = head.split("\r\n").collect();
    assert_eq!(lines.remove(0), "POST /files/v2/1/b/f HTTP/1.1");
    lines.sort_unstable();
    let host = format!("host: {}", server.address);
    let expected = [
        "accept: */*",
        "authorization: signed",
        "content-length: 12",
        "content-type: multipart/form-data; boundary=x",
        &host,
        "user-agent: test/1",
    ];
    assert_eq!(
        lines, expected,
        "no Expect, no Transfer-Encoding, no Accept-Encoding"
    );
}

#[test]
fn a_prefix_of_the_endpoint_goes_before_the_target() {
    let server = Server::once(|mut stream, _| {
        let head = read_head(&mut stream);
        answer(&mut stream, "200 OK", head.lines().next().unwrap());
    });
    let mut transport = transport(config(&format!("{}/store/", server.endpoint())));
    assert_eq!(
        call_get(&mut transport).said(),
        ok("GET /store/files/v2/1/b/f?op=stat HTTP/1.1")
    );
}

/// A source that looks, when it is read, whether the server has received anything yet.
struct Peeking(std::sync::Mutex<Receiver<TcpStream>>, Sender<()>);

impl Source for Peeking {
    fn size(&self) -> u64 {
        7
    }

    fn read_at(&self, _: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        let stream = self.0.lock().unwrap().recv().unwrap();
        stream.set_nonblocking(true)?;
        let received = stream.peek(&mut [0]);
        stream.set_nonblocking(false)?;
        self.1.send(()).unwrap();
        buffer.copy_from_slice(if received.is_ok() { b"earlier" } else { b"at once" });
        Ok(7)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn the_head_leaves_with_the_body() {
    let (accepted, on_accept) = mpsc::channel();
    let (looked, on_look) = mpsc::channel();
    let server = Server::once(move |mut stream, _| {
        accepted.send(stream.try_clone().unwrap()).unwrap();
        on_look.recv().unwrap();
        let length = content_length(&read_head(&mut stream));
        let mut body = String::new();
        (&mut stream).take(length).read_to_string(&mut body).unwrap();
        answer(&mut stream, "200 OK", &body);
    });
    let source = Peeking(std::sync::Mutex::new(on_accept), looked);
    assert_eq!(
        call(&mut server.transport(), &send(&source), &source).said(),
        ok("headat oncetail")
    );
}

#[test]
fn a_long_authorization_is_sent_and_one_that_is_too_long_is_not() {
    let server = Server::once(|mut stream, _| {
        let (head, length) = read_request(&mut stream);
        assert!(head.contains(&format!("authorization: {}\r\n", "s".repeat(32_000))));
        answer(&mut stream, "200 OK", &length.to_string());
    });
    let source = MemorySource::new(vec![1; 1 << 20]);
    let mut transport = server.transport();
    let mut call_with = |authorization: &str| {
        let token = CancelToken::new();
        transport.exchange(
            &send(&source),
            hidden(authorization),
            &source,
            HANG_GUARD,
            &token,
            &mut |head, body| {
                let mut text = String::new();
                body.read_to_string(&mut text)?;
                Ok((head.http_status, text))
            },
        )
    };
    assert_eq!(call_with(&"s".repeat(32_000)).said(), ok("1048584"));
    let result = call_with(&"s".repeat(33_000));
    let Err(TaskFailure::Argument(detail)) = result else {
        panic!("{result:?}")
    };
    assert!(
        detail.contains("33017 bytes") && !detail.contains("sss"),
        "{detail}"
    );
}

#[test]
fn one_connection_serves_exchange_after_exchange() {
    let server = Server::once(|mut stream, _| {
        for _ in 0..50 {
            read_request(&mut stream);
            answer(&mut stream, "200 OK", "again");
            read_request(&mut stream);
            answer(&mut stream, "404 Not Found", "none");
        }
    });
    let mut transport = server.transport();
    let source = MemorySource::new(vec![1; 100_000]);
    for _ in 0..50 {
        assert_eq!(call(&mut transport, &send(&source), &source).said(), ok("again"));
        assert_eq!(call_get(&mut transport).said(), Ok((404, "none".to_owned())));
    }
}

#[test]
fn a_post_without_a_body_says_so() {
    let server = Server::once(|mut stream, _| {
        for _ in 0..2 {
            let head = read_head(&mut stream);
            assert!(
                head.starts_with("POST ") && head.contains("content-length: 0\r\n"),
                "{head}"
            );
            answer(&mut stream, "200 OK", "empty");
        }
    });
    let mut transport = server.transport();
    for _ in 0..2 {
        let result = call(&mut transport, &post(Vec::new()), &MemorySource::new(*b""));
        assert_eq!(result.said(), ok("empty"));
    }
}

#[test]
fn a_reply_not_read_to_its_end_does_not_cost_the_connection_answer_or_refusal() {
    let server = Server::once(|mut stream, _| {
        for _ in 0..4 {
            read_request(&mut stream);
            answer(&mut stream, "200 OK", &"x".repeat(50_000));
        }
    });
    let mut transport = server.transport();
    for refused in [false, true, false, true] {
        let (source, token) = (MemorySource::new(*b""), CancelToken::new());
        let result = transport.exchange(
            &get(),
            hidden("signed"),
            &source,
            HANG_GUARD,
            &token,
            &mut |_, body| {
                let mut first = [0];
                body.read_exact(&mut first)?;
                if refused { Err(refusal().into()) } else { Ok(first) }
            },
        );
        match result {
            Ok(first) => assert!(!refused && first == *b"x"),
            Err(failure) => assert!(
                refused && matches!(failure, TaskFailure::Refused(_)),
                "{failure:?}"
            ),
        }
    }
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_not_used() {
    let (closed, on_close) = mpsc::channel();
    let server = Server::start(move |listener, _| {
        for _ in 0..2 {
            let mut stream = listener.accept().unwrap().0;
            read_request(&mut stream);
            answer(&mut stream, "200 OK", "fresh");
            // The end is on its way before the test goes on; loopback delivers it with the call.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let _ = closed.send(());
            assert_eq!(
                stream.read(&mut [0]).unwrap(),
                0,
                "the client closes it without another request"
            );
        }
    });
    let mut transport = server.transport();
    for _ in 0..2 {
        assert_eq!(call_get(&mut transport).said(), ok("fresh"));
        on_close.recv().unwrap();
    }
}

#[test]
fn a_kept_connection_that_breaks_before_an_answer_is_reported_as_stale() {
    let server = Server::start(|listener, _| {
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        answer(&mut stream, "200 OK", "kept");
        read_request(&mut stream);
        drop(stream);
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        answer(&mut stream, "200 OK", "fresh");
    });
    let mut transport = server.transport();
    assert_eq!(call_get(&mut transport).said(), ok("kept"));
    let failure = call_get(&mut transport).network();
    assert!(failure.stale && failure.ambiguous, "{failure:?}");
    assert_eq!(call_get(&mut transport).said(), ok("fresh"));
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let location = format!("Location: http://{}/\r\n", elsewhere.local_addr().unwrap());
    for body in ["", "Content-Length: 5\r\n\r\nmoved"] {
        let location = location.clone();
        let server = Server::once(move |mut stream, _| {
            read_request(&mut stream);
            let rest = if body.is_empty() {
                "Content-Length: 0\r\n\r\n"
            } else {
                body
            };
            write!(stream, "HTTP/1.1 302 Found\r\n{location}{rest}").unwrap();
        });
        let (status, text) = call_get(&mut server.transport()).unwrap();
        assert_eq!(status, 302);
        assert!(body.ends_with(&text));
    }
    elsewhere.set_nonblocking(true).unwrap();
    assert_eq!(
        elsewhere.accept().unwrap_err().kind(),
        ErrorKind::WouldBlock,
        "nobody followed it"
    );
}

#[test]
fn an_authorization_that_no_header_can_have_is_refused_without_being_sent_or_shown() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut transport = transport(config(&format!("http://{}", listener.local_addr().unwrap())));
    let source = MemorySource::new(*b"");
    let result = transport.exchange(
        &get(),
        hidden("secret\r\nx: y"),
        &source,
        HANG_GUARD,
        &CancelToken::new(),
        &mut |_, _| Ok(()),
    );
    let Err(TaskFailure::Argument(detail)) = result else {
        panic!("{result:?}")
    };
    assert!(
        detail.contains("line break") && !detail.contains("secret"),
        "{detail}"
    );
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn the_head_of_an_answer_says_what_is_known_before_its_body() {
    let server = Server::once(|mut stream, _| {
        for headers in [
            "X-Cos-Request-Id: abc==\r\nRetry-After: 7\r\nContent-Type: text/html\r\n\
             Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n",
            "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nDate: Sun Nov  6 08:49:37 1994\r\n",
        ] {
            read_request(&mut stream);
            write!(stream, "HTTP/1.1 503 Busy\r\n{headers}Content-Length: 0\r\n\r\n").unwrap();
        }
    });
    let mut transport = server.transport();
    let mut heads = Vec::new();
    let mut dates = Vec::new();
    for _ in 0..2 {
        let (source, token) = (MemorySource::new(*b""), CancelToken::new());
        let limits = AnswerLimits {
            time: HANG_GUARD,
            size: MAX_REPLY,
        };
        let head = transport.exchange(
            &get(),
            hidden("signed"),
            &source,
            limits,
            &token,
            &mut |head, _| Ok(head.clone()),
        );
        heads.push(head.unwrap());
        dates.push(transport.server_date());
    }
    assert_eq!(heads[0].http_status, 503);
    assert_eq!(heads[0].request_id.as_deref(), Some("abc=="));
    assert_eq!(heads[0].retry_after, Some(Duration::from_secs(7)));
    assert_eq!(heads[0].content_type.as_deref(), Some("text/html"));
    assert_eq!((&heads[1].request_id, heads[1].retry_after), (&None, None));
    assert_eq!(
        dates,
        [Some(784_111_777), None],
        "a date without a zone is no date"
    );
}

#[test]
fn user_agents_that_are_no_header_are_refused() {
    for user_agent in ["", "a\r\nb", "a\u{1}", "caf\u{e9}", &"a".repeat(2000)] {
        let mut config = config("http://127.0.0.1:1");
        config.user_agent = user_agent.to_owned();
        assert!(SharedTransport::new(config).unwrap_err().contains("user agent"));
    }
}
