//! A stream socket of any kind, for reading and writing at the same time.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, sockopt};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpStream, UnixStream};

use crate::Address;
use crate::fault::Faults;

/// A connected stream socket: Unix, TCP or an end of a socketpair.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: AsyncFd<OwnedFd>,
    is_tcp: bool,
}

impl Socket {
    /// Takes over a connected socket. Small writes leave at once.
    pub(crate) fn new(fd: OwnedFd) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        let is_tcp = sockopt::socket_domain(&fd)? != AddressFamily::UNIX;
        if is_tcp {
            sockopt::set_tcp_nodelay(&fd, true)?;
        }
        Ok(Self { fd: crate::sys::watch(fd)?, is_tcp })
    }

    pub(crate) async fn connect(address: &Address) -> io::Result<Self> {
        let fd: OwnedFd = match address {
            Address::Unix(path) => UnixStream::connect(path).await?.into_std()?.into(),
            Address::Tcp { host, port } => {
                TcpStream::connect((host.as_str(), *port)).await?.into_std()?.into()
            }
        };
        Self::new(fd)
    }

    pub(crate) const fn is_tcp(&self) -> bool {
        self.is_tcp
    }

    /// The address of this end, where it has one.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        SocketAddr::try_from(rustix::net::getsockname(&self.fd).ok()?).ok()
    }

    /// Waits until the socket can be written (true) or only read (false). Both have to be tried to their end after it.
    pub(crate) async fn ready_to_write(&self) -> io::Result<bool> {
        let mut guard = self.fd.ready(Interest::READABLE | Interest::WRITABLE).await?;
        let ready = guard.ready();
        guard.clear_ready();
        Ok(ready.is_writable() || ready.is_write_closed())
    }

    /// Waits until the socket can be read. It has to be read to its end after it.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.fd.readable().await?.clear_ready();
        Ok(())
    }

    /// Waits until the socket can be written.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.fd.writable().await?.clear_ready();
        Ok(())
    }

    /// Whether the socket can be read. If not, `cx` is woken when it can, until another call replaces it. If so, it has to
    /// be read to its end.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.fd.poll_read_ready(cx).map_ok(|mut guard| guard.clear_ready())
    }

    /// Reads what is there. `WouldBlock` if nothing is.
    pub(crate) fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        let flags = RecvFlags::DONTWAIT;
        Ok(rustix::io::retry_on_intr(|| rustix::net::recv(&self.fd, &mut *buf, flags)).map(|(len, _)| len)?)
    }

    /// Looks at what is there, and leaves it. `WouldBlock` if nothing is.
    pub(crate) fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let flags = RecvFlags::DONTWAIT | RecvFlags::PEEK;
        Ok(rustix::io::retry_on_intr(|| rustix::net::recv(&self.fd, &mut *buf, flags)).map(|(len, _)| len)?)
    }

    /// Ends both directions, and drops what is unread: the close that follows is no reset.
    pub(crate) fn end(&self) {
        // It may have ended.
        let _ = rustix::net::shutdown(&self.fd, Shutdown::Both);
        let mut dropped = [0; 4096];
        while let Ok(1..) = self.recv(&mut dropped) {}
    }

    /// Writes what the socket takes. `WouldBlock` if it takes nothing.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        Ok(rustix::io::retry_on_intr(|| rustix::net::send(&self.fd, bytes, flags))?)
    }

    /// Writes what the socket takes of two pieces, as one. `WouldBlock` if it takes nothing.
    pub(crate) fn send_two(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let slices = [IoSlice::new(first), IoSlice::new(second)];
        let send = || rustix::net::sendmsg(&self.fd, &slices, &mut SendAncillaryBuffer::default(), flags);
        Ok(rustix::io::retry_on_intr(send)?)
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        Ok(rustix::net::shutdown(&self.fd, Shutdown::Write)?)
    }

    /// Whether the peer has closed both directions. Over TCP that is only known after a reset.
    pub(crate) fn is_gone(&self) -> bool {
        self.polls(PollFlags::HUP)
    }

    /// Whether the peer has closed at least its sending direction, even if bytes of it are unread.
    pub(crate) fn is_closed(&self) -> bool {
        self.polls(PollFlags::RDHUP | PollFlags::HUP | PollFlags::ERR)
    }

    fn polls(&self, wanted: PollFlags) -> bool {
        let mut fds = [PollFd::new(&self.fd, wanted)];
        let _ = rustix::event::poll(&mut fds, Some(&Timespec::default()));
        fds.iter().any(|fd| fd.revents().intersects(wanted))
    }

    /// A copy of its descriptor.
    pub(crate) fn try_clone_fd(&self) -> io::Result<OwnedFd> {
        self.fd.get_ref().try_clone()
    }

    /// The same connection with these faults.
    pub(crate) fn with_faults(self, faults: &Faults) -> io::Result<Self> {
        if faults.is_empty() { Ok(self) } else { Self::new(faults.wrap(self.fd.into_inner())?) }
    }

    /// Makes the close that follows a reset, and tells whether the peer will see one. A Unix socket has no such switch:
    /// there the peer sees a reset only if bytes of it are unread here.
    pub(crate) fn arm_reset(&self) -> io::Result<bool> {
        if self.is_tcp {
            sockopt::set_socket_linger(self.fd.as_fd(), Some(Duration::ZERO))?;
            return Ok(true);
        }
        Ok(rustix::io::ioctl_fionread(&self.fd)? > 0)
    }
}
