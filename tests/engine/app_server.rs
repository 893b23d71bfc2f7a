//! An application's server that signs for clients and remembers what it was asked for, and uploads that ask it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cos_emulator::RequestRecord;
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::handle::Upload;
use cos_slice::engine::signer::{self, Sign, SignRequest, Signer};
use cos_slice::engine::source::MemorySource;
use cos_slice::protocol::location::Location;
use cos_slice::protocol::signature::{self, Kind, Scope};
use zeroize::Zeroizing;

use crate::support::{BUCKET, Stage, content, key};

pub const HANG_GUARD: Duration = Duration::from_secs(60);

/// What a string came to be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    pub operation: String,
    pub path: String,
    pub kind: Kind,
}

type Answer = dyn Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> + Send + Sync;

/// An application's server: signs by its own key, and remembers who asked.
pub struct AppServer {
    answer: Box<Answer>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    /// How many calls there are for a path now, and the most that there were.
    inside: BTreeMap<String, (usize, usize)>,
    open: bool,
    let_go: bool,
}

/// What a client has of an app server, which notices when the client lets go of it.
struct Lent(Arc<AppServer>);

impl Sign for Lent {
    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        self.0.sign(request)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.lock().let_go = true;
        self.0.changed.notify_all();
    }
}

impl AppServer {
    pub fn new(
        answer: impl Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            answer: Box::new(answer),
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// One that does what it is for.
    pub fn good() -> Arc<Self> {
        Self::new(sign)
    }

    /// One that answers for paths below `blocked/` only once it is opened.
    pub fn gated() -> Arc<Self> {
        Arc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let answer = move |request: &SignRequest<'_>| {
                if request.path.starts_with("blocked/") {
                    this.upgrade().unwrap().wait_until_open();
                }
                sign(request)
            };
            Self {
                answer: Box::new(answer),
                state: Mutex::default(),
                changed: Condvar::new(),
            }
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.lock().asked.clone()
    }

    pub fn count(&self) -> usize {
        self.lock().asked.len()
    }

    fn wait_until(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), HANG_GUARD, |state| !is_so(state));
        assert!(!waited.unwrap().1.timed_out(), "not {what}");
    }

    pub fn wait_until_asked(&self, times: usize) {
        self.wait_until(&format!("asked {times} times"), |state| {
            state.asked.len() >= times
        });
    }

    pub fn wait_until_let_go(&self) {
        self.wait_until("let go of", |state| state.let_go);
    }

    pub fn inside(&self) -> usize {
        self.lock().inside.values().map(|(now, _)| now).sum()
    }

    /// How many calls there are for each path now, and the most that there were.
    pub fn inside_by_path(&self) -> BTreeMap<String, (usize, usize)> {
        self.lock().inside.clone()
    }

    /// Lets those go on that wait inside; see [`AppServer::gated`].
    pub fn open(&self) {
        self.lock().open = true;
        self.changed.notify_all();
    }

    fn wait_until_open(&self) {
        self.wait_until("opened", |state| state.open);
    }

    fn sign(&self, request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
        {
            let mut state = self.lock();
            state.asked.push(Asked {
                operation: request.operation.to_owned(),
                path: request.path.to_owned(),
                kind: request.kind,
            });
            let (now, most) = state.inside.entry(request.path.to_owned()).or_default();
            *now += 1;
            *most = (*most).max(*now);
        }
        self.changed.notify_all();
        let answer = (self.answer)(request);
        self.lock().inside.get_mut(request.path).unwrap().0 -= 1;
        answer
    }
}

/// Signs as asked for.
pub fn sign(request: &SignRequest<'_>) -> Result<Zeroizing<String>, String> {
    assert_eq!((request.app_id, request.bucket), ("1251668577", BUCKET));
    signer::sign(&key(), Scope::Path, request).map_err(|error| error.to_string())
}

/// Signs for this long, in place of what is asked for.
pub fn sign_for(seconds: u64) -> impl Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> {
    move |request| {
        let lifetime = Duration::from_secs(seconds);
        sign(&SignRequest { lifetime, ..*request })
    }
}

/// Signs as if it were another time, in seconds from now.
pub fn sign_at(
    seconds: i64,
    lifetime: u64,
) -> impl Fn(&SignRequest<'_>) -> Result<Zeroizing<String>, String> {
    move |request| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let location = Location::new(request.app_id, request.bucket, request.path).unwrap();
        Ok(signature::sign(
            &key(),
            request.bucket,
            request.kind,
            &location.file_id(),
            now.checked_add_signed(seconds).unwrap(),
            Duration::from_secs(lifetime),
            7,
        ))
    }
}

pub fn config(stage: &Stage, server: &Arc<AppServer>) -> ClientConfig {
    let mut config = stage.config();
    config.signer = Signer::callback("1251668577", Arc::new(Lent(server.clone()))).unwrap();
    config
}

pub fn client(stage: &Stage, server: &Arc<AppServer>) -> Client {
    Client::new(config(stage, server)).unwrap()
}

/// Uploads of one size have the same content.
pub fn upload_to(client: &Client, path: &str, size: u64) -> Upload {
    let upload = client.upload(BUCKET, path).unwrap();
    let source = MemorySource::new(content(size, size));
    upload.set_source(Arc::new(source)).unwrap();
    upload
}

pub fn refused(stage: &Stage) -> Vec<i64> {
    let requests = stage.emulator.requests();
    let code = |request: &RequestRecord| request.code.filter(|code| [-59, -96, -97, -77].contains(code));
    requests.iter().filter_map(code).collect()
}
