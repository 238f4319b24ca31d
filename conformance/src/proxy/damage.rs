//! What can be done to the packets of a response.

use clap::ValueEnum;
use lsapi::{AppPacket, HEADER_LEN, PacketHeader, PacketType, REQ_RECEIVED, pid_notice};
use serde::Deserialize;

/// Which byte of a packet says in which byte order it is.
pub(super) const FLAG: usize = 3;

/// A way to break a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Sends REQ_RECEIVED twice
    DoubleAck,
    /// Sends REQ_RECEIVED with the first packet behind it
    LateAck,
    /// Leaves the notice of the process number out
    DropNotice,
    /// Tells another process number
    WrongNotice,
    /// Leaves all header lines out
    NoHeaders,
    /// Ends the last header line with a blank and not with a NUL
    NoNul,
    /// Takes the last byte from each piece of the body
    ShortBody,
    /// Sends the body in one piece, when it is whole
    OnePiece,
    /// Sends the text for the log behind RESP_END
    LateStderr,
    /// Leaves the text for the log out
    DropStderr,
    /// Sends the length of RESP_STREAM in the other byte order and does not say so
    SwapLength,
    /// Says of RESP_HEADER that it is in the other byte order
    WrongFlag,
    /// Never announces that the connection closes
    DropClose,
    /// Sends REQ_RECEIVED before it closes a connection on which it has said nothing
    AckRefused,
    /// Closes a connection on which a request packet does not arrive at once
    NeedsWholePackets,
    /// Takes every packet for one in the byte order of this machine
    NativeOnly,
    /// No damage: status 0 for 200, log text and empty pieces of the body wherever they are allowed
    Chatty,
}

impl Damage {
    /// The name on a command line.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

/// Finds packets in the application's output and damages them.
#[derive(Debug)]
pub(crate) struct Damager {
    damage: Damage,
    /// Bytes of a packet that has not arrived whole.
    pending: Vec<u8>,
    /// Packets, or what is in them, that are held back.
    held: Vec<u8>,
    /// Whether a packet has been passed on.
    has_passed: bool,
}

impl Damager {
    pub(crate) const fn new(damage: Damage) -> Self {
        Self { damage, pending: Vec::new(), held: Vec::new(), has_passed: false }
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
            self.has_passed = true;
            out.extend(self.damaged(&header, packet));
        }
        out
    }

    /// What is left when the application has closed.
    pub(crate) fn finish(self) -> Vec<u8> {
        match self.damage {
            Damage::AckRefused if !self.has_passed => [&self.pending[..], &REQ_RECEIVED].concat(),
            _ => self.pending,
        }
    }

    fn damaged(&mut self, header: &PacketHeader, mut packet: Vec<u8>) -> Vec<u8> {
        let Some(ty) = header.packet_type() else { return packet };
        let notice = match AppPacket::decode(&packet) {
            Ok((_, AppPacket::PidNotice(pid))) => Some(pid),
            _ => None,
        };
        match (self.damage, ty) {
            (Damage::DropEnd, PacketType::RespEnd)
            | (Damage::DropAck, PacketType::ReqReceived)
            | (Damage::DropClose, PacketType::ConnClose) => return Vec::new(),
            (Damage::DropNotice, _) if notice.is_some() => return Vec::new(),
            (Damage::WrongNotice, _) => {
                return notice.map_or(packet, |pid| pid_notice(pid.wrapping_add(1)).to_vec());
            }
            (Damage::DropStderr, PacketType::StderrStream) if notice.is_none() => return Vec::new(),
            (Damage::LateStderr, PacketType::StderrStream) if notice.is_none() => {
                self.held.extend(packet);
                return Vec::new();
            }
            (Damage::LateAck, PacketType::ReqReceived) => {
                self.held.extend(packet);
                return Vec::new();
            }
            (Damage::OnePiece, PacketType::RespStream) => {
                self.held.extend(packet.get(HEADER_LEN..).unwrap_or_default());
                return Vec::new();
            }
            (Damage::LateAck, _) => return [std::mem::take(&mut self.held), packet].concat(),
            (Damage::LateStderr, PacketType::RespEnd) => packet.append(&mut self.held),
            (Damage::OnePiece, PacketType::RespEnd) => {
                let body = std::mem::take(&mut self.held);
                let piece = PacketHeader::new(PacketType::RespStream, body.len()).encode();
                return [&piece, &body[..], &packet].concat();
            }
            (Damage::DoubleEnd, PacketType::RespEnd) | (Damage::DoubleAck, PacketType::ReqReceived) => {
                packet = packet.repeat(2);
            }
            (Damage::CountOneMore, PacketType::RespHeader) => add_to_count(header, &mut packet, 1),
            (Damage::CountOneLess, PacketType::RespHeader) => add_to_count(header, &mut packet, -1),
            (Damage::JunkAfterEnd, PacketType::RespEnd) => packet.extend(b"abc"),
            (Damage::NoHeaders, PacketType::RespHeader) => return no_headers(&packet),
            (Damage::NoNul, PacketType::RespHeader) => {
                if let Some(nul) = packet.last_mut() {
                    *nul = b' ';
                }
            }
            (Damage::ShortBody, PacketType::RespStream) => {
                let payload = packet.get(HEADER_LEN..).unwrap_or_default();
                let left = payload.get(..payload.len().saturating_sub(1)).unwrap_or_default();
                return [&PacketHeader::new(ty, left.len()).encode()[..], left].concat();
            }
            (Damage::WrongFlag, PacketType::RespHeader) => {
                if let Some(flag) = packet.get_mut(FLAG) {
                    *flag ^= 1;
                }
            }
            (Damage::SwapLength, PacketType::RespStream) => {
                if let Some(length) = packet.get_mut(4..HEADER_LEN) {
                    length.reverse();
                }
            }
            (Damage::Chatty, _) => return chatty(header, ty, packet),
            _ => {}
        }
        packet
    }
}

