//! Signatures over the wire; their arithmetic is tested beside the code.

mod support;

use cos_emulator::Config;
use support::{Answer, Client, now, start, start_with};

fn list_with(client: &Client, token: &str) -> (u16, i64) {
    client
        .json_op("file", token, r#"{"op":"upload_slice_list"}"#)
        .outcome()
}

/// What a good signature gets here, where nothing is.
const GOOD: (u16, i64) = (404, -197);

#[test]
fn a_printed_signature_is_right_but_expired_and_a_changed_one_is_wrong() {
    let fixture = start_with(|config: &mut Config| {
        config.app_id = "200001".to_owned();
        config.secret_id = "AKIDUfLUEUigQiXqm7CVSspKJnuaiIKtxqAv".to_owned();
        config.secret_key = "bLcPnl88WU30VY57ipRhSePfPdOfSruK".to_owned();
    });
    let list = |token: &str| -> Answer {
        let body = br#"{"op":"upload_slice_list"}"#;
        let headers = [("Authorization", token)];
        fixture.client.send(
            &fixture
                .client
                .request("POST", "/files/v2/200001/newbucket/x", &headers, body),
        )
    };
    let printed = "vxzLR6vzMNhBMUVzMTWKUB+LMeVhPTIwMDAwMSZrPUFLSURVZkxVRVVpZ1FpWHFtN0NWU3NwS0pudWFpSUt0eHFBdiZlPTE0Mzc5OTU3MDQmdD0xNDM3OTk1NjQ0JnI9MjA4MTY2MDQyMSZmPSZiPW5ld2J1Y2tldA==";
    assert_eq!(list(printed).outcome(), (403, -59));
    assert_eq!(list(&printed.replacen("vxzL", "vxzM", 1)).outcome(), (403, -97));
}

#[test]
fn every_order_of_the_fields_is_accepted() {
    let fixture = start();
    let client = &fixture.client;
    let fields = [
        "a=1251668577".to_owned(),
        format!("b={}", support::BUCKET),
        "k=AKIDtest".to_owned(),
        format!("e={}", now() + 60),
        format!("t={}", now()),
        "r=18446744073709551615".to_owned(),
        "f=".to_owned(),
    ];
    for turn in 0..fields.len() {
        let mut order = fields.clone();
        order.rotate_left(turn);
        assert_eq!(
            list_with(client, &client.sign_tail(&order.join("&"))),
            GOOD,
            "{order:?}"
        );
    }
}

#[test]
fn a_field_of_an_older_generation_is_ignored() {
    let fixture = start();
    let client = &fixture.client;
    let (made, expiring, bucket) = (now(), now() + 60, support::BUCKET);
    let tail = format!("a=1251668577&k=AKIDtest&e={expiring}&t={made}&r=1&u=0&f=&b={bucket}");
    assert_eq!(list_with(client, &client.sign_tail(&tail)), GOOD);
}

#[test]
fn refusals_have_their_codes() {
    let fixture = start();
    let client = &fixture.client;
    let other_key = Client {
        secret_key: "other".to_owned(),
        ..client.clone()
    };
    let other_id = Client {
        secret_id: "AKIDother".to_owned(),
        ..client.clone()
    };
    let other_app = Client {
        app_id: "1".to_owned(),
        ..client.clone()
    };
    assert_eq!(list_with(client, &client.token()), GOOD);
    assert_eq!(list_with(client, &other_key.token()), (403, -97));
    assert_eq!(list_with(client, &other_id.token()), (403, -47));
    assert_eq!(list_with(client, &other_app.token()), (403, -70));
    assert_eq!(
        list_with(client, &client.sign("other", now() + 60, "")),
        (403, -61)
    );
    assert_eq!(
        list_with(
            client,
            &client.sign(support::BUCKET, now() + 60, "/1251668577/videos/x")
        ),
        (403, -63)
    );
    assert_eq!(
        list_with(client, &client.sign(support::BUCKET, now() - 1, "")),
        (403, -59)
    );
    assert_eq!(list_with(client, &client.once("file")), (403, -74));
    assert_eq!(list_with(client, ""), (403, -81));
    let body = br#"{"op":"upload_slice_list"}"#;
    assert_eq!(
        client
            .send(&client.request("POST", &client.url("file"), &[], body))
            .outcome(),
        (403, -81)
    );
}

#[test]
fn delete_takes_a_signature_once() {
    let fixture = start();
    let client = &fixture.client;
    let delete = |token: &str| client.json_op("file", token, r#"{"op":"delete"}"#).outcome();
    client.upload("file", b"x", &[]).data();
    assert_eq!(delete(&client.token()), (403, -76));
    let bound = client.sign(support::BUCKET, now() + 60, "/1251668577/videos/file");
    assert_eq!(delete(&bound), (403, -73));
    assert_eq!(delete(&client.once("other")), (403, -63));
    let token = client.once("file");
    assert_eq!(delete(&token), (200, 0));
    client.upload("file", b"x", &[]).data();
    assert_eq!(delete(&token), (403, -77));
    assert!(fixture.emulator.object(support::BUCKET, "file").is_ok());
}

#[test]
fn a_used_signature_stays_used_over_a_restart() {
    let fixture = start();
    let token = fixture.client.once("file");
    let delete = |client: &Client| client.json_op("file", &token, r#"{"op":"delete"}"#).outcome();
    assert_eq!(delete(&fixture.client), (404, -197));
    fixture.emulator.stop();
    let emulator = cos_emulator::Emulator::start(Config::new(fixture.directory.path())).unwrap();
    assert_eq!(delete(&Client::at(emulator.address())), (403, -77));
}
