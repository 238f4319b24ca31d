//! Where lines go: a file, a pipe or standard error, none of which may hold a request up.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, Mode, OFlags, fstat, open};
use rustix::io::{DupFlags, Errno, dup3};
use rustix::process::geteuid;

use crate::log_file::{Refused, locate};
use crate::sys::{self, Own};
use crate::{board, log};

/// How often it is said that lines are lost, in ms.
const REMINDER: u64 = 60_000;

/// Why lines were lost, if there are several reasons.
const LATE_OR_FULL: &str = "nobody read them in time, or there was no space";

/// What a line is written to.
#[derive(Debug)]
pub(super) struct File {
    /// `None`: standard error.
    path: Option<&'static Path>,
    /// `None`: standard error itself, or a file that could not be opened.
    fd: Option<OwnedFd>,
    /// Whether writing to it may have to wait, so that one has to ask first.
    may_wait: bool,
    /// Lines that could not be written and have not been told of.
    lost: u64,
    /// When that was told last, in ms of the board's clock.
    told: Option<u64>,
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// All of it is there.
    Whole,
    /// Some of it: the next line must not be its rest.
    Part,
    /// Nothing.
    Not,
}

impl File {
    /// Opens the file at `path`; `None` is standard error. What cannot be opened is said.
    pub(super) fn open(path: Option<&'static Path>) -> Self {
        let mut file = Self { path, fd: None, may_wait: false, lost: 0, told: None };
        file.reopen();
        file
    }

    /// Opens it anew. If that fails, the old one stays.
    pub(super) fn reopen(&mut self) {
        let Some(path) = self.path else { return self.reopen_stderr() };
        let opened = match open_file(path) {
            Ok(opened) => opened,
            Err(error) => {
                let instead =
                    if self.fd.is_some() { "going on in the old file" } else { "requests are not logged" };
                log::error(format_args!(
                    "the access log {} cannot be opened: {error}; {instead}",
                    path.display()
                ));
                return;
            }
        };
        self.take(opened);
    }

    /// What somebody reads may be full. A pipe of our own, which does not wait, leads there too; if it cannot be had, one asks.
    fn reopen_stderr(&mut self) {
        let stderr = rustix::stdio::stderr();
        let kind = fstat(stderr).map(|stat| FileType::from_raw_mode(stat.st_mode));
        self.may_wait = kind != Ok(FileType::RegularFile);
        if kind == Ok(FileType::Fifo)
            && let Ok(pipe) = open("/proc/self/fd/2", FLAGS, Mode::empty())
        {
            self.may_wait = false;
            self.take(pipe);
        }
    }

    /// Puts `opened` in the place of what there is, under the same number: whoever forks meanwhile has either.
    fn take(&mut self, opened: OwnedFd) {
        match &mut self.fd {
            Some(fd) => {
                // Both are open, so it cannot fail.
                let _ = dup3(&opened, fd, DupFlags::CLOEXEC);
            }
            None => {
                sys::keep_from_children(Own::AccessLog, Some(opened.as_raw_fd()));
                self.fd = Some(opened);
            }
        }
    }

    /// Writes a line, or what it can of it.
    pub(super) fn write(&mut self, line: &[u8]) -> Written {
        let fd = match (&self.fd, self.path) {
            (Some(fd), _) => fd.as_fd(),
            (None, None) => rustix::stdio::stderr(),
            // That has been said.
            (None, Some(_)) => return Written::Not,
        };
        let result = if self.may_wait && !has_room(fd) { Err(Errno::AGAIN) } else { write_once(fd, line) };
        match result {
            Ok(count) if count == line.len() => {
                if self.lost > 0 {
                    self.tell(LATE_OR_FULL);
                }
                Written::Whole
            }
            result => {
                self.lost += 1;
                // Standard error is where that would be told.
                if self.path.is_some() {
                    let reason = result.map_or_else(|errno| errno.to_string(), |_| "no space".to_owned());
                    self.tell(&reason);
                }
                if matches!(result, Ok(1..)) { Written::Part } else { Written::Not }
            }
        }
    }

    /// Says how many lines have been lost, now and then.
    fn tell(&mut self, reason: &str) {
        let now = board::now();
        if self.told.is_some_and(|told| now < told + REMINDER) {
            return;
        }
        self.told = Some(now);
        self.say(reason);
    }

    /// Says how many lines have been lost that have not been told of: no more come.
    pub(super) fn finish(&mut self) {
        if self.lost > 0 {
            self.say(LATE_OR_FULL);
        }
    }

    fn say(&mut self, reason: &str) {
        let name = self.path.map_or(PathBuf::from("standard error"), Path::to_owned);
        let lost = std::mem::take(&mut self.lost);
        log::warning(format_args!("lines of the access log lost: {lost} ({}: {reason})", name.display()));
    }
}

/// Without waiting for whoever reads a pipe, and not following a link that has been put there since.
const FLAGS: OFlags =
    OFlags::WRONLY.union(OFlags::APPEND).union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

fn open_file(path: &Path) -> Result<OwnedFd, Refused> {
    // Others may have made the folder, and put something there that root would write to.
    let is_root = geteuid().is_root();
    if is_root && path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink()) {
        return Err(Refused::NotOurs);
    }
    let flags = FLAGS.union(OFlags::CREATE).union(OFlags::NOFOLLOW);
    let file = open(locate(path)?, flags, Mode::from_raw_mode(0o640)).map_err(io::Error::from)?;
    let stat = fstat(&file).map_err(io::Error::from)?;
    let is_shared = FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_nlink > 1;
    if is_root && (stat.st_uid != 0 || is_shared) { Err(Refused::NotOurs) } else { Ok(file) }
}

fn write_once(fd: BorrowedFd<'_>, line: &[u8]) -> Result<usize, Errno> {
    loop {
        match rustix::io::write(fd, line) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

/// Whether something could be written at once.
fn has_room(fd: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::OUT)];
    !matches!(poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
}
