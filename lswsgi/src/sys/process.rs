//! Children of our own, as opposed to those an application forks.

use std::io;

use rustix::process::Pid;

use super::handlers::order_signal;

/// Where a fork has come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fork {
    /// In the process that forked; the child's pid.
    Parent(Pid),
    /// In the child.
    Child,
}

/// Forks. Libraries' fork handlers run, [`watch_forks`](super::watch_forks)' among them.
///
/// # Errors
/// What fork reports: no memory, or too many processes.
pub(crate) fn fork() -> io::Result<Fork> {
    // SAFETY: called by the only thread of this process (manager), or by the main thread of a template in which no other
    // runs; so no lock is left held in the child, and it may go on as any process. Where the operator has the template fork
    // in spite of threads (`--load preload`), Python and the C library still see to their own locks.
    match unsafe { libc::fork() } {
        0 => Ok(Fork::Child),
        ..0 => Err(io::Error::last_os_error()),
        pid => Pid::from_raw(pid).map(Fork::Parent).ok_or_else(io::Error::last_os_error),
    }
}

/// Sees to it that this process is told of the end of its children: whoever started it may have it ignore that.
pub(crate) fn expect_children() -> io::Result<()> {
    // SAFETY: the default action takes no handler, and nobody relies on another.
    let before = unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    if before == libc::SIG_ERR { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Tells a worker that there is an order for it. One that has just ended needs none.
pub(crate) fn tell_worker(worker: Pid) {
    // SAFETY: kill takes no pointers.
    let _ = unsafe { libc::kill(worker.as_raw_pid(), order_signal()) };
}

/// Writes out what libraries written in C have printed: `_exit` does not.
pub(crate) fn flush_c_streams() {
    // SAFETY: no stream means all of them.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Ends this process at once: nothing is flushed but the log, and no exit handler runs.
pub fn leave_now(code: u8) -> ! {
    crate::log::finish();
    // SAFETY: _exit takes no locks and does not return.
    unsafe { libc::_exit(code.into()) }
}
