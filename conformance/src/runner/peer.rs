//! A connection with what its steps have to remember.

use std::time::Duration;

use lsapi::PacketType;
use mock_lsws::scenario::assemble;
use mock_lsws::{Connection, End, Incoming, MAX_BODY, Packet, Response, within};

use super::steps::incoming;
use crate::event::Problem;

/// How long a closing application may take to close its side, when a case looks for bytes behind the end.
const DRAIN: Duration = Duration::from_millis(500);

/// Packets behind the last response that are reported; one would be enough.
const MOST_PROBLEMS: usize = 5;

/// One connection of a case.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: Connection,
    /// What steps have already read of the response to the last request.
    pub(super) read: Vec<Packet>,
    /// What these packets cost in memory.
    cost: usize,
    /// The response to the last request has ended, or none was asked for.
    pub(super) is_idle: bool,
}

impl Peer {
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection, read: Vec::new(), cost: 0, is_idle: true }
    }

    /// A new request goes out; what was read belongs to the one before.
    pub(super) fn begin(&mut self) {
        self.read.clear();
        self.cost = 0;
        self.is_idle = false;
    }

    /// The next packet or event, remembered.
    pub(super) async fn next(&mut self, limit: Duration) -> Incoming {
        let incoming = self.connection.next_packet(within(limit)).await;
        if let Incoming::Packet(packet) = &incoming {
            self.is_idle |= packet.packet_type() == PacketType::RespEnd;
            self.cost += packet.cost();
            self.read.push(packet.clone());
        }
        incoming
    }

    /// Whether the packets of one response have become more than is kept.
    pub(super) const fn is_full(&self) -> bool {
        self.cost > MAX_BODY
    }

    /// The whole response, what earlier steps have read of it included.
    pub(super) async fn response(&mut self, limit: Duration) -> Response {
        let rest = self.connection.read_response(within(limit)).await;
        let earlier = std::mem::take(&mut self.read);
        self.is_idle = rest.end == End::Complete;
        if earlier.is_empty() {
            return rest;
        }
        let started = rest.started;
        assemble(started, earlier.into_iter().chain(rest.packets), rest.end)
    }

    /// Bytes of a packet that had not become whole when the connection ended.
    pub(super) async fn partial(&mut self) -> usize {
        match self.connection.next_packet(within(Duration::ZERO)).await {
            Incoming::Eof { partial } | Incoming::Reset { partial } => partial,
            _ => 0,
        }
    }

    /// Ends an idle connection and returns what should not have come on it.
    pub(super) async fn drain(mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.is_idle && self.connection.half_close().is_ok() {
            let deadline = within(DRAIN);
            while problems.len() < MOST_PROBLEMS {
                let next = self.connection.next_packet(deadline).await;
                match &next {
                    Incoming::Packet(packet) if packet.packet_type() == PacketType::ConnClose => continue,
                    // How it closes, and when, is for the steps to ask.
                    Incoming::Eof { partial: 0 } | Incoming::Reset { partial: 0 } | Incoming::TimedOut => {
                        break;
                    }
                    _ => {}
                }
                let expected = "nothing but CONN_CLOSE until the next request";
                problems.push(Problem::new("after the last response", expected, incoming(&next)));
                if next.packet().is_none() {
                    break;
                }
            }
        }
        self.connection.close();
        problems
    }
}
