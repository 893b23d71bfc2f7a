//! `cos-slice status`.

use std::process;

use cos_slice::engine::client::{Client, Inspection};
use cos_slice::upload::error::Error;
use serde::Serialize;

use crate::arguments::StatusArguments;
use crate::interrupt;
use crate::log;
use crate::output::{self, DONE, INTERRUPTED};
use crate::progress::Console;
use crate::settings;

#[derive(Serialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum State {
    None,
    Unfinished {
        size: u64,
        received: u64,
        slices: Option<u64>,
    },
    Complete {
        size: Option<u64>,
        sha1: Option<String>,
    },
}

/// Asks, tells, and gives the exit status.
pub fn run(arguments: &StatusArguments) -> u8 {
    match inspect(arguments) {
        Ok(state) if arguments.json => output::print_json(&state, DONE),
        Ok(state) => output::print(&state.line(), DONE),
        Err(error) => output::fail(&error, None, arguments.json),
    }
}

fn inspect(arguments: &StatusArguments) -> Result<State, Error> {
    let mut config = settings::client_config(&arguments.service)?;
    config.log = log::logger(arguments.service.verbose, Console::default());
    let client = Client::new(config)?;
    // A question has no effect that would have to be wound up.
    interrupt::watch(|| process::exit(INTERRUPTED.into()))?;
    let inspection = client.inspect(&arguments.object.bucket, &arguments.object.path)?;
    Ok(match inspection {
        Inspection::None => State::None,
        Inspection::Unfinished {
            size,
            received,
            slices,
        } => State::Unfinished {
            size,
            received,
            slices,
        },
        Inspection::Complete { size, sha1 } => State::Complete { size, sha1 },
    })
}

impl State {
    fn line(&self) -> String {
        match self {
            Self::None => "none".to_owned(),
            Self::Unfinished {
                size,
                received,
                slices,
            } => {
                let slices = slices.map_or_else(String::new, |slices| format!("{slices} slices, "));
                format!("unfinished, {slices}{received} of {size} bytes")
            }
            Self::Complete { size, sha1 } => {
                let size = size.map_or_else(|| "size unknown".to_owned(), |size| format!("{size} bytes"));
                let sha1 = sha1
                    .as_ref()
                    .map_or_else(|| "SHA-1 unknown".to_owned(), |sha1| format!("SHA-1 {sha1}"));
                format!("complete, {size}, {sha1}")
            }
        }
    }
}
