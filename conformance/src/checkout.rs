//! Where the scenarios are, and the checkout around them.

use std::path::{Path, PathBuf};

use crate::Error;

/// What makes a folder the folder of scenarios.
const SUBJECTS: &str = "subjects";

/// The folder of scenarios: as given, or the nearest one above the current folder, or the one this program was built
/// beside.
///
/// # Errors
/// [`Error::NoScenarios`] if there is none, [`Error::Unreadable`] if the one given is not there.
pub fn scenarios(given: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(given) = given {
        return std::path::absolute(given)
            .and_then(|path| path.read_dir().map(|_| path))
            .map_err(|source| Error::Unreadable { path: given.to_owned(), source });
    }
    let here = std::env::current_dir().unwrap_or_default();
    let built_in = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors()
        .chain(built_in.parent())
        .map(|folder| folder.join("scenarios"))
        .find(|folder| folder.join(SUBJECTS).is_dir())
        .ok_or(Error::NoScenarios)
}

/// The file of subject `name`: the path if it looks like one, else a shipped subject.
#[must_use]
pub fn subject_file(name: &str, scenarios: &Path) -> PathBuf {
    let is_path =
        name.contains('/') || Path::new(name).extension().is_some_and(|extension| extension == "toml");
    if is_path { PathBuf::from(name) } else { scenarios.join(SUBJECTS).join(name).with_extension("toml") }
}

/// `path` as seen from the current folder, if it is below it.
#[must_use]
pub fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).map_or_else(|_| path.to_owned(), Path::to_path_buf)
}
