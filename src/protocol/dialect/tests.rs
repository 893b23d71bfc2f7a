use super::*;

/// A token with characters that a query must not have as they are.
const TOKEN: &str = "uusZlBV/pHf8+K5z==";

fn refused<T: fmt::Debug>(result: Result<T, DialectError>) -> String {
    result.unwrap_err().to_string()
}

fn dialect() -> Dialect {
    let mut dialect = Dialect::default();
    dialect.add_form_field("tenant", "planted field").unwrap();
    dialect.add_header("X-Store", "planted header").unwrap();
    dialect
}

#[test]
fn a_store_has_1_to_16_slice_sizes_of_whole_blocks_within_64_kib_to_64_mib() {
    let sizes = SliceSizes::own(&[4 << 20, 64 << 10, 64 << 20, (64 << 10) + 64]).unwrap();
    assert_eq!(sizes.to_string(), "4194304, 65536, 67108864, 65600");
    assert!(sizes.contains(65_600) && !sizes.contains(1 << 20) && sizes.is_own());
    assert!(SliceSizes::own(&[1 << 20; 16]).is_ok());
    for (wrong, reason) in [
        (&[][..], "slice_sizes: 0 sizes are not 1 to 16"),
        (&[1 << 20; 17], "slice_sizes: 17 sizes are not 1 to 16"),
        (&[1 << 20, 0], "slice_sizes: 0 is not a multiple of 64 within"),
        (&[65_472], "slice_sizes: 65472 is not"),
        (&[65_537], "slice_sizes: 65537 is not"),
        (&[(64 << 20) + 64], "slice_sizes: 67108928 is not"),
        (&[u64::MAX], "slice_sizes: 18446744073709551615 is not"),
    ] {
        let said = refused(SliceSizes::own(wrong));
        assert!(said.starts_with(reason), "{said}");
    }
}

#[test]
fn a_mebibyte_is_asked_for_of_the_service_and_the_first_size_of_a_store() {
    assert_eq!(SliceSizes::default().default_size(), 1 << 20);
    assert_eq!(SliceSizes::default().all(), SERVICE_SLICE_SIZES);
    assert!(!SliceSizes::default().is_own());
    let sizes = SliceSizes::own(&[4 << 20, 1 << 20]).unwrap();
    assert_eq!(sizes.default_size(), 4 << 20);
}

#[test]
fn a_form_field_is_none_of_the_protocols_own_in_any_letter_case() {
    for name in [
        "op",
        "OP",
        "FileSize",
        "filecontent",
        "fileContent",
        "insertonly",
        "datamd5",
        "Session",
    ] {
        let said = refused(Dialect::default().add_form_field(name, "x"));
        let reason = format!("form_field: \"{name}\" is a field of the protocol itself; choose another name");
        assert_eq!(said, reason);
    }
}

#[test]
fn what_could_break_a_form_is_refused() {
    for name in ["", "a\"b", "a\\b", "a b", "a\r\nb", "\u{e9}", &"x".repeat(65)] {
        let said = refused(Dialect::default().add_form_field(name, "x"));
        assert!(
            said.starts_with("form_field: ") && !said.contains('\n'),
            "{name}: {said}"
        );
    }
    for value in ["a\nb", "a\rb", "\0", "\u{7f}", "\u{85}"] {
        let said = refused(Dialect::default().add_form_field("name", value));
        assert_eq!(said, "form_field: the value of \"name\" has a control character");
    }
    for (name, value) in [("x:y[z];=%", ""), ("n", "\u{e9} --x\"")] {
        assert_eq!(Dialect::default().add_form_field(name, value), Ok(()), "{name}");
    }
}

#[test]
fn a_header_is_none_that_the_library_sets() {
    for name in [
        "Host",
        "content-length",
        "Content-Type",
        "AUTHORIZATION",
        "Transfer-Encoding",
        "Connection",
        "User-Agent",
        "Expect",
    ] {
        let said = refused(Dialect::default().add_header(name, "x"));
        assert_eq!(
            said,
            format!("header: \"{name}\" is set by the library itself; choose another name")
        );
    }
}

