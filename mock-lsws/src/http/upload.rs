//! The body of a request while it comes in.
//!
//! Owns the bytes between the end of the head and the end of the body, without the framing. What is behind them stays in
//! the connection's buffer for the next request.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use rustix::event::{PollFd, PollFlags};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::chunked::{ChunkDecoder, Next};
use super::head::BodyLength;

/// Bytes read at once.
const READ_BLOCK: usize = 16 << 10;

/// Blocks of an unread body that are dropped so that the connection can be kept.
const DISCARDED_BLOCKS: usize = 64;

/// The server answers Expect itself (lsapi 4.2), when the body is first asked for.
const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The body of one request: what the client sends behind its head, without the framing.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    stream: &'a TcpStream,
    /// Bytes read and not used: the start of the body, and what follows it.
    buffer: &'a mut BytesMut,
    length: BodyLength,
    framing: Framing,
    /// Data handed out so far.
    taken: u64,
    /// `maxReqBodySize`.
    max: u64,
    /// What is still to be written of [`CONTINUE`].
    interim: &'static [u8],
    /// How long the client may make no progress.
    idle: Duration,
    /// Since when it makes none.
    waiting: Option<Instant>,
    failure: Option<UploadError>,
}

#[derive(Debug)]
enum Framing {
    /// This many bytes are left.
    Counted(u64),
    Chunked(ChunkDecoder),
}

/// A body that cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadError {
    /// The client closed or reset the connection in it.
    #[error("the client left before the end of its request body")]
    Gone,
    /// Nothing came for `connTimeout`.
    #[error("the client stopped sending its request body")]
    TimedOut,
    /// Its framing is broken.
    #[error("the chunked request body is malformed: {0}")]
    Malformed(&'static str),
    /// Longer than `maxReqBodySize`.
    #[error("the request body is larger than maxReqBodySize")]
    TooLarge,
}

impl UploadError {
    /// What a client that still listens is told.
    pub(super) const fn status(self) -> Option<u16> {
        match self {
            Self::Gone => None,
            Self::TimedOut => Some(408),
            Self::Malformed(_) => Some(400),
            Self::TooLarge => Some(413),
        }
    }
}

impl<'a> Upload<'a> {
    /// The body behind a head that said `length`, of any size, from a client that may take its time.
    pub(crate) fn new(stream: &'a TcpStream, buffer: &'a mut BytesMut, length: BodyLength) -> Self {
        let framing = match length {
            BodyLength::None => Framing::Counted(0),
            BodyLength::Declared(len) => Framing::Counted(len),
            BodyLength::Chunked => Framing::Chunked(ChunkDecoder::new()),
        };
        Self {
            stream,
            buffer,
            length,
            framing,
            taken: 0,
            max: u64::MAX,
            interim: b"",
            idle: Duration::from_secs(300),
            waiting: None,
            failure: None,
        }
    }

    /// Sets `maxReqBodySize` and `connTimeout`.
    pub(super) fn limits(self, max: u64, idle: Duration) -> Self {
        Self { max, idle, ..self }
    }

    /// The client waits for 100 Continue before it sends.
    pub(super) fn expects_continue(self) -> Self {
        Self { interim: CONTINUE, ..self }
    }

    /// What the head said.
    pub(crate) const fn length(&self) -> BodyLength {
        self.length
    }

    /// Whether the whole body has been handed out.
    pub(crate) const fn is_complete(&self) -> bool {
        match &self.framing {
            Framing::Counted(left) => *left == 0,
            Framing::Chunked(decoder) => decoder.is_done(),
        }
    }

    /// What went wrong, if something did.
    pub(super) const fn failure(&self) -> Option<UploadError> {
        self.failure
    }

