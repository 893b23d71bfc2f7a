//! `uploadparts`, for requests written by hand.

use super::sha1;
use serde_json::{Value, json};

/// The running SHA-1 states of `data`, written down once more: words of the chaining value, little-endian.
pub fn uploadparts(data: &[u8], step: usize) -> String {
    let mut words = [0x6745_2301u32, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    let mut parts = Vec::new();
    for (index, piece) in data.chunks(step).enumerate() {
        let last = (index + 1) * step >= data.len();
        let datasha = if last {
            sha1(data)
        } else {
            for block in piece.chunks_exact(64) {
                sha1::block_api::compress(&mut words, &[block.try_into().unwrap()]);
            }
            words
                .iter()
                .map(|word| format!("{:08x}", word.swap_bytes()))
                .collect()
        };
        parts.push(json!({"offset": index * step, "datalen": piece.len(), "datasha": datasha}));
    }
    Value::Array(parts).to_string()
}
