//! One LSAPI connection to an application.

use std::io;
use std::sync::Arc;
use std::task::{Context, Waker};

use lsapi::{AppPacket, DecodeError};
use tokio::time::Instant;

use super::instance::Lease;
use super::process::Process;
use crate::connection::Socket;
use crate::journal::{Level, Note, ServerLog};
use crate::packet::Packet;

/// Bytes read at once. It is all that is read ahead of a slow client.
const READ_SIZE: usize = 16 * 1024;

/// Bytes read at once from a connection nobody uses.
const IDLE_READ: usize = 4096;

/// Reads of one look at an idle connection: an application that never stops talking must not hold up the others.
const IDLE_READS: usize = 16;

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
    /// The process that was started for this connection (lsapi 4.1.5).
    pub(super) process: Option<Process>,
    /// The instance it leads to, where processes share a socket.
    pub(super) lease: Option<Lease>,
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
            lease: None,
        }
    }

    /// Looks at what the application said on the idle connection. False: it cannot be used any more (lsapi 4.3.3).
    /// Afterwards `waker` is told when there is more.
    pub(super) fn is_usable(&mut self, waker: &Waker, log: &ServerLog) -> bool {
        let mut scratch = [0; IDLE_READ];
        if self.lease.as_ref().is_some_and(Lease::is_over) || !self.take_idle_packets(log) {
            return false;
        }
        for _ in 0..IDLE_READS {
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
        // There may be more: another look is due.
        waker.wake_by_ref();
        true
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Rung(AtomicBool);

    impl Wake for Rung {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn an_application_that_never_stops_talking_on_an_idle_connection_holds_nobody_up() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut link = Link::new(Socket::new(ours.into()).unwrap(), "app".into(), None);
        let talker = std::thread::spawn(move || {
            let lines = b"LS\x06\x00\x0c\x00\x00\x00line".repeat(8000);
            while theirs.write_all(&lines).is_ok() {}
        });
        let rung = Arc::new(Rung::default());
        let waker = Waker::from(Arc::clone(&rung));
        let mut looks = 0;
        // Until a look has ended before the talk has.
        while !rung.0.load(Ordering::SeqCst) {
            assert!(link.is_usable(&waker, &ServerLog::silent()));
            looks += 1;
            tokio::task::yield_now().await;
        }
        assert!(looks > 0);
        drop(link);
        talker.join().unwrap();
    }
}
