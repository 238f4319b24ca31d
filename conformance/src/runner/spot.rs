//! Where in the transcript a response begins to be wrong.
//!
//! A comparison knows a spot in terms of the response: a byte of the body, of a header, the status. The body comes in
//! several packets, and each packet is an entry of the transcript: the way from one to the other is here.

use lsapi::{HEADER_LEN, PacketType};
use mock_lsws::scenario::Mismatch;
use mock_lsws::{Entry, Event, Packet, Response, Transcript, Violation};

use crate::event::{Place, Problem};

/// Bytes of RESP_HEADER before the lengths of its lines; the last four are the status (lsapi 1.6.1).
const HEAD_LEN: usize = 16;
const STATUS_AT: usize = 12;

/// A spot of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spot {
    /// The status field.
    Status,
    /// A header line, from 0: a byte of its value, or its beginning.
    Header {
        /// Which line.
        line: usize,
        /// Which byte of its value.
        byte: Option<usize>,
    },
    /// A byte of the body.
    Body(usize),
    /// A byte of the STDERR_STREAM packets together.
    Stderr(usize),
    /// The beginning of the n-th packet of a type, from 0.
    Packet(PacketType, usize),
}

/// A problem, with its spot if it has one.
pub(super) type Spotted = (Problem, Option<Spot>);

/// A mismatch as a problem, at the spot that `spot` makes of the byte at which the value begins to differ.
pub(super) fn at(mismatch: Mismatch, spot: impl FnOnce(usize) -> Spot) -> Spotted {
    let spot = mismatch.differs_at.map(spot);
    (mismatch.into(), spot)
}

/// Where a violation shows.
pub(super) fn of_violation(violation: Violation) -> Option<Spot> {
    let head = |line| Spot::Header { line, byte: None };
    Some(match violation {
        Violation::SecondHeader => Spot::Packet(PacketType::RespHeader, 1),
        Violation::HeaderAfterStream | Violation::NoHeaderLines | Violation::LengthsDoNotAddUp { .. } => {
            Spot::Packet(PacketType::RespHeader, 0)
        }
        Violation::StreamBeforeHeader => Spot::Packet(PacketType::RespStream, 0),
        Violation::EndBeforeHeader => Spot::Packet(PacketType::RespEnd, 0),
        Violation::LineLength { index, .. }
        | Violation::LineWithoutNul { index }
        | Violation::LineBreakInLine { index }
        | Violation::LineWithoutColon { index } => head(index),
        Violation::AcknowledgedTwice => Spot::Packet(PacketType::ReqReceived, 1),
        Violation::AcknowledgedLate => Spot::Packet(PacketType::ReqReceived, 0),
        _ => return None,
    })
}

/// The problems with their places in `transcript`, on whose connection number `connection` the response came.
pub(super) fn placed(
    problems: Vec<Spotted>,
    response: &Response,
    transcript: &Transcript,
    connection: u32,
) -> Vec<Problem> {
    let entries = transcript.entries();
    let place = |spot: Spot| {
        let (packet, byte) = find(response, spot)?;
        Some(Place { entry: entry_of(&entries, packet, connection)?, byte })
    };
    problems.into_iter().map(|(problem, spot)| Problem { place: spot.and_then(place), ..problem }).collect()
}

/// The packet of a spot, and the byte of it.
fn find(response: &Response, spot: Spot) -> Option<(&Packet, usize)> {
    let of_type = |wanted| response.packets.iter().filter(move |packet| packet.packet_type() == wanted);
    match spot {
        Spot::Status => Some((of_type(PacketType::RespHeader).next()?, STATUS_AT)),
        Spot::Header { line, byte } => {
            let before: usize = response.headers.iter().take(line).map(|header| header.line.len() + 1).sum();
            let header = response.headers.get(line)?;
            let start = HEAD_LEN + 2 * response.headers.len() + before;
            let byte = byte.map_or(0, |byte| value_at(&header.line) + byte);
            Some((of_type(PacketType::RespHeader).next()?, start + byte))
        }
        Spot::Body(byte) => nth_byte(of_type(PacketType::RespStream), byte),
        Spot::Stderr(byte) => nth_byte(of_type(PacketType::StderrStream), byte),
        Spot::Packet(wanted, number) => Some((of_type(wanted).nth(number)?, 0)),
    }
}

