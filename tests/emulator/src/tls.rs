//! TLS: the certificate that the emulator shows, and the authority that vouches for it.
//!
//! The authority is made once for a folder and kept, so that a client that trusts it goes on doing so; the
//! server's certificate is made anew at each start, and its key never leaves the process.

use crate::config::{Config, TlsFiles};
use crate::store::{AuthorityFiles, Store};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use std::fmt::Display;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::ServerCertVerifier as _;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// Whom every made certificate is for.
const HOSTS: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
/// A client's clock may be so far behind.
const VALID_BEFORE: Duration = Duration::from_secs(24 * 60 * 60);
/// Some platforms take no server certificate that is valid for more than 825 days.
const VALID_AFTER: Duration = Duration::from_secs(800 * 24 * 60 * 60);

const MAKE_ANOTHER: &str =
    "remove the folder, and another authority will be made, which clients must then trust";
const GIVE_A_PAIR: &str = "give a certificate and the private key that belongs to it";

/// TLS as the server needs it.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// The authority to trust, unless the certificate is the user's own.
    pub(crate) ca_pem: Option<String>,
}

/// A certificate with those between it and its authority, and its key.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Tls {
    /// `None` when the emulator is to speak plain HTTP.
    pub(crate) fn open(config: &Config, store: &Store) -> io::Result<Option<Tls>> {
        let (identity, ca_pem) = match (config.tls, &config.tls_files) {
            (false, None) => return Ok(None),
            (false, Some(_)) => {
                let message = "a certificate was given, but TLS is off; turn it on as well";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            (true, Some(files)) => (Identity::read(files)?, None),
            (true, None) => {
                let authority = store.authority(make_authority)?;
                let identity = Identity::issue(&authority, config.listen.ip())
                    .map_err(|error| unusable(&store.authority_directory(), &error, MAKE_ANOTHER))?;
                (identity, Some(authority.certificate))
            }
        };
        let mut server = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| invalid(&error))?
            .with_no_client_auth()
            .with_single_cert(identity.chain, identity.key)
            .map_err(|error| match &config.tls_files {
                Some(files) => unusable(&files.certificate, &error, GIVE_A_PAIR),
                None => invalid(&error),
            })?;
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Tls {
            acceptor: TlsAcceptor::from(Arc::new(server)),
            ca_pem,
        }))
    }
}

impl Identity {
    fn read(files: &TlsFiles) -> io::Result<Identity> {
        let TlsFiles { certificate, key } = files;
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unusable(certificate, &error, "give a PEM file of certificates"))?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| unusable(key, &error, "give a PEM file with a private key, not encrypted"))?;
        Ok(Identity { chain, key })
    }

    /// A new certificate for [`HOSTS`] and the address where the emulator listens.
    fn issue(authority: &AuthorityFiles, address: IpAddr) -> io::Result<Identity> {
        let issuing_key = KeyPair::from_pem(&authority.key).map_err(|error| invalid(&error))?;
        let issuer = Issuer::new(authority_params(), issuing_key);
        let key = KeyPair::generate().map_err(|error| invalid(&error))?;
        let certificate = server_params(address)
            .and_then(|params| params.signed_by(&key, &issuer))
            .map_err(|error| invalid(&error))?;
        check(&certificate, &authority.certificate)?;
        Ok(Identity {
            chain: vec![certificate.into()],
            key: PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        })
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn make_authority() -> io::Result<AuthorityFiles> {
    let key = KeyPair::generate().map_err(|error| invalid(&error))?;
    let certificate = authority_params()
        .self_signed(&key)
        .map_err(|error| invalid(&error))?;
    Ok(AuthorityFiles {
        certificate: certificate.pem(),
        key: key.serialize_pem(),
    })
}

/// The name in it must stay as it is: certificates are issued under it, and have to match the authority that
/// an earlier version may have left in a folder.
fn authority_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "cos-emulator authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn server_params(address: IpAddr) -> Result<CertificateParams, rcgen::Error> {
    let mut hosts = HOSTS.map(str::to_owned).to_vec();
    let address = address.to_string();
    if !hosts.contains(&address) {
        hosts.push(address);
    }
    let mut params = CertificateParams::new(hosts)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "cos-emulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + now.saturating_sub(VALID_BEFORE);
    params.not_after = epoch + now.saturating_add(VALID_AFTER);
    Ok(params)
}

/// Looks at a certificate as a client will: an authority that was tampered with is found at start, and not by
/// a client that then does not know why.
fn check(certificate: &Certificate, ca_pem: &str) -> io::Result<()> {
    let ca = CertificateDer::from_pem_slice(ca_pem.as_bytes()).map_err(|error| invalid(&error))?;
    let mut roots = RootCertStore::empty();
    roots.add(ca).map_err(|error| invalid(&error))?;
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| invalid(&error))?;
    let host = ServerName::try_from(HOSTS[0]).map_err(|error| invalid(&error))?;
    verifier
        .verify_server_cert(certificate.der(), &[], &host, &[], UnixTime::now())
        .map_err(|error| invalid(&error))?;
    Ok(())
}

fn invalid(error: &dyn Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

fn unusable(path: &Path, error: &dyn Display, advice: &str) -> io::Error {
    invalid(&format_args!(
        "TLS cannot use {}: {error}; {advice}",
        path.display()
    ))
}
