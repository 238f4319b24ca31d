//! Forking a worker from the process that has the interpreter.
//!
//! By way of a process in between, so that the worker becomes the manager's child. Python's own fork protocol is kept: what
//! an application has registered with `os.register_at_fork` runs, once in the worker and once in the template; locks are
//! made anew, and `random` gets another seed.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;

use pyo3::{Python, ffi};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, waitpid};

use super::leave;
use crate::exit_code;
use crate::sys::{self, Blocked, Fork, title};

/// Where forking has come back.
pub(crate) enum Forked {
    /// In the worker.
    Worker,
    /// In the template: the worker's pid, or why there is none.
    Template(io::Result<Pid>),
}

/// Forks. `arrive` runs in the worker before anything of Python or the application does, with all signals blocked.
pub(crate) fn fork(py: Python<'_>, arrive: impl FnOnce() -> io::Result<()>) -> Forked {
    let (read, write) = match rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC) {
        Ok(ends) => ends,
        Err(errno) => return Forked::Template(Err(errno.into())),
    };
    // SAFETY: the interpreter lock is held, by the main thread.
    unsafe { ffi::PyOS_BeforeFork() };
    leave_if_forked(py);
    let blocked = Blocked::all();
    match sys::fork() {
        Ok(Fork::Child) => {
            // Whoever looks for the template, or for a worker, must not find the process in between.
            title::set(b"fork");
            drop(read);
            be_in_between(write);
            title::set(title::STARTING.as_bytes());
            if arrive().is_err() {
                sys::leave_now(exit_code::SYSTEM);
            }
            drop(blocked);
            // SAFETY: this is a child of the process that called PyOS_BeforeFork, on the thread that did, which holds the
            // interpreter lock. The process in between has used neither.
            unsafe { ffi::PyOS_AfterFork_Child() };
            leave_if_forked(py);
            Forked::Worker
        }
        forked => {
            drop(blocked);
            drop(write);
            // SAFETY: as above, in the process that called it.
            unsafe { ffi::PyOS_AfterFork_Parent() };
            leave_if_forked(py);
            Forked::Template(forked.and_then(|forked| match forked {
                Fork::Parent(between) => worker_of(between, &read),
                Fork::Child => Err(Errno::CHILD.into()),
            }))
        }
    }
}

/// Callbacks of the application may fork too, and their children come back from them here.
fn leave_if_forked(py: Python<'_>) {
    if sys::is_forked() {
        leave::leave_child(py, None);
    }
}

/// The process in between: forks the worker, says which process that is, and ends. Returns in the worker.
fn be_in_between(write: OwnedFd) {
    let number = match sys::fork() {
        Ok(Fork::Child) => return,
        Ok(Fork::Parent(worker)) => worker.as_raw_pid(),
        Err(error) => -error.raw_os_error().unwrap_or(libc::EAGAIN),
    };
    // Who reads it sees the end if this fails.
    let _ = std::fs::File::from(write).write_all(&number.to_ne_bytes());
    sys::leave_now(exit_code::OK)
}

/// What the process in between has said; it is gone afterwards.
fn worker_of(between: Pid, read: &OwnedFd) -> io::Result<Pid> {
    let mut number = [0; 4];
    // Written in one piece, or not at all.
    let said = loop {
        match rustix::io::read(read, &mut number) {
            Ok(count) if count == number.len() => break Ok(i32::from_ne_bytes(number)),
            Ok(_) => break Err(Errno::CHILD),
            Err(Errno::INTR) => {}
            Err(errno) => break Err(errno),
        }
    };
    // An application that waits for every child may have done this already.
    while matches!(waitpid(Some(between), WaitOptions::empty()), Err(Errno::INTR)) {}
    match said? {
        errno @ ..0 => Err(io::Error::from_raw_os_error(-errno)),
        pid => Pid::from_raw(pid).ok_or_else(|| Errno::CHILD.into()),
    }
}
