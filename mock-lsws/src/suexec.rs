//! suEXEC: whom a request runs as, signed with the secret that server and application share (lsapi 3).

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use md5::{Digest as _, Md5};

/// Bytes of a secret, and of a nonce.
const LEN: usize = 16;

/// The name of the entry of the special environment that has uid and gid.
const UGID: &[u8] = b"\0SUEXEC_UGID";

/// The name of the one that has nonce and digest. It is the last.
const AUTH: &[u8] = b"\0SUEXEC_AUTH";

/// Why a file is no secret of a server's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// It cannot be opened or read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// A folder, a pipe, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Others than its owner may read or write it; applications refuse it then (lsapi 3).
    #[error("it has mode {mode:04o}, and nobody but its owner may read or write it: chmod 600 FILE")]
    Open {
        /// The permission bits.
        mode: u32,
    },
    /// There is not enough of it.
    #[error("it has {len} bytes, and {LEN} are needed: head -c {LEN} /dev/urandom > FILE")]
    TooShort {
        /// Bytes there are.
        len: usize,
    },
}

/// A secret to sign requests with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuexecSecret([u8; LEN]);

impl SuexecSecret {
    /// The secret of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; LEN]) -> Self {
        Self(bytes)
    }

    /// The secret in a file: its first 16 bytes. The file's permissions are the application's to check.
    ///
    /// # Errors
    /// When it cannot be read, or is shorter.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; LEN];
        File::open(path)?.read_exact(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// The same for a server, which is as careful with the file as its applications are.
    ///
    /// # Errors
    /// Why the file is none, and what to do.
    pub fn read_private(path: &Path) -> Result<Self, SecretError> {
        // A pipe must not keep the server waiting for somebody who writes to it.
        let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
        let found = file.metadata()?;
        if !found.is_file() {
            return Err(SecretError::NotAFile);
        }
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SecretError::Open { mode });
        }
        let mut bytes = Vec::new();
        file.take(LEN as u64).read_to_end(&mut bytes)?;
        let len = bytes.len();
        bytes.try_into().map(Self).map_err(|_| SecretError::TooShort { len })
    }

    /// The bytes, as the file has to have them.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Names and values of the two entries that have a request run as `uid` and `gid`, in their order. No two signatures
    /// are the same.
    #[must_use]
    pub fn sign(&self, uid: u32, gid: u32) -> [(Vec<u8>, Vec<u8>); 2] {
        let mut nonce = [0; LEN];
        fastrand::fill(&mut nonce);
        let ugid = [uid.to_ne_bytes(), gid.to_ne_bytes()].concat();
        let digest = Md5::digest([&nonce[..], &self.0, &ugid].concat());
        [(UGID.to_vec(), ugid), (AUTH.to_vec(), [&nonce[..], digest.as_slice()].concat())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_nonce_and_digest_of_nonce_secret_and_ids() {
        let secret = SuexecSecret::new(*b"0123456789abcdef");
        let [(_, ugid), (name, auth)] = secret.sign(1000, 1001);
        assert_eq!((name.as_slice(), ugid.len(), auth.len()), (AUTH, 8, 32));
        let (nonce, digest) = auth.split_at(LEN);
        assert_eq!(digest, Md5::digest([nonce, b"0123456789abcdef", &ugid].concat()).as_slice());
        assert_ne!(secret.sign(1000, 1001)[1].1, auth, "a nonce is used once");
    }

    #[test]
    fn the_secret_is_the_beginning_of_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "0123456789abcdef\n").unwrap();
        assert_eq!(SuexecSecret::read(file.path()).unwrap().bytes(), b"0123456789abcdef");
        std::fs::write(file.path(), "short").unwrap();
        assert!(SuexecSecret::read(file.path()).is_err());
    }

    #[test]
    fn a_server_takes_a_file_of_its_own_that_is_long_enough() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let read = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            SuexecSecret::read_private(&path)
        };
        assert_eq!(read("0123456789abcdef\n", 0o600).unwrap().bytes(), b"0123456789abcdef");
        assert!(matches!(read("0123456789abcde", 0o600), Err(SecretError::TooShort { len: 15 })));
        for mode in [0o640, 0o604, 0o620, 0o602, 0o610] {
            let error = read("0123456789abcdef", mode).unwrap_err();
            assert!(matches!(error, SecretError::Open { mode: said } if said == mode), "{error}");
        }
        assert!(matches!(SuexecSecret::read_private(folder.path()), Err(SecretError::NotAFile)));
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        assert!(matches!(SuexecSecret::read_private(&pipe), Err(SecretError::NotAFile)));
        let none = SuexecSecret::read_private(&folder.path().join("none"));
        assert!(matches!(none, Err(SecretError::Unreadable(_))));
    }
}
