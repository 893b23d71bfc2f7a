//! What can happen while a request is being sent.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::time::Instant;

use socket2::{Domain, Socket, Type};

use crate::engine::limiter::{Limiter, Limits};
use crate::engine::source::Identity;
use crate::upload::failure::{Cause, Phase, SourceFailure, SourceFault};

use super::*;

#[test]
fn an_early_refusal_is_kept_though_the_server_closes() {
    for _ in 0..20 {
        let server = Server::once(|mut stream, _| {
            read_head(&mut stream);
            answer(&mut stream, "403 Forbidden", "signature expired");
            // Closed with unread input: the client's next writes meet a reset.
        });
        let (_folder, source) = large_file();
        let result = call(&mut server.transport(), &send(&source), &source);
        assert_eq!(result.said(), Ok((403, "signature expired".to_owned())));
    }
}

#[test]
fn an_early_refusal_is_kept_though_the_server_neither_reads_nor_closes() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        answer(&mut stream, "413 Too Large", "no");
        held.until_released();
    });
    let (_folder, source) = large_file();
    let result = call(&mut server.transport(), &send(&source), &source);
    assert_eq!(result.said(), Ok((413, "no".to_owned())));
}

/// What the system takes of the request without the server's doing takes longer by the limit than the test may.
#[test]
fn an_early_refusal_is_heard_while_the_rate_limit_is_waited_for() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        answer(&mut stream, "413 Too Large", "no");
        held.until_released();
    });
    let (_folder, source) = large_file();
    let mut transport = server.transport();
    transport.set_limits(Limits {
        client: Arc::new(Limiter::new(Some(10 << 10))),
        ..Limits::default()
    });
    let result = call(&mut transport, &send(&source), &source);
    assert_eq!(result.said(), Ok((413, "no".to_owned())));
}

#[test]
fn the_connection_of_an_early_refusal_is_not_used_again() {
    let server = Server::start(|listener, held| {
        let mut refused = listener.accept().unwrap().0;
        read_head(&mut refused);
        answer(&mut refused, "403 Forbidden", "no");
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        answer(&mut stream, "200 OK", "second");
        held.until_released();
    });
    let mut transport = server.transport();
    let (_folder, source) = large_file();
    assert_eq!(
        call(&mut transport, &send(&source), &source).said(),
        Ok((403, "no".to_owned()))
    );
    assert_eq!(call_get(&mut transport).said(), ok("second"));
}

#[test]
fn an_early_success_of_a_server_that_reads_on_is_a_success() {
    let server = Server::once(|mut stream, _| {
        let head = read_head(&mut stream);
        answer(&mut stream, "200 OK", "early");
        io::copy(&mut (&mut stream).take(content_length(&head)), &mut io::sink()).unwrap();
    });
    let (_folder, source) = large_file();
    assert_eq!(
        call(&mut server.transport(), &send(&source), &source).said(),
        ok("early")
    );
}

#[test]
fn a_long_early_success_does_not_stop_the_request() {
    let body = "x".repeat(500_000);
    let server = Server::once({
        let body = body.clone();
        move |mut stream, _| {
            let head = read_head(&mut stream);
            let mut reader = stream.try_clone().unwrap();
            let length = content_length(&head);
            let reader =
                thread::spawn(move || io::copy(&mut (&mut reader).take(length), &mut io::sink()).unwrap());
            answer(&mut stream, "200 OK", &body);
            assert_eq!(reader.join().unwrap(), length);
        }
    });
    let (_folder, source) = large_file();
    assert_eq!(
        call(&mut server.transport(), &send(&source), &source).said(),
        ok(&body)
    );
}

#[test]
fn an_early_success_of_a_server_that_closes_is_an_ambiguous_failure() {
    let server = Server::once(|mut stream, _| {
        read_head(&mut stream);
        answer(&mut stream, "200 OK", "early");
    });
    let (_folder, source) = large_file();
    let failure = call(&mut server.transport(), &send(&source), &source).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Send, Cause::Broken, true)
    );
    assert!(failure.detail.contains("HTTP 200"), "{}", failure.detail);
}

