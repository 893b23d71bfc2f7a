//! An authority that issues certificates.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::Failure;

/// An authority of its own; no two are the same.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    /// Makes one.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new()).map_err(said)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "an authority of its own");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(said)?;
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(said)
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes a certificate for a host and its key; gives what a client has to trust.
    ///
    /// # Errors
    /// They can't be made or written.
    pub fn certify(&self, host: &str, certificate: &Path, key: &Path) -> Result<String, Failure> {
        let pair = KeyPair::generate().map_err(said)?;
        let params = CertificateParams::new([host.to_owned()]).map_err(said)?;
        let made = params.signed_by(&pair, &self.0).map_err(said)?;
        std::fs::write(certificate, made.pem()).map_err(|error| error.to_string())?;
        std::fs::write(key, pair.serialize_pem()).map_err(|error| error.to_string())?;
        Ok(self.pem())
    }
}

fn said(error: rcgen::Error) -> Failure {
    format!("a certificate: {error}")
}
