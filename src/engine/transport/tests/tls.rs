//! The same over TLS, with certificates made for the test.

use std::io;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::upload::failure::{Cause, Phase};

use super::*;

type Stream = StreamOwned<ServerConnection, TcpStream>;

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        Self::named("authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    fn pem(&self) -> Vec<u8> {
        self.issuer.pem().into_bytes()
    }

    fn server(
        &self,
        host: &str,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([host.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        showing(vec![certificate.der().clone()], &key, versions)
    }

    /// A server for this machine whose certificate is changed before it is signed.
    fn server_with(&self, change: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        showing(vec![certificate.der().clone()], &key, rustls::ALL_VERSIONS)
    }
}

fn showing(
    chain: Vec<CertificateDer<'static>>,
    key: &KeyPair,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::Pkcs8(key.serialize_der().into()));
    Arc::new(config.unwrap())
}

fn tls_server(config: Arc<ServerConfig>, script: impl FnOnce(Stream, Held) + Send + 'static) -> Server {
    Server::once(move |stream, held| {
        // Or an answer may wait for the acknowledgement of the session tickets, and be dropped when the
        // server closes.
        stream.set_nodelay(true).unwrap();
        script(
            StreamOwned::new(ServerConnection::new(config).unwrap(), stream),
            held,
        );
    })
}

fn trusting(server: &Server, pem: Vec<u8>) -> Transport {
    let mut config = config(&format!("https://{}", server.address));
    config.ca_pem = Some(pem);
    transport(config)
}

/// A handshake that the client will end.
fn fails(mut stream: Stream, _: Held) {
    stream.read(&mut [0]).unwrap_err();
}

#[test]
fn the_right_authority_is_trusted_and_the_connection_is_kept() {
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let authority = Authority::new();
        let server = tls_server(authority.server("127.0.0.1", &[version]), |mut stream, _| {
            for _ in 0..10 {
                read_request(&mut stream);
                answer(&mut stream, "200 OK", "private");
            }
        });
        let mut transport = trusting(&server, authority.pem());
        let source = MemorySource::new(vec![7; 300_000]);
        for _ in 0..10 {
            assert_eq!(
                call(&mut transport, &send(&source), &source).said(),
                ok("private")
            );
        }
    }
}

#[test]
fn what_tls_has_to_say_between_two_requests_does_not_cost_the_connection() {
    let authority = Authority::new();
    let (answered, on_answered) = mpsc::channel();
    let (said, on_said) = mpsc::channel();
    let server = tls_server(
        authority.server("127.0.0.1", &[&rustls::version::TLS13]),
        move |mut stream, _| {
            for _ in 0..2 {
                read_request(&mut stream);
                answer(&mut stream, "200 OK", "kept");
                on_answered.recv().unwrap();
                stream.conn.refresh_traffic_keys().unwrap();
                stream.flush().unwrap();
                said.send(()).unwrap();
            }
        },
    );
    let mut transport = trusting(&server, authority.pem());
    for _ in 0..2 {
        assert_eq!(call_get(&mut transport).said(), ok("kept"));
        answered.send(()).unwrap();
        on_said.recv().unwrap();
    }
}

#[test]
fn another_authority_is_not_trusted() {
    let server = tls_server(Authority::new().server("127.0.0.1", rustls::ALL_VERSIONS), fails);
    let failure = call_get(&mut trusting(&server, Authority::named("another").pem())).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Tls, Cause::Untrusted, false)
    );
    assert!(failure.detail.contains("UnknownIssuer"), "{}", failure.detail);
}

#[test]
fn a_certificate_for_another_host_is_not_trusted() {
    let authority = Authority::new();
    let server = tls_server(authority.server("other.example", rustls::ALL_VERSIONS), fails);
    let failure = call_get(&mut trusting(&server, authority.pem())).network();
    assert_eq!((failure.phase, failure.cause), (Phase::Tls, Cause::Untrusted));
    assert!(failure.detail.contains("other.example"), "{}", failure.detail);
}

#[track_caller]
fn assert_refused(server: &Server, trusted: Vec<u8>, told: &str) {
    let failure = call_get(&mut trusting(server, trusted)).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Tls, Cause::Untrusted, false),
        "{failure:?}"
    );
    assert!(
        failure.detail.contains(told),
        "no {told:?} in: {}",
        failure.detail
    );
}

#[test]
fn a_certificate_outside_of_its_time_is_not_trusted() {
    let authority = Authority::new();
    let expired = authority.server_with(|params| params.not_after = date_time_ymd(2020, 1, 1));
    assert_refused(&tls_server(expired, fails), authority.pem(), "expired");
    let early = authority.server_with(|params| params.not_before = date_time_ymd(3000, 1, 1));
    assert_refused(&tls_server(early, fails), authority.pem(), "not valid yet");
}

#[test]
fn a_certificate_that_vouches_for_itself_is_not_trusted() {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let config = showing(vec![certificate.der().clone()], &key, rustls::ALL_VERSIONS);
    assert_refused(
        &tls_server(config, fails),
        Authority::new().pem(),
        "UnknownIssuer",
    );
}

#[test]
fn a_certificate_between_the_servers_and_its_authority_must_be_shown_by_the_server() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, "between");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let between =
        CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &authority.issuer).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &between).unwrap();

    let alone = showing(vec![certificate.der().clone()], &key, rustls::ALL_VERSIONS);
    assert_refused(&tls_server(alone, fails), authority.pem(), "UnknownIssuer");

    let chain = vec![certificate.der().clone(), between.der().clone()];
    let whole = showing(chain, &key, rustls::ALL_VERSIONS);
    let server = tls_server(whole, |mut stream, _| {
        read_request(&mut stream);
        answer(&mut stream, "200 OK", "private");
    });
    assert_eq!(
        call_get(&mut trusting(&server, authority.pem())).said(),
        ok("private")
    );
}

