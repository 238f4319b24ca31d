//! Ending a wait: the stop flag, and who speaks on a connection that is waiting for a request.
//!
//! The request path has no poll: the worker sits in `recv`. A stop may arrive on any thread at any moment, and the server
//! may send a request in the same moment. One atomic decides: `recv` with bytes moves WAITING to BUSY, a stop moves
//! WAITING to CLAIMED and announces the end of the connection with CONN_CLOSE. A server closes an idle connection at
//! CONN_CLOSE, or has a request under way, which is then served whole.
//!
//! All of it works in a signal handler.

use std::os::fd::{AsRawFd as _, BorrowedFd, IntoRawFd as _};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::time::Duration;

use lsapi::CONN_CLOSE;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use crate::board::{self, Order};
use crate::{parent, sys};

/// Nothing may be announced: a request is being read or served, or there is no connection.
const BUSY: u8 = 0;
/// The main thread is in `recv` between two requests.
const WAITING: u8 = 1;
/// Somebody is sending CONN_CLOSE.
const CLAIMED: u8 = 2;
/// CONN_CLOSE has been sent.
const SENT: u8 = 3;

static STATE: AtomicU8 = AtomicU8::new(BUSY);
static SOCKET: AtomicI32 = AtomicI32::new(-1);
static STOP: AtomicBool = AtomicBool::new(false);
/// That is because there is new code.
static RELOAD: AtomicBool = AtomicBool::new(false);
/// There is a worker that will see the stop flag.
static SERVING: AtomicBool = AtomicBool::new(false);

/// Wakes a wait without a connection; written to by [`request_stop`]. Open as long as the process lives.
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Prepares what a signal handler needs. A worker forked from a process that has done so does it again: an eventfd is shared
/// with whoever inherits it.
pub(crate) fn prepare() -> std::io::Result<()> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    WAKE.store(fd.into_raw_fd(), Ordering::SeqCst);
    Ok(())
}

/// Asks the worker to leave. Async-signal-safe.
pub(crate) fn request_stop() {
    STOP.store(true, Ordering::SeqCst);
    announce_close();
    if let Some(fd) = sys::borrow_descriptor(WAKE.load(Ordering::SeqCst)) {
        // Every wait also ends by itself within a second, so a failure costs no more than that.
        let _ = rustix::io::write(fd, &1_u64.to_ne_bytes());
    }
}

/// Asks the worker to leave because there is new code.
pub(crate) fn request_reload() {
    RELOAD.store(true, Ordering::SeqCst);
    request_stop();
}

/// Whether the worker has been asked to leave because there is new code.
pub(crate) fn is_reloading() -> bool {
    RELOAD.load(Ordering::SeqCst)
}

/// From here on a stop is the worker's to act on, which looks at the flag before it waits.
pub(crate) fn start_serving() {
    SERVING.store(true, Ordering::SeqCst);
}

/// Whether anybody would act on the stop flag. While the application is imported nobody would, however long that takes.
/// Async-signal-safe.
pub(crate) fn is_serving() -> bool {
    SERVING.load(Ordering::SeqCst)
}

/// Whether the worker has been asked to leave, or its parent has died.
pub(crate) fn is_stopping() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// The manager wants the connection given up. Async-signal-safe.
pub(crate) fn release() {
    if is_released() {
        announce_close();
    }
}

/// Whether the connection is to be given up, and the worker to wait for another.
pub(crate) fn is_released() -> bool {
    board::slot().ordered() == Order::Release
}

/// Whether the connection is to end, for whichever reason.
pub(crate) fn is_closing() -> bool {
    is_stopping() || is_released()
}

/// Whether there is a reason to leave, also one of which the signal has been lost.
pub(crate) fn must_leave() -> bool {
    if parent::is_gone() || board::slot().ordered().is_leave() {
        STOP.store(true, Ordering::SeqCst);
    }
    is_stopping()
}

/// Declares that the connection is idle: from here to [`leave_waiting`] a stop may announce its end.
pub(crate) fn enter_waiting(socket: BorrowedFd<'_>) {
    SOCKET.store(socket.as_raw_fd(), Ordering::SeqCst);
    STATE.store(WAITING, Ordering::SeqCst);
    // A stop or release that came before the line above found nobody waiting.
    if is_closing() {
        announce_close();
    }
}

/// Declares that bytes have arrived, or that the connection is over. Returns whether its end has been announced; the
/// announcement is complete then, and must not be repeated.
pub(crate) fn leave_waiting() -> bool {
    if STATE.compare_exchange(WAITING, BUSY, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        return false;
    }
    // A handler on another thread may be in the middle of its send; it is eight bytes away from done.
    while STATE.load(Ordering::SeqCst) == CLAIMED {
        std::hint::spin_loop();
    }
    STATE.swap(BUSY, Ordering::SeqCst) == SENT
}

/// Whether the end of the waiting connection has been announced.
pub(crate) fn is_announced() -> bool {
    matches!(STATE.load(Ordering::SeqCst), CLAIMED | SENT)
}

/// Announces the end of the connection if it is waiting. Async-signal-safe.
pub(crate) fn announce_close() {
    if STATE.compare_exchange(WAITING, CLAIMED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
        if let Some(socket) = sys::borrow_descriptor(SOCKET.load(Ordering::SeqCst)) {
            // The send buffer of an idle connection has room for eight bytes; if the peer is gone there is nobody to tell.
            let _ = send(socket, &CONN_CLOSE, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
        }
        STATE.store(SENT, Ordering::SeqCst);
    }
}

/// Waits until `socket` is readable, a stop is requested or `timeout` has passed. `true`: it is readable.
pub(crate) fn wait_readable(socket: BorrowedFd<'_>, timeout: Duration) -> Result<bool, Errno> {
    let readable = PollFd::from_borrowed_fd(socket, PollFlags::IN);
    wait(&mut [readable, wake_fd()?], timeout).map(|fds| !fds[0].revents().is_empty())
}

/// Waits until a stop is requested or `timeout` has passed.
pub(crate) fn pause(timeout: Duration) {
    // A wait that fails is one that is over.
    let _ = wake_fd().and_then(|wake| wait(&mut [wake], timeout).map(|_| ()));
}

fn wake_fd() -> Result<PollFd<'static>, Errno> {
    let wake = sys::borrow_descriptor(WAKE.load(Ordering::SeqCst)).ok_or(Errno::BADF)?;
    Ok(PollFd::from_borrowed_fd(wake, PollFlags::IN))
}

fn wait<'a, 'fd>(fds: &'a mut [PollFd<'fd>], timeout: Duration) -> Result<&'a [PollFd<'fd>], Errno> {
    // Never more than a tick of a second, so the conversion cannot fail.
    let timeout = timeout.try_into().map_err(|_| Errno::INVAL)?;
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(fds),
        Err(errno) => Err(errno),
    }
}
