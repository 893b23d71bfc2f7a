//! `cos-slice upload`.

use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use cos_slice::engine::client::Client;
use cos_slice::engine::handle::Upload;
use cos_slice::upload::error::Error;
use cos_slice::upload::machine::{Object, Outcome};
use cos_slice::upload::options::Connections;
use indicatif::BinaryBytes;
use serde::Serialize;

use crate::arguments::UploadArguments;
use crate::interrupt;
use crate::log;
use crate::output::{self, DONE};
use crate::progress::Display;
use crate::settings;
use crate::source;

/// The result as JSON. A member that the service said nothing about is null.
#[derive(Serialize)]
struct Report<'a> {
    outcome: &'static str,
    access_url: Option<&'a str>,
    source_url: Option<&'a str>,
    url: Option<&'a str>,
    resource_path: Option<&'a str>,
    preview_url: Option<&'a str>,
    vid: Option<&'a str>,
    bytes: u64,
    sent: u64,
    resumed: u64,
    slices: u64,
    retries: u64,
    verified: bool,
    sha1: Option<String>,
    seconds: f64,
    warning: Option<&'a str>,
}

/// Uploads, tells the result, and gives the exit status.
pub fn run(arguments: &UploadArguments) -> u8 {
    let started = Instant::now();
    let mut warning = None;
    let result = upload(arguments, &mut warning);
    let elapsed = started.elapsed();
    let warning = warning.as_deref();
    // With --verbose it was told where it belongs.
    if let (Some(warning), false, 0) = (warning, arguments.quiet, arguments.service.verbose) {
        output::note(&format!("warning: {warning}"));
    }
    let object = match result {
        Ok(object) => object,
        Err(error) => return output::fail(&error, warning, arguments.json),
    };
    if !arguments.quiet {
        output::note(&summary(&object, arguments, elapsed));
    }
    if arguments.json {
        return output::print_json(&report(&object, elapsed, warning), DONE);
    }
    match &object.links.access_url {
        Some(url) => output::print(url, DONE),
        None => {
            output::note("the object is complete, but the service told no access URL for it");
            DONE
        }
    }
}

/// Uploads; leaves in `warning` what was noticed and did not stop it.
fn upload(arguments: &UploadArguments, warning: &mut Option<String>) -> Result<Object, Error> {
    let hash = source::can_be_hashed(arguments)?;
    let mut config = settings::client_config(&arguments.service)?;
    arguments.slices.add_to(&mut config.dialect)?;
    let slice_size = settings::slice_size(arguments.slice_size, hash, &config.dialect.slice_sizes)?;
    config.connections = arguments.connections();
    config.rate_limit = arguments.limit_rate;
    match settings::checkpoint_dir(arguments) {
        Ok(folder) => config.checkpoint_dir = folder,
        Err(why) => {
            if is_verbose(arguments) {
                output::note(&format!("warning: {why}"));
            }
            *warning = Some(why);
        }
    }
    if is_verbose(arguments) {
        output::note(&format!(
            "{} to cos://{}{} at {}; {}, slices of {}{}",
            arguments.file.display().to_string().escape_debug(),
            arguments.object.bucket.escape_debug(),
            arguments.object.path.escape_debug(),
            config.endpoint,
            number_of(config.connections),
            BinaryBytes(slice_size),
            config.rate_limit.map(at_most).unwrap_or_default(),
        ));
    }
    let mut display = Display::new(arguments.quiet);
    config.log = log::logger(arguments.service.verbose, display.console());
    let client = Client::new(config)?;
    let upload = Arc::new(client.upload(&arguments.object.bucket, &arguments.object.path)?);
    set_options(&upload, arguments, slice_size, hash)?;

    interrupt::watch({
        let upload = upload.clone();
        move || upload.cancel()
    })?;
    let result = upload.run(Some(&mut |progress| {
        display.show(progress);
        0
    }));
    display.close();
    *warning = upload.warning().or(warning.take());
    result
}

fn set_options(
    upload: &Upload,
    arguments: &UploadArguments,
    slice_size: u64,
    hash: bool,
) -> Result<(), Error> {
    source::set(upload, arguments)?;
    upload.set_options(|options| {
        options.slice_size = slice_size;
        options.hash = hash;
        options.overwrite = arguments.overwrite;
        options.create_parents = arguments.create_parents;
        options.discard_unfinished = arguments.discard_unfinished;
        options.verify = !arguments.no_verify;
        options.biz_attr = arguments.biz_attr.as_deref().map(Arc::from);
        options.deadline = arguments.deadline.map(Duration::from_secs);
    })
}

fn report<'a>(object: &'a Object, elapsed: Duration, warning: Option<&'a str>) -> Report<'a> {
    Report {
        outcome: object.outcome.name(),
        access_url: object.links.access_url.as_deref(),
        source_url: object.links.source_url.as_deref(),
        url: object.links.url.as_deref(),
        resource_path: object.links.resource_path.as_deref(),
        preview_url: object.links.preview_url.as_deref(),
        vid: object.links.vid.as_deref(),
        bytes: object.size,
        sent: object.bytes_sent,
        resumed: object.bytes_resumed,
        slices: object.slices_sent,
        retries: object.retries,
        verified: object.verified,
        sha1: object.sha.as_ref().map(ToString::to_string),
        seconds: elapsed.as_secs_f64(),
        warning,
    }
}

/// For people.
fn number_of(connections: Connections) -> String {
    match connections {
        Connections::Fixed(number) => format!("{number} connections"),
        Connections::Adaptive(most) => format!("up to {most} connections"),
    }
}

fn at_most(bytes_per_second: u64) -> String {
    format!(", at most {}/s", BinaryBytes(bytes_per_second))
}

fn is_verbose(arguments: &UploadArguments) -> bool {
    arguments.service.verbose > 0
}

/// One line for people.
fn summary(object: &Object, arguments: &UploadArguments, elapsed: Duration) -> String {
    let (sent, there) = (BinaryBytes(object.bytes_sent), BinaryBytes(object.bytes_resumed));
    let mut text = match object.outcome {
        Outcome::Uploaded => format!("uploaded {}", BinaryBytes(object.size)),
        Outcome::Resumed => format!("resumed: sent {sent}, {there} were there already"),
        Outcome::Instant => format!(
            "instant: the service has these {} already",
            BinaryBytes(object.size)
        ),
    };
    // Writing to a String can't fail.
    let _ = write!(text, ", in {:.1} s", elapsed.as_secs_f64());
    if is_verbose(arguments) {
        let sha = object
            .sha
            .as_ref()
            .map_or_else(|| "not taken".to_owned(), ToString::to_string);
        let (slices, retries) = (object.slices_sent, object.retries);
        let _ = write!(
            text,
            "; {slices} slices sent, {retries} requests repeated, SHA-1 {sha}"
        );
    }
    if !object.verified && !arguments.no_verify {
        text.push_str("; the service would not say what it has, so it is not verified");
    } else if is_verbose(arguments) && object.verified {
        text.push_str("; verified");
    }
    text
}
