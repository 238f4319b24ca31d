//! What comes in on a connection: request packets and, behind each, a request body.
//!
//! One buffer serves both. A read takes as much as there is, so a small body usually comes with its packet and costs no
//! system call of its own. Knows nothing of Python; the objects applications read bodies through are in
//! [`python`](crate::python).

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lsapi::{BodyLength, DecodeError, ServerPacket};

use crate::settings::Settings;
use crate::worker::socket::{Received, Socket, TICK};
use crate::worker::{answer, gate};

/// Bytes the buffer starts with; a browser's request is about a tenth of it.
const INITIAL_BUFFER: usize = 16 * 1024;

/// How long a connection whose end has been announced may stay silent before it is left.
const LEAVE_AFTER: Duration = Duration::from_millis(500);

/// The limits waiting and reading keep to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    max_packet: usize,
    max_idle: Option<Duration>,
    header_timeout: Duration,
    body_timeout: Duration,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            max_packet: settings.max_request_packet,
            max_idle: settings.max_idle,
            header_timeout: settings.header_timeout,
            body_timeout: settings.body_timeout,
        }
    }
}

/// How a wait for a request packet ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A packet is there, or bytes that can never be one: [`Inbound::packet`] tells.
    Ready {
        /// CONN_CLOSE has been sent already: this is the connection's last request.
        announced: bool,
    },
    /// The server closed the connection between two requests.
    Eof,
    /// The connection ended or broke inside a packet; this many bytes of it had come.
    CutShort(usize),
    /// A packet was begun and not finished in time; this many bytes of it had come.
    HeaderTimeout(usize),
    /// The process should leave, and the server has been told.
    Leave {
        /// Because nothing came for the idle limit, and not because of a stop.
        idle: bool,
    },
}

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

/// The body of the request under way.
#[derive(Clone, Copy, Debug, Default)]
struct Body {
    /// Bytes announced; `None` when the server cannot tell or did not.
    total: Option<u64>,
    /// Bytes handed to the application.
    consumed: u64,
    /// Nothing further will come, whatever was announced.
    ended: bool,
}

/// The receiving side of one connection.
#[derive(Debug)]
pub struct Inbound {
    socket: Option<Arc<Socket>>,
    limits: Limits,
    buf: Vec<u8>,
    /// Where unconsumed bytes start in `buf`.
    start: usize,
    /// Where they end.
    end: usize,
    body: Body,
}

impl Inbound {
    pub(crate) fn new(limits: Limits) -> Self {
        let buf = vec![0; INITIAL_BUFFER];
        Self { socket: None, limits, buf, start: 0, end: 0, body: Body { ended: true, ..Body::default() } }
    }

    /// Starts with a new connection; nothing of the one before is kept.
    pub(crate) fn connect(&mut self, socket: Option<Arc<Socket>>) {
        self.socket = socket;
        self.start = 0;
        self.end = 0;
        self.body = Body { ended: true, ..Body::default() };
    }

    /// Waits until a whole request packet is buffered. The caller has let go of the GIL.
    pub(crate) fn wait_packet(&mut self) -> Wait {
        let mut waiting = false;
        let mut announced = false;
        let mut silence = Silence::default();
        loop {
            let framed = ServerPacket::frame(self.filled(), self.limits.max_packet);
            let Err(DecodeError::Incomplete { need }) = framed else { return Wait::Ready { announced } };
            let between = self.start == self.end;
            if between && !waiting {
                let Some(socket) = &self.socket else { return Wait::Eof };
                gate::enter_waiting(std::os::fd::AsFd::as_fd(&**socket));
                waiting = true;
            }
            let received = self.receive_some(need);
            if waiting && !matches!(received, Received::Tick | Received::Interrupted) {
                announced |= gate::leave_waiting();
                waiting = false;
            }
            match received {
                Received::Bytes(_) => {
                    if silence.announced.is_some()
                        && let Some(socket) = &self.socket
                    {
                        // A request that crossed the announcement is served in no more of a hurry than any other.
                        let _ = socket.set_tick(TICK);
                    }
                    silence = Silence::default();
                }
                // The answer to the announcement, or the server's own decision.
                Received::Eof | Received::Broken if between && announced => {
                    return Wait::Leave { idle: silence.idle && !gate::is_stopping() };
                }
                Received::Eof | Received::Broken if between => return Wait::Eof,
                Received::Eof | Received::Broken => return Wait::CutShort(self.filled().len()),
                Received::Tick | Received::Interrupted => {
                    silence.note(received);
                    if let Some(wait) = self.look_around(between, &mut silence) {
                        if waiting {
                            gate::leave_waiting();
                        }
                        return wait;
                    }
                }
            }
        }
    }

