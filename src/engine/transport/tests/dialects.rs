//! Requests to stores that want something otherwise than the service, as they arrive there.

use crate::protocol::dialect::{TokenPlace, Word};
use crate::protocol::md5::Md5Hasher;

use super::super::Head;
use super::*;

const TOKEN: &str = "uusZlBV/pHf8+K5z==";

/// The heads that arrive of a stat and of a request with a body, to an endpoint with a path.
fn heads(dialect: &Dialect) -> [String; 2] {
    let (told, heard) = mpsc::channel();
    let server = Server::once(move |mut stream, _| {
        for _ in 0..2 {
            let (head, length) = read_request(&mut stream);
            told.send(head).unwrap();
            answer(&mut stream, "200 OK", &length.to_string());
        }
    });
    let mut transport = transport(config(&format!("{}/store/a%20b", server.endpoint())));
    let source = MemorySource::new(vec![1; 1 << 20]);
    for (request, body) in [(get(), "0"), (send(&source), "1048584")] {
        let token = CancelToken::new();
        let hidden = dialect.hidden_head(TOKEN);
        let result = transport.exchange(
            &request,
            hidden,
            &source,
            HANG_GUARD,
            &token,
            &mut |head, body| {
                let mut text = String::new();
                body.read_to_string(&mut text)?;
                Ok((head.http_status, text))
            },
        );
        assert_eq!(result.said(), ok(body));
    }
    [heard.recv().unwrap(), heard.recv().unwrap()]
}

fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(field, _)| field.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

#[test]
fn the_token_is_a_header_or_a_header_after_a_word() {
    let mut dialect = Dialect::default();
    for (word, value) in [(None, TOKEN.to_owned()), (Some("COS"), format!("COS {TOKEN}"))] {
        if let Some(word) = word {
            dialect.token = TokenPlace::HeaderAfterWord(Word::new(word).unwrap());
        }
        let [stat, post] = heads(&dialect);
        assert!(
            stat.starts_with("GET /store/a%20b/files/v2/1/b/f?op=stat HTTP/1.1\r\n"),
            "{stat}"
        );
        assert!(
            post.starts_with("POST /store/a%20b/files/v2/1/b/f HTTP/1.1\r\n"),
            "{post}"
        );
        for head in [stat, post] {
            assert_eq!(values(&head, "authorization"), [&value]);
        }
    }
}

#[test]
fn the_token_is_a_query_parameter_and_then_no_header() {
    let mut dialect = Dialect::default();
    dialect.token = TokenPlace::Query;
    let [stat, post] = heads(&dialect);
    let sign = "sign=uusZlBV%2FpHf8%2BK5z%3D%3D";
    assert!(
        stat.starts_with(&format!(
            "GET /store/a%20b/files/v2/1/b/f?op=stat&{sign} HTTP/1.1\r\n"
        )),
        "{stat}"
    );
    assert!(
        post.starts_with(&format!("POST /store/a%20b/files/v2/1/b/f?{sign} HTTP/1.1\r\n")),
        "{post}"
    );
    for head in [stat, post] {
        assert_eq!(values(&head, "authorization"), [""; 0]);
    }
}

#[test]
fn added_headers_come_once_with_each_request_beside_the_librarys_own() {
    let mut dialect = Dialect::default();
    dialect.add_header("X-Store", "one two").unwrap();
    dialect.add_header("Cookie", "a=b; c=d").unwrap();
    for head in heads(&dialect) {
        assert_eq!(values(&head, "x-store"), ["one two"]);
        assert_eq!(values(&head, "cookie"), ["a=b; c=d"]);
        assert_eq!(values(&head, "user-agent"), ["test/1"]);
        assert_eq!(values(&head, "host").len(), 1);
    }
}

#[test]
fn the_md5_of_what_was_sent_is_known_with_the_answer() {
    let server = Server::once(move |mut stream, _| {
        for _ in 0..2 {
            read_request(&mut stream);
            answer(&mut stream, "200 OK", "");
        }
    });
    let (mut transport, token) = (server.transport(), CancelToken::new());
    let content: Vec<u8> = (0..300_000).map(|byte: u32| byte as u8).collect();
    let source = MemorySource::new(content.clone());
    let part = Segment::Source {
        offset: 7,
        length: 200_000,
    };
    let with_md5 = post(vec![Segment::Text(b"head".to_vec()), part, Segment::SourceMd5]);
    let mut told = |request: &Request| {
        let decode = &mut |head: &Head, _: &mut dyn Read| Ok(head.sent_md5);
        transport
            .exchange(request, hidden("signed"), &source, HANG_GUARD, &token, decode)
            .unwrap()
    };
    let mut expected = Md5Hasher::default();
    expected.update(&content[7..200_007]);
    assert_eq!(told(&with_md5), Some(expected.finish()));
    assert_eq!(told(&send(&source)), None);
}
