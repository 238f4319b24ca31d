//! Frames on a control socket: four bytes of length, then JSON; descriptors travel with the length.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes of the length in front of a frame.
pub(crate) const LENGTH: usize = 4;

/// Longest frame accepted; the longest environment and argument list a system takes stay below it as JSON.
pub(crate) const MAX_FRAME: usize = 64 << 20;

/// Most descriptors in a frame.
const MAX_FDS: usize = 4;

/// The bytes of a frame.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; LENGTH];
    serde_json::to_writer(&mut frame, message)?;
    let len = frame.len() - LENGTH;
    let len = u32::try_from(len).ok().filter(|_| len <= MAX_FRAME);
    let len =
        len.ok_or_else(|| io::Error::other("the command, its arguments and environment are too long"))?;
    if let Some(field) = frame.first_chunk_mut() {
        *field = len.to_ne_bytes();
    }
    Ok(frame)
}

/// Reads the length a frame starts with.
pub(crate) fn decode_length(bytes: [u8; LENGTH]) -> io::Result<usize> {
    usize::try_from(u32::from_ne_bytes(bytes))
        .ok()
        .filter(|&len| len <= MAX_FRAME)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a control frame of impossible length"))
}

/// Reads what is in a frame.
pub(crate) fn decode<T: DeserializeOwned>(json: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(json)?)
}

/// Sends what of `bytes` the socket takes, with `fds` beside the first of them. Returns how much it took.
pub(crate) fn send_with_fds(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::other("too many descriptors for one frame"));
    }
    Ok(rustix::net::sendmsg(socket, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL)?)
}

/// Sends a message without descriptors over a blocking socket.
pub(crate) fn send<T: Serialize>(socket: &UnixStream, message: &T) -> io::Result<()> {
    (&mut &*socket).write_all(&encode(message)?)
}

/// Waits for a message on a blocking socket; `None` when the other side is gone.
pub(crate) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut length = [0; LENGTH];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_FDS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut iov = [IoSliceMut::new(&mut length)];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::WAITALL;
    let received =
        rustix::io::retry_on_intr(|| rustix::net::recvmsg(socket.as_fd(), &mut iov, &mut control, flags))?;
    match received.bytes {
        0 => return Ok(None),
        LENGTH => {}
        _ => return Err(io::ErrorKind::UnexpectedEof.into()),
    }
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    let mut json = vec![0; decode_length(length)?];
    (&mut &*socket).read_exact(&mut json)?;
    Ok(Some((decode(&json)?, fds)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_frame_arrives_with_its_descriptors() {
        let (here, there) = UnixStream::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let frame = encode(&"hello").unwrap();
        assert_eq!(send_with_fds(here.as_fd(), &frame, &[file.as_fd()]).unwrap(), frame.len());
        let (text, mut fds): (String, _) = receive(&there).unwrap().unwrap();
        assert_eq!(text, "hello");
        let copy = std::fs::File::from(fds.pop().unwrap());
        assert_eq!(copy.metadata().unwrap().ino(), file.metadata().unwrap().ino());
        drop(here);
        assert!(receive::<String>(&there).unwrap().is_none());
    }

    #[test]
    fn broken_frames_are_errors_and_not_panics() {
        for bytes in [&b"\x01\0\0\0{"[..], b"\xff\xff\xff\xff", b"\x05\0", b"\x09\0\0\0\"a\""] {
            let (mut here, there) = UnixStream::pair().unwrap();
            here.write_all(bytes).unwrap();
            drop(here);
            assert!(receive::<String>(&there).is_err(), "{bytes:?}");
        }
    }
}
