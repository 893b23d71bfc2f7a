//! The same pages, held against the emulator: their printed requests go to it as printed, byte by byte, and what it answers
//! must be what they print.
//!
//! Only what can't be as printed is replaced: the signature, whose key is nobody's, and the session, which a server makes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cos_emulator::{Config, Emulator};
use cos_slice::protocol::signature::{self, SecretKey};
use serde_json::Value;

use super::*;

/// An emulator for the app id of a page's example, and one connection to it.
pub struct Service {
    emulator: Emulator,
    app_id: &'static str,
    _folder: tempfile::TempDir,
}

/// What it answered.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub json: Value,
}

impl Service {
    pub fn new(app_id: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path());
        config.app_id = app_id.into();
        Self {
            emulator: Emulator::start(config).unwrap(),
            app_id,
            _folder: folder,
        }
    }

    /// Sends a form with the head that the examples print.
    pub fn post(&self, location: &Location, boundary: &str, form: &[u8]) -> Reply {
        let key = SecretKey::new(self.app_id, "AKIDtest", "secret").unwrap();
        let lifetime = Duration::from_secs(180);
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_secs();
        let token: &str = &signature::sign(
            &key,
            location.bucket(),
            Kind::MultiEffect,
            "",
            now,
            lifetime,
            1_060_345_938,
        );
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: sh.file.myqcloud.com\r\nAuthorization: {token}\r\nMethod:POST\r\n\
             Content-Length: {}\r\nContent-Type: multipart/form-data; boundary={boundary}\r\n\r\n",
            location.target("/files/v2"),
            form.len(),
        );
        let mut stream = TcpStream::connect(self.emulator.address()).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(form).unwrap();
        Reply::read(stream)
    }

    /// Sends a form of these fields.
    pub fn post_fields(&self, location: &Location, fields: &[(&str, &str)]) -> Reply {
        let mut form = String::new();
        for (name, value) in fields {
            form.push_str(&format!(
                "--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        form.push_str("--b--\r\n");
        self.post(location, "b", form.as_bytes())
    }

    /// Begins an upload as the init page's example does, and sends its content.
    pub fn stored(&self, location: &Location, content: &str) -> String {
        let size = content.len().to_string();
        let init = [
            ("op", "upload_slice_init"),
            ("filesize", &size),
            ("slice_size", "524288"),
        ];
        let session = self.post_fields(location, &init).data("session");
        let data = [
            ("op", "upload_slice_data"),
            ("session", &*session),
            ("offset", "0"),
            ("filecontent", content),
        ];
        assert_eq!(self.post_fields(location, &data).code(), 0);
        session
    }
}

impl Reply {
    fn read(stream: TcpStream) -> Self {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let status = line.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = headers
            .iter()
            .find(|(name, _)| name == "content-length")
            .unwrap()
            .1
            .parse()
            .unwrap();
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        let body = String::from_utf8(body).unwrap();
        let json = serde_json::from_str(&body).unwrap();
        Self {
            status,
            headers,
            body,
            json,
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn code(&self) -> i64 {
        self.json["code"].as_i64().unwrap()
    }

    pub fn data(&self, name: &str) -> String {
        self.json["data"][name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {}", self.body))
            .to_owned()
    }

    /// What every page's answer table and example say of an answer to a request that succeeded.
    #[track_caller]
    pub fn assert_success(&self) {
        assert_eq!((self.status, self.code()), (200, 0), "{}", self.body);
        assert_eq!(self.json["message"], "SUCCESS");
        assert_eq!(
            self.header("content-type"),
            Some("application/json; charset=utf-8")
        );
        assert_eq!(self.header("server"), Some("tencent-cos"));
        assert_eq!(self.header("x-cos-request-id"), self.json["request_id"].as_str());
        assert!(self.json["data"].is_object());
    }

    /// The names of the members of `data`, in the order in which they were sent.
    pub fn data_names(&self) -> Vec<String> {
        let start = self.body.find("\"data\":{").unwrap() + "\"data\":{".len();
        let names = self.json["data"].as_object().unwrap().keys();
        let mut names: Vec<_> = names
            .map(|name| {
                (
                    self.body[start..].find(&format!("\"{name}\":")).unwrap(),
                    name.clone(),
                )
            })
            .collect();
        names.sort();
        names.into_iter().map(|(_, name)| name).collect()
    }
}

/// A form as a page prints it, with the session that the server really made in place of the printed one.
pub fn with_session(form: &str, session: &str) -> Vec<u8> {
    assert_eq!(
        session.len(),
        SESSION.len(),
        "a session is as long as the printed one"
    );
    assert!(
        session
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    );
    body::crlf(&form.replace(SESSION, session))
}