#[test]
fn a_server_that_only_speaks_tls_1_1_is_refused() {
    let server = Server::once(|mut stream, _| {
        stream.read_exact(&mut [0; 16]).unwrap();
        // A ServerHello of version 1.1 (RFC 4346): no session, a suite that every client offers, no compression.
        let mut hello = vec![3, 2];
        hello.extend_from_slice(&[7; 32]);
        hello.extend_from_slice(&[0, 0xc0, 0x2f, 0]);
        let length = hello.len() as u8;
        let mut record = vec![0x16, 3, 2, 0, length + 4, 2, 0, 0, length];
        record.append(&mut hello);
        stream.write_all(&record).unwrap();
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    assert_refused(&server, Authority::new().pem(), "incompatible");
}

#[test]
fn the_platform_does_not_trust_an_authority_of_our_own() {
    let server = tls_server(
        Authority::new().server("127.0.0.1", rustls::ALL_VERSIONS),
        |mut stream, held| {
            // Where the platform has no certificates at all, nobody ever connects but the last line of the
            // test.
            assert!(stream.read(&mut [0]).is_err() || held.is_released());
        },
    );
    match SharedTransport::new(config(&format!("https://{}", server.address))) {
        Ok(shared) => {
            let failure = call_get(&mut Transport::new(&Arc::new(shared))).network();
            assert_eq!(
                (failure.phase, failure.cause),
                (Phase::Tls, Cause::Untrusted),
                "{failure:?}"
            );
        }
        Err(error) => {
            assert!(error.contains("ca-certificates"), "{error}");
            drop(TcpStream::connect(server.address));
        }
    }
}

#[test]
fn a_server_without_tls_is_not_trusted() {
    let server = Server::once(|mut stream, _| {
        stream.read_exact(&mut [0; 16]).unwrap();
        answer(&mut stream, "400 Bad Request", "plain");
        // Not closed before the client has read it: it hangs up.
        let _ = io::copy(&mut stream, &mut io::sink());
    });
    let failure = call_get(&mut trusting(&server, Authority::new().pem())).network();
    assert_eq!(
        (failure.phase, failure.cause),
        (Phase::Tls, Cause::Untrusted),
        "{failure:?}"
    );
}

#[test]
fn a_server_that_closes_in_the_handshake_is_broken_and_one_that_is_silent_times_out() {
    let server = Server::once(|mut stream, _| {
        stream.read_exact(&mut [0; 16]).unwrap();
    });
    let failure = call_get(&mut trusting(&server, Authority::new().pem())).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Tls, Cause::Broken, false),
        "{failure:?}"
    );

    let server = Server::once(|_stream, held| held.until_released());
    let mut config = config(&format!("https://{}", server.address));
    config.ca_pem = Some(Authority::new().pem());
    config.timeouts.tls = SHORT;
    let failure = call_get(&mut transport(config)).network();
    assert_eq!(
        (failure.phase, failure.cause, failure.ambiguous),
        (Phase::Tls, Cause::TimedOut, false)
    );
}

#[test]
fn a_cancel_ends_a_handshake() {
    let (reached, on_reached) = mpsc::channel();
    let server = Server::once(move |mut stream, held| {
        stream.read_exact(&mut [0; 16]).unwrap();
        reached.send(()).unwrap();
        held.until_released();
    });
    let mut transport = trusting(&server, Authority::new().pem());
    let token = CancelToken::new();
    thread::scope(|scope| {
        let worker = scope.spawn(|| exchange(&mut transport, &get(), &MemorySource::new(*b""), &token));
        on_reached.recv().unwrap();
        token.cancel();
        assert!(matches!(worker.join().unwrap(), Err(TaskFailure::Cancelled)));
    });
}

#[test]
fn an_early_refusal_is_kept_though_session_tickets_came_before_it() {
    for closes in [false, true] {
        let authority = Authority::new();
        let server = tls_server(
            authority.server("127.0.0.1", rustls::ALL_VERSIONS),
            move |mut stream, held| {
                read_head(&mut stream);
                answer(&mut stream, "403 Forbidden", "signature expired");
                if !closes {
                    held.until_released();
                }
            },
        );
        let (_folder, source) = large_file();
        let result = call(&mut trusting(&server, authority.pem()), &send(&source), &source);
        assert_eq!(
            result.said(),
            Ok((403, "signature expired".to_owned())),
            "closes: {closes}"
        );
    }
}

#[test]
fn session_tickets_do_not_stop_a_request() {
    let authority = Authority::new();
    let server = tls_server(
        authority.server("127.0.0.1", &[&rustls::version::TLS13]),
        |mut stream, held| {
            let head = read_head(&mut stream);
            // The client meanwhile fills all buffers, and sees the tickets when it waits for room.
            held.for_a_while(SHORT);
            io::copy(&mut (&mut stream).take(content_length(&head)), &mut io::sink()).unwrap();
            answer(&mut stream, "200 OK", "whole");
        },
    );
    let (_folder, source) = large_file();
    assert_eq!(
        call(&mut trusting(&server, authority.pem()), &send(&source), &source).said(),
        ok("whole")
    );
}

#[test]
fn a_certificate_file_without_a_usable_certificate_is_refused_with_what_it_must_be() {
    for (pem, told) in [
        ("", "no certificate"),
        ("hello", "no certificate"),
        (
            "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
            "certificate 1",
        ),
        (
            "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n",
            "certificate 1",
        ),
    ] {
        let mut config = config("https://store.example");
        config.ca_pem = Some(pem.as_bytes().to_vec());
        let error = SharedTransport::new(config).unwrap_err();
        assert!(error.contains(told), "{pem:?}: {error}");
    }
}
