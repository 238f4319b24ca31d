//! Whom a request runs as, where applications run as the owners of what they serve.

use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A user and a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Account {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

impl Account {
    /// The owner of what is at `path`, if there is something.
    pub(crate) fn owner(path: &Path) -> Option<Self> {
        path.metadata().ok().map(|found| Self { uid: found.uid(), gid: found.gid() })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "uid {}, gid {}", self.uid, self.gid)
    }
}
