//! Packets that come twice.

use lsapi::{DecodeError, PacketHeader, PacketType};

use super::direction::Direction;

/// Longest packet that is waited for; what claims to be longer is passed on as it comes.
const LONGEST: usize = 1 << 20;

/// Where in BEGIN_REQUEST the length of the body is (reqBodyLen, lsapi 1.2).
const BODY_LENGTH: std::ops::Range<usize> = 12..16;

/// Finds the packets of one direction, and repeats them.
#[derive(Debug)]
pub(super) struct Packets {
    direction: Direction,
    /// Which one is repeated; `None`: all.
    number: Option<u64>,
    seen: u64,
    /// Bytes of a packet that is not whole yet.
    pending: Vec<u8>,
    /// Bytes of a request's body that are still to come.
    body: u64,
    /// Where the next packet begins is not known any more.
    is_lost: bool,
}

impl Packets {
    pub(super) const fn new(direction: Direction, number: Option<u64>) -> Self {
        Self { direction, number, seen: 0, pending: Vec::new(), body: 0, is_lost: false }
    }

    /// Takes bytes, and returns those that go on now.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.pending.extend_from_slice(bytes);
        let mut out = Vec::new();
        loop {
            if self.is_lost {
                out.append(&mut self.pending);
                return out;
            }
            if self.body > 0 {
                let len = self.pending.len().min(usize::try_from(self.body).unwrap_or(usize::MAX));
                out.extend(self.pending.drain(..len));
                self.body -= len as u64;
            }
            match PacketHeader::decode(&self.pending) {
                Ok(header) if header.len > LONGEST => self.is_lost = true,
                Ok(header) if header.len <= self.pending.len() => {
                    let rest = self.pending.split_off(header.len);
                    let packet = std::mem::replace(&mut self.pending, rest);
                    self.repeat(&header, &packet, &mut out);
                }
                Ok(_) | Err(DecodeError::Incomplete { .. }) => return out,
                Err(DecodeError::Invalid(_)) => self.is_lost = true,
            }
        }
    }

    fn repeat(&mut self, header: &PacketHeader, packet: &[u8], out: &mut Vec<u8>) {
        self.seen += 1;
        let times = if self.number.is_none_or(|number| number == self.seen) { 2 } else { 1 };
        for _ in 0..times {
            out.extend_from_slice(packet);
        }
        if self.direction == Direction::App && header.packet_type() == Some(PacketType::BeginRequest) {
            let field = packet.get(BODY_LENGTH).and_then(|field| field.first_chunk());
            let length = field.map_or(0, |field| header.order().i32_from(*field));
            // Of a body whose length is not told the end cannot be seen.
            self.is_lost = length < 0;
            self.body = u64::try_from(length).unwrap_or_default();
        }
    }

    /// What is left when nothing more comes.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.pending)
    }
}

#[cfg(test)]
mod tests {
    use lsapi::{REQ_RECEIVED, RESP_END, RequestBuilder, put_stream};

    use super::*;

    fn response() -> Vec<u8> {
        let mut bytes = REQ_RECEIVED.to_vec();
        put_stream(b"hello", &mut bytes);
        bytes.extend(RESP_END);
        bytes
    }

    fn passed(mut packets: Packets, bytes: &[u8], piece: usize) -> Vec<u8> {
        let mut out: Vec<u8> = bytes.chunks(piece).flat_map(|piece| packets.pass(piece)).collect();
        out.extend(packets.finish());
        out
    }

    #[test]
    fn one_packet_or_every_packet_comes_twice_whatever_the_pieces() {
        let whole = response();
        let (ack, rest) = whole.split_at(8);
        let (stream, end) = rest.split_at(13);
        for piece in [1, 5, 8, 1000] {
            let pass = |number| passed(Packets::new(Direction::Server, number), &whole, piece);
            assert_eq!(pass(Some(2)), [ack, stream, stream, end].concat());
            assert_eq!(pass(None), [ack, ack, stream, stream, end, end].concat());
            assert_eq!(pass(Some(9)), whole);
        }
    }

    #[test]
    fn the_body_of_a_request_is_in_no_packet() {
        let begin = |length: i32| {
            let mut bytes = RequestBuilder::get("/").encode();
            bytes[BODY_LENGTH].copy_from_slice(&length.to_ne_bytes());
            bytes
        };
        let (post, get) = (begin(20), begin(0));
        // A body that looks like packets.
        let body = &[REQ_RECEIVED, RESP_END, REQ_RECEIVED].concat()[..20];
        let whole = [&post[..], body, &get].concat();
        for piece in [1, 7, 1000] {
            let pass = |number| passed(Packets::new(Direction::App, number), &whole, piece);
            assert_eq!(pass(None), [&post[..], &post, body, &get, &get].concat());
            assert_eq!(pass(Some(2)), [&post[..], body, &get, &get].concat());
        }
        let endless = [&begin(-1)[..], &get].concat();
        let out = passed(Packets::new(Direction::App, None), &endless, 9);
        assert_eq!(out, [&begin(-1)[..], &endless].concat());
    }

    #[test]
    fn what_is_no_packet_passes_as_it_is() {
        let mut huge = REQ_RECEIVED.to_vec();
        huge[4..8].copy_from_slice(&i32::MAX.to_ne_bytes());
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &huge, &REQ_RECEIVED[..5]] {
            assert_eq!(passed(Packets::new(Direction::Server, None), bytes, 4), bytes);
        }
    }
}
