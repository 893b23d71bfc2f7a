//! Another library for C that is written in Rust, with a panic inside.

use std::panic::catch_unwind;

#[unsafe(no_mangle)]
pub extern "C" fn other_divide(dividend: i32, divisor: i32) -> i32 {
    catch_unwind(|| dividend / divisor).unwrap_or(-1)
}
