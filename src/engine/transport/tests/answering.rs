//! What can happen while an answer is waited for and read.

use std::time::Instant;

use crate::upload::failure::{Cause, Phase};

use super::*;

/// A server that reads the request, says this, and closes.
fn says(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes = bytes.into();
    Server::once(move |mut stream, _| {
        read_request(&mut stream);
        // The client may hang up in the middle.
        let _ = stream.write_all(&bytes);
    })
}

#[test]
fn a_server_that_closes_without_an_answer_leaves_the_outcome_open() {
    let failure = call_get(&mut says("").transport()).network();
    assert_eq!((failure.phase, failure.cause), (Phase::Answer, Cause::Broken));
    assert!(failure.ambiguous && !failure.stale, "{failure:?}");
    assert!(failure.detail.contains("without an answer"), "{}", failure.detail);
}

#[test]
fn an_answer_that_never_comes_times_out() {
    let server = Server::once(|mut stream, held| {
        read_request(&mut stream);
        held.until_released();
    });
    let mut transport = server.transport_with(|timeouts| timeouts.answer = SHORT);
    let begun = Instant::now();
    let failure = call_get(&mut transport).network();
    assert_eq!((failure.phase, failure.cause), (Phase::Answer, Cause::TimedOut));
    assert!(failure.ambiguous && !failure.stale, "{failure:?}");
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < HANG_GUARD);
}

#[test]
fn the_answer_s_time_begins_with_the_last_byte_sent() {
    let server = Server::once(|mut stream, held| {
        let head = read_head(&mut stream);
        held.for_a_while(2 * SHORT);
        std::io::copy(
            &mut (&mut stream).take(content_length(&head)),
            &mut std::io::sink(),
        )
        .unwrap();
        answer(&mut stream, "200 OK", "in time");
    });
    let (_folder, source) = large_file();
    let mut transport = server.transport_with(|timeouts| timeouts.answer = SHORT);
    assert_eq!(
        call(&mut transport, &send(&source), &source).said(),
        ok("in time")
    );
}

#[test]
fn an_answer_that_drips_is_bounded_as_a_whole() {
    for start in [
        "HTTP/1.1 200 OK\r\nX: ",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
    ] {
        let server = Server::once(move |mut stream, held| {
            read_request(&mut stream);
            stream.write_all(start.as_bytes()).unwrap();
            while !held.is_released() && stream.write_all(b"x").is_ok() {
                held.0.recv_timeout(SHORT / 10).ok();
            }
        });
        let mut transport = server.transport_with(|timeouts| timeouts.answer = SHORT);
        let failure = call_get(&mut transport).network();
        assert_eq!(
            (failure.phase, failure.cause),
            (Phase::Answer, Cause::TimedOut),
            "{failure:?}"
        );
        drop(transport);
    }
}

#[test]
fn an_answer_that_comes_byte_by_byte_within_its_time_is_read() {
    let server = Server::once(|mut stream, held| {
        stream.set_nodelay(true).unwrap();
        read_request(&mut stream);
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ndrips" {
            stream.write_all(&[*byte]).unwrap();
            held.for_a_while(Duration::from_millis(5));
        }
    });
    assert_eq!(call_get(&mut server.transport()).said(), ok("drips"));
}

#[test]
fn the_rest_of_an_answer_has_its_own_time_after_the_head() {
    const LIMIT: Duration = Duration::from_secs(1);
    let server = Server::once(|mut stream, held| {
        read_request(&mut stream);
        held.for_a_while(LIMIT * 6 / 10);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
            .unwrap();
        held.for_a_while(LIMIT * 6 / 10);
        stream.write_all(b"late").unwrap();
    });
    let mut transport = server.transport_with(|timeouts| timeouts.answer = LIMIT);
    assert_eq!(call_get(&mut transport).said(), ok("late"));
}

