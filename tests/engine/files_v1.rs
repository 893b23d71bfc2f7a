//! Uploads by `files/v1`, where the server names the offset to go on at and the last slice makes the object.

use std::sync::Arc;

use cos_slice::engine::client::Inspection;
use cos_slice::engine::handle::Upload;
use cos_slice::engine::source::MemorySource;
use cos_slice::protocol::Api;
use cos_slice::upload::machine::Outcome;
use cos_slice::upload::progress::{Phase, Progress};
use cos_slice::upload::status::Status;

use crate::support::{BUCKET, MIB, PATH, Stage, content};

impl Stage {
    pub fn upload_by_v1(&self, file: &std::path::Path) -> Upload {
        self.upload(&self.client_of(Api::FilesV1), file)
    }

    /// Operations and offsets of all requests.
    pub fn requests(&self) -> Vec<(String, Option<u64>)> {
        let requests = self.emulator.requests().into_iter();
        requests
            .map(|request| (request.operation.unwrap(), request.offset))
            .collect()
    }
}

#[test]
fn files_of_every_size_become_identical_objects_one_slice_after_another() {
    let stage = Stage::new();
    for size in [0, 1, 524_288, MIB, MIB + 1, 20 * MIB + 1] {
        let file = stage.file(size, size);
        let upload = stage.upload_by_v1(&file);
        upload.set_options(|options| options.overwrite = true).unwrap();
        stage.emulator.clear_requests();
        let object = upload.run(None).unwrap_or_else(|error| panic!("{size}: {error}"));
        assert_eq!(
            (object.outcome, object.bytes_sent, object.verified),
            (Outcome::Uploaded, size, true)
        );
        assert!(object.links.access_url.is_some());
        stage.assert_object_is(&file);

        let slices = (0..size.div_ceil(MIB)).map(|slice| ("v1_data".to_owned(), Some(slice * MIB)));
        let beginning = if size == 0 { "upload" } else { "v1_control" };
        let mut expected = vec![(beginning.to_owned(), None)];
        expected.extend(slices);
        expected.push(("stat".to_owned(), None));
        assert_eq!(stage.requests(), expected, "{size}");
        let requests = stage.emulator.requests();
        assert!(
            requests
                .iter()
                .all(|request| request.path.starts_with("/files/v1/"))
        );
    }
}

#[test]
fn control_and_slices_have_their_digests() {
    let stage = Stage::new();
    stage.emulator.set("v1_slice_sha", "checked").unwrap();
    let file = stage.file(2 * MIB + 5, 1);
    let object = stage.upload_by_v1(&file).run(None).unwrap();
    stage.assert_object_is(&file);
    let requests = stage.emulator.requests();
    let sha = |request: &cos_emulator::RequestRecord| request.field("sha").map(str::to_owned);
    assert_eq!(sha(&requests[0]), object.sha.map(|sha| sha.to_string()));
    let of_slices: std::collections::HashSet<_> = requests[1..4]
        .iter()
        .map(|request| sha(request).unwrap())
        .collect();
    assert_eq!(of_slices.len(), 3, "each slice has its own");
}

#[test]
fn memory_goes_up_too_and_progress_is_told() {
    let stage = Stage::new();
    let bytes = content(3 * MIB + 5, 9);
    let upload = stage.client_of(Api::FilesV1).upload(BUCKET, PATH).unwrap();
    upload
        .set_source(Arc::new(MemorySource::new(bytes.clone())))
        .unwrap();
    let mut seen: Vec<Progress> = Vec::new();
    let mut watch = |progress: &Progress| {
        seen.push(*progress);
        0
    };
    upload.run(Some(&mut watch)).unwrap();
    assert!(stage.object() == bytes);
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].acknowledged <= pair[1].acknowledged)
    );
    let last = seen.last().unwrap();
    assert_eq!(
        (last.phase, last.acknowledged, last.slices_done, last.slices_total),
        (Phase::Done, last.total, 4, 4)
    );
}

