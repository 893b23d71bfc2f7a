//! Addresses of a host. The system's look-up can't be interrupted and may take minutes, so it runs on a
//! thread of its own, which the client never waits for: a worker stops waiting at its limit or when it is
//! cancelled.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::upload::failure::{Cause, Phase, TaskFailure};

use super::cancel::{Slot, Wait, lock};
use super::sys::{self, Waker};
use super::transport::failure::{network, network_io};

/// How many addresses of a host are tried.
const MAX_ADDRESSES: usize = 16;

/// How a host and a port become addresses; blocks.
pub type LookUp = dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync;

/// The look-ups of one client: at most one at a time for each host and port, shared by all who wait for it.
/// What it found serves those and is then forgotten, since only the system knows how long it is good for.
pub struct Resolver {
    look_up: Arc<LookUp>,
    running: Mutex<HashMap<(String, u16), Arc<Running>>>,
}

/// A look-up. Its thread holds this and nothing else of the client.
#[derive(Default)]
struct Running {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    outcome: Option<Outcome>,
    waiting: Vec<Arc<Waker>>,
}

type Outcome = Result<Vec<SocketAddr>, TaskFailure>;

impl Resolver {
    /// The system's look-up.
    pub fn system() -> Self {
        Self::new(|host, port| Ok((host, port).to_socket_addrs()?.collect()))
    }

    /// Another look-up; a panic in it counts as a failure.
    pub fn new(look_up: impl Fn(&str, u16) -> io::Result<Vec<SocketAddr>> + Send + Sync + 'static) -> Self {
        Self {
            look_up: Arc::new(look_up),
            running: Mutex::default(),
        }
    }

    /// The addresses of a host, at least 1 and at most 16, in the order in which to try them.
    ///
    /// # Errors
    /// The host has no address, the limit passed, or the slot's token was cancelled.
    pub fn resolve(&self, host: &str, port: u16, limit: Duration, slot: &Slot) -> Outcome {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let deadline = Instant::now() + limit;
        let key = (host.to_owned(), port);
        let running = self.join(&key, slot.waker())?;
        let outcome = await_outcome(&running, slot, deadline, limit);
        self.leave(&key, &running, slot.waker());
        outcome
    }

    /// Waits from now on for the look-up that runs, or for a new one.
    fn join(&self, key: &(String, u16), waker: &Arc<Waker>) -> Result<Arc<Running>, TaskFailure> {
        let mut all = lock(&self.running);
        if let Some(running) = all.get(key) {
            let mut state = lock(&running.state);
            if state.outcome.is_none() {
                state.waiting.push(Arc::clone(waker));
                return Ok(Arc::clone(running));
            }
        }
        let running = Arc::new(Running::default());
        lock(&running.state).waiting.push(Arc::clone(waker));
        let (look_up, task, (host, port)) = (Arc::clone(&self.look_up), Arc::clone(&running), key.clone());
        sys::spawn("cos-resolve", move || task.run(&*look_up, &host, port))
            .map_err(|error| network_io(Phase::Resolve, Cause::NoAddress, &error))?;
        all.insert(key.clone(), Arc::clone(&running));
        Ok(running)
    }