    /// An empty tick: is there a reason not to wait any longer?
    fn look_around(&self, between: bool, silence: &mut Silence) -> Option<Wait> {
        let silent = silence.so_far();
        if !between {
            let timed_out = silent >= self.limits.header_timeout;
            return timed_out.then(|| Wait::HeaderTimeout(self.filled().len()));
        }
        let stopping = gate::check_parent();
        silence.idle |= self.limits.max_idle.is_some_and(|limit| silent >= limit);
        if stopping || silence.idle {
            gate::announce_close();
        }
        if !gate::is_announced() {
            return None;
        }
        match silence.announced {
            // From here on the peer has half a second to close, or to say that its request was on the way.
            None => {
                silence.announced = Some(Instant::now());
                if let Some(socket) = &self.socket {
                    let _ = socket.set_tick(LEAVE_AFTER);
                }
                None
            }
            Some(at) => {
                (at.elapsed() >= LEAVE_AFTER).then_some(Wait::Leave { idle: silence.idle && !stopping })
            }
        }
    }

    /// The packet at the start of the buffer.
    pub(crate) fn packet(&self) -> Result<ServerPacket<'_>, DecodeError> {
        ServerPacket::decode(self.filled(), self.limits.max_packet)
    }

    /// The socket, while there is a connection.
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        self.socket.as_ref()
    }

    /// Steps over the request packet to its body.
    pub(crate) fn begin_body(&mut self, packet_len: usize, length: BodyLength) {
        self.start = (self.start + packet_len).min(self.end);
        self.body = Body { total: length.known(), consumed: 0, ended: length == BodyLength::Known(0) };
        if length == BodyLength::Unstated {
            // Nothing says that a body follows, and nothing says that none does: the application is told that there is none.
            self.body.ended = true;
        }
        self.note_progress();
    }

    /// Length of the request body in bytes; `None` if it is not known.
    #[must_use]
    pub const fn body_total(&self) -> Option<u64> {
        self.body.total
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

    /// Waits for more body and puts it into the buffer. Call it when the buffered part is used up.
    ///
    /// # Errors
    /// When the body ends early or stalls; after that it counts as ended, so the error is seen once.
    pub fn fill_body(&mut self) -> Result<(), BodyError> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        }
        // Never past the body: what follows it belongs to the next request.
        let room = self.buf.len().saturating_sub(self.end).max(INITIAL_BUFFER);
        let left = self.body_left().map_or(room, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let missing = left.saturating_sub(self.filled().len());
        let want = missing.min(room);
        self.receive_body(want, None).map(|_| ())
    }

    /// Waits for more body and puts it into `target` directly, past the buffer, which is empty.
    ///
    /// Returns how many bytes came, at least one.
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
                Some(target) => self.socket.as_ref().map_or(Received::Broken, |s| s.receive(target)),
                None => self.receive_exactly_up_to(want),
            };
            match received {
                Received::Bytes(count) => return Ok(count),
                Received::Tick | Received::Interrupted
                    if silence.note(received) < self.limits.body_timeout => {}
                ended => {
                    self.body.ended = true;
                    let arrived = self.body.consumed + self.filled().len() as u64;
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
        self.body = Body { ended: true, ..Body::default() };
    }

    fn filled(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Tells the crash handler when nothing more of the body can be in the socket.
    fn note_progress(&self) {
        if self.is_body_complete() {
            answer::body_received();
        }
    }

    /// Reads as much as there is, into a buffer large enough for a packet of `need` bytes.
    fn receive_some(&mut self, need: usize) -> Received {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
        } else if self.start + need > self.buf.len() {
            self.buf.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if need > self.buf.len() {
            self.buf.resize(need, 0);
        }
        let room = self.buf.len() - self.end;
        self.receive_exactly_up_to(room)
    }

    /// Reads at most `count` bytes behind the filled part.
    fn receive_exactly_up_to(&mut self, count: usize) -> Received {
        let Some(socket) = &self.socket else { return Received::Broken };
        let until = self.end + count;
        if until > self.buf.len() {
            self.buf.resize(until, 0);
        }
        let received = socket.receive(&mut self.buf[self.end..until]);
        if let Received::Bytes(count) = received {
            self.end += count;
        }
        received
    }
}

/// How long nothing has come. The clock is first looked at in the first empty tick, because most waits never see one.
#[derive(Debug, Default)]
struct Silence {
    since: Option<Instant>,
    /// The idle limit has been reached.
    idle: bool,
    /// When it was noticed that the end of the connection has been announced.
    announced: Option<Instant>,
}

impl Silence {
    /// Notes an attempt that brought nothing and tells how long nothing has come. An empty tick took [`TICK`] by itself; a
    /// signal says nothing about the time before it.
    fn note(&mut self, received: Received) -> Duration {
        let now = Instant::now();
        let before = if received == Received::Tick { TICK } else { Duration::ZERO };
        self.since.get_or_insert_with(|| now.checked_sub(before).unwrap_or(now));
        self.so_far()
    }

    fn so_far(&self) -> Duration {
        self.since.map_or(Duration::ZERO, |since| since.elapsed())
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
