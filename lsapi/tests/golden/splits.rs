//! Golden bytes in pieces: wherever a read ends, the decoder asks for more and never guesses.

use crate::capture::{self, REQUESTS, RESPONSES};
use lsapi::{AppPacket, BeginRequest, DecodeError, limits::MAX_REQUEST_PACKET};

/// Every prefix shorter than the packet at the start of `bytes` must be incomplete, and ask for more than it is.
fn check_prefixes<T>(file: &str, packet: &[u8], decode: impl Fn(&[u8]) -> Result<T, DecodeError>) {
    for have in 0..packet.len() {
        match decode(&packet[..have]) {
            Err(DecodeError::Incomplete { need }) => {
                let next = if have < lsapi::HEADER_LEN { lsapi::HEADER_LEN } else { packet.len() };
                assert_eq!(need, next, "{file}: with {have} bytes");
            }
            Err(error) => panic!("{file}: {have} bytes are no error of the peer: {error}"),
            Ok(_) => panic!("{file}: {have} bytes of {} passed for a packet", packet.len()),
        }
    }
}

#[test]
fn every_prefix_of_a_request_is_incomplete_and_its_surroundings_do_not_matter() {
    for file in capture::files(REQUESTS) {
        let bytes = capture::read(&file, REQUESTS);
        let request = capture::first_request(&bytes);
        let packet = &bytes[..request.packet_len()];
        check_prefixes(&file, packet, |bytes| {
            BeginRequest::decode(bytes, MAX_REQUEST_PACKET).map(|request| request.packet_len())
        });
        // What follows the packet, body or nothing, leaves no trace in it.
        let alone = packet.to_vec();
        assert_eq!(capture::first_request(&alone), request, "{file}");
    }
}

#[test]
fn every_prefix_of_a_response_packet_is_incomplete() {
    for file in capture::files(RESPONSES) {
        let bytes = capture::read(&file, RESPONSES);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (header, whole) = AppPacket::decode(rest).unwrap();
            let (packet, after) = rest.split_at(header.len);
            check_prefixes(&file, packet, |bytes| AppPacket::decode(bytes).map(|(header, _)| header));
            assert_eq!(AppPacket::decode(packet).unwrap().1, whole, "{file}");
            rest = after;
        }
    }
}
