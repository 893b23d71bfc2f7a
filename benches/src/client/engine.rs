//! The Rust engine: one upload, one after another, and many at once.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::handle::Upload;
use cos_slice::protocol::MAX_SINGLE_REQUEST_SIZE;
use cos_slice::protocol::signature::SecretKey;

use super::{Outcome, Report};

/// Threads are counted at each so many ends of uploads: there are the most while they run.
const COUNT_THREADS_EVERY: usize = 50;

/// Longer than any measurement takes: what hangs is to fail.
const HANG: Duration = Duration::from_secs(600);

/// How the engine is set.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Where the server is
    pub endpoint: String,
    /// A file, or a folder of files
    pub file: PathBuf,
    /// A fixed number of connections; the library's default otherwise
    #[arg(long)]
    pub connections: Option<u32>,
    /// Take the SHA-1 first
    #[arg(long)]
    pub hash: bool,
    /// Ask for slices of this size, in bytes
    #[arg(long, default_value_t = 1 << 20)]
    pub slice_size: u64,
    /// One request instead of slices
    #[arg(long)]
    pub single_request: bool,
    /// Certificates to trust
    #[arg(long)]
    pub ca: Option<PathBuf>,
}

impl Settings {
    fn endpoint(&self) -> Result<Endpoint, String> {
        Endpoint::parse(&self.endpoint).map_err(text)
    }

    fn client(&self) -> Result<Client, String> {
        let endpoint = self.endpoint()?;
        let key = SecretKey::new("1251668577", "AKIDtest", "secret").map_err(|error| error.to_string())?;
        let mut config = ClientConfig::new(endpoint, key);
        if let Some(connections) = self.connections {
            config.connections = connections.into();
        }
        config.ca_pem = self.ca.as_ref().map(fs::read).transpose().map_err(text)?;
        Client::new(config).map_err(text)
    }

    fn upload(&self, client: &Client, file: &Path, path: &str) -> Result<Upload, String> {
        let upload = client.upload("videos", path).map_err(text)?;
        upload.set_file(file).map_err(text)?;
        let set = upload.set_options(|options| {
            options.hash = self.hash;
            options.slice_size = self.slice_size;
            if self.single_request {
                options.single_request_limit = MAX_SINGLE_REQUEST_SIZE;
            }
        });
        set.map_err(text).map(|()| upload)
    }
}

/// So many uploads of one file, each begun when the one before is over.
///
/// # Errors
/// Why one failed.
pub fn one_after_another(settings: &Settings, count: u32) -> Outcome {
    let client = settings.client()?;
    let began = Instant::now();
    for _ in 0..count {
        let upload = settings.upload(&client, &settings.file, "bench/object")?;
        upload.run(None).map_err(text)?;
    }
    Ok(Report {
        seconds: began.elapsed().as_secs_f64(),
        ..Report::default()
    })
}

/// Uploads of all files of a folder, begun at once: the server is to hold its answers back until all are begun, and the time
/// counts from there. Otherwise the first would be over before the last one was begun.
///
/// # Errors
/// Why one failed.
pub fn at_once(settings: &Settings) -> Outcome {
    let client = settings.client()?;
    let mut files = Vec::new();
    for entry in fs::read_dir(&settings.file).map_err(text)? {
        files.push(entry.map_err(text)?.path());
    }
    let mut uploads = Vec::with_capacity(files.len());
    for (index, file) in files.iter().enumerate() {
        uploads.push(settings.upload(&client, file, &format!("bench/object-{index}"))?);
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    for upload in &uploads {
        let seen = Arc::clone(&seen);
        let completion = move |_: &_| seen.lock().unwrap_or_else(PoisonError::into_inner).ended();
        upload.set_completion(Some(Arc::new(completion))).map_err(text)?;
        upload.start(None).map_err(text)?;
    }
    let began = Instant::now();
    release(&settings.endpoint()?).map_err(text)?;
    for upload in &uploads {
        upload.wait(Some(HANG)).map_err(text)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let took = |end: Option<&Instant>| end.map_or(0.0, |end| end.duration_since(began).as_secs_f64());
    Ok(Report {
        seconds,
        threads: seen.threads,
        fastest_seconds: took(seen.ends.first()),
        slowest_seconds: took(seen.ends.last()),
        ..Report::default()
    })
}

/// What was seen at the ends of uploads.
#[derive(Default)]
struct Seen {
    /// In the order of time.
    ends: Vec<Instant>,
    threads: u64,
}

impl Seen {
    fn ended(&mut self) {
        if self.ends.len() % COUNT_THREADS_EVERY == 0 {
            self.threads = self.threads.max(threads());
        }
        self.ends.push(Instant::now());
    }
}

/// Has the server answer from now on.
fn release(endpoint: &Endpoint) -> io::Result<()> {
    let mut stream = TcpStream::connect((endpoint.host(), endpoint.port()))?;
    stream.write_all(b"GET /?op=release HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    match answer.starts_with("HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(io::Error::other(answer)),
    }
}

/// The threads of this process, its own first one included.
fn threads() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    line.and_then(|count| count.trim().parse().ok()).unwrap_or(0)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
