//! Proxies, of the command line and of the environment, with one that really opens tunnels.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::{Outcome, Service, content, run};

/// A proxy that does what `CONNECT` asks for. Its threads end with the connections, and with the test's process.
struct Proxy {
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = heads.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, seen) = (client.unwrap(), seen.clone());
                thread::spawn(move || tunnel(client, &seen));
            }
        });
        Self { address, heads }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked for.
    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

fn tunnel(mut client: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head
        .strip_prefix("CONNECT ")
        .and_then(|rest| rest.split_once(' '))
        .unwrap()
        .0;
    let mut server = TcpStream::connect(target).unwrap();
    seen.lock().unwrap().push(head);
    client
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .unwrap();
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
}

fn upload(service: &Service, change: impl FnOnce(&mut Command) -> &mut Command) -> Outcome {
    let file = service.file("big.mp4", &content(3_000_000, 1));
    let mut command = service.upload(&file, &["--overwrite"]);
    run(change(&mut command))
}

#[test]
fn everything_goes_through_the_proxy_that_the_environment_names() {
    let service = Service::new();
    let proxy = Proxy::new();
    let outcome = upload(&service, |command| command.env("http_proxy", proxy.url()));
    outcome.success();
    assert_eq!(service.object(), content(3_000_000, 1));
    let heads = proxy.heads();
    let connect = format!("CONNECT {} HTTP/1.1\r\n", service.emulator.address());
    assert!(heads.iter().all(|head| head.starts_with(&connect)), "{heads:?}");
    let connections: std::collections::BTreeSet<_> = service
        .emulator
        .requests()
        .iter()
        .map(|request| request.connection)
        .collect();
    assert_eq!(
        connections.len(),
        heads.len(),
        "each connection of the service's came through a tunnel"
    );
    assert!(!outcome.stderr.contains("warning"), "{outcome:?}");
}

#[test]
fn through_a_tunnel_the_services_certificate_is_checked_as_without() {
    let service = Service::with(|config| config.tls = true);
    let pem = service.file("ca.pem", service.emulator.ca_pem().unwrap().as_bytes());
    for variable in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        let proxy = Proxy::new();
        let outcome = upload(&service, |command| {
            command.env(variable, proxy.url()).arg("--ca-file").arg(&pem)
        });
        assert!(outcome.success().starts_with("https://"), "{outcome:?}");
        assert!(!proxy.heads().is_empty(), "{variable}");
    }
    let proxy = Proxy::new();
    let stranger = service.file(
        "stranger.pem",
        Service::with(|config| config.tls = true)
            .emulator
            .ca_pem()
            .unwrap()
            .as_bytes(),
    );
    let outcome = upload(&service, |command| {
        command
            .env("https_proxy", proxy.url())
            .arg("--ca-file")
            .arg(&stranger)
    });
    assert!(outcome.failure(1).contains("setting up TLS"), "{outcome:?}");
    assert!(!proxy.heads().is_empty());
}

#[test]
fn a_password_is_told_to_the_proxy_and_to_nobody_else() {
    let service = Service::new();
    let proxy = Proxy::new();
    let url = format!("http://user:sesame%40open@{}", proxy.address);
    let outcome = upload(&service, |command| command.env("http_proxy", url).arg("-vv"));
    outcome.success();
    // user:sesame@open
    let login = "Proxy-Authorization: Basic dXNlcjpzZXNhbWVAb3Blbg==\r\n";
    assert!(
        proxy.heads().iter().all(|head| head.contains(login)),
        "{:?}",
        proxy.heads()
    );
    assert!(
        !outcome.stderr.contains("sesame") && !outcome.stderr.contains("dXNlcj"),
        "{outcome:?}"
    );
    for request in service.emulator.requests() {
        assert_eq!(request.header("proxy-authorization"), None);
    }
}

#[test]
fn no_proxy_is_gone_through_where_that_is_not_meant() {
    let service = Service::new();
    let proxy = Proxy::new();
    let exempt: [(&[_], &[_]); 7] = [
        (&[("http_proxy", "")], &[]),
        (&[("HTTP_PROXY", "proxy")], &[]),
        (&[("https_proxy", "proxy")], &[]),
        (&[("http_proxy", "proxy"), ("no_proxy", "127.0.0.1")], &[]),
        (&[("http_proxy", "proxy"), ("NO_PROXY", "x,127.0.0.0/8")], &[]),
        (&[("all_proxy", "proxy"), ("no_proxy", "*")], &[]),
        (&[("http_proxy", "proxy")], &["--no-proxy"]),
    ];
    for (variables, options) in exempt {
        let outcome = upload(&service, |command| {
            for (name, value) in variables {
                command.env(name, value.replace("proxy", &proxy.url()));
            }
            command.args(options)
        });
        assert_eq!(outcome.status, Some(0), "{variables:?} {options:?}: {outcome:?}");
    }
    assert_eq!(proxy.heads(), [""; 0]);
}

#[test]
fn the_proxy_of_the_command_line_goes_before_the_environment() {
    let service = Service::new();
    let (named, other) = (Proxy::new(), Proxy::new());
    let outcome = upload(&service, |command| {
        let environment = command.env("http_proxy", other.url()).env("no_proxy", "*");
        environment.args(["--proxy", &named.url()])
    });
    outcome.success();
    assert!(!named.heads().is_empty() && other.heads().is_empty());
    let both = upload(&service, |command| {
        command.args(["--no-proxy", "--proxy", &named.url()])
    });
    assert_eq!(both.status, Some(2), "{both:?}");
}

#[test]
fn a_proxy_of_the_environment_that_is_none_is_a_mistake_that_names_the_variable() {
    let service = Service::new();
    for value in [
        "socks5://user:sesame@127.0.0.1:1",
        "http://user:sesame@127.0.0.1:99999",
        "open sesame",
    ] {
        let outcome = upload(&service, |command| command.env("http_proxy", value));
        let line = outcome.failure(2);
        assert!(
            line.starts_with("http_proxy: the proxy must look like "),
            "{line}"
        );
        assert!(!line.contains("sesame"), "{line}");
    }
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let outcome = upload(&service, |command| {
        command.env("http_proxy", format!("http://{nobody}"))
    });
    let line = outcome.failure(1);
    assert!(line.contains("connecting failed"), "{line}");
    assert!(service.emulator.requests().is_empty());
}