    fn leave(&self, key: &(String, u16), running: &Arc<Running>, waker: &Arc<Waker>) {
        let mut all = lock(&self.running);
        let mut state = lock(&running.state);
        state.waiting.retain(|waiting| !Arc::ptr_eq(waiting, waker));
        if state.outcome.is_some() && all.get(key).is_some_and(|current| Arc::ptr_eq(current, running)) {
            all.remove(key);
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Resolver").finish_non_exhaustive()
    }
}

fn await_outcome(running: &Running, slot: &Slot, deadline: Instant, limit: Duration) -> Outcome {
    loop {
        if let Some(outcome) = &lock(&running.state).outcome {
            return outcome.clone();
        }
        match slot.wait(None, deadline) {
            Ok(Wait::Ready { .. }) => {}
            Ok(Wait::Cancelled) => return Err(TaskFailure::Cancelled),
            Ok(Wait::TimedOut) => {
                return Err(network(
                    Phase::Resolve,
                    Cause::TimedOut,
                    format!("no answer within {limit:?}"),
                ));
            }
            Err(error) => return Err(network_io(Phase::Resolve, Cause::NoAddress, &error)),
        }
    }
}

impl Running {
    fn run(&self, look_up: &LookUp, host: &str, port: u16) {
        let found = catch_unwind(AssertUnwindSafe(|| look_up(host, port)));
        let outcome = match found {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(network(
                Phase::Resolve,
                Cause::NoAddress,
                format!("{host} has no address"),
            )),
            Ok(Ok(addresses)) => Ok(in_turn(addresses)),
            Ok(Err(error)) => Err(network(
                Phase::Resolve,
                Cause::NoAddress,
                format!("{host}: {error}"),
            )),
            Err(_) => Err(network(
                Phase::Resolve,
                Cause::NoAddress,
                format!("{host}: the look-up failed"),
            )),
        };
        let mut state = lock(&self.state);
        state.outcome = Some(outcome);
        for waker in &state.waiting {
            waker.wake();
        }
    }
}

/// The system's order, but with the address families in turn: where one family leads nowhere, the second
/// address tried is already of the other.
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_family = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_family);
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    let mut ordered = Vec::with_capacity(MAX_ADDRESSES);
    loop {
        let pair = [preferred.next(), other.next()];
        if pair == [None, None] {
            break;
        }
        ordered.extend(pair.into_iter().flatten());
    }
    ordered.truncate(MAX_ADDRESSES);
    ordered
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::thread;

    use crate::engine::cancel::CancelToken;

    use super::*;

    const HANG_GUARD: Duration = Duration::from_secs(60);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// A resolver whose look-ups announce themselves and then wait to be let go.
    fn held() -> (Arc<Resolver>, Receiver<()>, Sender<()>, Arc<AtomicUsize>) {
        let (begun, on_begin) = mpsc::channel();
        let (let_go, on_let_go) = mpsc::channel();
        let on_let_go = Mutex::new(on_let_go);
        let count = Arc::new(AtomicUsize::new(0));
        let calls = Arc::clone(&count);
        let resolver = Resolver::new(move |_, port| {
            calls.fetch_add(1, Ordering::SeqCst);
            let _ = begun.send(());
            let _ = lock(&on_let_go).recv();
            Ok(vec![SocketAddr::new(IpAddr::from([127, 0, 0, 1]), port)])
        });
        (Arc::new(resolver), on_begin, let_go, count)
    }

    #[test]
    fn a_literal_address_needs_no_look_up() {
        let resolver = Resolver::new(|_, _| panic!("looked up"));
        let slot = Slot::new().unwrap();
        assert_eq!(
            resolver.resolve("127.0.0.1", 80, HANG_GUARD, &slot).unwrap(),
            [address("127.0.0.1:80")]
        );
        assert_eq!(
            resolver.resolve("::1", 81, HANG_GUARD, &slot).unwrap(),
            [address("[::1]:81")]
        );
    }

    #[test]
    fn the_system_knows_this_machine() {
        let slot = Slot::new().unwrap();
        let addresses = Resolver::system()
            .resolve("localhost", 9, HANG_GUARD, &slot)
            .unwrap();
        assert!(
            addresses
                .iter()
                .all(|address| address.ip().is_loopback() && address.port() == 9),
            "{addresses:?}"
        );
    }

    #[test]
    fn all_who_wait_share_one_look_up_and_later_ones_make_their_own() {
        let (resolver, on_begin, let_go, count) = held();
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let resolver = Arc::clone(&resolver);
                thread::spawn(move || resolver.resolve("store", 80, HANG_GUARD, &Slot::new().unwrap()))
            })
            .collect();
        on_begin.recv().unwrap();
        // All four wait before the look-up may end. There is no event for "has joined" but the list itself.
        while lock(&resolver.running)[&("store".to_owned(), 80)]
            .state
            .lock()
            .unwrap()
            .waiting
            .len()
            < 4
        {
            thread::yield_now();
        }
        let_go.send(()).unwrap();
        for worker in workers {
            assert_eq!(worker.join().unwrap().unwrap(), [address("127.0.0.1:80")]);
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert!(lock(&resolver.running).is_empty(), "what was found is forgotten");

        let_go.send(()).unwrap();
        resolver
            .resolve("store", 80, HANG_GUARD, &Slot::new().unwrap())
            .unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_look_up_that_takes_too_long_times_out_and_the_next_worker_joins_it() {
        let (resolver, on_begin, let_go, count) = held();
        let slot = Slot::new().unwrap();
        let limit = Duration::from_millis(50);
        for _ in 0..3 {
            let begun = Instant::now();
            let failure = resolver.resolve("store", 80, limit, &slot).unwrap_err();
            let TaskFailure::Network(failure) = failure else {
                panic!("{failure:?}")
            };
            assert_eq!((failure.phase, failure.cause), (Phase::Resolve, Cause::TimedOut));
            assert!(begun.elapsed() >= limit);
        }
        on_begin.recv().unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1, "one at a time for each host");
        let_go.send(()).unwrap();
    }

    #[test]
    fn a_look_up_holds_nothing_of_a_client_that_is_gone() {
        let (resolver, on_begin, let_go, _) = held();
        let slot = Slot::new().unwrap();
        let waker = Arc::downgrade(slot.waker());
        resolver.resolve("store", 80, Duration::ZERO, &slot).unwrap_err();
        on_begin.recv().unwrap();
        drop(slot);
        assert!(waker.upgrade().is_none(), "not even the waker of who waited");
        let_go.send(()).unwrap();
    }

    #[test]
    fn a_cancel_ends_the_wait_at_once() {
        let (resolver, on_begin, let_go, _) = held();
        let token = CancelToken::new();
        let worker = thread::spawn({
            let (resolver, token) = (Arc::clone(&resolver), token.clone());
            move || {
                let slot = Slot::new().unwrap();
                let _serving = slot.serve(&token);
                resolver.resolve("store", 80, HANG_GUARD, &slot)
            }
        });
        on_begin.recv().unwrap();
        token.cancel();
        assert!(matches!(worker.join().unwrap(), Err(TaskFailure::Cancelled)));
        let_go.send(()).unwrap();
    }

    #[test]
    fn a_host_without_address_is_a_failure_that_names_it() {
        type Answer = fn() -> io::Result<Vec<SocketAddr>>;
        let answers: [Answer; 3] = [
            || Ok(Vec::new()),
            || Err(io::Error::other("name not known")),
            || panic!("a defect"),
        ];
        for answer in answers {
            let failure =
                Resolver::new(move |_, _| answer()).resolve("store", 80, HANG_GUARD, &Slot::new().unwrap());
            let Err(TaskFailure::Network(failure)) = failure else {
                panic!("{failure:?}")
            };
            assert_eq!((failure.phase, failure.cause), (Phase::Resolve, Cause::NoAddress));
            assert!(failure.detail.contains("store"), "{}", failure.detail);
        }
    }

    #[test]
    fn families_take_turns_and_sixteen_addresses_are_enough() {
        let six = |last: u16| SocketAddr::new(IpAddr::from([0, 0, 0, 0, 0, 0, 0, last]), 1);
        let four = |last: u8| SocketAddr::new(IpAddr::from([127, 0, 0, last]), 1);
        assert_eq!(
            in_turn(vec![six(1), six(2), six(3), four(1)]),
            [six(1), four(1), six(2), six(3)]
        );
        assert_eq!(in_turn(vec![four(1), six(1), six(2)]), [four(1), six(1), six(2)]);
        assert_eq!(in_turn((0..40).map(four).collect()).len(), MAX_ADDRESSES);
    }
}
