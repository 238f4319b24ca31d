//! The connection itself: sending, receiving and the ways to end it.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::Duration;

use lsapi::{DecodeError, Invalid, RawRequest};
use tokio::time::{Instant, timeout_at};

use super::error::{ConnectError, SendError};
use super::pace::Pace;
use super::socket::Socket;
use crate::Address;
use crate::fault::Faults;
use crate::packet::Packet;
use crate::transcript::{Bytes, Event, SentKind, Transcript};

/// How long a write may make no progress before it is given up, unless [`Connection::set_send_limit`] says otherwise.
const SEND_LIMIT: Duration = Duration::from_secs(30);

/// How long a server waits for a connection to be established.
pub(crate) const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// The size a real server writes request bodies in.
pub(crate) const BODY_BLOCK: usize = 8192;

/// Bytes read from the socket at once.
const READ_SIZE: usize = 64 * 1024;

/// Most bytes taken in before somebody looks at them. More than the largest packet, so there is always one to look at.
const FILL_LIMIT: usize = 1 << 20;

/// Most that waits to be looked at, as [`Packet::cost`] counts. Beyond it nothing is read, and an application that never
/// stops sending has to wait, as it has to when the client of a real server is slow.
const QUEUE_LIMIT: usize = 64 << 20;

/// A point in time `limit` from now, for the deadlines below.
#[must_use]
pub fn within(limit: Duration) -> Instant {
    Instant::now() + limit
}

/// One connection to an application.
#[derive(Debug)]
pub struct Connection {
    socket: Socket,
    transcript: Transcript,
    number: u32,
    /// Bytes that are not a whole packet yet.
    pub(super) partial: Vec<u8>,
    /// Where reads go first.
    scratch: Vec<u8>,
    /// Packets that have arrived and were not asked for yet.
    pub(super) packets: VecDeque<Packet>,
    /// What these packets cost in memory.
    queued: usize,
    /// What stands behind the packets: nothing more can come.
    end: Option<Incoming>,
    read_while_sending: bool,
    send_limit: Duration,
}

/// What the application did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// It sent a packet.
    Packet(Packet),
    /// It sent bytes a real server would drop the connection for. Nothing after them is looked at.
    Invalid(Invalid),
    /// It closed the connection, or its sending half.
    Eof {
        /// Bytes of a packet that never became whole.
        partial: usize,
    },
    /// It reset the connection: it closed with unread bytes, or was ended with them.
    Reset {
        /// Bytes of a packet that never became whole.
        partial: usize,
    },
    /// It did nothing that completes a packet until the deadline.
    TimedOut,
}

impl Incoming {
    /// The packet, if it is one.
    #[must_use]
    pub fn packet(self) -> Option<Packet> {
        match self {
            Self::Packet(packet) => Some(packet),
            _ => None,
        }
    }
}

impl Connection {
    /// Connects as a server does, with its limit of two seconds.
    ///
    /// # Errors
    /// When nobody listens there or the limit has passed.
    pub async fn connect(address: &Address, transcript: &Transcript) -> Result<Self, ConnectError> {
        let connected = tokio::time::timeout(CONNECT_LIMIT, Socket::connect(address)).await;
        let socket = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let socket = socket.map_err(|source| ConnectError { address: address.to_string(), source })?;
        Ok(Self::new(socket, &address.to_string(), transcript))
    }

    /// Takes over a connected stream socket: the other end of a socketpair, for example.
    ///
    /// # Errors
    /// When it is no socket.
    pub fn from_socket(socket: impl Into<OwnedFd>, transcript: &Transcript) -> Result<Self, ConnectError> {
        let address = "a connected socket";
        let socket =
            Socket::new(socket.into()).map_err(|source| ConnectError { address: address.into(), source })?;
        Ok(Self::new(socket, address, transcript))
    }

    fn new(socket: Socket, address: &str, transcript: &Transcript) -> Self {
        let number = transcript.open(address);
        Self {
            socket,
            transcript: transcript.clone(),
            number,
            partial: Vec::new(),
            scratch: vec![0; READ_SIZE],
            packets: VecDeque::new(),
            queued: 0,
            end: None,
            read_while_sending: true,
            send_limit: SEND_LIMIT,
        }
    }