/// A RESP_HEADER packet with the status of `packet` and no line.
fn no_headers(packet: &[u8]) -> Vec<u8> {
    let mut payload = [0; 8];
    if let (Some(to), Some(status)) = (payload.get_mut(4..), packet.get(HEADER_LEN + 4..HEADER_LEN + 8)) {
        to.copy_from_slice(status);
    }
    [&PacketHeader::new(PacketType::RespHeader, payload.len()).encode()[..], &payload].concat()
}

/// What a server has to put up with around `packet`.
fn chatty(header: &PacketHeader, ty: PacketType, mut packet: Vec<u8>) -> Vec<u8> {
    let note = [&PacketHeader::new(PacketType::StderrStream, 5).encode()[..], b"note\n"].concat();
    let empty = PacketHeader::new(PacketType::RespStream, 0).encode();
    match ty {
        PacketType::ReqReceived => [&packet[..], &note].concat(),
        PacketType::RespHeader => {
            let status = packet.get_mut(HEADER_LEN + 4..).and_then(|payload| payload.first_chunk_mut::<4>());
            if let Some(field) = status.filter(|field| header.order().i32_from(**field) == 200) {
                *field = [0; 4];
            }
            [&packet[..], &note, &empty].concat()
        }
        PacketType::RespStream | PacketType::RespEnd => [&note[..], &empty, &packet].concat(),
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
    use lsapi::{RESP_END, ResponseHead, put_stream};

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

    #[test]
    fn what_is_held_back_is_not_lost() {
        let whole = response();
        assert_eq!(passed(Damage::LateAck, 3), whole);
        assert_eq!(passed(Damage::OnePiece, 3), whole);
        assert_eq!(passed(Damage::DoubleAck, 3), [&REQ_RECEIVED, &whole[..]].concat());
        // Piece by piece it shows that something was.
        let mut damager = Damager::new(Damage::LateAck);
        assert!(damager.pass(&REQ_RECEIVED).is_empty());
        let mut damager = Damager::new(Damage::OnePiece);
        let sent: Vec<u8> = whole[..whole.len() - 8].to_vec();
        assert_eq!(damager.pass(&sent), sent[..sent.len() - 13]);
        assert_eq!(damager.pass(&RESP_END).len(), 13 + 8);
        assert_eq!(Damager::new(Damage::AckRefused).finish(), REQ_RECEIVED);
        assert_eq!(passed(Damage::AckRefused, 3), whole);
    }

    #[test]
    fn packets_that_are_changed_are_packets_still() {
        for damage in [Damage::NoHeaders, Damage::NoNul, Damage::ShortBody] {
            let mut rest = &passed(damage, 5)[..];
            let mut types = Vec::new();
            while let Ok(header) = PacketHeader::decode(rest) {
                types.push(header.packet_type().unwrap());
                rest = &rest[header.len..];
            }
            let expected = [
                PacketType::ReqReceived,
                PacketType::RespHeader,
                PacketType::RespStream,
                PacketType::RespEnd,
            ];
            assert_eq!((types.as_slice(), rest), (&expected[..], &[][..]), "{damage:?}");
            assert_ne!(passed(damage, 5), response());
        }
    }
}
