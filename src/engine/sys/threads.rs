//! Threads that take no signals.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

/// Starts a thread that blocks all signals from its first moment on: the host program's handlers must run on its own
/// threads. The signals that a fault of the thread itself raises stay, since a crash handler wants them. The name is cut
/// after 15 bytes by Linux.
pub fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    // A thread inherits the mask of the one that starts it.
    let _blocked = BlockedSignals::new();
    thread::Builder::new().name(name.to_owned()).spawn(body)
}

/// The same within a scope, which waits for the thread.
pub fn spawn_in<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    name: &str,
    body: impl FnOnce() + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, ()>> {
    let _blocked = BlockedSignals::new();
    thread::Builder::new()
        .name(name.to_owned())
        .spawn_scoped(scope, body)
}

/// All signals but those of faults are blocked in the calling thread until this is dropped.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn new() -> Self {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigfillset initialises the set before it is used; the numbers are signals; pthread_sigmask writes the old
        // mask. The calls can't fail with these arguments.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for fault in [
                libc::SIGSEGV,
                libc::SIGBUS,
                libc::SIGFPE,
                libc::SIGILL,
                libc::SIGTRAP,
                libc::SIGABRT,
                libc::SIGSYS,
            ] {
                libc::sigdelset(set.as_mut_ptr(), fault);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
            Self {
                before: before.assume_init(),
            }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: the mask is one that the system gave; the null pointer says that the old one isn't wanted.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.before, ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spawned_thread_takes_no_signals_but_keeps_faults() {
        let (sender, receiver) = std::sync::mpsc::channel();
        spawn("mask", move || {
            let mut mask = MaybeUninit::<libc::sigset_t>::zeroed();
            // SAFETY: with a null set the call only writes the current mask to the place given.
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, ptr::null(), mask.as_mut_ptr()) };
            // SAFETY: written by the call above.
            let blocked = |signal| unsafe { libc::sigismember(mask.as_ptr(), signal) } == 1;
            let _ = sender.send((
                blocked(libc::SIGTERM),
                blocked(libc::SIGALRM),
                blocked(libc::SIGSEGV),
            ));
        })
        .unwrap()
        .join()
        .unwrap();
        assert_eq!(receiver.recv().unwrap(), (true, true, false));
    }
}