    /// The next bytes of the body, `None` at its end. Nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// See [`UploadError`]. Every later call says the same.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, UploadError> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let next = self.read().await;
        if let Err(failure) = next {
            self.failure = Some(failure);
        }
        next
    }

    async fn read(&mut self) -> Result<Option<Bytes>, UploadError> {
        if self.is_complete() {
            return Ok(None);
        }
        self.write_interim().await?;
        loop {
            if let Some(data) = self.take_buffered()? {
                return Ok(Some(data));
            }
            if self.is_complete() {
                return Ok(None);
            }
            if !self.fill()? {
                self.wait(PollFlags::IN).await?;
            }
        }
    }

    /// Data that has been read already.
    fn take_buffered(&mut self) -> Result<Option<Bytes>, UploadError> {
        let take = match &mut self.framing {
            Framing::Counted(left) => {
                let take =
                    usize::try_from(*left).map_or(self.buffer.len(), |left| left.min(self.buffer.len()));
                *left -= take as u64;
                take
            }
            Framing::Chunked(decoder) => {
                let (skip, next) = decoder.next(self.buffer).map_err(UploadError::Malformed)?;
                self.buffer.advance(skip);
                match next {
                    Next::Data(len) => len,
                    Next::Nothing | Next::End => 0,
                }
            }
        };
        self.taken += take as u64;
        if self.taken > self.max {
            return Err(UploadError::TooLarge);
        }
        Ok((take > 0).then(|| self.buffer.split_to(take).freeze()))
    }

    /// Reads what is there. `false`: nothing.
    fn fill(&mut self) -> Result<bool, UploadError> {
        self.buffer.reserve(READ_BLOCK);
        match self.stream.try_read_buf(self.buffer) {
            Ok(0) => Err(UploadError::Gone),
            Ok(_) => {
                self.waiting = None;
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(_) => Err(UploadError::Gone),
        }
    }

    async fn write_interim(&mut self) -> Result<(), UploadError> {
        while !self.interim.is_empty() {
            match self.stream.try_write(self.interim) {
                Ok(written) => {
                    self.waiting = None;
                    self.interim = self.interim.get(written..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(PollFlags::OUT).await?,
                Err(_) => return Err(UploadError::Gone),
            }
        }
        Ok(())
    }

    /// Waits for the client, no longer than it may make no progress.
    async fn wait(&mut self, what: PollFlags) -> Result<(), UploadError> {
        let since = *self.waiting.get_or_insert_with(Instant::now);
        let ready = async {
            if what == PollFlags::IN { self.stream.readable().await } else { self.stream.writable().await }
        };
        match tokio::time::timeout_at(since + self.idle, ready).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(UploadError::Gone),
            Err(_) => Err(UploadError::TimedOut),
        }
    }

    /// Whether the rest of the body has arrived already. What the client has sent so far is read for that, one block at
    /// most.
    pub(super) fn has_arrived(&mut self) -> bool {
        // An error shows when the body is asked for.
        let _ = self.fill();
        match &self.framing {
            Framing::Counted(left) => *left <= self.buffer.len() as u64,
            Framing::Chunked(decoder) => {
                let mut ahead = decoder.clone();
                let mut rest: &[u8] = self.buffer;
                loop {
                    let (skip, take) = match ahead.next(rest) {
                        Ok((skip, Next::Data(take))) => (skip, take),
                        Ok((_, Next::End)) => return true,
                        Ok((_, Next::Nothing)) | Err(_) => return ahead.is_done(),
                    };
                    rest = rest.get(skip + take..).unwrap_or_default();
                }
            }
        }
    }

    /// Drops what has come of the rest. Returns whether that was all of it: only then the next request can be told from
    /// the body of this one.
    pub(super) fn discard_arrived(&mut self) -> bool {
        if self.failure.is_some() {
            return false;
        }
        // A client that waits for leave to send may as well not send.
        if !self.interim.is_empty() && !self.is_complete() {
            return false;
        }
        for _ in 0..DISCARDED_BLOCKS {
            match self.take_buffered() {
                Err(_) => return false,
                Ok(Some(_)) => {}
                Ok(None) if self.is_complete() => return true,
                Ok(None) if matches!(self.fill(), Ok(true)) => {}
                Ok(None) => return false,
            }
        }
        false
    }

    /// Whether the client has closed its connection (or its sending half), as the server finds out when it looks.
    pub(crate) fn client_has_left(&self) -> bool {
        let mut socket = [PollFd::new(self.stream, PollFlags::RDHUP)];
        match rustix::event::poll(&mut socket, Some(&rustix::event::Timespec::default())) {
            Ok(0) | Err(_) => false,
            Ok(_) => true,
        }
    }
}
