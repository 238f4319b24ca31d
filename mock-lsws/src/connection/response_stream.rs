//! Reading one response: packet by packet, or whole.

use lsapi::PacketType;
use tokio::time::Instant;

use super::client::{Connection, Incoming};
use crate::packet::Packet;
use crate::response::{End, Response, ResponseBuilder};
use crate::transcript::Event;

/// A response while it comes in.
#[derive(Debug)]
pub struct ResponseStream<'a> {
    connection: &'a mut Connection,
    response: ResponseBuilder,
    deadline: Instant,
    /// The deadline has passed, and what had arrived by then is being looked at.
    is_late: bool,
    end: Option<End>,
}

impl Connection {
    /// Reads packets until the response is complete or cannot be any more. What the application sent behind RESP_END
    /// and has arrived by then is taken into account too.
    pub async fn read_response(&mut self, deadline: Instant) -> Response {
        let response = ResponseBuilder::new(self.transcript().elapsed());
        let mut stream = self.stream(deadline, response);
        while stream.next().await.is_some() {}
        stream.finish()
    }

    /// Reads a response without keeping its content, so it may be of any length.
    pub fn stream_response(&mut self, deadline: Instant) -> ResponseStream<'_> {
        let response = ResponseBuilder::without_content(self.transcript().elapsed());
        self.stream(deadline, response)
    }

    const fn stream(&mut self, deadline: Instant, response: ResponseBuilder) -> ResponseStream<'_> {
        ResponseStream { connection: self, response, deadline, is_late: false, end: None }
    }
}

impl ResponseStream<'_> {
    /// The next packet of the response, RESP_END being the last. `None` when there are no more.
    pub async fn next(&mut self) -> Option<Packet> {
        if self.end.is_some() {
            return None;
        }
        if self.connection.packets.is_empty() && Instant::now() >= self.deadline {
            // What had arrived in time still counts, what comes after that does not: it might never stop.
            if self.is_late {
                self.connection.note(Event::TimedOut { partial: self.connection.partial.len() });
                self.end = Some(End::TimedOut);
                return None;
            }
            self.is_late = true;
        }
        let end = match self.connection.next_packet(self.deadline).await {
            Incoming::Packet(packet) => {
                self.response.push(&packet);
                if packet.packet_type() == PacketType::RespEnd {
                    self.end = Some(End::Complete);
                } else if self.response.is_full() {
                    self.end = Some(End::TooLong);
                }
                return Some(packet);
            }
            Incoming::Invalid(invalid) => End::Invalid(invalid),
            Incoming::Eof { .. } => End::Eof,
            Incoming::Reset { .. } => End::Reset,
            Incoming::TimedOut => End::TimedOut,
        };
        self.end = Some(end);
        None
    }

    /// What is known of the response so far.
    #[must_use]
    pub const fn so_far(&self) -> &Response {
        self.response.so_far()
    }

    /// The response, without its `body`, `stderr` and `packets` if it was streamed. One whose packets have not all been asked
    /// for counts as one that did not end in time.
    #[must_use]
    pub fn finish(mut self) -> Response {
        let end = self.end.unwrap_or(End::TimedOut);
        if end == End::Complete {
            self.connection.fill();
            while let Some(packet) = self.connection.pop() {
                self.response.push(&packet);
            }
        }
        self.response.finish(end)
    }
}
