use super::*;

#[test]
fn addresses_are_read_and_written_in_one_form() {
    for (text, written) in [
        ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("HTTPS://GZ.Example.COM", "https://gz.example.com"),
        ("https://example.com:443/a/b/", "https://example.com/a/b"),
        ("http://example.com:443", "http://example.com:443"),
        ("http://[::1]:80/x%2Fy", "http://[::1]/x%2Fy"),
        ("http://[0:0::1]", "http://[::1]"),
        ("http://under_score.example:1", "http://under_score.example:1"),
    ] {
        let endpoint = Endpoint::parse(text).unwrap();
        assert_eq!(endpoint.to_string(), written);
        assert_eq!(
            Endpoint::parse(written).unwrap(),
            endpoint,
            "{written} reads back as itself"
        );
    }
}

#[test]
fn the_parts_are_there() {
    let endpoint = Endpoint::parse("https://[2001:db8::5]/store").unwrap();
    assert!(endpoint.is_https());
    assert_eq!((endpoint.host(), endpoint.port()), ("2001:db8::5", 443));
    assert_eq!(endpoint.authority(), "[2001:db8::5]:443");
    assert_eq!(
        endpoint.uri("/files/v2/1/b/f?op=stat"),
        "https://[2001:db8::5]/store/files/v2/1/b/f?op=stat"
    );
    assert!(!Endpoint::parse("http://a").unwrap().is_https());
}

#[test]
fn what_is_no_address_is_refused_by_name_and_with_an_example() {
    for (text, reason) in [
        ("", "is empty"),
        (&format!("http://a/{}", "b".repeat(3000)), "longer than"),
        ("example.com", "must begin with"),
        ("ftp://example.com", "must begin with"),
        ("https://", "has no host"),
        ("https:///path", "has no host"),
        ("https://:80", "has no host"),
        ("https://user:secret@example.com", "user name"),
        ("https://example.com?x=1", "query"),
        ("https://example.com/#top", "fragment"),
        ("https://exa mple.com", "space"),
        ("https://example.com\r\nHost: x", "control"),
        ("https://b\u{fc}cher.example", "outside ASCII"),
        ("https://example.com:", "port"),
        ("https://example.com:0", "port"),
        ("https://example.com:65536", "port"),
        ("https://example.com:+80", "port"),
        ("https://example.com:80:81", "brackets"),
        ("https://::1", "brackets"),
        ("https://[::1", "\"]\""),
        ("https://[::1]80", "after"),
        ("https://[example.com]", "IPv6"),
        ("https://[fe80::1%25eth0]", "IPv6"),
        ("https://300.1.1.1", "IPv4"),
        ("https://127.1", "IPv4"),
        ("https://example..com", "not a name"),
        ("https://example.com.", "not a name"),
        ("https://example!.com", "not a name"),
        ("https://example.com/a//b", "segment"),
        ("https://example.com/../b", "segment"),
        ("https://example.com/a%2", "percent-encoded"),
        ("https://example.com/<a>", "percent-encoded"),
    ] {
        let error = Endpoint::parse(text).unwrap_err();
        assert_eq!(error.argument, "endpoint");
        let said = error.to_string();
        assert!(
            said.contains(reason) && said.contains("https://gz.file.myqcloud.com"),
            "{text}: {said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
}

#[test]
fn the_xml_apis_name_of_a_region_is_answered_with_its_code() {
    for (name, said) in [
        (
            "ap-guangzhou",
            "\"ap-guangzhou\" is the XML API's name of Guangzhou; its code, to be set here, is \"gz\"",
        ),
        (
            "cn-south",
            "\"cn-south\" is the XML API's name of Guangzhou; its code, to be set here, is \"gz\"",
        ),
        (
            "ap-beijing-1",
            "is the XML API's name of Tianjin; its code, to be set here, is \"tj\"",
        ),
        (
            "sg",
            "is the XML API's name of Singapore; its code, to be set here, is \"sgp\"",
        ),
        (
            "ap-nanjing",
            "\"ap-nanjing\" is a name of the XML API; regions opened later than these have no endpoint",
        ),
        (
            "ap-mumbai",
            "no endpoint of the JSON API: tj (Tianjin), bj (Beijing), sh (Shanghai), gz (Guangzhou)",
        ),
    ] {
        let error = Endpoint::region(name).unwrap_err();
        assert_eq!(error.argument, "region");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn an_unknown_region_is_tried_and_has_a_hint_for_when_there_is_none() {
    let endpoint = Endpoint::region("xyz").unwrap();
    assert_eq!(endpoint.to_string(), "https://xyz.file.myqcloud.com");
    let hint = endpoint.hint_to_host().unwrap();
    assert!(
        hint.starts_with("\"xyz\" is none of the known regions: tj (Tianjin), "),
        "{hint}"
    );
    assert!(hint.ends_with("ger (Frankfurt)"), "{hint}");
    assert_eq!(
        Endpoint::parse("https://xyz.file.myqcloud.com")
            .unwrap()
            .hint_to_host(),
        None
    );
}

#[test]
fn files_v1_has_one_address_for_all_regions() {
    assert_eq!(Endpoint::of_api(Api::FilesV2), None);
    let endpoint = Endpoint::of_api(Api::FilesV1).unwrap();
    assert_eq!(endpoint.to_string(), "https://web.file.myqcloud.com");
    assert_eq!(endpoint.given_region(), None);
}

#[test]
fn a_region_is_the_first_label_of_the_service_s_name() {
    for known in regions::REGIONS {
        let endpoint = Endpoint::region(known.code).unwrap();
        let address = format!("https://{}.file.myqcloud.com", known.code);
        assert_eq!(endpoint.to_string(), address);
        assert_eq!(
            (endpoint.given_region(), endpoint.hint_to_host()),
            (Some(known.code), None)
        );
    }
    assert_eq!(
        Endpoint::parse("https://gz.file.myqcloud.com")
            .unwrap()
            .given_region(),
        None
    );
    for region in [
        "",
        "GZ",
        "gz.evil",
        "gz/",
        "-gz",
        "gz-",
        "g z",
        "gz@",
        &"a".repeat(64),
    ] {
        let error = Endpoint::region(region).unwrap_err();
        assert_eq!(error.argument, "region");
        assert!(error.to_string().contains("\"gz\""), "{error}");
    }
}
