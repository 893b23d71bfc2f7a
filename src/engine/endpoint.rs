//! Where the service is.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::protocol::Api;
use crate::protocol::regions::{self, Named, Region};

/// The longest address, in bytes.
const MAX_LENGTH: usize = 2048;

/// The service's address: `http` or `https`, host, port, and a path that goes before every request's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    /// Without the brackets of an IPv6 address; lower case.
    host: String,
    port: u16,
    /// Empty, or from its first `/` on and without a last one.
    prefix: String,
    /// Where it was given as a region.
    region: Option<GivenRegion>,
}

/// The code of a region that an address was made of.
#[derive(Clone, Debug, PartialEq, Eq)]
struct GivenRegion {
    code: String,
    is_known: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Why an address or a region is not one; says which, and what it should look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointError {
    /// The argument that is wrong: `endpoint` or `region`.
    pub argument: &'static str,
    reason: String,
}

impl fmt::Display for EndpointError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "the {} {}", self.argument, self.reason)
    }
}

impl std::error::Error for EndpointError {}

impl Endpoint {
    /// Reads `http[s]://host[:port][/prefix]`.
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        parse(text).map_err(|reason| EndpointError {
            argument: "endpoint",
            reason: format!("{reason}; it should look like \"https://gz.file.myqcloud.com\""),
        })
    }

    /// The service's own address in a region, by https: `gz` is `https://gz.file.myqcloud.com` (the request
    /// pages). A code that is not in [`regions::REGIONS`] may be of a region that is not known here; whether there is one
    /// shows when its host is looked up.
    ///
    /// # Errors
    /// It is no code, or one of the names that the XML API has for regions; then the text says which code to use.
    pub fn region(region: &str) -> Result<Self, EndpointError> {
        let refuse = |reason| {
            Err(EndpointError {
                argument: "region",
                reason,
            })
        };
        let fail = |reason| refuse(format!("{reason}; it should look like \"gz\""));
        if region.is_empty() || region.len() > 63 {
            return fail("must have 1 to 63 characters");
        }
        if !region
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        {
            return fail("may only have the characters a-z, 0-9 and \"-\"");
        }
        if region.starts_with('-') || region.ends_with('-') {
            return fail("may not begin or end with \"-\"");
        }
        let is_known = match regions::named(region) {
            Named::Known(_) => true,
            Named::Unknown => false,
            Named::ByXmlName(Region { code, place, .. }) => {
                return refuse(format!(
                    "\"{region}\" is the XML API's name of {place}; its code, to be set here, is \"{code}\""
                ));
            }
            Named::OtherXmlName => {
                return refuse(format!(
                    "\"{region}\" is a name of the XML API; regions opened later than these have no endpoint of the JSON API: {}",
                    regions::List
                ));
            }
        };
        let code = region.to_owned();
        Ok(Self {
            region: Some(GivenRegion { code, is_known }),
            ..Self::of_service(regions::host(region))
        })
    }

    /// The service's own address for a protocol, by https, where there is one for all regions.
    pub fn of_api(api: Api) -> Option<Self> {
        match api {
            Api::FilesV1 => Some(Self::of_service(regions::V1_HOST.to_owned())),
            Api::FilesV2 => None,
        }
    }

    fn of_service(host: String) -> Self {
        Self {
            scheme: Scheme::Https,
            host,
            port: Scheme::Https.default_port(),
            prefix: String::new(),
            region: None,
        }
    }

    /// The code of the region that it was made of; `None` for any other address.
    pub fn given_region(&self) -> Option<&str> {
        self.region.as_ref().map(|region| region.code.as_str())
    }

    /// What is to be said where the host can't be found.
    pub fn hint_to_host(&self) -> Option<String> {
        let region = self.region.as_ref().filter(|region| !region.is_known)?;
        Some(format!(
            "\"{}\" is none of the known regions: {}",
            region.code,
            regions::List
        ))
    }

    /// Whether requests go by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// A name, or an address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, 1 to 65535.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as `CONNECT` and error texts write them; the port always there, an IPv6 address in
    /// brackets.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// The whole address of a request.
    ///
    /// * `target`: the encoded path and query, from the first `/` on.
    pub fn uri(&self, target: &str) -> String {
        // Room for the scheme, the port and what is between them, too.
        let room = self.host.len() + self.prefix.len() + target.len() + 16;
        let mut uri = String::with_capacity(room);
        write!(uri, "{self}{target}").expect("a String takes any text");
        uri
    }
}

/// The address without a last slash, and without the port where it is the scheme's own.
impl fmt::Display for Endpoint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://", self.scheme.name())?;
        match self.host.contains(':') {
            true => write!(out, "[{}]", self.host)?,
            false => out.write_str(&self.host)?,
        }
        if self.port != self.scheme.default_port() {
            write!(out, ":{}", self.port)?;
        }
        out.write_str(&self.prefix)
    }
}

fn parse(text: &str) -> Result<Endpoint, &'static str> {
    if text.is_empty() {
        return Err("is empty");
    }
    if text.len() > MAX_LENGTH {
        return Err("is longer than 2048 characters");
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("has a space, a control character or a character outside ASCII");
    }
    let (scheme, rest) = text
        .split_once("://")
        .ok_or("must begin with \"https://\" or \"http://\"")?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err("must begin with \"https://\" or \"http://\""),
    };
    if rest.contains(['?', '#']) {
        return Err("may not have a query (\"?\") or a fragment (\"#\")");
    }
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("may not have a user name or a password (\"@\"): requests are signed with the key");
    }
    let (host, port) = split_port(authority)?;
    let port = port.map_or(Ok(scheme.default_port()), parse_port)?;
    Ok(Endpoint {
        scheme,
        host: parse_host(host)?,
        port,
        prefix: parse_prefix(path)?,
        region: None,
    })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(bracketed) = authority.strip_prefix('[') {
        let end = bracketed.find(']').ok_or("has a \"[\" without a \"]\"")?;
        return match &bracketed[end + 1..] {
            "" => Ok((&authority[..end + 2], None)),
            rest => Ok((
                &authority[..end + 2],
                Some(rest.strip_prefix(':').ok_or("has something after \"]\"")?),
            )),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err("has an IPv6 address that is not in brackets, as in \"[::1]\"")
        }
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, &'static str> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port) if digits && port != 0 => Ok(port),
        _ => Err("has a port that is not a number from 1 to 65535"),
    }
}

fn parse_host(host: &str) -> Result<String, &'static str> {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return match address.parse::<Ipv6Addr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => Err("has something other than an IPv6 address in brackets"),
        };
    }
    if host.is_empty() {
        return Err("has no host");
    }
    if host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return match host.parse::<Ipv4Addr>() {
            Ok(address) => Ok(address.to_string()),
            Err(_) => Err("has a host that is neither a name nor an IPv4 address"),
        };
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(
            "has a host that is not a name (a name with other letters must be given in its \"xn--\" form)",
        );
    }
    Ok(host.to_ascii_lowercase())
}

fn parse_prefix(path: &str) -> Result<String, &'static str> {
    let prefix = path.trim_end_matches('/');
    let mut rest = prefix.bytes();
    while let Some(byte) = rest.next() {
        let allowed = match byte {
            b'%' => (0..2).all(|_| rest.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte),
        };
        if !allowed {
            return Err("has a path with a character that must be percent-encoded");
        }
    }
    match prefix
        .split('/')
        .skip(1)
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        true => Err("has a path with an empty, \".\" or \"..\" segment"),
        false => Ok(prefix.to_owned()),
    }
}

#[cfg(test)]
mod tests;
