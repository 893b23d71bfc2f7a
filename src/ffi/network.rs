//! How the service is reached and whom to trust, as C says it.

use std::ffi::{c_char, c_void};
use std::path::Path;

use crate::engine::source::{FileSource, Source};
use crate::engine::transport::check_proxy;
use crate::upload::error::Error;

use super::boundary::{enter, text};
use super::client::{cos_slice_client, invalid};
use super::source::copy;

/// The most certificates that are taken, in bytes; the systems' own have about 220 KB.
const MAX_CA_PEM: usize = 4 << 20;

/// A file of certificates, bounded; only a regular file, since another kind might never end.
fn read_ca_file(path: &str) -> Result<Vec<u8>, Error> {
    let refuse = |detail: &str| Error::invalid(format!("ca_file: {detail}"));
    let source = FileSource::open(Path::new(path)).map_err(|failure| refuse(&failure.detail))?;
    let size = usize::try_from(source.size())
        .ok()
        .filter(|size| *size <= MAX_CA_PEM);
    let size = size.ok_or_else(|| refuse(&format!("{path} has more than {MAX_CA_PEM} bytes")))?;
    let mut pem = vec![0; size];
    let mut filled = 0;
    while filled < size {
        let got = source.read_at(filled as u64, &mut pem[filled..]);
        match got.map_err(|error| refuse(&format!("reading {path} failed: {error}")))? {
            0 => return Err(refuse(&format!("{path} changed while it was read"))),
            got => filled += got,
        }
    }
    Ok(pem)
}

/// Trusts the certificates of a PEM file in place of the system's; the path is UTF-8. The file is read at once, so it may be
/// removed afterwards; whether its certificates are sound shows when the first upload is run. This and
/// cos_slice_client_set_ca_pem are one setting; the last call counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_ca_file(
    client: *mut cos_slice_client,
    path: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let pem = text!("ca_file", path).and_then(read_ca_file);
        client.set("ca", pem, |settings, pem| settings.ca_pem = Some(pem))
    })
}

/// Trusts these certificates in place of the system's: PEM text of size bytes, at most 4194304, copied during the call; it need
/// not end with NUL. Whether they are sound shows when the first upload is run.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_ca_pem(
    client: *mut cos_slice_client,
    pem: *const c_void,
    size: usize,
) -> i32 {
    enter!(client).call(|client| {
        let pem = match size {
            0 => Err(Error::invalid("ca_pem: it is empty")),
            size if size > MAX_CA_PEM => Err(Error::invalid(format!(
                "ca_pem: it has {size} bytes, more than {MAX_CA_PEM}"
            ))),
            size => copy("ca_pem", pem, size),
        };
        client.set("ca", pem, |settings, pem| settings.ca_pem = Some(pem))
    })
}

/// Reaches the service through an HTTP proxy: "http://host:port", or "http://user:password@host:port", with what is not a
/// letter, digit or one of -._~ percent-encoded in user and password; the port is 80 where none is named. Everything goes
/// through its tunnels (CONNECT), to an http endpoint too. Copied; no message shows the password. NULL: none, as without this
/// call. It goes before what cos_slice_client_set_use_env_proxy finds.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_proxy(
    client: *mut cos_slice_client,
    proxy: *const c_char,
) -> i32 {
    enter!(client).call(|client| {
        let take = || {
            if proxy.is_null() {
                return Ok(None);
            }
            let proxy = text!("proxy", proxy)?;
            check_proxy(proxy).map_err(invalid)?;
            Ok(Some(proxy.to_owned()))
        };
        client.set("proxy", take(), |settings, proxy| settings.proxy = proxy)
    })
}

/// Whether a proxy is taken from the environment: anything but 0 is on. Off, as without this call, the environment is not looked
/// at. It is read when the first upload is run. As curl does it, to an https endpoint https_proxy or HTTPS_PROXY counts, to an http
/// one http_proxy in lower case, where there is none all_proxy or ALL_PROXY, and none for the hosts, domains (example.com), addresses and
/// networks (10.0.0.0/8) in no_proxy or NO_PROXY, or * for all, which commas separate. Unlike with curl the port is 80 where none is
/// named. What is wrong with one is
/// COS_SLICE_ERR_INVALID_ARGUMENT, and names the variable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn cos_slice_client_set_use_env_proxy(client: *mut cos_slice_client, on: i32) -> i32 {
    enter!(client).call(|client| {
        client.set("use_env_proxy", Ok(on != 0), |settings, on| {
            settings.use_env_proxy = on
        })
    })
}