#[test]
fn what_an_early_answer_refuses_is_refused_whatever_its_status() {
    for status in ["200 OK", "403 Forbidden"] {
        let server = Server::once(move |mut stream, _| {
            read_head(&mut stream);
            answer(&mut stream, status, "{}");
        });
        let (_folder, source) = large_file();
        let (request, token) = (send(&source), CancelToken::new());
        let mut transport = server.transport();
        let result = transport.exchange(
            &request,
            hidden("signed"),
            &source,
            HANG_GUARD,
            &token,
            &mut |_, body| {
                io::copy(body, &mut io::sink())?;
                Err::<(), _>(refusal().into())
            },
        );
        assert!(
            matches!(result, Err(TaskFailure::Refused(_))),
            "{status}: {result:?}"
        );
    }
}

#[test]
fn an_interim_answer_that_nobody_asked_for_stops_nothing() {
    let server = Server::once(|mut stream, _| {
        let head = read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        io::copy(&mut (&mut stream).take(content_length(&head)), &mut io::sink()).unwrap();
        answer(&mut stream, "200 OK", "after all");
    });
    let (_folder, source) = large_file();
    assert_eq!(
        call(&mut server.transport(), &send(&source), &source).said(),
        ok("after all")
    );
}

#[test]
fn a_refusal_after_an_interim_answer_is_kept_though_the_server_neither_reads_nor_closes() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        held.for_a_while(SHORT);
        answer(&mut stream, "403 Forbidden", "no");
        held.until_released();
    });
    let (_folder, source) = large_file();
    let result = call(&mut server.transport(), &send(&source), &source);
    assert_eq!(result.said(), Ok((403, "no".to_owned())));
}

#[test]
fn a_reset_without_an_answer_is_the_send_s_failure_and_surely_without_effect() {
    let server = Server::once(|mut stream, _| {
        read_head(&mut stream);
    });
    let (_folder, source) = large_file();
    let failure = call(&mut server.transport(), &send(&source), &source).network();
    assert_eq!((failure.phase, failure.cause), (Phase::Send, Cause::Broken));
    assert!(!failure.ambiguous && !failure.stale, "{failure:?}");
}

#[test]
fn a_server_that_closes_its_side_in_the_middle_of_a_request_is_not_waited_for() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        held.until_released();
    });
    let (_folder, source) = large_file();
    let failure = call(&mut server.transport(), &send(&source), &source).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Send, Cause::Broken, false)
    );
    assert!(
        failure.detail.contains("before it had the whole request"),
        "{}",
        failure.detail
    );
}

#[test]
fn a_server_that_takes_no_byte_times_out_the_send() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        held.until_released();
    });
    let (_folder, source) = large_file();
    let mut transport = server.transport_with(|timeouts| timeouts.stall = SHORT);
    let begun = Instant::now();
    let failure = call(&mut transport, &send(&source), &source).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Send, Cause::TimedOut, false)
    );
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < HANG_GUARD);
}

/// How long no byte may move in the tests of slow servers.
const STALL: Duration = Duration::from_secs(1);

/// A server that takes a body in 25 steps, each after an eighth of [`STALL`], through a small window, so that each of its
/// reads shows.
fn slow_server() -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.set_recv_buffer_size(64 << 10).unwrap();
    listener
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let listener = TcpListener::from(listener);
    let server = thread::spawn(move || {
        let (_release, held) = mpsc::channel();
        let held = Held(held);
        let mut stream = listener.accept().unwrap().0;
        let length = content_length(&read_head(&mut stream));
        let mut left = length;
        while left > 0 {
            let step = left.min(length / 25);
            left -= io::copy(&mut (&mut stream).take(step), &mut io::sink()).unwrap();
            held.for_a_while(STALL / 8);
        }
        answer(&mut stream, "200 OK", "at last");
    });
    (address, server)
}

