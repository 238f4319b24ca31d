//! A connection with what its steps have to remember.

use std::time::Duration;

use lsapi::PacketType;
use mock_lsws::scenario::{PacketKind, assemble};
use mock_lsws::{Connection, End, Incoming, Packet, Response, within};

use crate::event::Problem;

/// How long a closing application may take to close its side, when a case looks for bytes behind the end.
const DRAIN: Duration = Duration::from_millis(500);

/// One connection of a case.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: Connection,
    /// What steps have already read of the response to the last request.
    pub(super) read: Vec<Packet>,
    /// The response to the last request has ended, or none was asked for.
    pub(super) is_idle: bool,
}

impl Peer {
    pub(super) const fn new(connection: Connection) -> Self {
        Self { connection, read: Vec::new(), is_idle: true }
    }

    /// A new request goes out; what was read belongs to the one before.
    pub(super) fn begin(&mut self) {
        self.read.clear();
        self.is_idle = false;
    }

    /// The next packet or event, remembered.
    pub(super) async fn next(&mut self, limit: Duration) -> Incoming {
        let incoming = self.connection.next_packet(within(limit)).await;
        if let Incoming::Packet(packet) = &incoming {
            self.is_idle |= packet.packet_type() == PacketType::RespEnd;
            self.read.push(packet.clone());
        }
        incoming
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

    /// Ends an idle connection and returns what should not have come on it.
    pub(super) async fn drain(mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.is_idle && self.connection.half_close().is_ok() {
            while let Incoming::Packet(packet) = self.connection.next_packet(within(DRAIN)).await {
                let kind = PacketKind::of(&packet.decode());
                if kind != PacketKind::ConnClose {
                    problems.push(Problem {
                        field: "after the last response".into(),
                        expected: Some("nothing but CONN_CLOSE until the next request".into()),
                        actual: kind.to_string(),
                    });
                }
            }
        }
        self.connection.close();
        problems
    }
}
