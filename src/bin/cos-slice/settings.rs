//! What the environment says, and the options that go before it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use cos_slice::engine::client::ClientConfig;
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::engine::signer::Signer;
use cos_slice::protocol::Api;
use cos_slice::protocol::dialect::SliceSizes;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::error::Error;
use cos_slice::upload::options;
use zeroize::Zeroizing;

use crate::arguments::{self, ServiceArguments, UploadArguments};

const ENDPOINT: &str = "COS_SLICE_ENDPOINT";
const REGION: &str = "COS_SLICE_REGION";
const API: &str = "COS_SLICE_API";
const APP_ID: &str = "COS_SLICE_APP_ID";
const SECRET_ID: &str = "COS_SLICE_SECRET_ID";
const SECRET_KEY: &str = "COS_SLICE_SECRET_KEY";
const SECRET_KEY_FILE: &str = "COS_SLICE_SECRET_KEY_FILE";
const AUTHORIZATION: &str = "COS_SLICE_AUTHORIZATION";
const STATE_HOME: &str = "XDG_STATE_HOME";
const HOME: &str = "HOME";

/// Far more than any key has; what is larger is some other file.
const MAX_KEY_FILE: u64 = 64 << 10;
/// More than any collection of root certificates has.
const MAX_CA_FILE: u64 = 16 << 20;

/// The configuration of a client.
///
/// # Errors
/// Names the option or the variable that is missing or wrong, and what would be right; never its value where that
/// is a secret.
pub fn client_config(arguments: &ServiceArguments) -> Result<ClientConfig, Error> {
    let api = api(arguments)?;
    let mut config = ClientConfig::new(endpoint(arguments, api)?, signer()?);
    config.api = api;
    config.signature_scope = arguments.signature_scope;
    config.signature_lifetime = Duration::from_secs(arguments.signature_lifetime);
    if let Some(seconds) = arguments.timeout {
        let limit = Duration::from_secs(seconds);
        config.timeouts.stall = limit;
        config.timeouts.answer = limit;
        config.timeouts.finish_answer = limit;
    }
    if let Some(path) = &arguments.ca_file {
        config.ca_pem = Some(read("--ca-file", path, MAX_CA_FILE)?);
    }
    config.proxy = proxy(arguments)?;
    config.use_env_proxy = !arguments.no_proxy;
    config.dialect = arguments.store.dialect()?;
    Ok(config)
}

fn api(arguments: &ServiceArguments) -> Result<Api, Error> {
    match (arguments.api, variable(API)?) {
        (Some(api), _) => Ok(api),
        (None, Some(text)) => arguments::api(&text).map_err(|why| Error::invalid(format!("{API}: {why}"))),
        (None, None) => Ok(Api::default()),
    }
}

/// The proxy of the command line, which all users of the machine can see.
fn proxy(arguments: &ServiceArguments) -> Result<Option<String>, Error> {
    match &arguments.proxy {
        Some(url) if url.contains('@') => Err(Error::invalid(
            "--proxy: a password is not accepted where other users of the machine can see it; \
             name such a proxy in the environment, by https_proxy or http_proxy",
        )),
        proxy => Ok(proxy.clone()),
    }
}

fn endpoint(arguments: &ServiceArguments, api: Api) -> Result<Endpoint, Error> {
    let named = |name: &'static str| move |error| Error::invalid(format!("{name}: {error}"));
    if let Some(url) = &arguments.endpoint {
        return Endpoint::parse(url).map_err(named("--endpoint"));
    }
    if let Some(region) = &arguments.region {
        return Endpoint::region(region).map_err(named("--region"));
    }
    match (variable(ENDPOINT)?, variable(REGION)?) {
        (Some(url), None) => Endpoint::parse(&url).map_err(named(ENDPOINT)),
        (None, Some(region)) => Endpoint::region(&region).map_err(named(REGION)),
        (Some(_), Some(_)) => Err(Error::invalid(format!(
            "{ENDPOINT} and {REGION} are both set; unset one of them"
        ))),
        (None, None) => Endpoint::of_api(api).ok_or_else(|| {
            Error::invalid(format!(
                "it is not known where the service is; set {ENDPOINT} or {REGION}, or give --endpoint or --region"
            ))
        }),
    }
}

