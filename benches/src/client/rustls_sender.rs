//! Slices over TLS with nothing around them: a file through one page-aligned buffer into rustls, and its records into the
//! socket. What an upload over https can't be much faster than.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Instant;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::{Outcome, Report};

const SLICE_SIZE: u64 = 1 << 20;
/// As much as rustls takes at once.
const BUFFER_SIZE: usize = 64 << 10;
const PAGE_SIZE: usize = 4096;

const BOUNDARY: &str = "----------------------------09661e9c7c5522ee8d5059c63c211c3f";
const PATH: &str = "/files/v2/1251668577/videos/bench/object";
/// As long as the library's, of a signature for that path.
const AUTHORIZATION_LENGTH: usize = 168;
const SESSION_LENGTH: usize = 96;

/// What the connections share.
struct Work {
    server: SocketAddr,
    tls: Arc<ClientConfig>,
    file: File,
    size: u64,
    next_slice: AtomicU64,
}

/// Sends all slices of a file, over so many connections.
///
/// # Errors
/// What went wrong.
pub fn run(server: SocketAddr, file: &Path, connections: u32, ca: &Path) -> Outcome {
    let file = File::open(file).map_err(text)?;
    let work = Work {
        server,
        tls: trusting(ca)?,
        size: file.metadata().map_err(text)?.len(),
        file,
        next_slice: AtomicU64::new(0),
    };
    let began = Instant::now();
    thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|_| scope.spawn(|| work.send_slices()))
            .collect();
        senders.into_iter().try_for_each(|sender| {
            let sent = sender.join().map_err(|_| "a sender panicked".to_owned())?;
            sent.map_err(text)
        })
    })?;
    Ok(Report {
        seconds: began.elapsed().as_secs_f64(),
        ..Report::default()
    })
}

fn trusting(ca: &Path) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(&fs::read(ca).map_err(text)?).map_err(text)?;
    roots.add(certificate).map_err(text)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(text)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

impl Work {
    fn send_slices(&self) -> std::io::Result<()> {
        let mut room = vec![0; BUFFER_SIZE + PAGE_SIZE];
        let aligned = room.as_ptr().align_offset(PAGE_SIZE);
        let buffer = &mut room[aligned..aligned + BUFFER_SIZE];
        let name = ServerName::IpAddress(self.server.ip().into());
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).map_err(std::io::Error::other)?;
        let socket = TcpStream::connect(self.server)?;
        socket.set_nodelay(true)?;
        let mut stream = StreamOwned::new(connection, socket);
        loop {
            let offset = self.next_slice.fetch_add(1, Relaxed) * SLICE_SIZE;
            if offset >= self.size {
                return Ok(());
            }
            self.send_slice(&mut stream, offset, buffer)?;
            read_answer(&mut stream)?;
        }
    }

    fn send_slice(
        &self,
        stream: &mut (impl Read + Write),
        offset: u64,
        buffer: &mut [u8],
    ) -> std::io::Result<()> {
        let mut left = SLICE_SIZE.min(self.size - offset);
        let (fields, close) = form(offset);
        let length = fields.len() as u64 + left + close.len() as u64;
        stream.write_all((head(self.server, length) + &fields).as_bytes())?;
        let mut from = offset;
        while left > 0 {
            let part = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.file.read_exact_at(&mut buffer[..part], from)?;
            stream.write_all(&buffer[..part])?;
            from += part as u64;
            left -= part as u64;
        }
        stream.write_all(close.as_bytes())?;
        stream.flush()
    }
}

fn head(server: SocketAddr, length: u64) -> String {
    let authorization = "A".repeat(AUTHORIZATION_LENGTH);
    format!(
        "POST {PATH} HTTP/1.1\r\nuser-agent: cos-slice/0.1.0\r\naccept: */*\r\nhost: {server}\r\n\
         content-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {length}\r\n\
         authorization: {authorization}\r\n\r\n"
    )
}

/// What goes before the content of a slice, and behind it.
fn form(offset: u64) -> (String, String) {
    let (offset, session) = (offset.to_string(), "0".repeat(SESSION_LENGTH));
    let field =
        |name: &str| format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
    let fields = [
        ("op", "upload_slice_data"),
        ("session", &session),
        ("offset", &offset),
    ]
    .map(|(name, value)| format!("{}{value}\r\n", field(name)))
    .concat();
    (fields + &field("filecontent"), format!("\r\n--{BOUNDARY}--\r\n"))
}

/// Answers are short, and the next request is only sent after this one's was read: so what comes is one.
fn read_answer(stream: &mut impl Read) -> std::io::Result<()> {
    let mut answer = Vec::new();
    let mut part = [0; 1024];
    while !answer.ends_with(b"}}") {
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&part[..count]);
    }
    match answer.starts_with(b"HTTP/1.1 200 ") {
        true => Ok(()),
        false => Err(std::io::Error::other(
            String::from_utf8_lossy(&answer).into_owned(),
        )),
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
