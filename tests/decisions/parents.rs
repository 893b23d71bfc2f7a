//! Directories above the object.

use cos_slice::protocol::OperationKind::{CreateDirectory, Init, Upload};
use cos_slice::protocol::{Answer, Operation};
use cos_slice::upload::options::UploadOptions;
use cos_slice::upload::status::Status;
use cos_slice::upload::task::{Specification, Work};

use super::script::*;

fn at_depth(depth: u32, options: UploadOptions) -> Script {
    let specification = Specification {
        depth,
        ..specification(options)
    };
    Script::specified(client_options(), specification)
}

fn making() -> UploadOptions {
    UploadOptions {
        create_parents: true,
        ..plain()
    }
}

fn level_made(script: &mut Script) -> u32 {
    let task = script.request(CreateDirectory);
    let Work::Request(Operation::CreateDirectory(level)) = &task.work else {
        unreachable!()
    };
    let level = *level;
    let done = cos_slice::upload::task::Done::Answered(Answer::Created);
    script.client.report(task, Ok(done), script.now);
    level
}

#[test]
fn missing_directories_are_made_from_the_top_and_the_upload_begins_again() {
    let mut script = at_depth(3, making());
    script.refuse(Init, -197);
    let levels = [(); 3].map(|()| level_made(&mut script));
    assert_eq!(levels, [1, 2, 3]);
    script.begin().store_all();
}

#[test]
fn a_path_that_is_still_missing_then_is_an_error() {
    let mut script = at_depth(1, making());
    script.refuse(Init, -197);
    level_made(&mut script);
    script.refuse(Init, -197);
    assert_eq!(script.status(), Status::NotFound);
}

#[test]
fn none_is_made_unasked_and_the_error_says_how() {
    let mut script = at_depth(1, plain());
    script.refuse(Init, -197);
    assert_eq!(script.status(), Status::NotFound);
    let message = &script.result().as_ref().unwrap_err().message;
    assert!(message.contains("turn creating of parents on"), "{message}");
}

#[test]
fn in_the_bucket_itself_there_is_none_to_be_made() {
    let mut script = at_depth(0, making());
    script.refuse(Init, -197);
    assert_eq!(script.status(), Status::NotFound);
}

#[test]
fn a_single_request_has_them_made_too() {
    let options = UploadOptions {
        single_request_limit: SIZE,
        ..making()
    };
    let mut script = at_depth(1, options);
    script.refuse(Upload, -197);
    assert_eq!(level_made(&mut script), 1);
    script.answer(Upload, links());
}

#[test]
fn a_directory_that_can_not_be_made_ends_the_upload() {
    let mut script = at_depth(2, making());
    script.refuse(Init, -197).refuse(CreateDirectory, -178);
    assert_eq!(script.status(), Status::Refused);
}

#[test]
fn where_the_directory_is_missing_no_lost_attempt_can_have_had_its_effect() {
    let options = UploadOptions {
        single_request_limit: SIZE,
        ..plain()
    };
    let mut script = at_depth(1, options);
    script.lose(Upload).refuse(Upload, -197);
    assert_eq!(script.status(), Status::NotFound);
}
