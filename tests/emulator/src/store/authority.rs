//! The authority that issues the emulator's certificates, as it lies in the folder.

use super::Store;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// For the owner alone.
const KEY_MODE: u32 = 0o600;

/// A certificate and its private key, both as PEM.
pub(crate) struct AuthorityFiles {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl AuthorityFiles {
    fn read(directory: &Path) -> io::Result<AuthorityFiles> {
        let read = |path: PathBuf| {
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            fs::read_to_string(&path).map_err(named)
        };
        Ok(AuthorityFiles {
            certificate: read(directory.join("ca.pem"))?,
            key: read(directory.join("ca-key.pem"))?,
        })
    }

    fn write(&self, directory: &Path) -> io::Result<()> {
        fs::write(directory.join("ca.pem"), &self.certificate)?;
        let mut only_owner = File::options();
        only_owner.write(true).create_new(true).mode(KEY_MODE);
        only_owner
            .open(directory.join("ca-key.pem"))?
            .write_all(self.key.as_bytes())
    }
}

impl Store {
    /// Where the authority is kept.
    pub(crate) fn authority_directory(&self) -> PathBuf {
        self.layout.authority()
    }

    /// The authority of this folder; made, and kept from then on, when there is none. Its two files appear in
    /// one step, so that a certificate never stands beside another one's key.
    pub(crate) fn authority(
        &self,
        make: impl FnOnce() -> io::Result<AuthorityFiles>,
    ) -> io::Result<AuthorityFiles> {
        let directory = self.layout.authority();
        if directory.try_exists()? {
            return AuthorityFiles::read(&directory);
        }
        let made = make()?;
        let staged = self.stage_directory()?;
        made.write(staged.path())?;
        staged.publish(&directory)?;
        Ok(made)
    }
}
