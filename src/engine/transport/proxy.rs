//! Which proxy is gone through: the one that was set, or the one that the environment names, by the rules of curl.

use std::env;
use std::ffi::OsString;
use std::net::IpAddr;

use crate::engine::endpoint::Endpoint;
use crate::engine::socket::proxy::Proxy;

/// A proxy by its address.
///
/// # Errors
/// What it must look like; never the address, which may hold a password.
pub fn parse(address: &str) -> Result<Proxy, String> {
    let wrong = "the proxy must look like \"http://host:port\" or \"http://user:password@host:port\"";
    let proxy = ureq::Proxy::new(address).map_err(|_| wrong.to_owned())?;
    if has_no_port_after_its_colon(address) || proxy.host().is_empty() || proxy.port() == 0 {
        return Err(wrong.to_owned());
    }
    to_proxy(&proxy).ok_or_else(|| format!("{wrong}; other kinds of proxies are not supported"))
}

/// Such as `http://host:99999`, which is parsed as if no port were named, and so would mean another one.
fn has_no_port_after_its_colon(proxy: &str) -> bool {
    let rest = proxy.split_once("://").map_or(proxy, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let after_brackets = host.rsplit_once(']').map_or(host, |(_, after)| after);
    let port = after_brackets.split_once(':');
    port.is_some_and(|(_, port)| port.parse::<u16>().is_err())
}

fn to_proxy(proxy: &ureq::Proxy) -> Option<Proxy> {
    if !matches!(proxy.protocol(), ureq::ProxyProtocol::Http) {
        return None;
    }
    let login = proxy
        .username()
        .map(|user| (user.to_owned(), proxy.password().unwrap_or_default().to_owned()));
    let host = proxy.host().trim_matches(['[', ']']).to_owned();
    Some(Proxy {
        host,
        port: proxy.port(),
        login,
    })
}

/// The proxy that the environment of this process names for an endpoint, if any.
///
/// # Errors
/// Names the variable that is wrong, and never its value.
pub fn of_environment(endpoint: &Endpoint) -> Result<Option<Proxy>, String> {
    of_variables(endpoint, |name| env::var_os(name))
}

fn of_variables(
    endpoint: &Endpoint,
    value: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<Proxy>, String> {
    // The first that is set counts, and one that is empty is not.
    let first_of = |names: &[&'static str]| {
        let mut values = names.iter().filter_map(|name| Some((*name, value(name)?)));
        values.find(|(_, value)| !value.is_empty())
    };
    // Not HTTP_PROXY: where a web server runs programs, whoever sends it a header "Proxy" sets that.
    let named = first_of(match endpoint.is_https() {
        true => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        false => &["http_proxy", "all_proxy", "ALL_PROXY"],
    });
    let Some((name, address)) = named else {
        return Ok(None);
    };
    let exempt = first_of(&["no_proxy", "NO_PROXY"]);
    if exempt.is_some_and(|(_, hosts)| is_among(endpoint.host(), &hosts.to_string_lossy())) {
        return Ok(None);
    }
    let proxy = match address.to_str() {
        Some(address) => parse(address),
        None => Err("it is not UTF-8 text".to_owned()),
    };
    proxy
        .map(Some)
        .map_err(|wrong| format!("{name}: {wrong}; correct it in the environment, or unset it"))
}

/// Whether a host is one of a list: by its name, by that of a domain above it, as an address, or in a network (`10.0.0.0/8`).
fn is_among(host: &str, list: &str) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut entries = list.split([',', ' ', '\t']).filter(|entry| !entry.is_empty());
    match without_brackets(host).parse::<IpAddr>() {
        Ok(address) => entries.any(|entry| is_in_network(address, entry)),
        Err(_) => entries.any(|entry| is_in_domain(host, entry)),
    }
}

fn without_brackets(address: &str) -> &str {
    let inside = address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.unwrap_or(address)
}

fn is_in_network(address: IpAddr, entry: &str) -> bool {
    let (network, bits) = match entry.split_once('/') {
        Some((network, bits)) => (network, bits.parse::<u32>().ok()),
        None => (entry, Some(u32::MAX)),
    };
    let (Ok(network), Some(bits)) = (without_brackets(network).parse::<IpAddr>(), bits) else {
        return false;
    };
    let whole = bits == u32::MAX;
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) if whole || bits <= 32 => {
            let different = u32::from(address) ^ u32::from(network);
            different.leading_zeros() >= bits.min(32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) if whole || bits <= 128 => {
            let different = u128::from(address) ^ u128::from(network);
            different.leading_zeros() >= bits.min(128)
        }
        _ => false,
    }
}

