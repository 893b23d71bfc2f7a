#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| cos_slice_fuzz::run("replies", data));
