//! The files that are uploaded. They are made once, before anything else, and never change.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use cos_slice::engine::source::CLOCK_TICK;

use crate::Failure;
use crate::scenario::{Content, Scenario};

/// All contents of all scenarios.
pub struct Contents {
    folder: PathBuf,
    bytes: BTreeMap<Content, Vec<u8>>,
}

impl Contents {
    /// Writes them below a folder.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn new(folder: &Path, scenarios: &[Scenario]) -> Result<Self, Failure> {
        let folder = folder.to_owned();
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut contents = Self {
            folder,
            bytes: BTreeMap::new(),
        };
        for content in scenarios.iter().flat_map(|scenario| scenario.contents.values()) {
            let bytes = bytes_of(*content);
            let path = contents.path(*content);
            fs::write(&path, &bytes).map_err(|error| format!("{}: {error}", path.display()))?;
            contents.bytes.insert(*content, bytes);
        }
        // A file that was written just now is not known again by a checkpoint.
        std::thread::sleep(CLOCK_TICK);
        Ok(contents)
    }

    /// Where its file is.
    pub fn path(&self, content: Content) -> PathBuf {
        let mut name = format!("{}-{}", content.size, content.seed).into_bytes();
        if content.odd_name {
            name.push(0xff);
        }
        self.folder.join(OsString::from_vec(name))
    }

    /// The bytes of that path, in hexadecimal digits.
    pub fn path_in_hexadecimal(&self, content: Content) -> String {
        let path = self.path(content);
        let bytes = path.as_os_str().as_bytes().iter();
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// What it is.
    pub fn bytes(&self, content: Content) -> &[u8] {
        self.bytes.get(&content).map_or(&[], Vec::as_slice)
    }
}

fn bytes_of(content: Content) -> Vec<u8> {
    let mut state = content.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(content.size + 8);
    while bytes.len() < content.size {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(content.size);
    bytes
}
