//! Reading one end of a connection, so that its close can be a reset.

use std::io;

use crate::connection::Socket;

/// The end bytes come from. A Unix socket that closes with unread bytes resets the connection, so one byte that was passed
/// on already may be left unread.
#[derive(Debug)]
pub(super) struct Source<'a> {
    socket: &'a Socket,
    /// One byte is left unread.
    leaves_one: bool,
    /// Bytes in front that were passed on: none, or that one.
    left: usize,
    scratch: Vec<u8>,
}

impl<'a> Source<'a> {
    pub(super) const fn new(socket: &'a Socket, leaves_one: bool) -> Self {
        Self { socket, leaves_one, left: 0, scratch: Vec::new() }
    }

    /// Waits for bytes. 0: the sender has ended.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = if self.leaves_one { self.read_but_one(buffer) } else { self.socket.recv(buffer) };
            match read {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.socket.readable().await?,
                result => return result,
            }
        }
    }

    fn read_but_one(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.scratch.resize(buffer.len(), 0);
        let there = self.socket.peek(&mut self.scratch)?;
        let new = there.saturating_sub(self.left);
        if new == 0 {
            // Behind the byte that is left the end cannot be read.
            let has_ended =
                there == 0 || self.socket.is_closed() && self.socket.peek(&mut self.scratch)? == there;
            return if has_ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        if let (Some(to), Some(from)) = (buffer.get_mut(..new), self.scratch.get(self.left..there)) {
            to.copy_from_slice(from);
        }
        if let Some(all_but_one) = self.scratch.get_mut(..there - 1).filter(|bytes| !bytes.is_empty()) {
            self.socket.recv(all_but_one)?;
        }
        self.left = 1;
        Ok(new)
    }
}
