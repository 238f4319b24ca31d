//! A copy of this process, in which a signal handler may do what could go wrong.

use std::ffi::c_int;
use std::io;
use std::time::{Duration, Instant};

/// How long the handler may take there.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it is looked at.
const GLANCE: Duration = Duration::from_millis(1);

/// Runs the handler of `signal` on this thread in a copy of this process, and waits for it; or in this process, if there can
/// be no copy. Fork handlers do not run: those of libraries may wait for threads that are stuck. The copy is no child that
/// an application would find when it waits for its own.
///
/// # Errors
/// What kill reports.
pub(crate) fn raise_in_copy(signal: c_int) -> io::Result<()> {
    let no_pointer = 0_usize;
    // SAFETY: without flags and a stack this is a fork that sends no signal when the child ends. The child only does what a
    // signal handler may.
    let pid =
        unsafe { libc::syscall(libc::SYS_clone, 0_usize, no_pointer, no_pointer, no_pointer, no_pointer) };
    match i32::try_from(pid) {
        Ok(0) => {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            // SAFETY: the limit is a valid one, and _exit does not return. If the handler crashes, that is no news. It must
            // not outlive who waits for it, with its sockets.
            unsafe {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
                let _ = raise_here(signal);
                libc::_exit(0)
            }
        }
        Ok(pid @ 1..) => {
            wait_for(pid);
            Ok(())
        }
        _ => raise_here(signal),
    }
}

/// Raises a signal on this thread, and returns when it has been handled. Asks the kernel for both numbers: in a copy what the
/// C library remembers is wrong.
fn raise_here(signal: c_int) -> io::Result<()> {
    let (process, thread) =
        (rustix::process::getpid().as_raw_nonzero().get(), rustix::thread::gettid().as_raw_nonzero().get());
    // SAFETY: tgkill takes numbers only.
    match unsafe { libc::syscall(libc::SYS_tgkill, process, thread, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Waits until the copy has ended, and sees to it that it does.
fn wait_for(pid: i32) {
    let deadline = Instant::now() + PATIENCE;
    let mut options = libc::__WALL | libc::WNOHANG;
    loop {
        // SAFETY: no status is wanted.
        match unsafe { libc::waitpid(pid, std::ptr::null_mut(), options) } {
            0 if Instant::now() < deadline => std::thread::sleep(GLANCE),
            0 => {
                // SAFETY: the pid is that of our child, which has not been waited for.
                unsafe { libc::kill(pid, libc::SIGKILL) };
                options = libc::__WALL;
            }
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return,
        }
    }
}
