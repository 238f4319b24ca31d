//! LSAPI_STDERR_LOG: a file that takes the place of standard error (lsapi 2.3).
//!
//! Nothing about it is worth not serving for: what cannot be done is said, and standard error stays what it was.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::log;

/// Why standard error stays what it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDiverted {
    /// The process is root's, whose rights a name in the environment must not borrow.
    #[error("LSAPI_STDERR_LOG is ignored in a process of root; standard error stays as it is")]
    Root,
    /// The file would be among the system's settings.
    #[error("LSAPI_STDERR_LOG={} is under /etc, where no log belongs; standard error stays as it is", path.display())]
    Settings {
        /// The file named.
        path: PathBuf,
    },
    /// The file cannot be opened, or cannot become standard error.
    #[error("LSAPI_STDERR_LOG={} cannot be used ({source}); standard error stays as it is", path.display())]
    Unusable {
        /// The file named.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Makes the file at `path`, relative to the current directory, standard error.
pub(crate) fn divert(path: &Path) -> Result<(), NotDiverted> {
    if rustix::process::geteuid().is_root() {
        return Err(NotDiverted::Root);
    }
    let file = open(path)?;
    log::info(format_args!("going on in {} (LSAPI_STDERR_LOG)", path.display()));
    rustix::stdio::dup2_stderr(&file)
        .map_err(|errno| NotDiverted::Unusable { path: path.to_owned(), source: errno.into() })
}

/// The file standard error is, if it is one.
pub(crate) fn current() -> Option<PathBuf> {
    let path = std::fs::read_link("/proc/self/fd/2").ok()?;
    // Other than a pipe or a socket, it has a path; unless it was removed, there is a file there.
    path.metadata().is_ok_and(|there| there.is_file()).then_some(path)
}

/// Opens the file for appending, and makes it if it is not there.
fn open(path: &Path) -> Result<File, NotDiverted> {
    let unusable = |source| NotDiverted::Unusable { path: path.to_owned(), source };
    let real = path.canonicalize().or_else(|_| resolve_new(path)).map_err(unusable)?;
    if real.starts_with("/etc") {
        return Err(NotDiverted::Settings { path: path.to_owned() });
    }
    OpenOptions::new().append(true).create(true).mode(0o644).open(&real).map_err(unusable)
}

/// The real path of a file that does not exist yet.
fn resolve_new(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    Ok(directory.unwrap_or(Path::new(".")).canonicalize()?.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn the_file_is_made_when_it_is_not_there_and_continued_when_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app.log");
        for line in ["one\n", "two\n"] {
            open(&path).unwrap().write_all(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"one\ntwo\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o133, 0);
    }

    #[test]
    fn no_way_leads_into_the_systems_settings() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("/etc", &link).unwrap();
        for path in [Path::new("/etc/lswsgi-test"), Path::new("/etc/../etc/hosts"), &link.join("lswsgi-test")]
        {
            let refused = open(path).unwrap_err();
            assert!(matches!(refused, NotDiverted::Settings { .. }), "{refused}");
        }
    }

    #[test]
    fn what_cannot_be_opened_is_told_with_its_name() {
        let told = open(Path::new("/nowhere/app.log")).unwrap_err().to_string();
        assert!(told.starts_with("LSAPI_STDERR_LOG=/nowhere/app.log cannot be used (No such file"), "{told}");
    }
}
