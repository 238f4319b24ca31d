//! Getting bytes out: what goes at once, and the rest without the GIL.
//!
//! Trying without waiting first saves letting the GIL go for every small response. What the bytes are is decided in
//! [`outbound`](super::outbound).

use std::io::IoSlice;
use std::os::fd::AsFd as _;

use lsapi::limits::MAX_STREAM_PAYLOAD;
use lsapi::stream_header;
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

use crate::worker::answer::{self, Written};
use crate::worker::exchange::Detach;
use crate::worker::socket::Socket;

/// Packets of a large body handed over in one system call: half a megabyte, more than a socket buffer takes at once.
const PACKETS_PER_CALL: usize = 31;

/// Sends one piece: what goes at once, and the rest without the GIL. That it is out is said before the GIL is taken again: a
/// thread that crashes while it holds the GIL waits for this.
pub(super) fn send<D: Detach>(gil: &D, socket: &Socket, bytes: &[u8], written: Written) -> Result<(), Errno> {
    let sent = socket.send_now(bytes)?;
    if sent == bytes.len() {
        answer::end_write(written);
        return Ok(());
    }
    gil.detach(|| socket.send_all(&bytes[sent..]).inspect(|()| answer::end_write(written)))
}

/// Sends a large body from where it is, cut into packets, with `head` before it and `tail` behind, as [`send`] does.
pub(super) fn send_large<D: Detach>(
    gil: &D,
    socket: &Socket,
    head: &[u8],
    body: &[u8],
    tail: &[u8],
    written: Written,
) -> Result<(), Errno> {
    let full = stream_header(MAX_STREAM_PAYLOAD);
    let last = stream_header(body.len() % MAX_STREAM_PAYLOAD);
    let mut chunks = body.chunks(MAX_STREAM_PAYLOAD).peekable();
    let mut head = Some(head);
    let mut next_call = || {
        chunks.peek()?;
        let mut pieces = [IoSlice::new(&[]); 2 * PACKETS_PER_CALL + 2];
        let mut count = 0;
        let mut add = |piece| {
            pieces[count] = IoSlice::new(piece);
            count += 1;
        };
        add(head.take().unwrap_or_default());
        for chunk in chunks.by_ref().take(PACKETS_PER_CALL) {
            add(if chunk.len() == MAX_STREAM_PAYLOAD { &full } else { &last });
            add(chunk);
        }
        if chunks.peek().is_none() {
            add(tail);
        }
        Some((pieces, count))
    };
    while let Some((mut pieces, count)) = next_call() {
        let mut pieces = &mut pieces[..count];
        send_pieces(socket, &mut pieces, SendFlags::DONTWAIT)?;
        if !pieces.is_empty() {
            return gil.detach(|| {
                send_pieces(socket, &mut pieces, SendFlags::empty())?;
                while let Some((mut pieces, count)) = next_call() {
                    send_pieces(socket, &mut &mut pieces[..count], SendFlags::empty())?;
                }
                answer::end_write(written);
                Ok(())
            });
        }
    }
    answer::end_write(written);
    Ok(())
}

/// Sends `pieces` and leaves of them what did not go, which is nothing unless `flags` say not to wait.
fn send_pieces(socket: &Socket, pieces: &mut &mut [IoSlice<'_>], flags: SendFlags) -> Result<(), Errno> {
    while !pieces.is_empty() {
        let mut control = SendAncillaryBuffer::default();
        match sendmsg(socket.as_fd(), pieces, &mut control, flags | SendFlags::NOSIGNAL) {
            Ok(sent) => IoSlice::advance_slices(pieces, sent),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Ok(()),
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
