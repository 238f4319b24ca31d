//! A running process, whoever started it.
//!
//! Owns the three ways to wait for a process, to send it a signal, and to leave it alone. When it is told to end is
//! [`Process`](super::process::Process)'.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, WaitOptions};
use tokio::io::unix::AsyncFd;

use super::launcher::Launcher;
use crate::app_process::StartError;
use crate::{AppCommand, AppProcess, Signal, SpawnedApp};

/// A process, whoever its parent is.
#[derive(Debug)]
pub(super) enum Running {
    Here(AppProcess),
    There {
        app: SpawnedApp,
        stays: bool,
    },
    /// One that was found.
    Found {
        pid: i32,
        pidfd: AsyncFd<OwnedFd>,
        stays: bool,
    },
}

impl Running {
    /// Starts a process; if it `stays` it outlives this program.
    ///
    /// # Errors
    /// When it did not come as far as its binary.
    pub(super) async fn start(
        launcher: &Launcher,
        command: AppCommand,
        input: OwnedFd,
        stays: bool,
    ) -> Result<Self, StartError> {
        match launcher {
            Launcher::Spawner(spawner) => {
                let app = spawner.spawn(&command, input).await?;
                if stays {
                    spawner.let_stay(&app);
                }
                Ok(Self::There { app, stays })
            }
            Launcher::Here => {
                // It waits for the exec.
                let start = move || AppProcess::spawn(&command, input);
                match tokio::task::spawn_blocking(start).await {
                    Ok(app) => {
                        let mut app = app?;
                        if stays {
                            app.leave();
                        }
                        Ok(Self::Here(app))
                    }
                    Err(_) => Err(StartError::SpawnerGone),
                }
            }
        }
    }

    /// Finds one that somebody else has started.
    ///
    /// # Errors
    /// When it has ended.
    pub(super) fn find(pid: i32, stays: bool) -> Result<Self, StartError> {
        let open = || {
            let pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
            crate::sys::watch(rustix::process::pidfd_open(pid, PidfdFlags::empty())?)
        };
        let pidfd = open().map_err(|source| StartError::Watch { pid, source })?;
        Ok(Self::Found { pid, pidfd, stays })
    }

    /// Its id.
    pub(super) fn pid(&self) -> i32 {
        match self {
            Self::Here(app) => app.pid(),
            Self::There { app, .. } => app.pid(),
            Self::Found { pid, .. } => *pid,
        }
    }

    /// Waits for its end, and says in words what it was.
    pub(super) async fn wait(&mut self) -> String {
        let unknown = |error: &dyn std::fmt::Display| format!("an end nobody can tell: {error}");
        match self {
            Self::Here(app) => app.wait().await.map_or_else(|error| unknown(&error), |exit| exit.to_string()),
            Self::There { app, .. } => {
                app.wait().await.map_or_else(|error| unknown(&error), |exit| exit.to_string())
            }
            Self::Found { pid, pidfd, .. } => {
                let ready = pidfd.readable().await;
                // It may be a child of this program, which nobody else would reap.
                let _ = rustix::process::waitpid(Pid::from_raw(*pid), WaitOptions::NOHANG);
                match ready {
                    Ok(_) => "how is known to its parent only".to_owned(),
                    Err(error) => unknown(&error),
                }
            }
        }
    }

    /// Sends a signal.
    pub(super) fn signal(&self, signal: Signal) {
        // It may have ended in this moment.
        let _: io::Result<()> = match self {
            Self::Here(app) => app.signal(signal),
            Self::There { app, .. } => app.signal(signal),
            Self::Found { pidfd, .. } => {
                rustix::process::pidfd_send_signal(pidfd, signal).map_err(io::Error::from)
            }
        };
    }

    /// Leaves it alone from now on.
    pub(super) fn leave(&mut self) {
        match self {
            Self::Here(app) => app.leave(),
            Self::There { stays, .. } | Self::Found { stays, .. } => *stays = true,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The first kind ends with its owner by itself.
        if let Self::There { stays: false, .. } | Self::Found { stays: false, .. } = self {
            self.signal(Signal::KILL);
        }
    }
}