#[test]
fn what_could_break_a_head_is_refused() {
    for name in ["", "a b", "a:", "a\r\nb", "\u{e9}", "a/b", &"x".repeat(65)] {
        assert!(
            refused(Dialect::default().add_header(name, "x")).starts_with("header: "),
            "{name}"
        );
    }
    for value in [
        "a\r\nHost: b",
        "a\nb",
        "\0",
        " a",
        "a ",
        "a\t",
        "\u{e9}",
        "\u{7f}",
    ] {
        let said = refused(Dialect::default().add_header("X-Store", value));
        assert!(
            said.starts_with("header: the value of \"X-Store\" must have"),
            "{value:?}: {said}"
        );
    }
    for value in ["", "a b\tc", "~!\"\\"] {
        assert_eq!(
            Dialect::default().add_header("x_Store.1", value),
            Ok(()),
            "{value}"
        );
    }
}

#[test]
fn nothing_is_added_twice() {
    let mut dialect = dialect();
    assert_eq!(
        refused(dialect.add_form_field("Tenant", "")),
        "form_field: \"Tenant\" was added before"
    );
    assert_eq!(
        refused(dialect.add_header("x-store", "")),
        "header: \"x-store\" was added before"
    );
}

#[test]
fn there_are_at_most_16_additions_of_each_kind_with_8_kib() {
    let mut dialect = Dialect::default();
    for number in 0..16 {
        dialect.add_form_field(&format!("f{number}"), "x").unwrap();
        dialect.add_header(&format!("h{number}"), "x").unwrap();
    }
    assert_eq!(
        refused(dialect.add_form_field("more", "")),
        "form_field: \"more\" is one more than 16"
    );
    assert_eq!(
        refused(dialect.add_header("more", "")),
        "header: \"more\" is one more than 16"
    );

    let mut dialect = Dialect::default();
    dialect.add_header("a", &"x".repeat(8190)).unwrap();
    assert_eq!(dialect.add_header("b", ""), Ok(()), "8192 bytes");
    let said = refused(dialect.add_header("c", ""));
    assert!(
        said.ends_with("all names and values have more than 8192 bytes"),
        "{said}"
    );
}

#[test]
fn a_word_has_no_space() {
    for word in ["", "two words", "a\n", "a:", &"x".repeat(65)] {
        assert!(refused(Word::new(word)).starts_with("token_place: "), "{word}");
    }
}

#[test]
fn the_token_is_put_where_the_store_wants_it() {
    let mut dialect = dialect();
    let shown = |dialect: &Dialect| {
        let HiddenHead { query, headers } = dialect.hidden_head(TOKEN);
        let headers: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}={}", **value))
            .collect();
        (query.map(|query| query.to_string()), headers)
    };
    let added = "X-Store=planted header".to_owned();
    let token = |value: &str| format!("authorization={value}");
    assert_eq!(shown(&dialect), (None, vec![token(TOKEN), added.clone()]));
    dialect.token = TokenPlace::HeaderAfterWord(Word::new("COS").unwrap());
    assert_eq!(
        shown(&dialect),
        (None, vec![token(&format!("COS {TOKEN}")), added.clone()])
    );
    dialect.token = TokenPlace::Query;
    let query = "sign=uusZlBV%2FpHf8%2BK5z%3D%3D".to_owned();
    assert_eq!(shown(&dialect), (Some(query), vec![added]));
}

#[test]
fn a_head_knows_how_long_it_is_and_whether_it_can_be_sent() {
    let head = dialect().hidden_head(TOKEN);
    let lines = format!("\r\nauthorization: {TOKEN}\r\nX-Store: planted header");
    assert_eq!(head.len(), lines.len());
    let mut query = Dialect {
        token: TokenPlace::Query,
        ..Dialect::default()
    };
    assert_eq!(query.hidden_head("+").len(), "?sign=%2B".len());
    assert!(head.is_printable() && !head.is_empty());
    assert!(!dialect().hidden_head("two\r\nlines").is_printable());
    assert!(
        query.hidden_head("two\r\nlines").is_printable(),
        "it is percent-encoded"
    );
    query.token = TokenPlace::HeaderAfterWord(Word::new("COS").unwrap());
    assert!(!query.hidden_head("\u{e9}").is_printable());
}

#[test]
fn neither_debug_output_nor_errors_show_a_value_or_a_token() {
    let mut dialect = dialect();
    let texts = [
        format!("{dialect:?}"),
        format!("{:?}", dialect.hidden_head(TOKEN)),
        refused(dialect.add_form_field("tenant", "planted again")),
        refused(dialect.add_header("X", "planted\n")),
    ];
    for text in texts {
        assert!(!text.contains("planted") && !text.contains(TOKEN), "{text}");
    }
    assert_eq!(
        dialect.secrets().collect::<Vec<_>>(),
        ["planted field", "planted header"]
    );
}
