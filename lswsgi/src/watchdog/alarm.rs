//! What signal handlers tell the watchdog. All of it is async-signal-safe, and without effect before the watchdog runs.

use std::io;
use std::os::fd::{BorrowedFd, IntoRawFd as _};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::{board, sys};

/// Wakes the watchdog. Open as long as the process lives.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// When a stop was asked for, in ms of the board's clock; 0: it was not.
static STOP_ASKED: AtomicU64 = AtomicU64::new(0);
static STACKS_WANTED: AtomicBool = AtomicBool::new(false);
static HUNG_UP: AtomicBool = AtomicBool::new(false);

pub(super) fn prepare() -> io::Result<()> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    WAKE.store(fd.into_raw_fd(), Ordering::SeqCst);
    Ok(())
}

/// The process is to stop: from now on the time of its request is limited.
pub(crate) fn stop_asked() {
    if STOP_ASKED.compare_exchange(0, board::now(), Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        wake();
    }
}

/// Somebody wants to see what all threads are doing.
pub(crate) fn want_stacks() {
    STACKS_WANTED.store(true, Ordering::SeqCst);
    wake();
}

/// SIGHUP came.
pub(crate) fn hung_up() {
    HUNG_UP.store(true, Ordering::SeqCst);
    wake();
}

/// Log files are to be opened anew, if `rotation` says so.
pub(crate) fn look_at_logs() {
    wake();
}

fn wake() {
    if let Some(fd) = sys::borrow_descriptor(WAKE.load(Ordering::SeqCst)) {
        let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
    }
}

/// Waits until a handler has something to tell, `other` is readable, or for as long as `timeout` says; `None` is for ever.
pub(super) fn wait(timeout: Option<Duration>, other: Option<BorrowedFd<'_>>) {
    let Some(fd) = sys::borrow_descriptor(WAKE.load(Ordering::SeqCst)) else { return };
    // A time that is out of range is for ever.
    let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
    let mut fds = vec![PollFd::new(&fd, PollFlags::IN)];
    fds.extend(other.map(|other| PollFd::from_borrowed_fd(other, PollFlags::IN)));
    if matches!(poll(&mut fds, timeout.as_ref()), Ok(1..)) && !fds[0].revents().is_empty() {
        let _ = rustix::io::read(fd, &mut [0_u8; 8]);
    }
}

/// For how long the process has been asked to stop.
pub(super) fn stopping_for() -> Option<Duration> {
    let asked = STOP_ASKED.load(Ordering::SeqCst);
    (asked != 0).then(|| Duration::from_millis(board::now().saturating_sub(asked)))
}

/// Whether stacks have been wanted since the last time.
pub(super) fn take_stacks_wanted() -> bool {
    STACKS_WANTED.swap(false, Ordering::SeqCst)
}

/// Whether SIGHUP has come since the last time.
pub(super) fn take_hung_up() -> bool {
    HUNG_UP.swap(false, Ordering::SeqCst)
}
