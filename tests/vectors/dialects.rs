//! Requests as private stores want them, and what their answers say of the MD5 of a slice.

use cos_slice::protocol::codes::Class;
use cos_slice::protocol::dialect::Dialect;
use cos_slice::protocol::location::Location;
use cos_slice::protocol::md5::Md5Hasher;
use cos_slice::protocol::reply::{Head, ReplyError};
use cos_slice::protocol::{Answer, Api, Init, Operation, Refusal, Request, Segment, Slice, Stored};

use crate::body::{bytes, crlf, fields};
use crate::replies::all_operations;

const NONCE: u128 = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
const BOUNDARY: &str = "----------------------------0123456789abcdef0011223344556677";
const APIS: [Api; 2] = [Api::FilesV2, Api::FilesV1];

fn location() -> Location {
    Location::new("10055004", "accesslog", "/111.txt").unwrap()
}

fn store() -> Dialect {
    let mut dialect = Dialect::default();
    dialect.add_form_field("tenant", "a b").unwrap();
    dialect.add_form_field("x:quota", "").unwrap();
    dialect.add_header("X-Store", "s1").unwrap();
    dialect.slice_md5 = true;
    dialect
}

fn slice() -> Operation {
    Operation::Slice(Slice {
        session: "s1".into(),
        offset: 4,
        length: 3,
        sha: None,
    })
}

