//! What goes out on a connection: the response as the application produces it.
//!
//! Keeps to what a real server needs: one head with at least one line, sent whole in one write; body packets of at most
//! 16 KiB; RESP_END always, CONN_CLOSE in the same write where the connection ends. Counts the body against the length
//! the application declared. Text for the error log goes out between packets, before what is written after it. Checking names and values of headers is done where they come from, in
//! [`python`](crate::python).

use std::sync::Arc;

use lsapi::limits::MAX_STREAM_PAYLOAD;
use lsapi::{CLOSE_AND_END, HeadError, RESP_END, ResponseHead, put_stderr, put_stream};
use rustix::io::Errno;

use crate::access_log::{self, Ending};
use crate::worker::answer::{self, Written};
use crate::worker::error_text::{ErrorText, Part};
use crate::worker::exchange::Detach;
use crate::worker::send::{send, send_large};
use crate::worker::socket::Socket;
use crate::{board, log};

/// Bodies up to this size are copied behind their headers and leave in one `send`; copying that much is cheaper than
/// handing the kernel several pieces. Larger ones are sent from where they are.
const INLINE_BODY: usize = MAX_STREAM_PAYLOAD;

/// How a write leaves the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// More of the body follows.
    No,
    /// The response is complete, and the connection takes another request.
    KeepAlive,
    /// The response is complete, and the connection is to be closed.
    Close,
    /// As [`End::Close`], with CONN_CLOSE sent earlier.
    CloseAnnounced,
}

impl End {
    const fn packets(self) -> &'static [u8] {
        match self {
            Self::No => &[],
            Self::KeepAlive | Self::CloseAnnounced => &RESP_END,
            Self::Close => &CLOSE_AND_END,
        }
    }
}

/// How far the response has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `start_response` has not been called.
    Nothing,
    /// Status and headers are set and can still be replaced.
    Started,
    /// The head has been sent.
    HeadSent,
    /// RESP_END has been sent.
    Ended(End),
    /// The connection broke; nothing can be sent any more.
    Lost,
}

/// What of the request's method decides about the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// May be run again.
    Get,
    /// As GET, and its response has no body.
    Head,
    /// Any other.
    Other,
}

/// The connection broke while the response was written: the client or the server is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// The sending side of one connection.
#[derive(Debug)]
pub struct Outbound {
    socket: Option<Arc<Socket>>,
    phase: Phase,
    status: u16,
    head: ResponseHead,
    /// The length the application declared.
    declared: Option<u64>,
    /// Body bytes written, or cut because the response has no body.
    written: u64,
    method: Method,
    /// Number of the request, for log lines.
    serial: u64,
    /// The application produced more than it declared, and that has been said.
    surplus_reported: bool,
    /// How it ends, as far as can be told.
    ending: Ending,
    /// Text for the error log that has not been sent.
    errors: Arc<ErrorText>,
    /// Bytes on their way; kept for its memory.
    out: Vec<u8>,
}

impl Outbound {
    pub(crate) fn new(errors: Arc<ErrorText>) -> Self {
        Self {
            socket: None,
            phase: Phase::Nothing,
            status: 0,
            head: ResponseHead::default(),
            declared: None,
            written: 0,
            method: Method::Other,
            serial: 0,
            surplus_reported: false,
            ending: Ending::Complete,
            errors,
            out: Vec::with_capacity(INLINE_BODY + 1024),
        }
    }

    /// Starts with a new connection.
    pub(crate) fn connect(&mut self, socket: Option<Arc<Socket>>) {
        self.socket = socket;
        self.phase = Phase::Lost;
    }

    /// Starts with a new request, the `serial`-th of this process.
    pub(crate) fn begin(&mut self, method: Option<&[u8]>, serial: u64) {
        self.serial = serial;
        self.phase = Phase::Nothing;
        self.ending = Ending::Complete;
        self.method = match method {
            Some(b"GET") => Method::Get,
            Some(b"HEAD") => Method::Head,
            _ => Method::Other,
        };
        self.reset_head();
    }