/// Who signs: the string of the environment, or else its key.
fn signer() -> Result<Signer, Error> {
    let Some(authorization) = variable(AUTHORIZATION)?.map(Zeroizing::new) else {
        return secret_key().map(Signer::from);
    };
    if let Some(key) = [SECRET_KEY, SECRET_KEY_FILE]
        .into_iter()
        .find(|name| path_variable(name).is_some())
    {
        return Err(Error::invalid(format!(
            "{AUTHORIZATION} and {key} are both set; unset one of them"
        )));
    }
    Signer::fixed(&required(APP_ID)?, &authorization).map_err(|error| {
        match error.message.strip_prefix("authorization") {
            Some(problem) => Error::invalid(format!("{AUTHORIZATION}{problem}")),
            None => error,
        }
    })
}

fn secret_key() -> Result<SecretKey, Error> {
    let app_id = required(APP_ID)?;
    let secret_id = required(SECRET_ID)?;
    let key = match (variable(SECRET_KEY)?, path_variable(SECRET_KEY_FILE)) {
        (Some(key), None) => Zeroizing::new(key),
        (None, Some(path)) => key_in_file(Path::new(&path))?,
        (Some(_), Some(_)) => {
            return Err(Error::invalid(format!(
                "{SECRET_KEY} and {SECRET_KEY_FILE} are both set; unset one of them"
            )));
        }
        (None, None) => {
            return Err(Error::invalid(format!(
                "no secret key; set {SECRET_KEY}, or {SECRET_KEY_FILE} to a file, or {AUTHORIZATION} in its place"
            )));
        }
    };
    SecretKey::new(&app_id, &secret_id, &key).map_err(|error| Error::invalid(error.to_string()))
}

/// The key in a file, without the line end that editors put behind it.
fn key_in_file(path: &Path) -> Result<Zeroizing<String>, Error> {
    let bytes = Zeroizing::new(read(SECRET_KEY_FILE, path, MAX_KEY_FILE)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Error::invalid(format!(
            "{SECRET_KEY_FILE}: the file holds no text; check which file it is"
        ))
    })?;
    Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn read(setting: &str, path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let refuse = |why: String| {
        Error::invalid(format!(
            "{setting}: {}: {why}",
            path.display().to_string().escape_debug()
        ))
    };
    let size = fs::metadata(path)
        .map_err(|error| refuse(error.to_string()))?
        .len();
    if size > limit {
        return Err(refuse(format!(
            "{size} bytes are more than such a file has; check which file it is"
        )));
    }
    fs::read(path).map_err(|error| refuse(error.to_string()))
}

fn required(name: &str) -> Result<String, Error> {
    variable(name)?.ok_or_else(|| Error::invalid(format!("{name} is not set; set it to the account's")))
}

/// A variable's value; one that is empty counts as not set.
fn variable(name: &str) -> Result<Option<String>, Error> {
    path_variable(name)
        .map(|value| {
            value
                .into_string()
                .map_err(|_| Error::invalid(format!("{name} is not UTF-8 text; check it")))
        })
        .transpose()
}

fn path_variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder of the checkpoints; `None` where none are wanted.
///
/// # Errors
/// What to tell the user where no folder is known: the upload goes on without.
pub fn checkpoint_dir(arguments: &UploadArguments) -> Result<Option<PathBuf>, String> {
    if arguments.no_checkpoint {
        return Ok(None);
    }
    if let Some(folder) = &arguments.checkpoint_dir {
        return Ok(Some(folder.clone()));
    }
    // The XDG specification has a relative path ignored.
    let absolute = |name| {
        path_variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let in_home = if cfg!(target_os = "macos") {
        "Library/Application Support"
    } else {
        ".local/state"
    };
    let state = absolute(STATE_HOME).or_else(|| Some(absolute(HOME)?.join(in_home)));
    match state {
        Some(state) => Ok(Some(state.join("cos-slice"))),
        None => Err(format!(
            "there is no checkpoint: neither {STATE_HOME} nor {HOME} names a folder; give --checkpoint-dir or --no-checkpoint"
        )),
    }
}

/// The slice size to ask for: the one that was named, or else the store's default.
///
/// # Errors
/// The library's limits, said in the command's words.
pub fn slice_size(wanted: Option<u64>, hash: bool, sizes: &SliceSizes) -> Result<u64, Error> {
    let slice_size = wanted.unwrap_or(sizes.default_size());
    options::validate_slice_size(slice_size, sizes)
        .map_err(|error| Error::invalid(error.replacen("slice_size", "--slice-size", 1)))?;
    if hash && slice_size > options::MAX_HASHED_SLICE_SIZE && !sizes.is_own() {
        return Err(Error::invalid(
            "--slice-size: more than 1M is only possible with --no-hash; add it or ask for less",
        ));
    }
    Ok(slice_size)
}
