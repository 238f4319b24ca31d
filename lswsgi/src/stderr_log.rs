//! LSAPI_STDERR_LOG: a file that takes the place of standard error (lsapi 2.3).
//!
//! Nothing about it is worth not serving for: what cannot be done is said, and standard error stays what it was.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

use crate::log;
use crate::log_file::{self, Refused};

/// Why standard error stays what it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDiverted {
    /// The process is root's, whose rights a name in the environment must not borrow.
    #[error("LSAPI_STDERR_LOG is ignored in a process of root; standard error stays as it is")]
    Root,
    /// The file cannot be opened, or cannot become standard error.
    #[error("LSAPI_STDERR_LOG={} cannot be used ({source}); standard error stays as it is", path.display())]
    Unusable {
        /// The file named.
        path: PathBuf,
        /// Why.
        source: Refused,
    },
}

/// The file, wherever this process may be by now; none: standard error is what it was. Processes forked later know it too.
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Makes the file at `path`, relative to the current directory, standard error.
pub(crate) fn divert(path: &Path) -> Result<(), NotDiverted> {
    if rustix::process::geteuid().is_root() {
        return Err(NotDiverted::Root);
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let file = open(&absolute).map_err(|source| NotDiverted::Unusable { path: path.to_owned(), source })?;
    log::info(format_args!("going on in {} (LSAPI_STDERR_LOG)", path.display()));
    let result = rustix::stdio::dup2_stderr(&file);
    result.map_err(|errno| NotDiverted::Unusable {
        path: path.to_owned(),
        source: Refused::Unusable(errno.into()),
    })?;
    FILE.get_or_init(|| absolute);
    Ok(())
}

/// Goes on in a new file if the one that is standard error has been renamed. If that cannot be had, in the old one.
pub(crate) fn reopen() {
    let Some(path) = FILE.get() else { return };
    let reopened = open(path).and_then(|file| {
        // Standard output is the same.
        rustix::stdio::dup2_stderr(&file).map_err(io::Error::from)?;
        rustix::stdio::dup2_stdout(&file).map_err(io::Error::from)?;
        Ok(())
    });
    if let Err(error) = reopened {
        log::error(format_args!(
            "LSAPI_STDERR_LOG={} cannot be opened anew: {error}; going on in the old file",
            path.display()
        ));
    }
}

/// The file standard error is, if it is one.
pub(crate) fn current() -> Option<PathBuf> {
    let path = std::fs::read_link("/proc/self/fd/2").ok()?;
    // Other than a pipe or a socket, it has a path; unless it was removed, there is a file there.
    path.metadata().is_ok_and(|there| there.is_file()).then_some(path)
}

/// Opens the file for appending, and makes it if it is not there. Does not wait for somebody to read a pipe.
fn open(path: &Path) -> Result<File, Refused> {
    let real = log_file::locate(path)?;
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(flags).open(&real)?;
    // What is printed waits for its reader all the same: an application does not expect anything else.
    let flags = fcntl_getfl(&file).map_err(io::Error::from)?;
    fcntl_setfl(&file, flags - OFlags::NONBLOCK).map_err(io::Error::from)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::mpsc;
    use std::time::Duration;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

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
    fn a_pipe_that_nobody_reads_is_not_waited_for_and_one_that_is_read_is_as_usual() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let (done, opened) = mpsc::channel();
        let unread = path.clone();
        std::thread::spawn(move || done.send(open(&unread).is_err()));
        assert_eq!(opened.recv_timeout(Duration::from_secs(20)), Ok(true), "it waits");
        // Both ends, which does not wait on Linux.
        let _reader = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let file = open(&path).unwrap();
        assert!(!fcntl_getfl(&file).unwrap().contains(OFlags::NONBLOCK));
    }

    #[test]
    fn what_cannot_be_opened_is_told_with_its_name() {
        let path = PathBuf::from("/nowhere/app.log");
        let source = open(&path).unwrap_err();
        let told = NotDiverted::Unusable { path, source }.to_string();
        assert!(told.starts_with("LSAPI_STDERR_LOG=/nowhere/app.log cannot be used (No such file"), "{told}");
    }
}
