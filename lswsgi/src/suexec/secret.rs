//! The secret server and daemon share: the first bytes of a file nobody but root may have touched.
//!
//! It stays in one place in memory, and is overwritten before that is given back.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::Error;

/// Bytes of a secret (lsapi 3). What else is in the file is not looked at.
const LEN: usize = 16;

/// Why a file is no secret.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It cannot be opened or read.
    #[error("cannot be read ({0})")]
    Unreadable(#[from] io::Error),
    /// Where a link leads is up to whoever may change what is on the way.
    #[error("is a symbolic link; name the file itself")]
    Link,
    /// A folder, a pipe, a device.
    #[error("is not a regular file")]
    NotAFile,
    /// Its owner could have written it.
    #[error("belongs to user {owner}; it has to be root's: chown root FILE")]
    NotRoots {
        /// The owner's uid.
        owner: u32,
    },
    /// Others than its owner may read or write it.
    #[error("has mode {mode:04o}, and nobody but root may read or write it: chmod 600 FILE")]
    Open {
        /// The permission bits.
        mode: u32,
    },
    /// There is not enough of it.
    #[error("has fewer than {LEN} bytes")]
    TooShort,
}

/// The secret.
pub(super) struct Secret(Box<Zeroizing<[u8; LEN]>>);

impl Secret {
    /// Reads the secret in the file at `path`.
    ///
    /// # Errors
    /// [`Error::Secret`] for a file that is not fit to be one.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        read(path).map_err(|source| Error::Secret { path: PathBuf::from(path), source })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0[..]
    }

    /// Overwrites it. Nothing matches what is left.
    pub(super) fn wipe(&mut self) {
        self.0.zeroize();
    }
}

fn read(path: &Path) -> Result<Secret, Unfit> {
    // A pipe of that name must not keep us waiting for somebody who writes to it.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let fd = rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::LOOP => Unfit::Link,
        errno => Unfit::Unreadable(errno.into()),
    })?;
    // Of what has been opened, and not of what has the name by now.
    let stat = fstat(&fd).map_err(io::Error::from)?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Unfit::NotAFile);
    }
    if stat.st_uid != 0 {
        return Err(Unfit::NotRoots { owner: stat.st_uid });
    }
    if stat.st_mode & 0o077 != 0 {
        return Err(Unfit::Open { mode: stat.st_mode & 0o7777 });
    }
    let mut secret = Secret(Box::new(Zeroizing::new([0; LEN])));
    // Straight to its place: no buffer keeps a copy.
    File::from(fd).read_exact(&mut secret.0[..]).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Unfit::TooShort,
        _ => Unfit::Unreadable(error),
    })?;
    Ok(secret)
}

#[cfg(test)]
impl Secret {
    /// One for tests.
    pub(super) fn of(bytes: [u8; LEN]) -> Self {
        Self(Box::new(Zeroizing::new(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    /// What is wrong with a file of these `bytes` and permissions, if it is root's.
    fn unfit(bytes: &[u8], mode: u32) -> Option<Unfit> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        read(&path).err()
    }

    #[test]
    fn only_roots_own_file_is_a_secret() {
        let found = unfit(b"0123456789abcdefg", 0o600);
        if rustix::process::geteuid().is_root() {
            assert!(found.is_none(), "{found:?}");
        } else {
            assert!(matches!(found, Some(Unfit::NotRoots { .. })), "{found:?}");
        }
    }

    #[test]
    fn what_others_may_read_or_write_and_what_is_too_short_is_refused() {
        if !rustix::process::geteuid().is_root() {
            return; // The owner is looked at first: see above.
        }
        for mode in [0o640, 0o604, 0o620, 0o601] {
            let found = unfit(b"0123456789abcdef", mode);
            assert!(matches!(found, Some(Unfit::Open { mode: told }) if told == mode), "{mode:o}: {found:?}");
        }
        assert!(matches!(unfit(b"0123456789abcde", 0o400), Some(Unfit::TooShort)));
    }

    #[test]
    fn links_folders_pipes_and_names_of_nothing_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let (link, pipe) = (dir.path().join("link"), dir.path().join("pipe"));
        symlink("/etc/passwd", &link).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, Mode::RUSR).unwrap();
        assert!(matches!(read(&link), Err(Unfit::Link)));
        assert!(matches!(read(&pipe), Err(Unfit::NotAFile)));
        assert!(matches!(read(dir.path()), Err(Unfit::NotAFile)));
        assert!(matches!(read(&dir.path().join("none")), Err(Unfit::Unreadable(_))));
    }

    #[test]
    fn what_is_wiped_is_gone() {
        let mut secret = Secret::of(*b"0123456789abcdef");
        secret.wipe();
        assert_eq!(secret.bytes(), [0; LEN]);
    }
}