#[test]
fn the_same_content_again_is_an_instant_hit_and_other_content_is_refused_until_overwriting_is_on() {
    let stage = Stage::new();
    let (first, second) = (stage.file(3 * MIB, 1), stage.file(3 * MIB, 2));
    stage.upload_by_v1(&first).run(None).unwrap();
    let object = stage.upload_by_v1(&first).run(None).unwrap();
    assert_eq!(
        (object.outcome, object.slices_sent, object.verified),
        (Outcome::Instant, 0, true)
    );

    let upload = stage.upload_by_v1(&second);
    let error = upload.run(None).unwrap_err();
    assert_eq!(
        (error.status, error.server_code),
        (Status::ObjectExists, Some(-177)),
        "{error}"
    );
    stage.assert_object_is(&first);

    upload.set_options(|options| options.overwrite = true).unwrap();
    assert_eq!(upload.run(None).unwrap().outcome, Outcome::Uploaded);
    stage.assert_object_is(&second);
}

#[test]
fn an_object_that_came_meanwhile_is_not_overwritten() {
    let stage = Stage::new();
    let (ours, theirs) = (stage.file(3 * MIB, 1), stage.file(3 * MIB, 2));
    stage.fault(r#"{"operation":"v1_data","nth":3,"action":{"status":400,"code":-5999}}"#);
    let upload = stage.upload_by_v1(&ours);
    upload.run(None).unwrap_err();
    // Of one request, which leaves our upload alone.
    let other = stage.upload_by_v1(&theirs);
    other
        .set_options(|options| options.single_request_limit = 3 * MIB)
        .unwrap();
    other.run(None).unwrap();
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::ObjectExists, "{error}");
    stage.assert_object_is(&theirs);
}

#[test]
fn without_hashing_there_is_no_upload_and_nothing_is_sent() {
    let stage = Stage::new();
    let upload = stage.upload_by_v1(&stage.file(MIB, 1));
    upload.set_options(|options| options.hash = false).unwrap();
    let error = upload.run(None).unwrap_err();
    assert_eq!(error.status, Status::InvalidArgument, "{error}");
    assert!(error.message.contains("files/v1"), "{error}");
    assert!(stage.emulator.requests().is_empty());
}

#[test]
fn inspection_tells_none_unfinished_and_complete_apart() {
    let stage = Stage::new();
    let client = stage.client_of(Api::FilesV1);
    assert!(matches!(client.inspect(BUCKET, PATH).unwrap(), Inspection::None));

    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"v1_data","nth":3,"action":{"status":400,"code":-5999}}"#);
    stage.upload_by_v1(&file).run(None).unwrap_err();
    match client.inspect(BUCKET, PATH).unwrap() {
        Inspection::Unfinished {
            size,
            received,
            slices,
        } => assert_eq!((size, received, slices), (3 * MIB, 2 * MIB, None)),
        other => panic!("{other:?}"),
    }

    let object = stage.upload_by_v1(&file).run(None).unwrap();
    match client.inspect(BUCKET, PATH).unwrap() {
        Inspection::Complete { size, sha1 } => assert_eq!(
            (size, sha1),
            (Some(3 * MIB), object.sha.map(|sha| sha.to_string()))
        ),
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.count("upload_slice_list"), 0);
}

#[test]
fn uploads_of_both_apis_share_nothing_but_the_object() {
    let stage = Stage::new();
    let file = stage.file(3 * MIB, 1);
    stage.fault(r#"{"operation":"v1_data","nth":3,"action":{"status":400,"code":-5999}}"#);
    stage.upload_by_v1(&file).run(None).unwrap_err();
    let object = stage.upload(&stage.client(), &file).run(None).unwrap();
    assert_eq!(object.outcome, Outcome::Uploaded);
    stage.assert_object_is(&file);
    let object = stage.upload_by_v1(&file).run(None).unwrap();
    assert_eq!(object.outcome, Outcome::Instant);
}
