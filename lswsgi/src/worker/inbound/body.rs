//! Reading a request body: what has come with its packet first, the rest from the socket when it is asked for.
//!
//! A server whose client cancels its upload sends ABORT_REQUEST where body bytes are expected, and closes. Where no more than
//! those eight bytes were missing they would complete the body, so the end of a body is looked at.

use std::fmt;
use std::io;

use lsapi::{ABORT_REQUEST, BodyLength};

use super::buffer::Inbound;
use super::silence::Silence;
use crate::worker::answer;
use crate::worker::socket::Received;

/// Why a request body could not be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyError {
    /// The server ended the connection.
    CutShort {
        /// Bytes that had arrived.
        received: u64,
        /// Bytes announced.
        total: Option<u64>,
    },
    /// Nothing came for the body timeout.
    Timeout {
        /// Bytes that had arrived.
        received: u64,
        /// Bytes announced.
        total: Option<u64>,
    },
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, received, total) = match self {
            Self::CutShort { received, total } => ("request body cut short", received, total),
            Self::Timeout { received, total } => ("timed out reading the request body", received, total),
        };
        match total {
            Some(total) => write!(f, "{what}: {received} of {total} bytes arrived"),
            None => write!(f, "{what}: {received} bytes arrived, length unknown"),
        }
    }
}

/// The error an application sees when it reads a body that could not be read.
impl From<BodyError> for io::Error {
    fn from(error: BodyError) -> Self {
        let kind = match error {
            BodyError::CutShort { .. } => io::ErrorKind::ConnectionAborted,
            BodyError::Timeout { .. } => io::ErrorKind::TimedOut,
        };
        Self::new(kind, error.to_string())
    }
}

/// The body of the request under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Body {
    /// Bytes announced; `None` when the server cannot tell or did not.
    total: Option<u64>,
    /// Bytes handed to the application.
    consumed: u64,
    /// Nothing further will come, whatever was announced.
    ended: bool,
    /// The last bytes that came, to tell an ABORT_REQUEST among them.
    tail: [u8; ABORT_REQUEST.len()],
    /// Bytes that had come before an ABORT_REQUEST that took the place of the last ones.
    aborted: Option<u64>,
}

impl Body {
    /// Between two requests.
    pub(super) const NONE: Self = Self::new(None, true);

    const fn new(total: Option<u64>, ended: bool) -> Self {
        Self { total, consumed: 0, ended, tail: [0; ABORT_REQUEST.len()], aborted: None }
    }

    /// Notes bytes that have come.
    fn remember(&mut self, bytes: &[u8]) {
        let new = bytes.len().min(self.tail.len());
        self.tail.copy_within(new.., 0);
        let old = self.tail.len() - new;
        self.tail[old..].copy_from_slice(&bytes[bytes.len() - new..]);
    }
}

impl Inbound {
    /// Steps over the request packet to its body.
    pub(crate) fn begin_body(&mut self, packet_len: usize, length: BodyLength) {
        self.start = (self.start + packet_len).min(self.end);
        // Of an unstated length nothing says that a body follows, and nothing that none does: the application is told that
        // there is none.
        let ended = matches!(length, BodyLength::Known(0) | BodyLength::Unstated);
        self.body = Body::new(length.known(), ended);
        let came = self.buffered_body().len();
        if came > 0 {
            self.body.remember(&self.buf[self.start..self.start + came]);
            let abort = self.abort_at_end(came as u64).min(came);
            if abort > 0 {
                self.body.aborted = Some((came - abort) as u64);
                self.end = self.start + came - abort;
            }
        }
        self.note_progress();
    }

    /// Bytes of the body the application has not had yet; `None` while their number is not known.
    #[must_use]
    pub const fn body_left(&self) -> Option<u64> {
        match self.body {
            Body { ended: true, .. } => Some(0),
            Body { total: Some(total), consumed, .. } => Some(total - consumed),
            Body { total: None, .. } => None,
        }
    }

    /// The part of the body that has arrived and has not been consumed.
    #[must_use]
    pub fn buffered_body(&self) -> &[u8] {
        let filled = self.filled();
        let left = self.body_left().map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        &filled[..filled.len().min(left)]
    }

    /// Marks bytes of [`buffered_body`](Self::buffered_body) as read.
    pub fn consume_body(&mut self, count: usize) {
        self.start += count;
        self.body.consumed += count as u64;
        self.note_progress();
    }

    /// Waits for more body and puts it into the buffer, whose body part is used up. Nothing comes where a body without a
    /// known length ends.
    ///
    /// # Errors
    /// When the body ends early or stalls; after that it counts as ended, so the error is seen once.
    pub fn fill_body(&mut self) -> Result<(), BodyError> {
        debug_assert!(self.start == self.end, "bytes that have come would be forgotten");
        self.start = 0;
        self.end = 0;
        // Never past the body: what follows it belongs to the next request.
        let room = self.buf.len();
        let left = self.body_left().map_or(room, |left| usize::try_from(left).unwrap_or(usize::MAX));
        self.receive_body(left.min(room), None).map(|_| ())
    }

