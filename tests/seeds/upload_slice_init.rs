//! `upload_slice_init`.

use super::*;

const BOUNDARY: &str = "----------------------------f43b7cf5bf1b";

const REQUEST: &str = r#"------------------------------f43b7cf5bf1b
Content-Disposition: form-data; name="op"

upload_slice_init
------------------------------f43b7cf5bf1b
Content-Disposition: form-data; name="filesize"

36864
------------------------------f43b7cf5bf1b
Content-Disposition: form-data; name="slice_size"

524288
------------------------------f43b7cf5bf1b--
"#;

const REPLY: &str = r#"{
    "code": 0, 
    "message": "SUCCESS", 
    "data": {
        "session": "58ccd1b3120e85c4ebb7b786154408df4fe22230cb8f328d41599b237661855d6242793ba2481c1ac0b1277051003cab", 
        "slice_size": 524288
    }
}"#;

#[test]
fn the_printed_request_comes_out_byte_by_byte() {
    let operation = Operation::Init(init(false));
    let request = encode_with_boundary(&operation, &log_file(), Boundary::new(BOUNDARY).unwrap());
    assert_request_line(&request, "/files/v2/10055004/accesslog/testfolder/111.txt");
    assert_eq!(
        request.content_type,
        Some(format!("multipart/form-data; boundary={BOUNDARY}"))
    );
    assert_eq!(body::bytes(&request.body, b""), body::crlf(REQUEST));
    assert_eq!(request.body.len(), 361, "the example's Content-Length");
}

#[test]
fn the_mandatory_fields_are_always_sent() {
    for slice_size in SLICE_SIZES {
        let operation = Operation::Init(Init {
            size: 68_719_476_736,
            slice_size,
            ..init(false)
        });
        let expected = [
            ("op".to_owned(), "upload_slice_init".to_owned()),
            ("filesize".to_owned(), "68719476736".to_owned()),
            ("slice_size".to_owned(), slice_size.to_string()),
        ];
        assert_eq!(fields_of(&operation), expected);
    }
}

#[test]
fn biz_attr_is_sent_where_there_is_one() {
    let operation = Operation::Init(Init {
        biz_attr: Some("attribute".into()),
        ..init(false)
    });
    assert_eq!(
        fields_of(&operation)[3..],
        [("biz_attr".to_owned(), "attribute".to_owned())]
    );
}

#[test]
fn insert_only_is_0_to_overwrite_and_left_out_not_to() {
    let value = |overwrite| {
        let fields = fields_of(&Operation::Init(init(overwrite)));
        fields
            .into_iter()
            .find(|(name, _)| name == "insertOnly")
            .map(|(_, value)| value)
    };
    assert_eq!(value(true).as_deref(), Some("0"));
    assert_eq!(value(false), None, "\"not given: no overwriting\"");
}

#[test]
fn an_object_that_may_not_be_overwritten_is_a_refusal() {
    let refusal = refusal(
        &Operation::Init(init(false)),
        409,
        r#"{"code":-177,"message":"ERROR","data":{}}"#,
    );
    assert_eq!((refusal.class, refusal.ambiguous), (Class::Exists, false));
}

#[test]
fn the_printed_reply_is_a_session() {
    assert_eq!(compact(REPLY).len(), 168, "the example's Content-Length");
    for json in [REPLY, &compact(REPLY)] {
        let Answer::Session(session) = answer(&Operation::Init(init(false)), json) else {
            panic!("no session")
        };
        assert_eq!(
            (&*session.session, session.slice_size, session.serial),
            (SESSION, 524_288, None)
        );
    }
}

#[test]
fn each_documented_slice_size_is_obeyed_whatever_was_asked_for() {
    for slice_size in SLICE_SIZES {
        let json = compact(REPLY).replace("524288", &slice_size.to_string());
        let Answer::Session(session) = answer(&Operation::Init(init(false)), &json) else {
            panic!("no session")
        };
        assert_eq!(session.slice_size, slice_size);
    }
}

