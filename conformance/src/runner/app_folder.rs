//! The folder of an application that a scenario brings with it.

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown, fchown};
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
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            self.write_file(&self.path.join(path), text).map_err(named)?;
        }
        Ok(())
    }

    /// Writes one file. The folder is the application's, and what it has made there may lead elsewhere: no link is
    /// followed, or a test run by root would write wherever the application likes.
    fn write_file(&self, path: &Path, text: &str) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.path);
        let below: Vec<_> = folder.ancestors().take_while(|above| *above != self.path).collect();
        for above in below.into_iter().rev() {
            match above.symlink_metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(io::ErrorKind::NotADirectory.into()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => self.make_folder(above)?,
                Err(error) => return Err(error),
            }
        }
        // Under a name nobody has, and which is gone if anything goes wrong.
        let mut new =
            tempfile::Builder::new().permissions(Permissions::from_mode(0o644)).tempfile_in(folder)?;
        new.write_all(text.as_bytes())?;
        if let Some(account) = &self.owner {
            fchown(&new, Some(account.user.uid), Some(account.user.gid))?;
        }
        if let Ok(replaced) = path.symlink_metadata() {
            let time = (replaced.modified()? + LATER).max(SystemTime::now());
            new.as_file().set_modified(time)?;
        }
        new.persist(path)?;
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
    use std::os::unix::fs::symlink;

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
    #[test]
    fn no_file_is_lost_because_of_the_name_of_another() {
        let top = tempfile::tempdir().unwrap();
        let long = "a".repeat(255);
        let wanted = files(&[("a.new", "kept"), ("a", "1"), (&long, "2")]);
        let folder = AppFolder::make(top.path(), &wanted, None).unwrap();
        for (name, text) in wanted.0 {
            let path = folder.path().join(name);
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o444, 0o444, "anybody reads it");
        }
    }

    #[test]
    fn links_of_the_application_lead_nowhere() {
        let top = tempfile::tempdir().unwrap();
        let folder = AppFolder::make(top.path(), &files(&[("app.py", "")]), None).unwrap();
        let outside = top.path().join("outside");
        fs::write(&outside, "untouched").unwrap();
        symlink(&outside, folder.path().join("b.py")).unwrap();
        symlink(top.path(), folder.path().join("pkg")).unwrap();
        folder.write(&files(&[("b.py", "b")])).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("b.py")).unwrap(), "b");
        let error = folder.write(&files(&[("pkg/x.py", "x")])).unwrap_err();
        assert!(error.to_string().starts_with("pkg/x.py: "), "{error}");
        assert_eq!(fs::read_to_string(&outside).unwrap(), "untouched");
        assert!(!top.path().join("x.py").exists());
    }
}