fn is_in_domain(host: &str, entry: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    let entry = entry.strip_suffix('.').unwrap_or(entry);
    let domain = entry.strip_prefix('.').unwrap_or(entry);
    // Of foreign bytes, so not sliced: there may be no character's boundary.
    let before = host.len().checked_sub(domain.len());
    let end = before.and_then(|before| host.get(before..));
    !domain.is_empty()
        && end.is_some_and(|end| end.eq_ignore_ascii_case(domain))
        && before.is_some_and(|before| before == 0 || host.as_bytes()[before - 1] == b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the proxy is that these variables name for an endpoint.
    fn proxy_of(endpoint: &str, variables: &[(&str, &str)]) -> Result<Option<String>, String> {
        let endpoint = Endpoint::parse(endpoint).unwrap();
        let value = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let proxy = of_variables(&endpoint, value)?;
        Ok(proxy.map(|proxy| format!("{}:{}", proxy.host, proxy.port)))
    }

    #[test]
    fn the_variable_of_the_scheme_goes_before_the_one_for_all() {
        let variables = [
            ("http_proxy", "http://plain:1"),
            ("HTTP_PROXY", "http://never:1"),
            ("https_proxy", "http://secure:2"),
            ("HTTPS_PROXY", "http://SECURE:3"),
            ("all_proxy", "http://all:4"),
            ("ALL_PROXY", "http://ALL:5"),
        ];
        let found = |endpoint: &str, from: usize| proxy_of(endpoint, &variables[from..]).unwrap().unwrap();
        assert_eq!(found("http://store.example", 0), "plain:1");
        assert_eq!(found("https://store.example", 0), "secure:2");
        assert_eq!(found("https://store.example", 3), "SECURE:3");
        // In upper case the one for http is nobody's: a header of a request to a web server may have set it.
        assert_eq!(found("http://store.example", 1), "all:4");
        assert_eq!(found("http://store.example", 5), "ALL:5");
        assert_eq!(found("https://store.example", 5), "ALL:5");
        assert_eq!(proxy_of("http://store.example", &[]), Ok(None));
        assert_eq!(proxy_of("http://store.example", &variables[1..4]), Ok(None));
    }

    #[test]
    fn an_empty_variable_is_one_that_is_not_set() {
        let variables = [
            ("https_proxy", ""),
            ("HTTPS_PROXY", "proxy:8080"),
            ("no_proxy", ""),
            ("NO_PROXY", "*"),
        ];
        assert_eq!(proxy_of("https://store.example", &variables), Ok(None));
        assert_eq!(
            proxy_of("https://store.example", &variables[..3]),
            Ok(Some("proxy:8080".to_owned())),
            "a scheme is not needed"
        );
    }

    #[test]
    fn a_host_is_exempt_by_its_name_its_domain_and_its_network() {
        let names = [
            ("store.example", "store.example", true),
            ("Store.Example", "x, STORE.example ,y", true),
            ("store.example", "a\texample b", true),
            ("store.example", ".example", true),
            ("store.example.", "store.example", true),
            ("store.example", "store.example.", true),
            ("store.example", ".store.example", true),
            ("store.example", "*", true),
            ("store.example", " * ", true),
            ("store.example", "tore.example", false),
            ("store.example", "a.store.example", false),
            ("store.example", "*.example", false),
            ("store.example", "store.example:443", false),
            ("store.example", "", false),
            ("store.example", ",. ,", false),
            ("store.example", "10.0.0.0/8", false),
        ];
        let addresses = [
            ("10.1.2.3", "10.1.2.3", true),
            ("10.1.2.3", "10.0.0.0/8", true),
            ("10.1.2.3", "10.1.2.2/31", true),
            ("10.1.2.3", "0.0.0.0/0", true),
            ("10.1.2.3", "11.0.0.0/8", false),
            ("10.1.2.3", "10.1.2.2", false),
            ("10.1.2.3", "10.1.2.3/33", false),
            ("10.1.2.3", "10.1.2.3/x", false),
            ("10.1.2.3", "2.3", false),
            ("10.1.2.3", "::/0", false),
            ("[fd00::1]", "fd00::1", true),
            ("fd00::1", "[fd00::1]", true),
            ("fd00::1", "fd00::/8", true),
            ("fd00::1", "fe00::/8", false),
            ("fd00::1", "fd00::1/129", false),
        ];
        for (host, list, exempt) in names.into_iter().chain(addresses) {
            assert_eq!(is_among(host, list), exempt, "{host} in {list:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_of_the_variable_and_without_its_value() {
        for value in [
            "socks5://user:sesame@host:1",
            "http://user:sesame@host:99999",
            "http://user:sesame@",
            "sesame open",
        ] {
            let said = proxy_of("https://store.example", &[("HTTPS_PROXY", value)]).unwrap_err();
            assert!(
                said.starts_with("HTTPS_PROXY: the proxy must look like "),
                "{said}"
            );
            assert!(!said.contains("sesame"), "{said}");
        }
        // Of a host that is not reached by it nothing is wrong.
        let variables = [("HTTPS_PROXY", "socks5://host"), ("NO_PROXY", "example")];
        assert_eq!(proxy_of("https://store.example", &variables), Ok(None));
    }

    #[cfg(unix)]
    #[test]
    fn an_address_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStringExt;
        let endpoint = Endpoint::parse("http://store.example").unwrap();
        let value = |name: &str| (name == "all_proxy").then(|| OsString::from_vec(vec![b'h', 0xff]));
        let said = of_variables(&endpoint, value).unwrap_err();
        assert!(said.starts_with("all_proxy: it is not UTF-8"), "{said}");
    }
}
