//! Bytes as they may arrive from an application: a sequence of packets up to the first that is none, each of which encodes to
//! the bytes it came from.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lsapi::{AppPacket, DecodeError, HEADER_LEN, PacketHeader, RawResponseHeader, pid_notice};
use std::hint::black_box;

fn check(whole: &[u8], header: PacketHeader, packet: &AppPacket<'_>) {
    assert_eq!(header.encode(), whole[..HEADER_LEN]);
    assert_eq!(header.packet_type(), Some(packet.packet_type()));
    match packet {
        AppPacket::RespHeader(head) => {
            assert!(RawResponseHeader::from((header, *head)).encode() == whole);
            let mut covered = 0;
            for line in head.lines() {
                black_box(line.name_value());
                covered += line.raw.len();
            }
            assert!(covered <= head.line_bytes().len());
            let positive = head.lengths().all(|len| len >= 0);
            assert!(!positive || head.surplus() <= (head.line_bytes().len() - covered) as i64);
        }
        AppPacket::PidNotice(pid) => assert_eq!(pid_notice(*pid).len(), whole.len()),
        AppPacket::RespStream(payload) | AppPacket::Stderr(payload) => {
            assert!(*payload == &whole[HEADER_LEN..])
        }
        AppPacket::RespEnd | AppPacket::ConnClose | AppPacket::InternalError => {
            assert_eq!(whole.len(), HEADER_LEN)
        }
        AppPacket::ReqReceived => {}
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    loop {
        match AppPacket::decode(rest) {
            Ok((header, packet)) => {
                let (whole, after) = rest.split_at(header.len);
                check(whole, header, &packet);
                assert_eq!(AppPacket::decode(whole), Ok((header, packet)));
                for have in [0, 7, whole.len() - 1] {
                    let error = AppPacket::decode(&whole[..have]).unwrap_err();
                    assert!(matches!(error, DecodeError::Incomplete { need } if need > have));
                }
                rest = after;
            }
            Err(DecodeError::Incomplete { need }) => {
                assert!(need > rest.len());
                break;
            }
            Err(DecodeError::Invalid(invalid)) => {
                assert!(invalid.offset <= rest.len());
                black_box(invalid.to_string());
                break;
            }
        }
    }
});