/// Where the value begins in a header line: it is taken without the blanks around it.
fn value_at(line: &[u8]) -> usize {
    let colon = line.iter().position(|&byte| byte == b':').unwrap_or_default();
    let behind = line.get(colon + 1..).unwrap_or_default();
    line.len() - behind.trim_ascii_start().len()
}

/// The packet that has this byte of all payloads together; the end of the last one if there are fewer.
fn nth_byte<'a>(packets: impl Iterator<Item = &'a Packet>, mut byte: usize) -> Option<(&'a Packet, usize)> {
    let mut last = None;
    for packet in packets {
        let payload = packet.bytes().len().saturating_sub(HEADER_LEN);
        if byte < payload {
            return Some((packet, HEADER_LEN + byte));
        }
        byte -= payload;
        last = Some((packet, packet.bytes().len()));
    }
    last
}

/// Which entry is this packet.
fn entry_of(entries: &[Entry], packet: &Packet, connection: u32) -> Option<usize> {
    entries.iter().position(|entry| {
        let Event::Received { bytes } = &entry.event else { return false };
        // It is noted as soon as it was read.
        entry.connection == connection
            && entry.at >= packet.at()
            && bytes.len() == packet.bytes().len()
            && packet.bytes().starts_with(bytes.kept())
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mock_lsws::End;
    use mock_lsws::scenario::assemble;

    use super::*;

    fn packet(ty: u8, payload: &[u8]) -> Vec<u8> {
        let len = u32::try_from(HEADER_LEN + payload.len()).unwrap();
        [&[b'L', b'S', ty, 0][..], &len.to_le_bytes(), payload].concat()
    }

    fn response() -> Response {
        let head = [&[2, 0, 0, 0, 200, 0, 0, 0, 5, 0, 7, 0][..], b"A: b\0C: def\0"].concat();
        let packets =
            [packet(3, &head), packet(4, b"abc"), packet(6, b"log"), packet(4, b"de"), packet(5, b"")];
        let packets = packets.iter().map(|bytes| Packet::take(bytes, Duration::ZERO).unwrap());
        assemble(Duration::ZERO, packets, End::Complete)
    }

    #[test]
    fn spots_are_found_in_the_packets_they_are_in() {
        let response = response();
        let found = |spot| {
            let (packet, byte) = find(&response, spot)?;
            let index = response.packets.iter().position(|other| other == packet)?;
            Some((index, byte, packet.bytes().get(byte).copied()))
        };
        assert_eq!(found(Spot::Status), Some((0, 12, Some(200))));
        assert_eq!(found(Spot::Header { line: 1, byte: None }), Some((0, 25, Some(b'C'))));
        assert_eq!(found(Spot::Header { line: 1, byte: Some(2) }), Some((0, 30, Some(b'f'))));
        assert_eq!(value_at(b"C:  def  "), 4, "blanks behind it are none of its concern");
        assert_eq!(found(Spot::Body(0)), Some((1, 8, Some(b'a'))));
        assert_eq!(found(Spot::Body(3)), Some((3, 8, Some(b'd'))));
        assert_eq!(found(Spot::Body(5)), Some((3, 10, None)), "behind the last byte");
        assert_eq!(found(Spot::Stderr(1)), Some((2, 9, Some(b'o'))));
        assert_eq!(found(Spot::Packet(PacketType::RespStream, 1)), Some((3, 0, Some(b'L'))));
        assert_eq!(found(Spot::Header { line: 9, byte: None }), None);
    }

    #[test]
    fn an_entry_is_told_from_others_with_the_same_bytes() {
        let entry = |at, connection| Entry {
            at: Duration::from_millis(at),
            connection,
            event: Event::Received { bytes: packet(5, b"").into() },
        };
        let packet = Packet::take(&packet(5, b""), Duration::from_millis(5)).unwrap();
        let entries = [entry(1, 1), entry(5, 2), entry(5, 1), entry(9, 1)];
        assert_eq!(entry_of(&entries, &packet, 1), Some(2));
        assert_eq!(entry_of(&entries, &packet, 3), None);
    }
}
