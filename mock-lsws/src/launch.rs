//! Turning a resolved description of an application into a running process.
//!
//! Owns what is prepared before the fork and how a failure after it comes back. What the settings of an
//! [`AppCommand`](crate::AppCommand) mean is decided there; who waits for the process is decided by
//! [`AppProcess`](crate::AppProcess) and the [`spawner`](crate::spawner).

use std::ffi::{CString, OsString};
use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use crate::sys;

/// A process to start, with nothing left to decide. Descriptors travel beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LaunchSpec {
    /// Absolute path of the binary; it is also `argv[0]`.
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// Descriptor 0 is closed in it, whatever travels with this.
    #[serde(default)]
    pub(crate) closed_input: bool,
    /// `KEY=VALUE` strings in the order the process gets them.
    pub(crate) env: Vec<OsString>,
    pub(crate) directory: OsString,
    /// What becomes descriptor 2, opened in the process, in the place of what travels with this.
    #[serde(default)]
    pub(crate) log_file: Option<OsString>,
    pub(crate) umask: u32,
    pub(crate) nice: Option<i32>,
    /// Whether the program may become another user, where it runs as root.
    pub(crate) may_switch_user: bool,
    pub(crate) limits: Vec<(u32, u64, u64)>,
    /// User id, group id and supplementary groups.
    pub(crate) user: Option<(u32, u32, Vec<u32>)>,
}

/// Starts `spec` with `input` as descriptor 0 and `log` as descriptor 2.
///
/// # Errors
/// When the process could not be created, or one of the steps up to exec failed; there is no process then.
pub(crate) fn launch(
    spec: &LaunchSpec,
    input: BorrowedFd<'_>,
    log: BorrowedFd<'_>,
) -> Result<Pid, LaunchError> {
    let fail = |step: Step| {
        move |error: io::Error| LaunchError {
            program: spec.program.clone().into(),
            directory: spec.directory.clone().into(),
            log_file: spec.log_file.clone().map(PathBuf::from),
            step,
            errno: error.raw_os_error().unwrap_or(0),
        }
    };
    let invalid = |_| fail(Step::Text)(Errno::INVAL.into());
    let text = |string: &OsString| CString::new(string.clone().into_vec());
    let strings = |list: &[OsString]| list.iter().map(text).collect::<Result<Vec<_>, _>>();

    let mut args = strings(&spec.args).map_err(invalid)?;
    args.insert(0, text(&spec.program).map_err(invalid)?);
    let stdio = [above_stdio(input), above_stdio(dead_end()?.as_fd()), above_stdio(log)];
    let [input, output, log] = stdio.map(|fd| fd.map_err(fail(Step::Fork)));
    let (input, output, log) = (input?, output?, log?);
    let (reader, writer) = report_pipe().map_err(fail(Step::Fork))?;

    let prepared = sys::Prepared {
        program: text(&spec.program).map_err(invalid)?,
        args: sys::ExecStrings::new(args),
        env: sys::ExecStrings::new(strings(&spec.env).map_err(invalid)?),
        directory: text(&spec.directory).map_err(invalid)?,
        stdio: [input.as_fd(), output.as_fd(), log.as_fd()],
        closed_input: spec.closed_input,
        log_file: spec.log_file.as_ref().map(text).transpose().map_err(invalid)?,
        umask: spec.umask,
        nice: spec.nice,
        may_switch_user: spec.may_switch_user,
        limits: limits(spec),
        user: spec.user.clone().map(|(uid, gid, groups)| sys::RawUser { uid, gid, groups }),
    };
    let pid = sys::fork_exec(&prepared, writer.as_fd()).map_err(fail(Step::Fork))?;

    drop(writer);
    let mut report = Vec::with_capacity(sys::REPORT_LEN);
    // Ends with exec, which closes the other end, or with the report of a child that then exits.
    let read = std::fs::File::from(reader).read_to_end(&mut report);
    match sys::decode_report(&report) {
        None if read.is_ok() => Ok(pid),
        failure => {
            // Nobody else knows of this process yet.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
            let (step, errno) =
                failure.map_or((Step::Fork, Errno::IO), |failure| (failure.step, failure.errno));
            Err(fail(step)(errno.into()))
        }
    }
}

/// Limits set before the user is changed, and after. Memory comes last: what is still to be done shall not fail for it.
fn limits(spec: &LaunchSpec) -> [Vec<sys::RawLimit>; 2] {
    let limits = spec.limits.iter().map(|&(resource, soft, hard)| sys::RawLimit { resource, soft, hard });
    let (after, before) = limits.partition(|limit| limit.resource == libc::RLIMIT_AS);
    [before, after]
}

