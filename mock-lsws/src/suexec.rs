//! suEXEC: whom a request runs as, signed with the secret that server and application share (lsapi 3).

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use md5::{Digest as _, Md5};

/// Bytes of a secret, and of a nonce.
const LEN: usize = 16;

/// The name of the entry of the special environment that has uid and gid.
const UGID: &[u8] = b"\0SUEXEC_UGID";

/// The name of the one that has nonce and digest. It is the last.
const AUTH: &[u8] = b"\0SUEXEC_AUTH";

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
}