#[test]
fn an_instant_hit_carries_no_session() {
    let json =
        r#"{"code":0,"message":"SUCCESS","data":{"access_url":"http://a/1","resource_path":"/1/b/1"}}"#;
    let Answer::Complete(links) = answer(&Operation::Init(init(false)), json) else {
        panic!("not complete")
    };
    assert_eq!(links.access_url.as_deref(), Some("http://a/1"));
}

#[test]
fn slices_are_for_objects_of_more_than_20_megabytes_but_smaller_ones_may_use_them() {
    assert_eq!(MAX_SINGLE_REQUEST_SIZE, 20 * 1024 * 1024);
    // The page's own example is of 36,864 bytes.
    assert!(REQUEST.contains("\n36864\n"));
}

#[test]
fn an_unfinished_upload_is_listed_and_resumed() {
    assert_unfinished_is_listed(&Operation::Init(init(false)));
}

mod emulator {
    use super::service::Service;
    use super::*;

    const MANDATORY: [(&str, &str); 3] = [
        ("op", "upload_slice_init"),
        ("filesize", "36864"),
        ("slice_size", "524288"),
    ];

    #[test]
    fn the_printed_request_gets_the_printed_answer() {
        let reply = Service::new("10055004").post(&log_file(), BOUNDARY, &body::crlf(REQUEST));
        reply.assert_success();
        assert_eq!(reply.data_names(), ["session", "slice_size"]);
        assert_eq!(reply.data("session").len(), SESSION.len());
        assert_eq!(reply.json["data"]["slice_size"], 524_288);
    }

    #[test]
    fn each_mandatory_field_is_demanded() {
        let service = Service::new("10055004");
        for (left_out, _) in MANDATORY {
            let fields: Vec<_> = MANDATORY
                .into_iter()
                .filter(|(name, _)| *name != left_out)
                .collect();
            let reply = service.post_fields(&log_file(), &fields);
            assert!(
                reply.code() < 0 && reply.status == 400,
                "without {left_out}: {}",
                reply.body
            );
        }
        service.post_fields(&log_file(), &MANDATORY).assert_success();
    }

    #[test]
    fn each_documented_slice_size_is_taken_and_others_are_not() {
        for slice_size in SLICE_SIZES {
            let size = slice_size.to_string();
            let fields = [MANDATORY[0], MANDATORY[1], ("slice_size", &size)];
            let reply = Service::new("10055004").post_fields(&log_file(), &fields);
            assert_eq!(reply.json["data"]["slice_size"], slice_size);
        }
        let fields = [MANDATORY[0], MANDATORY[1], ("slice_size", "1000")];
        assert_eq!(
            Service::new("10055004").post_fields(&log_file(), &fields).code(),
            -284
        );
    }

    #[test]
    fn insert_only_decides_about_an_object_of_the_same_name_and_means_1_when_left_out() {
        let service = Service::new("10055004");
        let content = "x".repeat(36_864);
        let session = service.stored(&log_file(), &content);
        let finish = [
            ("op", "upload_slice_finish"),
            ("session", &*session),
            ("filesize", "36864"),
        ];
        service.post_fields(&log_file(), &finish).assert_success();
        for (insert_only, code) in [(None, -177), (Some("1"), -177), (Some("0"), 0)] {
            let mut fields = MANDATORY.to_vec();
            fields.extend(insert_only.map(|value| ("insertOnly", value)));
            assert_eq!(
                service.post_fields(&log_file(), &fields).code(),
                code,
                "{insert_only:?}"
            );
        }
    }

    #[test]
    fn biz_attr_is_kept_for_the_application() {
        let service = Service::new("10055004");
        let mut fields = MANDATORY.to_vec();
        fields.push(("biz_attr", "attribute"));
        service.post_fields(&log_file(), &fields).assert_success();
    }

    #[test]
    fn an_unfinished_upload_answers_4019() {
        let service = Service::new("10055004");
        service.post_fields(&log_file(), &MANDATORY).assert_success();
        assert_eq!(service.post_fields(&log_file(), &MANDATORY).code(), -4019);
    }
}
