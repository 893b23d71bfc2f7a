//! The digests of init: the whole object's, and the running states.

use cos_slice::protocol::digest::{Digests, Hasher, Sha1Digest};
use proptest::prelude::*;
use sha1::digest::common::hazmat::SerializableState;
use sha1::{Digest, Sha1};

fn digests(data: &[u8], granularity: u64) -> Digests {
    let mut hasher = Hasher::new(granularity);
    hasher.update(data);
    hasher.finish()
}

fn upload_parts(digests: &Digests) -> String {
    let text: String = (0..digests.part_count())
        .map(|index| digests.upload_part(index))
        .collect();
    assert_eq!(text.len() as u64, digests.upload_parts_len());
    text
}

/// The `uploadparts` array made of the digests expected, part by part.
fn array(size: u64, granularity: u64, shas: &[&str]) -> String {
    let entry = |(index, sha): (usize, &&str)| {
        let offset = index as u64 * granularity;
        let length = (size - offset).min(granularity);
        format!("{{\"offset\":{offset},\"datalen\":{length},\"datasha\":\"{sha}\"}}")
    };
    format!(
        "[{}]",
        shas.iter().enumerate().map(entry).collect::<Vec<_>>().join(",")
    )
}

// The three vectors were worked out by hand from client libraries of the service.

#[test]
fn running_states_of_a_short_object_in_parts_of_64_bytes() {
    let mut data: Vec<u8> = (0..=255).collect();
    data.extend_from_slice(b"abc");
    let shas = [
        "7b75acb9257929bc7472222e942f8706a156eacb",
        "beac2be0e7f8f112dc4d8602746b63e8e00d46aa",
        "cb5aad6d9503c04d350b7a2f7e53e52e28a281c3",
        "2dda7da58f9e9b53edf6e1de5e98cfb4cfd5821f",
        "0c0f42741e784bbe057c9f081af51316bbf5e0b9",
    ];
    assert_eq!(upload_parts(&digests(&data, 64)), array(259, 64, &shas));
}

#[test]
fn the_last_part_of_an_exact_multiple_has_the_digest_of_the_whole() {
    let data: Vec<u8> = (0..=255).collect();
    let shas = [
        "beac2be0e7f8f112dc4d8602746b63e8e00d46aa",
        "4916d6bdb7f78e6803698cab32d1586ea457dfc8",
    ];
    let digests = digests(&data, 128);
    assert_eq!(upload_parts(&digests), array(256, 128, &shas));
    assert_eq!(digests.whole().to_string(), shas[1]);
}

#[test]
fn running_states_of_two_mebibytes_in_parts_of_half_a_mebibyte() {
    let data: Vec<u8> = (0..2 * 1_048_576 + 100).map(|i: u32| (i % 251) as u8).collect();
    let shas = [
        "c06e92e6fd857cbc15287b711af2cf4128ccee65",
        "463935c7eea4ca2705d0f481ecedb31f4d0f3a96",
        "4f90ea058b31d241b2e735e604c61ecd4f60cae6",
        "657c72d675f1e792607e5c0a7405f66cbdb8c290",
        "6082b2ea5a08c73f6329be8c96202e1225a51956",
    ];
    assert_eq!(
        upload_parts(&digests(&data, 524_288)),
        array(data.len() as u64, 524_288, &shas)
    );
}

