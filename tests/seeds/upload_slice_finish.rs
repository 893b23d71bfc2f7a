//! `upload_slice_finish`, the page of 2016.

use super::*;
use cos_slice::protocol::Api;

const BOUNDARY: &str = "----------------------------2335c30f02ab";

const REQUEST: &str = r#"------------------------------2335c30f02ab
Content-Disposition: form-data; name="op"

upload_slice_finish
------------------------------2335c30f02ab
Content-Disposition: form-data; name="session"

58ccd1b3120e85c4ebb7b786154408df4fe22230cb8f328d41599b237661855d6242793ba2481c1ac0b1277051003cab
------------------------------2335c30f02ab
Content-Disposition: form-data; name="filesize"

36864
------------------------------2335c30f02ab--
"#;

const REPLY: &str = r#"{
    "code": 0, 
    "message": "SUCCESS", 
    "data": {
        "access_url": "http://accesslog-10055004.file.myqcloud.com/testfolder/111.txt", 
        "preview_url": "http://accesslog-10055004.preview.myqcloud.com/testfolder/111.txt?cmd=txt_preview", 
        "resource_path": "/10055004/accesslog/testfolder/111.txt", 
        "source_url": "http://accesslog-10055004.cossh.myqcloud.com/testfolder/111.txt", 
        "url": "http://sh.file.myqcloud.com/files/v2/10055004/accesslog/testfolder/111.txt"
    }
}"#;

#[test]
fn the_printed_request_comes_out_byte_by_byte() {
    let request = encode_with_boundary(&finish(), &log_file(), Boundary::new(BOUNDARY).unwrap());
    assert_request_line(&request, "/files/v2/10055004/accesslog/testfolder/111.txt");
    assert_eq!(
        request.content_type,
        Some(format!("multipart/form-data; boundary={BOUNDARY}"))
    );
    assert_eq!(body::bytes(&request.body, b""), body::crlf(REQUEST));
    assert_eq!(request.body.len(), 450, "the example's Content-Length");
}

#[test]
fn the_request_table_adds_an_optional_sha() {
    let sha = "0c0f42741e784bbe057c9f081af51316bbf5e0b9";
    let with_sha = Finish {
        session: SESSION.into(),
        size: 36864,
        sha: Some(sha.parse().unwrap()),
    };
    let mut expected = fields_of(&finish());
    assert_eq!(expected.len(), 3);
    expected.push(("sha".to_owned(), sha.to_owned()));
    assert_eq!(fields_of(&Operation::Finish(with_sha)), expected);
}

#[test]
fn a_sha_of_init_that_finish_leaves_out_is_this_client_s_fault() {
    let refusal = refusal(&finish(), 400, r#"{"code":-29094,"message":"ERROR","data":{}}"#);
    assert_eq!(
        (refusal.code, refusal.class),
        (Some(codes::SHA_OMITTED), Class::Final)
    );
    assert_eq!(
        codes::fault(Api::FilesV2, refusal.code, refusal.http_status),
        Fault::Argument
    );
    assert_eq!(
        codes::lookup(Api::FilesV2, -29094).unwrap().source,
        codes::Source::Finish
    );
}

#[test]
fn the_printed_reply_is_a_complete_object() {
    assert_eq!(compact(REPLY).len(), 434, "the example's Content-Length");
    for json in [REPLY, &compact(REPLY)] {
        let Answer::Complete(links) = answer(&finish(), json) else {
            panic!("not complete")
        };
        let expected = Links {
            access_url: Some("http://accesslog-10055004.file.myqcloud.com/testfolder/111.txt".to_owned()),
            source_url: Some("http://accesslog-10055004.cossh.myqcloud.com/testfolder/111.txt".to_owned()),
            url: Some(
                "http://sh.file.myqcloud.com/files/v2/10055004/accesslog/testfolder/111.txt".to_owned(),
            ),
            resource_path: Some("/10055004/accesslog/testfolder/111.txt".to_owned()),
            preview_url: Some(
                "http://accesslog-10055004.preview.myqcloud.com/testfolder/111.txt?cmd=txt_preview"
                    .to_owned(),
            ),
            vid: None,
        };
        assert_eq!(links, expected);
    }
}

#[test]
fn every_field_of_the_answer_s_data_is_optional() {
    let data = [
        ("access_url", "http://a/1"),
        ("resource_path", "/10055004/accesslog/testfolder/111.txt"),
        ("source_url", "http://b/1"),
        ("url", "http://c/1"),
    ];
    assert_all_optional(&finish(), &data);
    let none = answer(&finish(), r#"{"code":0,"message":"SUCCESS","data":{}}"#);
    assert_eq!(none, Answer::Complete(Links::default()));
}

#[test]
fn an_answered_url_is_the_address_that_stat_and_delete_use() {
    let address = "http://sh.file.myqcloud.com/files/v2/10055004/accesslog/testfolder/111.txt";
    let path = address.strip_prefix("http://sh.file.myqcloud.com").unwrap();
    assert_eq!(encode(&Operation::Delete, &log_file(), 1).target, path);
    assert_eq!(
        encode(&Operation::Stat, &log_file(), 1).target,
        format!("{path}?op=stat")
    );
}

#[test]
fn an_unfinished_upload_is_listed_and_resumed() {
    assert_unfinished_is_listed(&finish());
}

mod emulator {
    use super::service::{Service, with_session};
    use super::*;

    #[test]
    fn the_printed_request_gets_the_printed_answer() {
        let service = Service::new("10055004");
        let session = service.stored(&log_file(), &"x".repeat(36_864));
        let form = with_session(REQUEST, &session);
        assert_eq!(form.len(), 450, "the example's Content-Length");
        let reply = service.post(&log_file(), BOUNDARY, &form);
        reply.assert_success();
        for name in ["access_url", "resource_path", "source_url", "url"] {
            assert!(!reply.data(name).is_empty());
        }
        assert_eq!(
            reply.data("resource_path"),
            "/10055004/accesslog/testfolder/111.txt"
        );
    }

    #[test]
    fn a_sha_that_init_had_and_finish_leaves_out_is_29094() {
        let service = Service::new("10055004");
        let sha = "da39a3ee5e6b4b0d3255bfef95601890afd80709";
        let fields = [
            ("op", "upload_slice_init"),
            ("filesize", "36864"),
            ("slice_size", "524288"),
            ("sha", sha),
        ];
        let session = service.post_fields(&log_file(), &fields).data("session");
        let reply = service.post(&log_file(), BOUNDARY, &with_session(REQUEST, &session));
        assert_eq!(reply.code(), -29094);
    }

    #[test]
    fn a_finish_without_a_mandatory_field_is_refused() {
        let service = Service::new("10055004");
        service.stored(&log_file(), "content");
        let reply = service.post_fields(&log_file(), &[("op", "upload_slice_finish"), ("filesize", "7")]);
        assert!(reply.code() < 0, "{}", reply.body);
    }
}
