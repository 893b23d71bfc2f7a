//! Cancel, in each state in which a worker can be blocked.

use std::time::Instant;

use crate::engine::source::Identity;
use crate::upload::failure::SourceFailure;

use super::connecting::FullListener;
use super::*;

/// Begins an exchange on another thread; waits until `reached`, and then cancels it. It must end at once.
fn cancel_when(
    mut transport: Transport,
    request: impl FnOnce() -> (Request, Box<dyn Source>),
    reached: &Receiver<()>,
) {
    let token = CancelToken::new();
    let (request, source) = request();
    let exchange = thread::spawn({
        let token = token.clone();
        move || exchange(&mut transport, &request, &*source, &token)
    });
    reached.recv().unwrap();
    let begun = Instant::now();
    token.cancel();
    let result = exchange.join().unwrap();
    assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
    assert!(begun.elapsed() < HANG_GUARD / 4, "it took {:?}", begun.elapsed());
}

fn nothing_to_send() -> (Request, Box<dyn Source>) {
    (get(), Box::new(MemorySource::new(*b"")))
}

#[test]
fn while_the_name_is_looked_up() {
    let (begun, on_begin) = mpsc::channel();
    let (let_go, on_let_go) = mpsc::channel::<()>();
    let on_let_go = std::sync::Mutex::new(on_let_go);
    let resolver = Resolver::new(move |_, _| {
        begun.send(()).unwrap();
        let _ = on_let_go.lock().unwrap().recv();
        Ok(Vec::new())
    });
    let shared = Arc::new(SharedTransport::with_resolver(config("http://store.example"), resolver).unwrap());
    cancel_when(Transport::new(&shared), nothing_to_send, &on_begin);
    drop(let_go);
}

#[test]
fn while_a_connection_is_opened() {
    let full = FullListener::new();
    let address = full.address();
    let (found, on_found) = mpsc::channel();
    let resolver = Resolver::new(move |_, _| {
        let _ = found.send(());
        Ok(vec![address])
    });
    let shared = Arc::new(SharedTransport::with_resolver(config("http://store.example"), resolver).unwrap());
    cancel_when(Transport::new(&shared), nothing_to_send, &on_found);
}

#[test]
fn while_a_proxy_is_waited_for() {
    let (reached, on_reached) = mpsc::channel();
    let server = Server::once(move |mut stream, held| {
        read_head(&mut stream);
        reached.send(()).unwrap();
        held.until_released();
    });
    let mut config = config("http://store.example");
    config.proxy = Some(format!("http://{}", server.address));
    cancel_when(transport(config), nothing_to_send, &on_reached);
}

#[test]
fn while_a_request_is_sent() {
    let (reached, on_reached) = mpsc::channel();
    let server = Server::once(move |mut stream, held| {
        read_head(&mut stream);
        reached.send(()).unwrap();
        held.until_released();
    });
    let (_folder, source) = large_file();
    cancel_when(
        server.transport(),
        || (send(&source), Box::new(source)),
        &on_reached,
    );
}

#[test]
fn while_the_answer_is_waited_for() {
    let (reached, on_reached) = mpsc::channel();
    let server = Server::once(move |mut stream, held| {
        read_request(&mut stream);
        reached.send(()).unwrap();
        held.until_released();
    });
    cancel_when(server.transport(), nothing_to_send, &on_reached);
}

