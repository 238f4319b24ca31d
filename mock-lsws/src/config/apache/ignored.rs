//! What an Apache configuration says that does not count.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::file_error::position;

/// A directive that does not count, with how often it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ignored {
    /// The file.
    pub path: PathBuf,
    /// The line of the first, counted from 1.
    pub line: usize,
    /// The directive as it is written there first, or what of it is ignored.
    pub what: String,
    /// How often.
    pub count: usize,
}

impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, what, count } = self;
        write!(f, "{}:{line}: {what} is ignored", path.display())?;
        if *count > 1 { write!(f, " ({count} times)") } else { Ok(()) }
    }
}

/// Collects them, one for each name.
pub(super) struct Ignoring<'a> {
    path: &'a Path,
    text: &'a str,
    all: Vec<Ignored>,
}

impl<'a> Ignoring<'a> {
    pub(super) const fn new(path: &'a Path, text: &'a str) -> Self {
        Self { path, text, all: Vec::new() }
    }

    pub(super) fn add(&mut self, place: usize, what: &str) {
        match self.all.iter_mut().find(|known| known.what.eq_ignore_ascii_case(what)) {
            Some(known) => known.count += 1,
            None => {
                let (line, _) = position(self.text, place);
                self.all.push(Ignored { path: self.path.to_owned(), line, what: what.to_owned(), count: 1 });
            }
        }
    }

    pub(super) fn into_all(self) -> Vec<Ignored> {
        self.all
    }
}