    /// Waits for more body and puts it into `target` directly, past the buffer, which is empty.
    ///
    /// Returns how many bytes came; 0 where a body without a known length ends.
    ///
    /// # Errors
    /// As [`fill_body`](Self::fill_body).
    pub fn read_body_into(&mut self, target: &mut [u8]) -> Result<usize, BodyError> {
        let count = self.receive_body(target.len(), Some(target))?;
        self.body.consumed += count as u64;
        self.note_progress();
        Ok(count)
    }

    fn receive_body(&mut self, want: usize, mut target: Option<&mut [u8]>) -> Result<usize, BodyError> {
        let mut silence = Silence::default();
        loop {
            let received = match &mut target {
                _ if self.body.aborted.is_some() => Received::Eof,
                Some(target) => self.socket.as_ref().map_or(Received::Broken, |s| s.receive(target)),
                None => self.receive_exactly_up_to(want),
            };
            match received {
                Received::Bytes(count) => {
                    let (new, came) = match &target {
                        Some(target) => (&target[..count], count),
                        None => (&self.buf[self.end - count..self.end], self.filled().len()),
                    };
                    self.body.remember(new);
                    let came = self.body.consumed + came as u64;
                    let abort = self.abort_at_end(came);
                    if abort == 0 {
                        return Ok(count);
                    }
                    self.body.aborted = Some(came - abort as u64);
                    // Of one that came in two parts the application may have had the first; the error is what counts.
                    let abort = abort.min(count);
                    if target.is_none() {
                        self.end -= abort;
                    }
                    if abort < count {
                        return Ok(count - abort);
                    }
                }
                Received::Tick | Received::Interrupted
                    if silence.note(received) < self.limits.body_timeout => {}
                Received::Eof if self.is_end_of_stream() => {
                    self.body.ended = true;
                    return Ok(0);
                }
                ended => {
                    self.body.ended = true;
                    let came = self.body.consumed + self.filled().len() as u64;
                    let whole_abort =
                        if self.body.tail == ABORT_REQUEST { ABORT_REQUEST.len() as u64 } else { 0 };
                    let arrived = self.body.aborted.unwrap_or(came.saturating_sub(whole_abort));
                    let total = self.body.total;
                    return Err(match ended {
                        Received::Tick | Received::Interrupted => {
                            BodyError::Timeout { received: arrived, total }
                        }
                        _ => BodyError::CutShort { received: arrived, total },
                    });
                }
            }
        }
    }

    /// How many of the last bytes of a body that is whole, with the `came` bytes that have come, belong to an ABORT_REQUEST.
    fn abort_at_end(&self, came: u64) -> usize {
        if self.body.total != Some(came) {
            return 0;
        }
        let tail = &self.body.tail;
        let longest = usize::try_from(came).unwrap_or(usize::MAX).min(tail.len());
        let is_abort = |&len: &usize| {
            let (taken, rest) = ABORT_REQUEST.split_at(len);
            tail[tail.len() - len..] == *taken && self.comes_next(rest)
        };
        (1..=longest).find(is_abort).unwrap_or(0)
    }

    /// Whether `rest` of an ABORT_REQUEST comes after the body, or after the whole of one the end of the connection. No
    /// request begins like such a rest.
    fn comes_next(&self, rest: &[u8]) -> bool {
        let left = self.body_left().and_then(|left| usize::try_from(left).ok()).unwrap_or(usize::MAX);
        let after = self.filled().get(left..).unwrap_or_default();
        if !after.is_empty() {
            return !rest.is_empty() && after.starts_with(rest);
        }
        self.socket.as_ref().is_some_and(
            |socket| {
                if rest.is_empty() { socket.is_ended() } else { socket.peeks(rest) }
            },
        )
    }

    /// Whether the end of what the server sends is the end of the body as well: its length is not known, and the server
    /// still waits for the response. One that has closed the connection has given the request up, and half a file must not
    /// be taken for a whole one. (Over TCP the two look the same.)
    fn is_end_of_stream(&self) -> bool {
        self.body.total.is_none() && self.socket.as_ref().is_some_and(|socket| !socket.is_hung_up())
    }

    /// Whether everything of the body that has not been read is in the buffer, so that the connection can go on.
    pub(crate) fn is_body_complete(&self) -> bool {
        match self.body.total {
            Some(total) => {
                let left = total - self.body.consumed;
                left <= self.filled().len() as u64
            }
            None => false,
        }
    }

    /// Drops what is left of a complete body.
    pub(crate) fn skip_body(&mut self) {
        let left = self.body.total.map_or(0, |total| total - self.body.consumed);
        self.start = self.end.min(self.start + usize::try_from(left).unwrap_or(usize::MAX));
        self.body = Body::NONE;
    }

    /// Tells the crash handler when nothing more of the body can be in the socket.
    fn note_progress(&self) {
        if self.is_body_complete() {
            answer::body_received();
        }
    }
}
