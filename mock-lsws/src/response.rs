//! A response put together from its packets, and what a real server would have said to them.

use std::time::Duration;

use lsapi::{AppPacket, ByteOrder, Invalid, ResponseHeader};

use crate::packet::Packet;
use crate::violation::{Severity, Violation};

/// What an application answered, whole or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Response {
    /// How it said that it has the request.
    pub ack: Ack,
    /// The status field of the first RESP_HEADER as sent; `None` if none came.
    pub status: Option<i32>,
    /// The header lines of the first RESP_HEADER in order.
    pub headers: Vec<Header>,
    /// The payloads of all RESP_STREAM packets before RESP_END.
    pub body: Vec<u8>,
    /// The payloads of all STDERR_STREAM packets but PID notices.
    pub stderr: Vec<u8>,
    /// Where CONN_CLOSE came, if it did.
    pub conn_close: Option<ConnClose>,
    /// How it ended.
    pub end: End,
    /// Everything that came, in order.
    pub packets: Vec<Packet>,
    /// When reading it began, counted from the start of the transcript.
    pub started: Duration,
    violations: Vec<Violation>,
}

/// The acknowledgement of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ack {
    /// None came.
    None,
    /// REQ_RECEIVED.
    Received,
    /// The PID notice of a process on its first connection.
    Pid(i32),
}

/// A header line of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The line as a server sees it, without its final byte.
    pub line: Vec<u8>,
    /// What is before the first colon, trimmed; empty if there is no colon.
    pub name: Vec<u8>,
    /// What is behind it, trimmed.
    pub value: Vec<u8>,
}

/// Where CONN_CLOSE came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnClose {
    /// Before RESP_END.
    BeforeEnd,
    /// Behind it.
    AfterEnd,
}

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// With RESP_END.
    Complete,
    /// The application closed the connection first.
    Eof,
    /// The application reset the connection first.
    Reset,
    /// Bytes came that are no packet.
    Invalid(Invalid),
    /// The deadline passed first.
    TimedOut,
    /// It had not ended after [`MAX_BODY`] bytes of packets.
    TooLong,
}

/// Longest response that is read, in bytes of memory its packets take, so that an application that never stops cannot fill
/// it.
pub const MAX_BODY: usize = 256 << 20;

impl Response {
    /// Whether RESP_END came.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.end == End::Complete
    }

    /// The HTTP status a server takes from the status field: 200 for 0, and for what is no status at all.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        let status = self.status.and_then(|status| u16::try_from(status).ok()).unwrap_or_default();
        if (100..1000).contains(&status) { status } else { 200 }
    }

    /// The value of the first header called `name`, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.all_headers(name).next()
    }

    /// The values of all headers called `name`, in any case, in order.
    pub fn all_headers(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let named = move |header: &&Header| header.name.eq_ignore_ascii_case(name.as_bytes());
        self.headers.iter().filter(named).map(|header| header.value.as_slice())
    }

    /// What is wrong with it by the rules a real server has or an application is asked to keep. Empty for a right one.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Whether a real server would have spoiled or refused it for one of its [`violations`](Self::violations).
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.violations.iter().any(|violation| violation.severity() == Severity::Breaks)
    }
}

/// Puts a response together.
#[derive(Debug)]
pub(crate) struct ResponseBuilder {
    response: Response,
    ended: bool,
    /// Bytes of body so far.
    body_len: u64,
    /// Whether bodies, log texts and packets are kept, and not looked at only.
    keeps: bool,
    /// What the packets kept cost so far.
    cost: usize,
}

impl ResponseBuilder {
    pub(crate) fn new(started: Duration) -> Self {
        let response = Response {
            ack: Ack::None,
            status: None,
            headers: Vec::new(),
            body: Vec::new(),
            stderr: Vec::new(),
            conn_close: None,
            end: End::TimedOut,
            packets: Vec::new(),
            started,
            violations: Vec::new(),
        };
        Self { response, ended: false, body_len: 0, keeps: true, cost: 0 }
    }

