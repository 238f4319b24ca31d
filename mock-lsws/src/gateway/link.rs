//! One LSAPI connection to an application.

use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use lsapi::{AppPacket, DecodeError};
use tokio::time::Instant;

use super::process::Process;
use crate::connection::Socket;
use crate::journal::{Level, Note, ServerLog};
use crate::packet::Packet;

/// Bytes read at once. It is all that is read ahead of a slow client.
const READ_SIZE: usize = 16 * 1024;

/// Bytes read at once from a connection nobody uses.
const IDLE_READ: usize = 4096;

/// One connection. Dropping it closes it, and ends the process that was started for it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: Socket,
    /// Where it leads.
    pub(super) address: Arc<str>,
    /// Whether it has completed a request.
    pub(super) served: bool,
    /// Since when it has been idle.
    pub(super) idle_since: Instant,
    /// Bytes of a packet that came behind a response and is not whole yet.
    pub(super) partial: Vec<u8>,
    /// Where reads go; it stays with the connection.
    pub(super) scratch: Vec<u8>,
    /// The process that was started for this connection (lsws 1.5).
    pub(super) process: Option<Process>,
}

impl Link {
    pub(super) fn new(socket: Socket, address: Arc<str>, process: Option<Process>) -> Self {
        Self {
            socket,
            address,
            served: false,
            idle_since: Instant::now(),
            partial: Vec::new(),
            scratch: vec![0; READ_SIZE],
            process,
        }
    }

    /// Looks at what the application said on the idle connection. False: it cannot be used any more (lsws 3.3).
    /// Afterwards `waker` is told when there is more.
    pub(super) fn is_usable(&mut self, waker: &Waker, log: &ServerLog) -> bool {
        let mut scratch = [0; IDLE_READ];
        if !self.take_idle_packets(log) {
            return false;
        }
        loop {
            match self.socket.recv(&mut scratch) {
                Ok(0) => return false,
                Ok(len) => {
                    self.partial.extend_from_slice(scratch.get(..len).unwrap_or_default());
                    if !self.take_idle_packets(log) {
                        return false;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    match self.socket.poll_readable(&mut Context::from_waker(waker)) {
                        std::task::Poll::Pending => return true,
                        std::task::Poll::Ready(Ok(())) => {}
                        std::task::Poll::Ready(Err(_)) => return false,
                    }
                }
                Err(_) => return false,
            }
        }
    }

    /// Nobody is told any more when there is something to read: it is in use.
    pub(super) fn forget_waker(&self) {
        let _ = self.socket.poll_readable(&mut Context::from_waker(Waker::noop()));
    }

    fn take_idle_packets(&mut self, log: &ServerLog) -> bool {
        let mut used = 0;
        let mut usable = true;
        while let Some(rest) = self.partial.get(used..).filter(|rest| usable && !rest.is_empty()) {
            match Packet::take(rest, std::time::Duration::ZERO) {
                Ok(packet) => {
                    used += packet.bytes().len();
                    match packet.decode() {
                        AppPacket::Stderr(text) => log.note(&Note::new(
                            Level::Notice,
                            format!("[STDERR] {}", String::from_utf8_lossy(text)),
                        )),
                        AppPacket::PidNotice(_) | AppPacket::ReqReceived | AppPacket::InternalError => {}
                        // CONN_CLOSE asks for it; anything of a response has no request it could belong to.
                        _ => usable = false,
                    }
                }
                Err(DecodeError::Incomplete { .. }) => break,
                Err(DecodeError::Invalid(_)) => usable = false,
            }
        }
        self.partial.drain(..used);
        usable
    }
}
