//! Directories above the object, where the service wants them to be there.

use cos_slice::engine::handle::Upload;
use cos_slice::protocol::Api;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, Stage};

const PATHS: [&str; 4] = ["file", "a/file", "a/b/file", "a/b/c/file"];

fn wanting_parents() -> Stage {
    let stage = Stage::new();
    stage.emulator.set("require_parent_dir", "on").unwrap();
    stage
}

impl Stage {
    fn upload_to(&self, api: Api, path: &str, size: u64, create_parents: bool) -> Upload {
        let upload = self.client_of(api).upload(BUCKET, path).unwrap();
        upload.set_file(self.file(size, 1)).unwrap();
        upload
            .set_options(|options| options.create_parents = create_parents)
            .unwrap();
        upload
    }

    /// The directories that were asked for, in this order.
    fn created(&self) -> Vec<String> {
        let requests = self.emulator.requests().into_iter();
        let creates = requests.filter(|request| request.operation.as_deref() == Some("create"));
        let inside = |path: String| path.split_once("/videos/").map(|(_, path)| path.to_owned());
        creates.filter_map(|request| inside(request.path)).collect()
    }
}

#[test]
fn missing_directories_are_made_from_the_top_where_that_is_wanted() {
    for api in Api::ALL {
        for (depth, path) in PATHS.iter().enumerate() {
            // Also an empty file, which goes in one request.
            for size in [0, 2 * MIB + 1] {
                let stage = wanting_parents();
                let upload = stage.upload_to(api, path, size, true);
                let object = upload
                    .run(None)
                    .unwrap_or_else(|error| panic!("{api:?}, {path}: {error}"));
                assert_eq!((object.outcome, object.size), (Outcome::Uploaded, size));
                assert_eq!(
                    stage.created(),
                    ["a/", "a/b/", "a/b/c/"][..depth],
                    "{api:?}, {path}"
                );
                let bytes = stage.emulator.object(BUCKET, path).unwrap();
                assert!(bytes == std::fs::read(stage.file(size, 1)).unwrap());
            }
        }
    }
}

#[test]
fn unasked_none_is_made_and_the_error_says_what_is_missing_and_what_helps() {
    for api in Api::ALL {
        for path in &PATHS[1..] {
            let stage = wanting_parents();
            let error = stage.upload_to(api, path, MIB, false).run(None).unwrap_err();
            assert_eq!(
                (error.status, error.server_code),
                (Status::NotFound, Some(-197)),
                "{api:?}, {path}: {error}"
            );
            assert!(
                error.message.contains("directory") && error.message.contains("parents"),
                "{error}"
            );
            assert!(!error.is_retryable());
            assert_eq!(stage.requests().len(), 1, "{:?}", stage.requests());
        }
        let stage = wanting_parents();
        stage.upload_to(api, PATHS[0], MIB, false).run(None).unwrap();
    }
}

#[test]
fn those_that_are_there_already_are_no_obstacle() {
    for api in Api::ALL {
        let stage = wanting_parents();
        stage.upload_to(api, "a/other", 1, true).run(None).unwrap();
        stage.emulator.clear_requests();
        stage.upload_to(api, "a/b/file", MIB, true).run(None).unwrap();
        assert_eq!(stage.created(), ["a/", "a/b/"]);
        stage.emulator.clear_requests();
        stage.upload_to(api, "a/b/second", MIB, true).run(None).unwrap();
        assert!(stage.created().is_empty(), "{:?}", stage.created());
    }
}

#[test]
fn a_service_that_wants_none_is_asked_for_none() {
    for api in Api::ALL {
        let stage = Stage::new();
        stage.upload_to(api, "a/b/c/file", MIB, true).run(None).unwrap();
        assert_eq!(stage.count("create"), 0);
    }
}

#[test]
fn an_object_where_a_directory_should_be_is_a_clear_error_and_stays() {
    for api in Api::ALL {
        let stage = wanting_parents();
        stage.upload_to(api, "a", 5, true).run(None).unwrap();
        let error = stage.upload_to(api, "a/b/file", MIB, true).run(None).unwrap_err();
        assert_eq!(
            (error.status, error.server_code),
            (Status::Refused, Some(-178)),
            "{api:?}: {error}"
        );
        assert!(stage.emulator.object(BUCKET, "a").unwrap().len() == 5);
    }
}

#[test]
fn a_lost_answer_to_a_creation_is_asked_for_again() {
    for api in Api::ALL {
        let stage = wanting_parents();
        stage.fault(r#"{"operation":"create","nth":2,"action":{"lost_answer":true}}"#);
        let object = stage.upload_to(api, "a/b/file", MIB, true).run(None).unwrap();
        assert_eq!(object.outcome, Outcome::Uploaded);
        assert_eq!(stage.created(), ["a/", "a/b/", "a/b/"]);
    }
}

#[test]
fn uploads_into_the_same_new_directories_do_not_disturb_one_another() {
    for api in Api::ALL {
        let stage = wanting_parents();
        let client = stage.client_of(api);
        let file = stage.file(MIB, 1);
        let uploads: Vec<_> = (0..8)
            .map(|number| {
                let upload = client.upload(BUCKET, &format!("a/b/c/{number}")).unwrap();
                upload.set_file(&file).unwrap();
                upload
                    .set_options(|options| options.create_parents = true)
                    .unwrap();
                upload.start(None).unwrap();
                upload
            })
            .collect();
        for (number, upload) in uploads.iter().enumerate() {
            upload
                .wait(None)
                .unwrap_or_else(|error| panic!("{number}: {error}"));
        }
    }
}
