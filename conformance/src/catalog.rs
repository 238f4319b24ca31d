//! All scenarios: finding the files and reading them.

use std::path::{Path, PathBuf};

use mock_lsws::scenario::{Declared, Scenario, parse_file};

use crate::{Error, checkout};

/// Folders beside the areas that hold no cases.
const NOT_AREAS: [&str; 4] = ["apps", "recordings", "subjects", mock_lsws::scenario::ROLES];

/// Reads every scenario below `root`, in the order of their IDs. `declared` are the figures of the subject they are for.
///
/// # Errors
/// [`Error::BadScenarios`] with the first mistake of every wrong file.
pub fn load(root: &Path, declared: &Declared) -> Result<Vec<Scenario>, Error> {
    let mut files = Vec::new();
    for area in entries(root)? {
        let is_area = area.file_name().is_some_and(|name| !NOT_AREAS.iter().any(|not| name == *not));
        if area.is_dir() && is_area {
            collect(&area, &mut files)?;
        }
    }
    read(root, files, declared)
}

/// Reads the scenarios below `root` that try the roles, one a role, in the order of their names. There may be none.
///
/// # Errors
/// [`Error::BadScenarios`] with the first mistake of every wrong file.
pub fn probes(root: &Path, declared: &Declared) -> Result<Vec<Scenario>, Error> {
    let mut files = Vec::new();
    let folder = root.join(mock_lsws::scenario::ROLES);
    if folder.is_dir() {
        collect(&folder, &mut files)?;
    }
    read(root, files, declared)
}

fn read(root: &Path, files: Vec<PathBuf>, declared: &Declared) -> Result<Vec<Scenario>, Error> {
    let mut cases = Vec::new();
    let mut mistakes = Vec::new();
    for file in files {
        match parse_file(root, &file, declared) {
            Ok(more) => cases.extend(more),
            Err(mut mistake) => {
                mistake.path = checkout::shown(&mistake.path);
                mistakes.push(mistake);
            }
        }
    }
    if !mistakes.is_empty() {
        return Err(Error::BadScenarios(mistakes));
    }
    cases.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(cases)
}

/// The files `*.toml` below `folder`, in the order of their paths. Links to folders are not followed.
///
/// # Errors
/// [`Error::Unreadable`].
pub fn toml_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Error> {
    for entry in entries(folder)? {
        if entry.is_dir() {
            // A link to a folder above would lead into it again and again.
            if entry.is_symlink() {
                continue;
            }
            collect(&entry, files)?;
        } else if entry.extension().is_some_and(|extension| extension == "toml") {
            files.push(entry);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| Error::Unreadable { path: folder.to_owned(), source };
    let entries = folder.read_dir().map_err(unreadable)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(unreadable)).collect()
}