    fn reset_head(&mut self) {
        self.head.clear();
        self.status = 0;
        self.declared = None;
        self.written = 0;
        self.surplus_reported = false;
    }

    /// How far the response has come.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The status set, 0 before.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// Whether there is a connection.
    pub(crate) const fn is_connected(&self) -> bool {
        self.socket.is_some()
    }

    /// Whether there is a response of which more can be sent.
    pub(crate) const fn is_under_way(&self) -> bool {
        self.is_connected() && matches!(self.phase, Phase::Nothing | Phase::Started | Phase::HeadSent)
    }

    /// Body bytes written so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// The declared length, if there is one.
    #[must_use]
    pub const fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Whether this response has no body whatever the application yields: HEAD, 204 and 304.
    #[must_use]
    pub const fn is_bodyless(&self) -> bool {
        matches!(self.method, Method::Head) || matches!(self.status, 204 | 304)
    }

    /// Whether nothing the application still yields can be sent: it has yielded something for a response without a body,
    /// or more than it declared.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.is_bodyless() || self.surplus_reported
    }

    /// Forgets a status and headers that have not been sent, and lends an empty head to be filled and handed to
    /// [`start`](Self::start). Filling it runs code of the application, which must not meet a held lock.
    #[must_use]
    pub fn restart(&mut self) -> ResponseHead {
        self.reset_head();
        self.phase = Phase::Nothing;
        std::mem::take(&mut self.head)
    }

    /// Sets status and headers. `declared` is the length of the body, if one of them says it.
    pub fn start(&mut self, status: u16, head: ResponseHead, declared: Option<u64>) {
        self.head = head;
        self.declared = declared;
        self.status = status;
        self.phase = Phase::Started;
    }

    /// Sets the declared length from the body itself, if the application has not set one and the response is one for
    /// which that is right. A head without room for one more line goes without.
    pub fn declare_length(&mut self, len: u64) {
        if self.phase != Phase::Started || self.declared.is_some() || matches!(self.status, 204 | 304) {
            return;
        }
        // A HEAD request is often answered with nothing at all; that says nothing about the length of the real thing.
        if self.method == Method::Head && len == 0 {
            return;
        }
        let mut digits = [0; 20];
        if self.head.push(b"Content-Length", decimal(len, &mut digits)).is_ok() {
            self.declared = Some(len);
        }
    }

    /// Writes a piece of the body, the head before it if it has not been sent, and the end behind it if there is one.
    ///
    /// Tries without waiting first; only if the peer is slower than we are is the GIL let go.
    ///
    /// # Errors
    /// [`Lost`] when the connection is broken, now or since an earlier write.
    pub fn write<D: Detach>(&mut self, gil: &D, body: &[u8], end: End) -> Result<(), Lost> {
        debug_assert!(self.phase != Phase::Nothing, "a response starts with its head");
        self.send_errors(gil, Part::All);
        let Some(socket) =
            self.socket.clone().filter(|_| matches!(self.phase, Phase::Started | Phase::HeadSent))
        else {
            return Err(Lost);
        };
        let body = self.admit(body);
        self.out.clear();
        if self.phase == Phase::Started {
            self.put_head();
        }
        if end != End::No {
            board::slot().ending();
        }
        access_log::sending(self.status, self.written);
        let sent = if body.len() <= INLINE_BODY {
            put_stream(body, &mut self.out);
            self.out.extend_from_slice(end.packets());
            if self.out.is_empty() {
                return Ok(());
            }
            answer::start_write();
            send(gil, &socket, &self.out, self.head_written(end))
        } else {
            answer::start_write();
            send_large(gil, &socket, &self.out, body, end.packets(), self.head_written(end))
        };
        match sent {
            Ok(()) => {
                self.phase = if end == End::No { Phase::HeadSent } else { Phase::Ended(end) };
                Ok(())
            }
            Err(errno) => {
                self.lose(errno);
                Err(Lost)
            }
        }
    }

    /// Sends error text that waits, if a response is under way. In writes of its own, because a head should not arrive in
    /// two pieces, and a short text in front of it could cause that. Returns whether there was any, and there may be more:
    /// threads that log faster than the peer reads must not keep a response back.
    pub(crate) fn send_errors<D: Detach>(&mut self, gil: &D, part: Part) -> bool {
        if !self.is_under_way() {
            return false;
        }
        let text = self.errors.take(part);
        let Some(socket) = self.socket.clone().filter(|_| !text.is_empty()) else { return false };
        let mut packets = Vec::with_capacity(text.len() + 64);
        put_stderr(&text, &mut packets);
        let written =
            if self.phase == Phase::HeadSent { self.head_written(End::No) } else { Written::NoHead };
        answer::start_write();
        if let Err(errno) = send(gil, &socket, &packets, written) {
            self.errors.put_back(text);
            self.lose(errno);
        }
        true
    }

    /// Whether running the request again does no harm: GET and HEAD.
    #[must_use]
    pub const fn is_repeatable(&self) -> bool {
        matches!(self.method, Method::Get | Method::Head)
    }

    /// How far a write with the head in it, or behind it, brings the response.
    fn head_written(&self, end: End) -> Written {
        match end {
            End::No if self.declared.is_none() && self.is_repeatable() => Written::OpenHead,
            End::No => Written::Head,
            _ => Written::End,
        }
    }

    /// How the response has ended.
    #[must_use]
    pub const fn ending(&self) -> Ending {
        self.ending
    }

    /// Declares that the application has failed, and that the end it is given is not its own.
    pub const fn ends_early(&mut self) {
        self.ending = Ending::Early;
    }

    /// Gives the response up without its end. The connection cannot be used any more.
    pub fn abandon(&mut self) {
        self.give_up(Ending::Aborted);
    }

    fn lose(&mut self, errno: Errno) {
        log::debug(format_args!("the response could not be written, the peer is gone: {errno}"));
        self.give_up(Ending::Gone);
    }

    fn give_up(&mut self, ending: Ending) {
        self.ending = ending;
        self.phase = Phase::Lost;
        answer::end();
    }

    /// How many bytes of body the declared length has room for. More than fit into memory without one.
    #[must_use]
    pub fn room(&self) -> usize {
        let room = self.declared.map_or(u64::MAX, |declared| declared - self.written);
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    /// The part of `body` that belongs to the response.
    fn admit<'b>(&mut self, body: &'b [u8]) -> &'b [u8] {
        if self.is_bodyless() {
            return &[];
        }
        let admitted = body.len().min(self.room());
        if admitted < body.len() && !self.surplus_reported {
            self.surplus_reported = true;
            log::warning(format_args!(
                "the application produced more body than the Content-Length it declared ({}); the rest is cut: request {} of \
                 this process",
                self.declared.unwrap_or_default(),
                self.serial
            ));
        }
        self.written += admitted as u64;
        &body[..admitted]
    }

    fn put_head(&mut self) {
        if self.head.is_empty() {
            // Without a header line the server does not take the head for one. Two short words fit anywhere.
            let _ = self.head.push(b"Content-Type", b"text/plain");
        }
        let encoded: Result<(), HeadError> = self.head.encode(self.status, &mut self.out);
        debug_assert!(encoded.is_ok(), "the head has at least the line pushed above");
    }
}

/// `value` in decimal digits, without an allocation.
fn decimal(mut value: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        let digit = (value % 10) as u8;
        digits[at] = b'0' + digit;
        value /= 10;
        if value == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_decimal() {
        for value in [0, 9, 10, 4711, u64::MAX] {
            assert_eq!(decimal(value, &mut [0; 20]), value.to_string().as_bytes());
        }
    }
}
