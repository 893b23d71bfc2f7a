//! `upload_slice_finish`, the page of 2017.

use super::*;

const REPLY: &str = r#"{
    "code": 0,
    "message": "SUCCESS",
    "request_id": "NTliNzhlOWJfliMjk0MGFfNDgyNV8xMTY5MDM=",
    "data": {
        "access_url": "http://iainyu-1251668577.file.myqcloud.com/sample_bigfile.txt",
        "resource_path": "/1251668577/iainyu/sample_bigfile.txt",
        "source_url": "http://iainyu-1251668577.cosgz.myqcloud.com/sample_bigfile.txt",
        "url": "http://gz.file.myqcloud.com/files/v2/1251668577/iainyu/sample_bigfile.txt",
        "vid": "7ea80e8cf7ed5548eb3ac5c4c72792f91505201819"
    }
}"#;

fn big_file() -> Location {
    Location::new("1251668577", "iainyu", "sample_bigfile.txt").unwrap()
}

#[test]
fn the_request_has_exactly_the_fields_of_the_table() {
    let request = encode(&finish(), &big_file(), 1);
    assert_request_line(&request, "/files/v2/1251668577/iainyu/sample_bigfile.txt");
    let mut names: Vec<String> = fields(&request).into_iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["filesize", "op", "session"],
        "op, session and filesize are mandatory, nothing else is named"
    );
}

#[test]
fn the_session_is_passed_on_as_it_came() {
    assert!(fields_of(&finish()).contains(&("session".to_owned(), SESSION.to_owned())));
}

#[test]
fn the_printed_reply_is_a_complete_object() {
    for json in [REPLY, &compact(REPLY)] {
        let Answer::Complete(links) = answer(&finish(), json) else {
            panic!("not complete")
        };
        let expected = Links {
            access_url: Some("http://iainyu-1251668577.file.myqcloud.com/sample_bigfile.txt".to_owned()),
            source_url: Some("http://iainyu-1251668577.cosgz.myqcloud.com/sample_bigfile.txt".to_owned()),
            url: Some("http://gz.file.myqcloud.com/files/v2/1251668577/iainyu/sample_bigfile.txt".to_owned()),
            resource_path: Some("/1251668577/iainyu/sample_bigfile.txt".to_owned()),
            preview_url: None,
            vid: Some("7ea80e8cf7ed5548eb3ac5c4c72792f91505201819".to_owned()),
        };
        assert_eq!(links, expected);
    }
}

#[test]
fn the_resource_path_is_app_id_bucket_and_name() {
    let Answer::Complete(links) = answer(&finish(), REPLY) else {
        panic!("not complete")
    };
    assert_eq!(links.resource_path, Some(big_file().file_id()));
}

#[test]
fn any_code_but_0_is_an_error_with_its_message_and_request_id() {
    let json = r#"{"code":-5999,"message":"ERROR_CGI_PARAM","request_id":"NTliNzhlOWI=","data":{}}"#;
    let refusal = refusal(&finish(), 400, json);
    assert_eq!(
        (refusal.code, refusal.message.as_str()),
        (Some(-5999), "ERROR_CGI_PARAM")
    );
    assert_eq!(refusal.request_id.as_deref(), Some("NTliNzhlOWI="));
}

#[test]
fn an_unfinished_upload_is_listed_and_resumed() {
    assert_unfinished_is_listed(&finish());
}

mod emulator {
    use super::service::{Service, with_session};
    use super::*;

    const BOUNDARY: &str = "b395db9c8e4f4d59907a1943d1c1bcd5";

    /// The example, with a session of full length and its glitches: a file name on every field, and a filesize without a
    /// value.
    const REQUEST: &str = r#"--b395db9c8e4f4d59907a1943d1c1bcd5
Content-Disposition: form-data; name="session"; filename="session"

58ccd1b3120e85c4ebb7b786154408df4fe22230cb8f328d41599b237661855d6242793ba2481c1ac0b1277051003cab
--b395db9c8e4f4d59907a1943d1c1bcd5
Content-Disposition: form-data; name="filesize"; filename="filesize"


--b395db9c8e4f4d59907a1943d1c1bcd5
Content-Disposition: form-data; name="op"; filename="op"

upload_slice_finish
--b395db9c8e4f4d59907a1943d1c1bcd5--
"#;

    #[test]
    fn the_printed_request_with_its_empty_filesize_gets_the_printed_answer() {
        let service = Service::new("1251668577");
        let session = service.stored(&big_file(), "content");
        let reply = service.post(&big_file(), BOUNDARY, &with_session(REQUEST, &session));
        reply.assert_success();
        assert_eq!(
            reply.data_names()[..4],
            ["access_url", "resource_path", "source_url", "url"]
        );
        assert_eq!(
            reply.data("resource_path"),
            "/1251668577/iainyu/sample_bigfile.txt"
        );
        assert!(reply.json["request_id"].is_string());
    }

    #[test]
    fn a_session_of_somebody_else_is_refused() {
        let service = Service::new("1251668577");
        service.stored(&big_file(), "content");
        let reply = service.post(&big_file(), BOUNDARY, &body::crlf(REQUEST));
        assert!(reply.code() < 0);
        assert!(!reply.json["message"].as_str().unwrap().is_empty());
    }
}
