//! Certificates, as a user of the command meets them.

use std::path::PathBuf;

use cos_emulator::TlsFiles;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_ECDSA_P256_SHA256,
    date_time_ymd,
};

use crate::support::{Outcome, Service, content, run};

/// An authority that tests issue certificates by.
struct Authority(CertifiedIssuer<'static, KeyPair>);

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "a private authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, new_key()).unwrap())
    }

    /// A service whose certificate is for this host, and changed before it is signed.
    fn service(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Service {
        let key = new_key();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        showing(&certificate.pem(), &key)
    }
}

/// A service that shows this certificate.
fn showing(certificate: &str, key: &KeyPair) -> Service {
    let folder = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (folder.path().join("certificate"), folder.path().join("key"));
    std::fs::write(&certificate_file, certificate).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    Service::with(|config| {
        config.tls = true;
        config.tls_files = Some(TlsFiles {
            certificate: certificate_file,
            key: key_file,
        });
    })
}

fn upload(service: &Service, trusted: Option<&str>) -> Outcome {
    let file = service.file("big.mp4", &content(3_000_000, 1));
    let ca_file: Option<PathBuf> = trusted.map(|pem| service.file("ca.pem", pem.as_bytes()));
    let mut command = service.upload(&file, &[]);
    if let Some(path) = ca_file {
        command.arg("--ca-file").arg(path);
    }
    run(&mut command)
}

fn assert_refused(service: &Service, trusted: Option<&str>, told: &str) {
    assert!(service.emulator.endpoint().starts_with("https://"));
    let outcome = upload(service, trusted);
    let line = outcome.failure(1);
    for text in ["setting up TLS", told, "set a CA file"] {
        assert!(line.contains(text), "no {text:?} in: {line}");
    }
    assert_eq!(
        service.emulator.requests().len(),
        0,
        "nothing was said to the server"
    );
}

#[test]
fn the_authority_of_the_ca_file_is_trusted() {
    let service = Service::with(|config| config.tls = true);
    let pem = service.emulator.ca_pem().unwrap().to_owned();
    let outcome = upload(&service, Some(&pem));
    assert!(outcome.success().starts_with("https://"), "{outcome:?}");
    assert_eq!(service.object(), content(3_000_000, 1));
}

#[test]
fn without_a_ca_file_only_the_platforms_authorities_are_trusted() {
    let service = Service::with(|config| config.tls = true);
    let outcome = upload(&service, None);
    // A machine without any authority says so before anything is sent.
    match outcome.status {
        Some(2) => assert!(outcome.failure(2).contains("ca-certificates"), "{outcome:?}"),
        _ => {
            let line = outcome.failure(1);
            assert!(
                line.contains("UnknownIssuer") && line.contains("CA file"),
                "{line}"
            );
        }
    }
    assert_eq!(service.emulator.requests().len(), 0);
}

#[test]
fn a_certificate_of_another_authority_host_or_time_is_refused_and_nothing_is_sent() {
    let authority = Authority::new();
    let pem = authority.0.pem();
    assert_refused(
        &authority.service("127.0.0.1", |_| {}),
        Some(&Authority::new().0.pem()),
        "BadSignature",
    );
    assert_refused(
        &authority.service("other.example", |_| {}),
        Some(&pem),
        "other.example",
    );
    let expired = authority.service("127.0.0.1", |params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_refused(&expired, Some(&pem), "expired");
    let early = authority.service("127.0.0.1", |params| {
        params.not_before = date_time_ymd(3000, 1, 1);
    });
    assert_refused(&early, Some(&pem), "not valid yet");
}

#[test]
fn a_certificate_that_vouches_for_itself_is_refused() {
    let key = new_key();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let service = showing(&params.self_signed(&key).unwrap().pem(), &key);
    assert_refused(&service, Some(&Authority::new().0.pem()), "UnknownIssuer");
}

#[test]
fn a_server_without_tls_is_refused_where_https_was_asked_for() {
    let service = Service::new();
    let endpoint = service.emulator.endpoint().replace("http://", "https://");
    let file = service.file("big.mp4", b"content");
    let pem = service.file("ca.pem", Authority::new().0.pem().as_bytes());
    let mut command = service.upload(&file, &["--endpoint", &endpoint]);
    let outcome = run(command.arg("--ca-file").arg(pem));
    assert!(outcome.failure(1).contains("TLS"), "{outcome:?}");
    assert_eq!(service.emulator.requests().len(), 0);
}
