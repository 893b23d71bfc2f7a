//! `upload_slice_list`.

use super::*;

const BOUNDARY: &str = "----------------------------2b804029035c";

/// The example, with the empty line after the part's head that every form has.
const REQUEST: &str = r#"------------------------------2b804029035c
Content-Disposition: form-data; name="op"

upload_slice_list
------------------------------2b804029035c--
"#;

const REPLY: &str = r#"{
    "code": 0,
    "message": "SUCCESS",
    "request_id": "NTliODllYTZfYzlhMzNfM2E1Nl8xNTY4ZjE=",
    "data": {
        "filesize": 10485760,
        "listparts": [],
        "session": "85bac5e25b873ec432f945a3edd0961a4a73a4f2b6376e32e47836a732c5ae7dc",
        "slice_size": 1048576
    }
}"#;

#[test]
fn the_printed_request_comes_out_byte_by_byte() {
    let location = Location::new("1251668577", "iainyu", "sample_file.txt").unwrap();
    let request = encode_with_boundary(&Operation::List, &location, Boundary::new(BOUNDARY).unwrap());
    assert_request_line(&request, "/files/v2/1251668577/iainyu/sample_file.txt");
    assert_eq!(body::bytes(&request.body, b""), body::crlf(REQUEST));
    assert_eq!(
        request.body.len(),
        152 + 2,
        "the example's Content-Length, and the CRLF that it leaves out"
    );
}

#[test]
fn the_request_has_no_field_but_op() {
    let expected = [("op".to_owned(), "upload_slice_list".to_owned())];
    assert_eq!(fields_of(&Operation::List), expected);
}

#[test]
fn the_printed_reply_is_an_unfinished_upload_without_parts() {
    for json in [REPLY, &compact(REPLY)] {
        let Answer::Unfinished(unfinished) = answer(&Operation::List, json) else {
            panic!("not unfinished")
        };
        assert_eq!(
            &*unfinished.session,
            "85bac5e25b873ec432f945a3edd0961a4a73a4f2b6376e32e47836a732c5ae7dc"
        );
        assert_eq!((unfinished.size, unfinished.slice_size), (10_485_760, 1_048_576));
        assert!(unfinished.parts.is_empty());
        assert_eq!((unfinished.sha, unfinished.serial), (None, None));
    }
}

#[test]
fn list_parts_is_an_array_as_printed_or_a_text_as_the_table_says() {
    for parts in [
        r#"[{"offset":0,"datalen":1048576}]"#,
        r#""[{\"offset\":0,\"datalen\":1048576}]""#,
    ] {
        let json = compact(REPLY).replace("[]", parts);
        let Answer::Unfinished(unfinished) = answer(&Operation::List, &json) else {
            panic!("not unfinished")
        };
        assert!(unfinished.parts.iter().eq(std::iter::once(0..1_048_576)));
    }
}

#[test]
fn each_documented_slice_size_is_obeyed() {
    for slice_size in SLICE_SIZES {
        let json = compact(REPLY).replace(":1048576", &format!(":{slice_size}"));
        let Answer::Unfinished(unfinished) = answer(&Operation::List, &json) else {
            panic!("not unfinished")
        };
        assert_eq!(unfinished.slice_size, slice_size);
    }
}

#[test]
fn an_instant_hit_carries_no_session() {
    let json = r#"{"code":0,"message":"SUCCESS","request_id":"id","data":{"access_url":"http://a/1"}}"#;
    assert!(matches!(answer(&Operation::List, json), Answer::Complete(_)));
}

#[test]
fn list_is_what_a_refused_init_leads_to() {
    assert_unfinished_is_listed(&Operation::Init(init(false)));
}

mod emulator {
    use super::service::Service;
    use super::*;

    fn file() -> Location {
        Location::new("1251668577", "iainyu", "sample_file.txt").unwrap()
    }

    #[test]
    fn the_printed_request_without_its_last_line_end_gets_the_printed_answer() {
        let service = Service::new("1251668577");
        let init = [
            ("op", "upload_slice_init"),
            ("filesize", "10485760"),
            ("slice_size", "1048576"),
        ];
        let session = service.post_fields(&file(), &init).data("session");
        let form = body::crlf(REQUEST.trim_end());
        assert_eq!(form.len(), 152, "the example's Content-Length");
        let reply = service.post(&file(), BOUNDARY, &form);
        reply.assert_success();
        assert_eq!(
            reply.data_names(),
            ["filesize", "listparts", "session", "slice_size"]
        );
        assert_eq!(reply.json["data"]["filesize"], 10_485_760);
        assert_eq!(reply.json["data"]["listparts"], serde_json::json!([]));
        assert_eq!(
            (reply.data("session"), &reply.json["data"]["slice_size"]),
            (session, &1_048_576.into())
        );
    }

    #[test]
    fn slices_that_are_there_whole_are_listed() {
        let service = Service::new("1251668577");
        service.stored(&file(), "content");
        let reply = service.post(&file(), BOUNDARY, &body::crlf(REQUEST));
        assert_eq!(
            reply.json["data"]["listparts"],
            serde_json::json!([{"offset": 0, "datalen": 7}])
        );
    }
}
