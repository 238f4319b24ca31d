//! The socket between the manager and one other process: whole messages, at most one descriptor with each.
//!
//! Only the manager holds its end, and only the other process the other. So the end of the channel is the end of a process:
//! it takes the place of a lifeline of its own.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// Largest message, in bytes.
pub(super) const MAX_MESSAGE: usize = 4096;

/// How long one waits for the other process to read.
const PATIENCE: Duration = Duration::from_secs(1);

/// One end. Close-on-exec and non-blocking: who wants to wait polls.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What came.
#[derive(Debug)]
pub(super) enum Incoming {
    /// A message, and the descriptor that came with it.
    Message(Vec<u8>, Option<OwnedFd>),
    /// Nothing is there.
    Nothing,
    /// The other process has ended, or has closed its end.
    Ended,
}

impl Channel {
    /// Both ends of a new channel.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (one, other) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((Self(one), Self(other)))
    }

    /// One end that came from another process.
    pub(super) const fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Sends one message of at most [`MAX_MESSAGE`] bytes.
    ///
    /// # Errors
    /// What sendmsg reports: BROKEN PIPE when the other process is gone, AGAIN when it has not read for long.
    pub(super) fn send(&self, message: &[u8], descriptor: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let descriptors = descriptor.as_slice();
        if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
            return Err(Errno::NOBUFS);
        }
        loop {
            match sendmsg(&self.0, &[IoSlice::new(message)], &mut ancillary, SendFlags::NOSIGNAL) {
                Err(Errno::INTR) => {}
                result => return result.map(|_| ()),
            }
        }
    }

    /// As [`send`](Self::send), of what can wait until there is room, for a second at most.
    ///
    /// # Errors
    /// As there.
    pub(super) fn send_when_read(&self, message: &[u8]) -> Result<(), Errno> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let sent = self.send(message, None);
            let left = deadline.saturating_duration_since(Instant::now());
            if sent != Err(Errno::AGAIN) || left.is_zero() {
                return sent;
            }
            let mut fds = [PollFd::new(&self.0, PollFlags::OUT)];
            let _ = left.try_into().map(|left| poll(&mut fds, Some(&left)));
        }
    }

    /// Takes the next message if there is one.
    pub(super) fn receive(&self) -> Incoming {
        let mut bytes = [0; MAX_MESSAGE];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let received = loop {
            let into = &mut [IoSliceMut::new(&mut bytes)];
            match recvmsg(&self.0, into, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
                // The other process has ended with unread messages of ours; what it said before is still there.
                Err(Errno::INTR | Errno::CONNRESET) => {}
                result => break result,
            }
        };
        match received {
            Ok(received) if received.bytes > 0 => {
                let descriptor = ancillary.drain().find_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
                    _ => None,
                });
                Incoming::Message(bytes[..received.bytes].to_vec(), descriptor)
            }
            Err(Errno::AGAIN) => Incoming::Nothing,
            Ok(_) | Err(_) => Incoming::Ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_bounds_and_bring_descriptors() {
        let (ours, theirs) = Channel::pair().unwrap();
        assert!(matches!(theirs.receive(), Incoming::Nothing));
        ours.send(b"one", None).unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        ours.send(b"two", Some(null.as_fd())).unwrap();
        assert!(matches!(theirs.receive(), Incoming::Message(bytes, None) if bytes == b"one"));
        let Incoming::Message(bytes, Some(fd)) = theirs.receive() else {
            panic!("the descriptor is missing")
        };
        assert_eq!(bytes, b"two");
        assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
        drop(ours);
        assert!(matches!(theirs.receive(), Incoming::Ended));
        assert_eq!(theirs.send(b"x", None), Err(Errno::PIPE));
    }

    #[test]
    fn what_can_wait_is_sent_when_the_other_has_read() {
        let (ours, theirs) = Channel::pair().unwrap();
        let message = [7; MAX_MESSAGE];
        while ours.send(&message, None).is_ok() {}
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| ours.send_when_read(b"last"));
            // Whether it has begun to wait by now or not.
            let mut last = Vec::new();
            while last != b"last" {
                match theirs.receive() {
                    Incoming::Message(bytes, _) => last = bytes,
                    Incoming::Nothing => std::thread::yield_now(),
                    Incoming::Ended => panic!("nobody has ended"),
                }
            }
            assert_eq!(sender.join().unwrap(), Ok(()));
        });
        while ours.send(&message, None).is_ok() {}
        assert_eq!(ours.send_when_read(b"never"), Err(Errno::AGAIN));
    }

    #[test]
    fn the_last_words_of_a_process_that_did_not_listen_are_heard() {
        let (ours, theirs) = Channel::pair().unwrap();
        ours.send(b"unread", None).unwrap();
        theirs.send(b"last", None).unwrap();
        drop(theirs);
        assert!(matches!(ours.receive(), Incoming::Message(bytes, None) if bytes == b"last"));
        assert!(matches!(ours.receive(), Incoming::Ended));
    }
}
