//! Where the service is.

use std::fmt;
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
        format!("{self}{target}")
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
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_in_one_form() {
        for (text, written) in [
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
            ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
            ("HTTPS://GZ.Example.COM", "https://gz.example.com"),
            ("https://example.com:443/a/b/", "https://example.com/a/b"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://[::1]:80/x%2Fy", "http://[::1]/x%2Fy"),
            ("http://[0:0::1]", "http://[::1]"),
            ("http://under_score.example:1", "http://under_score.example:1"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.to_string(), written);
            assert_eq!(
                Endpoint::parse(written).unwrap(),
                endpoint,
                "{written} reads back as itself"
            );
        }
    }

    #[test]
    fn the_parts_are_there() {
        let endpoint = Endpoint::parse("https://[2001:db8::5]/store").unwrap();
        assert!(endpoint.is_https());
        assert_eq!((endpoint.host(), endpoint.port()), ("2001:db8::5", 443));
        assert_eq!(endpoint.authority(), "[2001:db8::5]:443");
        assert_eq!(
            endpoint.uri("/files/v2/1/b/f?op=stat"),
            "https://[2001:db8::5]/store/files/v2/1/b/f?op=stat"
        );
        assert!(!Endpoint::parse("http://a").unwrap().is_https());
    }

    #[test]
    fn what_is_no_address_is_refused_by_name_and_with_an_example() {
        for (text, reason) in [
            ("", "is empty"),
            (&format!("http://a/{}", "b".repeat(3000)), "longer than"),
            ("example.com", "must begin with"),
            ("ftp://example.com", "must begin with"),
            ("https://", "has no host"),
            ("https:///path", "has no host"),
            ("https://:80", "has no host"),
            ("https://user:secret@example.com", "user name"),
            ("https://example.com?x=1", "query"),
            ("https://example.com/#top", "fragment"),
            ("https://exa mple.com", "space"),
            ("https://example.com\r\nHost: x", "control"),
            ("https://b\u{fc}cher.example", "outside ASCII"),
            ("https://example.com:", "port"),
            ("https://example.com:0", "port"),
            ("https://example.com:65536", "port"),
            ("https://example.com:+80", "port"),
            ("https://example.com:80:81", "brackets"),
            ("https://::1", "brackets"),
            ("https://[::1", "\"]\""),
            ("https://[::1]80", "after"),
            ("https://[example.com]", "IPv6"),
            ("https://[fe80::1%25eth0]", "IPv6"),
            ("https://300.1.1.1", "IPv4"),
            ("https://127.1", "IPv4"),
            ("https://example..com", "not a name"),
            ("https://example.com.", "not a name"),
            ("https://example!.com", "not a name"),
            ("https://example.com/a//b", "segment"),
            ("https://example.com/../b", "segment"),
            ("https://example.com/a%2", "percent-encoded"),
            ("https://example.com/<a>", "percent-encoded"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert_eq!(error.argument, "endpoint");
            let said = error.to_string();
            assert!(
                said.contains(reason) && said.contains("https://gz.file.myqcloud.com"),
                "{text}: {said}"
            );
            assert!(!said.contains("secret"), "{said}");
        }
    }

    #[test]
    fn the_xml_apis_name_of_a_region_is_answered_with_its_code() {
        for (name, said) in [
            (
                "ap-guangzhou",
                "\"ap-guangzhou\" is the XML API's name of Guangzhou; its code, to be set here, is \"gz\"",
            ),
            (
                "cn-south",
                "\"cn-south\" is the XML API's name of Guangzhou; its code, to be set here, is \"gz\"",
            ),
            (
                "ap-beijing-1",
                "is the XML API's name of Tianjin; its code, to be set here, is \"tj\"",
            ),
            (
                "sg",
                "is the XML API's name of Singapore; its code, to be set here, is \"sgp\"",
            ),
            (
                "ap-nanjing",
                "\"ap-nanjing\" is a name of the XML API; regions opened later than these have no endpoint",
            ),
            (
                "ap-mumbai",
                "no endpoint of the JSON API: tj (Tianjin), bj (Beijing), sh (Shanghai), gz (Guangzhou)",
            ),
        ] {
            let error = Endpoint::region(name).unwrap_err();
            assert_eq!(error.argument, "region");
            assert!(error.to_string().contains(said), "{error}");
        }
    }

    #[test]
    fn an_unknown_region_is_tried_and_has_a_hint_for_when_there_is_none() {
        let endpoint = Endpoint::region("xyz").unwrap();
        assert_eq!(endpoint.to_string(), "https://xyz.file.myqcloud.com");
        let hint = endpoint.hint_to_host().unwrap();
        assert!(
            hint.starts_with("\"xyz\" is none of the known regions: tj (Tianjin), "),
            "{hint}"
        );
        assert!(hint.ends_with("ger (Frankfurt)"), "{hint}");
        assert_eq!(
            Endpoint::parse("https://xyz.file.myqcloud.com")
                .unwrap()
                .hint_to_host(),
            None
        );
    }

    #[test]
    fn files_v1_has_one_address_for_all_regions() {
        assert_eq!(Endpoint::of_api(Api::FilesV2), None);
        let endpoint = Endpoint::of_api(Api::FilesV1).unwrap();
        assert_eq!(endpoint.to_string(), "https://web.file.myqcloud.com");
        assert_eq!(endpoint.given_region(), None);
    }

    #[test]
    fn a_region_is_the_first_label_of_the_service_s_name() {
        for known in regions::REGIONS {
            let endpoint = Endpoint::region(known.code).unwrap();
            let address = format!("https://{}.file.myqcloud.com", known.code);
            assert_eq!(endpoint.to_string(), address);
            assert_eq!(
                (endpoint.given_region(), endpoint.hint_to_host()),
                (Some(known.code), None)
            );
        }
        assert_eq!(
            Endpoint::parse("https://gz.file.myqcloud.com")
                .unwrap()
                .given_region(),
            None
        );
        for region in [
            "",
            "GZ",
            "gz.evil",
            "gz/",
            "-gz",
            "gz-",
            "g z",
            "gz@",
            &"a".repeat(64),
        ] {
            let error = Endpoint::region(region).unwrap_err();
            assert_eq!(error.argument, "region");
            assert!(error.to_string().contains("\"gz\""), "{error}");
        }
    }
}