#[test]
fn a_server_that_is_slow_but_takes_bytes_is_not_timed_out() {
    let (address, server) = slow_server();
    let (_folder, source) = large_file();
    let mut config = config(&format!("http://{address}"));
    config.timeouts.stall = STALL;
    let begun = Instant::now();
    assert_eq!(
        call(&mut transport(config), &send(&source), &source).said(),
        ok("at last")
    );
    assert!(
        begun.elapsed() > 2 * STALL,
        "it took longer than the limit, or this shows nothing"
    );
    server.join().unwrap();
}

#[test]
fn what_the_system_still_has_to_send_does_not_use_up_the_answers_time() {
    let (address, server) = slow_server();
    // As much as a slice; the system takes nearly all of it long before the server does.
    let source = MemorySource::new(vec![7; 1 << 20]);
    let mut config = config(&format!("http://{address}"));
    (config.timeouts.stall, config.timeouts.answer) = (STALL, STALL);
    let begun = Instant::now();
    assert_eq!(
        call(&mut transport(config), &send(&source), &source).said(),
        ok("at last")
    );
    assert!(
        begun.elapsed() > 2 * STALL,
        "it took longer than the limits, or this shows nothing"
    );
    server.join().unwrap();
}

#[test]
fn what_the_system_can_not_send_has_a_limit_too() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        held.until_released();
    });
    // Less than the system takes, and more than the server does.
    let source = MemorySource::new(vec![7; 300 << 10]);
    let mut transport = server.transport_with(|timeouts| {
        (timeouts.stall, timeouts.answer) = (SHORT, SHORT);
    });
    let begun = Instant::now();
    let failure = call(&mut transport, &send(&source), &source).network();
    assert_eq!(failure.cause, Cause::TimedOut, "{failure:?}");
    assert!(begun.elapsed() >= SHORT && begun.elapsed() < HANG_GUARD);
}

/// A file that loses its end, or is written to, when a place in it is read.
struct Changing {
    file: FileSource,
    path: PathBuf,
    at: u64,
    new_size: u64,
}

impl Source for Changing {
    fn size(&self) -> u64 {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if offset >= self.at {
            OpenOptions::new()
                .write(true)
                .open(&self.path)?
                .set_len(self.new_size)?;
        }
        self.file.read_at(offset, buffer)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.file.verify_unchanged()
    }

    fn identity(&self) -> Option<Identity> {
        self.file.identity()
    }
}

#[test]
fn a_file_truncated_or_grown_while_it_is_sent_ends_the_exchange_as_changed() {
    for new_size in [1 << 20, 65 << 20] {
        let server = Server::once(|mut stream, _| {
            let length = content_length(&read_head(&mut stream));
            let received = io::copy(&mut (&mut stream).take(length), &mut io::sink()).unwrap_or(0);
            assert!(received < length, "the server never has the whole body");
        });
        let (folder, file) = large_file();
        let source = Changing {
            file,
            path: folder.path().join("large"),
            at: 10 << 20,
            new_size,
        };
        let result = call(&mut server.transport(), &send(&source), &source);
        let Err(TaskFailure::Source(failure)) = result else {
            panic!("{result:?}")
        };
        assert_eq!(failure.kind, SourceFault::Changed, "{failure:?}");
    }
}

/// Counts how far it was read.
struct Watched(FileSource, std::sync::atomic::AtomicU64);

impl Source for Watched {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.1.fetch_max(offset, std::sync::atomic::Ordering::Relaxed);
        self.0.read_at(offset, buffer)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        self.0.verify_unchanged()
    }

    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn after_an_early_refusal_the_rest_of_the_source_is_not_read() {
    let server = Server::once(|mut stream, held| {
        read_head(&mut stream);
        answer(&mut stream, "403 Forbidden", "no");
        held.until_released();
    });
    let (_folder, file) = large_file();
    let source = Watched(file, Default::default());
    assert_eq!(
        call(&mut server.transport(), &send(&source), &source).said(),
        Ok((403, "no".to_owned()))
    );
    let read = source.1.into_inner();
    assert!(
        read < 32 << 20,
        "{read} bytes were read, far more than the buffers hold"
    );
}
