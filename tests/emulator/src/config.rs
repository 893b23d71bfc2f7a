//! What an emulator is started with.

use crate::switches::Switches;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The settings of an emulator. [`Config::new`] gives values that suit tests; change the fields you need.
#[derive(Clone)]
pub struct Config {
    /// The folder that holds everything; created if need be.
    pub directory: PathBuf,
    /// Where to listen; port 0 lets the system choose. Default: `127.0.0.1:0`.
    pub listen: SocketAddr,
    /// In front of every path but those of the control API, as of a store behind a gateway: `/store` makes
    /// `/store/files/v2/…`. Begins with a slash and does not end with one; letters, digits, `-`, `_`, `.`, `~` and
    /// slashes. Default: empty.
    pub path_prefix: String,
    /// Speaks TLS 1.2 and 1.3 instead of plain HTTP, with a certificate for `localhost`, `127.0.0.1`, `::1`
    /// and the address of `listen`, made at start by an authority that stays with the folder. Default: off.
    pub tls: bool,
    /// The certificate to show instead of a made one; only together with `tls`. Default: none.
    pub tls_files: Option<TlsFiles>,
    /// The appid in addresses and signatures. Default: `1251668577`.
    pub app_id: String,
    /// The SecretID that signatures name. Default: `AKIDtest`.
    pub secret_id: String,
    /// The key that signatures are made with. Default: `secret`.
    pub secret_key: String,
    /// The buckets there are; when empty, as by default, any bucket is.
    pub buckets: Vec<String>,
    /// The positions of the switches at start.
    pub switches: Switches,
    /// The seed of the generator behind faults with a probability. Default: 0.
    pub seed: u64,
    /// How many requests the journal holds; the oldest go. Default: 100,000.
    pub journal_limit: usize,
    /// Writes one line per request to stderr. Default: off.
    pub log: bool,
    /// How long a client may send nothing inside a request, or take nothing of an answer. Default: 60 s.
    pub stall_timeout: Duration,
    /// How long a connection may wait for the head of its next request; how long a TLS handshake may take.
    /// Default: 120 s.
    pub idle_timeout: Duration,
    /// Connections at once; more wait to be accepted. Default: 1024.
    pub max_connections: usize,
    /// Bytes of request bodies held in memory at once; further requests wait for their turn. Default: 256
    /// MiB.
    pub body_memory: usize,
}

/// A certificate of the user's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM: the server's certificate first, then those between it and its authority.
    pub certificate: PathBuf,
    /// PEM: the private key of the first certificate.
    pub key: PathBuf,
}

impl Config {
    /// The defaults, on a folder.
    pub fn new(directory: impl Into<PathBuf>) -> Config {
        Config {
            directory: directory.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            path_prefix: String::new(),
            tls: false,
            tls_files: None,
            app_id: "1251668577".to_owned(),
            secret_id: "AKIDtest".to_owned(),
            secret_key: "secret".to_owned(),
            buckets: Vec::new(),
            switches: Switches::default(),
            seed: 0,
            journal_limit: 100_000,
            log: false,
            stall_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(120),
            max_connections: 1024,
            body_memory: 256 * 1024 * 1024,
        }
    }

    /// What is wrong with the settings, for whom they come from outside.
    ///
    /// # Errors
    /// [`Config::path_prefix`] is none.
    pub fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        let mut segments = self.path_prefix.split('/');
        let fits = segments.next() == Some("")
            && segments.all(|text| !matches!(text, "" | "." | "..") && text.bytes().all(plain));
        if fits {
            Ok(())
        } else {
            Err(format!(
                "the path prefix {:?} does not fit; it is to look like /store or /store/cos",
                self.path_prefix
            ))
        }
    }

    /// What follows the path prefix; `None` for a path that is not below it.
    pub(crate) fn below_path_prefix<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.path_prefix.as_str())
    }

    /// Of every address that the emulator tells.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the key.
        f.debug_struct("Config")
            .field("directory", &self.directory)
            .field("listen", &self.listen)
            .field("path_prefix", &self.path_prefix)
            .field("tls", &self.tls)
            .field("tls_files", &self.tls_files)
            .field("app_id", &self.app_id)
            .field("secret_id", &self.secret_id)
            .field("buckets", &self.buckets)
            .field("switches", &self.switches)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prefix_is_empty_or_looks_like_one() {
        let check = |prefix: &str| {
            let mut config = Config::new("unused");
            prefix.clone_into(&mut config.path_prefix);
            config.check().is_ok()
        };
        assert!(["", "/store", "/a/b-c_d.e~f"].into_iter().all(check));
        let wrong = [
            "store", "/", "/store/", "//store", "/a//b", "/a b", "/a%20b", "/..", "/./a", "/a?b",
        ];
        assert!(!wrong.into_iter().any(check));
    }
}
