//! A connected socket: its options, its receive timeout, and sends that try without waiting first.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, recv, send, sockopt};

use crate::sys::{self, Own};

/// How long `recv` waits before the worker looks at its stop flag, its parent and its deadlines. A wake-up that is lost
/// costs at most this.
pub(crate) const TICK: Duration = Duration::from_secs(1);

/// How long a server may take to close a connection it has given up.
const END_GRACE: Duration = Duration::from_millis(100);

/// What a read attempt brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// This many bytes, at least one.
    Bytes(usize),
    /// The peer has finished sending.
    Eof,
    /// The connection is broken.
    Broken,
    /// Nothing within a tick: time to look around.
    Tick,
    /// A signal came: time to look around as well.
    Interrupted,
}

/// One accepted or handed-over connection; there is one at a time.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
}

impl Drop for Socket {
    fn drop(&mut self) {
        sys::keep_from_children(Own::Connection, None);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Socket {
    /// Prepares a connection: blocking, with the tick as receive timeout, and without Nagle's delay on TCP.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, false)?;
        sockopt::set_socket_timeout(&fd, sockopt::Timeout::Recv, Some(TICK))?;
        if matches!(sockopt::socket_domain(&fd)?, AddressFamily::INET | AddressFamily::INET6) {
            sockopt::set_tcp_nodelay(&fd, true)?;
        }
        sys::keep_from_children(Own::Connection, Some(fd.as_raw_fd()));
        Ok(Self { fd })
    }

    /// Changes the receive timeout, for the short wait before a connection is left.
    pub(crate) fn set_tick(&self, tick: Duration) -> io::Result<()> {
        Ok(sockopt::set_socket_timeout(&self.fd, sockopt::Timeout::Recv, Some(tick))?)
    }

    /// As [`is_hung_up`].
    pub(crate) fn is_hung_up(&self) -> bool {
        is_hung_up(self.fd.as_fd())
    }

    /// Receives into `buf`, which is not empty.
    pub(crate) fn receive(&self, buf: &mut [u8]) -> Received {
        match recv(&self.fd, buf, RecvFlags::empty()) {
            Ok((0, _)) => Received::Eof,
            Ok((count, _)) => Received::Bytes(count),
            Err(Errno::AGAIN) => Received::Tick,
            Err(Errno::INTR) => Received::Interrupted,
            Err(_) => Received::Broken,
        }
    }

    /// Whether the bytes that come next are `expected`, which are at most eight. They stay where they are.
    pub(crate) fn peeks(&self, expected: &[u8]) -> bool {
        let mut bytes = [0; 8];
        let bytes = &mut bytes[..expected.len().min(8)];
        let peeked = recv(&self.fd, &mut *bytes, RecvFlags::PEEK | RecvFlags::DONTWAIT);
        matches!(peeked, Ok((count, _)) if bytes[..count] == *expected)
    }

    /// Whether the peer has finished sending, or does so at once.
    pub(crate) fn is_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        let _ = END_GRACE.try_into().map(|grace| poll(&mut fds, Some(&grace)));
        match recv(&self.fd, &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((count, _)) => count == 0,
            Err(errno) => !matches!(errno, Errno::AGAIN | Errno::INTR),
        }
    }

    /// Sends what goes without waiting.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> Result<usize, Errno> {
        loop {
            match send(&self.fd, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(0),
                other => return other,
            }
        }
    }

    /// Sends all of `bytes`, waiting as long as the peer takes to read.
    pub(crate) fn send_all(&self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            match send(&self.fd, bytes, SendFlags::NOSIGNAL) {
                Ok(count) => bytes = &bytes[count..],
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

/// Whether the peer has closed both directions. A half-close is legal and does not count.
pub(crate) fn is_hung_up(connection: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(connection, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)).is_ok() && fds[0].revents().contains(PollFlags::HUP)
}
