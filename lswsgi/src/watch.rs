//! Has a file changed? And is it time to try again what failed because of it?

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

impl Stamp {
    /// Length of [`to_bytes`](Self::to_bytes).
    pub(crate) const BYTES: usize = 32;

    /// The state of what is at `path`; `None` if nothing is.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Some(Self { modified, size: metadata.size(), inode: metadata.ino() })
    }

    /// For another process of this program.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let parts = [
            self.modified.0.to_ne_bytes(),
            self.modified.1.to_ne_bytes(),
            self.size.to_ne_bytes(),
            self.inode.to_ne_bytes(),
        ];
        bytes.iter_mut().zip(parts.as_flattened()).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// What another has said.
    pub(crate) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let mut parts = bytes.as_chunks::<8>().0.iter().copied();
        let mut part = || parts.next().unwrap_or_default();
        let modified = (i64::from_ne_bytes(part()), i64::from_ne_bytes(part()));
        Self { modified, size: u64::from_ne_bytes(part()), inode: u64::from_ne_bytes(part()) }
    }
}

/// An application that cannot be used, until that may have changed.
#[derive(Debug)]
pub(crate) struct Watch {
    path: PathBuf,
    file: Option<Stamp>,
    directory: Option<Stamp>,
    since: Instant,
    retry: Duration,
}

impl Watch {
    /// Watches the application at `path`, which was in the state `file` when it was tried. Its directory counts as it is
    /// now: the attempt itself may have left byte code in it.
    pub(crate) fn new(path: &Path, file: Option<Stamp>, retry: Duration) -> Self {
        let directory = path.parent().and_then(Stamp::of);
        Self { path: path.to_owned(), file, directory, since: Instant::now(), retry }
    }

    /// Whether another attempt may end differently: the file or its directory has changed, or the back-off has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.since.elapsed() >= self.retry
            || self.file != Stamp::of(&self.path)
            || self.directory != self.path.parent().and_then(Stamp::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_survives_its_way_to_another_process() {
        let stamp = Stamp { modified: (-1, 2), size: 3 << 40, inode: u64::MAX };
        assert_eq!(Stamp::from_bytes(stamp.to_bytes()), stamp);
    }

    #[test]
    fn a_change_of_the_file_or_its_directory_or_time_ends_the_wait() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.py");
        let watch = |retry| Watch::new(&path, Stamp::of(&path), retry);
        let hour = Duration::from_secs(3600);
        assert!(!watch(hour).is_over());
        assert!(watch(Duration::ZERO).is_over());
        let missing = watch(hour);
        std::fs::write(&path, "a").unwrap();
        assert!(missing.is_over());
        let there = watch(hour);
        assert!(!there.is_over());
        std::fs::write(&path, "ab").unwrap();
        assert!(there.is_over());
        let whole = watch(hour);
        std::fs::create_dir(dir.path().join("package")).unwrap();
        assert!(whole.is_over());
    }
}
