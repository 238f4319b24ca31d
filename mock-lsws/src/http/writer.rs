//! Writing to a client that may be slow.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::net::TcpStream;

/// Bytes that may wait before they are written: what is ready together leaves together.
const FULL: usize = 64 << 10;

/// Buffers one call hands to the system.
const SLICES: usize = 64;

/// Bytes on their way to one client. They are written when somebody flushes, so that a head and the body that is there
/// already leave in one write.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    stream: &'a TcpStream,
    waiting: VecDeque<Bytes>,
    len: usize,
    /// How long the client may take nothing.
    idle: Duration,
}

impl<'a> Writer<'a> {
    pub(super) fn new(stream: &'a TcpStream, idle: Duration) -> Self {
        Self { stream, waiting: VecDeque::new(), len: 0, idle }
    }

    pub(super) fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.len += bytes.len();
            self.waiting.push_back(bytes);
        }
    }

    /// Whether it is time to flush.
    pub(super) const fn is_full(&self) -> bool {
        self.len >= FULL
    }

    /// Writes everything.
    ///
    /// # Errors
    /// When the client is gone, or takes nothing for `connTimeout`.
    pub(super) async fn flush(&mut self) -> io::Result<()> {
        while self.len > 0 {
            match self.write_some() {
                Ok(written) => self.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::timeout(self.idle, self.stream.writable())
                        .await
                        .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_some(&self) -> io::Result<usize> {
        let mut slices = [IoSlice::new(b""); SLICES];
        let mut count = 0;
        for (slice, bytes) in slices.iter_mut().zip(&self.waiting) {
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        match self.stream.try_write_vectored(slices.get(..count).unwrap_or_default())? {
            0 => Err(io::ErrorKind::WriteZero.into()),
            written => Ok(written),
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.len -= written;
        while let Some(first) = self.waiting.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.waiting.pop_front();
        }
    }
}
