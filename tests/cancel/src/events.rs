//! What happened, as the peers, the file and the callbacks of an upload tell it.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// How long anything may take that must happen; far more than any machine needs.
pub const HANG_GUARD: Duration = Duration::from_secs(60);

/// Something that tells where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A piece of the file was read to be hashed, so and so many before it.
    Hashed(u64),
    /// The system was asked for the address of a host, and is kept from answering.
    LookingUp,
    /// The checkpoint was written, and is kept from being made durable.
    Saving,
    /// A connection to this port of this machine has begun, and is not there yet.
    Connecting(u16),
    /// The server has the first byte of a connection, and does nothing.
    FirstByte,
    /// The server has a part of a slice, and reads no more.
    BodyHeld,
    /// The client has closed a connection.
    ClosedByClient,
    /// The progress callback was entered, and does not return.
    CallbackHeld,
}

/// Tells events.
#[derive(Clone)]
pub struct Events(Sender<Event>);

/// Waits for events.
pub struct Awaited(Receiver<Event>);

/// A way for events.
pub fn channel() -> (Events, Awaited) {
    let (sender, receiver) = mpsc::channel();
    (Events(sender), Awaited(receiver))
}

impl Events {
    /// Tells who waits, if anybody does.
    pub fn happen(&self, event: Event) {
        let _ = self.0.send(event);
    }
}

impl Awaited {
    /// Waits until an event fits; forgets those before it.
    pub fn wait(&self, fits: impl Fn(Event) -> bool) {
        let deadline = Instant::now() + HANG_GUARD;
        loop {
            match self
                .0
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(event) if fits(event) => return,
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the upload never came to the state that was to be cancelled")
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the stage holds a sender"),
            }
        }
    }

    /// Forgets what happened so far.
    pub fn forget(&self) {
        while self.0.try_recv().is_ok() {}
    }
}