#[test]
fn while_the_answer_is_read() {
    let (reached, on_reached) = mpsc::channel();
    let server = Server::once(move |mut stream, held| {
        read_request(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
            .unwrap();
        reached.send(()).unwrap();
        held.until_released();
    });
    cancel_when(server.transport(), nothing_to_send, &on_reached);
}

#[test]
fn a_token_cancelled_before_the_exchange_sends_nothing_on_a_new_or_a_kept_connection() {
    let server = Server::start(|listener, _| {
        let mut never_used = listener.accept().unwrap().0;
        assert_eq!(never_used.read(&mut [0]).unwrap(), 0);
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        answer(&mut stream, "200 OK", "kept");
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    });
    let mut transport = server.transport();
    let (source, token) = (MemorySource::new(*b""), CancelToken::new());
    token.cancel();
    let result = exchange(&mut transport, &get(), &source, &token);
    assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
    assert_eq!(call_get(&mut transport).said(), ok("kept"));
    let result = exchange(&mut transport, &get(), &source, &token);
    assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
}

#[test]
fn a_failure_of_the_network_after_the_cancel_is_the_cancel_s() {
    let server = Server::once(|mut stream, _| {
        read_request(&mut stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
            .unwrap();
    });
    let (source, token) = (MemorySource::new(*b""), CancelToken::new());
    let mut transport = server.transport();
    let result = transport.exchange(
        &get(),
        hidden("signed"),
        &source,
        HANG_GUARD,
        &token,
        &mut |_, body| {
            let read = std::io::copy(body, &mut std::io::sink());
            token.cancel();
            Ok(read?)
        },
    );
    assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
}

/// A source that cancels the upload while it is read for the third time.
struct Cancelling(MemorySource, CancelToken, std::sync::atomic::AtomicUsize);

impl Source for Cancelling {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.2.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 2 {
            self.1.cancel();
        }
        self.0.read_at(offset, buffer)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn while_the_source_is_read_and_the_network_never_blocks() {
    let server = Server::once(|mut stream, _| {
        std::io::copy(&mut stream, &mut std::io::sink()).ok();
    });
    let token = CancelToken::new();
    let source = Cancelling(
        MemorySource::new(vec![0; 8 << 20]),
        token.clone(),
        Default::default(),
    );
    let result = exchange(&mut server.transport(), &send(&source), &source, &token);
    assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
    assert_eq!(source.2.into_inner(), 3, "no more was read");
}

#[test]
fn a_cancel_leaves_the_exchanges_of_other_uploads_alone_and_ends_all_of_its_own() {
    let (reached, on_reached) = mpsc::channel();
    let (go_on, on_go_on) = mpsc::channel::<()>();
    let server = Server::start(move |listener, _| {
        let mut streams: Vec<_> = (0..3).map(|_| listener.accept().unwrap().0).collect();
        for stream in &mut streams {
            read_request(stream);
            reached.send(()).unwrap();
        }
        on_go_on.recv().unwrap();
        for stream in &mut streams {
            // Two of the three are gone.
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nalive");
        }
    });
    let shared = Arc::new(SharedTransport::new(config(&server.endpoint())).unwrap());
    let (one, other) = (CancelToken::new(), CancelToken::new());
    let begin = |token: &CancelToken| {
        let (mut transport, token) = (Transport::new(&shared), token.clone());
        thread::spawn(move || exchange(&mut transport, &get(), &MemorySource::new(*b""), &token))
    };
    let (first, second, third) = (begin(&one), begin(&one), begin(&other));
    for _ in 0..3 {
        on_reached.recv().unwrap();
    }
    one.cancel();
    for cancelled in [first, second] {
        let result = cancelled.join().unwrap();
        assert!(matches!(result, Err(TaskFailure::Cancelled)), "{result:?}");
    }
    go_on.send(()).unwrap();
    assert_eq!(third.join().unwrap().said(), ok("alive"));
}

#[test]
fn a_transport_serves_the_next_upload_after_a_cancelled_one() {
    let (reached, on_reached) = mpsc::channel();
    let server = Server::start(move |listener, held| {
        let mut cancelled = listener.accept().unwrap().0;
        read_request(&mut cancelled);
        reached.send(()).unwrap();
        let mut stream = listener.accept().unwrap().0;
        read_request(&mut stream);
        answer(&mut stream, "200 OK", "next");
        held.until_released();
    });
    let mut transport = server.transport();
    let token = CancelToken::new();
    thread::scope(|scope| {
        let transport = &mut transport;
        let worker = scope.spawn(|| exchange(transport, &get(), &MemorySource::new(*b""), &token));
        on_reached.recv().unwrap();
        token.cancel();
        assert!(matches!(worker.join().unwrap(), Err(TaskFailure::Cancelled)));
    });
    assert_eq!(call_get(&mut transport).said(), ok("next"));
}
