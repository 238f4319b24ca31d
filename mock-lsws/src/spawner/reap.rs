//! Waiting without threads: for messages, for children that ended, and for requests to stop.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitOptions};

use super::message::{Message, now};
use crate::{Exit, sys};

/// What keeper and server wait on.
pub(crate) struct Events {
    control: UnixStream,
    signals: OwnedFd,
}

/// Why a wait ended.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready {
    /// There is a message on the control socket, or its end.
    pub(crate) control: bool,
    /// A child may have ended.
    pub(crate) child: bool,
    /// Somebody wants this process to end.
    pub(crate) stop: bool,
}

impl Events {
    /// Takes the control socket and, from now on, the signals.
    pub(crate) fn new(control: OwnedFd) -> io::Result<Self> {
        let signals = [libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGPIPE];
        Ok(Self { control: control.into(), signals: sys::signal_descriptor(&signals)? })
    }

    pub(crate) const fn control(&self) -> &UnixStream {
        &self.control
    }

    /// Waits for a message or a signal.
    pub(crate) fn wait(&self) -> io::Result<Ready> {
        let mut fds = [PollFd::new(&self.control, PollFlags::IN), PollFd::new(&self.signals, PollFlags::IN)];
        poll(&mut fds, None)?;
        let [control, signals] = fds.map(|fd| !fd.revents().is_empty());
        let mut ready = Ready { control, ..Ready::default() };
        if signals {
            self.read_signals(&mut ready);
        }
        Ok(ready)
    }

    /// Waits for a child to end, `millis` milliseconds at most, and for nothing else.
    pub(crate) fn wait_for_child(&self, millis: i64) -> io::Result<()> {
        let mut fds = [PollFd::new(&self.signals, PollFlags::IN)];
        poll(&mut fds, Some(Timespec { tv_sec: 0, tv_nsec: millis * 1_000_000 }))?;
        self.read_signals(&mut Ready::default());
        Ok(())
    }

    fn read_signals(&self, ready: &mut Ready) {
        let mut record = [0; sys::SIGNAL_RECORD_LEN];
        while let Ok(1..) = rustix::io::read(&self.signals, &mut record) {
            match sys::signal_number(&record) {
                Some(libc::SIGCHLD) => ready.child = true,
                Some(libc::SIGPIPE) | None => {}
                Some(_) => ready.stop = true,
            }
        }
    }

    /// Sends a message. A client that is gone shows up in the next wait, so failing to reach it is no news.
    pub(crate) fn tell(&self, message: &Message) {
        let _ = super::link::send(&self.control, message);
    }

    /// Reaps every child that has ended and tells the client.
    pub(crate) fn reap(&self) {
        while let Some((pid, exit)) = reap_one() {
            self.tell(&Message::Exited { pid, exit, at: now() });
        }
    }
}

fn poll(fds: &mut [PollFd<'_>], timeout: Option<Timespec>) -> io::Result<()> {
    match rustix::event::poll(fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Whether this process has no children left, ended ones included.
pub(crate) fn is_childless() -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(rustix::process::waitid(WaitId::All, options), Err(Errno::CHILD))
}

/// Reaps one child that has ended, if there is one.
fn reap_one() -> Option<(i32, Exit)> {
    loop {
        let (pid, status) =
            rustix::io::retry_on_intr(|| rustix::process::wait(WaitOptions::NOHANG)).ok()??;
        if let Some(exit) = Exit::from_wait(status) {
            return Some((pid.as_raw_nonzero().get(), exit));
        }
    }
}
