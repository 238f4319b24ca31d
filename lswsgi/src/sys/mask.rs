//! Signals that have to wait.

use std::mem::MaybeUninit;
use std::ptr;

/// No signal is handled on this thread while this exists. A process forked meanwhile starts the same way, and goes on when
/// it drops its copy.
#[derive(Debug)]
#[must_use]
pub(crate) struct Blocked {
    /// What was blocked before.
    before: libc::sigset_t,
}

impl Blocked {
    /// Blocks everything that can be blocked.
    pub(crate) fn all() -> Self {
        let mut all = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: both sets are this function's; the first is filled by sigfillset, and the second is valid when zero.
        unsafe {
            libc::sigfillset(all.as_mut_ptr());
            libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr());
            Self { before: before.assume_init() }
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: the set has been filled by pthread_sigmask.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.before, ptr::null_mut()) };
    }
}

/// Has this thread handle nothing but the runtime's own signals: an application may be waiting for the others, which the
/// system would give to any thread that does not block them.
pub(crate) fn leave_signals_to_others() {
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is this function's and is filled by sigfillset before anything is taken from it; the old one is not
    // wanted.
    unsafe {
        libc::sigfillset(mask.as_mut_ptr());
        for signal in super::handlers::signals_for_any_thread() {
            libc::sigdelset(mask.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, mask.as_ptr(), ptr::null_mut());
    }
}

/// Has the signal that announces orders wait in processes this one forks, until they let every signal come. To this process
/// nobody sends it.
pub(crate) fn block_order_signal() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is this function's and is filled by sigemptyset; the old mask is not wanted.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), super::handlers::order_signal());
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), ptr::null_mut());
    }
}

/// Lets every signal come on this thread.
pub(crate) fn unblock_signals() {
    let mut none = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the set is this function's and is filled by sigemptyset; the old one is not wanted.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), ptr::null_mut());
    }
}
