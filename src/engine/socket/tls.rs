//! TLS over a socket that doesn't block.
//!
//! The HTTP library's own TLS reads only when it is asked to, so an answer that comes while a body is being
//! sent would stay unseen under it: the records that arrive then may as well be session tickets. Here they
//! are looked into.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::engine::cancel::{Slot, Wait};
use crate::engine::sys::Interest;
use crate::engine::transport::failure::{network, network_io};
use crate::upload::failure::{Cause, Phase, TaskFailure};

use super::tcp::TcpSocket;

/// The TLS settings of a client: one for all its connections, since reading the platform's certificates takes
/// time and memory, and a session begun by one connection can be resumed by another.
///
/// * `ca_pem`: the only certificates to trust, in PEM; `None` for those of the platform.
///
/// # Errors
/// There is no usable certificate; the text says what to do.
pub fn client_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS can't be set up: {error}"))?;
    let config = match ca_pem {
        Some(pem) => builder.with_root_certificates(roots(pem)?).with_no_client_auth(),
        None => {
            let verifier = rustls_platform_verifier::Verifier::new(provider).map_err(|error| {
                format!(
                    "the platform's trusted certificates can't be used ({error}); install them (on Linux often \
                     the package \"ca-certificates\"), or give a PEM file with the certificates to trust"
                )
            })?;
            // "Dangerous" is any verifier but the built-in one; this is the platform's.
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
                .with_no_client_auth()
        }
    };
    Ok(Arc::new(config))
}

fn roots(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem).enumerate() {
        let number = index + 1;
        let certificate = certificate.map_err(|error| {
            format!("certificate {number} of the CA file is not readable as PEM: {error}")
        })?;
        roots
            .add(certificate)
            .map_err(|error| format!("certificate {number} of the CA file is not a usable one: {error}"))?;
    }
    match roots.is_empty() {
        true => Err(
            "the CA file has no certificate; it must be PEM, with \"-----BEGIN CERTIFICATE-----\"".to_owned(),
        ),
        false => Ok(roots),
    }
}

/// A TLS connection whose handshake is done.
pub struct TlsSocket {
    socket: TcpSocket,
    session: ClientConnection,
}

impl TlsSocket {
    /// Does the handshake.
    ///
    /// * `host`: the name that the server's certificate must have.
    pub fn handshake(
        socket: TcpSocket,
        config: &Arc<ClientConfig>,
        host: &str,
        limit: Duration,
        slot: &Slot,
    ) -> Result<Self, TaskFailure> {
        let deadline = Instant::now() + limit;
        let name = ServerName::try_from(host.to_owned()).map_err(|_| {
            TaskFailure::Argument(format!("\"{host}\" is not a name that a certificate can have"))
        })?;
        let session = ClientConnection::new(Arc::clone(config), name).map_err(|error| refused(&error))?;
        let mut tls = Self { socket, session };
        while tls.session.is_handshaking() || tls.session.wants_write() {
            let interest = match tls.step() {
                Ok(()) => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if tls.session.wants_write() {
                        Interest::Write
                    } else {
                        Interest::Read
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(handshake_failure(error)),
            };
            match tls.socket.wait(interest, deadline, slot) {
                Ok(Wait::Ready { .. }) => {}
                Ok(Wait::Cancelled) => return Err(TaskFailure::Cancelled),
                Ok(Wait::TimedOut) => {
                    return Err(network(
                        Phase::Tls,
                        Cause::TimedOut,
                        format!("not done within {limit:.1?}"),
                    ));
                }
                Err(error) => return Err(network_io(Phase::Tls, Cause::Broken, &error)),
            }
        }
        Ok(tls)
    }

    /// One step of the handshake that doesn't block.
    fn step(&mut self) -> io::Result<()> {
        if self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
            return Ok(());
        }
        match self.receive_records()? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads what has arrived and decrypts it; 0 at the end of the connection. An error of TLS comes as the
    /// cause of the [`io::Error`].
    fn receive_records(&mut self) -> io::Result<usize> {
        let count = self.session.read_tls(&mut self.socket)?;
        if let Err(error) = self.session.process_new_packets() {
            // The alert that tells the server why; if it doesn't go out at once, it goes unsaid.
            let _ = self.session.write_tls(&mut self.socket);
            return Err(io::Error::new(io::ErrorKind::InvalidData, error));
        }
        Ok(count)
    }

    /// The socket below.
    pub fn socket(&self) -> &TcpSocket {
        &self.socket
    }

    /// Whether records are waiting to be written.
    pub fn has_unsent(&self) -> bool {
        self.session.wants_write()
    }

    /// Whether a read brings something without the socket's doing.
    pub fn has_input(&self) -> bool {
        !self.session.wants_read()
    }

    /// Whether the connection is as it should be between two requests. Session tickets may come then, answers
    /// may not.
    pub fn is_quiet(&mut self) -> bool {
        while !self.has_input() {
            match self.receive_records() {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        false
    }
}

impl Read for TlsSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.session.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.receive_records()?,
                result => return result,
            };
        }
    }
}

impl Write for TlsSocket {
    /// Takes bytes only when all records made before are out, so that no more than one buffer's worth is ever
    /// held. With no bytes, only writes those records.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.flush()?;
        self.session.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.socket)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TlsSocket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("TlsSocket")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}

fn handshake_failure(error: io::Error) -> TaskFailure {
    match error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<rustls::Error>())
    {
        Some(cause) => refused(cause),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            network(Phase::Tls, Cause::Broken, "the server closed the connection")
        }
        None => network_io(Phase::Tls, Cause::Broken, &error),
    }
}

/// An alert is the server's own way to give up, and another try may meet a server that doesn't; anything else
/// is what this side can't accept.
fn refused(error: &rustls::Error) -> TaskFailure {
    let cause = match error {
        rustls::Error::AlertReceived(_) => Cause::Broken,
        _ => Cause::Untrusted,
    };
    network(Phase::Tls, cause, error.to_string())
}
