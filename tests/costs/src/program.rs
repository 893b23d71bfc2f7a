//! The program that is counted: one upload on one connection.

use std::path::PathBuf;

use clap::Args;
use cos_slice::engine::client::{Client, ClientConfig};
use cos_slice::engine::endpoint::Endpoint;
use cos_slice::protocol::signature::SecretKey;
use cos_slice::upload::options::Connections;

/// What is uploaded, and where to.
#[derive(Args)]
pub struct Settings {
    /// Where the server is
    endpoint: String,
    /// What to upload
    file: PathBuf,
    /// In bytes
    #[arg(long)]
    slice_size: u64,
    /// Take the SHA-1 first
    #[arg(long)]
    hash: bool,
}

/// Uploads the file.
///
/// # Errors
/// Why it failed.
pub fn upload(settings: &Settings) -> Result<(), String> {
    let endpoint = Endpoint::parse(&settings.endpoint).map_err(text)?;
    let key = SecretKey::new("1251668577", "AKIDtest", "secret").map_err(text)?;
    let mut config = ClientConfig::new(endpoint, key);
    config.connections = Connections::Fixed(1);
    let client = Client::new(config).map_err(text)?;
    let upload = client.upload("videos", "costs/object").map_err(text)?;
    upload.set_file(&settings.file).map_err(text)?;
    let set = upload.set_options(|options| {
        options.hash = settings.hash;
        options.slice_size = settings.slice_size;
    });
    set.map_err(text)?;
    upload.run(None).map_err(text).map(drop)
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
