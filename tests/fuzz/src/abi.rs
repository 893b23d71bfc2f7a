//! The C interface under calls in any order with any arguments, against an emulator in this process.
//!
//! The calls are made by `abi/calls.c` and its neighbours, through the header that users include.

use std::ffi::{CString, c_char};
use std::fs::File;

use cos_emulator::{Action, Config, Emulator, Fault};
// Its functions are called from C, so nothing in Rust says that it is to be linked.
use cos_slice as _;

unsafe extern "C" {
    fn cos_slice_fuzz_calls(data: *const u8, size: usize, emulator: *const c_char, folder: *const c_char);
}

pub(crate) fn run(data: &[u8]) {
    let (trouble, calls) = data.split_first().unwrap_or((&0, &[]));
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    std::fs::create_dir(&files).expect("its folder");
    let file = File::create(files.join("file")).expect("a file");
    file.set_len(600 << 10).expect("its size");
    let mut config = Config::new(folder.path().join("store"));
    config.secret_key = "a-planted-secret-key".to_owned();
    let emulator = Emulator::start(config).expect("the emulator starts");
    if let Some(fault) = fault(*trouble) {
        emulator.add_fault(fault);
    }

    let text = |text: &str| CString::new(text).expect("no NUL");
    let endpoint = text(&emulator.endpoint());
    let files = text(files.to_str().expect("UTF-8"));
    let (data, size) = (calls.as_ptr(), calls.len());
    // SAFETY: `data` points to `size` bytes, and both texts end with NUL; all of them outlive the call, which keeps none.
    unsafe { cos_slice_fuzz_calls(data, size, endpoint.as_ptr(), files.as_ptr()) }
}

/// What the service does wrong.
fn fault(number: u8) -> Option<Fault> {
    let operations = [
        "upload_slice_init",
        "upload_slice_list",
        "upload_slice_data",
        "upload_slice_finish",
        "stat",
    ];
    let operation = operations[usize::from(number >> 3) % operations.len()];
    let action = match number % 8 {
        1 => Action::answer(500, -195),
        2 => Action::answer(200, -4019),
        3 => Action::lost_answer(),
        _ => return None,
    };
    Some(Fault::new(operation, action).nth(1))
}
