//! The receiving side of a connection: its socket and its buffer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lsapi::{DecodeError, ServerPacket};

use super::body::Body;
use crate::settings::Settings;
use crate::worker::socket::{Received, Socket};

/// Bytes the buffer starts with; a browser's request is about a tenth of it.
const INITIAL_BUFFER: usize = 16 * 1024;

/// The limits waiting and reading keep to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub(super) max_packet: usize,
    pub(crate) max_idle: Option<Duration>,
    pub(super) header_timeout: Duration,
    /// When a packet that has begun has to be whole, however steadily it comes.
    pub(crate) deadline: Option<Instant>,
    pub(super) body_timeout: Duration,
}

impl From<&Settings> for Limits {
    fn from(settings: &Settings) -> Self {
        Self {
            max_packet: settings.max_request_packet,
            max_idle: settings.max_idle,
            header_timeout: settings.header_timeout,
            deadline: None,
            body_timeout: settings.body_timeout,
        }
    }
}

/// The receiving side of one connection.
#[derive(Debug)]
pub struct Inbound {
    pub(super) socket: Option<Arc<Socket>>,
    pub(super) limits: Limits,
    pub(super) buf: Vec<u8>,
    /// Where unconsumed bytes start in `buf`.
    pub(super) start: usize,
    /// Where they end.
    pub(super) end: usize,
    pub(super) body: Body,
}

impl Inbound {
    pub(crate) fn new(limits: Limits) -> Self {
        let buf = vec![0; INITIAL_BUFFER];
        Self { socket: None, limits, buf, start: 0, end: 0, body: Body::NONE }
    }

    /// Starts with a new connection; nothing of the one before is kept.
    pub(crate) fn connect(&mut self, socket: Option<Arc<Socket>>) {
        self.socket = socket;
        self.start = 0;
        self.end = 0;
        self.body = Body::NONE;
    }

    /// Puts back what somebody else has read from the connection, which is new.
    pub(crate) fn put(&mut self, read: Vec<u8>) {
        self.start = 0;
        self.end = read.len();
        self.buf = read;
    }

    /// What has been read and not consumed, for somebody else to serve the connection.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let read = self.filled().to_vec();
        self.connect(None);
        read
    }

    /// The packet at the start of the buffer.
    pub(crate) fn packet(&self) -> Result<ServerPacket<'_>, DecodeError> {
        ServerPacket::decode(self.filled(), self.limits.max_packet)
    }

    /// The socket, while there is a connection.
    pub(crate) fn socket(&self) -> Option<&Arc<Socket>> {
        self.socket.as_ref()
    }

    /// The bytes that have come and have not been consumed.
    pub(super) fn filled(&self) -> &[u8] {
        &self.buf[self.start..self.end]
    }

    /// Reads as much as there is, into a buffer large enough for a packet of `need` bytes.
    pub(super) fn receive_some(&mut self, need: usize) -> Received {
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
    pub(super) fn receive_exactly_up_to(&mut self, count: usize) -> Received {
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
