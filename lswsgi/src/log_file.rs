//! Files log lines go to: where they may be. Who opens them, and what follows if that fails, is the business of `stderr_log`
//! and `access_log`.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file is not used as a log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// It would be among the system's settings.
    #[error("it is under /etc, where no log belongs")]
    Settings,
    /// The process is root's, and the file is a link, or not root's alone: whoever has made it would have root write elsewhere.
    #[error("it is a link or belongs to somebody else, and this process is root's")]
    NotOurs,
    /// The operating system does not let us.
    #[error("{0}")]
    Unusable(#[from] io::Error),
}

/// The real path of the log at `path`, which need not be there yet, nor any more, be it behind a link.
///
/// # Errors
/// [`Refused::Settings`], and what the operating system says about the folder.
pub(crate) fn locate(path: &Path) -> Result<PathBuf, Refused> {
    let real = match path.canonicalize() {
        // Not of links that lead in a circle.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return locate_new(path),
        result => result?,
    };
    check(real)
}

/// The same for a file that does not exist.
fn locate_new(path: &Path) -> Result<PathBuf, Refused> {
    let name = path.file_name().ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    match path.read_link() {
        Ok(target) => locate(&directory.join(target)),
        Err(_) => check(directory.canonicalize().map_err(Refused::Unusable)?.join(name)),
    }
}

fn check(real: PathBuf) -> Result<PathBuf, Refused> {
    if real.starts_with("/etc") { Err(Refused::Settings) } else { Ok(real) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_way_leads_into_the_systems_settings() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/etc", &link).unwrap();
        for path in [Path::new("/etc/lswsgi-test"), Path::new("/etc/../etc/hosts"), &link.join("lswsgi-test")]
        {
            let refused = locate(path).unwrap_err();
            assert!(matches!(refused, Refused::Settings), "{refused}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_in_a_folder_that_is() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        symlink(dir.path(), dir.path().join("link")).unwrap();
        assert_eq!(locate(&dir.path().join("link/new.log")).unwrap(), real.join("new.log"));
        assert!(matches!(locate(&dir.path().join("not/new.log")), Err(Refused::Unusable(_))));
    }

    #[test]
    fn what_a_link_leads_to_may_have_been_rotated_away() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        for (target, name) in [("real/app.log", "link"), ("link", "another"), ("circle", "circle")] {
            symlink(target, dir.path().join(name)).unwrap();
        }
        symlink("/etc/lswsgi-test", dir.path().join("settings")).unwrap();
        std::fs::create_dir(dir.path().join("real")).unwrap();
        for name in ["link", "another"] {
            assert_eq!(locate(&dir.path().join(name)).unwrap(), real.join("real/app.log"));
        }
        assert!(matches!(locate(&dir.path().join("circle")), Err(Refused::Unusable(_))));
        assert!(matches!(locate(&dir.path().join("settings")), Err(Refused::Settings)));
    }
}
