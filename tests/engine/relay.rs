//! A relay between a client and a server that notes when how much of the requests came.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// More than a busy machine needs for anything that is waited for.
const HANG_GUARD: Duration = Duration::from_secs(60);

/// Bytes that came after one moment and before another. However late the relay is, that much is sure.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    pub after: Instant,
    pub before: Instant,
    pub bytes: u64,
}

pub struct Relay {
    address: SocketAddr,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    arrivals: Mutex<Vec<Arrival>>,
    changed: Condvar,
}

impl Relay {
    /// Its threads end with the test's process.
    pub fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (address, log) = (listener.local_addr().unwrap(), Arc::new(Log::default()));
        let relay = Self {
            address,
            log: Arc::clone(&log),
        };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else {
                    continue;
                };
                let (answers, back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                let log = Arc::clone(&log);
                thread::spawn(move || pass_on(client, server, &mut |arrival| log.add(arrival)));
                thread::spawn(move || pass_on(answers, back, &mut |_| ()));
            }
        });
        relay
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns when so many bytes have come.
    pub fn wait_for(&self, bytes: u64) {
        let arrivals = self.log.arrivals.lock().unwrap();
        let is_short = |arrivals: &mut Vec<Arrival>| total(arrivals) < bytes;
        let waited = self
            .log
            .changed
            .wait_timeout_while(arrivals, HANG_GUARD, is_short);
        assert!(!waited.unwrap().1.timed_out(), "nothing more comes");
    }

    pub fn arrivals(&self) -> Vec<Arrival> {
        self.log.arrivals.lock().unwrap().clone()
    }
}

impl Log {
    fn add(&self, arrival: Arrival) {
        self.arrivals.lock().unwrap().push(arrival);
        self.changed.notify_all();
    }
}

pub fn total(arrivals: &[Arrival]) -> u64 {
    arrivals.iter().map(|arrival| arrival.bytes).sum()
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, note: &mut dyn FnMut(Arrival)) {
    let mut buffer = vec![0; 1 << 20];
    let mut after = Instant::now();
    // What is read is all that has come by then: whatever is read next came after this look.
    while let Ok(1..) = from.peek(&mut buffer[..1]) {
        let looked = Instant::now();
        let count = from.read(&mut buffer).expect("there are bytes");
        note(Arrival {
            after,
            before: Instant::now(),
            bytes: count as u64,
        });
        if count < buffer.len() {
            after = looked;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

/// The most bytes by which what came within any window is above what the rate gives for its time.
pub fn most_above(arrivals: &[Arrival], bytes_per_second: u64) -> f64 {
    let mut by_end = arrivals.to_vec();
    by_end.sort_by_key(|arrival| arrival.before);
    let mut most = f64::NEG_INFINITY;
    for first in arrivals {
        let mut bytes = 0;
        for last in by_end.iter().filter(|last| last.after >= first.after) {
            bytes += last.bytes;
            let time = last.before.duration_since(first.after);
            most = f64::max(most, bytes as f64 - bytes_per_second as f64 * time.as_secs_f64());
        }
    }
    most
}