/// A socket nobody listens to at the other end: what is written to it fails with EPIPE, as on a real server's
/// standard output.
fn dead_end() -> Result<OwnedFd, LaunchError> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
        .map(|(ours, _closed_here)| ours)
        .map_err(|errno| LaunchError {
            program: PathBuf::new(),
            directory: PathBuf::new(),
            log_file: None,
            step: Step::Fork,
            errno: errno.raw_os_error(),
        })
}

/// A duplicate that cannot be in the way of descriptors 0, 1 and 2.
fn above_stdio(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)
}

fn report_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let writer = above_stdio(writer.as_fd())?;
    Ok((reader, writer))
}

/// A step on the way to a running application, in the order they are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Step {
    /// Checking the strings: none may contain a NUL.
    Text = 1,
    /// Making descriptors and the process.
    Fork,
    /// Putting descriptors 0, 1 and 2 in place and giving up the others.
    Descriptors,
    /// Becoming the leader of a new session.
    Session,
    /// Setting the priority.
    Priority,
    /// Giving up the right to become another user.
    Capabilities,
    /// Changing to the working directory.
    Directory,
    /// Setting resource limits.
    Limits,
    /// Changing user and groups.
    User,
    /// Opening the log file.
    Log,
    /// Executing the binary.
    Exec,
}

impl Step {
    const ALL: [Self; 11] = [
        Self::Text,
        Self::Fork,
        Self::Descriptors,
        Self::Session,
        Self::Priority,
        Self::Capabilities,
        Self::Directory,
        Self::Limits,
        Self::User,
        Self::Log,
        Self::Exec,
    ];

    pub(crate) const fn byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Self {
        Self::ALL.into_iter().find(|step| step.byte() == byte).unwrap_or(Self::Fork)
    }
}

/// An application that could not be started, and the step it failed at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchError {
    /// The binary.
    pub program: PathBuf,
    /// The directory it should have started in.
    pub directory: PathBuf,
    /// The file its standard error should have gone to, where that is opened by the process itself.
    pub log_file: Option<PathBuf>,
    /// What failed.
    pub step: Step,
    /// The error number the system gave.
    pub errno: i32,
}

impl LaunchError {
    /// Whether the binary is not there, as opposed to not being allowed or not working.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.step == Step::Exec && self.errno == Errno::NOENT.raw_os_error()
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, directory, log_file, step, errno } = self;
        let error = io::Error::from_raw_os_error(*errno);
        let program = program.display();
        match step {
            Step::Text => {
                write!(
                    f,
                    "{program}: an argument, a variable or the directory contains a NUL byte; remove it"
                )
            }
            Step::Fork => write!(f, "{program}: no process could be made for it: {error}"),
            Step::Descriptors => write!(f, "{program}: its descriptors could not be set up: {error}"),
            Step::Session => write!(f, "{program}: it could not get a session of its own: {error}"),
            Step::Priority => {
                write!(f, "{program}: its priority could not be set: {error}; only root may lower the number")
            }
            Step::Directory => write!(
                f,
                "{program}: cannot change to its working directory {}: {error}",
                directory.display()
            ),
            Step::Limits => {
                write!(
                    f,
                    "{program}: a resource limit could not be set: {error}; only root may raise a hard limit"
                )
            }
            Step::Capabilities => {
                write!(f, "{program}: the right to become another user could not be taken from it: {error}")
            }
            Step::Log => write!(
                f,
                "{program}: log file {} cannot be opened for appending by the user it runs as: {error}",
                log_file.as_deref().unwrap_or(Path::new("LS_STDERR_LOG")).display()
            ),
            Step::User => {
                write!(f, "{program}: user and groups could not be changed: {error}; this takes root")
            }
            Step::Exec if *errno == Errno::NOENT.raw_os_error() => write!(
                f,
                "{program}: cannot be executed: {error}; check the path, and for a script the interpreter in its \
                 first line"
            ),
            Step::Exec if *errno == Errno::ACCESS.raw_os_error() => write!(
                f,
                "{program}: cannot be executed: {error}; it needs execute permission, and each folder above it too"
            ),
            Step::Exec => write!(f, "{program}: cannot be executed: {error}"),
        }
    }
}

impl std::error::Error for LaunchError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_survives_the_pipe() {
        for step in Step::ALL {
            assert_eq!(Step::from_byte(step.byte()), step);
        }
    }
}
