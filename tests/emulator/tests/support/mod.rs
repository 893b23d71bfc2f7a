//! A client made of a socket and a few lines, so that every byte on the wire is this file's own.
#![allow(dead_code)] // Each test program uses its own part.

pub mod v1;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cos_emulator::{Config, Emulator};
use hmac::{Hmac, KeyInit, Mac};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

pub const MIB: usize = 1 << 20;
pub const APP_ID: &str = "1251668577";
pub const BUCKET: &str = "videos";
/// Longer than anything here takes, so that a hang is a failure and not a hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// An emulator on a folder of its own.
pub struct Fixture {
    pub emulator: Emulator,
    pub directory: TempDir,
    pub client: Client,
}

pub fn start() -> Fixture {
    start_with(|_| {})
}

pub fn start_with(change: impl FnOnce(&mut Config)) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let mut config = Config::new(directory.path());
    change(&mut config);
    let client = Client::new(
        config.listen,
        &config.app_id,
        &config.secret_id,
        &config.secret_key,
    );
    let emulator = Emulator::start(config).unwrap();
    let client = Client {
        address: emulator.address(),
        tls: emulator.ca_pem().map(trusting),
        ..client
    };
    Fixture {
        emulator,
        directory,
        client,
    }
}

/// An emulator that speaks TLS, and a client that trusts it.
pub fn start_tls() -> Fixture {
    start_with(|config| config.tls = true)
}

/// What a client needs that trusts these authorities alone.
pub fn trusting(ca_pem: &str) -> Arc<ClientConfig> {
    Arc::new(trusting_in(ca_pem, rustls::ALL_VERSIONS))
}

pub fn trusting_in(ca_pem: &str, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca_pem.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A TLS stream over a socket of the standard library.
pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// An emulator with some switches set.
pub fn start_set(settings: &[&str]) -> Fixture {
    start_with(|config| {
        settings
            .iter()
            .for_each(|setting| config.switches.assign(setting).unwrap())
    })
}

/// An answer, read from the wire.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    pub fn code(&self) -> i64 {
        self.json()["code"]
            .as_i64()
            .unwrap_or_else(|| panic!("no code in {:?}", self.text()))
    }

    pub fn outcome(&self) -> (u16, i64) {
        (self.status, self.code())
    }

    pub fn data(&self) -> Value {
        assert_eq!(self.outcome(), (200, 0), "{}", self.text());
        self.json()["data"].clone()
    }

    /// Reads one answer; fails when the connection ends before it is whole.
    pub fn read(stream: &mut impl Read) -> io::Result<Answer> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let pairs = lines.filter_map(|line| line.split_once(": "));
        let headers: Vec<_> = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let mut answer = Answer {
            status,
            headers,
            body: Vec::new(),
        };
        let length = answer
            .header("content-length")
            .map_or(0, |text| text.parse().unwrap());
        answer.body.resize(length, 0);
        stream.read_exact(&mut answer.body)?;
        Ok(answer)
    }
}

/// Who asks, and where.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub app_id: String,
    pub secret_id: String,
    pub secret_key: String,
    /// `v2` or `v1`.
    pub api: &'static str,
    /// In front of every path of the API.
    pub path_prefix: &'static str,
    /// Requests go over TLS when this is there.
    pub tls: Option<Arc<ClientConfig>>,
}

pub const BOUNDARY: &str = "----------------------------2335c30f02ab";