fn names(request: &Request) -> Vec<String> {
    let fields = fields(&bytes(&request.body, &[b'x'; 300]), BOUNDARY);
    fields.into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_slice_has_the_stores_fields_before_its_content_and_its_md5_behind_it() {
    let request = Api::FilesV2.encode(&slice(), &location(), &store(), NONCE);
    let form = format!(
        "--{BOUNDARY}\nContent-Disposition: form-data; name=\"op\"\n\nupload_slice_data\n\
         --{BOUNDARY}\nContent-Disposition: form-data; name=\"tenant\"\n\na b\n\
         --{BOUNDARY}\nContent-Disposition: form-data; name=\"x:quota\"\n\n\n\
         --{BOUNDARY}\nContent-Disposition: form-data; name=\"session\"\n\ns1\n\
         --{BOUNDARY}\nContent-Disposition: form-data; name=\"offset\"\n\n4\n\
         --{BOUNDARY}\nContent-Disposition: form-data; name=\"filecontent\"\n\n456\n\
         --{BOUNDARY}\nContent-Disposition: form-data; name=\"datamd5\"\n\n250cf8b51c773f3f8dc8b4be867a9a02\n\
         --{BOUNDARY}--\n"
    );
    assert_eq!(bytes(&request.body, b"0123456789"), crlf(&form));
    assert_eq!(request.body.len(), crlf(&form).len() as u64);
}

#[test]
fn every_form_has_the_stores_fields_and_only_a_slice_an_md5() {
    for api in APIS {
        for operation in all_operations() {
            let request = api.encode(&operation, &location(), &store(), NONCE);
            let Some(content_type) = &request.content_type else {
                continue;
            };
            if !content_type.starts_with("multipart/form-data") {
                continue;
            }
            let names = names(&request);
            assert_eq!(names[..3], ["op", "tenant", "x:quota"], "{api:?} {operation:?}");
            let is_slice = matches!(operation, Operation::Slice(_));
            assert_eq!(
                names.iter().any(|name| name == "datamd5"),
                is_slice,
                "{api:?} {operation:?}"
            );
        }
    }
}

#[test]
fn no_field_of_the_protocol_can_be_a_stores() {
    for api in APIS {
        for operation in all_operations() {
            let mut dialect = Dialect::default();
            dialect.slice_md5 = true;
            let request = api.encode(&operation, &location(), &dialect, NONCE);
            if !request
                .content_type
                .as_ref()
                .is_some_and(|media| media.starts_with("multipart/"))
            {
                continue;
            }
            for name in names(&request) {
                assert!(
                    Dialect::default().add_form_field(&name, "").is_err(),
                    "{name} of {api:?} {operation:?}"
                );
            }
        }
    }
    // What the operations above leave out.
    for name in ["session", "biz_attr", "insertOnly", "uploadparts", "sha"] {
        assert!(Dialect::default().add_form_field(name, "").is_err(), "{name}");
    }
}

#[test]
fn without_a_dialect_nothing_is_added() {
    let request = Api::FilesV2.encode(&slice(), &location(), &Dialect::default(), NONCE);
    assert_eq!(names(&request), ["op", "session", "offset", "filecontent"]);
}

#[test]
fn the_debug_output_of_a_request_shows_no_field() {
    let mut dialect = Dialect::default();
    dialect.add_form_field("tenant", "planted").unwrap();
    let init = Operation::Init(Init {
        size: 1,
        slice_size: 1 << 20,
        digests: None,
        biz_attr: None,
        overwrite: false,
        session: None,
    });
    let request = Api::FilesV2.encode(&init, &location(), &dialect, NONCE);
    let Segment::Text(text) = &request.body.segments[0] else {
        panic!("{request:?}")
    };
    assert!(String::from_utf8_lossy(text).contains("planted"));
    let planted_bytes = format!("{:?}", b"planted");
    let shown = format!("{request:?}");
    assert!(
        !shown.contains("planted") && !shown.contains(planted_bytes.trim_matches(['[', ']'])),
        "{shown}"
    );
}

/// What an answer to a slice with the MD5 of `abc` means.
fn answer(api: Api, operation: &Operation, data: &str) -> Result<Answer, Refusal> {
    let mut md5 = Md5Hasher::default();
    md5.update(b"abc");
    let head = Head {
        http_status: 200,
        sent_md5: Some(md5.finish()),
        ..Head::default()
    };
    let json = format!(r#"{{"code":0,"request_id":"r1","data":{{{data}}}}}"#);
    match api.decode(operation, &head, &mut json.as_bytes()) {
        Ok(answer) => Ok(answer),
        Err(ReplyError::Refused(refusal)) => Err(refusal),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn a_slice_whose_md5_comes_back_or_is_not_told_is_stored() {
    for data in [
        "",
        r#""datamd5":"900150983cd24fb0d6963f7d28e17f72""#,
        r#""datamd5":"900150983CD24FB0D6963F7D28E17F72""#,
        r#""datamd5":"""#,
        r#""datamd5":null"#,
        r#""datamd5":7"#,
    ] {
        for api in APIS {
            assert_eq!(
                answer(api, &slice(), data),
                Ok(Answer::Stored(Stored::default())),
                "{data}"
            );
        }
    }
}

#[test]
fn a_slice_of_which_the_store_has_another_md5_was_damaged_and_goes_again() {
    for told in [
        "d41d8cd98f00b204e9800998ecf8427e",
        "900150983cd24fb0d6963f7d28e17f7",
        "none",
        "\\u0007",
    ] {
        for api in APIS {
            let refusal = answer(api, &slice(), &format!(r#""datamd5":"{told}""#)).unwrap_err();
            assert_eq!(
                (refusal.class, refusal.code, refusal.ambiguous),
                (Class::Damaged, None, true),
                "{told}"
            );
            assert_eq!(refusal.request_id.as_deref(), Some("r1"));
            let said = &refusal.message;
            assert!(
                said.contains("900150983cd24fb0d6963f7d28e17f72") && !said.contains('\u{7}'),
                "{said}"
            );
        }
    }
}

#[test]
fn an_md5_that_was_not_sent_is_compared_with_nothing() {
    let head = Head {
        http_status: 200,
        ..Head::default()
    };
    let json = r#"{"code":0,"data":{"datamd5":"d41d8cd98f00b204e9800998ecf8427e"}}"#;
    let answer = Api::FilesV2.decode(&slice(), &head, &mut json.as_bytes());
    assert!(matches!(answer, Ok(Answer::Stored(_))), "{answer:?}");
}
