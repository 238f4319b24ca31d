//! Where the files of a subject are in this run, and who runs them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::account::Account;

/// The subject's binary, the copies that stand in for files its user cannot reach, and that user.
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// What `{binary}` stands for; empty if the command does not use it.
    pub binary: PathBuf,
    /// The user it runs as; the runner's own without one.
    pub account: Option<Account>,
    /// Copies by the files and folders they stand in for.
    pub(super) copies: BTreeMap<PathBuf, PathBuf>,
}

impl Place {
    /// Files where they are, run by the runner's own user.
    #[must_use]
    pub fn here(binary: PathBuf) -> Self {
        Self { binary, ..Self::default() }
    }

    /// Where `file` is to be used from.
    pub(super) fn of<'a>(&'a self, file: &'a Path) -> &'a Path {
        self.copies.get(file).map_or(file, PathBuf::as_path)
    }
}