#[test]
fn an_endless_head_is_too_large() {
    let mut flood = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
    flood.resize(1 << 20, b'a');
    let failure = call_get(&mut says(flood).transport()).network();
    assert_eq!(
        (failure.phase, failure.cause),
        (Phase::Answer, Cause::TooLarge),
        "{failure:?}"
    );
}

#[test]
fn a_long_head_within_the_limit_is_read() {
    let mut head = String::from("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n");
    for index in 0..50 {
        head.push_str(&format!("X-{index}: {}\r\n", "a".repeat(1000)));
    }
    assert_eq!(call_get(&mut says(head + "\r\nok").transport()).said(), ok("ok"));
}

#[test]
fn more_headers_than_anybody_sends_are_an_error() {
    let headers: String = (0..500).map(|index| format!("X-{index}: a\r\n")).collect();
    let failure = call_get(&mut says(format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).transport()).network();
    assert_eq!(
        (failure.phase, failure.cause),
        (Phase::Answer, Cause::Malformed),
        "{failure:?}"
    );
}

#[test]
fn a_reply_longer_than_the_limit_is_too_large_whether_it_says_so_or_not() {
    let declared = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 << 20);
    for head in [declared.as_str(), "HTTP/1.1 200 OK\r\n\r\n"] {
        let mut reply = head.as_bytes().to_vec();
        reply.resize(2 << 20, b'a');
        let failure = call_get(&mut says(reply).transport()).network();
        assert_eq!(
            (failure.phase, failure.cause),
            (Phase::Answer, Cause::TooLarge),
            "{failure:?}"
        );
        assert!(
            failure.ambiguous && failure.detail.contains("1048576"),
            "{failure:?}"
        );
    }
}

#[test]
fn a_reply_of_exactly_the_limit_is_read() {
    let body = "a".repeat(1 << 20);
    let server = Server::once({
        let body = body.clone();
        move |mut stream, _| {
            read_request(&mut stream);
            answer(&mut stream, "200 OK", &body);
        }
    });
    assert_eq!(call_get(&mut server.transport()).said(), ok(&body));
}

#[test]
fn a_reply_that_ends_early_is_broken() {
    let failure =
        call_get(&mut says("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").transport()).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Answer, Cause::Broken, true),
        "{failure:?}"
    );
    let failure = call_get(&mut says("HTTP/1.1 200 OK\r\nContent-Le").transport()).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Answer, Cause::Broken, true)
    );
    assert!(failure.detail.contains("middle"), "{}", failure.detail);
}

#[test]
fn a_reply_without_length_ends_with_the_connection() {
    assert_eq!(
        call_get(&mut says("HTTP/1.1 200 OK\r\n\r\nto the end").transport()).said(),
        ok("to the end")
    );
}

#[test]
fn a_chunked_reply_is_read() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    assert_eq!(call_get(&mut says(chunked).transport()).said(), ok("abcde"));
}

#[test]
fn what_is_no_http_is_malformed() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.9\r\n\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "<html>\r\n\r\n",
        "\u{16}\u{3}\u{1}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nabc",
    ] {
        let failure = call_get(&mut says(garbage).transport()).network();
        let what = (failure.phase, failure.cause, failure.ambiguous);
        assert_eq!(
            what,
            (Phase::Answer, Cause::Malformed, true),
            "{garbage:?}: {failure:?}"
        );
    }
}

#[test]
fn a_reply_that_goes_on_after_it_was_understood_is_not_waited_for() {
    let server = Server::once(|mut stream, held| {
        read_request(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}")
            .unwrap();
        held.until_released();
    });
    let mut transport = server.transport();
    let begun = Instant::now();
    let source = MemorySource::new(*b"");
    let value = transport.exchange(
        &get(),
        hidden("signed"),
        &source,
        HANG_GUARD,
        &CancelToken::new(),
        &mut |_, body| {
            let mut value = [0; 2];
            body.read_exact(&mut value)?;
            Ok(value)
        },
    );
    assert_eq!(value.unwrap(), *b"{}");
    assert!(begun.elapsed() < HANG_GUARD / 2);
}
