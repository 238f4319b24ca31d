//! The folder of an application that a scenario brings with it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use mock_lsws::scenario::{APP, Files};

use crate::subject::Account;

/// How much later than the file it replaces a file is at least. Whoever compares whole seconds sees this too.
const LATER: Duration = Duration::from_secs(1);

/// A folder with files of the user the application runs as.
pub(super) struct AppFolder {
    path: PathBuf,
    owner: Option<Account>,
}

impl AppFolder {
    /// Makes it in `folder`, with `files` in it.
    pub(super) fn make(folder: &Path, files: &Files, owner: Option<&Account>) -> io::Result<Self> {
        // Applications learn their real path, and scenarios compare it.
        let path = folder.canonicalize()?.join("app");
        let folder = Self { path, owner: owner.cloned() };
        folder.make_folder(&folder.path)?;
        folder.write(files)?;
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The file that the application begins in.
    pub(super) fn script(&self) -> PathBuf {
        self.path.join(APP)
    }

    /// Writes `files`, each at once for whoever reads it, and so that one in place of another has a later time.
    pub(super) fn write(&self, files: &Files) -> io::Result<()> {
        for (path, text) in &files.0 {
            let path = self.path.join(path);
            for above in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
                if !above.is_dir() {
                    self.make_folder(above)?;
                }
            }
            let mut name = path.file_name().unwrap_or_default().to_owned();
            name.push(".new");
            let new = path.with_file_name(name);
            fs::write(&new, text)?;
            self.give(&new)?;
            if let Ok(replaced) = path.metadata() {
                let time = (replaced.modified()? + LATER).max(SystemTime::now());
                File::options().write(true).open(&new)?.set_modified(time)?;
            }
            fs::rename(&new, &path)?;
        }
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)?;
        self.give(path)
    }

    /// Makes `path` the application's own.
    fn give(&self, path: &Path) -> io::Result<()> {
        match &self.owner {
            Some(account) => chown(path, Some(account.user.uid), Some(account.user.gid)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> Files {
        Files(files.iter().map(|(path, text)| (path.into(), (*text).to_owned())).collect())
    }

    #[test]
    fn a_file_in_place_of_another_of_its_length_has_another_second() {
        let top = tempfile::tempdir().unwrap();
        let folder = AppFolder::make(top.path(), &files(&[("app.py", "a"), ("x/y/z.py", "")]), None).unwrap();
        let second = |name: &str| {
            let time = folder.path().join(name).metadata().unwrap().modified().unwrap();
            time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
        };
        let before = second("app.py");
        folder.write(&files(&[("app.py", "b"), ("x/new/w.py", "w")])).unwrap();
        assert!(second("app.py") > before);
        assert_eq!(fs::read_to_string(folder.script()).unwrap(), "b");
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["app.py", "x"], "nothing else is left");
    }
}