    /// One whose `body`, `stderr` and `packets` stay empty.
    pub(crate) fn without_content(started: Duration) -> Self {
        Self { keeps: false, ..Self::new(started) }
    }

    /// What is known so far.
    pub(crate) const fn so_far(&self) -> &Response {
        &self.response
    }

    pub(crate) fn push(&mut self, packet: &Packet) {
        if packet.flag() & 1 != ByteOrder::NATIVE_FLAG {
            self.violate(Violation::ForeignByteOrder { packet: packet.packet_type() });
        }
        let response = &mut self.response;
        match packet.decode() {
            AppPacket::ConnClose => {
                let place = if self.ended { ConnClose::AfterEnd } else { ConnClose::BeforeEnd };
                response.conn_close.get_or_insert(place);
            }
            _ if self.ended => self.violate(Violation::AfterEnd { packet: packet.packet_type() }),
            AppPacket::ReqReceived => self.acknowledge(Ack::Received),
            AppPacket::PidNotice(pid) => self.acknowledge(Ack::Pid(pid)),
            AppPacket::RespHeader(head) => self.head(&head),
            AppPacket::RespStream(data) => {
                self.body_len += data.len() as u64;
                if self.keeps {
                    response.body.extend_from_slice(data);
                }
                if response.status.is_none() {
                    self.violate(Violation::StreamBeforeHeader);
                }
            }
            AppPacket::Stderr(data) if self.keeps => response.stderr.extend_from_slice(data),
            AppPacket::RespEnd => {
                self.ended = true;
                if self.response.status.is_none() {
                    self.violate(Violation::EndBeforeHeader);
                }
            }
            AppPacket::Stderr(_) | AppPacket::InternalError => {}
        }
        if self.keeps {
            self.cost += packet.cost();
            self.response.packets.push(packet.clone());
        }
    }

    /// Whether more of it would be too much.
    pub(crate) fn is_full(&self) -> bool {
        self.cost > MAX_BODY
    }

    pub(crate) fn finish(mut self, end: End) -> Response {
        if self.response.ack == Ack::None && end == End::Complete {
            self.violate(Violation::NotAcknowledged);
        }
        self.response.end = end;
        self.response
    }

    /// Each kind is told once; how often it came is in the packets.
    fn violate(&mut self, violation: Violation) {
        if !self.response.violations.contains(&violation) {
            self.response.violations.push(violation);
        }
    }

    fn acknowledge(&mut self, ack: Ack) {
        if self.response.ack != Ack::None {
            self.violate(Violation::AcknowledgedTwice);
            return;
        }
        if self.response.status.is_some() {
            self.violate(Violation::AcknowledgedLate);
        }
        self.response.ack = ack;
    }

    fn head(&mut self, head: &ResponseHeader<'_>) {
        if self.response.status.is_some() {
            self.violate(Violation::SecondHeader);
            return;
        }
        if self.body_len > 0 {
            self.violate(Violation::HeaderAfterStream);
        }
        self.response.status = Some(head.status());
        if head.count() == 0 {
            self.violate(Violation::NoHeaderLines);
        }
        if head.surplus() != 0 {
            self.violate(Violation::LengthsDoNotAddUp { surplus: head.surplus() });
        }
        for (index, len) in head.lengths().enumerate() {
            if len <= 0 {
                self.violate(Violation::LineLength { index, len });
            }
        }
        for (index, line) in head.lines().enumerate() {
            if !line.is_terminated() {
                self.violate(Violation::LineWithoutNul { index });
            }
            if line.text().iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
                self.violate(Violation::LineBreakInLine { index });
            }
            let (name, value) = match line.name_value() {
                Some((name, value)) => (name.to_vec(), value.to_vec()),
                // An empty line is skipped and harms nobody.
                None if line.text().is_empty() => continue,
                None => {
                    self.violate(Violation::LineWithoutColon { index });
                    (Vec::new(), Vec::new())
                }
            };
            self.response.headers.push(Header { line: line.text().to_vec(), name, value });
        }
    }
}
