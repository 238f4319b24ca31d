//! A manager's signals: blocked, and read from a descriptor between two decisions.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::set_parent_process_death_signal;

use crate::sys;

/// What the manager waits for. Alarm has no other use here: it tells of the death of a parent, or of a thread of it.
const WATCHED: [Signal; 8] = [
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGHUP,
    Signal::SIGUSR2,
    Signal::SIGCHLD,
    Signal::SIGALRM,
];

/// The signals that came.
#[derive(Debug)]
pub(crate) struct Signals(SignalFd);

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Signals {
    /// Blocks what the manager waits for; a process it forks has to unblock it.
    pub(crate) fn block() -> io::Result<Self> {
        // Whoever ignores it, as a parent may have done, gets no status of its children.
        sys::expect_children()?;
        let set: SigSet = WATCHED.into_iter().collect();
        set.thread_block()?;
        // A process that has just been forked may get an order before its handlers know that they are to work for it.
        sys::block_order_signal();
        Ok(Self(SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// Asks for a signal at the death of the parent.
    pub(crate) fn watch_parent(&self) -> io::Result<()> {
        Ok(set_parent_process_death_signal(Some(rustix::process::Signal::ALARM))?)
    }

    /// The next signal, and the pid of its sender.
    pub(crate) fn next(&self) -> Option<(Signal, u32)> {
        let info = self.0.read_signal().ok().flatten()?;
        let signal = Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()?;
        Some((signal, info.ssi_pid))
    }
}

/// Who has sent a signal, in the words of the log.
pub(crate) fn sender(pid: u32) -> String {
    // The kernel has no number, nor have processes outside of a container.
    if pid == 0 { "the terminal or another container".to_owned() } else { format!("process {pid}") }
}