    /// Puts faults between this end and the application, from now on. Best done where nothing is under way: bytes that the
    /// application has sent already are not counted, nor spared.
    ///
    /// # Errors
    /// When there are no more descriptors.
    pub fn add_faults(&mut self, faults: &Faults) -> io::Result<()> {
        if !faults.is_empty() {
            self.socket = Socket::new(faults.wrap(self.socket.try_clone_fd()?)?)?;
        }
        Ok(())
    }

    /// Its number in the transcript, from 1.
    #[must_use]
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// Where everything is written down.
    #[must_use]
    pub const fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// The address of this end, if it is a TCP connection.
    #[must_use]
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.socket.local_address()
    }

    /// Whether packets are read while a send waits, as a real server does and as is the default. Without it, an
    /// application that answers while it is sent to has to wait for its answer to be read.
    pub const fn read_while_sending(&mut self, on: bool) {
        self.read_while_sending = on;
    }

    /// Sets how long a send may make no progress before it is given up, 30 s otherwise.
    pub const fn set_send_limit(&mut self, limit: Duration) {
        self.send_limit = limit;
    }

    /// Sends bytes, whatever they are.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_as(SentKind::Raw, bytes).await
    }

    /// Sends bytes in pieces.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_paced(&mut self, bytes: &[u8], pace: &Pace) -> Result<(), SendError> {
        let pieces = pace.pieces(bytes);
        let of = pieces.len();
        for (index, piece) in pieces.into_iter().enumerate() {
            if index > 0 {
                self.pause(pace.pause_length()).await;
            }
            let kind = if of == 1 { SentKind::Raw } else { SentKind::Piece { number: index + 1, of } };
            self.send_as(kind, piece).await?;
        }
        Ok(())
    }

    /// Sends a request the way a real server does: the packet and the first block of the body in one write, the rest of
    /// the body in blocks of 8 KiB.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_request(&mut self, request: &RawRequest, body: &[u8]) -> Result<(), SendError> {
        let mut bytes = request.encode();
        let (first, rest) = body.split_at_checked(BODY_BLOCK).unwrap_or((body, &[]));
        bytes.extend(first);
        self.send_as(SentKind::Request, &bytes).await?;
        for block in rest.chunks(BODY_BLOCK) {
            self.send_as(SentKind::Body, block).await?;
        }
        Ok(())
    }

    /// Sends bytes of a request body that belong to a packet sent before.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn send_body(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.send_as(SentKind::Body, bytes).await
    }

    async fn send_as(&mut self, kind: SentKind, bytes: &[u8]) -> Result<(), SendError> {
        let mut sent = 0;
        let result = self.write_all(bytes, &mut sent).await;
        let gone = bytes.get(..sent).unwrap_or_default();
        if sent > 0 || bytes.is_empty() {
            self.note(Event::Sent { kind, bytes: gone.to_vec().into() });
        }
        if let Err(error) = &result {
            self.note(Event::SendFailed { reason: error.to_string() });
        }
        result
    }

    async fn write_all(&mut self, bytes: &[u8], sent: &mut usize) -> Result<(), SendError> {
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match self.socket.send(rest) {
                Ok(len) => *sent += len,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let limit = within(self.send_limit);
                    let of = bytes.len();
                    timeout_at(limit, self.wait_to_write())
                        .await
                        .map_err(|_| SendError::TimedOut { sent: *sent, of })?
                        .map_err(|source| SendError::Other { source })?;
                }
                Err(error) => return Err(SendError::from_io(error, *sent, bytes.len())),
            }
        }
        Ok(())
    }

    /// Waits until something can be written, and takes in what arrives meanwhile.
    async fn wait_to_write(&mut self) -> io::Result<()> {
        loop {
            if !self.read_while_sending || !self.takes_more() {
                return self.socket.writable().await;
            }
            // To the last byte: only then will the socket tell of new ones.
            while !self.fill() {
                tokio::task::yield_now().await;
            }
            if self.socket.ready_to_write().await? {
                return Ok(());
            }
        }
    }

    /// Lets time pass, and takes in what arrives meanwhile.
    pub async fn pause(&mut self, length: Duration) {
        let deadline = within(length);
        loop {
            while !self.fill() && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            if timeout_at(deadline, self.wait_to_read()).await.is_err() || Instant::now() >= deadline {
                return;
            }
        }
    }

    /// Whether more is read: not behind the end, and not while too much waits to be looked at.
    const fn takes_more(&self) -> bool {
        self.end.is_none() && self.queued < QUEUE_LIMIT
    }

    /// Waits until something can be read; for ever while nothing more is.
    async fn wait_to_read(&self) {
        if !self.takes_more() || self.socket.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// The next packet, or why there is none. An end or invalid bytes are told again each time; running out of time is
    /// not final.
    pub async fn next_packet(&mut self, deadline: Instant) -> Incoming {
        loop {
            // Where there is always one more, others have to have their turn too: a timeout around this, for example.
            tokio::task::coop::consume_budget().await;
            if let Some(packet) = self.pop() {
                return Incoming::Packet(packet);
            }
            // A deadline that has passed is told only once what has arrived is taken in, so that nothing is lost.
            self.fill();
            if !self.packets.is_empty() {
                continue;
            }
            if let Some(end) = &self.end {
                return end.clone();
            }
            if timeout_at(deadline, self.wait_to_read()).await.is_err() {
                self.fill();
                if self.packets.is_empty() && self.end.is_none() {
                    self.note(Event::TimedOut { partial: self.partial.len() });
                    return Incoming::TimedOut;
                }
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        let packet = self.packets.pop_front()?;
        self.queued = self.queued.saturating_sub(packet.cost());
        Some(packet)
    }

    /// Takes in what can be read without waiting, [`FILL_LIMIT`] bytes at most. Returns whether that was all that may be
    /// taken for now.
    pub(super) fn fill(&mut self) -> bool {
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut taken = 0;
        while self.takes_more() && taken < FILL_LIMIT {
            match self.socket.recv(&mut scratch) {
                Ok(0) => {
                    self.finish(
                        |partial| Incoming::Eof { partial },
                        Event::Eof { partial: Bytes::default() },
                    );
                }
                Ok(len) => {
                    taken += len;
                    self.partial.extend_from_slice(scratch.get(..len).unwrap_or_default());
                    self.take_packets();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.finish(
                        |partial| Incoming::Reset { partial },
                        Event::Reset { partial: Bytes::default() },
                    );
                }
            }
        }
        self.scratch = scratch;
        taken < FILL_LIMIT
    }

    fn finish(&mut self, incoming: fn(usize) -> Incoming, mut event: Event) {
        let rest = std::mem::take(&mut self.partial);
        self.end = Some(incoming(rest.len()));
        if let Event::Eof { partial } | Event::Reset { partial } = &mut event {
            *partial = rest.into();
        }
        self.note(event);
    }

    fn take_packets(&mut self) {
        let mut used = 0;
        while let Some(rest) = self.partial.get(used..).filter(|rest| !rest.is_empty()) {
            match Packet::take(rest, self.transcript.elapsed()) {
                Ok(packet) => {
                    used += packet.bytes().len();
                    self.note(Event::Received { bytes: packet.bytes().to_vec().into() });
                    self.queued += packet.cost();
                    self.packets.push_back(packet);
                }
                Err(DecodeError::Incomplete { .. }) => break,
                Err(DecodeError::Invalid(invalid)) => {
                    let bytes = rest.to_vec();
                    used += bytes.len();
                    self.note(Event::Invalid { reason: invalid.to_string(), bytes: bytes.into() });
                    self.end = Some(Incoming::Invalid(invalid));
                    break;
                }
            }
        }
        self.partial.drain(..used);
    }

    /// Closes the sending half: the application reads an end, and can still answer.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn half_close(&mut self) -> io::Result<()> {
        self.note(Event::HalfClosed);
        self.socket.shutdown_write()
    }

    /// Sends ABORT_REQUEST and closes in the same instant, as a server does when its client is gone.
    pub fn abort(self) {
        let bytes = lsapi::ABORT_REQUEST;
        if let Ok(sent) = self.socket.send(&bytes) {
            let bytes = bytes.get(..sent).unwrap_or_default().to_vec();
            self.note(Event::Sent { kind: SentKind::Raw, bytes: bytes.into() });
        }
        self.close();
    }

    /// Closes with a reset, and tells whether the application will see one. Over TCP it always does; a Unix socket resets
    /// only if bytes of the application are unread here, and closes otherwise.
    ///
    /// # Errors
    /// When the connection is gone already.
    pub fn reset(self) -> io::Result<bool> {
        let seen = self.socket.arm_reset()?;
        self.note(Event::Closed { reset: seen });
        Ok(seen)
    }

    /// Closes.
    pub fn close(self) {
        self.note(Event::Closed { reset: false });
    }

    /// Whether it runs over TCP.
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        self.socket.is_tcp()
    }

    pub(super) fn note(&self, event: Event) {
        self.transcript.add(self.number, event);
    }
}
