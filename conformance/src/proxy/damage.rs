//! What can be done to the packets of a response.

use clap::ValueEnum;
use lsapi::{HEADER_LEN, PacketHeader, PacketType};

/// A way to break a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Damage {
    /// Passes everything on as it is
    None,
    /// Leaves RESP_END out
    DropEnd,
    /// Sends RESP_END twice
    DoubleEnd,
    /// Leaves REQ_RECEIVED out
    DropAck,
    /// Adds one to the header count
    CountOneMore,
    /// Takes one from the header count
    CountOneLess,
    /// Sends bytes that are no packet behind RESP_END
    JunkAfterEnd,
    /// No damage: status 0 for 200, log text and empty pieces of the body wherever they are allowed
    Chatty,
}

/// Finds packets in the application's output and damages them.
#[derive(Debug)]
pub(crate) struct Damager {
    damage: Damage,
    /// Bytes of a packet that has not arrived whole.
    pending: Vec<u8>,
}

impl Damager {
    pub(crate) const fn new(damage: Damage) -> Self {
        Self { damage, pending: Vec::new() }
    }

    /// Takes bytes from the application and returns what the server gets.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.pending.extend(bytes);
        let mut out = Vec::new();
        while let Ok(header) = PacketHeader::decode(&self.pending) {
            if self.pending.len() < header.len {
                break;
            }
            let rest = self.pending.split_off(header.len);
            let packet = std::mem::replace(&mut self.pending, rest);
            out.extend(self.damaged(&header, packet));
        }
        out
    }

    /// What is left when the application has closed.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.pending
    }

    fn damaged(&self, header: &PacketHeader, mut packet: Vec<u8>) -> Vec<u8> {
        match (self.damage, header.packet_type()) {
            (Damage::DropEnd, Some(PacketType::RespEnd))
            | (Damage::DropAck, Some(PacketType::ReqReceived)) => Vec::new(),
            (Damage::DoubleEnd, Some(PacketType::RespEnd)) => packet.repeat(2),
            (Damage::CountOneMore, Some(PacketType::RespHeader)) => {
                add_to_count(header, &mut packet, 1);
                packet
            }
            (Damage::CountOneLess, Some(PacketType::RespHeader)) => {
                add_to_count(header, &mut packet, -1);
                packet
            }
            (Damage::JunkAfterEnd, Some(PacketType::RespEnd)) => [&packet[..], b"abc"].concat(),
            (Damage::Chatty, ty) => chatty(header, ty, packet),
            _ => packet,
        }
    }
}

/// What a server has to put up with around `packet`.
fn chatty(header: &PacketHeader, ty: Option<PacketType>, mut packet: Vec<u8>) -> Vec<u8> {
    let note = [&PacketHeader::new(PacketType::StderrStream, 5).encode()[..], b"note\n"].concat();
    let empty = PacketHeader::new(PacketType::RespStream, 0).encode();
    match ty {
        Some(PacketType::ReqReceived) => [&packet[..], &note].concat(),
        Some(PacketType::RespHeader) => {
            let status = packet.get_mut(HEADER_LEN + 4..).and_then(|payload| payload.first_chunk_mut::<4>());
            if let Some(field) = status.filter(|field| header.order().i32_from(**field) == 200) {
                *field = [0; 4];
            }
            [&packet[..], &note, &empty].concat()
        }
        Some(PacketType::RespStream | PacketType::RespEnd) => [&note[..], &empty, &packet].concat(),
        _ => packet,
    }
}

/// Changes the header count, the first integer of a RESP_HEADER payload.
fn add_to_count(header: &PacketHeader, packet: &mut [u8], plus: i32) {
    if let Some(field) = packet.get_mut(HEADER_LEN..).and_then(|payload| payload.first_chunk_mut::<4>()) {
        let count = header.order().i32_from(*field);
        *field = header.order().i32_bytes(count.wrapping_add(plus));
    }
}

#[cfg(test)]
mod tests {
    use lsapi::{REQ_RECEIVED, RESP_END, ResponseHead, put_stream};

    use super::*;

    fn response() -> Vec<u8> {
        let mut bytes = REQ_RECEIVED.to_vec();
        let mut head = ResponseHead::default();
        head.push(b"Content-Type", b"text/plain").unwrap();
        head.encode(200, &mut bytes).unwrap();
        put_stream(b"hello", &mut bytes);
        bytes.extend(RESP_END);
        bytes
    }

    fn passed(damage: Damage, piece: usize) -> Vec<u8> {
        let mut damager = Damager::new(damage);
        let mut out: Vec<u8> = response().chunks(piece).flat_map(|bytes| damager.pass(bytes)).collect();
        out.extend(damager.finish());
        out
    }

    #[test]
    fn without_damage_nothing_changes_whatever_the_pieces() {
        for piece in [1, 7, 8, 1000] {
            assert_eq!(passed(Damage::None, piece), response());
        }
    }

    #[test]
    fn each_damage_touches_its_packet_only() {
        let whole = response();
        assert_eq!(passed(Damage::DropEnd, 3), whole[..whole.len() - 8]);
        assert_eq!(passed(Damage::DropAck, 3), whole[8..]);
        assert_eq!(passed(Damage::JunkAfterEnd, 3), [&whole[..], b"abc"].concat());
        assert_eq!(passed(Damage::DoubleEnd, 3), [&whole[..], &RESP_END].concat());
        let more = passed(Damage::CountOneMore, 3);
        let changed: Vec<usize> = (0..whole.len()).filter(|&at| whole[at] != more[at]).collect();
        assert_eq!(changed.len(), 1);
        assert!((16..20).contains(&changed[0]), "{changed:?}");
    }
}
