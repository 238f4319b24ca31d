//! Bytes as they may arrive from a server: whatever they are, decoding ends in an error or in a request that holds together.
//!
//! What is checked of a request: every accessor works, encoding gives the same bytes, bytes behind the packet change nothing,
//! and no shorter prefix passes for it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use lsapi::limits::MAX_REQUEST_PACKET;
use lsapi::{BeginRequest, ByteOrder, DecodeError, RawRequest, ServerPacket};
use std::hint::black_box;

fn touch(request: &BeginRequest<'_>) {
    for list in [request.special_env(), request.env()] {
        let entries = list.iter().inspect(|entry| {
            black_box((entry.key().len(), entry.value().len(), list.get(entry.key()).is_some()));
        });
        assert_eq!(entries.take(64).count(), list.len().min(64));
        assert_eq!(list.iter().count(), list.len());
    }
    for (header, value) in request.known_headers().iter() {
        assert_eq!(request.known_header(header), Some(value));
    }
    for header in request.unknown_headers().iter() {
        assert!(!header.name.is_empty());
        black_box(header.value.len());
    }
    let strings =
        [request.script_filename(), request.script_name(), request.query_string(), request.request_method()];
    for (string, offset) in strings.into_iter().zip(request.string_offsets()) {
        assert_eq!(string.is_none(), offset == 0);
    }
    black_box(request.body_length().known());
}

fn check(bytes: &[u8]) {
    match ServerPacket::decode(bytes, MAX_REQUEST_PACKET) {
        Ok(ServerPacket::BeginRequest(request)) => {
            touch(&request);
            let packet = &bytes[..request.packet_len()];
            assert!(RawRequest::from(&request).encode() == packet);
            assert_eq!(BeginRequest::decode(packet, MAX_REQUEST_PACKET), Ok(request));
            for have in [0, 1, 7, 8, 43, packet.len() / 2, packet.len() - 1] {
                let error = BeginRequest::decode(&packet[..have], MAX_REQUEST_PACKET).unwrap_err();
                assert!(matches!(error, DecodeError::Incomplete { need } if need > have));
            }
        }
        Ok(packet @ ServerPacket::AbortRequest) => assert_eq!(packet.packet_len(), 8),
        Err(DecodeError::Incomplete { need }) => assert!(need > bytes.len()),
        Err(DecodeError::Invalid(invalid)) => {
            assert!(invalid.offset <= bytes.len());
            black_box(invalid.to_string());
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    // The same with a right start and a length that fits, so that mutations get past the first checks.
    let mut framed = bytes.to_vec();
    if let (Some(&flag), Ok(len)) = (bytes.get(3), i32::try_from(bytes.len()))
        && let Some(start) = framed.first_chunk_mut::<8>()
    {
        let [a, b, c, d] = ByteOrder::from_flag(flag).i32_bytes(len);
        *start = [b'L', b'S', 1, flag, a, b, c, d];
        check(&framed);
    }
});
