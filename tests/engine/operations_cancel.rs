//! One request at a time: what ends it before its answer is there, and what is not to be done meanwhile.

use std::io;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use cos_slice::engine::client::Client;
use cos_slice::engine::operation::Call;
use cos_slice::engine::source::{Identity, MemorySource, Source};
use cos_slice::protocol::Answer;
use cos_slice::upload::failure::SourceFailure;
use cos_slice::upload::progress::Progress;
use cos_slice::upload::status::Status;

use crate::operations::{begin, call, call_of, refused};
use crate::support::{MIB, Stage, content};

fn wait_for(stage: &Stage, operation: &str) {
    let arrived = |requests: &[cos_emulator::RequestRecord]| {
        let mut operations = requests.iter().filter_map(|request| request.operation.as_deref());
        operations.any(|asked| asked == operation)
    };
    assert!(stage.emulator.wait_for_requests(arrived, Duration::from_secs(60)));
}

#[test]
fn a_cancel_ends_the_verb_that_waits_and_the_next_one_works() {
    for operation in ["upload_slice_init", "upload_slice_data", "stat"] {
        let stage = Stage::new();
        let call = call_of(&stage.client(), &stage.file(MIB, 1));
        if operation == "upload_slice_data" {
            begin(&call);
        }
        stage.fault(&format!(
            r#"{{"operation":"{operation}","times":0,"action":{{"hang":"before"}}}}"#
        ));
        let verb = || match operation {
            "upload_slice_init" => call.init(),
            "upload_slice_data" => call.slice(0, MIB),
            _ => call.stat(),
        };
        thread::scope(|scope| {
            let waiting = scope.spawn(verb);
            wait_for(&stage, operation);
            refused(
                call.list(),
                Status::Busy,
                "another request of this handle is under way",
            );
            let busy = call.set_settings(|settings| settings.overwrite = true);
            refused(busy, Status::Busy, "settings can't be changed");
            refused(call.set_file("x"), Status::Busy, "settings can't be changed");
            call.cancel();
            let text = "cancelled. What became of a request that was under way only the service knows";
            refused(waiting.join().unwrap(), Status::Cancelled, text);
        });
        stage.emulator.clear_faults();
        verb().unwrap_or_else(|error| panic!("{operation}: {error}"));
    }
}

#[test]
fn a_cancel_while_a_repetition_is_waited_for_ends_the_verb() {
    let stage = Stage::new();
    let mut config = stage.config();
    (config.retry.first_delay, config.retry.longest_delay) =
        (Duration::from_secs(3600), Duration::from_secs(3600));
    // More than an attempt after a pause that outlasts the test.
    config.retry.failing_for = Duration::from_secs(36_000);
    let call = call(&Client::new(config).unwrap());
    stage.fault(r#"{"operation":"stat","times":0,"action":{"status":500,"code":-195}}"#);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| call.stat());
        wait_for(&stage, "stat");
        call.cancel();
        refused(waiting.join().unwrap(), Status::Cancelled, "cancelled");
    });
}

#[test]
fn a_cancel_before_a_verb_is_kept_for_that_verb_and_for_no_other() {
    let stage = Stage::new();
    let call = call(&stage.client());
    call.cancel();
    call.cancel();
    refused(call.stat(), Status::Cancelled, "cancelled");
    assert!(stage.emulator.requests().is_empty());
    assert_eq!(call.stat().unwrap(), Answer::Absent);
}

/// Content that has its own call cancelled when it is read.
struct Cancelling {
    content: MemorySource,
    call: OnceLock<Arc<Call>>,
}

impl Source for Cancelling {
    fn size(&self) -> u64 {
        self.content.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(call) = self.call.get() {
            call.cancel();
        }
        self.content.read_at(offset, buffer)
    }

    fn verify_unchanged(&self) -> Result<(), SourceFailure> {
        Ok(())
    }

    fn identity(&self) -> Option<Identity> {
        None
    }
}

#[test]
fn a_cancel_ends_hashing_and_sending_between_two_readings() {
    let stage = Stage::new();
    let call = Arc::new(call(&stage.client()));
    let source = Arc::new(Cancelling {
        content: MemorySource::new(content(MIB, 1)),
        call: OnceLock::new(),
    });
    call.set_source(source.clone()).unwrap();
    begin(&call);
    assert!(source.call.set(call.clone()).is_ok());
    refused(call.hash(), Status::Cancelled, "cancelled");
    refused(call.slice(0, MIB), Status::Cancelled, "cancelled");
    refused(call.upload(), Status::Cancelled, "cancelled");
}

#[test]
fn inside_a_callback_no_request_is_made() {
    let stage = Stage::new();
    let client = stage.client();
    let call = call(&client);
    let file = stage.file(MIB, 1);
    let mut told = Vec::new();
    let mut ask = |_: &Progress| {
        told.push(call.stat().unwrap_err().status);
        told.push(call.hash().unwrap_err().status);
        call.cancel();
        0
    };
    stage.upload(&client, &file).run(Some(&mut ask)).unwrap();
    assert!(
        !told.is_empty() && told.iter().all(|&status| status == Status::Busy),
        "{told:?}"
    );
}
