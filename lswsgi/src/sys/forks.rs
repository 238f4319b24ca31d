//! Children an application forks.
//!
//! Such a child must neither speak on the connection nor keep it open behind its parent's back: in the child its place, and
//! that of the listening socket, the channel and the access log, is taken by `/dev/null`.

use std::io;
use std::os::fd::{IntoRawFd as _, RawFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// This process is a child an application has forked.
static FORKED: AtomicBool = AtomicBool::new(false);

/// What takes their place in such a child; open as long as the process lives.
static NULL: AtomicI32 = AtomicI32::new(-1);

/// A descriptor that belongs to this process and not to the children an application forks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Own {
    /// The connection that is being served.
    Connection,
    /// The listening socket.
    Listener,
    /// The channel to the manager.
    Channel,
    /// The access log: its lines are about requests.
    AccessLog,
}

/// Their numbers, -1 where there is none.
static OWN: [AtomicI32; 4] = [const { AtomicI32::new(-1) }; 4];

/// Declares `descriptor` one that children must not have; `None` before it is closed.
pub(crate) fn keep_from_children(own: Own, descriptor: Option<RawFd>) {
    OWN[own as usize].store(descriptor.unwrap_or(-1), Ordering::SeqCst);
}

/// Sees to it that children of this process are told from it, and have nothing of its.
pub(crate) fn watch_forks() -> io::Result<()> {
    let null = std::fs::File::open("/dev/null")?;
    NULL.store(null.into_raw_fd(), Ordering::SeqCst);
    // SAFETY: the handler is async-signal-safe, as the child of a process with threads needs it.
    match unsafe { libc::pthread_atfork(None, None, Some(on_fork)) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// Runs in a child before anything else does. (Not in one that only lives until its `exec`, as those of `subprocess` do.)
extern "C" fn on_fork() {
    FORKED.store(true, Ordering::SeqCst);
    let null = NULL.load(Ordering::SeqCst);
    for own in OWN.iter().map(|own| own.load(Ordering::SeqCst)).filter(|&own| own >= 0) {
        // SAFETY: dup3 is async-signal-safe and takes no pointers. Whoever owns the number still does, in the child as well.
        unsafe { libc::dup3(null, own, libc::O_CLOEXEC) };
    }
}

/// This child is a process of the program's own after all, and not one an application has forked.
pub(crate) fn belongs_to_group() {
    FORKED.store(false, Ordering::SeqCst);
}

/// Whether this is a child an application has forked.
pub(crate) fn is_forked() -> bool {
    FORKED.load(Ordering::Relaxed)
}
