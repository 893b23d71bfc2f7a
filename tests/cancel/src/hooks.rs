//! The tool's end of `hooks.c`: hears of system calls that no peer could tell of, and holds look-ups and saves.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::events::{Event, Events};

/// The names that are looked up as long as they are held.
pub const HELD_HOST: &str = "store.hangs.test";

/// Hears the calls of this process, for as long as it lives.
#[derive(Clone, Default)]
pub struct Hooks(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    listener: Option<Events>,
    /// Look-ups and saves in progress.
    held: Vec<UnixStream>,
    /// Whether they are answered at once.
    open: bool,
}

impl Hooks {
    /// Listens where the preloaded library reports.
    pub fn listen(path: &Path) -> Self {
        let hooks = Self::default();
        let listener = UnixListener::bind(path).expect("a local socket");
        let heard = hooks.clone();
        thread::spawn(move || {
            for call in listener.incoming() {
                heard.hear(call.expect("a connection of the preloaded library"));
            }
        });
        hooks
    }

    /// Who is told of calls from now on; look-ups and saves are held.
    pub fn tell(&self, events: Option<Events>) {
        let mut state = self.lock();
        (state.listener, state.open) = (events, false);
        state.held.clear();
    }

    /// Has the look-ups in progress fail, and the saves go on.
    pub fn fail_held(&self) {
        self.lock().held.clear();
    }

    /// From now on look-ups find this machine, and saves are not held.
    pub fn open(&self) {
        let mut state = self.lock();
        state.open = true;
        for held in state.held.drain(..) {
            answer(held);
        }
    }

    fn hear(&self, call: UnixStream) {
        let mut line = String::new();
        // A caller that was gone before it said anything ends as an empty line, which is none of those below.
        let _ = BufReader::new(&call).read_line(&mut line);
        let mut state = self.lock();
        let event = match line.trim_end().split_once(' ') {
            Some(("connect", port)) => Event::Connecting(port.parse().expect("a port")),
            _ if line.is_empty() => return,
            _ if state.open => return answer(call),
            _ => {
                state.held.push(call);
                match line.as_str() {
                    "lookup\n" => Event::LookingUp,
                    "save\n" => Event::Saving,
                    _ => panic!("the preloaded library said {line:?}"),
                }
            }
        };
        if let Some(listener) = &state.listener {
            listener.happen(event);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(mut held: UnixStream) {
    // Whoever asked may not want to know any more.
    let _ = held.write_all(b"!");
}
