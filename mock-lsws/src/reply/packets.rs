//! The packets of one connection, checked as the server checks them (lsapi 4.3.1).
//!
//! Stricter and laxer than the codec's decoder at once: what counts here is what the real server lets pass.

use lsapi::{ByteOrder, HEADER_LEN, PacketHeader, PacketType, limits};

/// A packet of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Packet {
    pub(super) ty: PacketType,
    pub(super) order: ByteOrder,
    pub(super) payload: Vec<u8>,
}

/// Bytes on their way to packets.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// What has arrived and is not used up.
    bytes: Vec<u8>,
    /// How much of it is.
    used: usize,
    /// Payload still missing of a STREAM whose beginning was handed out already.
    stream_left: usize,
}

/// What is wrong with a packet header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BadHeader {
    /// The eight bytes.
    pub(super) bytes: [u8; HEADER_LEN],
    /// What about them.
    pub(super) reason: &'static str,
}

impl Packets {
    /// Takes bytes as they were read.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.bytes.extend_from_slice(bytes);
    }

    fn rest(&self) -> &[u8] {
        self.bytes.get(self.used..).unwrap_or_default()
    }

    /// At most `len` of the bytes that are left.
    fn take(&mut self, len: usize) -> Vec<u8> {
        let rest = self.rest();
        let taken = rest.get(..len).unwrap_or(rest).to_vec();
        self.used += taken.len();
        taken
    }

    /// The next packet that is whole.
    pub(super) fn next(&mut self) -> Result<Option<Packet>, BadHeader> {
        if self.stream_left > 0 {
            if self.rest().len() < self.stream_left {
                return Ok(None);
            }
            return Ok(self.partial_stream());
        }
        let Some((ty, header)) = self.header()? else { return Ok(None) };
        if self.rest().len() - HEADER_LEN < header.payload_len() {
            return Ok(None);
        }
        self.used += HEADER_LEN;
        Ok(Some(Packet { ty, order: header.order(), payload: self.take(header.payload_len()) }))
    }

    /// What has arrived of a STREAM that is not whole: the server does not wait for the rest before it passes it on.
    pub(super) fn partial_stream(&mut self) -> Option<Packet> {
        if self.stream_left == 0 {
            let (ty, header) = self.header().ok()??;
            if ty != PacketType::RespStream {
                return None;
            }
            self.used += HEADER_LEN;
            self.stream_left = header.payload_len();
        }
        let payload = self.take(self.stream_left);
        self.stream_left -= payload.len();
        let packet = Packet { ty: PacketType::RespStream, order: ByteOrder::NATIVE, payload };
        (!packet.payload.is_empty()).then_some(packet)
    }

    /// The bytes that are left, if they can be the beginning of a packet that may stand between two responses.
    pub(super) fn take_idle_rest(&mut self) -> Option<Vec<u8>> {
        let is_idle = match self.header() {
            Ok(Some((ty, _))) => matches!(ty, PacketType::StderrStream | PacketType::ReqReceived),
            Ok(None) => self.rest().iter().zip(lsapi::MAGIC).all(|(&byte, magic)| byte == magic),
            Err(_) => false,
        };
        (is_idle && self.stream_left == 0).then(|| self.take(usize::MAX))
    }

    /// The header of the next packet, once it is there and if it is one.
    fn header(&self) -> Result<Option<(PacketType, PacketHeader)>, BadHeader> {
        let Some(bytes) = self.rest().first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let bad = |reason| BadHeader { bytes: *bytes, reason };
        let header = PacketHeader::decode(bytes);
        let header = header.map_err(|_| bad("it does not begin with LS, or its length is below 8"))?;
        let ty = header.packet_type().filter(|ty| !ty.is_from_server());
        let ty = ty.ok_or_else(|| bad("its type is none an application sends (3 to 9)"))?;
        let payload = header.payload_len();
        match ty {
            PacketType::RespHeader if payload < limits::MIN_RESPONSE_HEADER_PAYLOAD => {
                return Err(bad("RESP_HEADER has room for a count and a status at least"));
            }
            PacketType::RespHeader if payload > limits::MAX_RESPONSE_HEADER_PAYLOAD => {
                return Err(bad("RESP_HEADER carries at most 65535 bytes"));
            }
            PacketType::RespEnd | PacketType::ConnClose if payload != 0 => {
                return Err(bad("RESP_END and CONN_CLOSE carry nothing"));
            }
            PacketType::RespHeader | PacketType::RespEnd | PacketType::ConnClose => {}
            _ if payload > limits::MAX_STREAM_PAYLOAD => {
                return Err(bad("it carries at most 16384 bytes"));
            }
            _ => {}
        }
        Ok(Some((ty, header)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(bytes: &[u8]) -> (Vec<PacketType>, Option<&'static str>) {
        let mut packets = Packets::default();
        let mut found = Vec::new();
        packets.push(bytes);
        loop {
            match packets.next() {
                Ok(Some(packet)) => found.push(packet.ty),
                Ok(None) => return (found, None),
                Err(bad) => return (found, Some(bad.reason)),
            }
        }
    }

    fn header(ty: u8, length: i32) -> Vec<u8> {
        [b"LS", &[ty, 0][..], &length.to_le_bytes()].concat()
    }

    #[test]
    fn limits_are_the_servers() {
        let whole = |ty: u8, payload: usize| {
            let len = i32::try_from(payload + 8).unwrap();
            packets(&[header(ty, len), vec![0; payload]].concat())
        };
        for (ty, payload) in [(3, 8), (3, 65_535), (4, 0), (4, 16_384), (6, 16_384), (7, 16_384), (9, 16_384)]
        {
            let (found, bad) = whole(ty, payload);
            assert_eq!((found.len(), bad), (1, None), "type {ty}, {payload} bytes");
        }
        let refused =
            [(3, 7), (3, 65_536), (4, 16_385), (5, 1), (6, 16_385), (7, 16_385), (8, 8), (9, 16_385)];
        for (ty, payload) in refused {
            assert!(whole(ty, payload).1.is_some(), "type {ty}, {payload} bytes");
        }
        for (ty, length) in [(1, 8), (2, 8), (10, 8), (4, 7), (4, -1), (4, i32::MAX)] {
            assert!(packets(&header(ty, length)).1.is_some(), "type {ty}, length {length}");
        }
        assert!(packets(b"XS\x07\x00\x08\x00\x00\x00").1.is_some());
    }

    #[test]
    fn each_packet_has_its_own_byte_order() {
        let bytes = [header(7, 8), b"LS\x05\x01\x00\x00\x00\x08".to_vec()].concat();
        assert_eq!(packets(&bytes), (vec![PacketType::ReqReceived, PacketType::RespEnd], None));
    }

    #[test]
    fn only_what_may_stand_between_responses_is_kept_for_later() {
        for (bytes, kept) in [
            (&b""[..], true),
            (b"L", true),
            (b"LS\x06", true),
            (b"LS\x06\0\x0a\0\0\0a", true),
            (b"LS\x04\0\x0a\0\0\0a", false),
            (b"LS\x0a\0\x08\0\0\0", false),
            (b"garbage", false),
        ] {
            let mut packets = Packets::default();
            packets.push(bytes);
            assert_eq!(packets.take_idle_rest(), kept.then(|| bytes.to_vec()), "{bytes:?}");
        }
    }

    #[test]
    fn a_stream_can_be_taken_before_it_is_whole() {
        let mut packets = Packets::default();
        packets.push(&header(4, 12));
        assert_eq!(packets.next(), Ok(None));
        assert_eq!(packets.partial_stream(), None);
        packets.push(b"ab");
        assert_eq!(packets.next(), Ok(None));
        assert_eq!(packets.partial_stream().unwrap().payload, b"ab");
        packets.push(&[&b"cd"[..], &header(5, 8)].concat());
        assert_eq!(packets.next().unwrap().unwrap().payload, b"cd");
        assert_eq!(packets.next().unwrap().unwrap().ty, PacketType::RespEnd);
        assert_eq!(packets.take_idle_rest(), Some(Vec::new()));
    }
}
