//! Ending a connection while the server may still be sending a request body.
//!
//! Closing a socket with unread bytes resets it, and the server then loses the response or sends the request again.
//! Reading the announced length to its end is no way out either: the server may stop sending the body once it has the
//! response, and send the next request instead. What is safe is to end our direction and take whatever comes for a while.
//!
//! Async-signal-safe: a crash handler uses it too.

use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, Shutdown, recv, shutdown};

/// Longest time spent on a body nobody wants.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Most bytes taken of it.
const MAX_BYTES: usize = 1024 * 1024;

/// Ends the sending side and discards what still arrives, until the peer closes, for at most two seconds or 1 MiB.
pub(crate) fn shut_and_discard(socket: BorrowedFd<'_>) {
    // Small, because crash handlers have a small stack.
    let mut sink = [0_u8; 4096];
    let deadline = Instant::now() + MAX_TIME;
    let mut taken = 0;
    if shutdown(socket, Shutdown::Write).is_err() {
        return;
    }
    while taken < MAX_BYTES {
        let left = deadline.saturating_duration_since(Instant::now());
        let Ok(timeout) = left.try_into() else { return };
        let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(0) => return,
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            Ok(_) => {}
        }
        match recv(socket, &mut sink, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return,
            Ok((count, _)) => taken += count,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
    }
}
