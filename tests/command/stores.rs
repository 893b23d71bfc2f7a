//! Private stores that want something otherwise, and where the service is.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use crate::support::{BUCKET, OBJECT, PATH, Service, bare_command, content, run};

const FIELD: &str = "PlantedField0123456789";
const HEADER: &str = "PlantedHeader0123456789";

/// A store with everything otherwise, and the options that say so.
fn store() -> (Service, Vec<String>) {
    let field = format!("required_field=tenant={FIELD}");
    let header = format!("required_header=X-Store={HEADER}");
    let service = Service::with(|config| {
        config.path_prefix = "/store".to_owned();
        for switch in [
            "slice_sizes=4194304,524288",
            "token_place=header",
            "token_word=COS",
            "datamd5=required",
            &field,
            &header,
        ] {
            config.switches.assign(switch).unwrap();
        }
    });
    let endpoint = format!("--endpoint={}/store", service.emulator.endpoint());
    let reached = [
        endpoint,
        format!("--header=X-Store: {HEADER}"),
        format!("--form-field=tenant={FIELD}"),
    ];
    let options = reached.into_iter().chain(["--token-place=word:COS".to_owned()]);
    (service, options.collect())
}

#[test]
fn a_store_is_told_by_options_and_gets_the_file() {
    let (service, options) = store();
    let bytes = content(5_000_000, 1);
    let file = service.file("big.mp4", &bytes);
    let upload = |more: &[&str]| {
        let mut command = service.upload(&file, more);
        run(command.args(&options).args(["--json", "--slice-md5"]))
    };
    let outcome = upload(&["--slice-sizes=4M,512K"]);
    assert_eq!(outcome.json()["slices"], 2, "{outcome:?}");
    assert!(service.emulator.object(BUCKET, PATH).unwrap() == bytes);
    let outcome = upload(&["--slice-sizes=4M,512K", "--slice-size=512K"]);
    assert_eq!(outcome.json()["outcome"], "instant", "{outcome:?}");

    let status = run(service.command().arg("status").arg(OBJECT).args(&options));
    assert!(status.success().starts_with("complete"), "{status:?}");
}

#[test]
fn a_store_that_was_not_told_of_says_what_it_misses_and_no_value_is_printed() {
    let (service, options) = store();
    let file = service.file("big.mp4", &content(100_000, 1));
    for left_out in 1..options.len() {
        let rest = options
            .iter()
            .enumerate()
            .filter(|(number, _)| *number != left_out);
        let rest = rest.map(|(_, option)| option);
        let outcome = run(service
            .upload(&file, &["--slice-sizes=4M", "--slice-md5"])
            .args(rest));
        let line = outcome.failure(1);
        let missing = ["X-Store", "tenant", "COS"][left_out - 1];
        assert!(line.contains(missing), "{missing}: {line}");
        assert!(!line.contains("Planted"), "{line}");
    }
    for (option, code) in [("--slice-md5", "-5999"), ("--slice-sizes=4M", "-284")] {
        let other = ["--slice-md5", "--slice-sizes=4M"]
            .into_iter()
            .filter(|it| *it != option);
        let outcome = run(service.upload(&file, &[]).args(other).args(&options));
        assert!(outcome.failure(1).contains(code), "{outcome:?}");
    }
}

#[test]
fn what_no_store_can_want_is_refused_before_anything_is_sent_and_without_its_value() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    for (option, said) in [
        (
            "--header=Content-Length: 7Planted",
            "--header: \"Content-Length\" is set by the library itself",
        ),
        ("--header=Planted", "--header: there is no \":\""),
        (
            "--form-field=SHA=Planted",
            "--form-field: \"SHA\" is a field of the protocol itself",
        ),
        ("--form-field=Planted", "--form-field: there is no \"=\""),
        (
            "--token-place=nowhere",
            "--token-place: it is none of header, word:WORD and query",
        ),
        ("--token-place=word:a b", "--token-place: the name may only have"),
        (
            "--slice-sizes=100",
            "--slice-sizes: 100 is not a multiple of 64 within 65536 to 67108864 bytes",
        ),
        (
            "--slice-size=700K",
            "--slice-size: 716800 is not one of 524288, 1048576, 2097152, 3145728",
        ),
        (
            "--slice-size=2M",
            "--slice-size: more than 1M is only possible with --no-hash",
        ),
        (
            "--region=ap-shanghai",
            "--region: the region \"ap-shanghai\" is the XML API's name of Shanghai; its code, to be set here, is \"sh\"",
        ),
        (
            "--region=ap-nanjing",
            "have no endpoint of the JSON API: tj (Tianjin), ",
        ),
    ] {
        let outcome = run(&mut service.upload(&file, &[option]));
        let line = outcome.failure(2);
        assert!(
            line.contains(said) && !line.contains("Planted"),
            "{option}: {line}"
        );
    }
    let outcome = run(&mut service.upload(&file, &["--slice-sizes=4M,8M", "--slice-size=1M"]));
    assert!(
        outcome
            .failure(2)
            .contains("--slice-size: 1048576 is not one of 4194304, 8388608"),
        "{outcome:?}"
    );
    let outcome = run(&mut service.upload(&file, &["--api=v1", "--region=gz"]));
    assert!(
        outcome
            .failure(2)
            .contains("files/v1 has one address for all regions"),
        "{outcome:?}"
    );
    assert_eq!(service.emulator.requests().len(), 0);
}

#[test]
fn files_v1_needs_neither_endpoint_nor_region() {
    let service = Service::new();
    let file = service.file("big.mp4", b"content");
    // What is asked of a proxy shows where the command wants to go.
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("--proxy=http://{}", proxy.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let mut stream = proxy.accept().unwrap().0;
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        stream.write_all(b"HTTP/1.1 403 no\r\n\r\n").unwrap();
        line
    });
    let mut command = service.upload(&file, &["--api=v1", "--deadline=1", &address]);
    let outcome = run(command.env_remove("COS_SLICE_ENDPOINT"));
    outcome.failure(1);
    assert_eq!(
        asked.join().unwrap(),
        "CONNECT web.file.myqcloud.com:443 HTTP/1.1\r\n"
    );
}

#[test]
fn all_help_lists_the_regions() {
    for subcommand in [&["--help"][..], &["upload", "--help"], &["status", "--help"]] {
        let outcome = run(bare_command().args(subcommand));
        assert_eq!(outcome.status, Some(0), "{outcome:?}");
        let help = &outcome.stdout;
        assert!(
            help.contains("Regions: tj (Tianjin), bj (Beijing), sh (Shanghai), gz (Guangzhou)"),
            "{help}"
        );
        assert!(help.contains("ger (Frankfurt)"), "{help}");
    }
}