/// A multipart body of these fields.
pub fn multipart(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend_from_slice(
            format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    body
}

impl Client {
    pub fn new(address: SocketAddr, app_id: &str, secret_id: &str, secret_key: &str) -> Client {
        let own = str::to_owned;
        Client {
            address,
            app_id: own(app_id),
            secret_id: own(secret_id),
            secret_key: own(secret_key),
            api: "v2",
            path_prefix: "",
            tls: None,
        }
    }

    /// The default credentials of the library.
    pub fn at(address: SocketAddr) -> Client {
        Client::new(address, APP_ID, "AKIDtest", "secret")
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// A TLS stream to the emulator under one of its names; the handshake comes with the first byte.
    pub fn connect_tls(&self, host: &str) -> TlsStream {
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let connection = ClientConnection::new(self.tls.clone().unwrap(), name).unwrap();
        StreamOwned::new(connection, self.connect())
    }

    /// A signature over any fields.
    pub fn sign_tail(&self, tail: &str) -> String {
        let mut mac = Hmac::<Sha1>::new_from_slice(self.secret_key.as_bytes()).unwrap();
        mac.update(tail.as_bytes());
        let mut bytes = mac.finalize().into_bytes().to_vec();
        bytes.extend_from_slice(tail.as_bytes());
        STANDARD.encode(bytes)
    }

    pub fn sign(&self, bucket: &str, expiry: u64, fileid: &str) -> String {
        let random: u32 = rand::random();
        let (app_id, id, now) = (&self.app_id, &self.secret_id, now());
        self.sign_tail(&format!(
            "a={app_id}&k={id}&e={expiry}&t={now}&r={random}&f={fileid}&b={bucket}"
        ))
    }

    /// A signature for many uses, not bound to an object.
    pub fn token(&self) -> String {
        self.sign(BUCKET, now() + 300, "")
    }

    /// A signature for one use on one object.
    pub fn once(&self, path: &str) -> String {
        self.sign(BUCKET, 0, &format!("/{}/{BUCKET}/{path}", self.app_id))
    }

    /// The URL path of an object.
    pub fn url(&self, path: &str) -> String {
        format!(
            "{}/files/{}/{}/{BUCKET}/{path}",
            self.path_prefix, self.api, self.app_id
        )
    }

    /// The bytes of a request.
    pub fn request(&self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut bytes = format!(
            "{method} {url} HTTP/1.1\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.address,
            body.len()
        );
        for (name, value) in headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        [bytes.as_bytes(), body].concat()
    }

    /// Sends bytes on a new connection and reads one answer.
    pub fn try_send(&self, bytes: &[u8]) -> io::Result<Answer> {
        fn exchange(mut stream: impl Read + Write, bytes: &[u8]) -> io::Result<Answer> {
            stream.write_all(bytes)?;
            Answer::read(&mut stream)
        }
        match self.tls {
            None => exchange(self.connect(), bytes),
            Some(_) => exchange(self.connect_tls("localhost"), bytes),
        }
    }

    pub fn send(&self, bytes: &[u8]) -> Answer {
        self.try_send(bytes).unwrap()
    }

    /// The bytes of a POST of these form fields.
    pub fn form(&self, path: &str, fields: &[(&str, &[u8])]) -> Vec<u8> {
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [
            ("Authorization", &*self.token()),
            ("Content-Type", &*content_type),
        ];
        self.request("POST", &self.url(path), &headers, &multipart(fields))
    }

    pub fn post(&self, path: &str, fields: &[(&str, &[u8])]) -> Answer {
        self.send(&self.form(path, fields))
    }

    pub fn post_text(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        self.post(path, &fields)
    }

    pub fn init(&self, path: &str, filesize: usize, slice_size: usize, more: &[(&str, &str)]) -> Answer {
        let (filesize, slice_size) = (filesize.to_string(), slice_size.to_string());
        let first = [
            ("op", "upload_slice_init"),
            ("filesize", &*filesize),
            ("slice_size", &*slice_size),
        ];
        self.post_text(path, &[&first, more].concat())
    }

    pub fn data_request(
        &self,
        path: &str,
        session: &str,
        offset: usize,
        content: &[u8],
        more: &[(&str, &str)],
    ) -> Vec<u8> {
        let offset = offset.to_string();
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("op", b"upload_slice_data"),
            ("session", session.as_bytes()),
            ("offset", offset.as_bytes()),
        ];
        fields.extend(more.iter().map(|(name, value)| (*name, value.as_bytes())));
        fields.push(("filecontent", content));
        self.form(path, &fields)
    }

    pub fn data(
        &self,
        path: &str,
        session: &str,
        offset: usize,
        content: &[u8],
        more: &[(&str, &str)],
    ) -> Answer {
        self.send(&self.data_request(path, session, offset, content, more))
    }

    pub fn list(&self, path: &str) -> Answer {
        self.post_text(path, &[("op", "upload_slice_list")])
    }

    pub fn finish(&self, path: &str, session: &str, filesize: usize, more: &[(&str, &str)]) -> Answer {
        let filesize = filesize.to_string();
        let first = [
            ("op", "upload_slice_finish"),
            ("session", session),
            ("filesize", &*filesize),
        ];
        self.post_text(path, &[&first, more].concat())
    }

    pub fn upload(&self, path: &str, content: &[u8], more: &[(&str, &str)]) -> Answer {
        let mut fields: Vec<(&str, &[u8])> = vec![("op", b"upload"), ("filecontent", content)];
        fields.extend(more.iter().map(|(name, value)| (*name, value.as_bytes())));
        self.post(path, &fields)
    }

    pub fn stat(&self, path: &str) -> Answer {
        let token = self.token();
        self.send(&self.request(
            "GET",
            &(self.url(path) + "?op=stat"),
            &[("Authorization", &token)],
            b"",
        ))
    }

    pub fn json_op(&self, path: &str, token: &str, body: &str) -> Answer {
        let headers = [("Authorization", token), ("Content-Type", "application/json")];
        self.send(&self.request("POST", &self.url(path), &headers, body.as_bytes()))
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.json_op(path, &self.once(path), r#"{"op":"delete"}"#)
    }

    pub fn get(&self, url: &str) -> Answer {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let url = url
            .strip_prefix(&format!("{scheme}://{}", self.address))
            .unwrap_or(url);
        self.send(&self.request("GET", url, &[], b""))
    }

    /// Begins an upload without sha and gives its session.
    pub fn begin(&self, path: &str, filesize: usize, slice_size: usize) -> String {
        self.init(path, filesize, slice_size, &[]).data()["session"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A whole upload in slices of `slice_size`.
    pub fn upload_slices(
        &self,
        path: &str,
        content: &[u8],
        slice_size: usize,
        more: &[(&str, &str)],
    ) -> Answer {
        let session = self.init(path, content.len(), slice_size, more).data()["session"]
            .as_str()
            .unwrap()
            .to_owned();
        let again: Vec<_> = more.iter().filter(|(name, _)| *name == "sha").copied().collect();
        for (index, slice) in content.chunks(slice_size).enumerate() {
            self.data(path, &session, index * slice_size, slice, &again)
                .data();
        }
        self.finish(path, &session, content.len(), &again)
    }
}

/// Waits for the end of a connection, in whatever way it comes. One that stays until the patience is over is
/// a failure, and so is a byte.
pub fn assert_ended(stream: &mut TcpStream) {
    match stream.read(&mut [0]) {
        Ok(0) => {}
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
        other => panic!("not the end of the connection: {other:?}"),
    }
}

/// Bytes that differ from place to place.
pub fn content(length: usize) -> Vec<u8> {
    (0..length)
        .map(|index| u8::try_from(index % 251).unwrap())
        .collect()
}

pub fn sha1(bytes: &[u8]) -> String {
    hex::encode(Sha1::digest(bytes))
}

/// The running SHA-1 states of `data`, written down once more: words of the chaining value, little-endian.
pub fn uploadparts(data: &[u8], step: usize) -> String {
    let mut words = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut parts = Vec::new();
    for (index, piece) in data.chunks(step).enumerate() {
        let last = (index + 1) * step >= data.len();
        let datasha = if last {
            sha1(data)
        } else {
            for block in piece.chunks_exact(64) {
                sha1::block_api::compress(&mut words, &[block.try_into().unwrap()]);
            }
            words
                .iter()
                .map(|word| format!("{:08x}", word.swap_bytes()))
                .collect()
        };
        parts.push(json!({"offset": index * step, "datalen": piece.len(), "datasha": datasha}));
    }
    Value::Array(parts).to_string()
}
