//! A tunnel through an HTTP proxy, by `CONNECT` (RFC 9110, section 9.3.6).

use std::fmt;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use zeroize::Zeroizing;

use crate::engine::cancel::{Slot, Wait};
use crate::engine::echo;
use crate::engine::sys::Interest;
use crate::engine::transport::failure::{network, network_io};
use crate::protocol::reply;
use crate::upload::failure::{Cause, Phase, TaskFailure};

use super::tcp::TcpSocket;

/// The longest answer to `CONNECT`, in bytes.
const MAX_ANSWER: usize = 16 << 10;

/// An HTTP proxy.
#[derive(Clone)]
pub struct Proxy {
    /// A name, or an address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// User name and password.
    pub login: Option<(String, String)>,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Proxy")
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Proxy {
    /// Has the proxy open a tunnel to an authority, `host:port`.
    ///
    /// The answer is read byte by byte, so that nothing of what follows is taken. It is short, and once for
    /// each connection.
    pub fn tunnel(
        &self,
        socket: &mut TcpSocket,
        authority: &str,
        limit: Duration,
        slot: &Slot,
    ) -> Result<(), TaskFailure> {
        let deadline = Instant::now() + limit;
        let fail = |cause, detail| Err(network(Phase::Connect, cause, format!("{self}: {detail}")));
        let login = self.encoded_login();
        let mut request = Zeroizing::new(format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"));
        if let Some(login) = &login {
            request.reserve_exact(login.len() + 64);
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(login);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");

        let mut unsent = request.as_bytes();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\n") {
            let (step, interest) = match unsent.is_empty() {
                false => (socket.write(unsent), Interest::Write),
                true => (socket.read(&mut byte), Interest::Read),
            };
            match step {
                Ok(count) if !unsent.is_empty() => unsent = &unsent[count..],
                Ok(0) => return fail(Cause::Broken, "it closed the connection".to_owned()),
                Ok(_) if answer.len() == MAX_ANSWER => {
                    return fail(Cause::TooLarge, "its answer is too long".to_owned());
                }
                Ok(_) => answer.push(byte[0]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match socket.wait(interest, deadline, slot) {
                        Ok(Wait::Ready { .. }) => {}
                        Ok(Wait::Cancelled) => return Err(TaskFailure::Cancelled),
                        Ok(Wait::TimedOut) => {
                            return fail(Cause::TimedOut, format!("no tunnel within {limit:.1?}"));
                        }
                        Err(error) => return Err(network_io(Phase::Connect, Cause::Broken, &error)),
                    }
                }
                Err(error) => return fail(Cause::Broken, error.to_string()),
            }
        }
        let status_line = answer.split(|byte| *byte == b'\r').next().unwrap_or_default();
        match status_line
            .strip_prefix(b"HTTP/1.")
            .and_then(|rest| rest.get(1..5))
        {
            Some([b' ', b'2', ..]) => Ok(()),
            Some([b' ', b'4', b'0', b'7']) => fail(
                Cause::Broken,
                "it asks for a user name and a password, or for others (407)".to_owned(),
            ),
            _ => {
                let mut said = reply::escape(status_line, 100);
                if let Some(login) = &login {
                    echo::cut(&mut said, login, "[authorization]");
                }
                fail(Cause::Broken, format!("it refused the tunnel: {said}"))
            }
        }
    }

    /// User name and password as HTTP's basic authentication has them.
    fn encoded_login(&self) -> Option<Zeroizing<String>> {
        let (user, password) = self.login.as_ref()?;
        let plain = Zeroizing::new(format!("{user}:{password}"));
        Some(Zeroizing::new(BASE64_STANDARD.encode(plain.as_bytes())))
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the proxy {}:{}", self.host, self.port)
    }
}
