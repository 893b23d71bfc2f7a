//! Every path of the folder.
//!
//! ```text
//! objects/<bucket>/<path>                  the objects, as plain files
//! state/lock                               held by the running emulator
//! state/format                             version of this layout
//! state/attributes/<bucket>/<name>.json    what is known of an object beside its bytes
//! state/uploads/<bucket>/<name>/           one unfinished upload: upload.json, running-states, digest.json, slices/<offset>
//! state/publishing/<name>/                 a complete new object on its way to objects/: content, attributes.json
//! state/long-names/<bucket>/<name>         objects with a path segment longer than a file name may be
//! state/used-signatures/<digest>           one-time signatures that were used
//! state/tls/                               the authority of the certificates: ca.pem, ca-key.pem; appears whole
//! state/temporary/                         files being written; emptied at start
//! ```
//!
//! `<name>` is the SHA-1 of the object path in hex (with the bucket in front under `publishing`), so no
//! object path, however odd, can meet a name of the emulator's own.

use crate::sha1_state::sha1_hex;
use crate::target::ObjectKey;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The longest file name of the usual file systems, in bytes.
const FILE_NAME_LIMIT: usize = 255;
const FORMAT: &str = "cos-emulator folder, layout 1\n";

pub(super) struct Layout {
    root: PathBuf,
    state: PathBuf,
}

impl Layout {
    pub(super) fn new(root: &Path) -> Layout {
        Layout {
            root: root.to_owned(),
            state: root.join("state"),
        }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn state(&self) -> &Path {
        &self.state
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.state.join("lock")
    }

    /// Refuses a folder that another version of this program wrote in another way.
    pub(super) fn check_format(&self) -> io::Result<()> {
        let path = self.state.join("format");
        match fs::read_to_string(&path) {
            Ok(text) if text == FORMAT => Ok(()),
            Ok(text) => {
                let message = format!("{} holds {text:?}; this program knows {FORMAT:?}", path.display());
                Err(io::Error::new(io::ErrorKind::InvalidData, message))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => fs::write(&path, FORMAT),
            Err(error) => Err(error),
        }
    }

    pub(super) fn temporary(&self) -> PathBuf {
        self.state.join("temporary")
    }

    pub(super) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(super) fn bucket_objects(&self, bucket: &str) -> PathBuf {
        self.objects().join(bucket)
    }

    /// The plain file (or directory) of an object path.
    pub(super) fn object(&self, key: &ObjectKey) -> PathBuf {
        if key.path.split('/').any(|segment| segment.len() > FILE_NAME_LIMIT) {
            return self
                .state
                .join("long-names")
                .join(&key.bucket)
                .join(sha1_hex(key.path.as_bytes()));
        }
        let bucket = self.bucket_objects(&key.bucket);
        // Joining an empty path would add a slash.
        if key.path.is_empty() {
            bucket
        } else {
            bucket.join(&key.path)
        }
    }

    pub(super) fn bucket_attributes(&self, bucket: &str) -> PathBuf {
        self.state.join("attributes").join(bucket)
    }

    pub(super) fn attributes(&self, key: &ObjectKey) -> PathBuf {
        self.bucket_attributes(&key.bucket)
            .join(sha1_hex(key.path.as_bytes()) + ".json")
    }

    pub(super) fn uploads(&self) -> PathBuf {
        self.state.join("uploads")
    }

    pub(super) fn upload(&self, key: &ObjectKey) -> UploadLayout {
        UploadLayout(
            self.uploads()
                .join(&key.bucket)
                .join(sha1_hex(key.path.as_bytes())),
        )
    }

    pub(super) fn publishing(&self) -> PathBuf {
        self.state.join("publishing")
    }

    pub(super) fn publication(&self, key: &ObjectKey) -> PathBuf {
        self.publishing()
            .join(sha1_hex(format!("{}/{}", key.bucket, key.path).as_bytes()))
    }

    pub(super) fn authority(&self) -> PathBuf {
        self.state.join("tls")
    }

    pub(super) fn used_signatures(&self) -> PathBuf {
        self.state.join("used-signatures")
    }

    pub(super) fn used_signature(&self, identifier: &str) -> PathBuf {
        self.used_signatures().join(identifier)
    }
}

/// The folder of one unfinished upload.
pub(super) struct UploadLayout(pub(super) PathBuf);

impl UploadLayout {
    pub(super) fn description(&self) -> PathBuf {
        self.0.join("upload.json")
    }

    pub(super) fn running_states(&self) -> PathBuf {
        self.0.join("running-states")
    }

    pub(super) fn digest(&self) -> PathBuf {
        self.0.join("digest.json")
    }

    pub(super) fn slices(&self) -> PathBuf {
        self.0.join("slices")
    }

    /// The digits are padded so that a listing by name is a listing by offset.
    pub(super) fn slice(&self, offset: u64) -> PathBuf {
        self.slices().join(format!("{offset:020}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_object_path_leads_into_the_state_folder() {
        let layout = Layout::new(Path::new("/data"));
        for path in [
            "state",
            "state/lock",
            "x",
            &"x".repeat(255),
            &format!("a/{}", "ä".repeat(127)),
        ] {
            let file = layout.object(&ObjectKey {
                bucket: "state".to_owned(),
                path: path.to_owned(),
            });
            assert_eq!(file, Path::new("/data/objects/state").join(path));
        }
        let file = layout.object(&ObjectKey {
            bucket: "b".to_owned(),
            path: "x".repeat(256),
        });
        assert_eq!(file.parent(), Some(Path::new("/data/state/long-names/b")));
    }
}
