//! An application process that this process started itself.
//!
//! Owns waiting for it and ending it. Its parent is this process; use the [`spawner`](crate::spawner) where the parent
//! has to be able to die, or where descendants must be found after they left the session.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus};
use tokio::io::unix::AsyncFd;

use crate::Exit;
use crate::app::{AppCommand, CommandError};
use crate::launch::{LaunchError, launch};

/// A running application. Dropping it kills its whole session and reaps it.
///
/// Until then it stays in the process table, as a zombie once it has ended: as long as its id cannot be given to another
/// process, no other session can be meant.
#[derive(Debug)]
pub struct AppProcess {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    exit: Option<Exit>,
    /// It outlives this.
    is_left: bool,
}

impl AppProcess {
    /// Starts `command` with `input`, a connection end or a listening socket, as descriptor 0.
    ///
    /// Must be called inside a tokio runtime with I/O enabled.
    ///
    /// # Errors
    /// When the command is wrong, or the process could not be made or did not come as far as its binary.
    pub fn spawn(command: &AppCommand, input: OwnedFd) -> Result<Self, StartError> {
        let spec = command.resolve()?;
        let log = command.open_log()?;
        let pid = launch(&spec, input.as_fd(), log.as_fd())?;
        // A copy kept here would hide the end of the application from whoever has the other end.
        drop(input);
        let open = || {
            let pidfd = rustix::process::pidfd_open(pid, PidfdFlags::empty())?;
            crate::sys::watch(pidfd)
        };
        match open() {
            Ok(pidfd) => Ok(Self { pid, pidfd, exit: None, is_left: false }),
            Err(source) => {
                kill_session(pid);
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
                Err(StartError::Watch { pid: pid.as_raw_nonzero().get(), source })
            }
        }
    }

    /// The process id; also the id of its process group and session.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Waits until the process has ended. Can be asked again. Nothing is lost if the wait is given up.
    ///
    /// # Errors
    /// When the system cannot tell, which would mean that somebody else reaped the process.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(exit);
            }
            self.pidfd.readable().await?.clear_ready();
        }
    }

    /// How the process ended, if it has.
    ///
    /// # Errors
    /// As for [`AppProcess::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<Exit>> {
        if self.exit.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            self.exit = waitid(&WaitId::PidFd(self.pidfd.as_fd()), options)?;
        }
        Ok(self.exit)
    }

    /// Sends a signal to the process, not to its descendants.
    ///
    /// # Errors
    /// When it has ended, or belongs to another user.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match self.exit {
            None => Ok(rustix::process::pidfd_send_signal(&self.pidfd, signal)?),
            Some(_) => Err(Errno::SRCH.into()),
        }
    }
}

impl AppProcess {
    /// Leaves the process alone from now on, whatever becomes of this. It is reaped by nobody before this program ends.
    pub(crate) fn leave(&mut self) {
        self.is_left = true;
    }
}

impl Drop for AppProcess {
    fn drop(&mut self) {
        if self.is_left {
            if self.exit.is_some() {
                let _ = waitid(&WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
            }
            return;
        }
        kill_session(self.pid);
        let _ = waitid(&WaitId::PidFd(self.pidfd.as_fd()), WaitIdOptions::EXITED);
    }
}

/// Kills every process of the session `leader` leads, whatever group it is in.
fn kill_session(leader: Pid) {
    let sid = leader.as_raw_nonzero().get();
    let _ = rustix::process::kill_process_group(leader, Signal::KILL);
    for process in crate::process_table::all() {
        if process.sid == sid
            && let Some(pid) = Pid::from_raw(process.pid)
        {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
    }
}

/// Waits as `options` say; `None` when there is nothing to tell yet.
fn waitid(id: &WaitId<'_>, options: WaitIdOptions) -> Result<Option<Exit>, Errno> {
    loop {
        match rustix::process::waitid(id.clone(), options) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(status) => {
                return Ok(status.as_ref().and_then(|status: &WaitIdStatus| Exit::from_status(status)));
            }
        }
    }
}

/// An application that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Its settings are wrong.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A step on the way to its binary failed.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// It started and cannot be watched; it was ended.
    #[error("process {pid} cannot be watched, and was ended: {source}")]
    Watch {
        /// The process.
        pid: i32,
        /// Why.
        source: io::Error,
    },
    /// The spawner process is not there any more.
    #[error("the spawner process has ended; start a new one to start applications")]
    SpawnerGone,
}