#[test]
fn an_object_without_bytes_has_an_empty_array() {
    let digests = digests(b"", 64);
    assert_eq!(upload_parts(&digests), "[]");
    assert_eq!(
        digests.whole().to_string(),
        "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    );
}

#[test]
fn digests_that_were_kept_are_taken_back_only_where_their_numbers_agree() {
    let original = digests(&[7; 200], 64);
    let again = |size, granularity, states: &[[u8; 20]]| {
        Digests::from_parts(size, granularity, states.to_vec(), original.whole())
    };
    assert_eq!(again(200, 64, original.states()), Some(original.clone()));
    assert_eq!(
        again(256, 64, original.states()).map(|digests| digests.part_count()),
        Some(4)
    );
    assert_eq!(again(257, 64, original.states()), None);
    assert_eq!(again(192, 64, original.states()), None);
    assert_eq!(again(200, 63, original.states()), None);
    assert_eq!(again(200, 0, &[]), None);
    assert_eq!(again(u64::MAX, 64, &[]), None);
    assert!(again(0, 64, &[]).is_some());
}

#[test]
fn a_digest_is_written_in_lower_case_and_read_in_both() {
    let text = "0c0f42741e784bbe057c9f081af51316bbf5e0b9";
    let digest: Sha1Digest = text.to_uppercase().parse().unwrap();
    assert_eq!(digest.to_string(), text);
    assert_eq!(format!("{digest:?}"), text);
    assert_eq!(text.parse(), Ok(digest));
    let bytes = [
        0x0c, 0x0f, 0x42, 0x74, 0x1e, 0x78, 0x4b, 0xbe, 0x05, 0x7c, 0x9f, 0x08, 0x1a, 0xf5, 0x13, 0x16, 0xbb,
        0xf5, 0xe0, 0xb9,
    ];
    assert_eq!(digest.as_bytes(), &bytes);
    for bad in [
        "",
        "0c0f",
        &text[1..],
        &format!("{text}0"),
        &text.replace('c', "g"),
        &text.replace("0c", "\u{e9}"),
    ] {
        let error = bad.parse::<Sha1Digest>().expect_err(bad);
        assert_eq!(
            error.to_string(),
            "not a SHA-1: 40 hexadecimal digits are expected"
        );
    }
}

#[test]
fn debug_output_has_numbers_and_no_content() {
    let mut hasher = Hasher::new(64);
    hasher.update(&[77; 70]);
    let text = format!("{hasher:?}");
    assert_eq!(text, "Hasher { position: 70, granularity: 64, .. }");
    let text = format!("{:?}", hasher.finish());
    assert!(
        text.starts_with("Digests { size: 70, granularity: 64, whole: ") && text.ends_with(", .. }"),
        "{text}"
    );
}

/// The running state by another road: the SHA-1 crate's own serialisation begins with the chaining words, lowest
/// bytes first.
fn state_after(data: &[u8]) -> [u8; 20] {
    let mut sha1 = Sha1::new();
    sha1.update(data);
    sha1.serialize()[..20].try_into().unwrap()
}

proptest! {
    #[test]
    fn however_the_content_is_cut_the_digests_are_the_same(
        data in prop::collection::vec(any::<u8>(), 0..3000),
        blocks in 1u64..9,
        cuts in prop::collection::vec(0usize..400, 0..20),
    ) {
        let granularity = blocks * 64;
        let mut hasher = Hasher::new(granularity);
        let mut rest = &data[..];
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            // A clone goes on from where its original stood.
            hasher = hasher.clone();
            hasher.update(piece);
            rest = after;
            prop_assert_eq!(hasher.position(), (data.len() - rest.len()) as u64);
        }
        hasher.update(rest);
        let digests = hasher.finish();

        let whole: [u8; 20] = Sha1::digest(&data).into();
        let step = granularity as usize;
        let boundaries = (1..).map(|part| part * step).take_while(|end| *end < data.len());
        let states: Vec<[u8; 20]> = boundaries.map(|end| state_after(&data[..end])).collect();
        prop_assert_eq!(digests.whole(), Sha1Digest::from_bytes(whole));
        prop_assert_eq!(digests.states(), &states[..]);
        prop_assert_eq!(digests.size(), data.len() as u64);
        prop_assert_eq!(digests.granularity(), granularity);

        let text = upload_parts(&digests);
        let parts: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(parts.len(), data.len().div_ceil(step));
        let covered: u64 = parts.iter().map(|part| part["datalen"].as_u64().unwrap()).sum();
        prop_assert_eq!(covered, data.len() as u64);
    }
}

#[test]
fn an_object_of_one_part_needs_only_its_sha1_to_be_listed() {
    for size in [0, 1, 63, 64, 65, 1 << 20] {
        let mut hasher = Hasher::new(1 << 20);
        hasher.update(&vec![7; size]);
        let taken = hasher.finish();
        let known = Digests::of_one_part(size as u64, taken.whole());
        assert_eq!((known.size(), known.whole()), (taken.size(), taken.whole()));
        assert_eq!(
            (known.part_count(), known.upload_part(0)),
            (1, taken.upload_part(0))
        );
        assert_eq!(known.upload_parts_len(), taken.upload_parts_len());
        assert!(known.granularity() >= known.size() && known.granularity() % 64 == 0);
    }
}
